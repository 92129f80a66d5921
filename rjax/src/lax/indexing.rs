//! Windows of arrays: static and dynamic slices, gather and scatter.

use rjax_ir::{Gather, Op, Scatter, Shape, Slice};

use super::shape::resolve_axis;
use crate::Array;
use crate::array::Operand;
use crate::error::check;
use crate::trace::emit1;

/// The window from `starts` to `limits`, every `strides`-th element.
#[track_caller]
pub fn slice(x: &Array, starts: &[usize], limits: &[usize], strides: &[usize]) -> Array {
    let slice = Slice { starts: starts.to_vec(), limits: limits.to_vec(), strides: strides.to_vec() };
    emit1(Op::Slice(slice), &[x])
}

/// Elements `start..limit` along an axis.
#[track_caller]
pub fn slice_in_dim(x: &Array, start: usize, limit: usize, axis: isize) -> Array {
    let shape = x.shape();
    let axis = check(resolve_axis("slice_in_dim", axis, shape.rank()));
    if start == 0 && limit == shape[axis] {
        return x.clone();
    }
    let (mut starts, mut limits) = (vec![0; shape.rank()], shape.to_vec());
    (starts[axis], limits[axis]) = (start, limit);
    slice(x, &starts, &limits, &vec![1; shape.rank()])
}

/// Element `index` along an axis, which goes away.
#[track_caller]
pub fn index_in_dim(x: &Array, index: usize, axis: isize) -> Array {
    let resolved = check(resolve_axis("index_in_dim", axis, x.ndim()));
    let piece = slice_in_dim(x, index, index + 1, axis);
    super::reshape(&piece, piece.shape().without(&[resolved]))
}

/// Start indices as arrays of one integer type; negative ones count from the end, once.
#[track_caller]
fn starts<S: Operand + Clone>(x: &Array, indices: &[S]) -> Vec<Array> {
    let shape = x.shape();
    let wrap = |(axis, index): (usize, &S)| {
        let index = index.clone().into_array();
        let index = if index.is_weak() { index.converted(rjax_ir::DType::I32, false) } else { index };
        if index.dtype().is_unsigned_integer() || axis >= shape.rank() {
            return index;
        }
        let extent = shape[axis] as i64;
        super::select(super::lt(&index, 0), super::add(&index, extent), &index)
    };
    indices.iter().enumerate().map(wrap).collect()
}

/// The window of these extents that starts at computed indices, one scalar for each axis; moved so that it fits.
#[track_caller]
pub fn dynamic_slice<S: Operand + Clone>(x: &Array, indices: &[S], sizes: impl Into<Shape>) -> Array {
    let starts = starts(x, indices);
    let operands: Vec<&Array> = std::iter::once(x).chain(&starts).collect();
    emit1(Op::DynamicSlice { sizes: sizes.into() }, &operands).with_weak(x.is_weak())
}

/// `size` elements along an axis from a computed start.
#[track_caller]
pub fn dynamic_slice_in_dim(x: &Array, start: impl Operand, size: usize, axis: isize) -> Array {
    let shape = x.shape();
    let axis = check(resolve_axis("dynamic_slice_in_dim", axis, shape.rank()));
    let mut indices = vec![Array::from(0); shape.rank()];
    indices[axis] = start.into_array();
    dynamic_slice(x, &indices, shape.with_extent(axis, size))
}

/// The element at a computed index along an axis, which goes away.
#[track_caller]
pub fn dynamic_index_in_dim(x: &Array, index: impl Operand, axis: isize) -> Array {
    let resolved = check(resolve_axis("dynamic_index_in_dim", axis, x.ndim()));
    let piece = dynamic_slice_in_dim(x, index, 1, axis);
    super::reshape(&piece, piece.shape().without(&[resolved]))
}

/// x with the window that starts at computed indices replaced.
#[track_caller]
pub fn dynamic_update_slice<S: Operand + Clone>(x: &Array, update: impl Operand, indices: &[S]) -> Array {
    let update = update.into_array();
    let update = if update.is_weak() { update.converted(x.dtype(), x.is_weak()) } else { update };
    let starts = starts(x, indices);
    let operands: Vec<&Array> = [x, &update].into_iter().chain(&starts).collect();
    emit1(Op::DynamicUpdateSlice, &operands).with_weak(x.is_weak())
}

/// x with elements along an axis replaced from a computed start on.
#[track_caller]
pub fn dynamic_update_slice_in_dim(x: &Array, update: &Array, start: impl Operand, axis: isize) -> Array {
    let axis = check(resolve_axis("dynamic_update_slice_in_dim", axis, x.ndim()));
    let mut indices = vec![Array::from(0); x.ndim()];
    indices[axis] = start.into_array();
    dynamic_update_slice(x, update, &indices)
}

/// x with the element at a computed index along an axis replaced; the update lacks that axis.
#[track_caller]
pub fn dynamic_update_index_in_dim(x: &Array, update: impl Operand, index: impl Operand, axis: isize) -> Array {
    let axis = check(resolve_axis("dynamic_update_index_in_dim", axis, x.ndim()));
    let update = update.into_array();
    let update = if update.ndim() + 1 == x.ndim() { super::expand_dims(&update, &[axis as isize]) } else { update };
    dynamic_update_slice_in_dim(x, &update, index, axis as isize)
}

/// Windows of x at computed positions.
#[track_caller]
pub fn gather(x: &Array, indices: &Array, parameters: Gather) -> Array {
    emit1(Op::Gather(parameters), &[x, indices]).with_weak(x.is_weak())
}

/// x with windows at computed positions replaced by, or combined with, updates.
#[track_caller]
pub fn scatter(x: &Array, indices: &Array, updates: &Array, parameters: Scatter) -> Array {
    emit1(Op::Scatter(parameters), &[x, indices, updates]).with_weak(x.is_weak())
}
