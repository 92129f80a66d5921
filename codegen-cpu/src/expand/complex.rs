//! Moduli and quotients of `c64`, in `f64`: there no square of an `f32` overflows or vanishes, and products of two are exact.

use rjax_ir::{Binary, DType};
use rjax_kernel::kir::{Expr, Reg};

use super::arithmetic::Math;

impl Math<'_> {
    /// `|a + b i|`, infinite where either is.
    pub(super) fn modulus(&mut self, [a, b]: [Reg; 2]) -> Reg {
        let square = self.mul(b, b);
        let sum = self.fma(a, a, square);
        let root = self.sqrt(sum);
        let infinity = self.c(f64::INFINITY);
        [a, b].into_iter().fold(root, |modulus, part| {
            let infinite = self.is_infinite(part);
            self.select(infinite, infinity, modulus)
        })
    }

    /// `(a + b i) / (c + d i)`. Where both parts come out as NaN, quotients by 0 and of and by infinities are as in Annex G of the C standard.
    pub(super) fn complex_quotient(&mut self, [a, b]: [Reg; 2], [c, d]: [Reg; 2]) -> [Reg; 2] {
        let square = self.mul(d, d);
        let norm = self.fma(c, c, square);
        let product = |math: &mut Self, [c, d]: [Reg; 2], [a, b]: [Reg; 2]| {
            let negated = math.neg(d);
            [(a, b, d), (b, a, negated)].map(|(x, y, d)| {
                let product = math.mul(y, d);
                math.fma(x, c, product)
            })
        };
        // One division for both: what it loses, rounding to f32 hides.
        let one = self.c(1.0);
        let reciprocal = self.div(one, norm);
        let quotient = product(self, [c, d], [a, b]).map(|part| self.mul(part, reciprocal));
        let [x_infinite, y_infinite] = [[a, b], [c, d]].map(|parts| {
            let [re, im] = parts.map(|part| self.is_infinite(part));
            self.bool2(Binary::Or, re, im)
        });
        let [x_finite, y_finite] = [[a, b], [c, d]].map(|parts| {
            let [re, im] = parts.map(|part| self.is_finite(part));
            self.bool2(Binary::And, re, im)
        });
        let (zero, infinity) = (self.c(0.0), self.c(f64::INFINITY));
        let units = |math: &mut Self, parts: [Reg; 2]| parts.map(|part| math.infinite_part(part));
        let x_units = units(self, [a, b]);
        let of_infinity = product(self, [c, d], x_units).map(|part| self.mul(infinity, part));
        let y_units = units(self, [c, d]);
        let by_infinity = product(self, y_units, [a, b]).map(|part| self.mul(zero, part));
        let signed = self.with_sign_of(infinity, c);
        let by_zero = [a, b].map(|part| self.mul(signed, part));
        let is_zero = self.eq(norm, zero);
        let of_infinity_only = self.bool2(Binary::And, x_infinite, y_finite);
        let by_infinity_only = self.bool2(Binary::And, y_infinite, x_finite);
        let [re, im] = quotient.map(|part| self.eq(part, part));
        let number = self.bool2(Binary::Or, re, im);
        std::array::from_fn(|i| {
            let mut part = self.select(by_infinity_only, by_infinity[i], quotient[i]);
            part = self.select(of_infinity_only, of_infinity[i], part);
            part = self.select(is_zero, by_zero[i], part);
            self.select(number, quotient[i], part)
        })
    }

    /// 1 where x is infinite and else 0, with its sign.
    fn infinite_part(&mut self, x: Reg) -> Reg {
        let (zero, one) = (self.c(0.0), self.c(1.0));
        let infinite = self.is_infinite(x);
        let unit = self.select(infinite, one, zero);
        self.with_sign_of(unit, x)
    }

    fn is_infinite(&mut self, x: Reg) -> Reg {
        let (magnitude, infinity) = (self.abs(x), self.c(f64::INFINITY));
        self.eq(magnitude, infinity)
    }

    fn is_finite(&mut self, x: Reg) -> Reg {
        let (magnitude, infinity) = (self.abs(x), self.c(f64::INFINITY));
        self.lt(magnitude, infinity)
    }

    fn bool2(&mut self, op: Binary, x: Reg, y: Reg) -> Reg {
        self.define(DType::Bool, Expr::Binary(op, x, y))
    }
}
