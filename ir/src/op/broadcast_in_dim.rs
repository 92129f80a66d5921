//! `broadcast_in_dim`: new axes, and extents of 1 repeated.

use crate::{Aval, Result, Shape, check, ensure};

const NAME: &str = "broadcast_in_dim";

pub(crate) fn infer(shape: &Shape, dims: &[usize], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::one_per_axis(NAME, "dims", dims.len(), x.rank(), x)?;
    check::increasing_axes(NAME, "result axis", dims, shape.rank(), shape)?;
    for (axis, &dim) in dims.iter().enumerate() {
        ensure!(
            x.shape[axis] == 1 || x.shape[axis] == shape[dim],
            Shape,
            "{NAME}: axis {axis} of {x} must have extent 1 or {} to become axis {dim} of {shape}, found {}",
            shape[dim],
            x.shape[axis]
        );
    }
    Ok(vec![x.with_shape(shape.clone())])
}
