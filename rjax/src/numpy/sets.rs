//! Arrays as sets.
//!
//! How many elements a set has depends on the values, which a traced program does not know: there, give `size`. Missing
//! elements are then filled in, superfluous ones cut off.

use rjax_ir::DType;

use crate::array::{Array, Operand, promote_dtypes};
use crate::lax;

/// The distinct elements of an array and where they come from.
#[derive(Clone, Debug)]
pub struct Unique {
    /// The distinct elements in ascending order; NaN counts as one element.
    pub values: Array,
    /// For each of them the position, in the flattened array, at which it occurs first.
    pub indices: Array,
    /// For each element of the array the position of its value in `values`, in the array's shape.
    pub inverse: Array,
    /// How often each of them occurs.
    pub counts: Array,
}

/// The distinct elements in ascending order; the least one fills up to `size`. JAX: `numpy.unique`.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(jnp::unique(&jnp::array([3, 1, 3, 2]), None).to_vec::<i32>(), [1, 2, 3]);
/// let sized = jit(|x: &Array| jnp::unique(x, Some(4)));
/// assert_eq!(sized(&jnp::array([3, 1, 3, 2])).to_vec::<i32>(), [1, 2, 3, 1]);
/// ```
#[track_caller]
pub fn unique(x: &Array, size: Option<usize>) -> Array {
    unique_all(x, size).values
}

/// As [`unique`], with `fill` in place of missing elements. JAX: `numpy.unique(x, size=…, fill_value=…)`.
#[track_caller]
pub fn unique_filled(x: &Array, size: usize, fill: impl Operand) -> Array {
    let found = unique_all(x, Some(size));
    let fill = fill.into_array().converted(x.dtype(), false);
    super::where_(found.counts.gt(0), found.values, fill)
}

/// The distinct elements and their positions. JAX: `numpy.unique_all`.
#[track_caller]
pub fn unique_all(x: &Array, size: Option<usize>) -> Unique {
    let flat = x.ravel();
    let n = flat.size();
    let positions = lax::iota(DType::I32, n);
    let (sorted, order) = lax::sort_key_val(&flat, &positions, 0);
    let starts = starts(&sorted);
    let group = starts.astype(DType::I32).cumsum(0) - 1;
    let size = match size {
        Some(size) => size,
        None if n == 0 => 0,
        None => starts.astype(DType::I32).sum(..).item::<i32>() as usize,
    };
    if n == 0 {
        let none = super::zeros([size], DType::I32);
        return Unique {
            values: super::zeros([size], x.dtype()),
            indices: none.clone(),
            inverse: super::zeros(x.shape(), DType::I32),
            counts: none,
        };
    }
    // Where each group starts, n for those that are missing; one more to measure the last.
    let bounds = super::nonzero_sized(&starts, size + 1, n as i64).remove(0);
    let first = lax::slice_in_dim(&bounds, 0, size, 0);
    let counts = super::diff(&bounds, 1, 0);
    let first = super::where_(first.lt(n), first, 0);
    let pick = |from: &Array| super::take(from, &first, 0, super::TakeMode::Clip);
    let inverse = super::zeros([n], DType::I32).at(&order).set(group);
    Unique { values: pick(&sorted), indices: pick(&order), inverse: lax::reshape(&inverse, x.shape()), counts }
}

/// Whether an element of a sorted vector differs from the one before; all NaN are one.
#[track_caller]
fn starts(sorted: &Array) -> Array {
    let n = sorted.size();
    let later = lax::slice_in_dim(sorted, n.min(1), n, 0);
    let earlier = lax::slice_in_dim(sorted, 0, n.saturating_sub(1), 0);
    let differs = later.ne(&earlier) & !(super::isnan(&later) & super::isnan(&earlier));
    super::concatenate(&[lax::full([n.min(1)], true, DType::Bool), differs], 0)
}

/// The distinct elements and how often each occurs. JAX: `numpy.unique_counts`.
#[track_caller]
pub fn unique_counts(x: &Array, size: Option<usize>) -> (Array, Array) {
    let found = unique_all(x, size);
    (found.values, found.counts)
}

/// The distinct elements, and for each element of the array its position among them. JAX: `numpy.unique_inverse`.
#[track_caller]
pub fn unique_inverse(x: &Array, size: Option<usize>) -> (Array, Array) {
    let found = unique_all(x, size);
    (found.values, found.inverse)
}

/// The distinct elements. JAX: `numpy.unique_values`.
#[track_caller]
pub fn unique_values(x: &Array, size: Option<usize>) -> Array {
    unique(x, size)
}

/// The elements of a vector for which a mask holds; the first of them fills up to `size`.
#[track_caller]
fn masked(x: &Array, mask: &Array, size: Option<usize>) -> Array {
    let size = size.unwrap_or_else(|| mask.astype(DType::I32).sum(..).item::<i32>() as usize);
    if x.is_empty() {
        return super::zeros([size], x.dtype());
    }
    let found = super::nonzero_sized(mask, size, 0).remove(0);
    let first = super::argmax(&mask.astype(DType::I32), 0);
    let missing = lax::iota(DType::I32, size).ge(mask.astype(DType::I32).sum(..));
    super::take(x, super::where_(missing, first, found), 0, super::TakeMode::Clip)
}

/// The elements of either array. JAX: `numpy.union1d`.
#[track_caller]
pub fn union1d(x: &Array, y: &Array, size: Option<usize>) -> Array {
    unique(&super::concatenate(&[x.ravel(), y.ravel()], 0), size)
}

/// The sorted elements of two vectors together, and where each is the same as the next and as the one before.
#[track_caller]
fn merged(x: &Array, y: &Array) -> (Array, Array, Array) {
    let operands = promote_dtypes(&[&x.ravel(), &y.ravel()]);
    // Each side's duplicates go first: an element that is left twice occurs on both sides.
    let distinct = |x: &Array| {
        let sorted = lax::sort(x, 0);
        let starts = starts(&sorted);
        (sorted, starts)
    };
    let ((a, a_new), (b, b_new)) = (distinct(&operands[0]), distinct(&operands[1]));
    let keys = super::concatenate(&[a, b], 0);
    let kept = super::concatenate(&[a_new, b_new], 0);
    // Duplicates sort behind everything else.
    let rank = lax::bitwise_not(&kept).astype(DType::I32);
    let order = super::lexsort(&[&keys, &rank], 0);
    let by_order = |x: &Array| super::take(x, &order, 0, super::TakeMode::Clip);
    let (keys, kept) = (by_order(&keys), by_order(&kept));
    let n = keys.size();
    let no = lax::full([n.min(1)], false, DType::Bool);
    let head = |x: &Array| lax::slice_in_dim(x, 0, n.saturating_sub(1), 0);
    let tail = |x: &Array| lax::slice_in_dim(x, n.min(1), n, 0);
    let same = tail(&keys).eq(head(&keys)) & tail(&kept);
    let with_next = super::concatenate(&[same.clone(), no.clone()], 0);
    let with_last = super::concatenate(&[no, same], 0);
    (keys, with_next, kept & !with_last)
}

/// The elements that occur in both arrays. JAX: `numpy.intersect1d`.
#[track_caller]
pub fn intersect1d(x: &Array, y: &Array, size: Option<usize>) -> Array {
    let (keys, with_next, _) = merged(x, y);
    masked(&keys, &with_next, size)
}

/// The elements that occur in exactly one of the arrays. JAX: `numpy.setxor1d`.
#[track_caller]
pub fn setxor1d(x: &Array, y: &Array, size: Option<usize>) -> Array {
    let (keys, with_next, kept) = merged(x, y);
    masked(&keys, &(kept & !with_next), size)
}

/// The elements of x that do not occur in y. JAX: `numpy.setdiff1d`.
#[track_caller]
pub fn setdiff1d(x: &Array, y: &Array, size: Option<usize>) -> Array {
    let operands = promote_dtypes(&[&x.ravel(), &y.ravel()]);
    let sorted = lax::sort(&operands[0], 0);
    let wanted = starts(&sorted) & !super::isin(&sorted, &operands[1]);
    masked(&sorted, &wanted, size)
}
