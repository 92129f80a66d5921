//! The gamma function and its family.

use rjax_ir::ErrorKind;

use super::{float, floats};
use crate::array::{Array, Operand};
use crate::error::fail_with;
use crate::{lax, numpy};

/// `log |Γ(x)|`. JAX: `scipy.special.gammaln`.
#[track_caller]
pub fn gammaln(x: impl Operand) -> Array {
    lax::lgamma(float("gammaln", x))
}

/// `log Γ(x)`, NaN where x is not positive. JAX: `scipy.special.loggamma` of real numbers.
#[track_caller]
pub fn loggamma(x: impl Operand) -> Array {
    let x = float("loggamma", x);
    numpy::where_(x.gt(0.0), lax::lgamma(&x), f64::NAN)
}

/// The sign of the gamma function: NaN at negative integers, that of the zero at 0. JAX: `scipy.special.gammasgn`.
#[track_caller]
pub fn gammasgn(x: impl Operand) -> Array {
    let x = float("gammasgn", x);
    let (floor, negative) = (lax::floor(&x), x.lt(0.0));
    let pole = (&negative & x.eq(&floor)) | numpy::isnan(&x);
    let below = (negative & numpy::remainder(&floor, 2.0).ne(0.0)) | (x.eq(0.0) & numpy::signbit(&x));
    let sign = lax::select(below, lax::full_like(&x, -1.0), lax::full_like(&x, 1.0));
    lax::select(pole, lax::full_like(&x, f64::NAN), sign)
}

/// The gamma function. JAX: `scipy.special.gamma` of real numbers.
#[track_caller]
pub fn gamma(x: impl Operand) -> Array {
    let x = float("gamma", x);
    lax::mul(gammasgn(&x), lax::exp(lax::lgamma(&x)))
}

/// n!, by the gamma function; 0 for negative n. JAX: `scipy.special.factorial`.
#[track_caller]
pub fn factorial(n: impl Operand) -> Array {
    let n = float("factorial", n);
    numpy::where_(n.lt(0.0), 0.0, lax::exp(lax::lgamma(lax::add(&n, 1.0))))
}

/// The number of ways to choose k of n things. JAX: `scipy.special.comb`.
#[track_caller]
pub fn comb(n: impl Operand, k: impl Operand) -> Array {
    let [n, k] = floats("comb", [n.into_array(), k.into_array()]);
    let possible = k.le(&n) & n.ge(0.0) & k.ge(0.0);
    let zero = lax::full_like(&n, 0.0);
    let (n, k) = (lax::select(&possible, &n, &zero), lax::select(&possible, &k, &zero));
    let log = lax::lgamma(&n + 1.0) - lax::lgamma(&k + 1.0) - lax::lgamma(&n + 1.0 - &k);
    lax::select(possible, lax::exp(log), zero)
}

/// The rising factorial `Γ(z + m) / Γ(z)`. JAX: `scipy.special.poch`.
#[track_caller]
pub fn poch(z: impl Operand, m: impl Operand) -> Array {
    let [z, m] = floats("poch", [z.into_array(), m.into_array()]);
    lax::select(m.eq(0.0), lax::full_like(&z, 1.0), gamma(&z + &m) / gamma(&z))
}

/// The beta function `Γ(a) Γ(b) / Γ(a + b)`. JAX: `scipy.special.beta`.
#[track_caller]
pub fn beta(a: impl Operand, b: impl Operand) -> Array {
    let [a, b] = floats("beta", [a.into_array(), b.into_array()]);
    gammasgn(&a) * gammasgn(&b) * gammasgn(&a + &b) * lax::exp(betaln(&a, &b))
}

/// The logarithm of the beta function, accurate also where a large argument makes the three logarithms cancel. JAX:
/// `scipy.special.betaln`.
#[track_caller]
pub fn betaln(a: impl Operand, b: impl Operand) -> Array {
    let [x, y] = floats("betaln", [a.into_array(), b.into_array()]);
    let (a, b) = (lax::min(&x, &y), lax::max(&x, &y));
    let direct = lax::lgamma(&a) + (lax::lgamma(&b) - lax::lgamma(&a + &b));
    numpy::where_(b.lt(8.0), direct, lax::lgamma(&a) + log_gamma_ratio(&a, &b))
}

/// `log(Γ(b) / Γ(a + b))` for b of 8 or more, by the asymptotic series (DiDonato and Morris, TOMS 708).
#[track_caller]
fn log_gamma_ratio(a: &Array, b: &Array) -> Array {
    const SERIES: [f64; 6] = [
        0.833333333333333e-01,
        -0.277777777760991e-02,
        0.793650666825390e-03,
        -0.595202931351870e-03,
        0.837308034031215e-03,
        -0.165322962780713e-02,
    ];
    let h = a / b;
    let x = &h / (1.0 + &h);
    let d = b + (a - 0.5);
    let square = &x * &x;
    // Partial sums (1 - x^n) / (1 - x) for n = 1, 3, 5, ….
    let mut sums = vec![lax::full_like(&x, 1.0)];
    for i in 1..SERIES.len() {
        let next = 1.0 + (&x + &square * &sums[i - 1]);
        sums.push(next);
    }
    let t = (1.0 / b).square();
    let w = SERIES.iter().zip(&sums).rev().fold(lax::full_like(&x, 0.0), |w, (&c, sum)| w * &t + c * sum);
    let w = w * (&x / b);
    let (u, v) = (&d * lax::log1p(&h), a * (lax::log(b) - 1.0));
    numpy::where_(u.le(&v), (&w - &v) - &u, (&w - &u) - &v)
}

/// The regularised incomplete beta function. JAX: `scipy.special.betainc`.
#[track_caller]
pub fn betainc(a: impl Operand, b: impl Operand, x: impl Operand) -> Array {
    let [a, b, x] = floats("betainc", [a.into_array(), b.into_array(), x.into_array()]);
    lax::betainc(&a, &b, &x)
}

/// The derivative of [`gammaln`]. JAX: `scipy.special.digamma`.
#[track_caller]
pub fn digamma(x: impl Operand) -> Array {
    lax::digamma(float("digamma", x))
}

/// The derivative of order n of [`digamma`]. JAX: `scipy.special.polygamma`.
#[track_caller]
pub fn polygamma(n: impl Operand, x: impl Operand) -> Array {
    let n = n.into_array();
    if !n.dtype().is_integer() {
        fail_with(ErrorKind::DType, format!("polygamma: the order has type {}, expected integers", n.aval()))
    }
    let [n, x] = floats("polygamma", [n, x.into_array()]);
    lax::polygamma(&n, &x)
}

/// The Hurwitz zeta function. JAX: `scipy.special.zeta`.
#[track_caller]
pub fn zeta(x: impl Operand, q: impl Operand) -> Array {
    let [x, q] = floats("zeta", [x.into_array(), q.into_array()]);
    lax::zeta(&x, &q)
}

/// The regularised lower incomplete gamma function. JAX: `scipy.special.gammainc`.
#[track_caller]
pub fn gammainc(a: impl Operand, x: impl Operand) -> Array {
    let [a, x] = floats("gammainc", [a.into_array(), x.into_array()]);
    lax::igamma(&a, &x)
}

/// The regularised upper incomplete gamma function. JAX: `scipy.special.gammaincc`.
#[track_caller]
pub fn gammaincc(a: impl Operand, x: impl Operand) -> Array {
    let [a, x] = floats("gammaincc", [a.into_array(), x.into_array()]);
    lax::igammac(&a, &x)
}

/// The logarithm of the multivariate gamma function of dimension d. JAX: `scipy.special.multigammaln`.
#[track_caller]
pub fn multigammaln(a: impl Operand, d: usize) -> Array {
    let a = float("multigammaln", a);
    let dimension = d as f64;
    let constant = 0.25 * dimension * (dimension - 1.0) * std::f64::consts::PI.ln();
    let half_steps = lax::iota(a.dtype(), d) / 2.0;
    lax::lgamma(a.expand_dims(-1) - half_steps).sum(-1) + constant
}
