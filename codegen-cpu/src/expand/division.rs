//! Division of integers of up to 32 bits, in loops that become vectors: no processor has it for vectors.
//!
//! Both operands are exact in `f64`, and so is the whole part of their rounded quotient: a quotient that is no integer is further than
//! `1 / divisor` from one, which is more than its rounding. By a constant it is a product with a reciprocal that is too large by at least as much
//! as the product may be rounded down, and by far too little to reach the next integer.

use rjax_ir::{Binary, Compare, DType, Scalar};
use rjax_kernel::kir::{Expr, Reg};

use super::arithmetic::Math;

/// Whether integers of a type are divided so.
pub(super) fn is_short(dtype: DType) -> bool {
    dtype.is_integer() && dtype.size() <= 4
}

impl Math<'_> {
    /// The quotient or the remainder, rounded towards 0. By 0 the quotient has all bits set and the remainder is `x`; by -1 the quotient wraps.
    pub(super) fn integer_division(
        &mut self,
        op: Binary,
        dtype: DType,
        (x, y): (Reg, Reg),
        divisor: Option<f64>,
    ) -> Reg {
        let quotient = match divisor {
            Some(divisor) if divisor != 0.0 && divisor != -1.0 => self.constant_quotient(dtype, x, divisor),
            Some(_) | None => self.quotient(dtype, x, y),
        };
        if op == Binary::Div {
            return quotient;
        }
        let product = self.define(dtype, Expr::Binary(Binary::Mul, quotient, y));
        self.define(dtype, Expr::Binary(Binary::Sub, x, product))
    }

    fn constant_quotient(&mut self, dtype: DType, x: Reg, divisor: f64) -> Reg {
        let (x, reciprocal) = (self.convert(self.float, x), self.c((1.0 + 2f64.powi(-50)) / divisor));
        let quotient = self.mul(x, reciprocal);
        self.define(dtype, Expr::Truncate(quotient))
    }

    fn quotient(&mut self, dtype: DType, x: Reg, y: Reg) -> Reg {
        let (wide_x, wide_y) = (self.convert(self.float, x), self.convert(self.float, y));
        let quotient = self.div(wide_x, wide_y);
        let mut quotient = self.convert(dtype, quotient);
        let [zero, ones] = [0, -1].map(|value| self.define(dtype, Expr::Const(Scalar::from_i64(dtype, value))));
        let mut instead = |math: &mut Self, divisor: Reg, result: Reg| {
            let met = math.define(DType::Bool, Expr::Compare(Compare::Eq, y, divisor));
            quotient = math.select(met, result, quotient);
        };
        if dtype.is_signed_integer() {
            let negated = self.define(dtype, Expr::Binary(Binary::Sub, zero, x));
            instead(self, ones, negated);
        }
        instead(self, zero, ones);
        quotient
    }
}
