//! Where programs run.
//!
//! [`Device::Interp`] is the reference interpreter, which defines what every op means and takes its time.
//!
//! ```
//! use rjax::prelude::*;
//! use rjax::device;
//! let y = device::with(Device::Interp, || jnp::arange(4) * 2);
//! assert_eq!(y.to_vec::<i32>(), [0, 2, 4, 6]);
//! ```

use std::cell::Cell;

use rjax_ir::{Aval, Builder, Op, Program, Result, Tensor};

/// A device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Device {
    /// The reference interpreter.
    #[default]
    Interp,
}

thread_local! {
    static CURRENT: Cell<Option<Device>> = const { Cell::new(None) };
}

/// The device on which this thread runs programs.
pub fn current() -> Device {
    CURRENT.get().unwrap_or_default()
}

/// Runs `f` with another device for this thread.
pub fn with<R>(device: Device, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Device>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _restore = Restore(CURRENT.replace(Some(device)));
    f()
}

/// A program made ready to run on a device.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    program: Program,
    device: Device,
}

impl Executable {
    pub fn compile(program: &Program) -> Result<Executable> {
        Ok(Executable { program: program.clone(), device: current() })
    }

    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        match self.device {
            Device::Interp => rjax_ir::Interpreter::new(&mut |text| println!("{text}")).eval(&self.program, inputs),
        }
    }
}

/// Runs a program once.
pub(crate) fn run(program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    Executable::compile(program)?.run(inputs)
}

/// Runs one op.
pub(crate) fn run_op(op: &Op, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    Executable::compile(&one_op(op, inputs.iter().map(Tensor::aval))?)?.run(inputs)
}

/// The program that applies an op to its inputs.
fn one_op(op: &Op, inputs: impl Iterator<Item = Aval>) -> Result<Program> {
    let mut b = Builder::new();
    let inputs: Vec<_> = inputs.map(|aval| b.input(aval)).collect();
    let outputs = b.try_emit(op.clone(), &inputs)?;
    Ok(b.finish(outputs))
}
