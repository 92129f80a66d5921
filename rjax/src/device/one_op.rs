//! Eager mode: ops on values are programs of one equation, compiled once for each kind of operands in the whole process.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rjax_ir::{Aval, Builder, Op, Program, Result};
use rjax_rewrite::Tier;

use super::{Device, Executable, Value};

/// One compiled op.
struct Entry {
    op: Op,
    operands: Vec<Aval>,
    device: Device,
    executable: Arc<Executable>,
}

/// By a hash of op, operands and device, so that looking one up copies nothing.
static COMPILED: LazyLock<Mutex<HashMap<u64, Vec<Entry>>>> = LazyLock::new(Mutex::default);

/// The op compiled for operands of these types.
pub(super) fn compiled(op: &Op, inputs: &[Value], device: Device) -> Result<Arc<Executable>> {
    let mut hasher = DefaultHasher::new();
    (op, device).hash(&mut hasher);
    inputs.iter().for_each(|value| value.aval().hash(&mut hasher));
    let hash = hasher.finish();
    let is_it = |entry: &&Entry| {
        entry.device == device && entry.operands.iter().eq(inputs.iter().map(|value| value.aval())) && entry.op == *op
    };
    if let Some(found) = lock().get(&hash).and_then(|entries| entries.iter().find(is_it)) {
        return Ok(found.executable.clone());
    }
    // Compiled without the lock; where two threads meet, both results are good.
    let operands: Vec<Aval> = inputs.iter().map(|value| value.aval().clone()).collect();
    let program = one_op(op, &operands)?;
    let executable = Arc::new(match device {
        // A single op has nothing to simplify, a program inside one has.
        Device::Cpu if op.subprograms().is_empty() => Executable::generate(&program, &[])?,
        Device::Cpu | Device::Interpreter | Device::Pjrt(_) => {
            Executable::compile(&program, &[], device, Some(Tier::default()))?
        }
    });
    let entry = Entry { op: op.clone(), operands, device, executable: executable.clone() };
    lock().entry(hash).or_default().push(entry);
    Ok(executable)
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<u64, Vec<Entry>>> {
    COMPILED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program that applies an op to its inputs.
fn one_op(op: &Op, operands: &[Aval]) -> Result<Program> {
    let mut b = Builder::new();
    let inputs: Vec<_> = operands.iter().map(|aval| b.input(aval.clone())).collect();
    let outputs = b.try_emit(op.clone(), &inputs)?;
    Ok(b.finish(outputs))
}
