//! The gamma function's relatives, in `f64`.

use std::f64::consts::PI;

use rjax_ir::{Atom, Compare, Unary};

use super::Math;

/// How often arguments are moved up by one before an asymptotic series is used.
const SHIFTS: usize = 10;

/// What Stirling's formula lacks, for arguments of at least 10.
pub(super) fn stirling_remainder(m: &mut Math, x: Atom) -> Atom {
    const TERMS: [f64; 6] = [-691.0 / 360360.0, 1.0 / 1188.0, -1.0 / 1680.0, 1.0 / 1260.0, -1.0 / 360.0, 1.0 / 12.0];
    let square = m.mul(x, x);
    let inverse = m.rdiv(1.0, square);
    let series = m.polynomial(inverse, &TERMS);
    m.div(series, x)
}

/// lgamma of positive arguments: Stirling's formula after a shift, less the logarithm of the factors shifted over. Near the
/// zeros at 1 and 2 the error is 1e-14 absolute.
pub(super) fn lgamma_positive(m: &mut Math, x: Atom) -> Atom {
    let (mut shifted, mut factors) = (x, m.num(1.0));
    for _ in 0..SHIFTS {
        let small = m.cmpn(Compare::Lt, shifted, 10.0);
        let product = m.mul(factors, shifted);
        factors = m.sel(small, product, factors);
        let next = m.addn(shifted, 1.0);
        shifted = m.sel(small, next, shifted);
    }
    let log = m.un(Unary::Log, shifted);
    let less = m.addn(shifted, -0.5);
    let power = m.mul(less, log);
    let main = m.sub(power, shifted);
    let main = m.addn(main, 0.5 * (2.0 * PI).ln());
    let remainder = stirling_remainder(m, shifted);
    let value = m.add(main, remainder);
    let log = m.un(Unary::Log, factors);
    let value = m.sub(value, log);
    let infinite = m.cmpn(Compare::Eq, x, f64::INFINITY);
    m.seln(infinite, f64::INFINITY, value)
}

/// Below one half by reflection: lgamma(x) = log(pi / |sin(pi x)|) - lgamma(1 - x).
pub(super) fn lgamma(m: &mut Math, x: Atom) -> Atom {
    let reflected = m.cmpn(Compare::Lt, x, 0.5);
    let other = m.rsub(1.0, x);
    let argument = m.sel(reflected, other, x);
    let value = lgamma_positive(m, argument);
    let nearest = m.un(Unary::RoundEven, x);
    let fraction = m.sub(x, nearest);
    let angle = m.muln(fraction, PI);
    let sin = m.un(Unary::Sin, angle);
    let sin = m.un(Unary::Abs, sin);
    let log = m.un(Unary::Log, sin);
    let log = m.rsub(PI.ln(), log);
    let left = m.sub(log, value);
    let result = m.sel(reflected, left, value);
    // Near zero the function is -log |x|, also where pi x is too small to be exact.
    let a = m.un(Unary::Abs, x);
    let log = m.un(Unary::Log, a);
    let log = m.un(Unary::Neg, log);
    let tiny = m.cmpn(Compare::Lt, a, 1e-20);
    let result = m.sel(tiny, log, result);
    let pole = m.cmpn(Compare::Eq, fraction, 0.0);
    let pole = m.and(pole, reflected);
    let result = m.seln(pole, f64::INFINITY, result);
    let infinite = m.cmpn(Compare::Eq, a, f64::INFINITY);
    m.seln(infinite, f64::INFINITY, result)
}

pub(super) fn digamma(m: &mut Math, x: Atom) -> Atom {
    const TERMS: [f64; 8] = [
        -3617.0 / 8160.0,
        1.0 / 12.0,
        -691.0 / 32760.0,
        1.0 / 132.0,
        -1.0 / 240.0,
        1.0 / 252.0,
        -1.0 / 120.0,
        1.0 / 12.0,
    ];
    // digamma(x) = digamma(1 - x) - pi / tan(pi x)
    let reflected = m.cmpn(Compare::Le, x, 0.0);
    let other = m.rsub(1.0, x);
    let mut shifted = m.sel(reflected, other, x);
    let mut sum = m.num(0.0);
    for _ in 0..SHIFTS {
        let small = m.cmpn(Compare::Lt, shifted, 10.0);
        let inverse = m.rdiv(1.0, shifted);
        let less = m.sub(sum, inverse);
        sum = m.sel(small, less, sum);
        let next = m.addn(shifted, 1.0);
        shifted = m.sel(small, next, shifted);
    }
    let square = m.mul(shifted, shifted);
    let inverse = m.rdiv(1.0, square);
    let series = m.polynomial(inverse, &TERMS);
    let series = m.mul(series, inverse);
    let log = m.un(Unary::Log, shifted);
    let half = m.rdiv(0.5, shifted);
    let value = m.sub(log, half);
    let value = m.sub(value, series);
    let value = m.add(sum, value);
    let nearest = m.un(Unary::RoundEven, x);
    let fraction = m.sub(x, nearest);
    let angle = m.muln(fraction, PI);
    let (sin, cos) = (m.un(Unary::Sin, angle), m.un(Unary::Cos, angle));
    let tangent = m.div(sin, cos);
    let cotangent = m.rdiv(PI, tangent);
    let left = m.sub(value, cotangent);
    let result = m.sel(reflected, left, value);
    let pole = m.cmpn(Compare::Eq, fraction, 0.0);
    let pole = m.and(pole, reflected);
    m.seln(pole, f64::NAN, result)
}

/// (2k)! / B_2k for k = 1, 2, …: the Euler-Maclaurin terms.
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

/// Ten leading terms, then the Euler-Maclaurin formula for the rest.
fn series(m: &mut Math, s: Atom, q: Atom) -> Atom {
    let minus = m.un(Unary::Neg, s);
    let (mut a, mut sum) = (q, m.num(0.0));
    for _ in 0..10 {
        let term = m.pow(a, minus);
        sum = m.add(sum, term);
        a = m.addn(a, 1.0);
    }
    let power = m.pow(a, minus);
    let less = m.addn(s, -1.0);
    let integral = m.mul(power, a);
    let integral = m.div(integral, less);
    let half = m.muln(power, 0.5);
    let rest = m.add(integral, half);
    sum = m.add(sum, rest);
    let mut factor = m.mul(s, power);
    factor = m.div(factor, a);
    let square = m.mul(a, a);
    for (k, &denominator) in ZETA.iter().enumerate() {
        let denominator = m.num(denominator);
        let term = m.div(factor, denominator);
        sum = m.add(sum, term);
        let (first, second) = (m.addn(s, 2.0 * k as f64 + 1.0), m.addn(s, 2.0 * k as f64 + 2.0));
        let product = m.mul(first, second);
        let product = m.div(product, square);
        factor = m.mul(factor, product);
    }
    // Beyond all others one term is everything, and the formula overflows.
    let first = m.pow(q, minus);
    let unclear = m.cmp(Compare::Ne, sum, sum);
    m.sel(unclear, first, sum)
}

/// Below zero, too, the series with a signed base is what XLA computes.
pub(crate) fn zeta(m: &mut Math, x: &[Atom]) -> Atom {
    let (s, q) = (x[0], x[1]);
    let floor = m.un(Unary::Floor, q);
    let positive = m.cmpn(Compare::Gt, q, 0.0);
    let direct = series(m, s, q);
    let two = m.num(2.0);
    let remainder = m.b.binary(rjax_ir::Binary::Rem, s, two);
    let even = m.cmpn(Compare::Eq, remainder, 0.0);
    let s_floor = m.un(Unary::Floor, s);
    let fractional = m.cmp(Compare::Ne, s, s_floor);
    let left = m.seln(fractional, f64::NAN, direct);
    let (infinite, nan) = (m.num(f64::INFINITY), m.num(f64::NAN));
    let at_pole = m.sel(even, infinite, nan);
    let is_pole = m.cmp(Compare::Eq, q, floor);
    let left = m.sel(is_pole, at_pole, left);
    let value = m.sel(positive, direct, left);
    let at_one = m.cmpn(Compare::Eq, s, 1.0);
    let value = m.seln(at_one, f64::INFINITY, value);
    let inside = m.cmpn(Compare::Ge, s, 1.0);
    let value = m.sel(inside, value, nan);
    let q_nan = m.cmp(Compare::Ne, q, q);
    m.seln(q_nan, f64::NAN, value)
}

pub(crate) fn polygamma(m: &mut Math, x: &[Atom]) -> Atom {
    let (n, x) = (x[0], x[1]);
    let order = m.addn(n, 1.0);
    let log = lgamma(m, order);
    let factorial = m.un(Unary::Exp, log);
    // Whole factorials are whole numbers as long as they are exact.
    let rounded = m.un(Unary::RoundEven, factorial);
    let exact = m.cmpn(Compare::Lt, factorial, 1e15);
    let factorial = m.sel(exact, rounded, factorial);
    let series = zeta(m, &[order, x]);
    let product = m.mul(factorial, series);
    let two = m.num(2.0);
    let remainder = m.b.binary(rjax_ir::Binary::Rem, n, two);
    let even = m.cmpn(Compare::Eq, remainder, 0.0);
    let minus = m.un(Unary::Neg, product);
    let value = m.sel(even, minus, product);
    let floor = m.un(Unary::Floor, n);
    let natural = m.cmp(Compare::Eq, n, floor);
    let at_least = m.cmpn(Compare::Ge, n, 0.0);
    let natural = m.and(natural, at_least);
    let nan = m.num(f64::NAN);
    let value = m.sel(natural, value, nan);
    let zero = m.cmpn(Compare::Eq, n, 0.0);
    let first = digamma(m, x);
    m.sel(zero, first, value)
}

/// log(x / c) - (x - c) / c without cancellation near x = c.
pub(super) fn log_ratio_excess(m: &mut Math, x: Atom, c: Atom) -> Atom {
    let difference = m.sub(x, c);
    let d = m.div(difference, c);
    let ratio = m.div(x, c);
    let log = m.un(Unary::Log, ratio);
    let far = m.sub(log, d);
    // log(1 + d) - d is the sum of -(-d)^k / k from k = 2.
    let minus = m.un(Unary::Neg, d);
    let coefficients: Vec<f64> = (2..=28).rev().map(|k| 1.0 / k as f64).collect();
    let series = m.polynomial(minus, &coefficients);
    let square = m.mul(d, d);
    let near = m.mul(square, series);
    let near = m.un(Unary::Neg, near);
    let a = m.un(Unary::Abs, d);
    let is_far = m.cmpn(Compare::Gt, a, 0.25);
    m.sel(is_far, far, near)
}
