//! Comparisons, selections and `bool`.

use rjax_ir::{Binary, Compare, DType};

use super::super::code::Source;
use super::super::opcode::{self, avx2, avx512};
use super::Selector;
use crate::target::Wide;

impl Selector<'_, '_> {
    /// `condition ? x : y`.
    pub(super) fn select(&mut self, dtype: DType, condition: Source, x: Source, y: Source) -> Source {
        let double = self.is_double(dtype);
        let zero = self.bits(double, 0);
        match self.wide {
            Wide::Avx2 if y == zero => self.two(opcode::and(double), condition, x),
            Wide::Avx2 if x == zero => self.two(opcode::and_not(double), condition, y),
            Wide::Avx2 => self.put(avx2::blend(double), [y, x, condition], None),
            Wide::Avx512 if dtype == DType::Bool => {
                let x = self.two(avx512::MASK_AND, condition, x);
                let y = self.two(avx512::MASK_AND_NOT, condition, y);
                self.two(avx512::MASK_OR, x, y)
            }
            Wide::Avx512 if y == zero => self.put(avx512::keep(double), [x, Source::None, condition], None),
            Wide::Avx512 => self.put(avx512::choose(double), [y, x, condition], None),
        }
    }

    pub(super) fn not(&mut self, x: Source) -> Source {
        match self.wide {
            Wide::Avx2 => {
                let ones = self.constant([u64::MAX; 8]);
                self.two(opcode::xor(self.double), x, ones)
            }
            Wide::Avx512 => self.one(avx512::mask_not(self.double), x),
        }
    }

    pub(super) fn binary_bool(&mut self, op: Binary, x: Source, y: Source) -> Option<Source> {
        let masks = self.wide == Wide::Avx512;
        let op = match op {
            Binary::Add | Binary::Or | Binary::Max => {
                if masks {
                    avx512::MASK_OR
                } else {
                    opcode::or(self.double)
                }
            }
            Binary::Mul | Binary::And | Binary::Min => {
                if masks {
                    avx512::MASK_AND
                } else {
                    opcode::and(self.double)
                }
            }
            Binary::Xor => {
                if masks {
                    avx512::MASK_XOR
                } else {
                    opcode::xor(self.double)
                }
            }
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
            | Binary::Zeta => return None,
        };
        Some(self.two(op, x, y))
    }

    /// A comparison of floats by the number of the machine's predicate.
    pub(super) fn compare_floats(&mut self, double: bool, predicate: u8, x: Source, y: Source) -> Source {
        let op = opcode::compare(double);
        let op = if self.wide == Wide::Avx512 { op.test() } else { op };
        self.put(op, [x, y, Source::None], Some(predicate))
    }

    pub(super) fn compare(&mut self, op: Compare, dtype: DType, x: Source, y: Source) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        if dtype.is_float() {
            let predicate = match op {
                Compare::Eq => 0,
                Compare::Lt => 0x11,
                Compare::Le => 0x12,
                Compare::Ne => 4,
                Compare::Ge => 0x1d,
                Compare::Gt => 0x1e,
                Compare::EqTo | Compare::LtTo | Compare::LeTo => return self.compare_in_total_order(op, dtype, x, y),
            };
            return Some(self.compare_floats(self.is_double(dtype), predicate, x, y));
        }
        match self.wide {
            Wide::Avx2 => Some(self.compare_lanes(op, dtype, x, y)),
            Wide::Avx512 if dtype == DType::Bool => Some(self.compare_masks(op, x, y)),
            Wide::Avx512 => {
                let predicate = match op {
                    Compare::Eq | Compare::EqTo => 0,
                    Compare::Lt | Compare::LtTo => 1,
                    Compare::Le | Compare::LeTo => 2,
                    Compare::Ne => 4,
                    Compare::Ge => 5,
                    Compare::Gt => 6,
                };
                let op = avx512::compare(self.is_double(dtype), dtype.is_signed_integer());
                Some(self.put(op, [x, y, Source::None], Some(predicate)))
            }
        }
    }

    /// Floats as integers in the total order of IEEE 754: all bits but the sign of negative numbers are flipped.
    fn compare_in_total_order(&mut self, op: Compare, dtype: DType, x: Source, y: Source) -> Option<Source> {
        let double = self.is_double(dtype);
        if double && self.wide == Wide::Avx2 {
            return None;
        }
        let (width, integer) = if double { (64, DType::I64) } else { (32, DType::I32) };
        let [x, y] = [x, y].map(|x| {
            let sign = self.shifted(opcode::shift_sign(double), x, width - 1);
            let magnitude = self.bits(double, u64::MAX >> (65 - width));
            let flipped = self.two(opcode::and(double), sign, magnitude);
            self.two(opcode::xor(double), x, flipped)
        });
        self.compare(op, integer, x, y)
    }

    /// A comparison of integers, or of masks in lanes, by the two that AVX2 has.
    fn compare_lanes(&mut self, op: Compare, dtype: DType, x: Source, y: Source) -> Source {
        let double = self.is_double(dtype);
        let (mut x, mut y) = (x, y);
        if dtype == DType::Bool {
            // True is -1 in a mask: less than false.
            std::mem::swap(&mut x, &mut y);
        } else if !dtype.is_signed_integer() && !matches!(op, Compare::Eq | Compare::Ne | Compare::EqTo) {
            // Vectors compare as signed numbers: flipping the highest bit maps one order to the other.
            let highest = self.bits(double, 1 << (dtype.bits() - 1));
            x = self.two(opcode::xor(double), x, highest);
            y = self.two(opcode::xor(double), y, highest);
        }
        let (equal, greater) = (avx2::equal(double), avx2::greater(double));
        match op {
            Compare::Eq | Compare::EqTo => self.two(equal, x, y),
            Compare::Ne => {
                let equal = self.two(equal, x, y);
                self.not(equal)
            }
            Compare::Gt => self.two(greater, x, y),
            Compare::Lt | Compare::LtTo => self.two(greater, y, x),
            Compare::Le | Compare::LeTo => {
                let above = self.two(greater, x, y);
                self.not(above)
            }
            Compare::Ge => {
                let below = self.two(greater, y, x);
                self.not(below)
            }
        }
    }

    fn compare_masks(&mut self, op: Compare, x: Source, y: Source) -> Source {
        match op {
            Compare::Ne => self.two(avx512::MASK_XOR, x, y),
            Compare::Eq | Compare::EqTo => {
                let differ = self.two(avx512::MASK_XOR, x, y);
                self.not(differ)
            }
            Compare::Lt | Compare::LtTo => self.two(avx512::MASK_AND_NOT, x, y),
            Compare::Gt => self.two(avx512::MASK_AND_NOT, y, x),
            Compare::Le | Compare::LeTo => {
                let greater = self.two(avx512::MASK_AND_NOT, y, x);
                self.not(greater)
            }
            Compare::Ge => {
                let less = self.two(avx512::MASK_AND_NOT, x, y);
                self.not(less)
            }
        }
    }
}
