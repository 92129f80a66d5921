//! Properties of every transformation over the whole table of samples: one test a property.

use rjax_ir::{Program, Tensor, eval};
use rjax_tests::report::check_all;
use rjax_tests::samples::{self, Sample};

fn text<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

fn name(sample: &Sample) -> String {
    sample.name.clone()
}

#[test]
fn results_have_the_inferred_types() {
    check_all(samples::all().into_iter().filter(Sample::evaluates), name, |sample| {
        let outputs = eval(&sample.program, &sample.tensors(0)).map_err(text)?;
        let found: Vec<_> = outputs.iter().map(Tensor::aval).collect();
        if found == sample.program.out_avals() { Ok(()) } else { Err(format!("found {found:?}")) }
    });
}

#[test]
fn text_form_reads_back_as_the_same_program() {
    check_all(samples::all(), name, |sample| {
        let printed = sample.program.to_string();
        let parsed = Program::parse(&printed, "sample").map_err(|e| format!("{printed}\n{e}"))?;
        if parsed == sample.program { Ok(()) } else { Err(format!("{printed}\nreads back as\n{parsed}")) }
    });
}
