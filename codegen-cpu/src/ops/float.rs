//! Floating point: what the machine rounds correctly is emitted in place, the rest called.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, F64};
use cranelift_codegen::ir::{InstBuilder, Value};
use rjax_ir::{Binary, DType, Unary};

use super::{Lanes, Ops};
use crate::routines::Routine;

impl Ops<'_, '_> {
    /// `x 2^n`, where [`Expr::Scale`](rjax_kernel::kir::Expr::Scale) allows it: in two powers of two with half of n each, whose exponents are in range.
    /// What is above n in its word leaves with the shift to where exponents are.
    pub(crate) fn scale(&mut self, dtype: DType, x: Value, n: Value) -> Value {
        let mantissa = if dtype == DType::F64 { 52 } else { 23 };
        let register = self.register(dtype);
        let one = self.float(dtype, 1.0);
        let one = self.cast(register.as_int(), one);
        let half = self.builder.ins().ushr_imm_s(n, 1);
        let rest = self.builder.ins().isub(n, half);
        [half, rest].into_iter().fold(x, |product, n| {
            let exponent = self.builder.ins().ishl_imm_s(n, mantissa);
            let power = self.builder.ins().iadd(exponent, one);
            let power = self.cast(register, power);
            self.builder.ins().fmul(product, power)
        })
    }

    pub(super) fn unary_float(&mut self, op: Unary, dtype: DType, x: Value) -> Value {
        match op {
            Unary::Neg => self.builder.ins().fneg(x),
            Unary::Abs => self.builder.ins().fabs(x),
            Unary::Floor => self.builder.ins().floor(x),
            Unary::Ceil => self.builder.ins().ceil(x),
            Unary::RoundEven => self.builder.ins().nearest(x),
            Unary::Round => {
                // What was cut off is exact, so the comparison decides ties correctly; the sign of x keeps -0.
                let cut = self.builder.ins().trunc(x);
                let rest = self.builder.ins().fsub(x, cut);
                let rest = self.builder.ins().fabs(rest);
                let (half, one, zero) = (self.float(dtype, 0.5), self.float(dtype, 1.0), self.float(dtype, 0.0));
                let away = self.fcmp(FloatCC::GreaterThanOrEqual, rest, half);
                let step = self.select(away, one, zero);
                let step = self.copysign(step, x);
                self.builder.ins().fadd(cut, step)
            }
            Unary::Sign => {
                let (zero, one) = (self.float(dtype, 0.0), self.float(dtype, 1.0));
                let unit = self.copysign(one, x);
                let magnitude = self.builder.ins().fabs(x);
                // Zero and NaN keep their value.
                let has_sign = self.fcmp(FloatCC::GreaterThan, magnitude, zero);
                self.select(has_sign, unit, x)
            }
            Unary::IsFinite => {
                let magnitude = self.builder.ins().fabs(x);
                let infinity = self.float(dtype, f64::INFINITY);
                self.fcmp(FloatCC::LessThan, magnitude, infinity)
            }
            Unary::Sqrt => {
                let root = self.builder.ins().sqrt(x);
                self.rounded(dtype, root)
            }
            Unary::Rsqrt if dtype == DType::F64 => {
                let root = self.builder.ins().sqrt(x);
                let one = self.float(dtype, 1.0);
                self.builder.ins().fdiv(one, root)
            }
            Unary::Rsqrt if dtype == DType::F32 && self.lanes == Lanes::One => {
                // In f64 and rounded once, as the interpreter has it.
                let wide = self.builder.ins().fpromote(F64, x);
                let root = self.builder.ins().sqrt(wide);
                let one = self.builder.ins().f64const(1.0);
                let quotient = self.builder.ins().fdiv(one, root);
                self.builder.ins().fdemote(F32, quotient)
            }
            Unary::Rsqrt
            | Unary::Exp
            | Unary::Exp2
            | Unary::Expm1
            | Unary::Log
            | Unary::Log1p
            | Unary::Logistic
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
            | Unary::BesselI1e => self.call_float(Routine::Unary(op, dtype), Routine::UnaryLanes(op, dtype), &[x]),
            Unary::Not | Unary::PopulationCount | Unary::Clz | Unary::Real | Unary::Imag | Unary::Conj => {
                unreachable!("checked before: {} does not accept {dtype}", op.name())
            }
        }
    }

    /// The magnitude of a number that is not negative, with the sign of another.
    fn copysign(&mut self, magnitude: Value, sign: Value) -> Value {
        if self.lanes == Lanes::One {
            return self.builder.ins().fcopysign(magnitude, sign);
        }
        let register = self.builder.func.dfg.value_type(sign);
        let bits = self.cast(register.as_int(), sign);
        let highest = self.bits(register.as_int(), 1 << (register.lane_bits() - 1));
        let sign = self.builder.ins().band(bits, highest);
        let magnitude = self.cast(register.as_int(), magnitude);
        let result = self.builder.ins().bor(magnitude, sign);
        self.cast(register, result)
    }

    pub(super) fn binary_float(&mut self, op: Binary, dtype: DType, x: Value, y: Value) -> Value {
        let result = match op {
            Binary::Add => self.builder.ins().fadd(x, y),
            Binary::Sub => self.builder.ins().fsub(x, y),
            Binary::Mul => self.builder.ins().fmul(x, y),
            Binary::Div => self.builder.ins().fdiv(x, y),
            // NaN wins, and -0 is below 0: as Cranelift defines both. They return an operand, which needs no rounding.
            Binary::Max => return self.builder.ins().fmax(x, y),
            Binary::Min => return self.builder.ins().fmin(x, y),
            Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::NextAfter
            | Binary::Igamma
            | Binary::Igammac
            | Binary::IgammaGradA
            | Binary::Polygamma
            | Binary::Zeta => {
                return self.call_float(Routine::Binary(op, dtype), Routine::BinaryLanes(op, dtype), &[x, y]);
            }
            Binary::And
            | Binary::Or
            | Binary::Xor
            | Binary::ShiftLeft
            | Binary::ShiftRightArithmetic
            | Binary::ShiftRightLogical
            | Binary::Complex => unreachable!("checked before: {} does not accept {dtype}", op.name()),
        };
        // One f32 operation rounded again is the correctly rounded 16-bit one: 24 bits are twice 11 and two.
        self.rounded(dtype, result)
    }
}
