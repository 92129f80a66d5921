//! A program made ready to run.

use std::sync::Arc;

use rjax_codegen_cpu::{Input, ResultPlace};
use rjax_ir::{Aval, Interpreter, Program, Result};
use rjax_runtime::{Buffer, timed};
use smallvec::SmallVec;

use super::{Device, Value, current};

/// Operands or results of a program.
pub(crate) type Values = SmallVec<[Value; 8]>;

#[derive(Debug)]
pub(crate) enum Executable {
    Cpu(rjax_codegen_cpu::Executable),
    Interp(Program),
}

impl Executable {
    /// Simplifies and compiles a program for the current device. Results may be left in the memory of donated inputs.
    pub fn compile(program: &Program, donated: &[bool]) -> Result<Executable> {
        match current() {
            Device::Cpu => {
                let simplify = || rjax_rewrite::simplify(program, &rjax_rewrite::Options::default());
                let simpler = timed("simplify", simplify)?;
                Executable::generate(&simpler, donated)
            }
            Device::Interpreter => Ok(Executable::Interp(program.clone())),
        }
    }

    /// Machine code for a program as it stands.
    pub fn generate(program: &Program, donated: &[bool]) -> Result<Executable> {
        let options = rjax_kernel::Options { donate: donated.to_vec(), ..rjax_kernel::Options::default() };
        let module = timed("plan", || rjax_kernel::plan(program, &options))?;
        Ok(Executable::Cpu(rjax_codegen_cpu::compile(&module, &rjax_codegen_cpu::Options::default())?))
    }

    /// Runs the program. Inputs that nobody else holds may be written over, where the program does that.
    pub fn run(&self, inputs: Values) -> Result<Values> {
        match self {
            Executable::Cpu(executable) => run_on_cpu(executable, inputs),
            Executable::Interp(program) => {
                let inputs: Vec<_> = inputs.iter().map(|value| value.to_tensor()).collect();
                let outputs = Interpreter::new(&mut |text| println!("{text}")).eval(program, &inputs)?;
                Ok(outputs.iter().map(|tensor| Arc::new(Buffer::from_tensor(tensor))).collect())
            }
        }
    }
}

/// An input as the call needs it.
enum Operand {
    Shared(Value),
    Own(Buffer),
}

fn run_on_cpu(executable: &rjax_codegen_cpu::Executable, inputs: Values) -> Result<Values> {
    let own = |value: Value| Arc::try_unwrap(value).unwrap_or_else(|shared| (*shared).clone());
    let mut operands: SmallVec<[Operand; 8]> = inputs
        .into_iter()
        .enumerate()
        .map(|(i, value)| if executable.writes_input(i) { Operand::Own(own(value)) } else { Operand::Shared(value) })
        .collect();
    let mut results: SmallVec<[Option<Buffer>; 8]> = executable
        .outputs()
        .iter()
        .zip(executable.results())
        .map(|(aval, place)| (*place == ResultPlace::Output).then(|| Buffer::new(aval.clone())))
        .collect();
    let mut arguments: SmallVec<[Input<'_>; 8]> = operands
        .iter_mut()
        .map(|operand| match operand {
            Operand::Shared(value) => Input::Shared(value.as_bytes()),
            Operand::Own(buffer) => Input::Donated(buffer.as_bytes_mut()),
        })
        .collect();
    let mut places: SmallVec<[&mut [u8]; 8]> =
        results.iter_mut().map(|result| result.as_mut().map_or(Default::default(), Buffer::as_bytes_mut)).collect();
    executable.run(&mut arguments, &mut places)?;
    drop((arguments, places));
    let mut operands: SmallVec<[Option<Operand>; 8]> = operands.into_iter().map(Some).collect();
    let outputs = executable.outputs().iter().zip(executable.results()).zip(results).map(|((aval, place), result)| {
        let buffer = match (place, result) {
            (_, Some(buffer)) => buffer,
            (ResultPlace::Input(i), None) => match operands[*i].take() {
                Some(Operand::Own(buffer)) => retyped(buffer, aval),
                Some(Operand::Shared(_)) | None => unreachable!("a result is left in one donated input of its own"),
            },
            (ResultPlace::Output, None) => unreachable!("every output has a buffer"),
        };
        Arc::new(buffer)
    });
    Ok(outputs.collect())
}

/// The memory of a donated input as a result.
fn retyped(buffer: Buffer, aval: &Aval) -> Buffer {
    if buffer.aval().dtype == aval.dtype && buffer.aval().size() == aval.size() {
        return buffer.reshape(aval.shape.clone());
    }
    let mut result = Buffer::new(aval.clone());
    result.as_bytes_mut().copy_from_slice(&buffer.as_bytes()[..aval.bytes()]);
    result
}
