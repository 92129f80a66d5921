//! The regularised incomplete beta function by its continued fraction, on the side of the mean where that converges fast.

use std::f64::consts::PI;

use rjax_ir::{Atom, Compare, Unary};

use super::Math;
use super::gamma::{lgamma_positive, log_ratio_excess, stirling_remainder};

/// Enough steps for parameters up to 1e6.
const STEPS: f64 = 10000.0;
const TINY: f64 = 1e-300;

/// x^a (1-x)^b / beta(a, b).
fn power(m: &mut Math, a: Atom, b: Atom, x: Atom) -> Atom {
    let sum = m.add(a, b);
    let rest = m.rsub(1.0, x);
    let (sx, sr) = (m.mul(sum, x), m.mul(sum, rest));
    let (ea, eb) = (log_ratio_excess(m, sx, a), log_ratio_excess(m, sr, b));
    let (pa, pb) = (m.mul(a, ea), m.mul(b, eb));
    let exponent = m.add(pa, pb);
    let remainders = [a, b, sum].map(|v| stirling_remainder(m, v));
    let both = m.add(remainders[0], remainders[1]);
    let remainder = m.sub(both, remainders[2]);
    let exponent = m.sub(exponent, remainder);
    let e = m.un(Unary::Exp, exponent);
    let share = m.div(a, sum);
    let product = m.mul(share, b);
    let scaled = m.muln(product, 0.5 / PI);
    let root = m.un(Unary::Sqrt, scaled);
    let large = m.mul(root, e);
    let log = m.un(Unary::Log, x);
    let minus = m.un(Unary::Neg, x);
    let log_rest = m.un(Unary::Log1p, minus);
    let (pa, pb) = (m.mul(a, log), m.mul(b, log_rest));
    let exponent = m.add(pa, pb);
    let gammas = [sum, a, b].map(|v| lgamma_positive(m, v));
    let norm = m.sub(gammas[0], gammas[1]);
    let norm = m.sub(norm, gammas[2]);
    let exponent = m.add(exponent, norm);
    let small = m.un(Unary::Exp, exponent);
    let (a_large, b_large) = (m.cmpn(Compare::Ge, a, 10.0), m.cmpn(Compare::Ge, b, 10.0));
    let is_large = m.and(a_large, b_large);
    m.sel(is_large, large, small)
}

fn away_from_zero(m: &mut Math, v: Atom) -> Atom {
    let size = m.un(Unary::Abs, v);
    let small = m.cmpn(Compare::Lt, size, TINY);
    m.seln(small, TINY, v)
}

/// The continued fraction of I_x(a, b) a beta(a, b) / (x^a (1-x)^b).
fn fraction(m: &mut Math, a: Atom, b: Atom, x: Atom) -> Atom {
    let sum = m.add(a, b);
    let product = m.mul(sum, x);
    let next = m.addn(a, 1.0);
    let ratio = m.div(product, next);
    let first = m.rsub(1.0, ratio);
    let first = away_from_zero(m, first);
    let d = m.rdiv(1.0, first);
    let one = m.num(1.0);
    let outputs = m.iterate(&[a, b, x], &[one, d, d], STEPS, |m, given, k, state| {
        let (a, b, x) = (given[0], given[1], given[2]);
        let twice = m.muln(k, 2.0);
        let at = m.add(a, twice);
        let (before, after) = (m.addn(at, -1.0), m.addn(at, 1.0));
        // m (b - m) x / ((a + 2m - 1) (a + 2m))
        let left = m.sub(b, k);
        let left = m.mul(k, left);
        let top = m.mul(left, x);
        let bottom = m.mul(before, at);
        let even = m.div(top, bottom);
        // -(a + m) (a + b + m) x / ((a + 2m) (a + 2m + 1))
        let (one_sum, sum) = (m.add(a, k), m.add(a, b));
        let all = m.add(sum, k);
        let top = m.mul(one_sum, all);
        let top = m.mul(top, x);
        let bottom = m.mul(at, after);
        let odd = m.div(top, bottom);
        let odd = m.un(Unary::Neg, odd);
        let (mut c, mut d, mut h) = (state[0], state[1], state[2]);
        let mut step = h;
        for numerator in [even, odd] {
            let scaled = m.mul(numerator, d);
            let shifted = m.addn(scaled, 1.0);
            let shifted = away_from_zero(m, shifted);
            d = m.rdiv(1.0, shifted);
            let ratio = m.div(numerator, c);
            let shifted = m.addn(ratio, 1.0);
            c = away_from_zero(m, shifted);
            step = m.mul(c, d);
            h = m.mul(h, step);
        }
        let off = m.addn(step, -1.0);
        let off = m.un(Unary::Abs, off);
        let go_on = m.cmpn(Compare::Ge, off, f64::EPSILON / 2.0);
        (vec![c, d, h], go_on)
    });
    outputs[2]
}

/// I_x(a, b); where a or b is 0 or infinite, the limit.
pub(crate) fn regularized_incomplete_beta(m: &mut Math, v: &[Atom]) -> Atom {
    let (a, b, x) = (v[0], v[1], v[2]);
    let finite = |m: &mut Math, v: Atom| {
        let (above, below) = (m.cmpn(Compare::Gt, v, 0.0), m.cmpn(Compare::Lt, v, f64::INFINITY));
        m.and(above, below)
    };
    let (a_plain, b_plain) = (finite(m, a), finite(m, b));
    let (one, half) = (m.num(1.0), m.num(0.5));
    let (sa, sb) = (m.sel(a_plain, a, one), m.sel(b_plain, b, one));
    let (above, below) = (m.cmpn(Compare::Gt, x, 0.0), m.cmpn(Compare::Lt, x, 1.0));
    let inside = m.and(above, below);
    let sx = m.sel(inside, x, half);
    // Beyond the mean by I_x(a, b) = 1 - I_(1-x)(b, a).
    let sum = m.add(sa, sb);
    let mean = m.mul(sx, sum);
    let beyond = m.cmp(Compare::Gt, mean, sa);
    let rest = m.rsub(1.0, sx);
    let (fa, fb, fx) = (m.sel(beyond, sb, sa), m.sel(beyond, sa, sb), m.sel(beyond, rest, sx));
    let (scale, value) = (power(m, sa, sb, sx), fraction(m, fa, fb, fx));
    let product = m.mul(scale, value);
    let value = m.div(product, fa);
    let other = m.rsub(1.0, value);
    let value = m.sel(beyond, other, value);
    // The limits, the last ones foremost.
    let (a_zero, b_zero) = (m.cmpn(Compare::Eq, a, 0.0), m.cmpn(Compare::Eq, b, 0.0));
    let (a_infinite, b_infinite) = (m.cmpn(Compare::Eq, a, f64::INFINITY), m.cmpn(Compare::Eq, b, f64::INFINITY));
    let (x_zero, x_one) = (m.cmpn(Compare::Eq, x, 0.0), m.cmpn(Compare::Eq, x, 1.0));
    let zero = m.num(0.0);
    let at_zero = m.sel(a_zero, one, zero);
    let low = m.or(x_zero, b_zero);
    let low = m.or(low, a_infinite);
    let value = m.sel(low, at_zero, value);
    let high = m.or(a_zero, b_infinite);
    let high = m.and(high, above);
    let high = m.or(high, x_one);
    let value = m.sel(high, one, value);
    let (a_in, b_in) = (m.cmpn(Compare::Ge, a, 0.0), m.cmpn(Compare::Ge, b, 0.0));
    let (x_low, x_high) = (m.cmpn(Compare::Ge, x, 0.0), m.cmpn(Compare::Le, x, 1.0));
    let (parameters, x_in) = (m.and(a_in, b_in), m.and(x_low, x_high));
    let domain = m.and(parameters, x_in);
    let (zeros, infinities) = (m.and(a_zero, b_zero), m.and(a_infinite, b_infinite));
    let unclear = m.or(zeros, infinities);
    let clear = m.not(unclear);
    let domain = m.and(domain, clear);
    let nan = m.num(f64::NAN);
    m.sel(domain, value, nan)
}
