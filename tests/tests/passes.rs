//! Passes that promise to keep values keep them, over the whole table of samples and over random programs.

use rjax_ir::{Program, Tensor, eval, verify};
use rjax_tests::compare::same;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::report::{Outcome, check_all};
use rjax_tests::samples::{self, Sample};

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
