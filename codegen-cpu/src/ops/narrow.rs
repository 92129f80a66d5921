//! `f16` and `bf16`, which the machine does not compute with: rounding, and their bits in memory.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};
use rjax_ir::DType;

use super::Ops;

/// Bits of `f32` values that matter for `f16`.
const INFINITY: i64 = 0x7f80_0000;
const MAGNITUDE: i64 = 0x7fff_ffff;
/// 2^-14: the least normal `f16`.
const LEAST_NORMAL: i64 = 0x3880_0000;
/// 2^16: what rounds to this or more is infinite in `f16`.
const TOO_LARGE: i64 = 0x4780_0000;
/// The difference of the exponents' biases, 112, in place.
const REBIAS: i64 = 112 << 23;

impl Ops<'_, '_> {
    /// The nearest value of `dtype`, for values in `f32` registers that `f16` or `bf16` may not hold; others stay.
    pub(super) fn rounded(&mut self, dtype: DType, x: Value) -> Value {
        match dtype {
            DType::BF16 => self.rounded_to_bf16(x),
            DType::F16 => self.rounded_to_f16(x),
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F32
            | DType::F64
            | DType::C64
            | DType::C128
            | DType::Narrow(_) => x,
        }
    }

    fn rounded_to_bf16(&mut self, x: Value) -> Value {
        let register = self.register(DType::F32);
        let bits = self.cast(register.as_int(), x);
        let rounded = self.nearest_even(bits, 16);
        let quiet = self.integer(DType::I32, 0x0040_0000);
        let quiet = self.builder.ins().bor(bits, quiet);
        let is_nan = self.is_nan(bits);
        let result = self.select(is_nan, quiet, rounded);
        let kept = self.integer(DType::I32, 0xffff_0000u32 as i32 as i64);
        let result = self.builder.ins().band(result, kept);
        self.cast(register, result)
    }

    fn rounded_to_f16(&mut self, x: Value) -> Value {
        let register = self.register(DType::F32);
        let bits = self.cast(register.as_int(), x);
        let mask = self.integer(DType::I32, MAGNITUDE);
        let magnitude = self.builder.ins().band(bits, mask);
        let sign = self.builder.ins().bxor(bits, magnitude);

        let kept = self.integer(DType::I32, !0x1fff);
        let rounded = self.nearest_even(magnitude, 13);
        let normal = self.builder.ins().band(rounded, kept);
        let (too_large, infinity) = (self.integer(DType::I32, TOO_LARGE), self.integer(DType::I32, INFINITY));
        let overflows = self.icmp(IntCC::SignedGreaterThanOrEqual, normal, too_large);
        let normal = self.select(overflows, infinity, normal);

        // Subnormal numbers are multiples of 2^-24, the distance of neighbours at 1/2: adding it rounds to them.
        let half = self.float(DType::F32, 0.5);
        let value = self.cast(register, magnitude);
        let shifted = self.builder.ins().fadd(value, half);
        let small = self.builder.ins().fsub(shifted, half);
        let small = self.cast(register.as_int(), small);
        let least = self.integer(DType::I32, LEAST_NORMAL);
        let is_small = self.icmp(IntCC::SignedLessThan, magnitude, least);
        let result = self.select(is_small, small, normal);

        let quiet = self.integer(DType::I32, 0x0040_0000);
        let nan = self.builder.ins().bor(magnitude, quiet);
        let nan = self.builder.ins().band(nan, kept);
        let is_nan = self.is_nan(bits);
        let result = self.select(is_nan, nan, result);
        let result = self.builder.ins().bor(result, sign);
        self.cast(register, result)
    }

    /// Bits of an `f32` plus what rounds them to the nearest even when the `dropped` low bits go.
    fn nearest_even(&mut self, bits: Value, dropped: i64) -> Value {
        let last = self.builder.ins().ushr_imm_s(bits, dropped);
        let one = self.integer(DType::I32, 1);
        let odd = self.builder.ins().band(last, one);
        let almost_half = self.integer(DType::I32, (1 << (dropped - 1)) - 1);
        let bits = self.builder.ins().iadd(bits, almost_half);
        self.builder.ins().iadd(bits, odd)
    }

    fn is_nan(&mut self, bits: Value) -> Value {
        let mask = self.integer(DType::I32, MAGNITUDE);
        let magnitude = self.builder.ins().band(bits, mask);
        let infinity = self.integer(DType::I32, INFINITY);
        self.icmp(IntCC::SignedGreaterThan, magnitude, infinity)
    }

    /// The `f32` with the value of an `f16` or `bf16` whose bits are in the low half of `half`.
    pub(super) fn from_half_bits(&mut self, dtype: DType, half: Value) -> Value {
        let register = self.register(DType::F32);
        if dtype == DType::BF16 {
            let bits = self.builder.ins().ishl_imm_s(half, 16);
            return self.cast(register, bits);
        }
        let mask = self.integer(DType::I32, 0x7fff);
        let magnitude = self.builder.ins().band(half, mask);
        let sign = self.builder.ins().bxor(half, magnitude);
        let sign = self.builder.ins().ishl_imm_s(sign, 16);
        let widened = self.builder.ins().ishl_imm_s(magnitude, 13);
        let rebias = self.integer(DType::I32, REBIAS);
        let normal = self.builder.ins().iadd(widened, rebias);
        let infinity = self.integer(DType::I32, INFINITY);
        let special = self.builder.ins().bor(widened, infinity);
        let greatest = self.integer(DType::I32, 0x7bff);
        let is_special = self.icmp(IntCC::SignedGreaterThan, magnitude, greatest);
        let result = self.select(is_special, special, normal);
        let count = self.builder.ins().fcvt_from_sint(register, magnitude);
        let unit = self.float(DType::F32, 2f64.powi(-24));
        let small = self.builder.ins().fmul(count, unit);
        let small = self.cast(register.as_int(), small);
        let least = self.integer(DType::I32, 0x400);
        let is_small = self.icmp(IntCC::SignedLessThan, magnitude, least);
        let result = self.select(is_small, small, result);
        let result = self.builder.ins().bor(result, sign);
        self.cast(register, result)
    }

    /// The bits of a value that `dtype` holds exactly, in the low half of an `i32`.
    pub(super) fn half_bits(&mut self, dtype: DType, x: Value) -> Value {
        let register = self.register(DType::F32);
        let bits = self.cast(register.as_int(), x);
        if dtype == DType::BF16 {
            return self.builder.ins().ushr_imm_s(bits, 16);
        }
        let mask = self.integer(DType::I32, MAGNITUDE);
        let magnitude = self.builder.ins().band(bits, mask);
        let sign = self.builder.ins().bxor(bits, magnitude);
        let sign = self.builder.ins().ushr_imm_s(sign, 16);
        let rebias = self.integer(DType::I32, REBIAS);
        let normal = self.builder.ins().isub(magnitude, rebias);
        let normal = self.builder.ins().ushr_imm_s(normal, 13);
        let mantissa = self.builder.ins().ushr_imm_s(magnitude, 13);
        let low = self.integer(DType::I32, 0x3ff);
        let mantissa = self.builder.ins().band(mantissa, low);
        let exponent = self.integer(DType::I32, 0x7c00);
        let special = self.builder.ins().bor(mantissa, exponent);
        let infinity = self.integer(DType::I32, INFINITY);
        let is_special = self.icmp(IntCC::SignedGreaterThanOrEqual, magnitude, infinity);
        let result = self.select(is_special, special, normal);
        let value = self.cast(register, magnitude);
        let units = self.float(DType::F32, 2f64.powi(24));
        let count = self.builder.ins().fmul(value, units);
        let small = self.builder.ins().fcvt_to_sint_sat(register.as_int(), count);
        let least = self.integer(DType::I32, LEAST_NORMAL);
        let is_small = self.icmp(IntCC::SignedLessThan, magnitude, least);
        let result = self.select(is_small, small, result);
        self.builder.ins().bor(result, sign)
    }
}
