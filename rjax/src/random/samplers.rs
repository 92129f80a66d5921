//! Continuous distributions.

use rjax_ir::{DType, ErrorKind, Scalar, Shape};

use super::{Key, bits};
use crate::array::Operand;
use crate::error::fail_with;
use crate::{Array, lax};

#[track_caller]
pub(super) fn require_float(function: &str, dtype: DType) {
    if !dtype.is_float() {
        fail_with(ErrorKind::DType, format!("{function}: found {dtype}, expected f16, bf16, f32 or f64"))
    }
}

/// A bound as a constant of the dtype, spread over the shape.
#[track_caller]
fn bound(value: impl Operand, dtype: DType, shape: &Shape) -> Array {
    value.into_array().converted(dtype, false).broadcasted(shape)
}

/// Uniform in `low..high`.
#[track_caller]
pub fn uniform(key: &Key, shape: impl Into<Shape>, dtype: DType, low: impl Operand, high: impl Operand) -> Array {
    require_float("uniform", dtype);
    let shape = shape.into();
    let (width, mantissa, one) = match dtype {
        DType::F16 => (DType::U16, 10, Scalar::new(rjax_ir::f16::ONE)),
        DType::BF16 => (DType::U16, 7, Scalar::new(rjax_ir::bf16::ONE)),
        DType::F64 => (DType::U64, 52, Scalar::new(1f64)),
        DType::F32
        | DType::Bool
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
        | DType::Narrow(_) => (DType::U32, 23, Scalar::new(1f32)),
    };
    // A mantissa of fewer than 8 bits is filled from 8 random bits.
    let drawn = if mantissa < 8 { DType::U8 } else { width };
    let random = bits(key, shape.clone(), drawn).converted(width, false);
    let shift = drawn.bits() as i64 - mantissa;
    // Random mantissas under the exponent of 1: numbers in 1..2.
    let pattern = lax::bitwise_or(
        lax::shift_right_logical(random, shift),
        Array::constant(Scalar::from_bits(width, one.bits()), false).broadcasted(&shape),
    );
    let unit = lax::sub(lax::bitcast_convert_type(&pattern, dtype), 1.0);
    let (low, high) = (bound(low, dtype, &shape), bound(high, dtype, &shape));
    let scaled = lax::add(lax::mul(&unit, lax::sub(&high, &low)), &low);
    lax::max(&low, scaled)
}

/// The standard normal distribution; for complex dtypes, real and imaginary part have variance 1/2.
#[track_caller]
pub fn normal(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    let shape = shape.into();
    if dtype.is_complex() {
        let [re, im] = key.split();
        let (re, im) = (normal(&re, shape.clone(), dtype.real()), normal(&im, shape, dtype.real()));
        return lax::complex(re, im) / std::f64::consts::SQRT_2;
    }
    require_float("normal", dtype);
    let low = Scalar::from_f64(dtype, -1.0);
    let above = lax::nextafter(Array::constant(low, false), Array::constant(Scalar::zero(dtype), false));
    let u = uniform(key, shape, dtype, above, 1.0);
    lax::mul(lax::erf_inv(u), std::f64::consts::SQRT_2)
}

/// The normal distribution cut off below `low` and above `high`.
#[track_caller]
pub fn truncated_normal(
    key: &Key,
    shape: impl Into<Shape>,
    dtype: DType,
    low: impl Operand,
    high: impl Operand,
) -> Array {
    require_float("truncated_normal", dtype);
    let shape = shape.into();
    let (low, high) = (low.into_array().converted(dtype, false), high.into_array().converted(dtype, false));
    let cumulative = |x: &Array| lax::erf(lax::div(x, std::f64::consts::SQRT_2));
    let u = uniform(key, shape.clone(), dtype, cumulative(&low), cumulative(&high));
    let x = lax::mul(lax::erf_inv(u), std::f64::consts::SQRT_2);
    // Rounding must not push a sample onto a bound.
    let inside = |bound: &Array, towards: f64| {
        lax::nextafter(bound, Array::constant(Scalar::from_f64(dtype, towards), false)).broadcasted(&shape)
    };
    lax::clamp(inside(&low, f64::INFINITY), x, inside(&high, f64::NEG_INFINITY))
}

/// The exponential distribution with mean 1.
#[track_caller]
pub fn exponential(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    let u = uniform(key, shape, dtype, 0.0, 1.0);
    // log1p keeps small samples accurate and never sees 0.
    -lax::log1p(-u)
}

/// The standard Gumbel distribution.
#[track_caller]
pub fn gumbel(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    let tiny = Array::constant(Scalar::from_f64(dtype, smallest_normal(dtype)), false);
    let u = uniform(key, shape, dtype, tiny, 1.0);
    -lax::log(-lax::log(u))
}

pub(super) fn smallest_normal(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => rjax_ir::f16::MIN_POSITIVE.into(),
        DType::F64 => f64::MIN_POSITIVE,
        DType::BF16
        | DType::F32
        | DType::Bool
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
        | DType::Narrow(_) => f32::MIN_POSITIVE.into(),
    }
}

/// The distance of 1 to the next greater number.
fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => rjax_ir::f16::EPSILON.into(),
        DType::BF16 => rjax_ir::bf16::EPSILON.into(),
        DType::F64 => f64::EPSILON,
        DType::F32
        | DType::Bool
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
        | DType::Narrow(_) => f32::EPSILON.into(),
    }
}

/// The standard Laplace distribution.
#[track_caller]
pub fn laplace(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    // Half an epsilon below 1, so that the logarithm is finite.
    let u = uniform(key, shape, dtype, -1.0 + epsilon(dtype) / 2.0, 1.0);
    lax::mul(lax::sign(&u), lax::log1p(-lax::abs(&u)))
}

/// The standard logistic distribution.
#[track_caller]
pub fn logistic(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    let tiny = Array::constant(Scalar::from_f64(dtype, smallest_normal(dtype)), false);
    let x = uniform(key, shape, dtype, tiny, 1.0);
    lax::sub(lax::log(&x), lax::log1p(-&x))
}

/// The standard Cauchy distribution.
#[track_caller]
pub fn cauchy(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    let u = uniform(key, shape, dtype, epsilon(dtype), 1.0);
    lax::tan(lax::mul(lax::sub(&u, 0.5), std::f64::consts::PI))
}

/// The log-normal distribution: `exp(sigma * normal)`.
#[track_caller]
pub fn lognormal(key: &Key, shape: impl Into<Shape>, dtype: DType, sigma: impl Operand) -> Array {
    lax::exp(normal(key, shape, dtype) * sigma.into_array().converted(dtype, false))
}

/// The Rayleigh distribution.
#[track_caller]
pub fn rayleigh(key: &Key, shape: impl Into<Shape>, dtype: DType, scale: impl Operand) -> Array {
    let u = uniform(key, shape, dtype, 0.0, 1.0);
    lax::sqrt(lax::mul(lax::log(u), -2.0)) * scale.into_array().converted(dtype, false)
}
