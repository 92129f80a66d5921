//! Indices as lanes.

use rjax_kernel::kir::Index;

use super::super::code::{Code, Source};
use super::super::opcode::{self, avx512};
use super::{Invariant, Selector};
use crate::target::Wide;

impl Selector<'_, '_> {
    /// An index as consecutive lanes: its value in the first iteration, plus the steps to this vector and to the lane, plus what it has
    /// of other values of 64 bits.
    pub(super) fn ramp(&mut self, index: &Index, double: bool) -> Option<Source> {
        let (varying, fixed): (Vec<_>, Vec<_>) =
            index.terms.iter().partition(|&&(r, _)| r != self.l.variable && self.varying.contains(&r));
        if !(varying.is_empty() || double && self.wide == Wide::Avx512) {
            return None;
        }
        let add = opcode::integer_add(double);
        let fixed = Index { constant: index.constant, terms: fixed };
        let mut sum = None;
        let coefficient = i32::try_from(index.coefficient(self.l.variable)).ok()?;
        if coefficient != 0 {
            let steps = self.lane_steps(coefficient as i64, double);
            let result = self.value();
            self.codes.push(Code::Ramp { result, coefficient, double });
            sum = Some(self.two(add, Source::Value(result), steps));
        }
        if fixed != Index::constant(0) {
            let first = self.invariant(Invariant::Index(fixed), double);
            sum = Some(match sum {
                Some(sum) => self.two(add, sum, first),
                None => first,
            });
        }
        for (register, coefficient) in varying {
            let mut term = self.source(register)?;
            if coefficient != 1 {
                let factor = self.bits(double, coefficient as u64);
                term = if coefficient > 0 && (coefficient as u64).is_power_of_two() {
                    self.shifted(opcode::shift_left(double), term, coefficient.trailing_zeros() as u64)
                } else {
                    self.two(avx512::MUL_64, term, factor)
                };
            }
            sum = Some(match sum {
                Some(sum) => self.two(add, sum, term),
                None => term,
            });
        }
        Some(sum.unwrap_or_else(|| self.bits(double, 0)))
    }

    /// A multiple of the number of the lane, counted from the first copy's first lane.
    pub(super) fn lane_steps(&mut self, coefficient: i64, double: bool) -> Source {
        let first = self.copy * self.lanes();
        self.lane_numbers(double, |lane| coefficient * (lane + first) as i64)
    }

    /// A number for each lane.
    pub(super) fn lane_numbers(&mut self, double: bool, number: impl Fn(usize) -> i64) -> Source {
        let mut words = [0u64; 8];
        for lane in 0..self.lanes() {
            if double {
                words[lane] = number(lane) as u64;
            } else {
                words[lane / 2] |= (number(lane) as u32 as u64) << (32 * (lane % 2));
            }
        }
        self.constant(words)
    }

    /// Whether an index is surely between 0 and 2^32: it is a position in the kernel's range, or a part of a loop over constants.
    pub(super) fn below_two_to_32(&self, index: &Index) -> bool {
        let range = &self.kernel.range;
        let limit = if self.l.begin == Index::reg(range.begin) && self.l.end == Index::reg(range.end) {
            Some(range.extent as i64)
        } else {
            self.l.begin.as_constant().filter(|&begin| begin >= 0).and(self.l.end.as_constant())
        };
        let [(register, coefficient)] = index.terms[..] else { return false };
        let last = |limit: i64| limit.checked_mul(coefficient)?.checked_add(index.constant);
        register == self.l.variable
            && coefficient > 0
            && index.constant >= 0
            && limit.and_then(last).is_some_and(|last| last < 1 << 32)
    }

    /// Whether an index has nothing that varies but the variable, so that its lanes are evenly spaced.
    pub(super) fn is_fixed(&self, index: &Index) -> bool {
        index.terms.iter().all(|&(r, _)| r == self.l.variable || !self.varying.contains(&r))
    }
}
