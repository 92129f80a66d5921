//! What dtypes can hold, and how they relate.

use rjax_ir::{DType, ErrorKind, bf16, f16};

use crate::array::{Array, Kind};
use crate::error::fail_with;

/// The limits of a float dtype.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FloatInfo {
    /// The dtype; for complex dtypes that of the parts.
    pub dtype: DType,
    /// Bits of a number.
    pub bits: usize,
    /// Bits of the mantissa that are stored.
    pub nmant: usize,
    /// Bits of the exponent.
    pub nexp: usize,
    /// The distance from 1 to the next greater number.
    pub eps: f64,
    /// The distance from 1 to the next smaller number.
    pub epsneg: f64,
    /// The greatest finite number.
    pub max: f64,
    /// The least finite number.
    pub min: f64,
    /// The smallest positive normal number; JAX also calls it `smallest_normal`.
    pub tiny: f64,
    /// The smallest positive number.
    pub smallest_subnormal: f64,
}

/// The limits of a float or complex dtype. JAX: `numpy.finfo`.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(jnp::finfo(DType::F32).eps, f64::from(f32::EPSILON));
/// ```
#[track_caller]
pub fn finfo(dtype: DType) -> FloatInfo {
    let real = dtype.real();
    let (nmant, nexp, max) = match real {
        DType::F16 => (10, 5, f64::from(f16::MAX)),
        DType::BF16 => (7, 8, f64::from(bf16::MAX)),
        DType::F32 => (23, 8, f64::from(f32::MAX)),
        DType::F64 => (52, 11, f64::MAX),
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::C64
        | DType::C128
        | DType::Narrow(_) => fail_with(ErrorKind::DType, format!("finfo: found {dtype}, expected a float dtype")),
    };
    let power = |exponent: i32| 2f64.powi(exponent);
    let least = 2 - (1 << (nexp - 1));
    FloatInfo {
        dtype: real,
        bits: 1 + nexp + nmant,
        nmant,
        nexp,
        eps: power(-(nmant as i32)),
        epsneg: power(-(nmant as i32) - 1),
        max,
        min: -max,
        tiny: power(least),
        // Written as a product: the power alone would underflow to zero for f64.
        smallest_subnormal: power(least) * power(-(nmant as i32)),
    }
}

/// The limits of an integer dtype.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntInfo {
    /// The dtype.
    pub dtype: DType,
    /// Bits of a number.
    pub bits: usize,
    /// The least number.
    pub min: i128,
    /// The greatest number.
    pub max: i128,
}

/// The limits of an integer dtype. JAX: `numpy.iinfo`.
#[track_caller]
pub fn iinfo(dtype: DType) -> IntInfo {
    if !dtype.is_integer() {
        fail_with(ErrorKind::DType, format!("iinfo: found {dtype}, expected an integer dtype"))
    }
    let bits = dtype.bits();
    let (min, max) = if dtype.is_unsigned_integer() {
        (0, (1i128 << bits) - 1)
    } else {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    };
    IntInfo { dtype, bits, min, max }
}

/// The kinds of dtypes that [`isdtype`] tells apart, as in the array API standard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DTypeKind {
    /// `bool`.
    Bool,
    /// Integers with sign.
    SignedInteger,
    /// Integers without sign.
    UnsignedInteger,
    /// Integers.
    Integral,
    /// Floats.
    RealFloating,
    /// Complex numbers.
    ComplexFloating,
    /// Floats and complex numbers.
    Inexact,
    /// Everything but `bool`.
    Numeric,
}

/// Whether a dtype is of a kind. JAX: `numpy.isdtype`.
pub fn isdtype(dtype: DType, kind: DTypeKind) -> bool {
    match kind {
        DTypeKind::Bool => dtype == DType::Bool,
        DTypeKind::SignedInteger => dtype.is_signed_integer(),
        DTypeKind::UnsignedInteger => dtype.is_unsigned_integer(),
        DTypeKind::Integral => dtype.is_integer(),
        DTypeKind::RealFloating => dtype.is_float(),
        DTypeKind::ComplexFloating => dtype.is_complex(),
        DTypeKind::Inexact => dtype.is_inexact(),
        DTypeKind::Numeric => dtype != DType::Bool,
    }
}

/// Whether a dtype is of a kind. JAX: `numpy.issubdtype`.
pub fn issubdtype(dtype: DType, kind: DTypeKind) -> bool {
    isdtype(dtype, kind)
}

/// Whether every number of one dtype is one of another. JAX: `numpy.can_cast` with the rule `safe`.
pub fn can_cast(from: DType, to: DType) -> bool {
    if from == to {
        return true;
    }
    // The bits of an integer or a mantissa, its hidden bit counted, that are needed and that there are.
    let precision = |dtype: DType| -> u32 {
        match dtype.real() {
            DType::Bool => 1,
            DType::F16 => 11,
            DType::BF16 => 8,
            DType::F32 => 24,
            DType::F64 => 53,
            DType::Narrow(narrow) => match narrow.format() {
                Some(format) => format.mantissa_bits + 1,
                None => narrow.bits() as u32 - narrow.is_signed_integer() as u32,
            },
            DType::I8 | DType::I16 | DType::I32 | DType::I64 => dtype.bits() as u32 - 1,
            DType::U8 | DType::U16 | DType::U32 | DType::U64 | DType::C64 | DType::C128 => dtype.bits() as u32,
        }
    };
    match (Kind::of(from), Kind::of(to)) {
        (Kind::Bool, Kind::Bool | Kind::Int | Kind::Float | Kind::Complex) => true,
        (Kind::Int, Kind::Int) => {
            precision(to) >= precision(from) && (to.is_signed_integer() || from.is_unsigned_integer())
        }
        // NumPy counts 64-bit integers as fitting into f64.
        (Kind::Int, Kind::Float | Kind::Complex) => {
            to.real() == DType::F64 || (from.bits() < 32 && precision(to) >= precision(from))
        }
        (Kind::Float, Kind::Float) | (Kind::Complex, Kind::Complex) | (Kind::Float, Kind::Complex) => {
            to.real().size() > from.real().size() || to.real() == from.real()
        }
        (Kind::Int | Kind::Float | Kind::Complex, Kind::Bool)
        | (Kind::Float | Kind::Complex, Kind::Int)
        | (Kind::Complex, Kind::Float) => false,
    }
}

/// The elements as another dtype. JAX: `numpy.astype`.
#[track_caller]
pub fn astype(x: &Array, dtype: DType) -> Array {
    x.astype(dtype)
}

/// Whether an element has an imaginary part. JAX: `numpy.iscomplex`.
#[track_caller]
pub fn iscomplex(x: &Array) -> Array {
    super::imag(x).ne(0)
}

/// Whether an element has no imaginary part. JAX: `numpy.isreal`.
#[track_caller]
pub fn isreal(x: &Array) -> Array {
    super::imag(x).eq(0)
}

/// Whether the dtype is complex. JAX: `numpy.iscomplexobj`.
pub fn iscomplexobj(x: &Array) -> bool {
    x.dtype().is_complex()
}

/// Whether the dtype is not complex. JAX: `numpy.isrealobj`.
pub fn isrealobj(x: &Array) -> bool {
    !x.dtype().is_complex()
}

/// Whether the array has rank 0. JAX: `numpy.isscalar`.
pub fn isscalar(x: &Array) -> bool {
    x.ndim() == 0
}

/// The number of axes. JAX: `numpy.ndim`.
pub fn ndim(x: &Array) -> usize {
    x.ndim()
}

/// The extents. JAX: `numpy.shape`.
pub fn shape(x: &Array) -> rjax_ir::Shape {
    x.shape()
}

/// The number of elements. JAX: `numpy.size`.
pub fn size(x: &Array) -> usize {
    x.size()
}

/// An array from a number or another array. JAX: `numpy.asarray`.
pub fn asarray(x: impl crate::array::Operand) -> Array {
    x.into_array()
}

/// The elements as text. JAX: `numpy.array_str`.
pub fn array_str(x: &Array) -> String {
    x.to_string()
}

/// Elements, dtype and shape as text. JAX: `numpy.array_repr`.
pub fn array_repr(x: &Array) -> String {
    format!("{x:?}")
}
