//! Sorting along an axis.

use rjax_ir::{Op, Sort};

use super::shape::resolve_axis;
use crate::Array;
use crate::error::check;
use crate::trace::emit;

/// The elements in ascending order along an axis; NaN last.
#[track_caller]
pub fn sort(x: &Array, axis: isize) -> Array {
    let axis = check(resolve_axis("sort", axis, x.ndim()));
    emit(Op::Sort(Sort { axis, stable: true, num_keys: 1 }), &[x]).remove(0)
}

/// Sorts keys, and rearranges values in the same way. Equal keys keep their order.
#[track_caller]
pub fn sort_key_val(keys: &Array, values: &Array, axis: isize) -> (Array, Array) {
    let axis = check(resolve_axis("sort_key_val", axis, keys.ndim()));
    let mut sorted = emit(Op::Sort(Sort { axis, stable: true, num_keys: 1 }), &[keys, values]).into_iter();
    let (k, v) = (sorted.next().expect("two results"), sorted.next().expect("two results"));
    (k.with_weak(keys.is_weak()), v.with_weak(values.is_weak()))
}

/// The k greatest elements along the last axis, greatest first, and their indices.
#[track_caller]
pub fn top_k(x: &Array, k: usize) -> (Array, Array) {
    let mut results = emit(Op::TopK { k }, &[x]).into_iter();
    let (values, indices) = (results.next().expect("two results"), results.next().expect("two results"));
    (values, indices.with_weak(false))
}
