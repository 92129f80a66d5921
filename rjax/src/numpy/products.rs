//! Products of vectors and matrices.

use rjax_ir::{ErrorKind, Precision};

use crate::array::{Array, Operand, promote_dtypes};
use crate::error::{check, fail_with};
use crate::lax::{self, resolve_axes};

#[track_caller]
fn contract(x: &Array, y: &Array, contracting: (&[usize], &[usize]), batch: (&[usize], &[usize])) -> Array {
    let operands = promote_dtypes(&[x, y]);
    lax::dot_general(&operands[0], &operands[1], contracting, batch, Precision::Default, None)
}

#[track_caller]
fn mismatch(function: &str, x: &Array, y: &Array) -> ! {
    fail_with(ErrorKind::Shape, format!("{function}: operands of type {} and {} do not fit", x.aval(), y.aval()))
}

/// The dot product: sums over the last axis of x and the second to last of y (the only one of a vector); with a scalar, the product.
#[track_caller]
pub fn dot(x: impl Operand, y: impl Operand) -> Array {
    let (x, y) = (x.into_array(), y.into_array());
    if x.ndim() == 0 || y.ndim() == 0 {
        return x * y;
    }
    contract(&x, &y, (&[x.ndim() - 1], &[y.ndim().saturating_sub(2)]), (&[], &[]))
}

/// The matrix product; leading axes are broadcast, vectors are rows on the left and columns on the right.
#[track_caller]
pub fn matmul(x: &Array, y: &Array) -> Array {
    if x.ndim() == 0 || y.ndim() == 0 {
        fail_with(
            ErrorKind::Shape,
            format!("matmul: found operands of type {} and {}, expected no scalars", x.aval(), y.aval()),
        )
    }
    if x.ndim() <= 2 && y.ndim() <= 2 {
        return contract(x, y, (&[x.ndim() - 1], &[y.ndim().saturating_sub(2)]), (&[], &[]));
    }
    let (row, column) = (x.ndim() == 1, y.ndim() == 1);
    let x = if row { super::expand_dims(x, 0) } else { x.clone() };
    let y = if column { super::expand_dims(y, -1) } else { y.clone() };
    let (xs, ys) = (x.shape(), y.shape());
    let (xb, yb) = (&xs[..xs.rank() - 2], &ys[..ys.rank() - 2]);
    let batch = super::broadcast_shapes(&[xb, yb]);
    let widen = |a: &Array, own: &[usize]| {
        let shape = batch.iter().chain(&a.shape()[own.len()..]).copied().collect();
        a.broadcasted(&shape)
    };
    let (x, y) = (widen(&x, xb), widen(&y, yb));
    let rank = batch.rank();
    let axes: Vec<usize> = (0..rank).collect();
    let product = contract(&x, &y, (&[rank + 1], &[rank]), (&axes, &axes));
    let mut shape = product.shape();
    if column {
        shape = shape.without(&[rank + 1]);
    }
    if row {
        shape = shape.without(&[rank]);
    }
    lax::reshape(&product, shape)
}

/// Sums of products over the last axes.
#[track_caller]
pub fn inner(x: &Array, y: &Array) -> Array {
    if x.ndim() == 0 || y.ndim() == 0 {
        return x * y;
    }
    contract(x, y, (&[x.ndim() - 1], &[y.ndim() - 1]), (&[], &[]))
}

/// All products of elements of two flattened arrays.
#[track_caller]
pub fn outer(x: &Array, y: &Array) -> Array {
    x.ravel().reshape([x.size(), 1]) * y.ravel()
}

/// The dot product of two flattened arrays, the first conjugated.
#[track_caller]
pub fn vdot(x: &Array, y: &Array) -> Array {
    contract(&super::conj(x.ravel()), &y.ravel(), (&[0], &[0]), (&[], &[]))
}

/// Dot products along the last axis, the first operand conjugated; other axes broadcast.
#[track_caller]
pub fn vecdot(x: &Array, y: &Array) -> Array {
    (super::conj(x) * y).sum(-1)
}

/// A matrix times a vector; leading axes broadcast.
#[track_caller]
pub fn matvec(x: &Array, y: &Array) -> Array {
    matmul(x, &super::expand_dims(y, -1)).squeeze_axis(-1)
}

/// A vector times a matrix; leading axes broadcast.
#[track_caller]
pub fn vecmat(x: &Array, y: &Array) -> Array {
    matmul(&super::expand_dims(&super::conj(x), -2), y).squeeze_axis(-2)
}

/// Sums of products over several pairs of axes.
#[track_caller]
pub fn tensordot(x: &Array, y: &Array, axes: (&[isize], &[isize])) -> Array {
    let (a, b) =
        (check(resolve_axes("tensordot", axes.0, x.ndim())), check(resolve_axes("tensordot", axes.1, y.ndim())));
    if a.len() != b.len() {
        fail_with(
            ErrorKind::Parameter,
            format!("tensordot: found {} axes of x and {} of y, expected pairs", a.len(), b.len()),
        )
    }
    contract(x, y, (&a, &b), (&[], &[]))
}

/// The Kronecker product.
#[track_caller]
pub fn kron(x: &Array, y: &Array) -> Array {
    let rank = x.ndim().max(y.ndim());
    let pad = |a: &Array| -> Vec<usize> {
        std::iter::repeat_n(1, rank - a.ndim()).chain(a.shape().iter().copied()).collect()
    };
    let (xs, ys) = (pad(x), pad(y));
    let wide = |s: &[usize], first: bool| -> Vec<usize> {
        s.iter().flat_map(|&extent| if first { [extent, 1] } else { [1, extent] }).collect()
    };
    let product = lax::reshape(x, wide(&xs, true)) * lax::reshape(y, wide(&ys, false));
    lax::reshape(&product, xs.iter().zip(&ys).map(|(a, b)| a * b).collect::<Vec<_>>())
}

/// The cross product of vectors of three elements along the last axis.
#[track_caller]
pub fn cross(x: &Array, y: &Array) -> Array {
    if x.shape().last() != Some(&3) || y.shape().last() != Some(&3) {
        mismatch("cross", x, y)
    }
    let part = |a: &Array, i: usize| lax::slice_in_dim(a, i, i + 1, -1);
    let component = |i: usize, j: usize| part(x, i) * part(y, j) - part(x, j) * part(y, i);
    super::concatenate(&[component(1, 2), component(2, 0), component(0, 1)], -1)
}

/// The sum of the k-th diagonal of the last two axes.
#[track_caller]
pub fn trace(x: &Array, offset: i64) -> Array {
    let shape = x.shape();
    if shape.rank() < 2 {
        fail_with(ErrorKind::Shape, format!("trace: found {}, expected at least two axes", x.aval()))
    }
    let on_diagonal = super::diagonal_mask(&shape, offset);
    let zero = lax::full(Vec::new(), 0, x.dtype());
    let picked = lax::select(on_diagonal, x, zero.broadcasted(&shape));
    super::sum(&picked, [-2, -1])
}
