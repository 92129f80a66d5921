//! Shapes: broadcasting, reshaping, transposing, joining and splitting.

use rjax_ir::{DType, ErrorKind, Op, PadDim, Shape};

use crate::Array;
use crate::array::Operand;
use crate::error::{check, fail_with};
use crate::trace::{emit, emit1};

/// Repeats an array along new leading axes.
#[track_caller]
pub fn broadcast(x: &Array, sizes: &[usize]) -> Array {
    let own = x.shape();
    let shape: Shape = sizes.iter().chain(own.iter()).copied().collect();
    broadcast_in_dim(x, shape, &(sizes.len()..sizes.len() + own.rank()).collect::<Vec<_>>())
}

/// Makes axis i of x axis `dims[i]` of the result and repeats along the others.
#[track_caller]
pub fn broadcast_in_dim(x: impl Operand, shape: impl Into<Shape>, dims: &[usize]) -> Array {
    emit1(Op::BroadcastInDim { shape: shape.into(), dims: dims.to_vec() }, &[&x.into_array()])
}

/// 0, 1, 2, … along an axis of an array.
#[track_caller]
pub fn broadcasted_iota(dtype: DType, shape: impl Into<Shape>, axis: usize) -> Array {
    emit(Op::Iota { dtype, shape: shape.into(), axis }, &[]).remove(0)
}

/// 0, 1, 2, ….
#[track_caller]
pub fn iota(dtype: DType, size: usize) -> Array {
    broadcasted_iota(dtype, [size], 0)
}

/// One value everywhere.
#[track_caller]
pub fn full(shape: impl Into<Shape>, value: impl Operand, dtype: DType) -> Array {
    value.into_array().converted(dtype, false).broadcasted(&shape.into())
}

/// One value everywhere, with the dtype and shape of another array.
#[track_caller]
pub fn full_like(x: &Array, value: impl Operand) -> Array {
    value.into_array().converted(x.dtype(), x.is_weak()).broadcasted(&x.shape())
}

/// The same elements under another shape.
#[track_caller]
pub fn reshape(x: &Array, shape: impl Into<Shape>) -> Array {
    let shape = shape.into();
    if x.shape() == shape { x.clone() } else { emit1(Op::Reshape { shape }, &[x]) }
}

/// Axis i of the result is axis `permutation[i]` of x.
#[track_caller]
pub fn transpose(x: &Array, permutation: &[usize]) -> Array {
    if permutation.len() == x.ndim() && permutation.iter().enumerate().all(|(i, &p)| i == p) {
        return x.clone();
    }
    emit1(Op::Transpose { permutation: permutation.to_vec() }, &[x])
}

/// Reversed along some axes.
#[track_caller]
pub fn rev(x: &Array, axes: &[usize]) -> Array {
    if axes.is_empty() { x.clone() } else { emit1(Op::Reverse { axes: axes.to_vec() }, &[x]) }
}

/// Removes axes of extent 1.
#[track_caller]
pub fn squeeze(x: &Array, axes: &[isize]) -> Array {
    let shape = x.shape();
    let axes = check(resolve_axes("squeeze", axes, shape.rank()));
    if let Some(&axis) = axes.iter().find(|&&axis| shape[axis] != 1) {
        fail_with(
            ErrorKind::Shape,
            format!("squeeze: axis {axis} of {} has size {}, expected 1", x.aval(), shape[axis]),
        )
    }
    reshape(x, shape.without(&axes))
}

/// Inserts axes of extent 1, so that they have these positions in the result.
#[track_caller]
pub fn expand_dims(x: &Array, axes: &[isize]) -> Array {
    let mut shape = x.shape();
    let mut axes = check(resolve_axes("expand_dims", axes, shape.rank() + axes.len()));
    axes.sort_unstable();
    for axis in axes {
        shape = shape.with_axis(axis, 1);
    }
    reshape(x, shape)
}

/// Axes `start..stop` merged into one.
#[track_caller]
pub fn collapse(x: &Array, start: usize, stop: usize) -> Array {
    let shape = x.shape();
    if start >= stop || stop > shape.rank() {
        fail_with(ErrorKind::Parameter, format!("collapse: axes {start}..{stop} are no axes of {}", x.aval()))
    }
    let merged = shape[start..stop].iter().product();
    let dims: Shape = shape[..start].iter().copied().chain([merged]).chain(shape[stop..].iter().copied()).collect();
    reshape(x, dims)
}

/// One array after the other along an axis.
#[track_caller]
pub fn concatenate(xs: &[&Array], axis: usize) -> Array {
    match xs {
        [x] => (*x).clone(),
        _ => emit1(Op::Concatenate { axis }, xs),
    }
}

/// Pads with a scalar at both edges and between elements; negative padding removes.
#[track_caller]
pub fn pad(x: &Array, value: impl Operand, padding: &[PadDim]) -> Array {
    let value = value.into_array();
    let value = if value.is_weak() { value.converted(x.dtype(), x.is_weak()) } else { value };
    emit1(Op::Pad { padding: padding.to_vec() }, &[x, &value]).with_weak(x.is_weak())
}

/// Consecutive pieces along an axis with these extents.
#[track_caller]
pub fn split(x: &Array, sizes: &[usize], axis: isize) -> Vec<Array> {
    let axis = check(resolve_axis("split", axis, x.ndim()));
    let extent = x.shape()[axis];
    if sizes.iter().sum::<usize>() != extent {
        fail_with(
            ErrorKind::Parameter,
            format!("split: sizes {sizes:?} do not add up to {extent}, the size of axis {axis} of {}", x.aval()),
        )
    }
    let mut start = 0;
    let mut pieces = Vec::with_capacity(sizes.len());
    for &size in sizes {
        pieces.push(super::slice_in_dim(x, start, start + size, axis as isize));
        start += size;
    }
    pieces
}

/// An axis counted from the front, where a negative one counts from the end.
pub(crate) fn resolve_axis(function: &str, axis: isize, rank: usize) -> rjax_ir::Result<usize> {
    let resolved = if axis < 0 { axis + rank as isize } else { axis };
    rjax_ir::ensure!(
        (0..rank as isize).contains(&resolved),
        Parameter,
        "{function}: axis {axis} is out of range for an array with {rank} axes"
    );
    Ok(resolved as usize)
}

/// Several axes counted from the front, each named once.
pub(crate) fn resolve_axes(function: &str, axes: &[isize], rank: usize) -> rjax_ir::Result<Vec<usize>> {
    let resolved: Vec<usize> =
        axes.iter().map(|&axis| resolve_axis(function, axis, rank)).collect::<rjax_ir::Result<_>>()?;
    for (i, axis) in resolved.iter().enumerate() {
        rjax_ir::ensure!(
            !resolved[..i].contains(axis),
            Parameter,
            "{function}: axis {axis} is named twice in {axes:?}"
        );
    }
    Ok(resolved)
}
