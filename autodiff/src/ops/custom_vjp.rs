//! Functions with a backward rule of their own: the forward pass runs, and the tangents go through a linear map of which
//! only the transpose is known.

use rjax_ir::{Atom, Aval, CustomLinear, CustomVjp, Op, Result};

use super::call::split_tangents;
use super::custom_jvp::explicit_tangents;
use crate::jvp::{Dual, Forward, Tangent};

pub(crate) fn jvp(f: &mut Forward, op: &CustomVjp, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let tangents = explicit_tangents(f, "custom_vjp_call", op.num_consts, x, t)?;
    let mut y = f.b.inline(&op.fwd, x);
    let avals = op.call.out_avals();
    let residuals = [&x[..op.num_consts], &y.split_off(avals.len())].concat();
    let outputs: Vec<Aval> = avals.iter().filter(|a| a.dtype.is_inexact()).cloned().collect();
    let linear = CustomLinear { bwd: op.bwd.clone(), num_residuals: residuals.len(), outputs };
    y.extend(f.b.emit(Op::CustomLinear(linear), &[residuals, tangents].concat()));
    let active: Vec<bool> = avals.iter().map(|a| a.dtype.is_inexact()).collect();
    Ok(split_tangents(y, &active))
}
