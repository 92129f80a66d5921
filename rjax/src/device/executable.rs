//! A program made ready to run.

use std::sync::{Arc, OnceLock};

use rjax_codegen_cpu::{Input, ResultPlace};
use rjax_codegen_tpu::Options as ExportOptions;
use rjax_ir::{Aval, Interpreter, Program, Result};
use rjax_rewrite::{Options, Report, Tier};
use rjax_runtime::pjrt::{self, PjrtDevice};
use rjax_runtime::{Buffer, profile, timed};
use rjax_stablehlo::bytecode::{self, Version};
use smallvec::SmallVec;

use super::{Device, Value};

/// Operands or results of a program.
pub(crate) type Values = SmallVec<[Value; 8]>;

/// The form of a program that is the cheapest by the planner's estimate, and what was done to it.
pub(crate) fn simplified(program: &Program, tier: Tier) -> Result<(Program, Report)> {
    // What only exists between devices has no plan here, and one price.
    let price = |form: &Program| {
        rjax_kernel::plan(form, &rjax_kernel::Options::default()).map_or(u64::MAX, |module| module.nanoseconds())
    };
    rjax_rewrite::simplify_priced(program, &Options { tier, ..Options::default() }, price)
}

#[derive(Debug)]
pub(crate) enum Executable {
    Cpu(Box<Generated>),
    Interp(Program),
    Pjrt(Plugged),
}

/// Machine code of this processor.
#[derive(Debug)]
pub(crate) struct Generated {
    executable: rjax_codegen_cpu::Executable,
    /// What it was generated from, in case that somebody wants a profile.
    program: Program,
    options: rjax_kernel::Options,
    /// The same with calls that are noted step by step.
    observed: OnceLock<rjax_codegen_cpu::Executable>,
}

/// A program compiled by a plugin.
#[derive(Debug)]
pub(crate) struct Plugged {
    executable: pjrt::Executable,
    device: PjrtDevice,
    donated: Vec<bool>,
}

impl Executable {
    /// Simplifies, as far as the tier goes, and compiles a program for a device. Results may be left in the memory of donated
    /// inputs.
    pub fn compile(program: &Program, donated: &[bool], device: Device, tier: Option<Tier>) -> Result<Executable> {
        let simplified = || match tier {
            Some(tier) => {
                timed("simplify", || rjax_rewrite::simplify(program, &Options { tier, ..Options::default() }))
            }
            None => Ok(program.clone()),
        };
        match device {
            Device::Cpu => Executable::generate(&simplified()?, donated),
            Device::Interpreter => Ok(Executable::Interp(program.clone())),
            Device::Pjrt(device) => Executable::plug(&simplified()?, donated, device),
        }
    }

    /// Machine code for a program as it stands.
    pub fn generate(program: &Program, donated: &[bool]) -> Result<Executable> {
        let options = rjax_kernel::Options { donate: donated.to_vec(), ..rjax_kernel::Options::default() };
        let module = timed("plan", || rjax_kernel::plan(program, &options))?;
        let executable = rjax_codegen_cpu::compile(&module, &rjax_codegen_cpu::Options::default())?;
        let (program, observed) = (program.clone(), OnceLock::new());
        Ok(Executable::Cpu(Box::new(Generated { executable, program, options, observed })))
    }

    /// A plugin's executable for a program as it stands.
    fn plug(program: &Program, donated: &[bool], device: PjrtDevice) -> Result<Executable> {
        let donate = (0..donated.len()).filter(|&i| donated[i]).collect();
        let module = rjax_codegen_tpu::export(program, &ExportOptions { donate, ..Default::default() })?;
        let client = device.client();
        let newest = client.plugin().stablehlo_version().map_or(Version::DEFAULT, |(a, b, c)| Version(a, b, c));
        let code = bytecode::write(&module, newest.clamp(Version::OLDEST, Version::NEWEST))?;
        let executable = timed("plugin", || client.compile(&code, 1))?;
        Ok(Executable::Pjrt(Plugged { executable, device, donated: donated.to_vec() }))
    }

    /// Runs the program. Inputs that nobody else holds may be written over, where the program does that.
    pub fn run(&self, inputs: Values) -> Result<Values> {
        match self {
            Executable::Cpu(generated) => run_on_cpu(generated.current()?, inputs),
            Executable::Interp(program) => {
                let inputs = inputs.iter().map(Value::to_tensor).collect::<Result<Vec<_>>>()?;
                let outputs = Interpreter::new(&mut |text| println!("{text}")).eval(program, &inputs)?;
                Ok(outputs.iter().map(|tensor| Value::host(Buffer::from_tensor(tensor))).collect())
            }
            Executable::Pjrt(plugged) => plugged.run(inputs),
        }
    }
}

impl Generated {
    /// The code for a call now: the one whose calls are noted while somebody records. It is generated when it is wanted first.
    fn current(&self) -> Result<&rjax_codegen_cpu::Executable> {
        if !profile::recording() {
            return Ok(&self.executable);
        }
        if let Some(observed) = self.observed.get() {
            return Ok(observed);
        }
        let module = rjax_kernel::plan(&self.program, &self.options)?;
        let origins = rjax_kernel::origins(&self.program, &self.options)?;
        let observed = rjax_codegen_cpu::compile_observed(&module, &origins, &rjax_codegen_cpu::Options::default())?;
        Ok(self.observed.get_or_init(|| observed))
    }
}

impl Plugged {
    /// Starts the program and returns its results, which may still be under way.
    fn run(&self, inputs: Values) -> Result<Values> {
        let inputs = inputs.into_iter().map(|value| value.into_pjrt(self.device)).collect::<Result<Vec<_>>>()?;
        // Memory that somebody else holds too is not to be written over.
        let is_kept = |i: &usize| self.donated.get(*i) == Some(&true) && Arc::strong_count(&inputs[*i]) > 1;
        let kept: Vec<i64> = (0..inputs.len()).filter(is_kept).map(|i| i as i64).collect();
        let given: Vec<_> = inputs.iter().map(|buffer| &**buffer).collect();
        let outputs = self.executable.execute_keeping(&given, &kept)?;
        Ok(outputs.into_iter().map(|buffer| Value::Pjrt(Arc::new(buffer), self.device)).collect())
    }
}

/// An input as the call needs it.
enum Operand {
    Shared(Arc<Buffer>),
    Own(Buffer),
}

fn run_on_cpu(executable: &rjax_codegen_cpu::Executable, inputs: Values) -> Result<Values> {
    let inputs = inputs.into_iter().map(Value::into_host).collect::<Result<SmallVec<[_; 8]>>>()?;
    let own = |value: Arc<Buffer>| Arc::try_unwrap(value).unwrap_or_else(|shared| (*shared).clone());
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
        Value::host(buffer)
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
