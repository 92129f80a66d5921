//! The logarithm of the gamma function and its derivative, in `f64` for narrower results, in loops that become vectors.
//!
//! Both have asymptotic series, good from 8 on. Smaller arguments are lifted by 8, with `q = y² + 7y` in which the eight factors between are
//! `q (q + 6) (q + 10) (q + 12)`; those below 0 are reflected. What cancels near zeros costs `f64` its last digits and leaves those of `f32`.

use std::f64::consts::PI;

use rjax_ir::Unary;
use rjax_kernel::kir::{Expr, Reg};

use super::arithmetic::Math;

/// B_2k / (2k (2k - 1)): the series of lgamma in odd powers of 1 / w.
const LGAMMA: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360360.0,
    1.0 / 156.0,
    -3617.0 / 122400.0,
];
/// B_2k / 2k: the series of digamma in even powers of 1 / w.
const DIGAMMA: [f64; 8] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32760.0, 1.0 / 12.0, -3617.0 / 8160.0];
/// The eight factors as a polynomial in q, over q, and their derivative.
const FACTORS: [f64; 4] = [720.0, 252.0, 28.0, 1.0];
const SLOPE: [f64; 4] = [720.0, 504.0, 84.0, 4.0];
/// Half the logarithm of 2π.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_741_78;

/// An argument that is not negative, in terms of one from 8 on.
struct Lifted {
    w: Reg,
    /// Whether w is not y.
    is_lifted: Reg,
    q: Reg,
    /// The eight factors, or 1.
    factors: Reg,
}

impl Math<'_> {
    pub(super) fn lgamma(&mut self, x: Reg) -> Reg {
        let (zero, one, half, pi) = (self.c(0.0), self.c(1.0), self.c(0.5), self.c(PI));
        let negative = self.lt(x, zero);
        let y = self.reflected(x);
        let Lifted { w, factors, .. } = self.lifted(y);
        // Γ(x) Γ(1 - x) sin πx = π.
        let (sin, _) = self.sin_and_cos_of_fraction(x);
        let sin = self.abs(sin);
        let reflection = self.div(pi, sin);
        let reflection = self.select(negative, reflection, one);
        let product = self.mul(factors, reflection);
        let inverse = self.div(one, w);
        let square = self.mul(inverse, inverse);
        let series = self.polynomial(square, &LGAMMA);
        let (log, before, constant) = (self.log(w), self.sub(w, half), self.c(HALF_LOG_TAU - 0.5));
        let log = self.sub(log, one);
        let rest = self.fma(series, inverse, constant);
        let stirling = self.fma(before, log, rest);
        let log = self.log(product);
        let result = self.sub(stirling, log);
        let negated = self.neg(result);
        let mut result = self.select(negative, negated, result);
        for root in [1.0, 2.0] {
            let root = self.c(root);
            let is_root = self.eq(x, root);
            result = self.select(is_root, zero, result);
        }
        let (magnitude, infinity) = (self.abs(x), self.c(f64::INFINITY));
        let infinite = self.eq(magnitude, infinity);
        self.select(infinite, infinity, result)
    }

    /// NaN at 0 and at negative integers.
    pub(super) fn digamma(&mut self, x: Reg) -> Reg {
        let (zero, one, half, pi, nan) = (self.c(0.0), self.c(1.0), self.c(0.5), self.c(PI), self.c(f64::NAN));
        let positive = self.lt(zero, x);
        let y = self.reflected(x);
        let Lifted { w, is_lifted, q, factors } = self.lifted(y);
        // The sum of 1 / y, 1 / (y + 1), … is the derivative of the factors over them.
        let (two, seven) = (self.c(2.0), self.c(7.0));
        let inner = self.fma(y, two, seven);
        let slope = self.polynomial(q, &SLOPE);
        let slope = self.mul(slope, inner);
        let sum = self.div(slope, factors);
        let sum = self.select(is_lifted, sum, zero);
        let inverse = self.div(one, w);
        let square = self.mul(inverse, inverse);
        let series = self.polynomial(square, &DIGAMMA);
        let series = self.mul(series, square);
        let rest = self.fma(half, inverse, series);
        let log = self.log(w);
        let asymptotic = self.sub(log, rest);
        let result = self.sub(asymptotic, sum);
        let (sin, cos) = self.sin_and_cos_of_fraction(x);
        let cotangent = self.div(cos, sin);
        let cotangent = self.mul(cotangent, pi);
        let of_negative = self.sub(result, cotangent);
        let pole = self.eq(sin, zero);
        let of_negative = self.select(pole, nan, of_negative);
        self.select(positive, result, of_negative)
    }

    /// x, or 1 - x below 0.
    fn reflected(&mut self, x: Reg) -> Reg {
        let (zero, one) = (self.c(0.0), self.c(1.0));
        let (negative, other) = (self.lt(x, zero), self.sub(one, x));
        self.select(negative, other, x)
    }

    fn lifted(&mut self, y: Reg) -> Lifted {
        let (one, seven, eight) = (self.c(1.0), self.c(7.0), self.c(8.0));
        let is_lifted = self.lt(y, eight);
        let above = self.add(y, eight);
        let w = self.select(is_lifted, above, y);
        let plus_seven = self.add(y, seven);
        let q = self.mul(y, plus_seven);
        let factors = self.polynomial(q, &FACTORS);
        let factors = self.mul(factors, q);
        Lifted { w, is_lifted, q, factors: self.select(is_lifted, factors, one) }
    }

    /// Sine and cosine of πx up to a common sign: of π times the distance of x from the nearest integer.
    fn sin_and_cos_of_fraction(&mut self, x: Reg) -> (Reg, Reg) {
        let nearest = self.define(self.float, Expr::Unary(Unary::RoundEven, x));
        let (fraction, pi) = (self.sub(x, nearest), self.c(PI));
        let angle = self.mul(fraction, pi);
        self.sin_and_cos_of_half_turn(angle)
    }
}
