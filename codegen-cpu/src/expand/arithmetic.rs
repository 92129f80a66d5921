//! Writing expressions: one method for each operation that functions are made of.

use std::collections::HashMap;

use rjax_ir::{Binary, Compare, DType, Scalar, Unary};
use rjax_kernel::kir::{Expr, Inst, Reg};

/// Writes instructions on `f32` or `f64` registers into a block, none of them twice.
pub(super) struct Math<'a> {
    pub(super) registers: &'a mut Vec<DType>,
    pub(super) insts: &'a mut Vec<Inst>,
    pub(super) known: &'a mut HashMap<(DType, Expr), Reg>,
    /// `f32` or `f64`.
    pub(super) float: DType,
}

impl Math<'_> {
    pub(super) fn define(&mut self, dtype: DType, value: Expr) -> Reg {
        if let Some(&register) = self.known.get(&(dtype, value.clone())) {
            return register;
        }
        let result = Reg(self.registers.len() as u32);
        self.registers.push(dtype);
        self.known.insert((dtype, value.clone()), result);
        self.insts.push(Inst::Let { result, value });
        result
    }

    pub(super) fn is_double(&self) -> bool {
        self.float == DType::F64
    }

    /// `single` in f32, `double` in f64.
    pub(super) fn either<T>(&self, single: T, double: T) -> T {
        if self.is_double() { double } else { single }
    }

    /// The integers of the same width.
    pub(super) fn word(&self) -> DType {
        self.either(DType::I32, DType::I64)
    }

    /// How many bits the stored mantissa has.
    pub(super) fn mantissa(&self) -> i64 {
        self.either(23, 52)
    }

    /// A floating constant.
    pub(super) fn c(&mut self, value: f64) -> Reg {
        self.define(self.float, Expr::Const(Scalar::from_f64(self.float, value)))
    }

    /// An integer constant.
    pub(super) fn i(&mut self, value: i64) -> Reg {
        let value = self.either(value as i32 as i64, value);
        self.define(self.word(), Expr::Const(Scalar::from_i64(self.word(), value)))
    }

    /// The bits of a floating constant, as a number.
    pub(super) fn bits_of(&self, value: f64) -> i64 {
        if self.is_double() { value.to_bits() as i64 } else { (value as f32).to_bits() as i32 as i64 }
    }

    fn float2(&mut self, op: Binary, x: Reg, y: Reg) -> Reg {
        self.define(self.float, Expr::Binary(op, x, y))
    }

    pub(super) fn add(&mut self, x: Reg, y: Reg) -> Reg {
        self.float2(Binary::Add, x, y)
    }

    pub(super) fn sub(&mut self, x: Reg, y: Reg) -> Reg {
        self.float2(Binary::Sub, x, y)
    }

    pub(super) fn mul(&mut self, x: Reg, y: Reg) -> Reg {
        self.float2(Binary::Mul, x, y)
    }

    pub(super) fn div(&mut self, x: Reg, y: Reg) -> Reg {
        self.float2(Binary::Div, x, y)
    }

    /// `x * y + z`.
    pub(super) fn fma(&mut self, x: Reg, y: Reg, z: Reg) -> Reg {
        self.define(self.float, Expr::Fma([x, y, z]))
    }

    /// `x 2^n`, with n as [`Math::rounded_product`] gives it; see [`Expr::Scale`].
    pub(super) fn scale(&mut self, x: Reg, (n, bits): (Reg, Reg)) -> Reg {
        self.define(self.float, Expr::Scale([x, n, bits]))
    }

    pub(super) fn neg(&mut self, x: Reg) -> Reg {
        self.define(self.float, Expr::Unary(Unary::Neg, x))
    }

    pub(super) fn abs(&mut self, x: Reg) -> Reg {
        self.define(self.float, Expr::Unary(Unary::Abs, x))
    }

    pub(super) fn sqrt(&mut self, x: Reg) -> Reg {
        self.define(self.float, Expr::Unary(Unary::Sqrt, x))
    }

    pub(super) fn convert(&mut self, dtype: DType, x: Reg) -> Reg {
        self.define(dtype, Expr::Convert(x))
    }

    pub(super) fn lt(&mut self, x: Reg, y: Reg) -> Reg {
        self.define(DType::Bool, Expr::Compare(Compare::Lt, x, y))
    }

    /// Of numbers or of integers.
    pub(super) fn eq(&mut self, x: Reg, y: Reg) -> Reg {
        self.define(DType::Bool, Expr::Compare(Compare::Eq, x, y))
    }

    pub(super) fn select(&mut self, condition: Reg, on_true: Reg, on_false: Reg) -> Reg {
        let dtype = self.registers[on_true.index()];
        self.define(dtype, Expr::Select { condition, on_true, on_false })
    }

    /// `condition ? op(x) : otherwise`.
    pub(super) fn rarely(&mut self, condition: Reg, op: Unary, operand: Reg, otherwise: Reg) -> Reg {
        self.define(self.float, Expr::Rarely { condition, op, operand, otherwise })
    }

    /// The lesser of x and a number; NaN stays. The order of operands makes it one machine instruction.
    pub(super) fn at_most(&mut self, x: Reg, bound: f64) -> Reg {
        let bound = self.c(bound);
        let above = self.lt(bound, x);
        self.select(above, bound, x)
    }

    /// The greater of x and a number; NaN stays.
    pub(super) fn at_least(&mut self, x: Reg, bound: f64) -> Reg {
        let bound = self.c(bound);
        let below = self.lt(x, bound);
        self.select(below, bound, x)
    }

    /// The bits as an integer.
    pub(super) fn bits(&mut self, x: Reg) -> Reg {
        self.define(self.word(), Expr::Bitcast(x))
    }

    /// The number with these bits.
    pub(super) fn number(&mut self, bits: Reg) -> Reg {
        self.define(self.float, Expr::Bitcast(bits))
    }

    fn word2(&mut self, op: Binary, x: Reg, y: Reg) -> Reg {
        self.define(self.word(), Expr::Binary(op, x, y))
    }

    /// The sum of integers.
    pub(super) fn iadd(&mut self, x: Reg, y: i64) -> Reg {
        let y = self.i(y);
        self.word2(Binary::Add, x, y)
    }

    /// The difference of integers.
    pub(super) fn isub(&mut self, x: Reg, y: Reg) -> Reg {
        self.word2(Binary::Sub, x, y)
    }

    pub(super) fn and(&mut self, x: Reg, mask: i64) -> Reg {
        let mask = self.i(mask);
        self.word2(Binary::And, x, mask)
    }

    pub(super) fn or(&mut self, x: Reg, y: Reg) -> Reg {
        self.word2(Binary::Or, x, y)
    }

    pub(super) fn xor(&mut self, x: Reg, y: Reg) -> Reg {
        self.word2(Binary::Xor, x, y)
    }

    pub(super) fn shift_left(&mut self, x: Reg, amount: i64) -> Reg {
        let amount = self.i(amount);
        self.word2(Binary::ShiftLeft, x, amount)
    }

    /// Filling with zeros.
    pub(super) fn shift_right(&mut self, x: Reg, amount: i64) -> Reg {
        let amount = self.i(amount);
        self.word2(Binary::ShiftRightLogical, x, amount)
    }

    /// The bit of the sign alone, as an integer.
    pub(super) fn sign_bit(&mut self, x: Reg) -> Reg {
        let bits = self.bits(x);
        self.and(bits, self.bits_of(-0.0))
    }

    /// A result that has the sign of x, or should have: 0 becomes -0 where x is negative.
    pub(super) fn with_sign_of(&mut self, result: Reg, x: Reg) -> Reg {
        let (bits, sign) = (self.bits(result), self.sign_bit(x));
        let bits = self.or(bits, sign);
        self.number(bits)
    }

    /// `c[0] + x * (c[1] + x * (…))`.
    pub(super) fn polynomial(&mut self, x: Reg, coefficients: &[f64]) -> Reg {
        let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
        let mut sum = self.c(*last);
        for &coefficient in rest.iter().rev() {
            let coefficient = self.c(coefficient);
            sum = self.fma(sum, x, coefficient);
        }
        sum
    }

    /// The nearest integer of `x * factor` for products well inside the mantissa: as a number, and as the low bits of a word.
    ///
    /// Adding 1.5 * 2^mantissa leaves no bits for a fraction.
    pub(super) fn rounded_product(&mut self, x: Reg, factor: f64) -> (Reg, Reg) {
        let magic = self.c(1.5 * 2f64.powi(self.mantissa() as i32));
        let factor = self.c(factor);
        let shifted = self.fma(x, factor, magic);
        let integer = self.sub(shifted, magic);
        (integer, self.bits(shifted))
    }
}
