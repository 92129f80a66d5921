//! `rev`: elements in opposite order along some axes.

use crate::eval::strided::{Positions, pick};
use crate::{Aval, Result, Tensor, check};

const NAME: &str = "rev";

pub(crate) fn infer(axes: &[usize], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::distinct_axes(NAME, "axis", axes, x.rank(), x)?;
    Ok(vec![x.clone()])
}

pub(crate) fn eval(axes: &[usize], x: &Tensor) -> Tensor {
    let shape = x.shape();
    let mut strides: Vec<isize> = shape.strides().into_iter().map(|stride| stride as isize).collect();
    let mut offset = 0;
    for &axis in axes {
        offset += strides[axis] * (shape[axis] as isize - 1);
        strides[axis] = -strides[axis];
    }
    pick(x, shape, Positions::new(shape, offset, strides))
}
