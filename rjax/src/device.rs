//! Where programs run.
//!
//! [`Device::Cpu`] compiles programs to machine code. [`Device::Interpreter`] is the reference interpreter, which defines what every op
//! means and takes its time. [`Device::pjrt`] and [`Device::tpu`] are devices of PJRT plugins: arrays stay on them, and
//! computations with such an array run there.
//!
//! ```
//! use rjax::prelude::*;
//! use rjax::device;
//! let y = device::with(Device::Interpreter, || jnp::arange(4) * 2);
//! assert_eq!(y.to_vec::<i32>(), [0, 2, 4, 6]);
//! ```

mod executable;
mod one_op;
mod value;

use std::cell::Cell;

use rjax_ir::{Atom, Op, Program, Result, Scalar};
use rjax_runtime::Buffer;
pub use rjax_runtime::{Device, devices};

pub(crate) use executable::{Executable, Values, simplified};
pub use rjax_runtime::pjrt::{AheadOptions, Report};
pub(crate) use value::Value;

thread_local! {
    static CURRENT: Cell<Option<Device>> = const { Cell::new(None) };
}

/// The device on which this thread runs programs.
pub fn current() -> Device {
    CURRENT.get().unwrap_or_default()
}

/// The device that the program chose; without a choice, computations go where their operands are.
pub(crate) fn chosen() -> Option<Device> {
    CURRENT.get()
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

/// A rank-0 value.
pub(crate) fn scalar(value: Scalar) -> Value {
    Value::host(Buffer::from_tensor(&value.to_tensor()))
}

/// Where a computation on these operands runs.
fn device_of(operands: &[Value]) -> Device {
    let placed = || operands.iter().map(Value::device).find(|device| matches!(device, Device::Pjrt(_)));
    chosen().or_else(placed).unwrap_or_default()
}

/// Runs one op, compiled once for each kind of operands.
pub(crate) fn run_op(op: &Op, inputs: &[Value]) -> Result<Values> {
    one_op::compiled(op, inputs, device_of(inputs))?.run(inputs.iter().cloned().collect())
}

/// Runs a program once. On the CPU this goes equation by equation: the ops are compiled already, or will be met again, while the
/// program as a whole may never come back. `jit` compiles whole programs.
pub(crate) fn run(program: &Program, inputs: &[Value]) -> Result<Vec<Value>> {
    match device_of(inputs) {
        Device::Interpreter => {
            let executable = Executable::compile(program, &[], Device::Interpreter, None)?;
            Ok(executable.run(inputs.iter().cloned().collect())?.into_vec())
        }
        Device::Cpu | Device::Pjrt(_) => run_by_equation(program, inputs),
    }
}

fn run_by_equation(program: &Program, inputs: &[Value]) -> Result<Vec<Value>> {
    let mut last_use = vec![usize::MAX; program.avals.len()];
    for (i, eqn) in program.eqns.iter().enumerate() {
        for var in eqn.inputs.iter().filter_map(|x| x.var()) {
            last_use[var.index()] = i;
        }
    }
    for var in program.outvars.iter().filter_map(|x| x.var()) {
        last_use[var.index()] = usize::MAX;
    }
    let mut values: Vec<Option<Value>> = vec![None; program.avals.len()];
    for (var, value) in program.invars.iter().zip(inputs) {
        values[var.index()] = Some(value.clone());
    }
    for (var, tensor) in &program.consts {
        values[var.index()] = Some(Value::host(Buffer::from_tensor(tensor)));
    }
    let read = |values: &[Option<Value>], x: &Atom| match x {
        Atom::Var(var) => values[var.index()].clone().expect("defined before it is used, kept until its last use"),
        Atom::Lit(value) => scalar(*value),
    };
    for (i, eqn) in program.eqns.iter().enumerate() {
        let operands: Vec<Value> = eqn.inputs.iter().map(|x| read(&values, x)).collect();
        let outputs = run_op(&eqn.op, &operands).map_err(|e| e.at(&eqn.location))?;
        for (var, value) in eqn.outputs.iter().zip(outputs) {
            values[var.index()] = Some(value);
        }
        for var in eqn.inputs.iter().filter_map(|x| x.var()).filter(|var| last_use[var.index()] == i) {
            values[var.index()] = None;
        }
    }
    Ok(program.outvars.iter().map(|x| read(&values, x)).collect())
}
