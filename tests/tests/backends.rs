//! What batching writes means the same on every backend.

use rjax_autodiff::{BatchAxis, vmap};
use rjax_codegen_cpu::compile;
use rjax_ir::{Program, Tensor, eval};
use rjax_kernel::{Options, interpret, plan};
use rjax_tests::compare::same;
use rjax_tests::random::Random;
use rjax_tests::report::{Outcome, check_all};
use rjax_tests::samples::{self, Sample};

/// How far a sum in another order may be off in a chain of ops, in units of the last place of the greatest element.
const REORDERED: f64 = 256.0;

fn check(program: &Program, inputs: &[Tensor]) -> Outcome {
    let expected = eval(program, inputs).map_err(|e| e.to_string())?;
    let module = plan(program, &Options::default()).map_err(|e| format!("{e}\n{program}"))?;
    let executable = compile(&module, &Default::default()).map_err(|e| format!("{e}\n{program}\n{module}"))?;
    let native = executable.call(inputs).map_err(|e| e.to_string())?;
    for (backend, outputs) in [("KIR", interpret(&module, inputs)), ("native code", native)] {
        for (i, (found, expected)) in outputs.iter().zip(&expected).enumerate() {
            same(found, expected, REORDERED).map_err(|e| format!("{backend}, output {i}: {e}\n{program}\n{module}"))?;
        }
    }
    Ok(())
}

#[test]
fn batched_programs() {
    check_all(
        samples::all().into_iter().filter(Sample::evaluates),
        |s| s.name.clone(),
        |sample| {
            let mut random = Random::new(12);
            let in_axes: Vec<_> = (sample.inputs.iter())
                .map(|input| (random.below(4) > 0).then(|| random.below(input.aval.rank() + 1)))
                .collect();
            let out_axes: Vec<_> = sample.program.outvars.iter().map(|_| Some(0)).collect();
            let batched = vmap(&sample.program, &BatchAxis::new(2), &in_axes, &out_axes).map_err(|e| e.to_string())?;
            let inputs: Vec<Tensor> = (batched.in_avals().iter().zip(&sample.inputs))
                .map(|(aval, input)| input.values.tensor(aval, &mut random))
                .collect();
            check(&batched, &inputs)
        },
    );
}
