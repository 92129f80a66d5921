//! Native code gives what the reference interpreter gives, over the whole table of samples, their derivatives and random programs.

use rjax_codegen_cpu::{Options as Settings, compile};
use rjax_ir::{Program, Tensor, eval};
use rjax_kernel::{Options, plan};
use rjax_tests::calculus::Point;
use rjax_tests::compare::same;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::random::Random;
use rjax_tests::report::check_all;
use rjax_tests::samples::{self, Derivatives, Sample};

/// How far a sum in another order may be off, in units of the last place of the greatest element of the result.
const REORDERED: f64 = 8.0;
/// Rounding differences that a chain of some sixty ops may add up to, in units of the last place.
const CHAINED: f64 = 512.0;

fn name(sample: &Sample) -> String {
    sample.name.clone()
}

fn check(program: &Program, options: &Options, inputs: &[Tensor], ulps: f64) -> Result<(), String> {
    let module = plan(program, options).map_err(|e| e.to_string())?;
    let executable = compile(&module, &Settings::default()).map_err(|e| format!("{e}\n{program}\n{module}"))?;
    let expected = eval(program, inputs).map_err(|e| e.to_string())?;
    // The second call finds the arena as the first one left it.
    for call in ["first", "second"] {
        let found = executable.call(inputs).map_err(|e| e.to_string())?;
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            same(found, expected, ulps).map_err(|e| format!("{call} call, output {i}: {e}\n{program}\n{module}"))?;
        }
    }
    Ok(())
}

fn check_sample(sample: &Sample, options: &Options) -> Result<(), String> {
    (0..2).try_for_each(|seed| check(&sample.program, options, &sample.tensors(seed), sample.ulps.max(REORDERED)))
}

#[test]
fn fused_programs() {
    let options = Options::default();
    check_all(samples::all().into_iter().filter(Sample::evaluates), name, |sample| check_sample(sample, &options));
}

#[test]
fn programs_of_single_ops() {
    let options = Options { fuse: false, ..Options::default() };
    check_all(samples::all().into_iter().filter(Sample::evaluates), name, |sample| check_sample(sample, &options));
}

#[test]
fn programs_with_donated_inputs() {
    check_all(samples::all().into_iter().filter(Sample::evaluates), name, |sample| {
        check_sample(sample, &Options { donate: vec![true; sample.inputs.len()], ..Options::default() })
    });
}

#[test]
fn random_programs() {
    check_all(
        0..400u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let style = if seed % 2 == 0 { Style::Mixed } else { Style::Smooth };
            let (program, inputs) = random_program(seed, style);
            let options = Options { fuse: seed % 5 != 0, donate: vec![seed % 3 == 0; inputs.len()] };
            check(&program, &options, &inputs, CHAINED)
        },
    );
}

#[test]
fn derivatives() {
    let differentiable = |sample: &Sample| sample.evaluates() && sample.derivatives == Derivatives::Both;
    check_all(samples::all().into_iter().filter(differentiable), name, |sample| {
        let point = Point::of(sample, 3);
        let reverse = point.reverse(&mut Random::new(5))?;
        let forward = if sample.order >= 2 { Some(reverse.forward(&mut Random::new(7))?) } else { None };
        for point in std::iter::once(reverse).chain(forward) {
            check(&point.program, &Options::default(), &point.inputs, CHAINED)?;
        }
        Ok(())
    });
}
