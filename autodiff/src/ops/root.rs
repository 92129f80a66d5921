//! Roots of functions: by the implicit function theorem, whatever the method.

use rjax_ir::{Atom, Op, Result, Root};

use crate::jvp::{Dual, Forward, Tangent, instantiate};
use crate::ops::call::split_tangents;

/// From f(θ, x) = 0 follows ∂f/∂x ẋ = -∂f/∂θ θ̇.
pub(crate) fn jvp(f: &mut Forward, op: &Root, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let root = f.b.emit(Op::Root(op.clone()), x);
    let (consts, moved) = (&x[..op.num_consts], &t[..op.num_consts]);
    let still = vec![false; root.len()];
    let active: Vec<bool> = moved.iter().map(Option::is_some).chain(still.iter().copied()).collect();
    if !active.contains(&true) {
        let tangents = vec![None; root.len()];
        return Ok((root, tangents));
    }
    let (derivative, out_active) = f.inner(&op.f, &active, &still)?;
    let operands: Vec<Atom> =
        consts.iter().copied().chain(root.iter().copied()).chain(moved.iter().copied().flatten()).collect();
    let values = f.b.inline(&derivative, &operands);
    let (_, moved) = split_tangents(values, &out_active);
    if moved.iter().all(Option::is_none) {
        return Ok((root, moved));
    }
    let mut operands = [consts, &root].concat();
    for (tangent, &x) in moved.into_iter().zip(&root) {
        let aval = f.b.aval(x);
        operands.push(instantiate(&mut f.b, tangent, &aval));
    }
    let solved = f.b.inline(&op.tangent_solve, &operands);
    let tangents = solved.into_iter().map(|x| Some(f.b.neg(x))).collect();
    Ok((root, tangents))
}
