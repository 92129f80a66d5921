//! Reductions over whole axes, with a fixed combiner or with a program.

use std::sync::Arc;

use crate::{Aval, Program, Reducer, Result, check, ensure};

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
