//! Calls: the callee is differentiated, split and transposed as it stands, and called under its name.

use std::sync::Arc;

use rjax_ir::{Atom, Builder, Op, Program, Result};

use crate::jvp::{Dual, Forward, Tangent};
use crate::partial_eval::{Effects, Splitter, Value, merge, partial_eval as split_program};
use crate::transpose::{Operand, transpose_program};

pub(crate) fn jvp(f: &mut Forward, op: &Op, program: &Arc<Program>, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let active: Vec<bool> = t.iter().map(Option::is_some).collect();
    let (derivative, out_active) = f.inner(program, &active, &vec![false; program.outvars.len()])?;
    let operands: Vec<Atom> = x.iter().copied().chain(t.iter().copied().flatten()).collect();
    let y = f.b.emit(op.map_subprograms(|_| derivative.clone()), &operands);
    Ok(split_tangents(y, &out_active))
}

/// Outputs followed by the tangents of those that are active, as pairs.
pub(crate) fn split_tangents(mut y: Vec<Atom>, active: &[bool]) -> Dual {
    let mut tangents = y.split_off(active.len()).into_iter();
    let tangents = active.iter().map(|&active| if active { tangents.next() } else { None }).collect();
    (y, tangents)
}

/// Calls a program under a name, unless there is nothing to run.
pub(crate) fn call_or_inline(b: &mut Builder, name: &str, program: Program, inputs: &[Atom]) -> Vec<Atom> {
    if program.eqns.is_empty() { b.inline(&program, inputs) } else { b.call(name, Arc::new(program), inputs) }
}

pub(crate) fn partial_eval(s: &mut Splitter, name: &str, program: &Program, inputs: &[Value]) -> Result<Vec<Value>> {
    let unknown: Vec<bool> = inputs.iter().map(|x| x.is_unknown()).collect();
    let split = split_program(program, &unknown, &vec![false; program.outvars.len()], Effects::Known)?;
    let known: Vec<Atom> = inputs.iter().filter_map(|x| x.known()).collect();
    let y = call_or_inline(&mut s.known, name, split.known.clone(), &known);
    let residuals = split.residual_values(|i| inputs[i].known().expect("residual inputs are known"), &y);
    let mut operands = s.save_all(&residuals);
    operands.extend(inputs.iter().filter_map(|x| x.unknown()));
    let z = call_or_inline(&mut s.unknown, name, split.unknown, &operands);
    Ok(merge(&split.out_unknown, &y, &z))
}

/// The cotangents of a call's linear operands, from the transposed callee.
pub(crate) fn transpose(
    b: &mut Builder,
    program: &Program,
    operands: &[Operand],
    cts: &[Tangent],
    emit: impl FnOnce(&mut Builder, Program, &[Atom]) -> Vec<Atom>,
) -> Result<Vec<Tangent>> {
    let linear: Vec<bool> = operands.iter().map(Operand::is_linear).collect();
    let ct_active: Vec<bool> = cts.iter().map(Option::is_some).collect();
    let (transposed, mask) = transpose_program(program, &linear, &ct_active, &vec![false; linear.len()])?;
    let inputs: Vec<Atom> = operands.iter().filter_map(Operand::known).chain(cts.iter().copied().flatten()).collect();
    let mut results = emit(b, transposed, &inputs).into_iter();
    Ok(mask.iter().map(|&active| if active { results.next() } else { None }).collect())
}
