//! Hyperbolic functions and their inverses.

use std::f64::consts::LN_2;

use rjax_kernel::kir::Reg;

use super::arithmetic::Math;

/// tanh(x) / x as a quotient of polynomials in x², where tanh(x) is not yet 1 in f32.
const TANH_NUMERATOR: &[f64] =
    &[0.9999999996, 0.1368315297, 0.003872363715, 2.808776715e-5, 3.07743625e-8, -1.234106552e-11];
const TANH_DENOMINATOR: &[f64] = &[1.0, 0.4701648557, 0.02726066374, 0.0003945704899, 1.292924596e-6];
/// From here on tanh is 1 in f32.
const TANH_END: f64 = 9.02;

/// (sinh(x) - x) / x³ in x² for |x| <= 1.
const SINH_F32: &[f64] = &[0.1666666649, 0.008333350597, 0.0001983606649, 2.817438332e-6];
const SINH_F64: &[f64] = &[
    0.16666666666666666666,
    0.0083333333333333335599,
    0.00019841269841269590392,
    2.7557319224120248687e-6,
    2.5052108345639762203e-8,
    1.6059050706089771332e-10,
    7.646476346615148493e-13,
    2.8483986739078272377e-15,
];

impl Math<'_> {
    pub(super) fn tanh(&mut self, x: Reg) -> Reg {
        if self.is_double() {
            // With t = exp(2|x|) - 1, tanh |x| = t / (t + 2).
            let magnitude = self.abs(x);
            let twice = self.add(magnitude, magnitude);
            let twice = self.at_most(twice, 40.0);
            let t = self.expm1(twice);
            let two = self.c(2.0);
            let denominator = self.add(t, two);
            let quotient = self.div(t, denominator);
            return self.with_sign_of(quotient, x);
        }
        let x = self.at_most(x, TANH_END);
        let x = self.at_least(x, -TANH_END);
        let square = self.mul(x, x);
        let numerator = self.polynomial(square, TANH_NUMERATOR);
        let numerator = self.mul(numerator, x);
        let denominator = self.polynomial(square, TANH_DENOMINATOR);
        let quotient = self.div(numerator, denominator);
        let quotient = self.at_most(quotient, 1.0);
        self.at_least(quotient, -1.0)
    }

    /// With `h = e^|x| / 2`, `h - 1/(4h)`; a polynomial up to 1, where that cancels.
    pub(super) fn sinh(&mut self, x: Reg) -> Reg {
        let magnitude = self.abs(x);
        let h = self.half_exp(magnitude);
        let (quarter, one) = (self.c(0.25), self.c(1.0));
        let other = self.div(quarter, h);
        let large = self.sub(h, other);
        let large = self.with_sign_of(large, x);
        let square = self.mul(x, x);
        let p = self.polynomial(square, self.either(SINH_F32, SINH_F64));
        let factor = self.fma(p, square, one);
        let small = self.mul(factor, x);
        let is_small = self.lt(magnitude, one);
        self.select(is_small, small, large)
    }

    pub(super) fn cosh(&mut self, x: Reg) -> Reg {
        let magnitude = self.abs(x);
        let h = self.half_exp(magnitude);
        let quarter = self.c(0.25);
        let other = self.div(quarter, h);
        self.add(h, other)
    }

    /// `log1p(|x| + x² / (1 + sqrt(1 + x²)))`; far out, `log1p(|x|) + ln 2`.
    pub(super) fn asinh(&mut self, x: Reg) -> Reg {
        let magnitude = self.abs(x);
        let one = self.c(1.0);
        let square = self.mul(x, x);
        let sum = self.add(square, one);
        let root = self.sqrt(sum);
        let denominator = self.add(root, one);
        let rest = self.div(square, denominator);
        let argument = self.add(magnitude, rest);
        let result = self.log1p_beyond(magnitude, magnitude, argument);
        self.with_sign_of(result, x)
    }

    /// With `t = x - 1`, `log1p(t + sqrt(2t + t²))`; far out, `log1p(t) + ln 2`. Not a number below 1.
    pub(super) fn acosh(&mut self, x: Reg) -> Reg {
        let one = self.c(1.0);
        let t = self.sub(x, one);
        let twice = self.add(t, t);
        let sum = self.fma(t, t, twice);
        let root = self.sqrt(sum);
        let argument = self.add(t, root);
        let (below, nan) = (self.lt(x, one), self.c(f64::NAN));
        let argument = self.select(below, nan, argument);
        self.log1p_beyond(x, t, argument)
    }

    /// `log1p(argument)`, or `log1p(simple) + ln 2` where x is so large that `argument` is `2 * simple` or overflows.
    fn log1p_beyond(&mut self, x: Reg, simple: Reg, argument: Reg) -> Reg {
        let large = self.c(2f64.powi(self.either(30, 60)));
        let is_large = self.lt(large, x);
        let argument = self.select(is_large, simple, argument);
        let (ln2, zero) = (self.c(LN_2), self.c(0.0));
        let rest = self.select(is_large, ln2, zero);
        let log = self.log1p(argument);
        self.add(log, rest)
    }

    /// `log1p(2|x| / (1 - |x|)) / 2`.
    pub(super) fn atanh(&mut self, x: Reg) -> Reg {
        let magnitude = self.abs(x);
        let one = self.c(1.0);
        let twice = self.add(magnitude, magnitude);
        let rest = self.sub(one, magnitude);
        let argument = self.div(twice, rest);
        let log = self.log1p(argument);
        let half = self.c(0.5);
        let result = self.mul(log, half);
        self.with_sign_of(result, x)
    }
}
