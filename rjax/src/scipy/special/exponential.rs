//! Exponential integrals, modified Bessel functions and Bernoulli numbers.

use rjax_ir::ErrorKind;

use super::float;
use crate::array::{Array, Operand};
use crate::error::fail_with;
use crate::transform::custom_jvp;
use crate::{lax, numpy};

/// The modified Bessel function of order 0, times `exp(-|x|)`. JAX: `scipy.special.i0e`.
#[track_caller]
pub fn i0e(x: impl Operand) -> Array {
    lax::bessel_i0e(float("i0e", x))
}

/// The modified Bessel function of order 0. JAX: `scipy.special.i0`.
#[track_caller]
pub fn i0(x: impl Operand) -> Array {
    let x = float("i0", x);
    lax::mul(lax::exp(lax::abs(&x)), lax::bessel_i0e(&x))
}

/// The modified Bessel function of order 1, times `exp(-|x|)`. JAX: `scipy.special.i1e`.
#[track_caller]
pub fn i1e(x: impl Operand) -> Array {
    lax::bessel_i1e(float("i1e", x))
}

/// The modified Bessel function of order 1. JAX: `scipy.special.i1`.
#[track_caller]
pub fn i1(x: impl Operand) -> Array {
    let x = float("i1", x);
    lax::mul(lax::exp(lax::abs(&x)), lax::bessel_i1e(&x))
}

/// The exponential integral `E1(x)`, the integral of `exp(-t)/t` from x on. JAX: `scipy.special.exp1`.
#[track_caller]
pub fn exp1(x: impl Operand) -> Array {
    expn(1, x)
}

/// The exponential integral `En(x)`, the integral of `exp(-xt)/tⁿ` over t from 1 on. JAX: `scipy.special.expn` with a static
/// order.
///
/// ```
/// use rjax::scipy::special;
/// assert!((special::expn(2, 1.0).item::<f32>() - 0.148_495_5).abs() < 1e-6);
/// ```
#[track_caller]
pub fn expn(n: usize, x: impl Operand) -> Array {
    let rule = custom_jvp(move |x: &Array| integral(n, x)).defjvp(move |(x,): &(Array,), (dx,): &(Array,)| {
        // d En / dx = -E(n-1).
        let below = if n == 0 { -(lax::exp(-x) / x + lax::exp(-x) / lax::square(x)) } else { -integral(n - 1, x) };
        (integral(n, x), dx * below)
    });
    rule(&float("expn", x))
}

fn integral(n: usize, x: &Array) -> Array {
    if n == 0 {
        return numpy::where_(x.lt(0.0), f64::NAN, lax::exp(-x) / x);
    }
    let large = x.gt(1.0);
    let fraction = continued_fraction(n, &numpy::where_(&large, x, 2.0));
    let inside = x.gt(0.0) & !&large;
    let series = power_series(n, &numpy::where_(inside, x, 0.5));
    let at_zero = if n == 1 { f64::INFINITY } else { 1.0 / (n as f64 - 1.0) };
    let value = numpy::where_(large, fraction, numpy::where_(x.eq(0.0), at_zero, series));
    numpy::where_(x.lt(0.0) | numpy::isnan(x), f64::NAN, numpy::where_(x.eq(f64::INFINITY), 0.0, value))
}

/// For x > 1: `exp(-x) / (x + n - 1·n/(x + n + 2 - 2(n+1)/(…)))`, evaluated from the back. With 60 terms the error at x = 1 is
/// below that of a double.
fn continued_fraction(n: usize, x: &Array) -> Array {
    let term = |k: usize| (k * (n - 1 + k)) as f64;
    let step = |k: usize| (n + 2 * k) as f64;
    let tail = (1..=60).rev().fold(x + step(60), |rest, k| x + step(k - 1) - term(k) / rest);
    lax::exp(-x) / tail
}

/// For 0 < x ≤ 1: `(-x)^(n-1)/(n-1)! (ψ(n) - log x) - Σ (-x)^m / ((m - n + 1) m!)` over m ≠ n - 1.
fn power_series(n: usize, x: &Array) -> Array {
    let psi = (1..n).map(|k| 1.0 / k as f64).sum::<f64>() - crate::numpy::EULER_GAMMA;
    let mut sum = lax::full_like(x, 0.0);
    // The term (-x)^m / m!.
    let mut term = lax::full_like(x, 1.0);
    for m in 0..24.max(n + 1) {
        if m > 0 {
            term = term * -x / m as f64;
        }
        sum = if m + 1 == n { sum + &term * (psi - lax::log(x)) } else { sum - &term / (m as f64 - n as f64 + 1.0) };
    }
    sum
}

/// The exponential integral `Ei(x)`, the principal value of the integral of `exp(t)/t` up to x. JAX: `scipy.special.expi`.
#[track_caller]
pub fn expi(x: impl Operand) -> Array {
    let rule = custom_jvp(principal).defjvp(|(x,): &(Array,), (dx,): &(Array,)| (principal(x), dx * lax::exp(x) / x));
    rule(&float("expi", x))
}

fn principal(x: &Array) -> Array {
    let negative = x.lt(0.0);
    let below = -integral(1, &numpy::where_(&negative, -x, 1.0));
    let switch = 40.0;
    let far = x.gt(switch);
    // γ + log x + Σ x^k / (k k!): all terms are positive, so that nothing cancels.
    let near = numpy::where_(x.gt(0.0) & !&far, x, 1.0);
    let mut term = lax::full_like(&near, 1.0);
    let mut sum = lax::log(&near) + crate::numpy::EULER_GAMMA;
    for k in 1..=140 {
        term = term * &near / k as f64;
        sum = sum + &term / k as f64;
    }
    // exp(x)/x (1 + 1!/x + 2!/x² + …), whose least term at x = 40 is below 1e-16.
    let large = numpy::where_(&far, x, 50.0);
    let mut tail = lax::full_like(&large, 1.0);
    for k in (1..=35).rev() {
        tail = 1.0 + tail * k as f64 / &large;
    }
    let above = numpy::where_(far, lax::exp(&large) / &large * tail, sum);
    let value = numpy::where_(negative, below, numpy::where_(x.eq(0.0), f64::NEG_INFINITY, above));
    let value = numpy::where_(x.eq(f64::INFINITY), f64::INFINITY, value);
    numpy::where_(numpy::isnan(x), f64::NAN, value)
}

/// The Bernoulli numbers B₀ to Bₙ. JAX: `scipy.special.bernoulli`.
#[track_caller]
pub fn bernoulli(n: usize) -> Array {
    if n > 250 {
        fail_with(ErrorKind::Parameter, format!("bernoulli: found {n}, expected at most 250: B260 is no double"))
    }
    let mut numbers = vec![0f64; n + 1];
    for (m, number) in numbers.iter_mut().enumerate() {
        *number = match m {
            0 => 1.0,
            1 => -0.5,
            2 => 1.0 / 6.0,
            _ if m % 2 == 1 => 0.0,
            // B(2k) = (-1)^(k+1) 2 (2k)! ζ(2k) / (2π)^(2k), and ζ(m) is its first terms.
            _ => {
                let zeta: f64 = (1..60).rev().map(|k| f64::from(k).powi(-(m as i32))).sum();
                let ratio: f64 = (1..=m).map(|k| k as f64 / (2.0 * std::f64::consts::PI)).product();
                (if m % 4 == 2 { 2.0 } else { -2.0 }) * ratio * zeta
            }
        };
    }
    numpy::array(numbers)
}
