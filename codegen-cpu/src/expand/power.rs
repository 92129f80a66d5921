//! Powers whose exponent is a small whole or half number, by products and a square root.

use rjax_kernel::kir::Reg;

use super::arithmetic::Math;

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
