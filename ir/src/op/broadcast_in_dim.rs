//! `broadcast_in_dim`: new axes, and extents of 1 repeated.

use crate::eval::strided::{Positions, pick};
use crate::{Aval, Result, Shape, Tensor, check, ensure};

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

pub(crate) fn eval(shape: &Shape, dims: &[usize], x: &Tensor) -> Tensor {
    let mut strides = vec![0; shape.rank()];
    for ((&dim, &extent), &stride) in dims.iter().zip(x.shape().iter()).zip(&x.shape().strides()) {
        strides[dim] = if extent == 1 { 0 } else { stride as isize };
    }
    pick(x, shape, Positions::new(shape, 0, strides))
}

/// A scalar repeated over a shape; a tensor of that shape itself.
pub(crate) fn spread(x: &Tensor, shape: &Shape) -> Tensor {
    if x.shape() == shape { x.clone() } else { eval(shape, &[], x) }
}
