//! The regularised incomplete beta function I_x(a, b).
//!
//! Lentz's evaluation of the continued fraction, on the side of the mean where it converges in about sqrt(max(a, b))
//! steps. Accuracy in f64: about 1e-13 relative on that side, absolute on the other. NaN for negative a or b and for
//! x outside [0, 1].

use std::f64::consts::PI;

use super::gamma::{log_ratio_excess, stirling_remainder};

/// I_x(a, b); where a or b is 0 or infinite, the limit.
pub(super) fn regularized_incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    let in_domain = a >= 0.0 && b >= 0.0 && (0.0..=1.0).contains(&x);
    if !in_domain || a == 0.0 && b == 0.0 || a == f64::INFINITY && b == f64::INFINITY {
        f64::NAN
    } else if x == 1.0 || x > 0.0 && (a == 0.0 || b == f64::INFINITY) {
        1.0
    } else if x == 0.0 || b == 0.0 || a == f64::INFINITY {
        if a == 0.0 { 1.0 } else { 0.0 }
    } else if x * (a + b) <= a {
        power(a, b, x) * fraction(a, b, x) / a
    } else {
        // I_x(a, b) = 1 - I_(1-x)(b, a)
        1.0 - power(a, b, x) * fraction(b, a, 1.0 - x) / b
    }
}

/// x^a (1-x)^b / beta(a, b).
fn power(a: f64, b: f64, x: f64) -> f64 {
    let sum = a + b;
    if a >= 10.0 && b >= 10.0 {
        // Both powers relative to their maximum at x = a/(a+b), and Stirling's formula for beta.
        let exponent = a * log_ratio_excess(sum * x, a) + b * log_ratio_excess(sum * (1.0 - x), b);
        let remainder = stirling_remainder(a) + stirling_remainder(b) - stirling_remainder(sum);
        return (a / sum * b / (2.0 * PI)).sqrt() * libm::exp(exponent - remainder);
    }
    let powers = libm::exp(a * libm::log(x) + b * libm::log1p(-x));
    if sum < 170.0 {
        powers * (libm::tgamma(sum) / libm::tgamma(a) / libm::tgamma(b))
    } else {
        powers * libm::exp(libm::lgamma(sum) - libm::lgamma(a) - libm::lgamma(b))
    }
}

/// The continued fraction of I_x(a, b) a beta(a, b) / (x^a (1-x)^b).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut c, mut d) = (1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    for m in 1..=200 + (9.0 * a.max(b).sqrt()).min(1e5) as u32 {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for numerator in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + numerator * d);
            c = away_from_zero(1.0 + numerator / c);
            step = c * d;
            h *= step;
        }
        if (step - 1.0).abs() < f64::EPSILON / 2.0 {
            break;
        }
    }
    h
}
