//! Arrays from numbers, nested lists and rules.

use rjax_ir::{DType, Element, ErrorKind, Scalar, Shape, Tensor};

use crate::array::{Array, Operand, result_type};
use crate::error::fail_with;
use crate::lax;

/// Nested Rust arrays, vectors and slices of numbers.
pub trait Nested {
    /// The number type.
    type Number: Element;
    /// The extents below this level; the first element decides.
    fn extents(&self) -> Vec<usize>;
    /// Appends the numbers; the error is the extents of a part that does not have `extents`.
    fn append(&self, extents: &[usize], to: &mut Vec<Self::Number>) -> Result<(), Vec<usize>>;
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Nested for $type {
            type Number = $type;

            fn extents(&self) -> Vec<usize> {
                Vec::new()
            }

            fn append(&self, _: &[usize], to: &mut Vec<$type>) -> Result<(), Vec<usize>> {
                to.push(*self);
                Ok(())
            }
        }
    )*};
}

numbers!(bool i8 i16 i32 i64 u8 u16 u32 u64 rjax_ir::f16 rjax_ir::bf16 f32 f64 rjax_ir::Complex64 rjax_ir::Complex128);

fn list_extents<N: Nested>(list: &[N]) -> Vec<usize> {
    let mut extents = vec![list.len()];
    extents.extend(list.first().map(Nested::extents).unwrap_or_default());
    extents
}

fn append_list<N: Nested>(list: &[N], extents: &[usize], to: &mut Vec<N::Number>) -> Result<(), Vec<usize>> {
    if list.len() != extents[0] {
        return Err(list_extents(list));
    }
    list.iter().try_for_each(|item| item.append(&extents[1..], to))
}

impl<N: Nested, const LEN: usize> Nested for [N; LEN] {
    type Number = N::Number;

    fn extents(&self) -> Vec<usize> {
        list_extents(self)
    }

    fn append(&self, extents: &[usize], to: &mut Vec<N::Number>) -> Result<(), Vec<usize>> {
        append_list(self, extents, to)
    }
}

impl<N: Nested> Nested for Vec<N> {
    type Number = N::Number;

    fn extents(&self) -> Vec<usize> {
        list_extents(self)
    }

    fn append(&self, extents: &[usize], to: &mut Vec<N::Number>) -> Result<(), Vec<usize>> {
        append_list(self, extents, to)
    }
}

impl<N: Nested> Nested for &[N] {
    type Number = N::Number;

    fn extents(&self) -> Vec<usize> {
        list_extents(self)
    }

    fn append(&self, extents: &[usize], to: &mut Vec<N::Number>) -> Result<(), Vec<usize>> {
        append_list(self, extents, to)
    }
}

/// An array from nested lists of numbers. As in JAX, 64-bit numbers become 32-bit: use [`Array::from_vec`] to keep them.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// assert_eq!(x.aval().to_string(), "f32[3,2]");
/// ```
#[track_caller]
pub fn array<N: Nested>(values: N) -> Array {
    let extents = values.extents();
    let mut flat = Vec::new();
    if let Err(found) = values.append(&extents, &mut flat) {
        fail_with(
            ErrorKind::Shape,
            format!(
                "array: a nested list has shape {}, where the first has {}",
                Shape::from(found),
                Shape::from(&extents[1..])
            ),
        )
    }
    let narrow = match N::Number::DTYPE {
        DType::I64 => DType::I32,
        DType::U64 => DType::U32,
        DType::F64 => DType::F32,
        DType::C128 => DType::C64,
        same @ (DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::F16
        | DType::BF16
        | DType::F32
        | DType::C64
        | DType::Narrow(_)) => same,
    };
    let value = if narrow == N::Number::DTYPE {
        Tensor::from_vec(extents, flat)
    } else {
        rjax_ir::with_element!(narrow, T => {
            Tensor::from_vec(extents, flat.into_iter().map(|x| <T as Element>::from_c128(x.to_c128())).collect::<Vec<T>>())
        })
    };
    Array::from_tensor(value)
}

/// One value everywhere.
#[track_caller]
pub fn full(shape: impl Into<Shape>, value: impl Operand, dtype: DType) -> Array {
    lax::full(shape, value, dtype)
}

/// Zeros.
#[track_caller]
pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Array {
    Array::constant(Scalar::zero(dtype), false).broadcasted(&shape.into())
}

/// Ones.
#[track_caller]
pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Array {
    Array::constant(Scalar::one(dtype), false).broadcasted(&shape.into())
}

/// Zeros; there is no uninitialised memory here.
#[track_caller]
pub fn empty(shape: impl Into<Shape>, dtype: DType) -> Array {
    zeros(shape, dtype)
}

/// Zeros with the type of another array.
#[track_caller]
pub fn zeros_like(x: &Array) -> Array {
    lax::full_like(x, Array::constant(Scalar::zero(x.dtype()), false))
}

/// Ones with the type of another array.
#[track_caller]
pub fn ones_like(x: &Array) -> Array {
    lax::full_like(x, Array::constant(Scalar::one(x.dtype()), false))
}

/// Zeros with the type of another array; there is no uninitialised memory here.
#[track_caller]
pub fn empty_like(x: &Array) -> Array {
    zeros_like(x)
}

/// One value everywhere, with the type of another array.
#[track_caller]
pub fn full_like(x: &Array, value: impl Operand) -> Array {
    lax::full_like(x, value)
}

/// The identity matrix.
#[track_caller]
pub fn eye(n: usize, dtype: DType) -> Array {
    super::indexing::diagonal_mask(&Shape::from([n, n]), 0).astype(dtype)
}

/// The identity matrix.
#[track_caller]
pub fn identity(n: usize, dtype: DType) -> Array {
    eye(n, dtype)
}

/// Ones on and below the k-th diagonal, zeros above.
#[track_caller]
pub fn tri(rows: usize, columns: usize, k: i64, dtype: DType) -> Array {
    lower_mask(&[rows, columns].into(), k).astype(dtype)
}

/// Whether an element is on or below the k-th diagonal of the last two axes.
#[track_caller]
pub(crate) fn lower_mask(shape: &Shape, k: i64) -> Array {
    let rank = shape.rank();
    let row = lax::broadcasted_iota(DType::I32, shape.clone(), rank - 2);
    let column = lax::broadcasted_iota(DType::I32, shape.clone(), rank - 1);
    lax::ge(lax::add(&row, k), &column)
}

/// 0, 1, 2, … below `stop`, as `i32`.
#[track_caller]
pub fn arange(stop: usize) -> Array {
    lax::iota(DType::I32, stop)
}

/// `start`, `start + step`, … below `stop` (above it for a negative step): `i32` for integers, `f32` for floats.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(jnp::arange_step(0.0, 1.0, 0.25).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75]);
/// ```
#[track_caller]
pub fn arange_step(start: impl Operand, stop: impl Operand, step: impl Operand) -> Array {
    let (start, stop, step) = (start.into_array(), stop.into_array(), step.into_array());
    let (dtype, _) = result_type(&[&start, &stop, &step]);
    let number = |x: &Array| x.astype(DType::F64).item::<f64>();
    let count = ((number(&stop) - number(&start)) / number(&step)).ceil();
    if !count.is_finite() {
        fail_with(ErrorKind::Parameter, "arange: the step is zero or a bound is not finite")
    }
    let positions = lax::iota(if dtype == DType::Bool { DType::I32 } else { dtype }, count.max(0.0) as usize);
    &start.converted(positions.dtype(), false) + positions * step.converted(dtype, false)
}

/// Evenly spaced numbers from `start` to `stop`, both included.
#[track_caller]
pub fn linspace(start: impl Operand, stop: impl Operand, count: usize) -> Array {
    let (start, stop) = (start.into_array(), stop.into_array());
    let (dtype, _) = result_type(&[&start, &stop]);
    let dtype = if dtype.is_inexact() { dtype } else { DType::F32 };
    let (start, stop) = (start.converted(dtype, false), stop.converted(dtype, false));
    if count < 2 {
        return start.reshape(start.shape().with_axis(0, 1)).broadcasted(&start.shape().with_axis(0, count));
    }
    let last = count - 1;
    let shape: Shape = std::iter::once(last).chain(start.shape().iter().map(|_| 1)).collect();
    let fraction = (lax::iota(dtype, last) / last).reshape(shape);
    let inner = &start * (1.0 - &fraction) + &stop * &fraction;
    let end = stop.broadcasted(&super::broadcast_shapes(&[&start.shape(), &stop.shape()]));
    // The last element is exactly `stop`.
    lax::concatenate(&[&inner, &end.reshape(end.shape().with_axis(0, 1))], 0)
}

/// Evenly spaced on a logarithmic scale: from `base^start` to `base^stop`.
#[track_caller]
pub fn logspace(start: impl Operand, stop: impl Operand, count: usize, base: f64) -> Array {
    super::power(Array::from(base), linspace(start, stop, count))
}

/// Evenly spaced on a logarithmic scale from `start` to `stop`, both included and both positive. JAX: `numpy.geomspace`.
#[track_caller]
pub fn geomspace(start: impl Operand, stop: impl Operand, count: usize) -> Array {
    let (start, stop) = (start.into_array(), stop.into_array());
    let inner = super::power(10.0, linspace(super::log10(&start), super::log10(&stop), count));
    if count == 0 {
        return inner;
    }
    // The ends are exact.
    let ends = crate::array::promote_all("geomspace", &[&start, &stop, &lax::index_in_dim(&inner, 0, 0)]);
    let exact = inner.at(0).set(&ends[0]);
    if count > 1 { exact.at(-1).set(&ends[1]) } else { exact }
}

/// Coordinate arrays from coordinate vectors: one array for each vector, of the shape that all span. `indexing` is `"xy"`
/// (the first vector runs along axis 1, as in plots) or `"ij"`.
#[track_caller]
pub fn meshgrid(vectors: &[&Array], indexing: &str) -> Vec<Array> {
    if !["xy", "ij"].contains(&indexing) {
        fail_with(ErrorKind::Parameter, format!("meshgrid: found indexing {indexing:?}, expected \"xy\" or \"ij\""))
    }
    let rank = vectors.len();
    let axis_of = |i: usize| if indexing == "xy" && rank > 1 && i < 2 { 1 - i } else { i };
    let mut extents = vec![0; rank];
    for (i, vector) in vectors.iter().enumerate() {
        extents[axis_of(i)] = vector.size();
    }
    let shape = Shape::from(extents);
    vectors.iter().enumerate().map(|(i, v)| lax::broadcast_in_dim(v.ravel(), shape.clone(), &[axis_of(i)])).collect()
}

/// An array's value copied into a new one.
pub fn copy(x: &Array) -> Array {
    x.clone()
}
