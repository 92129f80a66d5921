//! Functions with a forward rule of their own: the rule stands in for the function.

use rjax_ir::{Atom, CustomJvp, Result, ensure};

use crate::jvp::{Dual, Forward, Tangent, instantiate};

/// The tangents of the explicit inexact inputs, as arrays; captured values must not have one.
pub(crate) fn explicit_tangents(
    f: &mut Forward,
    name: &str,
    num_consts: usize,
    x: &[Atom],
    t: &[Tangent],
) -> Result<Vec<Atom>> {
    ensure!(
        t[..num_consts].iter().all(Option::is_none),
        NotDifferentiable,
        "{name}: differentiated with respect to a captured value; the rule covers explicit arguments only"
    );
    let mut tangents = Vec::new();
    for (&x, &t) in x[num_consts..].iter().zip(&t[num_consts..]) {
        let aval = f.b.aval(x);
        if aval.dtype.is_inexact() {
            tangents.push(instantiate(&mut f.b, t, &aval));
        }
    }
    Ok(tangents)
}

pub(crate) fn jvp(f: &mut Forward, op: &CustomJvp, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let tangents = explicit_tangents(f, "custom_jvp_call", op.num_consts, x, t)?;
    let y = f.b.inline(&op.jvp, &[x, &tangents].concat());
    let active: Vec<bool> = op.call.out_avals().iter().map(|a| a.dtype.is_inexact()).collect();
    Ok(super::call::split_tangents(y, &active))
}
