//! Reductions over whole axes, with a fixed combiner or with a program.

use std::sync::Arc;

use crate::eval::sum::{self, accumulate};
use crate::eval::{Interpreter, Prepared};
use crate::op::{scan, transpose};
use crate::{Aval, Program, Reducer, Result, Shape, Tensor, check, ensure};

pub(crate) fn infer(op: &str, reducer: Reducer, axes: &[usize], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(op, inputs)?;
    check::dtype(op, reducer.accepts(), x)?;
    check::increasing_axes(op, "axis", axes, x.rank(), x)?;
    Ok(vec![x.with_shape(x.shape.without(axes))])
}

pub(crate) fn infer_general(body: &Arc<Program>, axes: &[usize], inputs: &[Aval]) -> Result<Vec<Aval>> {
    const NAME: &str = "reduce";
    let (operands, _) = split_inits(NAME, body, inputs)?;
    check::increasing_axes(NAME, "axis", axes, operands[0].rank(), &operands[0])?;
    Ok(operands.iter().map(|x| x.with_shape(x.shape.without(axes))).collect())
}

/// The arrays and the initial values of a reduction by a program, checked against each other and the program.
pub(crate) fn split_inits<'a>(op: &str, body: &Program, inputs: &'a [Aval]) -> Result<(&'a [Aval], &'a [Aval])> {
    ensure!(
        !inputs.is_empty() && inputs.len().is_multiple_of(2),
        Structure,
        "{op}: expected as many initial values as operands, and at least one, found {} in all",
        inputs.len()
    );
    let (operands, inits) = inputs.split_at(inputs.len() / 2);
    for (x, init) in operands.iter().zip(inits) {
        ensure!(x.shape == operands[0].shape, Shape, "{op}: operands have different shapes: {} and {x}", operands[0]);
        ensure!(
            init.rank() == 0 && init.dtype == x.dtype,
            Shape,
            "{op}: the initial value for {x} must be a scalar of its dtype, found {init}"
        );
    }
    let accumulator_and_value = [inits, inits].concat();
    let results = check::signature(op, "the combiner", body, &accumulator_and_value)?;
    check::results(op, "the combiner", &results, inits)?;
    Ok((operands, inits))
}

pub(crate) fn eval(reducer: Reducer, axes: &[usize], x: &Tensor) -> Tensor {
    accumulate(&[x], x.dtype(), x.dtype(), |operands, dtype| {
        let x = rows(&operands[0], axes);
        let shape = operands[0].shape().without(axes);
        let length: usize = axes.iter().map(|&axis| operands[0].shape()[axis]).product();
        with_element!(dtype, T => {
            let values = x.as_slice::<T>();
            let totals = (0..shape.size()).map(|row| sum::fold(reducer, &values[row * length..(row + 1) * length]));
            Tensor::from_vec(shape, totals.collect::<Vec<T>>())
        })
    })
}

/// The elements with the given axes moved behind the others, in order.
pub(crate) fn rows(x: &Tensor, axes: &[usize]) -> Tensor {
    let kept = (0..x.shape().rank()).filter(|axis| !axes.contains(axis));
    transpose::permute(x, &kept.chain(axes.iter().copied()).collect::<Vec<_>>())
}

pub(crate) fn eval_general(
    interpreter: &mut Interpreter,
    body: &Program,
    axes: &[usize],
    inputs: &[Tensor],
) -> Result<Vec<Tensor>> {
    let (operands, inits) = inputs.split_at(inputs.len() / 2);
    let shape = operands[0].shape().without(axes);
    let length: usize = axes.iter().map(|&axis| operands[0].shape()[axis]).product();
    let operands: Vec<Tensor> = operands.iter().map(|x| rows(x, axes)).collect();
    let groups = (0..shape.size()).map(|row| row * length..(row + 1) * length);
    combine(interpreter, body, &operands, inits, &shape, groups)
}

/// For each group of positions the elements there combined by a program, from the initial values on.
pub(crate) fn combine<G: IntoIterator<Item = usize>>(
    interpreter: &mut Interpreter,
    body: &Program,
    operands: &[Tensor],
    inits: &[Tensor],
    shape: &Shape,
    groups: impl Iterator<Item = G>,
) -> Result<Vec<Tensor>> {
    let body = Prepared::new(body);
    let mut results: Vec<Vec<Tensor>> = vec![Vec::with_capacity(shape.size()); operands.len()];
    for group in groups {
        let mut totals = inits.to_vec();
        for position in group {
            totals.extend(operands.iter().map(|x| x.get(position).to_tensor()));
            totals = interpreter.run(&body, totals)?;
        }
        for (result, total) in results.iter_mut().zip(totals) {
            result.push(total);
        }
    }
    let stacked =
        results.iter().zip(inits).map(|(totals, init)| scan::stack(totals, &init.aval()).reshape(shape.clone()));
    Ok(stacked.collect())
}
