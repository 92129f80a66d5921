//! Passes that promise to keep values keep them, over the whole table of samples and over random programs.

use rjax_ir::{Program, Tensor, eval, verify};
use rjax_rewrite::{Options, Tier, cost, simplify};
use rjax_tests::calculus::Point;
use rjax_tests::compare::same;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::random::Random;
use rjax_tests::report::{Outcome, check_all};
use rjax_tests::samples::{self, Derivatives, Sample};

const RANDOM_PROGRAMS: u64 = 300;

/// The pass's result verifies, has the same signature and computes the same, up to `ulps`.
fn keeps_values(
    program: &Program,
    inputs: &[Tensor],
    ulps: f64,
    pass: impl Fn(&Program) -> Result<Program, String>,
) -> Outcome {
    let after = pass(program)?;
    let context = |e: String| format!("{e}\n{program}\nbecame\n{after}");
    verify(&after).map_err(|e| context(e.to_string()))?;
    if (after.in_avals(), after.out_avals()) != (program.in_avals(), program.out_avals()) {
        return Err(context("the signature changed".into()));
    }
    let expected = eval(program, inputs).map_err(|e| context(e.to_string()))?;
    let found = eval(&after, inputs).map_err(|e| context(e.to_string()))?;
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        same(found, expected, ulps).map_err(|e| context(format!("output {i}: {e}")))?;
    }
    Ok(())
}

/// Checks a pass on samples and random programs.
fn check_pass(ulps: f64, pass: impl Fn(&Program) -> Result<Program, String>) {
    check_all(
        samples::all().into_iter().filter(Sample::evaluates),
        |s| s.name.clone(),
        |sample| keeps_values(&sample.program, &sample.tensors(0), ulps, &pass),
    );
    check_all(
        0..RANDOM_PROGRAMS,
        |seed| format!("seed {seed}"),
        |&seed| {
            let (program, inputs) = random_program(seed, Style::Mixed);
            keeps_values(&program, &inputs, ulps, &pass)
        },
    );
}

#[test]
fn random_programs_verify_and_are_of_many_ops() {
    let mut names = std::collections::BTreeSet::new();
    check_all(
        0..RANDOM_PROGRAMS,
        |seed| format!("seed {seed}"),
        |&seed| {
            let (program, inputs) = random_program(seed, Style::Mixed);
            verify(&program).map_err(|e| e.to_string())?;
            eval(&program, &inputs).map_err(|e| e.to_string()).map(|_| ())
        },
    );
    for seed in 0..RANDOM_PROGRAMS {
        names.extend(random_program(seed, Style::Mixed).0.eqns.iter().map(|eqn| eqn.op.name()));
    }
    assert!(names.len() > 40, "{} ops: {names:?}", names.len());
}

#[test]
fn dce_keeps_values() {
    check_pass(0.0, |program| Ok(program.dce()));
}

#[test]
fn reading_the_text_form_keeps_values() {
    check_pass(0.0, |program| Program::parse(&program.to_string(), "sample").map_err(|e| e.to_string()));
}

#[test]
fn inlining_keeps_values() {
    check_pass(0.0, |program| Ok(samples::program(&program.in_avals(), |b, inputs| b.inline(program, inputs))));
}

/// Simplification at a tier; the result must not cost more.
fn simplified(tier: Tier) -> impl Fn(&Program) -> Result<Program, String> {
    move |program| {
        let options = Options { tier, ..Options::default() };
        let simpler = simplify(program, &options).map_err(|e| e.to_string())?;
        let (before, after) = (cost(program), cost(&simpler));
        if after.flops <= before.flops && after.bytes <= before.bytes || program.count_eqns() >= simpler.count_eqns() {
            return Ok(simpler);
        }
        Err(format!("costs {after:?} instead of {before:?}:\n{program}\nbecame\n{simpler}"))
    }
}

#[test]
fn strict_simplification_keeps_the_bits() {
    check_pass(0.0, simplified(Tier::Strict));
}

/// Samples are single ops, and random programs of smooth ops do not blow up a rounding error.
#[test]
fn simplification_keeps_values_but_for_rounding() {
    let smooth = |s: &Sample| s.evaluates() && s.derivatives != Derivatives::None;
    for (tier, ulps) in [(Tier::Default, 64.0), (Tier::Fast, 1024.0)] {
        check_all(
            samples::all().into_iter().filter(smooth),
            |s| s.name.clone(),
            |sample| keeps_values(&sample.program, &sample.tensors(0), 4.0, simplified(tier)),
        );
        check_all(
            0..100,
            |seed| format!("{tier:?}, seed {seed}"),
            |&seed| {
                let (program, inputs) = random_program(seed, Style::Smooth);
                keeps_values(&program, &inputs, ulps, simplified(tier))
            },
        );
    }
}

/// What differentiation writes is what simplification sees most.
#[test]
fn simplification_of_derivatives() {
    let differentiable = |s: &Sample| s.evaluates() && s.derivatives == Derivatives::Both;
    check_all(
        samples::all().into_iter().filter(differentiable),
        |s| s.name.clone(),
        |sample| {
            let mut random = Random::new(9);
            let point = Point::of(sample, 0);
            for derivative in [point.forward(&mut random)?, point.reverse(&mut random)?] {
                keeps_values(&derivative.program, &derivative.inputs, 0.0, simplified(Tier::Strict))?;
                keeps_values(&derivative.program, &derivative.inputs, 16.0, simplified(Tier::Default))?;
            }
            Ok(())
        },
    );
    check_all(
        0..60u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let (program, inputs) = random_program(seed, Style::Smooth);
            let active = vec![true; inputs.len()];
            let reverse = Point { program, inputs, active }.reverse(&mut Random::new(seed))?;
            keeps_values(&reverse.program, &reverse.inputs, 0.0, simplified(Tier::Strict))?;
            keeps_values(&reverse.program, &reverse.inputs, 1024.0, simplified(Tier::Default))
        },
    );
}
