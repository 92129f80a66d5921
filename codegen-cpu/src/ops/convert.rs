//! Conversions and bitcasts.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use rjax_ir::DType;

use super::{Lanes, Ops, is_float};
use crate::routines::Routine;

impl Ops<'_, '_> {
    /// `convert_element_type`, rounding once.
    pub(crate) fn convert(&mut self, from: DType, to: DType, x: Value) -> Value {
        if from == to {
            return x;
        }
        if to == DType::Bool {
            return self.is_nonzero(from, x);
        }
        if from == DType::Bool {
            return self.from_bool(to, x);
        }
        match (is_float(from), is_float(to)) {
            (true, true) => self.float_to_float(from, to, x),
            (true, false) => self.float_to_integer(to, x),
            (false, true) => self.integer_to_float(from, to, x),
            (false, false) => self.integer_to_integer(from, to, x),
        }
    }

    fn is_nonzero(&mut self, from: DType, x: Value) -> Value {
        if is_float(from) {
            let zero = self.float(from, 0.0);
            // True for NaN.
            self.fcmp(FloatCC::NotEqual, x, zero)
        } else {
            let zero = self.integer(from, 0);
            self.icmp(IntCC::NotEqual, x, zero)
        }
    }

    fn from_bool(&mut self, to: DType, x: Value) -> Value {
        let register = self.register(to);
        if self.lanes != Lanes::One {
            let one = if is_float(to) { self.float(to, 1.0) } else { self.integer(to, 1) };
            let one = self.cast(register.as_int(), one);
            let result = self.builder.ins().band(x, one);
            return self.cast(register, result);
        }
        if is_float(to) {
            let wide = self.builder.ins().uextend(I32, x);
            return self.builder.ins().fcvt_from_sint(register, wide);
        }
        if register == I8 { x } else { self.builder.ins().uextend(register, x) }
    }

    fn float_to_float(&mut self, from: DType, to: DType, x: Value) -> Value {
        match (from == DType::F64, to) {
            (true, DType::F32) => self.builder.ins().fdemote(F32, x),
            // Through f32 it would be rounded twice.
            (true, _) => self.call(Routine::Convert(from, to), &[x]),
            (false, DType::F64) => self.builder.ins().fpromote(F64, x),
            (false, _) => self.rounded(to, x),
        }
    }

    /// Truncates and saturates; NaN gives 0.
    fn float_to_integer(&mut self, to: DType, x: Value) -> Value {
        let register = self.register(to);
        let signed = to.is_signed_integer();
        if register.lane_bits() >= 32 {
            return if signed {
                self.builder.ins().fcvt_to_sint_sat(register, x)
            } else {
                self.builder.ins().fcvt_to_uint_sat(register, x)
            };
        }
        let bits = register.bits();
        let (wide, least, greatest) = if signed {
            (self.builder.ins().fcvt_to_sint_sat(I32, x), -1i64 << (bits - 1), (1i64 << (bits - 1)) - 1)
        } else {
            (self.builder.ins().fcvt_to_uint_sat(I32, x), 0, (1i64 << bits) - 1)
        };
        let greatest = self.builder.ins().iconst(I32, greatest);
        let clamped = if signed {
            let least = self.bits(I32, least as u64);
            let clamped = self.builder.ins().smax(wide, least);
            self.builder.ins().smin(clamped, greatest)
        } else {
            self.builder.ins().umin(wide, greatest)
        };
        self.builder.ins().ireduce(register, clamped)
    }

    fn integer_to_float(&mut self, from: DType, to: DType, x: Value) -> Value {
        let register = self.register(to);
        let is_half = matches!(to, DType::F16 | DType::BF16);
        if from.size() >= 4 {
            if is_half {
                // Through f32 it would be rounded twice.
                return self.call(Routine::Convert(from, to), &[x]);
            }
            return if from.is_signed_integer() {
                self.builder.ins().fcvt_from_sint(register, x)
            } else {
                self.builder.ins().fcvt_from_uint(register, x)
            };
        }
        // Exact in f32, so that only the rounding to f16 or bf16 is one.
        let wide = self.extend(from, I32, x);
        let exact = self.builder.ins().fcvt_from_sint(register, wide);
        self.rounded(to, exact)
    }

    fn integer_to_integer(&mut self, from: DType, to: DType, x: Value) -> Value {
        let register = self.register(to);
        match from.size().cmp(&to.size()) {
            std::cmp::Ordering::Less => self.extend(from, register, x),
            std::cmp::Ordering::Equal => x,
            std::cmp::Ordering::Greater => self.builder.ins().ireduce(register, x),
        }
    }

    fn extend(&mut self, from: DType, to: Type, x: Value) -> Value {
        if from.is_signed_integer() { self.builder.ins().sextend(to, x) } else { self.builder.ins().uextend(to, x) }
    }

    /// The same bits as a dtype of the same width.
    pub(crate) fn bitcast(&mut self, from: DType, to: DType, x: Value) -> Value {
        let is_half = |dtype| matches!(dtype, DType::F16 | DType::BF16);
        if is_half(from) || is_half(to) {
            if from == to {
                return x;
            }
            // 16-bit floats are held as f32: to bits in an i32, and from there to where they belong.
            let word = if is_half(from) { self.half_bits(from, x) } else { self.builder.ins().uextend(I32, x) };
            return if is_half(to) { self.from_half_bits(to, word) } else { self.builder.ins().ireduce(I16, word) };
        }
        let register = self.register(to);
        self.cast(register, x)
    }

    /// Whether [`Ops::convert`] works on vectors of these lanes.
    pub(crate) fn converts_lanes(lanes: Lanes, from: DType, to: DType) -> bool {
        let half = |dtype| matches!(dtype, DType::F16 | DType::BF16);
        match lanes {
            Lanes::One => true,
            // 32-bit integers become 16-bit floats by a call.
            Lanes::Four => is_float(from) || from == DType::Bool || !half(to),
            // Vectors of 64-bit integers and floats do not convert into each other.
            Lanes::Two => is_float(from) == is_float(to) || from == DType::Bool || to == DType::Bool,
        }
    }
}
