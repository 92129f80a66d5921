//! Digamma, polygamma and the Hurwitz zeta function.
//!
//! Accuracy in f64: about 10 ulp, save near the zeros of digamma, where the error is 1e-15 absolute. At poles digamma
//! is NaN, and zeta is infinite for even orders and NaN for odd ones, as in XLA. Below zero zeta and polygamma are what XLA makes of
//! them, which is not what mathematics does.

#![allow(clippy::excessive_precision, reason = "the coefficients stand as they were published")]

use std::f64::consts::PI;

/// B_2k / 2k for k = 1, 2, …: the asymptotic series of digamma.
const DIGAMMA: [f64; 8] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0, -3617.0 / 8160.0];

/// The derivative of lgamma; NaN at 0 and the negative integers.
pub(super) fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        // digamma(x) = digamma(1 - x) - pi / tan(pi x), with the angle reduced to one period first.
        let fraction = x - x.round();
        return digamma(1.0 - x) - PI / libm::tan(PI * fraction);
    }
    let (mut shifted, mut sum) = (x, 0.0);
    while shifted < 10.0 {
        sum -= 1.0 / shifted;
        shifted += 1.0;
    }
    let inverse_square = 1.0 / (shifted * shifted);
    let series = DIGAMMA.iter().rev().fold(0.0, |s, c| (s + c) * inverse_square);
    sum + (libm::log(shifted) - 0.5 / shifted - series)
}

/// The derivative of order `n` of digamma; NaN unless `n` is a natural number.
pub(super) fn polygamma(n: f64, x: f64) -> f64 {
    if n == 0.0 {
        return digamma(x);
    }
    if n.is_nan() || n < 0.0 || n != n.floor() {
        return f64::NAN;
    }
    let sign = if n % 2.0 == 0.0 { -1.0 } else { 1.0 };
    sign * libm::tgamma(n + 1.0) * zeta(n + 1.0, x)
}

/// (2k)! / B_2k for k = 1, 2, …: the Euler-Maclaurin terms of zeta.
const ZETA: [f64; 12] = [
    12.0,
    -720.0,
    30240.0,
    -1209600.0,
    47900160.0,
    -1.8924375803183791606e9,
    7.47242496e10,
    -2.950130727918164224e12,
    1.1646782814350067249e14,
    -4.5979787224074726105e15,
    1.8152105401943546773e17,
    -7.1661652561756670113e18,
];

/// The Hurwitz zeta function: the sum of (q + k)^-s over k = 0, 1, …
///
/// Below zero it is what XLA computes: [`series`] with a signed base, which is right down to about -6, has nothing to do with the
/// sum where the last terms come near the pole at 0, and is the asymptotic series below that.
pub(super) fn zeta(s: f64, q: f64) -> f64 {
    if s.is_nan() || q.is_nan() || s < 1.0 {
        return f64::NAN;
    }
    if s == 1.0 {
        return f64::INFINITY;
    }
    if q > 0.0 {
        return series(s, q);
    }
    if q == q.floor() {
        return if s % 2.0 == 0.0 { f64::INFINITY } else { f64::NAN };
    }
    if s != s.floor() {
        return f64::NAN;
    }
    series(s, q)
}

/// Ten leading terms, then the Euler-Maclaurin formula for the rest.
fn series(s: f64, q: f64) -> f64 {
    let (mut a, mut sum) = (q, 0.0f64);
    for _ in 0..10 {
        let term = libm::pow(a, -s);
        sum += term;
        // Further terms of a positive base are smaller still.
        if q > 0.0 && term <= sum * f64::EPSILON / 4.0 {
            return sum;
        }
        a += 1.0;
    }
    let power = libm::pow(a, -s);
    sum += power * a / (s - 1.0) + 0.5 * power;
    // s (s + 1) … (s + 2k) a^(-s - 2k - 1) B_2k+2 / (2k + 2)!
    let mut factor = s * power / a;
    for (k, denominator) in ZETA.into_iter().enumerate() {
        let term = factor / denominator;
        sum += term;
        if term.abs() < sum.abs() * f64::EPSILON / 4.0 {
            break;
        }
        let k = k as f64;
        factor *= (s + 2.0 * k + 1.0) * (s + 2.0 * k + 2.0) / (a * a);
    }
    sum
}

/// lgamma(x) - (x - 1/2) log x + x - log(2 pi) / 2 for x of at least 10: what Stirling's formula lacks.
pub(super) fn stirling_remainder(x: f64) -> f64 {
    let inverse_square = 1.0 / (x * x);
    const TERMS: [f64; 6] = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360360.0];
    TERMS.iter().rev().fold(0.0, |s, c| s * inverse_square + c) / x
}

/// log(x / m) - (x - m) / m without cancellation near x = m.
pub(super) fn log_ratio_excess(x: f64, m: f64) -> f64 {
    let d = (x - m) / m;
    if d.abs() > 0.25 {
        return libm::log(x / m) - d;
    }
    // log(1 + d) - d is the sum of -(-d)^k / k from k = 2, smallest terms first; 0.25^26 is below 2^-52.
    let series = (2..=28).rev().fold(0.0, |s, k| s * -d + 1.0 / k as f64);
    -d * d * series
}
