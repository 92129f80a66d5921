//! Solutions of linear equations: by the implicit function theorem, whatever the method.

use std::sync::Arc;

use rjax_ir::{Atom, ErrorKind, LinearSolve, Op, Result};

use super::call::split_tangents;
use crate::jvp::{Dual, Forward, Tangent, instantiate};
use crate::transpose::transpose_program;

/// From A x = b follows A ẋ = ḃ - Ȧ x.
pub(crate) fn jvp(f: &mut Forward, op: &LinearSolve, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let solution = f.b.emit(Op::LinearSolve(op.clone()), x);
    let (dconsts, db) = t.split_at(op.num_consts);
    let mut rhs = db.to_vec();
    if dconsts.iter().any(Option::is_some) {
        let still = vec![false; solution.len()];
        let active: Vec<bool> = dconsts.iter().map(Option::is_some).chain(still.iter().copied()).collect();
        let (derivative, out_active) = f.inner(&op.matvec, &active, &still)?;
        let moved = dconsts.iter().copied().flatten();
        let operands: Vec<Atom> =
            x[..op.num_consts].iter().copied().chain(solution.iter().copied()).chain(moved).collect();
        let products = f.b.inline(&derivative, &operands);
        let (_, moved) = split_tangents(products, &out_active);
        for (rhs, moved) in rhs.iter_mut().zip(moved) {
            *rhs = match (*rhs, moved) {
                (rhs, None) => rhs,
                (Some(rhs), Some(moved)) => Some(f.b.sub(rhs, moved)),
                (None, Some(moved)) => Some(f.b.neg(moved)),
            };
        }
    }
    if rhs.iter().all(Option::is_none) {
        return Ok((solution, rhs));
    }
    let mut operands = x[..op.num_consts].to_vec();
    for (rhs, &b) in rhs.into_iter().zip(&x[op.num_consts..]) {
        let aval = f.b.aval(b);
        operands.push(instantiate(&mut f.b, rhs, &aval));
    }
    let tangents = f.b.emit(Op::LinearSolve(op.clone()), &operands);
    Ok((solution, tangents.into_iter().map(Some).collect()))
}

/// The op that solves with the transpose.
pub(crate) fn transposed(op: &LinearSolve) -> Result<LinearSolve> {
    let Some(transpose_solve) = &op.transpose_solve else {
        return Err(rjax_ir::Error::new(
            ErrorKind::NotDifferentiable,
            "custom_linear_solve: reverse mode needs transpose_solve, which was not given",
        ));
    };
    let linear: Vec<bool> = (0..op.matvec.invars.len()).map(|i| i >= op.num_consts).collect();
    let (matvec, _) = transpose_program(&op.matvec, &linear, &vec![true; op.matvec.outvars.len()], &linear)?;
    Ok(LinearSolve {
        matvec: Arc::new(matvec),
        solve: transpose_solve.clone(),
        transpose_solve: Some(op.solve.clone()),
        num_consts: op.num_consts,
    })
}
