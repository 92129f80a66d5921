//! The KIR interpreter on lowered programs gives what the reference interpreter gives, over the whole table of samples.

use rjax_ir::eval;
use rjax_kernel::{Options, interpret, plan};
use rjax_tests::compare::same;
use rjax_tests::report::check_all;
use rjax_tests::samples::{self, Sample};

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
