//! Inserting, deleting, choosing and putting elements.

use std::borrow::Borrow;

use rjax_ir::{DType, ErrorKind, Shape};

use super::TakeMode;
use super::logic::truth;
use crate::array::{Array, Operand, promote_all, promote_dtypes};
use crate::error::{check, fail_with};
use crate::lax::{self, resolve_axis};

/// Static indices along an axis of this extent, counted from the front.
#[track_caller]
fn resolved(function: &str, indices: &[isize], extent: usize) -> Vec<usize> {
    let n = extent as isize;
    let mut found = Vec::with_capacity(indices.len());
    for &index in indices {
        let i = if index < 0 { index + n } else { index };
        if !(0..n).contains(&i) {
            fail_with(
                ErrorKind::Parameter,
                format!("{function}: index {index} is out of range for an axis of size {extent}"),
            )
        }
        found.push(i as usize);
    }
    found
}

#[track_caller]
fn picked(x: &Array, positions: impl IntoIterator<Item = usize>, axis: usize) -> Array {
    let positions: Vec<i32> = positions.into_iter().map(|i| i as i32).collect();
    super::take(x, Array::from_slice(&positions), axis as isize, TakeMode::Clip)
}

/// x with values inserted before these indices of an axis. The values broadcast to x's shape with as many elements along the
/// axis as there are indices. JAX: `numpy.insert`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([1, 2, 3]);
/// assert_eq!(jnp::insert(&x, &[1, -1], jnp::array([8, 9]), 0).to_vec::<i32>(), [1, 8, 2, 9, 3]);
/// ```
#[track_caller]
pub fn insert(x: &Array, indices: &[isize], values: impl Operand, axis: isize) -> Array {
    let axis = check(resolve_axis("insert", axis, x.ndim()));
    let (n, k) = (x.shape()[axis], indices.len());
    // An index may be the end of the axis; negative ones count from it.
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(k);
    for (i, &index) in indices.iter().enumerate() {
        let at = if index < 0 { index + n as isize } else { index };
        if !(0..=n as isize).contains(&at) {
            fail_with(ErrorKind::Parameter, format!("insert: index {index} is out of range for an axis of size {n}"))
        }
        places.push((at as usize, i));
    }
    places.sort();
    let values = values.into_array();
    let values = values.converted(x.dtype(), false);
    let together = x.shape().with_extent(axis, k);
    if check(crate::array::broadcast_shapes("insert", &[values.shape(), together.clone()])) != together {
        fail_with(
            ErrorKind::Shape,
            format!("insert: values of type {} do not broadcast to shape {together}", values.aval()),
        )
    }
    let joined = lax::concatenate(&[x, &values.broadcasted(&together)], axis);
    let mut order = Vec::with_capacity(n + k);
    let mut next = places.into_iter().peekable();
    for i in 0..=n {
        while let Some(&(_, value)) = next.peek().filter(|(at, _)| *at == i) {
            order.push(n + value);
            next.next();
        }
        if i < n {
            order.push(i);
        }
    }
    picked(&joined, order, axis)
}

/// x without the elements at these indices of an axis. JAX: `numpy.delete`.
#[track_caller]
pub fn delete(x: &Array, indices: &[isize], axis: isize) -> Array {
    let axis = check(resolve_axis("delete", axis, x.ndim()));
    let n = x.shape()[axis];
    let gone = resolved("delete", indices, n);
    picked(x, (0..n).filter(|i| !gone.contains(i)), axis)
}

/// Elements of x in row-major order, over and over, in another shape. JAX: `numpy.resize`.
#[track_caller]
pub fn resize(x: &Array, shape: impl Into<Shape>) -> Array {
    let shape = shape.into();
    let flat = x.ravel();
    if flat.is_empty() {
        return super::zeros(shape, x.dtype());
    }
    let tiled = super::tile(&flat, &[shape.size().div_ceil(flat.size()).max(1)]);
    lax::reshape(&lax::slice_in_dim(&tiled, 0, shape.size(), 0), shape)
}

/// A vector without the zeros at its start and end. Needs the value. JAX: `numpy.trim_zeros`.
#[track_caller]
pub fn trim_zeros(x: &Array) -> Array {
    let kept = super::flatnonzero(x).to_vec::<i32>();
    match (kept.first(), kept.last()) {
        (Some(&first), Some(&last)) => lax::slice_in_dim(x, first as usize, last as usize + 1, 0),
        (None, _) | (_, None) => lax::slice_in_dim(x, 0, 0, 0),
    }
}

/// Each element several times in a row along an axis, element i `counts[i]` times. JAX: `numpy.repeat` with an array.
#[track_caller]
pub fn repeat_each(x: &Array, counts: &[usize], axis: isize) -> Array {
    let axis = check(resolve_axis("repeat_each", axis, x.ndim()));
    if counts.len() != x.shape()[axis] {
        fail_with(
            ErrorKind::Shape,
            format!("repeat_each: found {} counts for axis {axis} of {}", counts.len(), x.aval()),
        )
    }
    picked(x, counts.iter().enumerate().flat_map(|(i, &count)| std::iter::repeat_n(i, count)), axis)
}

/// A matrix of blocks: rows of arrays side by side, on top of each other. JAX: `numpy.block` of nested lists.
#[track_caller]
pub fn block(rows: &[&[&Array]]) -> Array {
    let rows: Vec<Array> = rows
        .iter()
        .map(|row| super::concatenate(&row.iter().map(|x| super::atleast_2d(x)).collect::<Vec<_>>(), -1))
        .collect();
    super::concatenate(&rows, -2)
}

/// Equal pieces along axis 1, of a vector along axis 0. JAX: `numpy.hsplit`.
#[track_caller]
pub fn hsplit(x: &Array, sections: usize) -> Vec<Array> {
    super::split(x, sections, isize::from(x.ndim() > 1))
}

/// Equal pieces along axis 0. JAX: `numpy.vsplit`.
#[track_caller]
pub fn vsplit(x: &Array, sections: usize) -> Vec<Array> {
    super::split(x, sections, 0)
}

/// Equal pieces along axis 2. JAX: `numpy.dsplit`.
#[track_caller]
pub fn dsplit(x: &Array, sections: usize) -> Vec<Array> {
    super::split(x, sections, 2)
}

/// One array after the other along an axis, in a common dtype. JAX: `numpy.concat`.
#[track_caller]
pub fn concat<A: Borrow<Array>>(arrays: &[A], axis: isize) -> Array {
    super::concatenate(arrays, axis)
}

/// Elementwise, the choice with the number that the index array has there; all broadcast together. Indices outside are clipped
/// or wrapped, and under [`TakeMode::Fill`] clipped as well. JAX: `numpy.choose`.
#[track_caller]
pub fn choose(indices: &Array, choices: &[&Array], mode: TakeMode) -> Array {
    if choices.is_empty() {
        fail_with(ErrorKind::Structure, "choose: no choices")
    }
    let indices = super::integers("choose", indices.clone());
    let indices = match mode {
        TakeMode::Wrap => super::remainder(&indices, choices.len()),
        TakeMode::Clip | TakeMode::Fill => super::clip(&indices, 0, choices.len() - 1),
    };
    let cases = promote_all("choose", choices);
    let shape = super::broadcast_shapes(&[&indices.shape(), &cases[0].shape()]);
    let cases: Vec<Array> = cases.iter().map(|x| x.broadcasted(&shape)).collect();
    if cases.len() == 1 {
        return cases[0].clone();
    }
    lax::select_n(indices.astype(DType::I32).broadcasted(&shape), &cases.iter().collect::<Vec<_>>())
}

/// The elements along an axis for which a vector of conditions holds. Needs its value, or `size`: then the rest is zero. JAX:
/// `numpy.compress`.
#[track_caller]
pub fn compress(condition: &Array, x: &Array, axis: isize, size: Option<usize>) -> Array {
    let axis = check(resolve_axis("compress", axis, x.ndim()));
    if condition.ndim() != 1 || condition.len() > x.shape()[axis] {
        fail_with(
            ErrorKind::Shape,
            format!(
                "compress: the condition has type {}, expected a vector no longer than axis {axis} of {}",
                condition.aval(),
                x.aval()
            ),
        )
    }
    let condition = truth(condition.clone());
    match size {
        None => super::take(x, super::flatnonzero(&condition), axis as isize, TakeMode::Clip),
        Some(size) => {
            let positions = super::nonzero_sized(&condition, size, x.shape()[axis] as i64).remove(0);
            let taken = super::take(x, &positions, axis as isize, TakeMode::Clip);
            let mut shape = vec![1; x.ndim()];
            shape[axis] = size;
            super::where_(positions.lt(x.shape()[axis]).reshape(shape), taken, 0)
        }
    }
}

/// x with elements at flat positions replaced; values repeat as often as needed. JAX: `numpy.put`.
#[track_caller]
pub fn put(x: &Array, indices: &Array, values: &Array, mode: TakeMode) -> Array {
    let flat = super::integers("put", indices.ravel());
    let n = x.size();
    let flat = match mode {
        TakeMode::Wrap => super::remainder(&flat, n.max(1)),
        TakeMode::Clip => super::clip(&flat, 0, n.saturating_sub(1)),
        TakeMode::Fill => flat,
    };
    let values = resize(values, flat.shape());
    lax::reshape(&x.ravel().at(&flat).set(values), x.shape())
}

/// x with elements replaced at indices that differ from line to line: `y[i, indices[i, j]] = values[i, j]`. JAX:
/// `numpy.put_along_axis`.
#[track_caller]
pub fn put_along_axis(x: &Array, indices: &Array, values: impl Operand, axis: isize) -> Array {
    let rank = x.ndim();
    let axis = check(resolve_axis("put_along_axis", axis, rank));
    if indices.ndim() != rank {
        fail_with(
            ErrorKind::Shape,
            format!(
                "put_along_axis: the indices have type {}, the array {}: the ranks differ",
                indices.aval(),
                x.aval()
            ),
        )
    }
    let shape = x.shape().with_extent(axis, indices.shape()[axis]);
    let indices = super::integers("put_along_axis", indices.clone()).broadcasted(&shape);
    let parts: Vec<crate::array::Indexer> = (0..rank)
        .map(|a| {
            let index = if a == axis { indices.clone() } else { lax::broadcasted_iota(DType::I32, shape.clone(), a) };
            crate::array::Indexer::Array(index)
        })
        .collect();
    x.at(parts).set(values)
}

/// x with the elements for which a mask holds replaced, one after the other, by values that repeat as often as needed. JAX:
/// `numpy.place`.
#[track_caller]
pub fn place(x: &Array, mask: &Array, values: &Array) -> Array {
    if mask.shape() != x.shape() || values.is_empty() {
        fail_with(
            ErrorKind::Shape,
            format!("place: found a mask {} and values {} for {}", mask.aval(), values.aval(), x.aval()),
        )
    }
    let flat = truth(mask.ravel());
    let turn = super::remainder(flat.astype(DType::I32).cumsum(0) - 1, values.size());
    let chosen = super::take(&values.ravel(), turn, 0, TakeMode::Clip).astype(x.dtype());
    lax::reshape(&super::where_(flat, chosen, x.ravel()), x.shape())
}

/// x with its main diagonal, elements with equal indices, replaced. JAX: `numpy.fill_diagonal`.
#[track_caller]
pub fn fill_diagonal(x: &Array, value: impl Operand) -> Array {
    let shape = x.shape();
    let Some(&n) = shape.iter().min().filter(|_| shape.rank() > 1) else {
        fail_with(ErrorKind::Shape, format!("fill_diagonal: found {}, expected at least two axes", x.aval()))
    };
    let value = value.into_array().converted(x.dtype(), false);
    let value = if value.ndim() == 0 { value } else { resize(&value, [n]) };
    let along = lax::iota(DType::I32, n);
    x.at(vec![crate::array::Indexer::Array(along); shape.rank()]).set(value)
}

/// Index arrays that pick the grid spanned by several vectors. JAX: `numpy.ix_`.
#[track_caller]
pub fn ix_(vectors: &[&Array]) -> Vec<Array> {
    let rank = vectors.len();
    let mut grid = Vec::with_capacity(rank);
    for (axis, vector) in vectors.iter().enumerate() {
        if vector.ndim() != 1 {
            fail_with(ErrorKind::Shape, format!("ix_: found {}, expected vectors", vector.aval()))
        }
        let vector = if vector.dtype() == DType::Bool { super::flatnonzero(vector) } else { (*vector).clone() };
        let mut shape = vec![1; rank];
        shape[axis] = vector.size();
        grid.push(lax::reshape(&vector, shape));
    }
    grid
}

/// For each axis of a shape the index along it, stacked along a new first axis. JAX: `numpy.indices`.
#[track_caller]
pub fn indices(shape: impl Into<Shape>) -> Array {
    let shape = shape.into();
    if shape.rank() == 0 {
        return super::zeros([0], DType::I32);
    }
    let along: Vec<Array> =
        (0..shape.rank()).map(|axis| lax::broadcasted_iota(DType::I32, shape.clone(), axis)).collect();
    super::stack(&along, 0)
}

/// The indices of the main diagonal of an n×n×… array with `ndim` axes. JAX: `numpy.diag_indices`.
#[track_caller]
pub fn diag_indices(n: usize, ndim: usize) -> Vec<Array> {
    vec![lax::iota(DType::I32, n); ndim]
}

/// The indices of the main diagonal of an array with equal extents. JAX: `numpy.diag_indices_from`.
#[track_caller]
pub fn diag_indices_from(x: &Array) -> Vec<Array> {
    let shape = x.shape();
    if shape.rank() < 2 || shape.iter().any(|&extent| extent != shape[0]) {
        fail_with(ErrorKind::Shape, format!("diag_indices_from: found {}, expected equal extents", x.aval()))
    }
    diag_indices(shape[0], shape.rank())
}

/// Row and column indices of the elements of an n×n matrix that a function like [`triu`](super::triu) keeps. JAX:
/// `numpy.mask_indices`.
#[track_caller]
pub fn mask_indices(n: usize, mask: impl Fn(&Array, i64) -> Array, k: i64) -> Vec<Array> {
    super::nonzero(&mask(&super::ones([n, n], DType::I32), k))
}

/// Row and column indices of the lower triangle of a matrix. JAX: `numpy.tril_indices_from`.
#[track_caller]
pub fn tril_indices_from(x: &Array, k: i64) -> Vec<Array> {
    let [rows, columns] = x.dims();
    super::nonzero(&super::tri(rows, columns, k, DType::Bool))
}

/// Row and column indices of the upper triangle of a matrix. JAX: `numpy.triu_indices_from`.
#[track_caller]
pub fn triu_indices_from(x: &Array, k: i64) -> Vec<Array> {
    let [rows, columns] = x.dims();
    super::nonzero(&!super::tri(rows, columns, k - 1, DType::Bool))
}

/// Values from functions, by conditions: for each element the function of the last condition that holds there, of
/// `functions` past the conditions, or 0, where none does. Each function sees the whole array. JAX: `numpy.piecewise`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([-2.0, 3.0]);
/// let y = jnp::piecewise(&x, &[&x.lt(0.0)], &[&|x: &Array| -x, &|x: &Array| x * 10.0]);
/// assert_eq!(y.to_vec::<f32>(), [2.0, 30.0]);
/// ```
#[track_caller]
pub fn piecewise(x: &Array, conditions: &[&Array], functions: &[&dyn Fn(&Array) -> Array]) -> Array {
    let n = conditions.len();
    if functions.len() != n && functions.len() != n + 1 {
        fail_with(
            ErrorKind::Structure,
            format!("piecewise: found {} functions for {n} conditions, expected as many or one more", functions.len()),
        )
    }
    let default = match functions.get(n) {
        Some(f) => f(x),
        None => super::zeros_like(x),
    };
    conditions
        .iter()
        .zip(functions)
        .fold(default.astype(x.dtype()), |rest, (condition, f)| super::where_(*condition, f(x).astype(x.dtype()), rest))
}

/// A function of index arrays, one for each axis of a shape. JAX: `numpy.fromfunction`.
#[track_caller]
pub fn fromfunction(f: impl FnOnce(&[Array]) -> Array, shape: impl Into<Shape>) -> Array {
    let shape = shape.into();
    let along: Vec<Array> =
        (0..shape.rank()).map(|axis| lax::broadcasted_iota(DType::I32, shape.clone(), axis)).collect();
    f(&along)
}

/// Applies a function of a vector to the lines along an axis; its result's axes take that axis's place. JAX:
/// `numpy.apply_along_axis`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([[1.0, 2.0], [3.0, 5.0]]);
/// let y = jnp::apply_along_axis(|line: &Array| jnp::diff(line, 1, 0), 1, &x);
/// assert_eq!((y.shape()[..].to_vec(), y.to_vec::<f32>()), (vec![2, 1], vec![1.0, 2.0]));
/// ```
#[track_caller]
pub fn apply_along_axis<'f, M>(f: impl crate::IntoFun<'f, (Array,), Array, M>, axis: isize, x: &Array) -> Array {
    let rank = x.ndim();
    let axis = check(resolve_axis("apply_along_axis", axis, rank));
    let f = f.into_fun();
    let rest = x.shape().without(&[axis]);
    let lines = lax::reshape(&super::moveaxis(x, axis as isize, -1), [rest.size(), x.shape()[axis]]);
    let results = crate::transform::vmap(move |line: &Array| f(line), crate::axes![0])(&lines);
    let made = results.shape().without(&[0]);
    // Axes are now those before and after the line's, then the result's, which belong between.
    let unfolded = lax::reshape(&results, rest.iter().chain(made.iter()).copied().collect::<Shape>());
    let order: Vec<usize> = (0..axis).chain(rank - 1..rank - 1 + made.rank()).chain(axis..rank - 1).collect();
    lax::transpose(&unfolded, &order)
}

/// Applies a function of an array and an axis for several axes, one after the other; where it drops the axis, that stays with
/// extent 1. JAX: `numpy.apply_over_axes`.
#[track_caller]
pub fn apply_over_axes(f: impl Fn(&Array, isize) -> Array, x: &Array, axes: &[isize]) -> Array {
    let mut x = x.clone();
    for &axis in axes {
        let axis = check(resolve_axis("apply_over_axes", axis, x.ndim())) as isize;
        let y = f(&x, axis);
        x = if y.ndim() == x.ndim() { y } else { y.expand_dims(axis) };
    }
    x
}

/// Whether two arrays broadcast together and are equal. JAX: `numpy.array_equiv`.
#[track_caller]
pub fn array_equiv(x: &Array, y: &Array) -> Array {
    match crate::array::broadcast_shapes("array_equiv", &[x.shape(), y.shape()]) {
        Ok(_) => x.eq(y).all(..),
        Err(_) => Array::constant(rjax_ir::Scalar::new(false), false),
    }
}

/// Sorted along the last axis, as complex numbers. JAX: `numpy.sort_complex`.
#[track_caller]
pub fn sort_complex(x: &Array) -> Array {
    let complex = promote_dtypes(&[x, &Array::scalar(rjax_ir::Complex64::new(0.0, 0.0))]);
    lax::sort(&complex[0], -1)
}
