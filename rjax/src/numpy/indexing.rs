//! Selecting and replacing elements.

use rjax_ir::{DType, ErrorKind, Gather, IndexMode, Scalar, Shape};

use crate::array::{Array, Operand, promote_all};
use crate::error::{check, fail_with};
use crate::lax::{self, resolve_axis};

use super::logic::truth;

/// `x` where the condition holds, `y` elsewhere, all three broadcast together.
#[track_caller]
pub fn where_(condition: impl Operand, x: impl Operand, y: impl Operand) -> Array {
    let condition = truth(condition.into_array());
    let (x, y) = (x.into_array(), y.into_array());
    let shape = super::broadcast_shapes(&[&condition.shape(), &x.shape(), &y.shape()]);
    let cases = promote_all("where", &[&x, &y]);
    let condition = condition.broadcasted(&shape);
    lax::select(&condition, cases[0].broadcasted(&shape), cases[1].broadcasted(&shape)).with_weak(cases[0].is_weak())
}

/// The first of several values whose condition holds, else a default.
#[track_caller]
pub fn select(conditions: &[&Array], values: &[&Array], default: impl Operand) -> Array {
    if conditions.len() != values.len() {
        fail_with(
            ErrorKind::Structure,
            format!("select: found {} conditions and {} values", conditions.len(), values.len()),
        )
    }
    conditions
        .iter()
        .zip(values)
        .rev()
        .fold(default.into_array(), |rest, (condition, value)| where_(*condition, *value, rest))
}

/// How an index outside of the axis is treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TakeMode {
    /// NaN for floats, the least value of signed integers, the greatest of unsigned ones, true for bool.
    #[default]
    Fill,
    /// The nearest element.
    Clip,
    /// Counted on from the start.
    Wrap,
}

/// Elements along an axis at computed indices of any shape; the axes of the indices take the axis's place. Negative indices
/// count from the end.
#[track_caller]
pub fn take(x: &Array, indices: impl Operand, axis: isize, mode: TakeMode) -> Array {
    let axis = check(resolve_axis("take", axis, x.ndim()));
    let indices = integers("take", indices.into_array());
    let shape = x.shape();
    let extent = shape[axis];
    let wrapped = match mode {
        TakeMode::Wrap => super::remainder(&indices, extent.max(1)),
        TakeMode::Fill | TakeMode::Clip => lax::select(lax::lt(&indices, 0), lax::add(&indices, extent), &indices),
    };
    let rank = indices.ndim();
    let slice_sizes = shape.with_extent(axis, 1).to_vec();
    let offset_dims = (0..axis).chain(axis + rank..shape.rank() - 1 + rank).collect();
    let parameters = Gather {
        offset_dims,
        collapsed_slice_dims: vec![axis],
        operand_batching_dims: vec![],
        start_indices_batching_dims: vec![],
        start_index_map: vec![axis],
        slice_sizes,
        mode: if mode == TakeMode::Clip { IndexMode::Clip } else { IndexMode::FillOrDrop },
        fill_value: None,
        unique_indices: false,
        indices_are_sorted: false,
    };
    lax::gather(x, &super::expand_dims(&wrapped, -1), parameters)
}

/// Indices as `i32`, or as they are where they have a strong integer dtype.
#[track_caller]
pub(crate) fn integers(function: &str, indices: Array) -> Array {
    if !indices.dtype().is_integer() {
        fail_with(ErrorKind::DType, format!("{function}: the indices have type {}, expected integers", indices.aval()))
    }
    // Signed, so that an index can be negative and an extent can be added.
    let dtype = if indices.dtype().size() == 8 { DType::I64 } else { DType::I32 };
    indices.converted(dtype, false)
}

/// Elements along an axis at indices that differ from line to line: `y[i, j] = x[i, indices[i, j]]`.
#[track_caller]
pub fn take_along_axis(x: &Array, indices: &Array, axis: isize) -> Array {
    let rank = x.ndim();
    let axis = check(resolve_axis("take_along_axis", axis, rank));
    if indices.ndim() != rank {
        fail_with(
            ErrorKind::Shape,
            format!(
                "take_along_axis: the indices have type {}, the array {}: the ranks differ",
                indices.aval(),
                x.aval()
            ),
        )
    }
    let indices = integers("take_along_axis", indices.clone());
    let extent = x.shape()[axis];
    let indices = lax::select(lax::lt(&indices, 0), lax::add(&indices, extent), &indices);
    // Other axes are batch axes; where one side has extent 1 it is repeated.
    let together = super::broadcast_shapes(&[&x.shape().with_extent(axis, 1), &indices.shape().with_extent(axis, 1)]);
    let x = x.broadcasted(&together.with_extent(axis, extent));
    let indices = indices.broadcasted(&together.with_extent(axis, indices.shape()[axis]));
    let others: Vec<usize> = (0..rank).filter(|&a| a != axis).collect();
    let parameters = Gather {
        offset_dims: vec![],
        collapsed_slice_dims: vec![axis],
        operand_batching_dims: others.clone(),
        start_indices_batching_dims: others,
        start_index_map: vec![axis],
        slice_sizes: vec![1; rank],
        mode: IndexMode::FillOrDrop,
        fill_value: None,
        unique_indices: false,
        indices_are_sorted: false,
    };
    lax::gather(&x, &super::expand_dims(&indices, -1), parameters)
}

/// Whether an element of the last two axes is on the k-th diagonal.
#[track_caller]
pub(crate) fn diagonal_mask(shape: &Shape, k: i64) -> Array {
    let row = lax::broadcasted_iota(DType::I32, shape.clone(), shape.rank() - 2);
    let column = lax::broadcasted_iota(DType::I32, shape.clone(), shape.rank() - 1);
    lax::eq(lax::add(&row, k), &column)
}

/// The k-th diagonal of two axes, as a new last axis.
#[track_caller]
pub fn diagonal(x: &Array, offset: i64, axis1: isize, axis2: isize) -> Array {
    let rank = x.ndim();
    let (a, b) = (check(resolve_axis("diagonal", axis1, rank)), check(resolve_axis("diagonal", axis2, rank)));
    if a == b {
        fail_with(ErrorKind::Parameter, format!("diagonal: axis {a} is named twice"))
    }
    let others: Vec<usize> = (0..rank).filter(|&axis| axis != a && axis != b).collect();
    let moved = lax::transpose(x, &[others, vec![a, b]].concat());
    let shape = moved.shape();
    let (rows, columns) = (shape[rank - 2] as i64, shape[rank - 1] as i64);
    let (first_row, first_column) = ((-offset).max(0), offset.max(0));
    let length = (rows - first_row).min(columns - first_column).max(0) as usize;
    // In the flattened matrix the diagonal is every (columns + 1)-th element.
    let lead: Shape = shape[..rank - 2].iter().copied().collect();
    let flat = lax::reshape(&moved, lead.with_axis(rank - 2, (rows * columns) as usize));
    if length == 0 {
        return super::zeros(lead.with_axis(rank - 2, 0), x.dtype());
    }
    let start = (first_row * columns + first_column) as usize;
    let step = columns as usize + 1;
    let (mut starts, mut limits, mut strides) = (vec![0; rank - 1], flat.shape().to_vec(), vec![1; rank - 1]);
    (starts[rank - 2], limits[rank - 2], strides[rank - 2]) = (start, start + (length - 1) * step + 1, step);
    lax::slice(&flat, &starts, &limits, &strides)
}

/// Of a matrix its k-th diagonal; of a vector the matrix that has it there.
#[track_caller]
pub fn diag(x: &Array, k: i64) -> Array {
    match x.ndim() {
        1 => diagflat(x, k),
        2 => diagonal(x, k, 0, 1),
        _ => fail_with(ErrorKind::Shape, format!("diag: found {}, expected a vector or a matrix", x.aval())),
    }
}

/// The square matrix with the flattened elements on its k-th diagonal.
#[track_caller]
pub fn diagflat(x: &Array, k: i64) -> Array {
    let n = x.size() + k.unsigned_abs() as usize;
    let shape = Shape::from([n, n]);
    let column = super::pad(&x.ravel(), &[((-k).max(0) as usize, k.max(0) as usize)], 0);
    let spread = lax::broadcast_in_dim(column, shape.clone(), &[0]);
    lax::select(diagonal_mask(&shape, k), spread, super::zeros(shape, x.dtype()))
}

/// Zeros above the k-th diagonal of the last two axes.
#[track_caller]
pub fn tril(x: &Array, k: i64) -> Array {
    triangle("tril", x, k, true)
}

/// Zeros below the k-th diagonal of the last two axes.
#[track_caller]
pub fn triu(x: &Array, k: i64) -> Array {
    triangle("triu", x, k - 1, false)
}

#[track_caller]
fn triangle(function: &str, x: &Array, k: i64, lower: bool) -> Array {
    let shape = x.shape();
    if shape.rank() < 2 {
        fail_with(ErrorKind::Shape, format!("{function}: found {}, expected at least two axes", x.aval()))
    }
    let (mask, zero) = (super::creation::lower_mask(&shape, k), super::zeros(shape, x.dtype()));
    if lower { lax::select(mask, x, zero) } else { lax::select(mask, zero, x) }
}

/// The indices of elements that are not zero, one array for each axis, padded with `fill` or cut to `size`: traced programs
/// need to know how many there are.
#[track_caller]
pub fn nonzero_sized(x: &Array, size: usize, fill: i64) -> Vec<Array> {
    let flat = truth(x.ravel());
    let rank = flat.astype(DType::I32).cumsum(0);
    // Slot s holds the position of the (s+1)-th element that is not zero.
    let slots = lax::iota(DType::I32, size);
    let position = super::searchsorted(&rank, &(&slots + 1), false);
    let found = slots.lt(flat.astype(DType::I32).sum(..));
    unravel(&position, &x.shape()).into_iter().map(|i| where_(&found, i, fill)).collect()
}

/// The indices of elements that are not zero, one array for each axis. Needs the value: see [`nonzero_sized`] for `jit`.
#[track_caller]
pub fn nonzero(x: &Array) -> Vec<Array> {
    let count = truth(x.ravel()).astype(DType::I32).sum(..).item::<i32>();
    nonzero_sized(x, count as usize, 0)
}

/// The flat indices of elements that are not zero. Needs the value.
#[track_caller]
pub fn flatnonzero(x: &Array) -> Array {
    nonzero(&x.ravel()).remove(0)
}

/// The indices of elements that are not zero, one row for each. Needs the value.
#[track_caller]
pub fn argwhere(x: &Array) -> Array {
    let columns = nonzero(x);
    super::stack(&columns, 1)
}

/// Flat positions as one index array for each axis.
#[track_caller]
fn unravel(positions: &Array, shape: &Shape) -> Vec<Array> {
    let strides = shape.strides();
    let axis = |axis: usize| {
        let (stride, extent) = (strides[axis].max(1), shape[axis].max(1));
        lax::rem(lax::div(positions, stride), extent)
    };
    (0..shape.rank()).map(axis).collect()
}

/// Flat positions of an array of some shape as one index array for each axis.
#[track_caller]
pub fn unravel_index(positions: &Array, shape: impl Into<Shape>) -> Vec<Array> {
    unravel(&integers("unravel_index", positions.clone()), &shape.into())
}

/// Index arrays, one for each axis of a shape, as flat positions.
#[track_caller]
pub fn ravel_multi_index(indices: &[&Array], shape: impl Into<Shape>) -> Array {
    let shape = shape.into();
    if indices.len() != shape.rank() {
        fail_with(ErrorKind::Structure, format!("ravel_multi_index: found {} arrays for shape {shape}", indices.len()))
    }
    let zero = Array::constant(Scalar::zero(DType::I32), false);
    indices.iter().zip(shape.strides()).fold(zero, |sum, (index, stride)| sum + *index * stride)
}

/// Row and column indices of the lower triangle of an n×n matrix.
#[track_caller]
pub fn tril_indices(n: usize, k: i64) -> Vec<Array> {
    nonzero(&super::tri(n, n, k, DType::Bool))
}

/// Row and column indices of the upper triangle of an n×n matrix.
#[track_caller]
pub fn triu_indices(n: usize, k: i64) -> Vec<Array> {
    nonzero(&!super::tri(n, n, k - 1, DType::Bool))
}

/// Elements of `x` for which the condition holds, flattened. Needs the condition's value.
#[track_caller]
pub fn extract(condition: &Array, x: &Array) -> Array {
    take(&x.ravel(), flatnonzero(condition), 0, TakeMode::Clip)
}
