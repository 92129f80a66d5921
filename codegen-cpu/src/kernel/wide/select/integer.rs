//! Arithmetic on integers, of 8 and 16 bits in lanes of 32, and Threefry.

use rjax_ir::{Binary, Compare, DType, Unary};

use super::super::code::Source;
use super::super::opcode::{self, avx512};
use super::Selector;
use crate::target::Wide;

impl Selector<'_, '_> {
    /// A result in lanes of 32 bits as the integer of 8 or 16 bits that it wraps to.
    pub(super) fn wrapped(&mut self, dtype: DType, x: Source) -> Source {
        if dtype.size() >= 4 {
            return x;
        }
        if dtype.is_signed_integer() {
            let unused = 32 - dtype.bits() as u64;
            let high = self.shifted(opcode::shift_left(false), x, unused);
            return self.shifted(opcode::shift_sign(false), high, unused);
        }
        self.unsigned(dtype, x)
    }

    /// The bits of an integer, those beyond its width 0.
    fn unsigned(&mut self, dtype: DType, x: Source) -> Source {
        if dtype.size() >= 4 {
            return x;
        }
        let width = self.bits(false, (1 << dtype.bits()) - 1);
        self.two(opcode::and(false), x, width)
    }

    pub(super) fn unary_integer(&mut self, op: Unary, dtype: DType, x: Source) -> Option<Source> {
        let double = self.is_double(dtype);
        let (masks, signed) = (self.wide == Wide::Avx512, dtype.is_signed_integer());
        Some(match op {
            Unary::Not if dtype == DType::Bool => self.not(x),
            Unary::Not => {
                let ones = self.bits(double, u64::MAX >> if signed { 0 } else { 64 - dtype.bits() });
                self.two(opcode::xor(double), x, ones)
            }
            Unary::Neg if dtype != DType::Bool => {
                let zero = self.bits(double, 0);
                let negated = self.two(opcode::integer_sub(double), zero, x);
                self.wrapped(dtype, negated)
            }
            Unary::Abs if !signed => x,
            Unary::Abs if !double => {
                let magnitude = self.one(opcode::ABS_32, x);
                self.wrapped(dtype, magnitude)
            }
            Unary::Abs if masks => self.one(avx512::ABS_64, x),
            Unary::Sign if masks || !double => {
                let one = self.bits(double, 1);
                let at_most = self.two(opcode::extreme(double, false, signed), x, one);
                if !signed {
                    return Some(at_most);
                }
                let minus_one = self.bits(double, u64::MAX);
                self.two(opcode::extreme(double, true, true), at_most, minus_one)
            }
            Unary::Clz if masks && dtype != DType::Bool => {
                let unsigned = self.unsigned(dtype, x);
                let zeros = self.one(avx512::leading_zeros(double), unsigned);
                if dtype.size() >= 4 {
                    return Some(zeros);
                }
                let above = self.bits(false, 32 - dtype.bits() as u64);
                self.two(opcode::integer_sub(false), zeros, above)
            }
            Unary::Neg
            | Unary::Sign
            | Unary::Abs
            | Unary::Floor
            | Unary::Ceil
            | Unary::Round
            | Unary::RoundEven
            | Unary::IsFinite
            | Unary::PopulationCount
            | Unary::Clz
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
            | Unary::Conj => return None,
        })
    }

    pub(super) fn binary_integer(&mut self, op: Binary, dtype: DType, x: Source, y: Source) -> Option<Source> {
        let double = self.is_double(dtype);
        let (masks, signed) = (self.wide == Wide::Avx512, dtype.is_signed_integer());
        let result = match op {
            Binary::Add => self.two(opcode::integer_add(double), x, y),
            Binary::Sub => self.two(opcode::integer_sub(double), x, y),
            Binary::Mul if !double => self.two(opcode::MUL_32, x, y),
            Binary::Mul if masks => self.two(avx512::MUL_64, x, y),
            Binary::And => return Some(self.two(opcode::and(double), x, y)),
            Binary::Or => return Some(self.two(opcode::or(double), x, y)),
            Binary::Xor => return Some(self.two(opcode::xor(double), x, y)),
            Binary::Max | Binary::Min if masks || !double => {
                return Some(self.two(opcode::extreme(double, op == Binary::Max, signed), x, y));
            }
            Binary::Max | Binary::Min => {
                let relation = if op == Binary::Max { Compare::Gt } else { Compare::Lt };
                let first = self.compare(relation, dtype, x, y)?;
                return Some(self.put(opcode::avx2::blend(double), [y, x, first], None));
            }
            // Amounts are numbers without a sign, and those from the width on shift everything out.
            Binary::ShiftLeft => self.two(opcode::shift_left_by(double), x, y),
            Binary::ShiftRightLogical => {
                let x = self.unsigned(dtype, x);
                self.two(opcode::shift_right_by(double), x, y)
            }
            Binary::ShiftRightArithmetic if masks || !double => {
                // An integer without a sign is shifted as if it had one.
                let x = self.signed(dtype, x);
                self.two(opcode::shift_sign_by(double), x, y)
            }
            Binary::Mul
            | Binary::Div
            | Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::ShiftRightArithmetic
            | Binary::NextAfter
            | Binary::Complex
            | Binary::Igamma
            | Binary::Igammac
            | Binary::IgammaGradA
            | Binary::Polygamma
            | Binary::Zeta => return None,
        };
        Some(self.wrapped(dtype, result))
    }

    /// The bits of an integer of 8 or 16 bits as a number with a sign.
    fn signed(&mut self, dtype: DType, x: Source) -> Source {
        match dtype {
            DType::U8 => self.wrapped(DType::I8, x),
            DType::U16 => self.wrapped(DType::I16, x),
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::F32
            | DType::F64
            | DType::C64
            | DType::C128
            | DType::Narrow(_) => x,
        }
    }

    pub(super) fn shift_by(&mut self, op: Binary, dtype: DType, x: Source, amount: u64) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        let (double, width) = (self.is_double(dtype), dtype.bits() as u64);
        let result = if op == Binary::ShiftRightArithmetic {
            if double && self.wide == Wide::Avx2 {
                return None;
            }
            let x = self.signed(dtype, x);
            self.shifted(opcode::shift_sign(double), x, amount.min(width - 1))
        } else if amount >= width {
            return Some(self.bits(double, 0));
        } else if op == Binary::ShiftLeft {
            self.shifted(opcode::shift_left(double), x, amount)
        } else {
            let x = self.unsigned(dtype, x);
            self.shifted(opcode::shift_right(double), x, amount)
        };
        Some(self.wrapped(dtype, result))
    }

    /// An index divided by a constant, or what is left: both are exact in f64, and so is the truncated quotient, as array positions
    /// are far below 2^52.
    pub(super) fn index_quotient(&mut self, x: Source, divisor: i64, rest: bool) -> Option<Source> {
        if self.wide == Wide::Avx2 || !self.double || divisor >= 1 << 52 {
            return None;
        }
        if (divisor as u64).is_power_of_two() {
            if rest {
                let below = self.bits(true, divisor as u64 - 1);
                return Some(self.two(opcode::and(true), x, below));
            }
            return Some(self.shifted(opcode::shift_right(true), x, divisor.trailing_zeros() as u64));
        }
        let number = self.one(avx512::from_64(true, true), x);
        let by = self.float(true, divisor as f64);
        let quotient = self.two(opcode::div(true), number, by);
        let quotient = self.one(avx512::to_64(true, true), quotient);
        if !rest {
            return Some(quotient);
        }
        let by = self.bits(true, divisor as u64);
        let product = self.two(avx512::MUL_64, quotient, by);
        Some(self.two(opcode::integer_sub(true), x, product))
    }

    /// Threefry-2x32 with 20 rounds.
    pub(super) fn threefry(&mut self, [key0, key1, count0, count1]: [Source; 4]) -> [Source; 2] {
        const ROTATIONS: [[u64; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
        let add = opcode::integer_add(false);
        let parity = self.bits(false, 0x1BD1_1BDA);
        let key2 = self.two(opcode::xor(false), key0, key1);
        let schedule = [key0, key1, self.two(opcode::xor(false), key2, parity)];
        let mut x = [self.two(add, count0, key0), self.two(add, count1, key1)];
        for group in 0..5 {
            for rotation in ROTATIONS[group % 2] {
                x[0] = self.two(add, x[0], x[1]);
                let rotated = self.rotated(x[1], rotation);
                x[1] = self.two(opcode::xor(false), rotated, x[0]);
            }
            x[0] = self.two(add, x[0], schedule[(group + 1) % 3]);
            let round = self.bits(false, group as u64 + 1);
            let key = self.two(add, schedule[(group + 2) % 3], round);
            x[1] = self.two(add, x[1], key);
        }
        x
    }

    fn rotated(&mut self, x: Source, amount: u64) -> Source {
        match self.wide {
            Wide::Avx512 => self.shifted(avx512::rotate_left(false), x, amount),
            Wide::Avx2 => {
                let high = self.shifted(opcode::shift_left(false), x, amount);
                let low = self.shifted(opcode::shift_right(false), x, 32 - amount);
                self.two(opcode::or(false), high, low)
            }
        }
    }
}
