//! `transpose`: axes permuted.

use crate::eval::strided::{Positions, pick};
use crate::{Aval, Result, Shape, Tensor, check};

const NAME: &str = "transpose";

pub(crate) fn infer(permutation: &[usize], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::one_per_axis(NAME, "permutation", permutation.len(), x.rank(), x)?;
    check::distinct_axes(NAME, "permutation axis", permutation, x.rank(), x)?;
    Ok(vec![x.with_shape(permutation.iter().map(|&axis| x.shape[axis]).collect::<Shape>())])
}

/// The tensor whose axis i is axis `permutation[i]` of `x`.
pub(crate) fn permute(x: &Tensor, permutation: &[usize]) -> Tensor {
    if permutation.is_sorted() {
        return x.clone();
    }
    let strides = x.shape().strides();
    let shape: Shape = permutation.iter().map(|&axis| x.shape()[axis]).collect();
    let strides = permutation.iter().map(|&axis| strides[axis] as isize).collect();
    pick(x, &shape, Positions::new(&shape, 0, strides))
}

/// The permutation that moves `axis` behind all others.
pub(crate) fn last(axis: usize, rank: usize) -> Vec<usize> {
    (0..rank).filter(|&a| a != axis).chain([axis]).collect()
}

/// The permutation that undoes another.
pub(crate) fn inverse(permutation: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; permutation.len()];
    for (i, &axis) in permutation.iter().enumerate() {
        inverse[axis] = i;
    }
    inverse
}
