//! Loops that ask for their position modulo a small number, as loops over whole periods.
//!
//! Padding between elements, and what is interleaved, ask in every iteration which of a few cases it is. In a loop that does a period in each
//! iteration the answers are known, and quotients of the position are positions themselves.
//!
//! ```text
//! for %i in 0 .. 2n { %r = index_rem %i, 2; %c = eq %r, 0; %h = index_div %i, 2; %x = load p0[%h] if %c else %z; store p1[%i], %x }
//! for %q in 0 .. n { %x = load p0[%q]; store p1[2*%q], %x; store p1[2*%q + 1], %z }
//! ```

use std::collections::{HashMap, HashSet};

use rjax_ir::{Binary, DType, Scalar, math};

use super::copies::{Renaming, is_straight, register};
use super::remove_dead;
use super::split::{specialise, split_loops};
use crate::kir::{Expr, Index, Inst, Kernel, Loop, Reg};

/// The longest period,
const PERIOD: i64 = 4;
/// and the most instructions of one.
const INSTRUCTIONS: usize = 240;

/// Splits the innermost loops of a block, and what that makes of them, until none asks any more.
pub(super) fn split_residues(insts: &mut Vec<Inst>, kernel: &mut Kernel) {
    let mut splitter = Splitter { kernel, constants: HashMap::new(), rests: HashSet::new() };
    // A position that nothing asks for any more does not count.
    remove_dead(insts, &mut HashSet::new());
    while splitter.block(insts) {
        split_loops(insts, splitter.kernel);
        remove_dead(insts, &mut HashSet::new());
    }
}

struct Splitter<'a> {
    kernel: &'a mut Kernel,
    constants: HashMap<Reg, Scalar>,
    /// The variables of loops over less than a period.
    rests: HashSet<Reg>,
}

impl Splitter<'_> {
    /// Splits the loops of a block once; whether there was one to split.
    fn block(&mut self, insts: &mut Vec<Inst>) -> bool {
        let mut any = false;
        for mut inst in std::mem::take(insts) {
            if let Inst::Let { result, value: Expr::Const(value) } = &inst {
                self.constants.insert(*result, *value);
            }
            for block in inst.blocks_mut() {
                any |= self.block(block);
            }
            match inst {
                Inst::Loop(l) if !self.rests.contains(&l.variable) => match period(&l) {
                    Some(period) => {
                        self.periods(&l, period, insts);
                        any = true;
                    }
                    None => insts.push(Inst::Loop(l)),
                },
                Inst::Let { .. }
                | Inst::Load { .. }
                | Inst::Store { .. }
                | Inst::Complex { .. }
                | Inst::Threefry { .. }
                | Inst::Loop(_)
                | Inst::If(_)
                | Inst::While(_) => insts.push(inst),
            }
        }
        any
    }

    /// Writes a loop as what comes before the first whole period, the periods, and what comes after the last.
    fn periods(&mut self, l: &Loop, period: i64, insts: &mut Vec<Inst>) {
        let first = self.quotient(l.begin.offset(period - 1), period, insts);
        let last = self.quotient(l.end.clone(), period, insts);
        let [begin, end] = [&first, &last].map(|periods| Index::constant(0).plus(periods, period));
        // A loop inside one period is all before the first whole one.
        let before = self.bound(Binary::Min, begin.clone(), l.end.clone(), insts);
        let after = self.bound(Binary::Max, begin, end, insts);
        self.rest(l, l.begin.clone(), before, insts);
        let variable = register(self.kernel, DType::I64);
        let mut body = Vec::new();
        for residue in 0..period {
            self.at(l, variable, Index::constant(residue).plus(&Index::reg(variable), period), &mut body);
        }
        insts.push(Inst::Loop(Loop { variable, begin: first, end: last, carried: vec![], order: l.order, body }));
        self.rest(l, after, l.end.clone(), insts);
    }

    /// Less than a period of a loop.
    fn rest(&mut self, l: &Loop, begin: Index, end: Index, insts: &mut Vec<Inst>) {
        let variable = register(self.kernel, DType::I64);
        match (begin.as_constant(), end.as_constant()) {
            (Some(begin), Some(end)) => {
                (begin..end).for_each(|position| self.at(l, variable, Index::constant(position), insts));
            }
            (None | Some(_), None) | (None, Some(_)) => {
                self.rests.insert(variable);
                let body = specialise(l, variable, self.kernel, |_| None);
                insts.push(Inst::Loop(Loop { variable, begin, end, carried: vec![], order: l.order, body }));
            }
        }
    }

    /// The body at a position, which is affine in a variable, without the conditions that are known there.
    fn at(&mut self, l: &Loop, variable: Reg, position: Index, insts: &mut Vec<Inst>) {
        let (copy, answers) = self.answered(l, variable, position);
        insts.append(&mut specialise(&copy, variable, self.kernel, |condition| answers.get(&condition).copied()));
    }

    /// The body at a position, and the conditions that are known there.
    fn answered(&mut self, l: &Loop, variable: Reg, position: Index) -> (Loop, HashMap<Reg, bool>) {
        let mut body = Vec::with_capacity(l.body.len());
        let mut renaming = Renaming::default();
        renaming.substitute(l.variable, position.clone(), &mut body, self.kernel);
        // What is affine in the new variable, by the registers of the old body; numbers, by those of the new one.
        let mut affine = HashMap::from([(l.variable, position)]);
        let mut numbers: HashMap<Reg, i64> = HashMap::new();
        let mut answers = HashMap::new();
        for inst in &l.body {
            let mut copy = renaming.copy(inst, self.kernel);
            if let (Inst::Let { result, value }, Inst::Let { result: new, value: copied }) = (inst, &mut copy) {
                if let Some(at) = affine_value(value, &affine, &renaming) {
                    *copied = match at.as_constant() {
                        Some(number) => Expr::Const(Scalar::new(number)),
                        None => Expr::Index(at.clone()),
                    };
                    affine.insert(*result, at);
                }
                let number = |r: &Reg| numbers.get(r).copied().or_else(|| integer(self.constants.get(r)?));
                if let Expr::Compare(op, x, y) = copied
                    && let (Some(x), Some(y)) = (number(x), number(y))
                {
                    answers.insert(*new, math::compare::<i64>(*op, x, y));
                }
                if let Expr::Const(scalar) = copied
                    && let Some(number) = integer(scalar)
                {
                    numbers.insert(*new, number);
                }
            }
            body.push(copy);
        }
        (Loop { variable, begin: l.begin.clone(), end: l.end.clone(), carried: vec![], order: l.order, body }, answers)
    }

    /// An index that is not negative, divided.
    fn quotient(&mut self, index: Index, divisor: i64, insts: &mut Vec<Inst>) -> Index {
        if let Some(number) = index.as_constant() {
            return Index::constant(number.div_euclid(divisor));
        }
        let [dividend, result] = [(); 2].map(|()| register(self.kernel, DType::I64));
        insts.push(Inst::Let { result: dividend, value: Expr::Index(index) });
        insts.push(Inst::Let { result, value: Expr::IndexDiv(dividend, divisor) });
        Index::reg(result)
    }

    /// The lesser or the greater of two indices.
    fn bound(&mut self, op: Binary, x: Index, y: Index, insts: &mut Vec<Inst>) -> Index {
        if let (Some(x), Some(y)) = (x.as_constant(), y.as_constant()) {
            return Index::constant(if op == Binary::Min { x.min(y) } else { x.max(y) });
        }
        let [left, right, result] = [(); 3].map(|()| register(self.kernel, DType::I64));
        insts.push(Inst::Let { result: left, value: Expr::Index(x) });
        insts.push(Inst::Let { result: right, value: Expr::Index(y) });
        insts.push(Inst::Let { result, value: Expr::Binary(op, left, right) });
        Index::reg(result)
    }
}

/// An expression of a body as an index, if that is what it is; `affine` has those before it.
fn affine_value(value: &Expr, affine: &HashMap<Reg, Index>, renaming: &Renaming) -> Option<Index> {
    let at = |r: Reg| affine.get(&r).cloned().unwrap_or_else(|| Index::reg(renaming.of(r)));
    match value {
        Expr::Index(index) => {
            Some(index.terms.iter().fold(Index::constant(index.constant), |sum, &(r, by)| sum.plus(&at(r), by)))
        }
        Expr::IndexRem(x, divisor) => {
            divided(affine.get(x)?, *divisor).map(|(_, remainder)| Index::constant(remainder))
        }
        Expr::IndexDiv(x, divisor) => divided(affine.get(x)?, *divisor).map(|(quotient, _)| quotient),
        Expr::Const(_)
        | Expr::Unary(..)
        | Expr::Binary(..)
        | Expr::Fma(_)
        | Expr::Scale(..)
        | Expr::Rarely { .. }
        | Expr::Compare(..)
        | Expr::Select { .. }
        | Expr::Convert(_)
        | Expr::Truncate(_)
        | Expr::Bitcast(_)
        | Expr::ReducePrecision { .. }
        | Expr::RegularizedIncompleteBeta(_) => None,
    }
}

fn integer(scalar: &Scalar) -> Option<i64> {
    (scalar.dtype() == DType::I64).then(|| scalar.bits()[0] as i64)
}

/// The period of a loop with at least four of them, all of whose positions modulo small numbers are known in it.
fn period(l: &Loop) -> Option<i64> {
    if !l.carried.is_empty() || !l.body.iter().all(is_straight) {
        return None;
    }
    let mut affine = HashMap::from([(l.variable, Index::reg(l.variable))]);
    let asks = |inst: &Inst| match inst {
        Inst::Let { result, value: Expr::Index(index) } => {
            affine.insert(*result, index.clone());
            None
        }
        Inst::Let { value: Expr::IndexRem(x, divisor), .. } => affine
            .get(x)
            .filter(|index| index.terms.iter().all(|&(r, by)| r == l.variable || by % divisor == 0))
            .map(|_| *divisor)
            .filter(|&divisor| (2..=PERIOD).contains(&divisor)),
        Inst::Let { .. }
        | Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => None,
    };
    let period = l.body.iter().filter_map(asks).next()?;
    let trip = l.begin.as_constant().zip(l.end.as_constant()).map(|(begin, end)| end - begin);
    let long = trip.is_none_or(|trip| trip >= 4 * period);
    (long && l.body.len() * period as usize <= INSTRUCTIONS).then_some(period)
}

/// Quotient and remainder of an index all of whose coefficients the divisor divides.
fn divided(index: &Index, divisor: i64) -> Option<(Index, i64)> {
    let terms: Option<Vec<_>> =
        index.terms.iter().map(|&(r, by)| (by % divisor == 0).then_some((r, by / divisor))).collect();
    let quotient = Index { constant: index.constant.div_euclid(divisor), terms: terms? };
    Some((quotient, index.constant.rem_euclid(divisor)))
}
