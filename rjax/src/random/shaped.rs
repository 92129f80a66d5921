//! Continuous distributions with parameters, made of uniform, normal and exponential samples.

use rjax_ir::{DType, Shape};

use super::Key;
use super::gamma::parameter;
use super::samplers::{exponential, normal, uniform};
use crate::array::{Array, Operand};
use crate::{lax, numpy};

/// The Maxwell distribution: the length of a vector of three standard normal coordinates. JAX: `random.maxwell`.
#[track_caller]
pub fn maxwell(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    let shape = shape.into();
    let axis = shape.rank();
    let vectors = normal(key, shape.with_axis(axis, 3), dtype);
    lax::sqrt(lax::reduce_sum(&lax::mul(&vectors, &vectors), &[axis]))
}

/// The Maxwell distribution with random sign: `loc + scale * sign * maxwell`. The parameters broadcast to the shape. JAX:
/// `random.double_sided_maxwell`, which appends the parameters' shape instead.
#[track_caller]
pub fn double_sided_maxwell(
    key: &Key,
    shape: impl Into<Shape>,
    dtype: DType,
    loc: impl Operand,
    scale: impl Operand,
) -> Array {
    let shape = shape.into();
    let [maxwell_key, sign_key] = key.split();
    let magnitude = maxwell(&maxwell_key, shape.clone(), dtype);
    let sign = super::rademacher(&sign_key, shape.clone(), dtype);
    sign * magnitude * parameter("double_sided_maxwell", scale, dtype, &shape)
        + parameter("double_sided_maxwell", loc, dtype, &shape)
}

/// The Pareto distribution with minimum 1 and exponent `b`. JAX: `random.pareto`.
#[track_caller]
pub fn pareto(key: &Key, shape: impl Into<Shape>, dtype: DType, b: impl Operand) -> Array {
    let shape = shape.into();
    let b = parameter("pareto", b, dtype, &shape);
    lax::exp(lax::div(exponential(key, shape, dtype), b))
}

/// The Weibull distribution. JAX: `random.weibull_min`.
#[track_caller]
pub fn weibull_min(
    key: &Key,
    shape: impl Into<Shape>,
    dtype: DType,
    scale: impl Operand,
    concentration: impl Operand,
) -> Array {
    let shape = shape.into();
    let scale = parameter("weibull_min", scale, dtype, &shape);
    let inverse = 1.0 / parameter("weibull_min", concentration, dtype, &shape);
    numpy::power(exponential(key, shape, dtype), inverse) * scale
}

/// The Wald (inverse Gaussian) distribution with scale 1. JAX: `random.wald`.
#[track_caller]
pub fn wald(key: &Key, shape: impl Into<Shape>, dtype: DType, mean: impl Operand) -> Array {
    let shape = shape.into();
    let mean = parameter("wald", mean, dtype, &shape);
    let [normal_key, uniform_key] = key.split();
    let y = lax::square(normal(&normal_key, shape.clone(), dtype));
    let z = uniform(&uniform_key, shape, dtype, 0.0, 1.0);
    let mean_square = lax::square(&mean);
    // The two roots of the quadratic that y solves; the lesser is taken with probability mean / (mean + root).
    let root = lax::sqrt(4.0 * &mean * &y + &mean_square * lax::square(&y));
    let x = &mean + &mean_square * &y / 2.0 - &mean / 2.0 * root;
    lax::select(lax::le(z, &mean / (&mean + &x)), &x, &mean_square / &x)
}

/// The triangular distribution on `left..right` with its peak at `mode`. JAX: `random.triangular`.
#[track_caller]
pub fn triangular(
    key: &Key,
    shape: impl Into<Shape>,
    dtype: DType,
    left: impl Operand,
    mode: impl Operand,
    right: impl Operand,
) -> Array {
    let shape = shape.into();
    let left = parameter("triangular", left, dtype, &shape);
    let mode = parameter("triangular", mode, dtype, &shape);
    let right = parameter("triangular", right, dtype, &shape);
    let u = uniform(key, shape, dtype, 0.0, 1.0);
    let width = &right - &left;
    let rising = &left + lax::sqrt(&u * &width * (&mode - &left));
    let falling = &right - lax::sqrt((1.0 - &u) * &width * (&right - &mode));
    lax::select(u.lt((&mode - &left) / &width), rising, falling)
}
