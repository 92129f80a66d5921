//! `bool` and the integers: two's complement, wrapping, total.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};
use rjax_ir::{Binary, Compare, DType, Unary};

use super::{Lanes, Ops};

impl Ops<'_, '_> {
    pub(super) fn unary_integer(&mut self, op: Unary, dtype: DType, x: Value) -> Value {
        match op {
            Unary::Neg => self.builder.ins().ineg(x),
            Unary::Sign => {
                let (zero, one) = (self.integer(dtype, 0), self.integer(dtype, 1));
                let positive = self.select_nonzero(dtype, x, one, zero);
                if !dtype.is_signed_integer() {
                    return positive;
                }
                // The sign spread over all bits is -1 for negative numbers, whose lowest bit is set already.
                let negative = self.builder.ins().sshr_imm_s(x, dtype.bits() as i64 - 1);
                self.builder.ins().bor(negative, positive)
            }
            Unary::Abs if dtype.is_signed_integer() => self.builder.ins().iabs(x),
            Unary::Abs => x,
            Unary::Not if dtype == DType::Bool && self.lanes == Lanes::One => self.builder.ins().bxor_imm_s(x, 1),
            Unary::Not => self.builder.ins().bnot(x),
            Unary::PopulationCount => self.builder.ins().popcnt(x),
            Unary::Clz => self.builder.ins().clz(x),
            Unary::Floor
            | Unary::Ceil
            | Unary::Round
            | Unary::RoundEven
            | Unary::IsFinite
            | Unary::Exp
            | Unary::Exp2
            | Unary::Expm1
            | Unary::Log
            | Unary::Log1p
            | Unary::Logistic
            | Unary::Sqrt
            | Unary::Rsqrt
            | Unary::Cbrt
            | Unary::Sin
            | Unary::Cos
            | Unary::Tan
            | Unary::Sinh
            | Unary::Cosh
            | Unary::Tanh
            | Unary::Asin
            | Unary::Acos
            | Unary::Atan
            | Unary::Asinh
            | Unary::Acosh
            | Unary::Atanh
            | Unary::Erf
            | Unary::Erfc
            | Unary::ErfInv
            | Unary::Lgamma
            | Unary::Digamma
            | Unary::BesselI0e
            | Unary::BesselI1e
            | Unary::Real
            | Unary::Imag
            | Unary::Conj => unreachable!("checked before: {} does not accept {dtype}", op.name()),
        }
    }

    pub(super) fn binary_integer(&mut self, op: Binary, dtype: DType, x: Value, y: Value) -> Value {
        if dtype == DType::Bool {
            return match op {
                Binary::Add | Binary::Or | Binary::Max => self.builder.ins().bor(x, y),
                Binary::Mul | Binary::And | Binary::Min => self.builder.ins().band(x, y),
                Binary::Xor => self.builder.ins().bxor(x, y),
                Binary::Sub
                | Binary::Div
                | Binary::Rem
                | Binary::Pow
                | Binary::Atan2
                | Binary::ShiftLeft
                | Binary::ShiftRightArithmetic
                | Binary::ShiftRightLogical
                | Binary::NextAfter
                | Binary::Complex
                | Binary::Igamma
                | Binary::Igammac
                | Binary::IgammaGradA
                | Binary::Polygamma
                | Binary::Zeta => unreachable!("checked before: {} does not accept bool", op.name()),
            };
        }
        match op {
            Binary::Add => self.builder.ins().iadd(x, y),
            Binary::Sub => self.builder.ins().isub(x, y),
            Binary::Mul => self.builder.ins().imul(x, y),
            Binary::Div | Binary::Rem => self.divide(op == Binary::Div, dtype, x, y),
            Binary::Max | Binary::Min => {
                let relation = if op == Binary::Max { Compare::Gt } else { Compare::Lt };
                let first = self.compare_integers(relation, dtype, x, y);
                self.select(first, x, y)
            }
            Binary::And => self.builder.ins().band(x, y),
            Binary::Or => self.builder.ins().bor(x, y),
            Binary::Xor => self.builder.ins().bxor(x, y),
            Binary::ShiftLeft => self.shift(dtype, x, y, |ops, x, y| ops.builder.ins().ishl(x, y)),
            Binary::ShiftRightLogical => self.shift(dtype, x, y, |ops, x, y| ops.builder.ins().ushr(x, y)),
            Binary::ShiftRightArithmetic => {
                // Beyond the width every bit is the sign: the same as a shift by one less than the width.
                let last = self.integer(dtype, dtype.bits() as i64 - 1);
                let within = self.icmp(IntCC::UnsignedLessThan, y, last);
                let amount = self.select(within, y, last);
                self.builder.ins().sshr(x, amount)
            }
            Binary::Pow
            | Binary::Atan2
            | Binary::NextAfter
            | Binary::Complex
            | Binary::Igamma
            | Binary::Igammac
            | Binary::IgammaGradA
            | Binary::Polygamma
            | Binary::Zeta => unreachable!("checked before: {} does not accept {dtype}", op.name()),
        }
    }

    /// `shift` where the amount is below the width, 0 where it is not. (Machine shifts take the amount modulo the width.)
    fn shift(
        &mut self,
        dtype: DType,
        x: Value,
        y: Value,
        shift: impl FnOnce(&mut Self, Value, Value) -> Value,
    ) -> Value {
        let shifted = shift(self, x, y);
        let width = self.integer(dtype, dtype.bits() as i64);
        let zero = self.integer(dtype, 0);
        let within = self.icmp(IntCC::UnsignedLessThan, y, width);
        self.select(within, shifted, zero)
    }

    /// A shift by a known amount.
    pub(crate) fn shift_by(&mut self, op: Binary, dtype: DType, x: Value, amount: u64) -> Value {
        let width = dtype.bits() as u64;
        let inside = amount.min(width - 1) as i64;
        if op == Binary::ShiftRightArithmetic {
            self.builder.ins().sshr_imm_s(x, inside)
        } else if amount >= width {
            self.integer(dtype, 0)
        } else if op == Binary::ShiftLeft {
            self.builder.ins().ishl_imm_s(x, inside)
        } else {
            self.builder.ins().ushr_imm_s(x, inside)
        }
    }

    /// Truncating division or its remainder. x/0 has all bits set and x rem 0 is x; MIN/-1 is MIN and MIN rem -1 is 0.
    fn divide(&mut self, quotient: bool, dtype: DType, x: Value, y: Value) -> Value {
        let (zero, one) = (self.integer(dtype, 0), self.integer(dtype, 1));
        let by_zero = self.icmp(IntCC::Equal, y, zero);
        let mut divisor = self.select(by_zero, one, y);
        let ones = self.integer(dtype, -1);
        if !dtype.is_signed_integer() {
            return if quotient {
                let result = self.builder.ins().udiv(x, divisor);
                self.select(by_zero, ones, result)
            } else {
                let result = self.builder.ins().urem(x, divisor);
                self.select(by_zero, x, result)
            };
        }
        // The machine traps on MIN / -1; dividing by 1 instead and negating wraps as it should.
        let by_minus_one = self.icmp(IntCC::Equal, y, ones);
        divisor = self.select(by_minus_one, one, divisor);
        if quotient {
            let result = self.builder.ins().sdiv(x, divisor);
            let negated = self.builder.ins().ineg(x);
            let result = self.select(by_minus_one, negated, result);
            self.select(by_zero, ones, result)
        } else {
            let result = self.builder.ins().srem(x, divisor);
            self.select(by_zero, x, result)
        }
    }

    fn select_nonzero(&mut self, dtype: DType, x: Value, nonzero: Value, zero: Value) -> Value {
        let none = self.integer(dtype, 0);
        let is_zero = self.icmp(IntCC::Equal, x, none);
        self.select(is_zero, zero, nonzero)
    }

    pub(super) fn compare_integers(&mut self, op: Compare, dtype: DType, x: Value, y: Value) -> Value {
        let signed = dtype.is_signed_integer();
        let (mut x, mut y) = (x, y);
        let vector = self.lanes != Lanes::One;
        if vector && dtype == DType::Bool {
            // True is -1 in a mask: less than false.
            std::mem::swap(&mut x, &mut y);
        } else if vector && !signed {
            // Vectors compare as signed numbers only: flipping the highest bit maps one order to the other.
            let highest = self.integer(dtype, i64::MIN >> (64 - dtype.bits()));
            x = self.builder.ins().bxor(x, highest);
            y = self.builder.ins().bxor(y, highest);
        }
        let signed = signed || vector;
        let condition = match op {
            Compare::Eq | Compare::EqTo => IntCC::Equal,
            Compare::Ne => IntCC::NotEqual,
            Compare::Lt | Compare::LtTo if signed => IntCC::SignedLessThan,
            Compare::Le | Compare::LeTo if signed => IntCC::SignedLessThanOrEqual,
            Compare::Gt if signed => IntCC::SignedGreaterThan,
            Compare::Ge if signed => IntCC::SignedGreaterThanOrEqual,
            Compare::Lt | Compare::LtTo => IntCC::UnsignedLessThan,
            Compare::Le | Compare::LeTo => IntCC::UnsignedLessThanOrEqual,
            Compare::Gt => IntCC::UnsignedGreaterThan,
            Compare::Ge => IntCC::UnsignedGreaterThanOrEqual,
        };
        self.icmp(condition, x, y)
    }
}
