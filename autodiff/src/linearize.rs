//! Linearization: forward mode, split into what depends on the point and what depends on the tangents.
//!
//! ```
//! use rjax_autodiff::linearize;
//! use rjax_ir::{Aval, Builder, DType, Unary};
//! let mut b = Builder::new();
//! let x = b.input(Aval::scalar(DType::F32));
//! let y = b.unary(Unary::Sin, x);
//! let linearized = linearize(&b.finish(vec![y]), &[true]).unwrap();
//! // The primal part also computes cos x, which the linear part multiplies with.
//! assert_eq!((linearized.num_residuals, linearized.linear.eqns.len()), (1, 1));
//! ```

use rjax_ir::{Atom, Builder, Program, Result};

use crate::jvp::{Memo, check_active, differentiate, refuse_custom_linear};
use crate::partial_eval::{Effects, Residual, partial_eval};
use crate::prune::prune;

/// A program and its derivative at the point where it is evaluated.
#[derive(Clone, Debug)]
pub struct Linearized {
    /// `(inputs…) -> (outputs…, residuals…)`. A residual that is an input or output is that variable again.
    pub primal: Program,
    /// `(residuals…, tangents of active inputs…) -> tangents of active outputs…`.
    pub linear: Program,
    /// How many residuals there are.
    pub num_residuals: usize,
    /// Which outputs depend differentiably on an active input.
    pub out_active: Vec<bool>,
}

/// Splits the derivative with respect to the active inputs, which must be inexact.
pub fn linearize(program: &Program, active: &[bool]) -> Result<Linearized> {
    check_active("linearize", program, active)?;
    let num_outputs = program.outvars.len();
    let (pushed, out_active) = differentiate(program, active, &vec![false; num_outputs], &mut Memo::default())?;
    let unknown: Vec<bool> = (0..pushed.invars.len()).map(|i| i >= program.invars.len()).collect();
    let force: Vec<bool> = (0..pushed.outvars.len()).map(|i| i >= num_outputs).collect();
    let mut split = partial_eval(&pushed, &unknown, &force, Effects::Known)?;
    if split.out_unknown[..num_outputs].contains(&true) {
        split = partial_eval(&with_values_of(&pushed, program), &unknown, &force, Effects::Known)?;
    }
    let mut primal = split.known;
    let computed = primal.outvars.split_off(num_outputs);
    let residual = |r: &Residual| match *r {
        Residual::Input(i) => primal.invars[i].into(),
        Residual::Computed(i) => computed[i],
    };
    let residuals: Vec<Atom> = split.residuals.iter().map(residual).collect();
    let num_residuals = residuals.len();
    primal.outvars.extend(residuals);
    Ok(Linearized { primal, linear: split.unknown, num_residuals, out_active })
}

/// The derivative with its values computed by the program itself: a custom rule may compute values and tangents in one
/// equation, but values must not wait for tangents.
fn with_values_of(pushed: &Program, program: &Program) -> Program {
    let mut b = Builder::new();
    let inputs: Vec<Atom> = pushed.in_avals().into_iter().map(|aval| b.input(aval)).collect();
    let mut outputs = b.inline(program, &inputs[..program.invars.len()]);
    outputs.extend(b.inline(pushed, &inputs).split_off(program.outvars.len()));
    b.finish(outputs)
}

/// The derivative as one program: takes all inputs, then tangents of the inexact inputs; returns the tangents of the
/// inexact outputs.
pub fn linearize_program(program: &Program) -> Result<Program> {
    let active: Vec<bool> = program.in_avals().iter().map(|a| a.dtype.is_inexact()).collect();
    let linearized = linearize(program, &active)?;
    refuse_custom_linear("linearize", &linearized.linear)?;
    let mut b = Builder::new();
    let inputs: Vec<Atom> = program.in_avals().into_iter().map(|aval| b.input(aval)).collect();
    let tangents: Vec<Atom> =
        program.in_avals().into_iter().filter(|a| a.dtype.is_inexact()).map(|aval| b.input(aval)).collect();
    let mut outputs = b.inline(&linearized.primal, &inputs);
    let residuals = outputs.split_off(program.outvars.len());
    let mut pushed = b.inline(&linearized.linear, &[residuals, tangents].concat()).into_iter();
    let mut results = Vec::new();
    for (aval, &active) in program.out_avals().iter().zip(&linearized.out_active) {
        if aval.dtype.is_inexact() {
            let tangent = if active { pushed.next() } else { None };
            results.push(tangent.unwrap_or_else(|| b.zeros(aval)));
        }
    }
    Ok(prune(&b.finish(results)))
}
