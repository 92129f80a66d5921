//! The error function, its complement and its inverse, in f32.

use rjax_kernel::kir::Reg;

use super::arithmetic::Math;

/// erf(x) / x as a quotient of polynomials in x², where erf(x) is not yet 1 in f32.
const ERF_NUMERATOR: &[f64] =
    &[1.128379167, 0.1856862596, 0.05408160557, 0.003830196116, 0.0003668920366, 4.334792928e-6, -1.142647094e-8];
const ERF_DENOMINATOR: &[f64] = &[1.0, 0.4978934997, 0.1138929719, 0.01537936575, 0.001286479088, 5.979216253e-5];
/// From here on erf is 1 in f32.
const ERF_END: f64 = 3.92;

/// erfc(x) exp(x²) (1 + 2x) in (x - 2) / (x + 2).
const ERFC: &[f64] = &[
    1.276978392,
    -0.09276389652,
    -0.1660313621,
    0.1640531607,
    -0.05420513814,
    -0.008044606704,
    0.008638431098,
    0.001273388658,
    -0.001253381966,
    -0.0003646226032,
    2.649173097e-5,
];
/// From here on erfc is 0 in f32.
const ERFC_END: f64 = 10.2;

/// Giles' polynomials in w = -log(1 - x²), lowest power first: in `w - 5/2`, and in `sqrt(w) - 3` from 5 on.
const INVERSE_CENTRE: [f64; 9] = [
    1.50140941,
    0.246640727,
    -0.00417768164,
    -0.00125372503,
    0.00021858087,
    -4.39150654e-06,
    -3.5233877e-06,
    3.43273939e-07,
    2.81022636e-08,
];
const INVERSE_TAIL: [f64; 9] = [
    2.83297682,
    1.00167406,
    0.00943887047,
    -0.0076224613,
    0.00573950773,
    -0.00367342844,
    0.00134934322,
    0.000100950558,
    -0.000200214257,
];

impl Math<'_> {
    pub(super) fn erf(&mut self, x: Reg) -> Reg {
        let x = self.at_most(x, ERF_END);
        let x = self.at_least(x, -ERF_END);
        let square = self.mul(x, x);
        let numerator = self.polynomial(square, ERF_NUMERATOR);
        let numerator = self.mul(numerator, x);
        let denominator = self.polynomial(square, ERF_DENOMINATOR);
        let quotient = self.div(numerator, denominator);
        let quotient = self.at_most(quotient, 1.0);
        self.at_least(quotient, -1.0)
    }

    /// `erfc(|x|) = exp(-x²) P / (1 + 2|x|)`; the rounding error of x² is put right by a factor. `erfc(-x) = 2 - erfc(x)`.
    pub(super) fn erfc(&mut self, x: Reg) -> Reg {
        let a = self.abs(x);
        let a = self.at_most(a, ERFC_END);
        let [zero, one, two] = [0.0, 1.0, 2.0].map(|v| self.c(v));
        let square = self.mul(a, a);
        let negative = self.neg(square);
        let missing = self.fma(a, a, negative);
        let e = self.exp(negative);
        let correction = self.mul(e, missing);
        let e = self.sub(e, correction);
        let (less, more) = (self.sub(a, two), self.add(a, two));
        let q = self.div(less, more);
        let p = self.polynomial(q, ERFC);
        let denominator = self.fma(a, two, one);
        let factor = self.div(p, denominator);
        let result = self.mul(e, factor);
        let other = self.sub(two, result);
        let below = self.lt(x, zero);
        self.select(below, other, result)
    }

    /// As the interpreter, which follows XLA, but with this module's `log1p`.
    pub(super) fn erf_inv(&mut self, x: Reg) -> Reg {
        let negative = self.neg(x);
        let minus_square = self.mul(x, negative);
        let log = self.log1p(minus_square);
        let w = self.neg(log);
        let [five, centre, tail, one, infinity] = [5.0, 2.5, 3.0, 1.0, f64::INFINITY].map(|v| self.c(v));
        let near = self.lt(w, five);
        let root = self.sqrt(w);
        let (from_centre, from_tail) = (self.sub(w, centre), self.sub(root, tail));
        let t = self.select(near, from_centre, from_tail);
        let mut sum: Option<Reg> = None;
        for (centre, tail) in INVERSE_CENTRE.into_iter().zip(INVERSE_TAIL).rev() {
            let (centre, tail) = (self.c(centre), self.c(tail));
            let coefficient = self.select(near, centre, tail);
            sum = Some(match sum {
                Some(sum) => self.fma(sum, t, coefficient),
                None => coefficient,
            });
        }
        let result = self.mul(sum.expect("nine coefficients"), x);
        let magnitude = self.abs(x);
        let at_end = self.eq(magnitude, one);
        let infinite = self.mul(x, infinity);
        self.select(at_end, infinite, result)
    }
}
