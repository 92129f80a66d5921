//! Conversions, rounding once.

use rjax_ir::DType;

use super::super::code::Source;
use super::super::opcode::{self, avx512};
use super::Selector;
use crate::target::Wide;

impl Selector<'_, '_> {
    pub(super) fn convert(&mut self, from: DType, to: DType, x: Source) -> Option<Source> {
        if !self.holds(from) || !self.holds(to) {
            return None;
        }
        if from == to {
            return Some(x);
        }
        if to == DType::Bool {
            return Some(self.is_nonzero(from, x));
        }
        if from == DType::Bool {
            let double = self.is_double(to);
            let one = if to.is_float() { self.float(double, 1.0) } else { self.bits(double, 1) };
            let zero = self.bits(double, 0);
            return Some(self.select(to, x, one, zero));
        }
        match (from.is_float(), to.is_float()) {
            (true, true) => self.float_to_float(from, to, x),
            (true, false) => self.float_to_integer(from, to, x),
            (false, true) => self.integer_to_float(from, to, x),
            (false, false) => Some(self.integer_to_integer(from, to, x)),
        }
    }

    fn is_nonzero(&mut self, from: DType, x: Source) -> Source {
        let double = self.is_double(from);
        let zero = self.bits(double, 0);
        if from.is_float() {
            return self.compare_floats(double, 4, x, zero);
        }
        match self.wide {
            Wide::Avx2 => {
                let equal = self.two(opcode::avx2::equal(double), x, zero);
                self.not(equal)
            }
            Wide::Avx512 => self.two(avx512::test_bits(double), x, x),
        }
    }

    fn float_to_float(&mut self, from: DType, to: DType, x: Source) -> Option<Source> {
        match (self.is_double(from), self.is_double(to)) {
            (false, true) => Some(self.one(avx512::F32_TO_F64, x)),
            (true, false) if to == DType::F32 => Some(self.one(avx512::F64_TO_F32, x)),
            // Through f32 it would be rounded twice.
            (true, false) => None,
            (false, false) | (true, true) => Some(self.rounded(to, x)),
        }
    }

    fn integer_to_float(&mut self, from: DType, to: DType, x: Source) -> Option<Source> {
        let signed = from.is_signed_integer();
        let double = self.is_double(to);
        if matches!(to, DType::F16 | DType::BF16) {
            if from.size() > 2 {
                // Through f32 it would be rounded twice.
                return None;
            }
            let exact = self.one(opcode::FROM_INTEGER, x);
            return Some(self.rounded(to, exact));
        }
        match self.wide {
            Wide::Avx512 if self.is_double(from) => Some(self.one(avx512::from_64(double, signed), x)),
            Wide::Avx512 => Some(self.one(avx512::from_32(double, signed), x)),
            Wide::Avx2 if double => None,
            Wide::Avx2 if signed => Some(self.one(opcode::FROM_INTEGER, x)),
            Wide::Avx2 => {
                // Both halves are exact, so that only their sum rounds.
                let high = self.shifted(opcode::shift_right(false), x, 16);
                let low_bits = self.bits(false, 0xffff);
                let low = self.two(opcode::and(false), x, low_bits);
                let high = self.one(opcode::FROM_INTEGER, high);
                let low = self.one(opcode::FROM_INTEGER, low);
                let unit = self.float(false, 65536.0);
                Some(self.put(opcode::fused(false), [high, unit, low], None))
            }
        }
    }

    /// Truncates and saturates; NaN gives 0.
    fn float_to_integer(&mut self, from: DType, to: DType, x: Source) -> Option<Source> {
        let (source, double, signed) = (self.is_double(from), self.is_double(to), to.is_signed_integer());
        if self.wide == Wide::Avx2 && (double || to != DType::I32) {
            return None;
        }
        let zero = self.bits(source, 0);
        let mut x = x;
        if to.size() < 4 {
            let (least, greatest) = if signed {
                (-((1i64 << (to.bits() - 1)) as f64), ((1i64 << (to.bits() - 1)) - 1) as f64)
            } else {
                (0.0, ((1i64 << to.bits()) - 1) as f64)
            };
            // The machine's minimum gives its second operand where one is NaN: NaN stays, to become 0 below.
            let (least, greatest) = (self.float(source, least), self.float(source, greatest));
            x = self.two(opcode::max(source), least, x);
            x = self.two(opcode::min(source), greatest, x);
        } else if !signed {
            // Negative numbers and NaN are 0; what is too great has all bits set, as it should.
            x = self.two(opcode::max(source), x, zero);
        }
        let integer = match self.wide {
            Wide::Avx2 => self.one(opcode::TO_INTEGER, x),
            Wide::Avx512 if double => self.one(avx512::to_64(source, signed), x),
            Wide::Avx512 => self.one(avx512::to_32(source, signed || to.size() < 4), x),
        };
        if !signed && to.size() >= 4 {
            return Some(integer);
        }
        // Beyond the range the machine gives the least integer, which is right below.
        let mut result = integer;
        if to.size() >= 4 {
            let end = self.float(source, if double { 2f64.powi(63) } else { 2f64.powi(31) });
            let above = self.compare_floats(source, 0x1d, x, end);
            let greatest = self.bits(double, if double { i64::MAX as u64 } else { i32::MAX as u64 });
            result = self.select(to, above, greatest, result);
        }
        let number = self.compare_floats(source, 7, x, x);
        let zero = self.bits(double, 0);
        Some(self.select(to, number, result, zero))
    }

    /// A float without its fraction, in the range of an integer of up to 32 bits.
    pub(super) fn truncate(&mut self, from: DType, to: DType, x: Source) -> Option<Source> {
        match self.wide {
            Wide::Avx512 if self.holds(from) && self.holds(to) => {
                let signed = to.is_signed_integer() || to.size() < 4;
                Some(self.one(avx512::to_32(self.is_double(from), signed), x))
            }
            Wide::Avx512 | Wide::Avx2 => self.convert(from, to, x),
        }
    }

    fn integer_to_integer(&mut self, from: DType, to: DType, x: Source) -> Source {
        match (self.is_double(from), self.is_double(to)) {
            (false, true) => self.one(avx512::widen_32(from.is_signed_integer()), x),
            (true, false) => {
                let low = self.one(avx512::NARROW_64, x);
                self.wrapped(to, low)
            }
            (false, false) | (true, true) => {
                let fits = from.size() < to.size() && (to.is_signed_integer() || from.is_unsigned_integer());
                if fits { x } else { self.wrapped(to, x) }
            }
        }
    }
}
