//! Trigonometric functions and their inverses.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, FRAC_PI_4, PI};

use rjax_ir::{Compare, DType, Unary};
use rjax_kernel::kir::{Expr, Reg};

use super::arithmetic::Math;

/// π/2 in three parts, each with all the bits of its type, and none of them negative, so that -0 stays -0.
const HALF_PI_F32: [f64; 3] = [1.570796251296997070312, 7.549789415861596353352e-8, 5.390302529957764765545e-15];
const HALF_PI_F64: [f64; 3] = [1.570796326794896557999, 6.123233995736764803274e-17, 1.082856673921913894239e-32];

/// (sin(r) - r) / r³ in r² for |r| <= π/4.
const SIN_F32: &[f64] = &[-0.1666665494, 0.008332178142, -0.0001951729862];
const SIN_F64: &[f64] = &[
    -0.16666666666666632073,
    0.0083333333333224247606,
    -0.00019841269829816755103,
    2.7557313695096011478e-6,
    -2.5050758627672682963e-8,
    1.5896826270720238997e-10,
];
/// (cos(r) - 1 + r²/2) / r⁴ in r² for |r| <= π/4.
const COS_F32: &[f64] = &[0.04166664687, -0.001388736763, 2.443846388e-5];
const COS_F64: &[f64] = &[
    0.041666666666666599557,
    -0.0013888888888874138834,
    0.000024801587289491934222,
    -2.755731435526598427e-7,
    2.0875723686751967081e-9,
    -1.1359669940901118634e-11,
];

/// (atan(t) - t) / t³ in t² for |t| <= tan(π/8).
const ATAN_F32: &[f64] = &[-0.3333295521, 0.1997792476, -0.1387983821, 0.08060276063];
const ATAN_F64: &[f64] = &[
    -0.33333333333333199093,
    0.19999999999954079969,
    -0.14285714280248411491,
    0.11111110786135933444,
    -0.090908978364412740022,
    0.076920616374180946672,
    -0.06663120389719632746,
    0.058480089654143173984,
    -0.05039845737770235231,
    0.038078326504808123153,
    -0.0179222849830396553,
];
/// (asin(s) - s) / s³ in s² for |s| <= 1/2.
const ASIN_F32: &[f64] = &[0.1666675392, 0.07495242316, 0.04547702075, 0.02414800432, 0.04221788022];
const ASIN_F64: &[f64] = &[
    0.16666666666666762412,
    0.074999999999702657594,
    0.044642857175117660344,
    0.030381942683756375373,
    0.022372215656576371055,
    0.017351600156937156385,
    0.013980960678877421565,
    0.011397782325659394967,
    0.010786493115545507426,
    0.0036831801429612948889,
    0.021763155591849972593,
    -0.021076794006042809936,
    0.032676569971916955404,
];

/// tan(π/8).
const TAN_PI_8: f64 = 0.414_213_562_373_095_05;

/// Sine and cosine of what is left of x after quarter turns, and how many of those there were, in the low bits.
struct Reduced {
    sin: Reg,
    cos: Reg,
    quarters: Reg,
    /// Whether x is so large that the reduction lost its bits.
    far: Reg,
}

impl Math<'_> {
    fn reduced(&mut self, x: Reg) -> Reduced {
        let (n, quarters) = self.rounded_product(x, FRAC_2_PI);
        let mut r = x;
        for part in self.either(HALF_PI_F32, HALF_PI_F64) {
            let part = self.c(-part);
            r = self.fma(n, part, r);
        }
        let one = self.c(1.0);
        let square = self.mul(r, r);
        let p = self.polynomial(square, self.either(SIN_F32, SIN_F64));
        let factor = self.fma(p, square, one);
        let sin = self.mul(r, factor);
        let minus_half = self.c(-0.5);
        let p = self.polynomial(square, self.either(COS_F32, COS_F64));
        let q = self.fma(p, square, minus_half);
        let cos = self.fma(q, square, one);
        let magnitude = self.abs(x);
        let limit = self.c(self.either(1e5, 1e8));
        let far = self.lt(limit, magnitude);
        Reduced { sin, cos, quarters, far }
    }

    /// Sine and cosine of an angle of at most a quarter turn to either side.
    pub(super) fn sin_and_cos_of_half_turn(&mut self, x: Reg) -> (Reg, Reg) {
        let Reduced { sin, cos, quarters, .. } = self.reduced(x);
        let odd = self.is_odd(quarters);
        // Of what is left after a quarter turn to one side, the sine is the negated cosine of the angle.
        let (negated_cos, zero) = (self.neg(cos), self.c(0.0));
        let turned = self.lt(x, zero);
        let (far_sin, negated_sin) = (self.select(turned, negated_cos, cos), self.neg(sin));
        let far_cos = self.select(turned, sin, negated_sin);
        (self.select(odd, far_sin, sin), self.select(odd, far_cos, cos))
    }

    fn is_odd(&mut self, quarters: Reg) -> Reg {
        let low = self.and(quarters, 1);
        let zero = self.i(0);
        self.define(DType::Bool, Expr::Compare(Compare::Ne, low, zero))
    }

    /// `x`, negated where the lowest bit of `flag` is set.
    fn negated_by(&mut self, x: Reg, flag: Reg) -> Reg {
        let sign = self.shift_left(flag, self.either(31, 63));
        let bits = self.bits(x);
        let bits = self.xor(bits, sign);
        self.number(bits)
    }

    pub(super) fn sin(&mut self, x: Reg) -> Reg {
        let reduced = self.reduced(x);
        let odd = self.is_odd(reduced.quarters);
        let result = self.select(odd, reduced.cos, reduced.sin);
        let halves = self.shift_right(reduced.quarters, 1);
        let result = self.negated_by(result, halves);
        self.rarely(reduced.far, Unary::Sin, x, result)
    }

    pub(super) fn cos(&mut self, x: Reg) -> Reg {
        let reduced = self.reduced(x);
        let odd = self.is_odd(reduced.quarters);
        let result = self.select(odd, reduced.sin, reduced.cos);
        let next = self.iadd(reduced.quarters, 1);
        let halves = self.shift_right(next, 1);
        let result = self.negated_by(result, halves);
        self.rarely(reduced.far, Unary::Cos, x, result)
    }

    pub(super) fn tan(&mut self, x: Reg) -> Reg {
        let reduced = self.reduced(x);
        let odd = self.is_odd(reduced.quarters);
        let numerator = self.select(odd, reduced.cos, reduced.sin);
        let denominator = self.select(odd, reduced.sin, reduced.cos);
        let quotient = self.div(numerator, denominator);
        let result = self.negated_by(quotient, reduced.quarters);
        self.rarely(reduced.far, Unary::Tan, x, result)
    }

    /// `s (1 + z P(z))` for asin with `z = s²`: s is |x|, or sqrt((1 - |x|) / 2) where |x| is above 1/2.
    fn half_asin(&mut self, x: Reg) -> (Reg, Reg) {
        let magnitude = self.abs(x);
        let (half, one) = (self.c(0.5), self.c(1.0));
        let large = self.lt(half, magnitude);
        let rest = self.sub(one, magnitude);
        let half_rest = self.mul(rest, half);
        let square = self.mul(x, x);
        let z = self.select(large, half_rest, square);
        let root = self.sqrt(z);
        let s = self.select(large, root, magnitude);
        let p = self.polynomial(z, self.either(ASIN_F32, ASIN_F64));
        let factor = self.fma(p, z, one);
        (large, self.mul(s, factor))
    }

    /// `asin(x) = π/2 - 2 asin(sqrt((1 - x) / 2))`.
    pub(super) fn asin(&mut self, x: Reg) -> Reg {
        let (large, p) = self.half_asin(x);
        let (minus_two, right) = (self.c(-2.0), self.c(FRAC_PI_2));
        let far = self.fma(p, minus_two, right);
        let result = self.select(large, far, p);
        self.with_sign_of(result, x)
    }

    /// `2 asin(sqrt((1 - x) / 2))`, π less that for negative x, `π/2 - asin(x)` in the middle.
    pub(super) fn acos(&mut self, x: Reg) -> Reg {
        let (large, p) = self.half_asin(x);
        let [zero, right, straight] = [0.0, FRAC_PI_2, PI].map(|v| self.c(v));
        let twice = self.add(p, p);
        let other = self.sub(straight, twice);
        let negative = self.lt(x, zero);
        let far = self.select(negative, other, twice);
        let signed = self.with_sign_of(p, x);
        let near = self.sub(right, signed);
        self.select(large, far, near)
    }

    /// `t (1 + t² P(t²))`.
    fn small_atan(&mut self, t: Reg) -> Reg {
        let one = self.c(1.0);
        let square = self.mul(t, t);
        let p = self.polynomial(square, self.either(ATAN_F32, ATAN_F64));
        let factor = self.fma(p, square, one);
        self.mul(t, factor)
    }

    /// `π/2 - atan(1/a)`, `π/4 + atan((a - 1) / (a + 1))` or `atan(a)` for `a = |x|`.
    pub(super) fn atan(&mut self, x: Reg) -> Reg {
        let a = self.abs(x);
        let [zero, one, minus_one, low, high] = [0.0, 1.0, -1.0, TAN_PI_8, 1.0 / TAN_PI_8].map(|v| self.c(v));
        let [eighth, quarter] = [FRAC_PI_4, FRAC_PI_2].map(|v| self.c(v));
        let (middle, large) = (self.lt(low, a), self.lt(high, a));
        let (less, more) = (self.sub(a, one), self.add(a, one));
        let numerator = self.select(middle, less, a);
        let numerator = self.select(large, minus_one, numerator);
        let denominator = self.select(middle, more, one);
        let denominator = self.select(large, a, denominator);
        let base = self.select(middle, eighth, zero);
        let base = self.select(large, quarter, base);
        let t = self.div(numerator, denominator);
        let angle = self.small_atan(t);
        let result = self.add(base, angle);
        self.with_sign_of(result, x)
    }

    /// The angle of the point (x, y): that of lesser over greater magnitude, put into the right octant.
    pub(super) fn atan2(&mut self, y: Reg, x: Reg) -> Reg {
        let [zero, one, low, large, shrink] = [0.0, 1.0, TAN_PI_8, 2f64.powi(100), 2f64.powi(-50)].map(|v| self.c(v));
        let [eighth, quarter, half] = [FRAC_PI_4, FRAC_PI_2, PI].map(|v| self.c(v));
        let (a, b) = (self.abs(y), self.abs(x));
        let steep = self.lt(b, a);
        let lesser = self.select(steep, b, a);
        let greater = self.select(steep, a, b);
        // 0 over 0 is 0; equal magnitudes, infinities among them, are 1 over 1.
        let nothing = self.eq(greater, zero);
        let greater = self.select(nothing, one, greater);
        let equal = self.eq(lesser, greater);
        let lesser = self.select(equal, one, lesser);
        let greater = self.select(equal, one, greater);
        // The sum of both must not overflow.
        let is_large = self.lt(large, greater);
        let scale = self.select(is_large, shrink, one);
        let (lesser, greater) = (self.mul(lesser, scale), self.mul(greater, scale));

        let bound = self.mul(greater, low);
        let middle = self.lt(bound, lesser);
        let (less, more) = (self.sub(lesser, greater), self.add(lesser, greater));
        let numerator = self.select(middle, less, lesser);
        let denominator = self.select(middle, more, greater);
        let base = self.select(middle, eighth, zero);
        let t = self.div(numerator, denominator);
        let angle = self.small_atan(t);
        let angle = self.add(base, angle);

        let other = self.sub(quarter, angle);
        let angle = self.select(steep, other, angle);
        let other = self.sub(half, angle);
        let (bits, none) = (self.bits(x), self.i(0));
        let behind = self.lt(bits, none);
        let angle = self.select(behind, other, angle);
        self.with_sign_of(angle, y)
    }
}
