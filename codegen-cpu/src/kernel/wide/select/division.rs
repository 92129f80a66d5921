//! Division by a number that the loop does not change, by its reciprocal.
//!
//! With r the nearest number to 1 / y, the first guess q = x r is off by less than 1.5 units in its last place; `e = q y - x` is exact, and
//! `q - e r` rounds to the nearest number to x / y: no quotient is as near to the middle between two numbers as what e r lacks (Markstein;
//! all dividends have been tried for a thousand divisors). For e to be exact however small x is, it is computed `2^64` times as large (`2^512`
//! for `f64`). What remains is divided by the machine, in a branch: quotients that come out subnormal, infinite, NaN or 0 while e is not 0. Those
//! of divisors outside of `least..=greatest` are among them, whose r is NaN. Signs of zero come out right as e is +0 for both.
//!
//! That takes a quarter of the time of the instruction, which keeps no other waiting: it pays in loops that do little else.

use rjax_ir::Binary;
use rjax_kernel::kir::{Expr, Inst};

use super::super::code::{Rarity, Source};
use super::super::opcode::{self, avx512};
use super::{Invariant, Selector};
use crate::target::Wide;

/// Work in instructions for each division from which on division is free.
const BUSY: usize = 24;
/// Loops of fewer iterations are not worth a reciprocal.
const LEAST_TRIP: i64 = 64;
/// Numbers of these classes are looked at: NaN of both kinds, both infinities, subnormal numbers, both zeros.
const SPECIAL: u8 = 0x01 | 0x80 | 0x08 | 0x10 | 0x20 | 0x02 | 0x04;

/// What the loop is given instead of a divisor y.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Part {
    /// `1 / y`, or NaN if y is not in range.
    Reciprocal,
    /// `y 2^s`.
    Scaled,
    /// `-(1 / y) 2^-s`.
    Correction,
}

/// The range of divisors, and by how much e is scaled.
pub(in super::super) struct Range {
    pub(in super::super) least: f64,
    pub(in super::super) greatest: f64,
    pub(in super::super) scale: f64,
}

impl Range {
    pub(in super::super) fn new(double: bool) -> Range {
        let [least, greatest, scale] = if double { [-400, 400, 512] } else { [-40, 60, 64] }.map(|e| 2f64.powi(e));
        Range { least, greatest, scale }
    }
}

impl Part {
    /// The part of a divisor in range.
    fn of(self, y: f64, double: bool) -> f64 {
        let scale = Range::new(double).scale;
        let reciprocal = if double { 1.0 / y } else { (1.0 / y as f32) as f64 };
        match self {
            Part::Reciprocal => reciprocal,
            Part::Scaled => y * scale,
            Part::Correction => -(reciprocal / scale),
        }
    }
}

impl Selector<'_, '_> {
    /// Whether divisions hold up a loop of this work.
    pub(super) fn waits_for_divisions(&self, work: &[&Inst]) -> bool {
        let divides = |inst: &&&Inst| matches!(inst, Inst::Let { result, value: Expr::Binary(Binary::Div, ..) } if self.dtype(*result).is_float());
        let trip = self.l.end.as_constant().zip(self.l.begin.as_constant()).map(|(end, begin)| end - begin);
        self.wide == Wide::Avx512
            && trip.is_none_or(|trip| trip >= LEAST_TRIP)
            && work.len() < BUSY * work.iter().filter(divides).count()
    }

    /// `x / y` by the reciprocal of y, if that is possible and pays.
    pub(super) fn quotient(&mut self, double: bool, x: Source, y: Source) -> Option<Source> {
        if !self.waits {
            return None;
        }
        let range = Range::new(double);
        let [reciprocal, scaled, correction] = match y {
            Source::Invariant(invariant) => {
                let Invariant::Register(register) = self.invariants[invariant].0 else { return None };
                [Part::Reciprocal, Part::Scaled, Part::Correction]
                    .map(|part| self.invariant(Invariant::Divisor(register, part), double))
            }
            Source::Constant(constant) => {
                let word = self.constants[constant][0];
                let y = if double { f64::from_bits(word) } else { f32::from_bits(word as u32) as f64 };
                if !(range.least..=range.greatest).contains(&y) {
                    return None;
                }
                [Part::Reciprocal, Part::Scaled, Part::Correction].map(|part| self.float(double, part.of(y, double)))
            }
            Source::None | Source::Value(_) | Source::Partial(_) | Source::Tail => return None,
        };
        let guess = self.two(opcode::mul(double), x, reciprocal);
        let scale = self.float(double, -range.scale);
        let dividend = self.two(opcode::mul(double), x, scale);
        let excess = self.put(opcode::fused(double), [guess, scaled, dividend], None);
        let quotient = self.put(opcode::fused(double), [excess, correction, guess], None);
        let special = self.put(avx512::class(double), [quotient, Source::None, Source::None], Some(SPECIAL));
        let zero = self.bits(double, 0);
        // Not equal, which NaN is to everything.
        let inexact = self.put(opcode::compare(double).test_under(), [excess, zero, special], Some(4));
        Some(self.rarely(Rarity::Instruction(opcode::div(double)), inexact, [x, y], quotient, double))
    }
}
