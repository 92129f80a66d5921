//! Derivatives of reductions with a combining program.
//!
//! The combiner is applied in row-major order from the initial value. Written as a scan over the elements, with the combiner
//! batched over the results, the reduction has derivatives in every mode; the values themselves are reduced as before.

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Builder, DType, Op, Program, Result, Scalar, Scan, Shape, Window, ensure};

use super::reduce_window::patches;
use crate::batch::{BatchAxis, vmap};
use crate::jvp::{Dual, Forward, Tangent, differentiate};

/// Where the elements of each result come from.
#[derive(Clone, Copy)]
pub(crate) enum Elements<'a> {
    /// Along some axes.
    Axes(&'a [usize]),
    /// In a window; what is outside the operand is left out.
    Window(&'a Window),
}

pub(crate) fn jvp(
    f: &mut Forward,
    op: &Op,
    body: &Arc<Program>,
    elements: Elements,
    x: &[Atom],
    t: &[Tangent],
) -> Result<Dual> {
    let avals: Vec<Aval> = x.iter().map(|&x| f.b.aval(x)).collect();
    let scan = as_scan(body, elements, &avals)?;
    let active: Vec<bool> = t.iter().map(Option::is_some).collect();
    let (derivative, out_active) = differentiate(&scan, &active, &vec![false; scan.outvars.len()], f.memo)?;
    let y = f.b.emit(op.clone(), x);
    let operands: Vec<Atom> = x.iter().copied().chain(t.iter().copied().flatten()).collect();
    let pushed = f.b.inline(&derivative, &operands);
    let (_, tangents) = super::call::split_tangents(pushed, &out_active);
    Ok((y, tangents))
}

/// The reduction `(x…, init…) -> y…` as a scan.
pub(crate) fn as_scan(body: &Program, elements: Elements, avals: &[Aval]) -> Result<Program> {
    ensure!(
        !avals.is_empty() && avals.len().is_multiple_of(2),
        Structure,
        "reduce: expected operands and initial values"
    );
    let n = avals.len() / 2;
    let mut b = Builder::new();
    let operands: Vec<Atom> = avals.iter().map(|aval| b.input(aval.clone())).collect();
    let (columns, inits): (Vec<Columns>, &[Atom]) = {
        let (xs, inits) = operands.split_at(n);
        (xs.iter().map(|&x| columns(&mut b, x, elements)).collect(), inits)
    };
    let Columns { steps, ref shape, .. } = columns[0];
    let lanes = shape.size();
    let row = Shape::from([lanes]);

    let mut arguments: Vec<Atom> = inits.iter().map(|&init| b.broadcast_scalar(init, &row)).collect();
    arguments.extend(columns.iter().map(|c| c.values));
    let mut step = Builder::new();
    let accumulators: Vec<Atom> = avals[..n].iter().map(|a| step.input(a.with_shape(row.clone()))).collect();
    let values: Vec<Atom> = avals[..n].iter().map(|a| step.input(a.with_shape(row.clone()))).collect();
    let batched = vmap(body, &BatchAxis::new(lanes), &vec![Some(0); 2 * n], &vec![Some(0); n])?;
    let mut results = step.inline(&batched, &[&accumulators[..], &values].concat());
    if let Some(inside) = columns[0].inside {
        arguments.push(inside);
        let inside = step.input(Aval::new(DType::Bool, row.clone()));
        for (result, &accumulator) in results.iter_mut().zip(&accumulators) {
            *result = step.select(inside, *result, accumulator);
        }
    }
    let body = Arc::new(step.finish(results));
    let scan = Scan { body, length: steps, reverse: false, num_consts: 0, num_carry: n };
    let results = b.emit(Op::Scan(scan), &arguments);
    let results = results.into_iter().map(|y| b.reshape(y, shape)).collect();
    Ok(b.finish(results))
}

/// The elements of an operand, step by step for all results at once.
struct Columns {
    /// `[steps, results]`.
    values: Atom,
    /// For windows, which values are elements and not padding.
    inside: Option<Atom>,
    steps: usize,
    /// The shape of the results.
    shape: Shape,
}

fn columns(b: &mut Builder, x: Atom, elements: Elements) -> Columns {
    match elements {
        Elements::Axes(axes) => {
            let shape = b.shape(x);
            let kept: Vec<usize> = (0..shape.rank()).filter(|a| !axes.contains(a)).collect();
            let steps = axes.iter().map(|&a| shape[a]).product();
            let result: Shape = kept.iter().map(|&a| shape[a]).collect();
            let x = b.transpose(x, &[axes, &kept].concat());
            let values = b.reshape(x, &Shape::from([steps, result.size()]));
            Columns { values, inside: None, steps, shape: result }
        }
        Elements::Window(window) => {
            let steps = window.dimensions.iter().product();
            let flat = |b: &mut Builder, x: Atom, fill: Scalar| {
                let windows = patches(b, x, window, fill);
                let shape = b.shape(windows);
                let result = shape.without(&[shape.rank() - 1]);
                let windows = b.reshape(windows, &Shape::from([result.size(), steps]));
                (b.transpose(windows, &[1, 0]), result)
            };
            // Padding is skipped. A finite value in its place keeps the skipped derivative free of NaN.
            let zero = Scalar::zero(b.dtype(x));
            let (values, shape) = flat(b, x, zero);
            let all = b.full(&b.shape(x), Scalar::new(true));
            let (inside, _) = flat(b, all, Scalar::new(false));
            Columns { values, inside: Some(inside), steps, shape }
        }
    }
}
