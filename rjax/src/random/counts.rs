//! Distributions of counts: Poisson, binomial, multinomial, geometric.

use rjax_ir::{DType, ErrorKind, Scalar, Shape};

use super::gamma::parameter;
use super::samplers::uniform;
use super::{Key, split};
use crate::array::{Array, Operand, promote_inexact};
use crate::error::fail_with;
use crate::{lax, numpy};

fn number(dtype: DType, value: f64) -> Array {
    Array::constant(Scalar::from_f64(dtype, value), false)
}

/// The Poisson distribution with mean `lam`, as integers. JAX: `random.poisson`.
///
/// ```
/// use rjax::prelude::*;
/// let counts = random::poisson(&Key::new(0), [4], DType::I32, 3.5);
/// assert!(counts.ge(0).all(..).item::<bool>());
/// ```
#[track_caller]
pub fn poisson(key: &Key, shape: impl Into<Shape>, dtype: DType, lam: impl Operand) -> Array {
    if !dtype.is_integer() && !dtype.is_float() {
        fail_with(ErrorKind::DType, format!("poisson: found {dtype}, expected a real dtype"))
    }
    let shape = shape.into();
    let lam = parameter("poisson", lam, DType::F32, &shape);
    // Multiplying uniforms takes about lam steps; from 10 on rejection from a table mountain takes fewer.
    let small = lax::bitwise_or(lam.ne(&lam), lam.lt(10.0));
    let product = poisson_product(key, &lax::select(&small, &lam, 0.0), &shape, dtype);
    let rejection = poisson_rejection(key, &lax::select(&small, 1e5, &lam), &shape, dtype);
    let drawn = lax::select(small, product, rejection);
    lax::select(lam.eq(0.0), numpy::zeros_like(&drawn), &drawn)
}

/// Knuth's method: how many uniforms can be multiplied before the product falls below `exp(-lam)`.
#[track_caller]
fn poisson_product(key: &Key, lam: &Array, shape: &Shape, dtype: DType) -> Array {
    let unfinished = |log_product: &Array| log_product.gt(-lam);
    let zero = |dtype: DType| number(dtype, 0.0).broadcasted(shape);
    let (k, _, _) = lax::while_loop(
        |(_, _, log_product): &(Array, Key, Array)| unfinished(log_product).any(..),
        |(k, key, log_product): &(Array, Key, Array)| {
            let [key, sub] = key.split();
            let k = lax::select(unfinished(log_product), lax::add(k, 1), k);
            let u = uniform(&sub, shape.clone(), DType::F32, 0.0, 1.0);
            (k, key, lax::add(log_product, lax::log(u)))
        },
        (zero(dtype), key.clone(), zero(DType::F32)),
    );
    lax::sub(k, 1)
}

/// Hörmann's transformed rejection (PTRS).
#[track_caller]
fn poisson_rejection(key: &Key, lam: &Array, shape: &Shape, dtype: DType) -> Array {
    let log_lam = lax::log(lam);
    let b = 0.931 + 2.53 * lax::sqrt(lam);
    let a = -0.059 + 0.02483 * &b;
    let inv_alpha = 1.1239 + 1.1328 / (&b - 3.4);
    let v_r = 0.9277 - 3.6224 / (&b - 2.0);
    let start = number(DType::F32, -1.0).broadcasted(shape);
    let (k, _, _) = lax::while_loop(
        |(_, accepted, _): &(Array, Array, Key)| (!accepted).any(..),
        |(k_out, accepted, key): &(Array, Array, Key)| {
            let [key, u_key, v_key] = key.split();
            let u = uniform(&u_key, shape.clone(), DType::F32, 0.0, 1.0) - 0.5;
            let v = uniform(&v_key, shape.clone(), DType::F32, 0.0, 1.0);
            let shifted = 0.5 - u.abs();
            let k = lax::floor((2.0 * &a / &shifted + &b) * &u + lam + 0.43);
            let s = lax::log(&v * &inv_alpha / (&a / (&shifted * &shifted) + &b));
            let t = -lam + &k * &log_lam - lax::lgamma(&k + 1.0);
            let at_once = shifted.ge(0.07) & v.le(&v_r);
            let never = k.lt(0.0) | (shifted.lt(0.013) & v.gt(&shifted));
            let accept = at_once | (!never & s.le(&t));
            (lax::select(&accept, &k, k_out), accepted | accept, key)
        },
        (start, lax::full(shape.clone(), false, DType::Bool), key.clone()),
    );
    k.converted(dtype, false)
}

/// The binomial distribution: successes among `n` trials with probability `p` each, as floats; NaN where a parameter makes no
/// sense. JAX: `random.binomial`.
#[track_caller]
pub fn binomial(key: &Key, shape: impl Into<Shape>, dtype: DType, n: impl Operand, p: impl Operand) -> Array {
    super::samplers::require_float("binomial", dtype);
    let shape = shape.into();
    let p = promote_inexact("binomial", &[&p.into_array()]).remove(0);
    let (width, p) = (p.dtype(), parameter("binomial", &p, p.dtype(), &shape));
    let n = parameter("binomial", n, width, &shape);
    let rare = p.lt(0.5);
    let q = lax::select(&rare, &p, 1.0 - &p);
    let no_count = n.ne(&n) | n.lt(0.0);
    let endless = numpy::isinf(&n);
    let (q_is_nan, q_negative) = (q.ne(&q), q.lt(0.0));
    let q = lax::select(&q_is_nan | &q_negative, 0.01, &q);
    let few = &no_count | (&n * &q).le(10.0);
    let n = lax::floor(&n);
    let by_inversion = binomial_inversion(key, &lax::select(&few, &n, 0.0), &q, &shape);
    let by_rejection = binomial_rejection(key, &lax::select(&few, 1e4, &n), &lax::select(&few, 0.5, &q), &shape);
    let drawn = lax::select(&few, by_inversion, by_rejection).converted(dtype, false);
    let invalid = q_negative | &q_is_nan | &no_count;
    let drawn = lax::select(&invalid, f64::NAN, &drawn);
    let drawn = lax::select(&endless & !invalid, f64::INFINITY, &drawn);
    lax::select(rare | no_count | q_is_nan | endless, &drawn, lax::sub(n.converted(dtype, false), &drawn))
}

/// Adds up geometric waiting times until they exceed the number of trials.
#[track_caller]
fn binomial_inversion(key: &Key, n: &Array, p: &Array, shape: &Shape) -> Array {
    let log_failure = numpy::log1p(-p);
    let zero = numpy::zeros_like(p);
    let (count, _, _) = lax::while_loop(
        |(_, sum, _): &(Array, Array, Key)| sum.le(n).any(..),
        |(count, sum, key): &(Array, Array, Key)| {
            let [sub, key] = key.split();
            let count = lax::select(sum.le(n), count + 1.0, count);
            let u = uniform(&sub, shape.clone(), p.dtype(), 0.0, 1.0);
            (count, sum + lax::ceil(u.log() / &log_failure), key)
        },
        (zero.clone(), zero, key.clone()),
    );
    count - 1.0
}

/// Hörmann's transformed rejection (BTRS).
#[track_caller]
fn binomial_rejection(key: &Key, n: &Array, p: &Array, shape: &Shape) -> Array {
    let stddev = (n * p * (1.0 - p)).sqrt();
    let b = 1.15 + 2.53 * &stddev;
    let a = -0.0873 + 0.0248 * &b + 0.01 * p;
    let c = n * p + 0.5;
    let v_r = 0.92 - 4.2 / &b;
    let r = p / (1.0 - p);
    let alpha = (2.83 + 5.1 / &b) * &stddev;
    let m = ((n + 1.0) * p).floor();
    let start = lax::full_like(p, -1.0);
    let (k, _, _) = lax::while_loop(
        |(_, accepted, _): &(Array, Array, Key)| (!accepted).any(..),
        |(k_out, accepted, key): &(Array, Array, Key)| {
            let [key, u_key, v_key] = key.split();
            let u = uniform(&u_key, shape.clone(), p.dtype(), 0.0, 1.0) - 0.5;
            let v = uniform(&v_key, shape.clone(), p.dtype(), 0.0, 1.0);
            let shifted = 0.5 - u.abs();
            let at_once = shifted.ge(0.07) & v.le(&v_r);
            let k = ((2.0 * &a / &shifted + &b) * &u + &c).floor();
            let never = k.lt(0.0) | k.gt(n);
            let v = (&v * &alpha / (&a / (&shifted * &shifted) + &b)).log();
            let bound = (&m + 0.5) * ((&m + 1.0) / (&r * (n - &m + 1.0))).log()
                + (n + 1.0) * ((n - &m + 1.0) / (n - &k + 1.0)).log()
                + (&k + 0.5) * (&r * (n - &k + 1.0) / (&k + 1.0)).log()
                + stirling_tail(&m)
                + stirling_tail(&(n - &m))
                - stirling_tail(&k)
                - stirling_tail(&(n - &k));
            let accept = at_once | (!never & v.le(bound));
            (lax::select(&accept, &k, k_out), accepted | accept, key)
        },
        (start, lax::full(shape.clone(), false, DType::Bool), key.clone()),
    );
    k
}

/// What Stirling's formula for `log(k!)` lacks: exact up to 9, the first terms of the series beyond.
#[track_caller]
fn stirling_tail(k: &Array) -> Array {
    /// `log(k!) - ((k + 1/2) log(k + 1) - (k + 1) + log(2π)/2)` for k = 0, 1, ….
    const EXACT: [f64; 10] = [
        0.0810614667953272,
        0.0413406959554092,
        0.0276779256849983,
        0.02079067210376509,
        0.0166446911898211,
        0.0138761288230707,
        0.0118967099458917,
        0.0104112652619720,
        0.00925546218271273,
        0.00833056343336287,
    ];
    let small = k.le(9.0);
    let k = lax::clamp(0.0, k, 9.0);
    let square = (&k + 1.0) * (&k + 1.0);
    let series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / &square) / &square) / (&k + 1.0);
    let table = Array::from_slice(&EXACT).converted(k.dtype(), false);
    let exact = numpy::take(&table, lax::floor(&k).converted(DType::I32, false), 0, numpy::TakeMode::Clip);
    lax::select(small, exact, series)
}

/// The multinomial distribution: how `n` trials fall on the categories of the last axis of `p`. `p` broadcasts to the shape,
/// `n` to the shape without its last axis. JAX: `random.multinomial`.
#[track_caller]
pub fn multinomial(key: &Key, shape: impl Into<Shape>, dtype: DType, n: impl Operand, p: &Array) -> Array {
    let shape = shape.into();
    if shape.rank() == 0 {
        fail_with(ErrorKind::Shape, "multinomial: the shape has no axis of categories")
    }
    let last = shape.rank() - 1;
    let operands = crate::array::promote_inexact("multinomial", &[p]);
    let width = operands[0].dtype();
    let n = parameter("multinomial", n, width, &shape.without(&[last]));
    let p = numpy::moveaxis(&parameter("multinomial", &operands[0], width, &shape), -1, 0);
    // Category by category, with the probability given that no earlier one was hit.
    let remaining = lax::cumsum(&p, 0, true);
    let ratios = &p / lax::select(remaining.eq(0.0), 1.0, &remaining);
    let keys = split(key, ratios.len());
    let (_, counts) = lax::scan(
        |left: &Array, (ratio, key): &(Array, Key)| {
            let count = binomial(key, left.shape(), left.dtype(), left, numpy::clip(ratio, 0.0, 1.0));
            (left - &count, count)
        },
        n,
        &(ratios, keys),
    );
    numpy::moveaxis(&counts, 0, -1).converted(dtype, false)
}

/// The geometric distribution: the number of trials up to the first success, at least 1. JAX: `random.geometric`.
#[track_caller]
pub fn geometric(key: &Key, shape: impl Into<Shape>, dtype: DType, p: impl Operand) -> Array {
    let shape = shape.into();
    let p = promote_inexact("geometric", &[&p.into_array()]).remove(0);
    let u = uniform(key, shape.clone(), p.dtype(), 0.0, 1.0);
    let u = lax::select(u.eq(0.0), 1.0, &u);
    let log_failure = parameter("geometric", lax::log1p(-&p), p.dtype(), &shape);
    let trials = lax::add(lax::floor(lax::div(lax::log(u), log_failure)), 1.0);
    trials.converted(dtype, false)
}
