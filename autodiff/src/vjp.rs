//! Reverse mode: linearize, then transpose.
//!
//! ```
//! use rjax_autodiff::grad;
//! use rjax_ir::{Aval, Builder, DType, Unary};
//! let mut b = Builder::new();
//! let x = b.input(Aval::scalar(DType::F32));
//! let y = b.unary(Unary::Tanh, x);
//! let gradient = grad(&b.finish(vec![y]), None).unwrap();
//! assert_eq!(gradient.out_avals(), [Aval::scalar(DType::F32)]);
//! ```

use rjax_ir::{Atom, Aval, Builder, Program, Result, Scalar, bail, ensure};

use crate::linearize::{Linearized, linearize};
use crate::ops::while_loop::marked;
use crate::prune::{keep_inputs, prune, prune_to};
use crate::transpose::transpose;

/// A program and the program that pulls cotangents back through it.
#[derive(Clone, Debug)]
pub struct Vjp {
    /// `(inputs…) -> (outputs…, residuals…)`. A residual that is an input or output is that variable again.
    pub forward: Program,
    /// `(residuals…, cotangents of active outputs…) -> cotangents of active inputs…`.
    pub backward: Program,
    /// How many residuals there are.
    pub num_residuals: usize,
    /// Which outputs depend differentiably on an active input, and so have a cotangent.
    pub out_active: Vec<bool>,
}

/// Reverse-mode derivative with respect to the active inputs, which must be inexact.
pub fn vjp(program: &Program, active: &[bool]) -> Result<Vjp> {
    pull_back(linearize(program, active)?)
}

/// Transposes the linear part. Residuals that the way back does not use are dropped.
fn pull_back(linearized: Linearized) -> Result<Vjp> {
    let Linearized { mut primal, linear, num_residuals, out_active } = linearized;
    let backward = transpose(&linear, num_residuals)?;
    let (backward, used) = prune_to(&backward, &vec![true; backward.outvars.len()]);
    let keep: Vec<bool> = used.iter().enumerate().map(|(i, &used)| used || i >= num_residuals).collect();
    let residuals = primal.outvars.split_off(primal.outvars.len() - num_residuals);
    let residuals = marked(&residuals, &keep[..num_residuals]);
    let num_residuals = residuals.len();
    primal.outvars.extend(residuals);
    Ok(Vjp { forward: prune(&primal), backward: keep_inputs(backward, &keep), num_residuals, out_active })
}

/// Reverse-mode derivative as one program: takes all inputs, then one cotangent for each inexact output; returns all
/// outputs, then one cotangent for each inexact input.
pub fn vjp_program(program: &Program) -> Result<Program> {
    let active: Vec<bool> = program.in_avals().iter().map(|a| a.dtype.is_inexact()).collect();
    let vjp = vjp(program, &active)?;
    let mut b = Builder::new();
    let inputs: Vec<Atom> = program.in_avals().into_iter().map(|aval| b.input(aval)).collect();
    let mut cotangents = Vec::new();
    for (aval, active) in program.out_avals().into_iter().zip(&vjp.out_active) {
        if aval.dtype.is_inexact() {
            let ct = b.input(aval);
            cotangents.extend(active.then_some(ct));
        }
    }
    let mut outputs = b.inline(&vjp.forward, &inputs);
    let residuals = outputs.split_off(program.outvars.len());
    outputs.extend(b.inline(&vjp.backward, &[residuals, cotangents].concat()));
    Ok(prune(&b.finish(outputs)))
}

/// The gradient of the first output, a real scalar: takes the inputs, returns one gradient for each input in `argnums`
/// (all inexact inputs if `None`).
pub fn grad(program: &Program, argnums: Option<&[usize]>) -> Result<Program> {
    let with_values = with_gradients("grad", program, argnums)?;
    let values = program.outvars.len();
    let keep: Vec<bool> = (0..with_values.outvars.len()).map(|i| i >= values).collect();
    Ok(prune_to(&with_values, &keep).0)
}

/// All outputs, then the gradients of the first as in [`grad`].
pub fn value_and_grad(program: &Program, argnums: Option<&[usize]>) -> Result<Program> {
    with_gradients("value_and_grad", program, argnums)
}

fn with_gradients(transform: &str, program: &Program, argnums: Option<&[usize]>) -> Result<Program> {
    let avals = program.in_avals();
    check_scalar_output(transform, program)?;
    let argnums = match argnums {
        Some(argnums) => argnums.to_vec(),
        None => (0..avals.len()).filter(|&i| avals[i].dtype.is_inexact()).collect(),
    };
    let mut active = vec![false; avals.len()];
    for &i in &argnums {
        check_input(transform, &avals, i)?;
        active[i] = true;
    }
    // Only the first output has a cotangent, so the others are passed through as values.
    let vjp = vjp_of_first(program, &active)?;
    let mut b = Builder::new();
    let inputs: Vec<Atom> = avals.iter().map(|aval| b.input(aval.clone())).collect();
    let mut outputs = b.inline(&vjp.forward, &inputs);
    let residuals = outputs.split_off(program.outvars.len());
    let one = Scalar::one(program.aval(program.outvars[0]).dtype);
    let seed: &[Atom] = if vjp.out_active[0] { &[one.into()] } else { &[] };
    let gradients = b.inline(&vjp.backward, &[&residuals, seed].concat());
    let position = |i: usize| active[..i].iter().filter(|a| **a).count();
    outputs.extend(argnums.iter().map(|&i| gradients[position(i)]));
    Ok(prune(&b.finish(outputs)))
}

/// The derivative of the first output alone, with the values of all.
fn vjp_of_first(program: &Program, active: &[bool]) -> Result<Vjp> {
    let mut linearized = linearize(program, active)?;
    let tangents = linearized.out_active.iter().filter(|a| **a).count();
    let first = linearized.out_active[0] as usize;
    let keep: Vec<bool> = (0..tangents).map(|i| i < first).collect();
    linearized.linear = prune_to(&linearized.linear, &keep).0;
    linearized.out_active[1..].fill(false);
    pull_back(linearized)
}

fn check_scalar_output(transform: &str, program: &Program) -> Result<()> {
    let Some(&first) = program.outvars.first() else {
        bail!(Structure, "{transform}: the program has no outputs");
    };
    let aval = program.aval(first);
    ensure!(
        aval.dtype.is_inexact() && aval.rank() == 0,
        NotDifferentiable,
        "{transform}: the first output must be an inexact scalar, found {aval}"
    );
    ensure!(
        aval.dtype.is_float(),
        NotDifferentiable,
        "{transform}: the first output must be real, found {aval}; take its real part, or use vjp"
    );
    Ok(())
}

fn check_input(transform: &str, avals: &[Aval], i: usize) -> Result<()> {
    let Some(aval) = avals.get(i) else {
        bail!(Structure, "{transform}: there is no input {i}, the program has {}", avals.len());
    };
    ensure!(
        aval.dtype.is_inexact(),
        DType,
        "{transform}: differentiated inputs must be inexact, but input {i} is {aval}"
    );
    Ok(())
}
