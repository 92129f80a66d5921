//! Logarithms: x = 2^e (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).

use std::f64::consts::FRAC_1_SQRT_2;

use rjax_kernel::kir::Reg;

use super::arithmetic::Math;

/// ln 2 in two parts; integers up to the exponents times the first are exact.
const LN2_F32: [f64; 2] = [0.693_359_375, -2.121_944_400_546_905_7e-4];
const LN2_F64: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];

/// (log(1 + f) - f + f²/2) / f³.
const F32: &[f64] = &[
    0.3333331672,
    -0.250008103,
    0.200022867,
    -0.1662455654,
    0.1418118492,
    -0.1312873265,
    0.1288168507,
    -0.07859698534,
];
/// (log((1 + s) / (1 - s)) - 2s) / s³ in s².
const F64: &[f64] = &[
    0.66666666666667344067,
    0.39999999999414645843,
    0.2857142874240007434,
    0.22222198571689959067,
    0.18183564409256502254,
    0.15314048344844625624,
    0.14795972312096392045,
];

impl Math<'_> {
    pub(super) fn log(&mut self, x: Reg) -> Reg {
        let (e, f) = self.exponent_and_fraction(x);
        let result = self.log_of_parts(e, f);
        self.log_outside(x, x, result)
    }

    /// `x = 2^e (1 + f)` for positive finite x.
    pub(super) fn exponent_and_fraction(&mut self, x: Reg) -> (Reg, Reg) {
        // Subnormal numbers are made normal first.
        let (least, lift) = self.either((f32::MIN_POSITIVE as f64, 25), (f64::MIN_POSITIVE, 54));
        let (least, factor) = (self.c(least), self.c(2f64.powi(lift)));
        let small = self.lt(x, least);
        let lifted = self.mul(x, factor);
        let lifted = self.select(small, lifted, x);
        let (lift, zero) = (self.c(lift as f64), self.c(0.0));
        let lift = self.select(small, lift, zero);
        let (e, _, m) = self.split(lifted);
        let e = self.sub(e, lift);
        let one = self.c(1.0);
        (e, self.sub(m, one))
    }

    /// `log(u) + c/u` for `u = 1 + x` as it is rounded and `c` what the rounding cut off.
    pub(super) fn log1p(&mut self, x: Reg) -> Reg {
        let one = self.c(1.0);
        let u = self.add(one, x);
        let without_one = self.sub(u, one);
        let one_back = self.sub(u, without_one);
        let rest_of_one = self.sub(one, one_back);
        let rest_of_x = self.sub(x, without_one);
        let cut = self.add(rest_of_one, rest_of_x);
        let (e, exponent, m) = self.split(u);
        // 2^-e, or 0 where what was cut off is far too small to matter.
        let one_bits = self.i(self.bits_of(1.0));
        let scale = self.isub(one_bits, exponent);
        let scale = self.number(scale);
        let (large, zero) = (self.c(2f64.powi(100)), self.c(0.0));
        let moderate = self.lt(u, large);
        let scale = self.select(moderate, scale, zero);
        let cut = self.select(moderate, cut, zero);
        let f = self.sub(m, one);
        let f = self.fma(cut, scale, f);
        let result = self.log_of_parts(e, f);
        let result = self.log_outside(u, x, result);
        self.with_sign_of(result, x)
    }

    /// `x = 2^e m` for normal positive x: e as a number, e in the place of the exponent, and m.
    fn split(&mut self, x: Reg) -> (Reg, Reg, Reg) {
        let mantissa = self.mantissa();
        let bias = 1i64 << self.either(8, 11);
        let middle = self.bits_of(FRAC_1_SQRT_2);
        let bits = self.bits(x);
        let from_middle = self.iadd(bits, -middle);
        let fraction = self.and(from_middle, (1 << mantissa) - 1);
        let exponent = self.isub(from_middle, fraction);
        // Adding the highest bit makes the exponent positive; below 2^mantissa, integers are mantissas.
        let biased = self.iadd(exponent, bias << mantissa);
        let biased = self.shift_right(biased, mantissa);
        let ulp_is_one = 2f64.powi(mantissa as i32);
        let base = self.i(self.bits_of(ulp_is_one));
        let shifted = self.or(biased, base);
        let shifted = self.number(shifted);
        let offset = self.c(ulp_is_one + bias as f64);
        let e = self.sub(shifted, offset);
        let m = self.iadd(fraction, middle);
        (e, exponent, self.number(m))
    }

    /// `e ln 2 + log(1 + f)`, what is small first.
    fn log_of_parts(&mut self, e: Reg, f: Reg) -> Reg {
        let [high, low] = self.either(LN2_F32, LN2_F64).map(|part| self.c(part));
        let square = self.mul(f, f);
        if !self.is_double() {
            let p = self.polynomial(f, F32);
            let p = self.mul(p, f);
            let low = self.mul(e, low);
            let rest = self.fma(p, square, low);
            let minus_half = self.c(-0.5);
            let rest = self.fma(square, minus_half, rest);
            let log = self.add(f, rest);
            return self.fma(e, high, log);
        }
        // With s = f / (2 + f), log(1 + f) = 2s + s³R = f - (h - s (h + s²R)) where h = f²/2.
        let (half, two) = (self.c(0.5), self.c(2.0));
        let denominator = self.add(f, two);
        let s = self.div(f, denominator);
        let s_squared = self.mul(s, s);
        let r = self.polynomial(s_squared, F64);
        let r = self.mul(r, s_squared);
        let h = self.mul(half, square);
        let sum = self.add(h, r);
        let low = self.mul(e, low);
        let part = self.fma(s, sum, low);
        let rest = self.sub(h, part);
        let log = self.sub(f, rest);
        self.fma(e, high, log)
    }

    /// The logarithm of u where that is infinite or not a number, and `result` elsewhere; `x` is infinite where the logarithm is.
    fn log_outside(&mut self, u: Reg, x: Reg, result: Reg) -> Reg {
        let [zero, infinity, least, nan] = [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|v| self.c(v));
        let infinite = self.eq(x, infinity);
        let result = self.select(infinite, x, result);
        let is_zero = self.eq(u, zero);
        let at_zero = self.select(is_zero, least, nan);
        let positive = self.lt(zero, u);
        self.select(positive, result, at_zero)
    }
}
