//! Shapes: reshaping, permuting, joining, splitting, repeating.

use std::borrow::Borrow;

use rjax_ir::{ErrorKind, PadDim, Shape};

use crate::array::{Array, IntoShape, broadcast_shapes as broadcast, promote_dtypes};
use crate::error::{check, fail_with};
use crate::lax::{self, resolve_axes, resolve_axis};

/// The same elements under another shape; one extent may be -1, which stands for whatever fits.
#[track_caller]
pub fn reshape(x: &Array, shape: impl IntoShape) -> Array {
    lax::reshape(x, check(shape.fit(&x.aval())))
}

/// All elements in one axis.
#[track_caller]
pub fn ravel(x: &Array) -> Array {
    lax::reshape(x, [x.size()])
}

/// The axes in the order given; an empty list reverses them.
#[track_caller]
pub fn transpose(x: &Array, axes: &[isize]) -> Array {
    if axes.is_empty() {
        return lax::transpose(x, &(0..x.ndim()).rev().collect::<Vec<_>>());
    }
    if axes.len() != x.ndim() {
        fail_with(
            ErrorKind::Parameter,
            format!("transpose: found {} axes for an array of type {}", axes.len(), x.aval()),
        )
    }
    lax::transpose(x, &check(resolve_axes("transpose", axes, x.ndim())))
}

/// The axes in the order given.
#[track_caller]
pub fn permute_dims(x: &Array, axes: &[isize]) -> Array {
    transpose(x, axes)
}

/// The last two axes swapped.
#[track_caller]
pub fn matrix_transpose(x: &Array) -> Array {
    swapaxes(x, -2, -1)
}

/// Two axes swapped.
#[track_caller]
pub fn swapaxes(x: &Array, a: isize, b: isize) -> Array {
    let (a, b) = (check(resolve_axis("swapaxes", a, x.ndim())), check(resolve_axis("swapaxes", b, x.ndim())));
    let mut permutation: Vec<usize> = (0..x.ndim()).collect();
    permutation.swap(a, b);
    lax::transpose(x, &permutation)
}

/// One axis moved to another place, the others keeping their order.
#[track_caller]
pub fn moveaxis(x: &Array, from: isize, to: isize) -> Array {
    let (from, to) = (check(resolve_axis("moveaxis", from, x.ndim())), check(resolve_axis("moveaxis", to, x.ndim())));
    let mut permutation: Vec<usize> = (0..x.ndim()).filter(|&axis| axis != from).collect();
    permutation.insert(to, from);
    lax::transpose(x, &permutation)
}

/// One axis rolled back until it stands before another.
#[track_caller]
pub fn rollaxis(x: &Array, axis: isize, start: isize) -> Array {
    let rank = x.ndim();
    let from = check(resolve_axis("rollaxis", axis, rank));
    let start = check(resolve_axis("rollaxis", start, rank + 1));
    moveaxis(x, from as isize, if from < start { start as isize - 1 } else { start as isize })
}

/// A new axis of extent 1 at this position of the result.
#[track_caller]
pub fn expand_dims(x: &Array, axis: isize) -> Array {
    lax::expand_dims(x, &[axis])
}

/// All axes of extent 1 removed.
#[track_caller]
pub fn squeeze(x: &Array) -> Array {
    let shape = x.shape();
    lax::reshape(x, shape.iter().copied().filter(|&extent| extent != 1).collect::<Shape>())
}

/// Repeated to a shape that x broadcasts to.
#[track_caller]
pub fn broadcast_to(x: &Array, shape: impl Into<Shape>) -> Array {
    let (own, shape) = (x.shape(), shape.into());
    if check(broadcast("broadcast_to", &[own.clone(), shape.clone()])) != shape {
        fail_with(
            ErrorKind::Shape,
            format!("broadcast_to: an array of type {} does not broadcast to shape {shape}", x.aval()),
        )
    }
    x.broadcasted(&shape)
}

/// The shape to which shapes broadcast together.
#[track_caller]
pub fn broadcast_shapes(shapes: &[&[usize]]) -> Shape {
    check(broadcast("broadcast_shapes", &shapes.iter().map(|&s| Shape::from(s)).collect::<Vec<_>>()))
}

/// Arrays repeated to one shape.
#[track_caller]
pub fn broadcast_arrays<A: Borrow<Array>>(arrays: &[A]) -> Vec<Array> {
    let shapes: Vec<Shape> = arrays.iter().map(|x| x.borrow().shape()).collect();
    let shape = check(broadcast("broadcast_arrays", &shapes));
    arrays.iter().map(|x| x.borrow().broadcasted(&shape)).collect()
}

/// At least one axis.
#[track_caller]
pub fn atleast_1d(x: &Array) -> Array {
    if x.ndim() == 0 { lax::reshape(x, [1]) } else { x.clone() }
}

/// At least two axes; new ones come first.
#[track_caller]
pub fn atleast_2d(x: &Array) -> Array {
    match x.ndim() {
        0 => lax::reshape(x, [1, 1]),
        1 => lax::reshape(x, [1, x.size()]),
        _ => x.clone(),
    }
}

/// At least three axes.
#[track_caller]
pub fn atleast_3d(x: &Array) -> Array {
    match *x.shape() {
        [] => lax::reshape(x, [1, 1, 1]),
        [n] => lax::reshape(x, [1, n, 1]),
        [n, m] => lax::reshape(x, [n, m, 1]),
        _ => x.clone(),
    }
}

/// One array after the other along an axis, in a common dtype.
#[track_caller]
pub fn concatenate<A: Borrow<Array>>(arrays: &[A], axis: isize) -> Array {
    let Some(first) = arrays.first() else { fail_with(ErrorKind::Structure, "concatenate: no arrays") };
    let axis = check(resolve_axis("concatenate", axis, first.borrow().ndim()));
    let promoted = promote_dtypes(&arrays.iter().map(Borrow::borrow).collect::<Vec<_>>());
    lax::concatenate(&promoted.iter().collect::<Vec<_>>(), axis)
}

/// Arrays of one shape along a new axis.
#[track_caller]
pub fn stack<A: Borrow<Array>>(arrays: &[A], axis: isize) -> Array {
    let expanded: Vec<Array> = arrays.iter().map(|x| expand_dims(x.borrow(), axis)).collect();
    concatenate(&expanded, axis)
}

/// The elements along an axis as separate arrays.
#[track_caller]
pub fn unstack(x: &Array, axis: isize) -> Vec<Array> {
    let extent = x.shape()[check(resolve_axis("unstack", axis, x.ndim()))];
    (0..extent).map(|i| lax::index_in_dim(x, i, axis)).collect()
}

/// Rows on top of each other.
#[track_caller]
pub fn vstack<A: Borrow<Array>>(arrays: &[A]) -> Array {
    concatenate(&arrays.iter().map(|x| atleast_2d(x.borrow())).collect::<Vec<_>>(), 0)
}

/// Arrays side by side: along axis 1, vectors along axis 0.
#[track_caller]
pub fn hstack<A: Borrow<Array>>(arrays: &[A]) -> Array {
    let arrays: Vec<Array> = arrays.iter().map(|x| atleast_1d(x.borrow())).collect();
    let axis = if arrays.first().is_some_and(|x| x.ndim() == 1) { 0 } else { 1 };
    concatenate(&arrays, axis)
}

/// Arrays behind each other, along axis 2.
#[track_caller]
pub fn dstack<A: Borrow<Array>>(arrays: &[A]) -> Array {
    concatenate(&arrays.iter().map(|x| atleast_3d(x.borrow())).collect::<Vec<_>>(), 2)
}

/// Vectors as the columns of a matrix.
#[track_caller]
pub fn column_stack<A: Borrow<Array>>(arrays: &[A]) -> Array {
    let column = |x: &Array| if x.ndim() < 2 { lax::reshape(x, [x.size(), 1]) } else { x.clone() };
    concatenate(&arrays.iter().map(|x| column(x.borrow())).collect::<Vec<_>>(), 1)
}

/// This many equal pieces along an axis.
#[track_caller]
pub fn split(x: &Array, sections: usize, axis: isize) -> Vec<Array> {
    let extent = x.shape()[check(resolve_axis("split", axis, x.ndim()))];
    if sections == 0 || !extent.is_multiple_of(sections) {
        fail_with(
            ErrorKind::Parameter,
            format!("split: axis {axis} of {} does not divide into {sections} equal pieces; see array_split", x.aval()),
        )
    }
    lax::split(x, &vec![extent / sections; sections], axis)
}

/// This many pieces along an axis, the first ones longer where it does not come out even.
#[track_caller]
pub fn array_split(x: &Array, sections: usize, axis: isize) -> Vec<Array> {
    let extent = x.shape()[check(resolve_axis("array_split", axis, x.ndim()))];
    if sections == 0 {
        fail_with(ErrorKind::Parameter, "array_split: the number of pieces is 0")
    }
    let sizes: Vec<usize> = (0..sections).map(|i| extent / sections + usize::from(i < extent % sections)).collect();
    lax::split(x, &sizes, axis)
}

/// Pieces along an axis that end at these indices, and the rest.
#[track_caller]
pub fn split_at(x: &Array, indices: &[usize], axis: isize) -> Vec<Array> {
    let extent = x.shape()[check(resolve_axis("split", axis, x.ndim()))];
    let bounds: Vec<usize> = std::iter::once(0).chain(indices.iter().map(|&i| i.min(extent))).chain([extent]).collect();
    let sizes: Vec<usize> = bounds.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
    lax::split(x, &sizes, axis)
}

/// Reversed along axes.
#[track_caller]
pub fn flip(x: &Array, axes: impl crate::array::Axes) -> Array {
    lax::rev(x, &check(axes.resolve("flip", x.ndim())))
}

/// Left and right swapped.
#[track_caller]
pub fn fliplr(x: &Array) -> Array {
    flip(x, 1)
}

/// Up and down swapped.
#[track_caller]
pub fn flipud(x: &Array) -> Array {
    flip(x, 0)
}

/// Rotated by quarter turns in the plane of the first two axes.
#[track_caller]
pub fn rot90(x: &Array, turns: i32) -> Array {
    match turns.rem_euclid(4) {
        0 => x.clone(),
        1 => flip(&swapaxes(x, 0, 1), 0),
        2 => flip(x, [0, 1]),
        _ => flip(&swapaxes(x, 0, 1), 1),
    }
}

/// Elements shifted along an axis; those that leave at the end come back at the start.
#[track_caller]
pub fn roll(x: &Array, shift: i64, axis: isize) -> Array {
    let axis = check(resolve_axis("roll", axis, x.ndim())) as isize;
    let extent = x.shape()[axis as usize];
    if extent == 0 {
        return x.clone();
    }
    let cut = extent - shift.rem_euclid(extent as i64) as usize;
    let (head, tail) = (lax::slice_in_dim(x, 0, cut, axis), lax::slice_in_dim(x, cut, extent, axis));
    lax::concatenate(&[&tail, &head], axis as usize)
}

/// Each element this many times in a row along an axis.
#[track_caller]
pub fn repeat(x: &Array, count: usize, axis: isize) -> Array {
    let shape = x.shape();
    let axis = check(resolve_axis("repeat", axis, shape.rank()));
    let wide = shape.with_axis(axis + 1, count);
    let dims: Vec<usize> = (0..wide.rank()).filter(|&a| a != axis + 1).collect();
    lax::reshape(&lax::broadcast_in_dim(x, wide, &dims), shape.with_extent(axis, shape[axis] * count))
}

/// The whole array repeated, this many times along each axis.
#[track_caller]
pub fn tile(x: &Array, counts: &[usize]) -> Array {
    let rank = x.ndim().max(counts.len());
    let pad = |extents: &[usize]| -> Vec<usize> {
        std::iter::repeat_n(1, rank - extents.len()).chain(extents.iter().copied()).collect()
    };
    let (shape, counts) = (pad(&x.shape()), pad(counts));
    let interleaved: Shape = counts.iter().zip(&shape).flat_map(|(&n, &extent)| [n, extent]).collect();
    let dims: Vec<usize> = (0..rank).map(|axis| 2 * axis + 1).collect();
    let tiled: Shape = counts.iter().zip(&shape).map(|(n, extent)| n * extent).collect();
    lax::reshape(&lax::broadcast_in_dim(lax::reshape(x, shape), interleaved, &dims), tiled)
}

/// Padded with a constant: low and high padding for each axis.
#[track_caller]
pub fn pad(x: &Array, widths: &[(usize, usize)], value: impl crate::array::Operand) -> Array {
    if widths.len() != x.ndim() {
        fail_with(ErrorKind::Parameter, format!("pad: found {} widths for an array of type {}", widths.len(), x.aval()))
    }
    let padding: Vec<PadDim> =
        widths.iter().map(|&(low, high)| PadDim { low: low as i64, high: high as i64, interior: 0 }).collect();
    lax::pad(x, value.into_array().converted(x.dtype(), false), &padding)
}

/// Elements of `values` after those of x, both flattened.
#[track_caller]
pub fn append(x: &Array, values: &Array) -> Array {
    concatenate(&[ravel(x), ravel(values)], 0)
}
