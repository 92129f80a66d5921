//! Exponentials: x = n ln 2 + r, e^x = 2^n e^r with a polynomial in r.

use std::f64::consts::LOG2_E;

use rjax_kernel::kir::Reg;

use super::arithmetic::Math;

/// ln 2 in two parts, the first of which f32 or f64 holds exactly.
const LN2_F32: [f64; 2] = [0.693_147_182_464_599_6, -1.904_654_299_957_767_9e-9];
const LN2_F64: [f64; 2] = [0.693_147_180_559_945_3, 2.319_046_813_846_299_6e-17];

/// (e^r - 1 - r) / r² for |r| <= ln 2 / 2.
const EXP_F32: &[f64] = &[0.500000006, 0.1666654432, 0.04166628752, 0.008366454768, 0.001394613749];
const EXP_F64: &[f64] = &[
    0.49999999999999999987,
    0.16666666666666676156,
    0.041666666666666699883,
    0.0083333333333219280033,
    0.001388888888886739502,
    0.00019841269885438234377,
    0.000024801587359668096117,
    2.7557244855562522725e-6,
    2.7557243394353072864e-7,
    2.5108824030916446155e-8,
    2.0924275297307900151e-9,
];

/// (2^r - 1) / r for |r| <= 1.
const EXP2_F32: &[f64] =
    &[0.6931472165, 0.2402267289, 0.0555037954, 0.009616719862, 0.001333948361, 0.0001565367533, 1.503100419e-5];
const EXP2_F64: &[f64] = &[
    0.69314718055994531118,
    0.24022650695910070413,
    0.05550410866482149922,
    0.0096181291076286336716,
    0.0013333558146438066992,
    0.00015403530393282264038,
    0.000015252733799181976166,
    1.321548681887606417e-6,
    1.0178087255582408487e-7,
    7.0549075111718930564e-9,
    4.4453695902319577919e-10,
    2.5681153505909510482e-11,
    1.3806858272082199117e-12,
    6.728712541423511776e-14,
];

impl Math<'_> {
    /// `e^x = p 2^n`.
    fn exp_parts(&mut self, x: Reg) -> (Reg, (Reg, Reg)) {
        self.exp_parts_of_sum(x, None)
    }

    fn exp_parts_of_sum(&mut self, x: Reg, low: Option<Reg>) -> (Reg, (Reg, Reg)) {
        let x = self.at_most(x, self.either(90.0, 715.0));
        // Far enough below where the result is 0 for the processor not to take it for a subnormal number.
        let x = self.at_least(x, self.either(-140.0, -1000.0));
        let (n, bits) = self.rounded_product(x, LOG2_E);
        let mut r = x;
        for part in self.either(LN2_F32, LN2_F64) {
            let part = self.c(-part);
            r = self.fma(n, part, r);
        }
        if let Some(low) = low {
            r = self.add(r, low);
        }
        let q = self.polynomial(r, self.either(EXP_F32, EXP_F64));
        let one = self.c(1.0);
        let slope = self.fma(q, r, one);
        (self.fma(slope, r, one), (n, bits))
    }

    pub(super) fn exp(&mut self, x: Reg) -> Reg {
        let (p, n) = self.exp_parts(x);
        self.scale(p, n)
    }

    /// The exponential of `x + low`, which x alone is to within a few units in the last place.
    pub(super) fn exp_of_sum(&mut self, x: Reg, low: Reg) -> Reg {
        let (p, n) = self.exp_parts_of_sum(x, Some(low));
        self.scale(p, n)
    }

    /// `e^x / 2`, infinite only where that is.
    pub(super) fn half_exp(&mut self, x: Reg) -> Reg {
        let (p, n) = self.exp_parts(x);
        let half = self.c(0.5);
        let p = self.mul(p, half);
        self.scale(p, n)
    }

    pub(super) fn exp2(&mut self, x: Reg) -> Reg {
        let x = self.at_most(x, self.either(130.0, 1030.0));
        let x = self.at_least(x, self.either(-200.0, -1400.0));
        let (m, bits) = self.rounded_product(x, 0.5);
        let minus_two = self.c(-2.0);
        let r = self.fma(m, minus_two, x);
        let q = self.polynomial(r, self.either(EXP2_F32, EXP2_F64));
        let one = self.c(1.0);
        let p = self.fma(q, r, one);
        let n = (self.add(m, m), self.shift_left(bits, 1));
        self.scale(p, n)
    }

    /// `e^x - 1 = 2 (s p + (s - 1/2))` with `s = 2^(n-1)` and `p = e^r - 1`; p itself where n is 0.
    pub(super) fn expm1(&mut self, x: Reg) -> Reg {
        let x = self.at_most(x, self.either(89.0, 710.0));
        let x = self.at_least(x, self.either(-18.0, -40.0));
        let (n, bits) = self.rounded_product(x, LOG2_E);
        let exponent = self.shift_left(bits, self.mantissa());
        let s = self.iadd(exponent, self.bits_of(0.5));
        let s = self.number(s);
        let mut r = x;
        for part in self.either(LN2_F32, LN2_F64) {
            let part = self.c(-part);
            r = self.fma(n, part, r);
        }
        let q = self.polynomial(r, self.either(EXP_F32, EXP_F64));
        let square = self.mul(r, r);
        let p = self.fma(q, square, r);
        let (half, zero) = (self.c(0.5), self.c(0.0));
        let rest = self.sub(s, half);
        let sum = self.fma(s, p, rest);
        let result = self.add(sum, sum);
        let near = self.eq(n, zero);
        let result = self.select(near, p, result);
        self.with_sign_of(result, x)
    }

    /// With `e = exp(-|x|)`, which cannot overflow: `1 / (1 + e)` or `e / (1 + e)`.
    pub(super) fn logistic(&mut self, x: Reg) -> Reg {
        let magnitude = self.abs(x);
        let negative = self.neg(magnitude);
        let e = self.exp(negative);
        let (zero, one) = (self.c(0.0), self.c(1.0));
        let below = self.lt(x, zero);
        let numerator = self.select(below, e, one);
        let denominator = self.add(e, one);
        self.div(numerator, denominator)
    }
}
