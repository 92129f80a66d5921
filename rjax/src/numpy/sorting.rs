//! Sorting and searching.

use rjax_ir::{DType, ErrorKind, Op, Sort};

use crate::array::{Array, promote_dtypes};
use crate::error::{check, fail_with};
use crate::lax;
use crate::trace::emit;

/// In ascending order along an axis; NaN last.
#[track_caller]
pub fn sort(x: &Array, axis: isize) -> Array {
    lax::sort(x, axis)
}

/// The indices that sort an axis; equal elements keep their order.
#[track_caller]
pub fn argsort(x: &Array, axis: isize) -> Array {
    let axis = check(lax::resolve_axis("argsort", axis, x.ndim()));
    let positions = lax::broadcasted_iota(DType::I32, x.shape(), axis);
    lax::sort_key_val(x, &positions, axis as isize).1
}

/// The indices that sort by several keys, the last one foremost.
#[track_caller]
pub fn lexsort(keys: &[&Array], axis: isize) -> Array {
    let Some(first) = keys.first() else { fail_with(ErrorKind::Structure, "lexsort: no keys") };
    let axis = check(lax::resolve_axis("lexsort", axis, first.ndim()));
    let positions = lax::broadcasted_iota(DType::I32, first.shape(), axis);
    let operands: Vec<&Array> = keys.iter().rev().copied().chain([&positions]).collect();
    emit(Op::Sort(Sort { axis, stable: true, num_keys: keys.len() }), &operands)
        .pop()
        .expect("a result for each operand")
        .with_weak(false)
}

/// An order in which the element that sorting would put at `kth` stands there, smaller ones before and greater ones after.
#[track_caller]
pub fn partition(x: &Array, kth: usize, axis: isize) -> Array {
    let _ = kth;
    sort(x, axis)
}

/// The indices of [`partition`].
#[track_caller]
pub fn argpartition(x: &Array, kth: usize, axis: isize) -> Array {
    let _ = kth;
    argsort(x, axis)
}

/// For each value the index at which it would be inserted to keep a sorted vector sorted: before equal elements (`right`
/// false) or after them.
///
/// ```
/// use rjax::prelude::*;
/// let sorted = jnp::array([1.0, 2.0, 2.0, 5.0]);
/// assert_eq!(jnp::searchsorted(&sorted, &jnp::array([2.0, 9.0]), false).to_vec::<i32>(), [1, 4]);
/// ```
#[track_caller]
pub fn searchsorted(sorted: &Array, values: &Array, right: bool) -> Array {
    if sorted.ndim() != 1 {
        fail_with(ErrorKind::Shape, format!("searchsorted: found {}, expected a sorted vector", sorted.aval()))
    }
    let operands = promote_dtypes(&[sorted, values]);
    let (sorted, values) = (&operands[0], super::expand_dims(&operands[1], -1));
    let before = if right { sorted.le(&values) } else { sorted.lt(&values) };
    before.astype(DType::I32).sum(-1)
}
