//! `clamp`: an array limited from both sides.

use crate::op::broadcast_in_dim;
use crate::{Aval, Binary, DTypeSet, Result, Tensor, check, ensure};

const NAME: &str = "clamp";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [min, x, max] = check::operands(NAME, inputs)?;
    check::dtype(NAME, DTypeSet::ANY, x)?;
    for (what, bound) in [("min", min), ("max", max)] {
        check::same_dtype(NAME, bound, x)?;
        ensure!(
            bound.rank() == 0 || bound.shape == x.shape,
            Shape,
            "{NAME}: {what} must be a scalar or have the shape of the operand {x}, found {bound}"
        );
    }
    Ok(vec![x.clone()])
}

pub(crate) fn eval(min: &Tensor, x: &Tensor, max: &Tensor) -> Tensor {
    let min = broadcast_in_dim::spread(min, x.shape());
    let max = broadcast_in_dim::spread(max, x.shape());
    Binary::Min.eval_tensor(&Binary::Max.eval_tensor(x, &min), &max)
}
