//! Powers: by products and a square root where the exponent is a small whole or half number, else by a logarithm and an exponential.

use rjax_ir::Unary;
use rjax_kernel::kir::{Expr, Reg};

use super::arithmetic::Math;

/// 2/3 in two parts.
const TWO_THIRDS: [f64; 2] = [0.6666666865348816, -1.9868214962137642e-08];
/// Of `log((1 + s) / (1 - s)) = 2s + s (2/3 s² + s⁴ (2/5 + 2/7 s² + …))`.
const LOGARITHM: [f64; 4] = [2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0, 2.0 / 11.0];
/// ln 2 in two parts, the first of which times an exponent is exact.
const LN2: [f64; 2] = [0.693_359_375, -2.121_944_400_546_905_7e-4];

/// An unevaluated sum of two numbers, the second of which is small beside the first.
#[derive(Clone, Copy)]
struct Pair {
    high: Reg,
    low: Reg,
}

/// Twice the exponent, if that is a whole number up to 8.
pub(super) fn simple_exponent(exponent: f64) -> Option<i32> {
    let twice = 2.0 * exponent;
    (twice != 0.0 && twice.abs() <= 8.0 && twice.fract() == 0.0).then_some(twice as i32)
}

impl Math<'_> {
    /// `x^(twice / 2)`, to 4 ulp. Negative exponents divide by the whole power and then by the root, neither of which
    /// overflows before the result does.
    pub(super) fn simple_power(&mut self, x: Reg, twice: i32) -> Reg {
        let (whole, half) = (twice.unsigned_abs() / 2, twice % 2 != 0);
        let one = self.c(1.0);
        let mut product = None;
        for _ in 0..whole {
            product = Some(match product {
                Some(product) => self.mul(product, x),
                None => x,
            });
        }
        let power = match product {
            Some(product) if twice < 0 => self.div(one, product),
            Some(product) => product,
            None => one,
        };
        if !half {
            return power;
        }
        // The root of -0 is -0, its power 0; the power of -infinity is that of infinity.
        let (zero, infinity, least) = (self.c(0.0), self.c(f64::INFINITY), self.c(f64::NEG_INFINITY));
        let root = self.sqrt(x);
        let root = self.add(root, zero);
        let power = self.abs_where_zero(power, whole);
        let result = if twice < 0 { self.div(power, root) } else { self.mul(power, root) };
        let at_least = if twice < 0 { zero } else { infinity };
        let is_least = self.eq(x, least);
        self.select(is_least, at_least, result)
    }

    /// Half powers of -0 have no sign: below 0 the root is not a number, so that the sign of the whole power matters nowhere else.
    fn abs_where_zero(&mut self, power: Reg, whole: u32) -> Reg {
        if whole % 2 == 1 { self.abs(power) } else { power }
    }
}

impl Math<'_> {
    /// `x^y` in f32, to 4 ulp: `exp(y log|x|)` with the logarithm and its product in pairs of numbers, and the sign and the special
    /// cases of C's `pow`.
    pub(super) fn general_power(&mut self, x: Reg, y: Reg) -> Reg {
        let [zero, half, one, infinity, nan] = [0.0, 0.5, 1.0, f64::INFINITY, f64::NAN].map(|v| self.c(v));
        let magnitude = self.abs(x);
        let log = self.log_pair(magnitude);
        let product = self.times_pair(log, y);
        let mut result = self.exp_pair(product);

        let (grows, shrinks) = (self.lt(zero, y), self.lt(y, zero));
        let at_infinity = self.select(grows, infinity, zero);
        let at_zero = self.select(shrinks, infinity, zero);
        for (special, value) in [(infinity, at_infinity), (zero, at_zero), (one, one)] {
            let is_special = self.eq(magnitude, special);
            result = self.select(is_special, value, result);
        }
        let (whole, halved) = (self.floor(y), self.mul(y, half));
        let whole_half = self.floor(halved);
        let (is_whole, is_even) = (self.eq(whole, y), self.eq(whole_half, halved));
        // Of a negative number, odd powers are negative, and only whole ones are numbers, those of infinity apart.
        let (bits, sign) = (self.bits(result), self.sign_bit(x));
        let signed = self.xor(bits, sign);
        let signed = self.number(signed);
        let odd = self.select(is_even, result, signed);
        let real = self.select(is_whole, odd, result);
        let is_infinite = self.eq(magnitude, infinity);
        let or_nan = self.select(is_whole, real, nan);
        let of_negative = self.select(is_infinite, real, or_nan);
        let negative = self.lt(x, zero);
        result = self.select(negative, of_negative, real);
        for operand in [x, y] {
            let is_number = self.eq(operand, operand);
            result = self.select(is_number, result, operand);
        }
        for (operand, constant) in [(y, zero), (x, one)] {
            let always_one = self.eq(operand, constant);
            result = self.select(always_one, one, result);
        }
        result
    }

    fn floor(&mut self, x: Reg) -> Reg {
        self.define(self.float, Expr::Unary(Unary::Floor, x))
    }

    /// `high + low` with the rounding error of the sum in its low part; `high` is the greater one, or 0.
    fn sum_pair(&mut self, high: Reg, low: Reg) -> Pair {
        let sum = self.add(high, low);
        let without = self.sub(sum, high);
        Pair { high: sum, low: self.sub(low, without) }
    }

    /// The product of a pair and a number.
    fn times_pair(&mut self, x: Pair, y: Reg) -> Pair {
        let high = self.mul(x.high, y);
        let negated = self.neg(high);
        let error = self.fma(x.high, y, negated);
        Pair { high, low: self.fma(x.low, y, error) }
    }

    /// The product of two pairs.
    fn mul_pairs(&mut self, x: Pair, y: Pair) -> Pair {
        let product = self.times_pair(x, y.high);
        Pair { high: product.high, low: self.fma(x.high, y.low, product.low) }
    }

    /// `log x` for positive x, to about 2^-32 of its value.
    fn log_pair(&mut self, x: Reg) -> Pair {
        let (e, f) = self.exponent_and_fraction(x);
        // With s = f / (2 + f), log(1 + f) = 2s + s (2/3 s² + …).
        let two = self.c(2.0);
        let denominator = self.sum_pair(two, f);
        let high = self.div(f, denominator.high);
        let minus = self.neg(high);
        let rest = self.fma(minus, denominator.high, f);
        let rest = self.fma(minus, denominator.low, rest);
        let s = Pair { high, low: self.div(rest, denominator.high) };
        let square = self.mul_pairs(s, s);
        let series = self.polynomial(square.high, &LOGARITHM);
        let fourth = self.mul(square.high, square.high);
        let series = self.mul(series, fourth);
        let [high, low] = TWO_THIRDS.map(|part| self.c(part));
        let first = self.mul_pairs(square, Pair { high, low });
        let sum = self.sum_pair(first.high, series);
        let tail = Pair { high: sum.high, low: self.add(sum.low, first.low) };
        let tail = self.mul_pairs(tail, s);
        let twice = Pair { high: self.add(s.high, s.high), low: self.add(s.low, s.low) };
        let fraction = self.sum_pair(twice.high, tail.high);
        let low = self.add(twice.low, tail.low);
        let fraction = Pair { high: fraction.high, low: self.add(fraction.low, low) };
        let [high, low] = LN2.map(|part| self.c(part));
        let whole = self.mul(e, high);
        let total = self.sum_pair(whole, fraction.high);
        let low = self.fma(e, low, fraction.low);
        Pair { high: total.high, low: self.add(total.low, low) }
    }

    /// `e^x`; infinite or 0 where the high part is too large, whatever the low part.
    fn exp_pair(&mut self, x: Pair) -> Reg {
        let (least, greatest, zero) = (self.c(-110.0), self.c(95.0), self.c(0.0));
        let (above, below) = (self.lt(least, x.high), self.lt(x.high, greatest));
        let low = self.select(above, x.low, zero);
        let low = self.select(below, low, zero);
        self.exp_of_sum(x.high, low)
    }
}
