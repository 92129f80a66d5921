//! The gamma distribution, by rejection, and the distributions made of gamma samples.

use rjax_ir::{DType, ErrorKind, Scalar, Shape};

use super::samplers::{exponential, normal, require_float, uniform};
use super::{Key, split};
use crate::array::{Array, Operand};
use crate::error::fail_with;
use crate::transform::{custom_jvp, vmap};
use crate::{axes, lax, nn};

/// A parameter of a distribution in the dtype of the samples, repeated to their shape.
#[track_caller]
pub(super) fn parameter(function: &str, value: impl Operand, dtype: DType, shape: &Shape) -> Array {
    let value = value.into_array();
    let together = crate::array::broadcast_shapes(function, &[value.shape(), shape.clone()]);
    if crate::error::check(together) != *shape {
        fail_with(
            ErrorKind::Shape,
            format!("{function}: a parameter of type {} does not broadcast to shape {shape}", value.aval()),
        )
    }
    value.converted(dtype, false).broadcasted(shape)
}

/// The gamma distribution with shape parameter `a` and scale 1. `a` broadcasts to the shape; samples can be differentiated
/// with respect to it. JAX: `random.gamma`.
///
/// ```
/// use rjax::prelude::*;
/// let x = random::gamma(&Key::new(0), [3], DType::F32, 2.0);
/// assert!(x.gt(0.0).all(..).item::<bool>());
/// ```
#[track_caller]
pub fn gamma(key: &Key, shape: impl Into<Shape>, dtype: DType, a: impl Operand) -> Array {
    draw("gamma", key, shape.into(), dtype, a, false)
}

/// The logarithm of gamma samples, accurate for small `a`, where the samples themselves underflow. JAX: `random.loggamma`.
#[track_caller]
pub fn loggamma(key: &Key, shape: impl Into<Shape>, dtype: DType, a: impl Operand) -> Array {
    draw("loggamma", key, shape.into(), dtype, a, true)
}

#[track_caller]
fn draw(function: &str, key: &Key, shape: Shape, dtype: DType, a: impl Operand, log_space: bool) -> Array {
    require_float(function, dtype);
    let a = lax::reshape(&parameter(function, a, dtype, &shape), [shape.size()]);
    let samples = move |key: &Key, a: &Array| {
        let keys = split(key, a.size());
        vmap(move |key: &Key, a: &Array| one(key, a, log_space), axes![0, 0])(&keys, a)
    };
    let rule = custom_jvp(samples).defjvp(move |(key, a): &(Key, Array), (_, da): &(Key, Array)| {
        let drawn = samples(key, a);
        let derivative = if log_space {
            // d log(x) = dx / x, with the least positive number for samples that underflow.
            let tiny = Scalar::from_f64(dtype, super::samplers::smallest_normal(dtype));
            let x = lax::exp(&drawn);
            let x = lax::select(x.eq(0.0), Array::constant(tiny, false), &x);
            lax::div(lax::random_gamma_grad(a, &x), &x)
        } else {
            lax::random_gamma_grad(a, &drawn)
        };
        (drawn, lax::mul(da, derivative))
    });
    lax::reshape(&rule(key, &a), shape)
}

/// One sample, by Marsaglia and Tsang's method: squeeze a normal variate, accept or draw again. Below 1 the parameter is raised
/// by one and the sample multiplied by `u^(1/a)`.
fn one(key: &Key, a: &Array, log_space: bool) -> Array {
    let dtype = a.dtype();
    let number = |x: f64| Array::constant(Scalar::from_f64(dtype, x), false);
    let large = a.ge(1.0);
    let raised = lax::select(&large, a, lax::add(a, 1.0));
    let d = lax::sub(&raised, number(1.0 / 3.0));
    let c = lax::div(number(1.0 / 3.0), lax::sqrt(&d));
    let [key, boost_key] = key.split();
    let rejected = |(_, x, v, u): &(Key, Array, Array, Array)| {
        let squeeze = lax::ge(u, lax::sub(number(1.0), lax::mul(number(0.0331), lax::mul(x, x))));
        let bound = lax::add(lax::mul(x, number(0.5)), lax::mul(&d, lax::add(lax::sub(number(1.0), v), lax::log(v))));
        lax::bitwise_and(squeeze, lax::ge(lax::log(u), bound))
    };
    let again = |(key, _, _, _): &(Key, Array, Array, Array)| {
        let [key, x_key, u_key] = key.split();
        let (_, x, v) = lax::while_loop(
            |(_, _, v): &(Key, Array, Array)| lax::le(v, number(0.0)),
            |(key, _, _): &(Key, Array, Array)| {
                let [key, sub] = key.split();
                let x = normal(&sub, Shape::scalar(), dtype);
                let v = lax::add(number(1.0), lax::mul(&x, &c));
                (key, x, v)
            },
            (x_key, number(0.0), number(-1.0)),
        );
        let u = uniform(&u_key, Shape::scalar(), dtype, 0.0, 1.0);
        (key, lax::mul(&x, &x), lax::mul(lax::mul(&v, &v), &v), u)
    };
    // The first state is one that is rejected.
    let (_, _, v, _) = lax::while_loop(rejected, again, (key, number(0.0), number(1.0), number(2.0)));
    if log_space {
        let log_u = -exponential(&boost_key, Shape::scalar(), dtype);
        let boost = lax::mul(&log_u, lax::div(number(1.0), a));
        let boost = lax::select(lax::bitwise_or(&large, log_u.eq(0.0)), number(0.0), boost);
        lax::add(lax::add(lax::log(&d), lax::log(&v)), boost)
    } else {
        let u = lax::sub(number(1.0), uniform(&boost_key, Shape::scalar(), dtype, 0.0, 1.0));
        let boost = lax::select(&large, number(1.0), lax::pow(u, lax::div(number(1.0), a)));
        lax::mul(lax::mul(&d, &v), boost)
    }
}

/// The beta distribution. The parameters broadcast to the shape. JAX: `random.beta`.
#[track_caller]
pub fn beta(key: &Key, shape: impl Into<Shape>, dtype: DType, a: impl Operand, b: impl Operand) -> Array {
    let shape = shape.into();
    let [key_a, key_b] = key.split();
    let log_a = loggamma(&key_a, shape.clone(), dtype, a);
    let log_b = loggamma(&key_b, shape, dtype, b);
    // a / (a + b), scaled so that neither overflows nor both vanish.
    let greatest = lax::max(&log_a, &log_b);
    let (a, b) = (lax::exp(lax::sub(log_a, &greatest)), lax::exp(lax::sub(log_b, &greatest)));
    lax::div(&a, lax::add(&a, b))
}

/// The Dirichlet distribution: points whose coordinates, along a new last axis, add up to 1. `alpha` has the concentrations
/// along its last axis; its other axes broadcast to the shape. JAX: `random.dirichlet`.
#[track_caller]
pub fn dirichlet(key: &Key, shape: impl Into<Shape>, dtype: DType, alpha: &Array) -> Array {
    let shape = shape.into();
    let Some(&categories) = alpha.shape().last() else {
        fail_with(
            ErrorKind::Shape,
            format!("dirichlet: alpha has type {}, expected an axis of concentrations", alpha.aval()),
        )
    };
    let full = shape.with_axis(shape.rank(), categories);
    nn::softmax(&loggamma(key, full, dtype, alpha), -1)
}

/// The chi-squared distribution with `df` degrees of freedom. JAX: `random.chisquare`.
#[track_caller]
pub fn chisquare(key: &Key, shape: impl Into<Shape>, dtype: DType, df: impl Operand) -> Array {
    let shape = shape.into();
    let df = parameter("chisquare", df, dtype, &shape);
    lax::mul(lax::exp(loggamma(key, shape, dtype, lax::div(df, 2.0))), 2.0)
}

/// The F distribution with `dfnum` and `dfden` degrees of freedom. JAX: `random.f`.
#[track_caller]
pub fn f(key: &Key, shape: impl Into<Shape>, dtype: DType, dfnum: impl Operand, dfden: impl Operand) -> Array {
    let shape = shape.into();
    let dfnum = parameter("f", dfnum, dtype, &shape);
    let dfden = parameter("f", dfden, dtype, &shape);
    let [key_den, key_num] = key.split();
    let num = chisquare(&key_num, shape.clone(), dtype, &dfnum);
    let den = chisquare(&key_den, shape, dtype, &dfden);
    lax::div(lax::div(num, dfnum), lax::div(den, dfden))
}

/// Student's t distribution with `df` degrees of freedom. JAX: `random.t`.
#[track_caller]
pub fn t(key: &Key, shape: impl Into<Shape>, dtype: DType, df: impl Operand) -> Array {
    let shape = shape.into();
    let half = lax::div(parameter("t", df, dtype, &shape), 2.0);
    let [key_normal, key_gamma] = key.split();
    let n = normal(&key_normal, shape.clone(), dtype);
    lax::mul(n, lax::sqrt(lax::div(&half, gamma(&key_gamma, shape, dtype, &half))))
}

/// The generalized normal distribution with density proportional to `exp(-|x|^p)`. JAX: `random.generalized_normal`.
#[track_caller]
pub fn generalized_normal(key: &Key, shape: impl Into<Shape>, dtype: DType, p: f64) -> Array {
    let shape = shape.into();
    let [key_gamma, key_sign] = key.split();
    let magnitude = gamma(&key_gamma, shape.clone(), dtype, 1.0 / p);
    super::rademacher(&key_sign, shape, dtype) * crate::numpy::power(magnitude, 1.0 / p)
}

/// Points in the unit ball of the p-norm in `d` dimensions; the coordinates are a new last axis. JAX: `random.ball`.
#[track_caller]
pub fn ball(key: &Key, shape: impl Into<Shape>, dtype: DType, d: usize, p: f64) -> Array {
    let shape = shape.into();
    let [key_direction, key_radius] = key.split();
    let g = generalized_normal(&key_direction, shape.with_axis(shape.rank(), d), dtype, p);
    let e = exponential(&key_radius, shape, dtype);
    let norm = crate::numpy::power(crate::numpy::power(g.abs(), p).sum(-1) + e, 1.0 / p);
    g / norm.expand_dims(-1)
}
