//! The KIR interpreter on lowered programs gives what the reference interpreter gives, over the whole table of samples.

use rjax_ir::eval;
use rjax_kernel::{Options, interpret, plan};
use rjax_tests::calculus::Point;
use rjax_tests::compare::same;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::random::Random;
use rjax_tests::report::check_all;
use rjax_tests::samples::{self, Derivatives, Sample};

/// How far a sum in another order may be off, in units of the last place of the greatest element of the result.
const REORDERED: f64 = 8.0;

fn name(sample: &Sample) -> String {
    sample.name.clone()
}

fn check(options: &Options, sample: &Sample) -> Result<(), String> {
    let module = plan(&sample.program, options).map_err(|e| e.to_string())?;
    for seed in 0..2 {
        let inputs = sample.tensors(seed);
        let expected = eval(&sample.program, &inputs).map_err(|e| e.to_string())?;
        let found = interpret(&module, &inputs);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            same(found, expected, sample.ulps.max(REORDERED))
                .map_err(|e| format!("output {i}: {e}\n{}\n{module}", sample.program))?;
        }
    }
    Ok(())
}

#[test]
fn fused_kernels_compute_what_the_program_means() {
    let options = Options::default();
    check_all(samples::all().into_iter().filter(Sample::evaluates), name, |sample| check(&options, sample));
}

#[test]
fn kernels_of_single_ops_compute_what_the_program_means() {
    let options = Options { fuse: false, ..Options::default() };
    check_all(samples::all().into_iter().filter(Sample::evaluates), name, |sample| check(&options, sample));
}

#[test]
fn donated_inputs_are_used_and_results_stay() {
    check_all(samples::all().into_iter().filter(Sample::evaluates), name, |sample| {
        check(&Options { donate: vec![true; sample.inputs.len()], ..Options::default() }, sample)
    });
}

/// Rounding differences that a chain of some sixty ops may add up to, in units of the last place.
const CHAINED: f64 = 512.0;

#[test]
fn random_programs_compute_what_they_mean() {
    check_all(
        0..600u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let style = if seed % 2 == 0 { Style::Mixed } else { Style::Smooth };
            let (program, inputs) = random_program(seed, style);
            let expected = eval(&program, &inputs).map_err(|e| e.to_string())?;
            for fuse in [true, false] {
                let options = Options { fuse, donate: vec![seed % 3 == 0; inputs.len()] };
                let module = plan(&program, &options).map_err(|e| e.to_string())?;
                let found = interpret(&module, &inputs);
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    same(found, expected, CHAINED).map_err(|e| format!("output {i}: {e}\n{program}\n{module}"))?;
                }
            }
            Ok(())
        },
    );
}

#[test]
fn derivatives_and_batched_forms_lower() {
    let differentiable = |sample: &Sample| sample.evaluates() && sample.derivatives == Derivatives::Both;
    check_all(samples::all().into_iter().filter(differentiable), name, |sample| {
        let point = Point::of(sample, 3);
        let reverse = point.reverse(&mut Random::new(5))?;
        let forward = if sample.order >= 2 { Some(reverse.forward(&mut Random::new(7))?) } else { None };
        for point in std::iter::once(reverse).chain(forward) {
            let module = plan(&point.program, &Options::default()).map_err(|e| e.to_string())?;
            let expected = eval(&point.program, &point.inputs).map_err(|e| e.to_string())?;
            let found = interpret(&module, &point.inputs);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                same(found, expected, CHAINED).map_err(|e| format!("output {i}: {e}\n{}\n{module}", point.program))?;
            }
        }
        Ok(())
    });
}
