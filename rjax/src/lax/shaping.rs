//! Repeating, stacking and giving shapes, in terms of the ops.

use rjax_ir::{DType, Shape};

use crate::Array;
use crate::array::Operand;
use crate::error::check;
use crate::numpy;

/// Arrays of one type along a new axis. JAX: `lax.stack`.
#[track_caller]
pub fn stack(xs: &[&Array], axis: isize) -> Array {
    let Some(first) = xs.first() else { crate::error::fail_with(rjax_ir::ErrorKind::Structure, "stack: no arrays") };
    let axis = check(super::resolve_axis("stack", axis, first.ndim() + 1));
    let expanded: Vec<Array> = xs.iter().map(|x| super::expand_dims(x, &[axis as isize])).collect();
    super::concatenate(&expanded.iter().collect::<Vec<_>>(), axis)
}

/// The elements along an axis as separate arrays. JAX: `lax.unstack`.
#[track_caller]
pub fn unstack(x: &Array, axis: isize) -> Vec<Array> {
    numpy::unstack(x, axis)
}

/// The whole array repeated, this many times along each axis. JAX: `lax.tile`.
#[track_caller]
pub fn tile(x: &Array, counts: &[usize]) -> Array {
    numpy::tile(x, counts)
}

/// Zeros; there is no uninitialised memory here. JAX: `lax.empty`.
#[track_caller]
pub fn empty(shape: impl Into<Shape>, dtype: DType) -> Array {
    numpy::zeros(shape, dtype)
}

/// The dtype of an array or number. JAX: `lax.dtype`.
pub fn dtype(x: impl Operand) -> DType {
    x.into_array().dtype()
}

/// The shape to which shapes broadcast together. JAX: `lax.broadcast_shapes`.
#[track_caller]
pub fn broadcast_shapes(shapes: &[&[usize]]) -> Shape {
    numpy::broadcast_shapes(shapes)
}

/// At least this many axes; new ones come first. JAX: `lax.broadcast_to_rank`.
#[track_caller]
pub fn broadcast_to_rank(x: &Array, rank: usize) -> Array {
    let missing = rank.saturating_sub(x.ndim());
    let shape: Shape = std::iter::repeat_n(1, missing).chain(x.shape().iter().copied()).collect();
    super::reshape(x, shape)
}

/// Repeated to the shape of another array. JAX: `lax.broadcast_like`.
#[track_caller]
pub fn broadcast_like(x: &Array, like: &Array) -> Array {
    numpy::broadcast_to(x, like.shape())
}

/// Elements at index arrays for several axes at once, which address elements or slices: `y[i] = x[…, indices[0][i], …]`. The
/// axes of the indices come first. JAX: `lax.index_take`.
#[track_caller]
pub fn index_take(x: &Array, indices: &[&Array], axes: &[isize]) -> Array {
    let axes = check(super::resolve_axes("index_take", axes, x.ndim()));
    let moved: Vec<usize> = axes.iter().copied().chain((0..x.ndim()).filter(|a| !axes.contains(a))).collect();
    let parts: Vec<crate::array::Indexer> =
        indices.iter().map(|&index| crate::array::Indexer::Array(index.clone())).collect();
    super::transpose(x, &moved).index(parts)
}

/// The upper half of the product of integers of twice the width. JAX: `lax.mulhi`.
///
/// With x = a·2^h + b and y = c·2^h + d, where the lower halves b and d have no sign, the product is ac·2^2h + (ad + bc)·2^h +
/// bd, and no partial sum below overflows.
#[track_caller]
pub fn mulhi(x: &Array, y: &Array) -> Array {
    if !x.dtype().is_integer() {
        crate::error::fail_with(rjax_ir::ErrorKind::DType, format!("mulhi: found {}, expected integers", x.aval()))
    }
    let half = x.dtype().bits() as i64 / 2;
    let mask = (1i64 << half) - 1;
    let upper = |x: &Array| {
        if x.dtype().is_signed_integer() {
            super::shift_right_arithmetic(x, half)
        } else {
            super::shift_right_logical(x, half)
        }
    };
    let lower = |x: &Array| super::bitwise_and(x, mask);
    let carry = super::shift_right_logical(super::mul(lower(x), lower(y)), half);
    let middle = super::add(super::mul(upper(x), lower(y)), carry);
    let other = super::add(super::mul(lower(x), upper(y)), lower(&middle));
    super::add(super::mul(upper(x), upper(y)), super::add(upper(&middle), upper(&other)))
}

/// The k greatest elements along an axis, greatest first, and their indices: exact here, so that every recall target is met.
/// JAX: `lax.approx_max_k`.
#[track_caller]
pub fn approx_max_k(x: &Array, k: usize, axis: isize) -> (Array, Array) {
    let (values, indices) = super::top_k(&numpy::moveaxis(x, axis, -1), k);
    (numpy::moveaxis(&values, -1, axis), numpy::moveaxis(&indices, -1, axis))
}

/// The k least elements along an axis, least first, and their indices: exact here. JAX: `lax.approx_min_k`.
#[track_caller]
pub fn approx_min_k(x: &Array, k: usize, axis: isize) -> (Array, Array) {
    let (values, indices) = approx_max_k(&super::neg(x), k, axis);
    (super::neg(values), indices)
}
