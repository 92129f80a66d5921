//! The regularised incomplete gamma functions: the power series for x <= max(a, 1), the continued fraction for the rest.

use std::f64::consts::PI;

use rjax_ir::{Atom, Binary, Compare, Unary};

use super::Math;
use super::gamma::{digamma, lgamma_positive, log_ratio_excess, stirling_remainder};

/// Enough terms for a up to 1e6.
const TERMS: f64 = 10000.0;

/// x^a exp(-x) / gamma(a + 1).
fn power(m: &mut Math, a: Atom, x: Atom) -> Atom {
    let excess = log_ratio_excess(m, x, a);
    let exponent = m.mul(a, excess);
    let remainder = stirling_remainder(m, a);
    let exponent = m.sub(exponent, remainder);
    let e = m.un(Unary::Exp, exponent);
    let circle = m.muln(a, 2.0 * PI);
    let root = m.un(Unary::Sqrt, circle);
    let large = m.div(e, root);
    let log = m.un(Unary::Log, x);
    let product = m.mul(a, log);
    let exponent = m.sub(product, x);
    let next = m.addn(a, 1.0);
    let gamma = lgamma_positive(m, next);
    let exponent = m.sub(exponent, gamma);
    let small = m.un(Unary::Exp, exponent);
    let is_large = m.cmpn(Compare::Gt, a, 10.0);
    m.sel(is_large, large, small)
}

struct Regions {
    /// Where the fraction is used.
    fraction: Atom,
    /// Arguments that are harmless where the other formula is used.
    a: Atom,
    x_series: Atom,
    x_fraction: Atom,
}

fn regions(m: &mut Math, a: Atom, x: Atom) -> Regions {
    let (above_one, above_a) = (m.cmpn(Compare::Gt, x, 1.0), m.cmp(Compare::Gt, x, a));
    let fraction = m.and(above_one, above_a);
    let valid = m.cmpn(Compare::Gt, a, 0.0);
    let finite = m.cmpn(Compare::Lt, a, f64::INFINITY);
    let valid = m.and(valid, finite);
    let one = m.num(1.0);
    let a = m.sel(valid, a, one);
    let positive = m.cmpn(Compare::Gt, x, 0.0);
    let x_finite = m.cmpn(Compare::Lt, x, f64::INFINITY);
    let usable = m.and(positive, x_finite);
    let x = m.sel(usable, x, one);
    let x_series = m.sel(fraction, one, x);
    let beyond = m.addn(a, 2.0);
    let x_fraction = m.sel(fraction, x, beyond);
    Regions { fraction, a, x_series, x_fraction }
}

/// P by its series: the power times 1 + x/(a+1) + x²/((a+1)(a+2)) + …
fn lower(m: &mut Math, a: Atom, x: Atom) -> Atom {
    let one = m.num(1.0);
    let sums = m.iterate(&[a, x], &[one, one], TERMS, |m, given, k, state| {
        let (a, x, term, sum) = (given[0], given[1], state[0], state[1]);
        let below = m.add(a, k);
        let ratio = m.div(x, below);
        let term = m.mul(term, ratio);
        let sum = m.add(sum, term);
        let small = m.muln(sum, f64::EPSILON / 4.0);
        let go_on = m.cmp(Compare::Ge, term, small);
        (vec![term, sum], go_on)
    });
    let power = power(m, a, x);
    let product = m.mul(sums[1], power);
    m.b.binary(Binary::Min, product, one)
}

/// The value and the derivative in a of the continued fraction of Q, by Lentz's method.
fn fraction(m: &mut Math, a: Atom, x: Atom) -> [Atom; 2] {
    let (zero, minus_one) = (m.num(0.0), m.num(-1.0));
    let sum = m.addn(x, 1.0);
    let denominator = m.sub(sum, a);
    let [d, d_slope] = recip(m, [denominator, minus_one]);
    // Before the first step c is infinite: a number whose reciprocal vanishes beside all others.
    let huge = m.num(1e300);
    let state = [denominator, d, d_slope, huge, zero, d, d_slope];
    let outputs = m.iterate(&[a], &state, TERMS, |m, given, k, state| {
        let a = given[0];
        let difference = m.sub(k, a);
        let numerator = m.mul(k, difference);
        let numerator = [m.un(Unary::Neg, numerator), k];
        let denominator = m.addn(state[0], 2.0);
        let minus_one = m.num(-1.0);
        let add = |m: &mut Math, [v, s]: [Atom; 2]| [m.add(v, denominator), m.add(s, minus_one)];
        let scaled = product(m, numerator, [state[1], state[2]]);
        let shifted = add(m, scaled);
        let d = recip(m, shifted);
        let inverse = recip(m, [state[3], state[4]]);
        let scaled = product(m, numerator, inverse);
        let c = add(m, scaled);
        let step = product(m, c, d);
        let h = product(m, [state[5], state[6]], step);
        let off = m.addn(step[0], -1.0);
        let off = m.un(Unary::Abs, off);
        let slope = m.un(Unary::Abs, step[1]);
        let value_moves = m.cmpn(Compare::Ge, off, f64::EPSILON / 2.0);
        let slope_moves = m.cmpn(Compare::Ge, slope, f64::EPSILON);
        let go_on = m.or(value_moves, slope_moves);
        (vec![denominator, d[0], d[1], c[0], c[1], h[0], h[1]], go_on)
    });
    [outputs[5], outputs[6]]
}

/// A product of values with derivatives.
fn product(m: &mut Math, x: [Atom; 2], y: [Atom; 2]) -> [Atom; 2] {
    let (first, second) = (m.mul(x[1], y[0]), m.mul(x[0], y[1]));
    [m.mul(x[0], y[0]), m.add(first, second)]
}

fn recip(m: &mut Math, x: [Atom; 2]) -> [Atom; 2] {
    let value = m.rdiv(1.0, x[0]);
    let square = m.mul(value, value);
    let slope = m.mul(x[1], square);
    [value, m.un(Unary::Neg, slope)]
}

fn upper(m: &mut Math, a: Atom, x: Atom) -> Atom {
    let power = power(m, a, x);
    let scale = m.mul(power, a);
    let [h, _] = fraction(m, a, x);
    m.mul(scale, h)
}

/// P and Q where both arguments are positive and finite.
fn both(m: &mut Math, a: Atom, x: Atom) -> [Atom; 2] {
    let r = regions(m, a, x);
    let p = lower(m, r.a, r.x_series);
    let q = upper(m, r.a, r.x_fraction);
    let (one_less_p, one_less_q) = (m.rsub(1.0, p), m.rsub(1.0, q));
    [m.sel(r.fraction, one_less_q, p), m.sel(r.fraction, q, one_less_p)]
}

fn is_nan(m: &mut Math, a: Atom, x: Atom) -> Atom {
    let (a_nan, x_nan) = (m.cmp(Compare::Ne, a, a), m.cmp(Compare::Ne, x, x));
    m.or(a_nan, x_nan)
}

pub(crate) fn igamma(m: &mut Math, v: &[Atom]) -> Atom {
    let (a, x) = (v[0], v[1]);
    let [p, _] = both(m, a, x);
    let zero = m.cmpn(Compare::Eq, x, 0.0);
    let a_infinite = m.cmpn(Compare::Eq, a, f64::INFINITY);
    let none = m.or(zero, a_infinite);
    let p = m.seln(none, 0.0, p);
    let x_infinite = m.cmpn(Compare::Eq, x, f64::INFINITY);
    let p = m.seln(x_infinite, 1.0, p);
    let (bad_a, bad_x) = (m.cmpn(Compare::Le, a, 0.0), m.cmpn(Compare::Lt, x, 0.0));
    let outside = m.or(bad_a, bad_x);
    let nan = is_nan(m, a, x);
    let outside = m.or(outside, nan);
    m.seln(outside, f64::NAN, p)
}

pub(crate) fn igammac(m: &mut Math, v: &[Atom]) -> Atom {
    let (a, x) = (v[0], v[1]);
    let [_, q] = both(m, a, x);
    let (a_zero, x_zero) = (m.cmpn(Compare::Eq, a, 0.0), m.cmpn(Compare::Eq, x, 0.0));
    let (a_infinite, x_infinite) = (m.cmpn(Compare::Eq, a, f64::INFINITY), m.cmpn(Compare::Eq, x, f64::INFINITY));
    let all = m.or(x_zero, a_infinite);
    let q = m.seln(all, 1.0, q);
    let none = m.or(a_zero, x_infinite);
    let q = m.seln(none, 0.0, q);
    let (low_a, low_x) = (m.cmpn(Compare::Lt, a, 0.0), m.cmpn(Compare::Lt, x, 0.0));
    let low = m.or(low_a, low_x);
    let origin = m.and(a_zero, x_zero);
    let outside = m.or(low, origin);
    let nan = is_nan(m, a, x);
    let outside = m.or(outside, nan);
    m.seln(outside, f64::NAN, q)
}

pub(crate) fn igamma_grad_a(m: &mut Math, v: &[Atom]) -> Atom {
    let (a, x) = (v[0], v[1]);
    let r = regions(m, a, x);
    // By the fraction: dP = -power a (h' + h (log x - digamma(a))).
    let [h, slope] = fraction(m, r.a, r.x_fraction);
    let upper_power = power(m, r.a, r.x_fraction);
    let scale = m.mul(upper_power, r.a);
    let log = m.un(Unary::Log, r.x_fraction);
    let psi = digamma(m, r.a);
    let difference = m.sub(log, psi);
    let product = m.mul(h, difference);
    let sum = m.add(slope, product);
    let upper = m.mul(scale, sum);
    let upper = m.un(Unary::Neg, upper);
    // By the series, each term differentiated.
    let next = m.addn(r.a, 1.0);
    let (log, psi) = (m.un(Unary::Log, r.x_series), digamma(m, next));
    let first = m.sub(log, psi);
    let one = m.num(1.0);
    let sums = m.iterate(&[r.a, r.x_series], &[one, first, first], TERMS, |m, given, k, state| {
        let below = m.add(given[0], k);
        let ratio = m.div(given[1], below);
        let term = m.mul(state[0], ratio);
        let inverse = m.rdiv(1.0, below);
        let slope = m.sub(state[1], inverse);
        let change = m.mul(term, slope);
        let sum = m.add(state[2], change);
        let (size, change) = (m.un(Unary::Abs, sum), m.un(Unary::Abs, change));
        let small = m.muln(size, f64::EPSILON / 4.0);
        let go_on = m.cmp(Compare::Ge, change, small);
        (vec![term, slope, sum], go_on)
    });
    let lower_power = power(m, r.a, r.x_series);
    let lower = m.mul(sums[2], lower_power);
    let value = m.sel(r.fraction, upper, lower);
    let zero = m.cmpn(Compare::Eq, x, 0.0);
    let (x_infinite, a_infinite) = (m.cmpn(Compare::Eq, x, f64::INFINITY), m.cmpn(Compare::Eq, a, f64::INFINITY));
    let infinite = m.or(x_infinite, a_infinite);
    let none = m.or(zero, infinite);
    let value = m.seln(none, 0.0, value);
    let (bad_a, bad_x) = (m.cmpn(Compare::Le, a, 0.0), m.cmpn(Compare::Lt, x, 0.0));
    let outside = m.or(bad_a, bad_x);
    let nan = is_nan(m, a, x);
    let outside = m.or(outside, nan);
    m.seln(outside, f64::NAN, value)
}
