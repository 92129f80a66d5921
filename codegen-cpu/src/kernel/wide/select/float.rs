//! Arithmetic on floats.

use rjax_ir::{Binary, DType, Unary};

use super::super::code::{Rarity, Source};
use super::super::opcode::{self, avx512};
use super::Selector;
use crate::routines::Routine;
use crate::target::Wide;

impl Selector<'_, '_> {
    /// An f32 as the nearest number of `dtype`.
    pub(super) fn rounded(&mut self, dtype: DType, x: Source) -> Source {
        match dtype {
            DType::F16 => {
                let half = self.shifted(opcode::TO_F16, x, 0);
                self.one(opcode::FROM_F16, half)
            }
            DType::BF16 => {
                let last = self.shifted(opcode::shift_right(false), x, 16);
                let one = self.bits(false, 1);
                let odd = self.two(opcode::and(false), last, one);
                let almost_half = self.bits(false, 0x7fff);
                let sum = self.two(opcode::integer_add(false), x, almost_half);
                let sum = self.two(opcode::integer_add(false), sum, odd);
                let quiet = self.bits(false, 0x0040_0000);
                let quiet = self.two(opcode::or(false), x, quiet);
                let is_nan = self.compare_floats(false, 3, x, x);
                let result = self.select(DType::F32, is_nan, quiet, sum);
                let kept = self.bits(false, 0xffff_0000);
                self.two(opcode::and(false), result, kept)
            }
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

    pub(super) fn abs(&mut self, double: bool, x: Source) -> Source {
        let sign = self.sign_bit(double);
        match self.wide {
            Wide::Avx2 => self.two(opcode::and_not(double), sign, x),
            // Constants are second operands, so that they need no register.
            Wide::Avx512 => {
                let magnitude = self.bits(double, if double { u64::MAX >> 1 } else { u32::MAX as u64 >> 1 });
                self.two(opcode::and(double), x, magnitude)
            }
        }
    }

    /// `x 2^n`, where [`Expr::Scale`](rjax_kernel::kir::Expr::Scale) allows it.
    pub(super) fn scale(&mut self, double: bool, x: Source, n: Source, bits: Source) -> Source {
        if self.wide == Wide::Avx512 {
            let (bottom, raised) = if double { (-1022.0, 1074.0) } else { (-126.0, 149.0) };
            let [bottom, raised, least] = [bottom, raised, -60.0].map(|value| self.float(double, value));
            // Not below, which NaN is not either.
            let normal = self.compare_floats(double, 0x15, n, bottom);
            let [raised, least] = [raised, least].map(|constant| constant.constant().expect("made of numbers"));
            return self.rarely(Rarity::Subnormal { raised, least }, normal, [x, n], x, double);
        }
        // As `Ops::scale`.
        let (mantissa, one) = (if double { 52 } else { 23 }, self.float(double, 1.0));
        let half = self.shifted(opcode::shift_right(double), bits, 1);
        let rest = self.two(opcode::integer_sub(double), bits, half);
        [half, rest].into_iter().fold(x, |product, n| {
            let exponent = self.shifted(opcode::shift_left(double), n, mantissa);
            let power = self.two(opcode::integer_add(double), exponent, one);
            self.two(opcode::mul(double), product, power)
        })
    }

    pub(super) fn unary(&mut self, op: Unary, dtype: DType, x: Source) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        if !dtype.is_float() {
            return self.unary_integer(op, dtype, x);
        }
        let double = self.is_double(dtype);
        Some(match op {
            Unary::Neg => {
                let sign = self.sign_bit(double);
                self.two(opcode::xor(double), x, sign)
            }
            Unary::Abs => self.abs(double, x),
            Unary::Sqrt => {
                let root = self.one(opcode::sqrt(double), x);
                self.rounded(dtype, root)
            }
            Unary::RoundEven => self.shifted(opcode::round(double), x, 8),
            Unary::Floor => self.shifted(opcode::round(double), x, 9),
            Unary::Ceil => self.shifted(opcode::round(double), x, 10),
            Unary::IsFinite => {
                let magnitude = self.abs(double, x);
                let infinity = self.float(double, f64::INFINITY);
                self.compare_floats(double, 0x11, magnitude, infinity)
            }
            Unary::Sign => {
                let (sign, one, zero) = (self.sign_bit(double), self.float(double, 1.0), self.bits(double, 0));
                let sign = self.two(opcode::and(double), x, sign);
                let unit = self.two(opcode::or(double), sign, one);
                let magnitude = self.abs(double, x);
                let has_sign = self.compare_floats(double, 0x1e, magnitude, zero);
                self.select(dtype, has_sign, unit, x)
            }
            Unary::Round => {
                // What is cut off is exact, so that the comparison decides ties correctly; the sign of x keeps -0.
                let cut = self.shifted(opcode::round(double), x, 11);
                let rest = self.two(opcode::sub(double), x, cut);
                let rest = self.abs(double, rest);
                let (half, one, sign) = (self.float(double, 0.5), self.float(double, 1.0), self.sign_bit(double));
                let zero = self.bits(double, 0);
                let away = self.compare_floats(double, 0x1d, rest, half);
                let step = self.select(dtype, away, one, zero);
                let sign = self.two(opcode::and(double), x, sign);
                let step = self.two(opcode::or(double), step, sign);
                self.two(opcode::add(double), cut, step)
            }
            Unary::Exp
            | Unary::Exp2
            | Unary::Expm1
            | Unary::Log
            | Unary::Log1p
            | Unary::Logistic
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
            | Unary::BesselI1e => self.called(Routine::UnaryLanes(op, dtype), [x, Source::None], double),
            Unary::Not | Unary::PopulationCount | Unary::Clz | Unary::Real | Unary::Imag | Unary::Conj => return None,
        })
    }

    pub(super) fn binary(&mut self, op: Binary, dtype: DType, x: Source, y: Source) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        if dtype == DType::Bool {
            return self.binary_bool(op, x, y);
        }
        if !dtype.is_float() {
            return self.binary_integer(op, dtype, x, y);
        }
        let double = self.is_double(dtype);
        let result = match op {
            Binary::Add => self.two(opcode::add(double), x, y),
            Binary::Sub => self.two(opcode::sub(double), x, y),
            Binary::Mul => self.two(opcode::mul(double), x, y),
            Binary::Div => match self.quotient(double, x, y) {
                Some(quotient) => quotient,
                None => self.two(opcode::div(double), x, y),
            },
            Binary::Max | Binary::Min => return Some(self.float_extreme(op == Binary::Max, double, x, y)),
            Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::NextAfter
            | Binary::Igamma
            | Binary::Igammac
            | Binary::IgammaGradA
            | Binary::Polygamma
            | Binary::Zeta => return Some(self.called(Routine::BinaryLanes(op, dtype), [x, y], double)),
            Binary::And
            | Binary::Or
            | Binary::Xor
            | Binary::ShiftLeft
            | Binary::ShiftRightArithmetic
            | Binary::ShiftRightLogical
            | Binary::Complex => return None,
        };
        Some(self.rounded(dtype, result))
    }

    /// Maximum or minimum where NaN wins and -0 is below 0. The machine's instruction returns its second operand where one is NaN
    /// or both are zeros.
    fn float_extreme(&mut self, greatest: bool, double: bool, x: Source, y: Source) -> Source {
        let op = if greatest { opcode::max(double) } else { opcode::min(double) };
        for (x, y) in [(x, y), (y, x)] {
            let Some(bound) = y.constant() else { continue };
            let word = self.constants[bound][0];
            let bound = if double { f64::from_bits(word) } else { f32::from_bits(word as u32) as f64 };
            // x is returned where it is NaN, and where both are zeros: right unless it is the zero that loses.
            let loses = bound == 0.0 && bound.is_sign_positive() == greatest;
            if !bound.is_nan() && !loses {
                return self.two(op, y, x);
            }
            if !bound.is_nan() && greatest {
                // -0 + 0 is 0; nothing else changes.
                let result = self.two(op, y, x);
                return self.two(opcode::add(double), result, y);
            }
        }
        match self.wide {
            Wide::Avx2 => {
                let (one, other) = (self.two(op, x, y), self.two(op, y, x));
                let both = self.two(if greatest { opcode::and(double) } else { opcode::or(double) }, one, other);
                let unordered = self.compare_floats(double, 3, x, y);
                self.two(opcode::or(double), both, unordered)
            }
            // The range instruction has the right zeros but prefers numbers to NaN: a sum of the two is NaN where one is.
            Wide::Avx512 => {
                let extreme = self.put(avx512::range(double), [x, y, Source::None], Some(4 + greatest as u8));
                let sum = self.two(opcode::add(double), x, y);
                let unordered = self.compare_floats(double, 3, x, y);
                self.put(avx512::choose(double), [extreme, sum, unordered], None)
            }
        }
    }
}
