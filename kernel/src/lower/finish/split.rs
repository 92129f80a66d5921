//! Loops split where the answers of their conditions change.
//!
//! Padding and the ends of windows ask in every iteration whether there is an element. Along an axis the answer changes a few times only, and
//! in between it is known, so that what remains are loops without conditions, which have vectors.
//!
//! ```text
//! for %i in 0 .. n { %c = le %i, 4; %x = load p0[%i] if %c else %z; … }
//! for %i in 0 .. 5 { %x = load p0[%i]; … }  for %i in 5 .. n { … }
//! ```

use std::collections::{BTreeSet, HashMap};

use rjax_ir::{Binary, Compare, DType, Scalar, Unary};

use super::copies::{Renaming, is_straight, register};
use crate::kir::{Expr, Index, Inst, Kernel, Loop, Reg};

/// At most so many pieces,
const PIECES: usize = 6;
/// of so many instructions together.
const INSTRUCTIONS: usize = 400;

/// A condition on the loop variable: true from an iteration on, or up to it.
#[derive(Clone, Copy)]
struct Step {
    at: i64,
    rises: bool,
}

/// Splits the loops of a block, innermost ones only.
pub(super) fn split_loops(insts: &mut Vec<Inst>, kernel: &mut Kernel) {
    let mut constants = HashMap::new();
    split_inside(insts, kernel, &mut constants);
}

fn split_inside(insts: &mut Vec<Inst>, kernel: &mut Kernel, constants: &mut HashMap<Reg, Scalar>) {
    for mut inst in std::mem::take(insts) {
        if let Inst::Let { result, value: Expr::Const(value) } = &inst {
            constants.insert(*result, *value);
        }
        for block in inst.blocks_mut() {
            split_inside(block, kernel, constants);
        }
        let pieces = if let Inst::Loop(l) = &inst { pieces(l, kernel, constants) } else { None };
        match pieces {
            Some(pieces) => insts.extend(pieces),
            None => insts.push(inst),
        }
    }
}

/// The loops that a loop is split into, if it is, with what computes their bounds.
fn pieces(l: &Loop, kernel: &mut Kernel, constants: &HashMap<Reg, Scalar>) -> Option<Vec<Inst>> {
    if !l.carried.is_empty() || !l.body.iter().all(is_straight) {
        return None;
    }
    let over_range = l.begin.as_reg() == Some(kernel.range.begin) && l.end.as_reg() == Some(kernel.range.end);
    let (first, last) = match (l.begin.as_constant(), l.end.as_constant()) {
        (Some(begin), Some(end)) => (begin, end),
        (None | Some(_), None) | (None, Some(_)) if over_range => (0, kernel.range.extent as i64),
        (None | Some(_), None) | (None, Some(_)) => return None,
    };
    let steps = steps(l, constants);
    let cuts: BTreeSet<i64> = steps.values().map(|step| step.at).filter(|&at| first < at && at < last).collect();
    let count = cuts.len() + 1;
    if cuts.is_empty() || count > PIECES || count * l.body.len() > INSTRUCTIONS {
        return None;
    }
    let mut insts = Vec::new();
    let bounds: Vec<i64> = [first].into_iter().chain(cuts).chain([last]).collect();
    for piece in bounds.windows(2) {
        let (low, high) = (piece[0], piece[1]);
        let (begin, end) = if over_range {
            let mut bound = |op: Binary, of: Reg, constant: i64| {
                let [limit, result] = [(); 2].map(|()| register(kernel, DType::I64));
                insts.push(Inst::Let { result: limit, value: Expr::Const(Scalar::new(constant)) });
                insts.push(Inst::Let { result, value: Expr::Binary(op, of, limit) });
                Index::reg(result)
            };
            let (begin, end) = (kernel_bound(&l.begin), kernel_bound(&l.end));
            (bound(Binary::Max, begin, low), bound(Binary::Min, end, high))
        } else {
            (Index::constant(low), Index::constant(high))
        };
        let variable = register(kernel, DType::I64);
        let body = specialise(l, variable, kernel, |condition| steps.get(&condition).map(|s| (low >= s.at) == s.rises));
        insts.push(Inst::Loop(Loop { variable, begin, end, carried: vec![], order: l.order, body }));
    }
    Some(insts)
}

fn kernel_bound(index: &Index) -> Reg {
    index.as_reg().expect("checked: the loop goes over the kernel's range")
}

/// The conditions in a loop that depend on its variable alone.
fn steps(l: &Loop, constants: &HashMap<Reg, Scalar>) -> HashMap<Reg, Step> {
    let mut affine = HashMap::from([(l.variable, Index::reg(l.variable))]);
    let mut steps = HashMap::new();
    for inst in &l.body {
        let Inst::Let { result, value } = inst else { continue };
        if let Expr::Index(index) = value {
            affine.insert(*result, index.clone());
        }
        let Expr::Compare(op, x, y) = value else { continue };
        let (Some(index), Some(limit)) = (affine.get(x), constants.get(y)) else { continue };
        let [(variable, factor)] = index.terms[..] else { continue };
        if variable != l.variable || factor <= 0 {
            continue;
        }
        // factor * i + constant >= bound from i = ceil((bound - constant) / factor) on.
        let limit = limit.to_c128().re as i64;
        let from = |bound: i64| (bound - index.constant + factor - 1).div_euclid(factor);
        let step = match op {
            Compare::Ge => Step { at: from(limit), rises: true },
            Compare::Gt => Step { at: from(limit + 1), rises: true },
            Compare::Lt => Step { at: from(limit), rises: false },
            Compare::Le => Step { at: from(limit + 1), rises: false },
            Compare::Eq | Compare::Ne | Compare::EqTo | Compare::LtTo | Compare::LeTo => continue,
        };
        steps.insert(*result, step);
    }
    steps
}

/// The body of a loop where some conditions are known, with registers of its own.
pub(super) fn specialise(
    l: &Loop,
    variable: Reg,
    kernel: &mut Kernel,
    condition: impl Fn(Reg) -> Option<bool>,
) -> Vec<Inst> {
    let mut renaming = Renaming::default();
    renaming.rename(l.variable, variable);
    let mut known: HashMap<Reg, bool> = HashMap::new();
    let mut body = Vec::with_capacity(l.body.len());
    for inst in &l.body {
        let holds = |r: &Reg| known.get(r).copied();
        let fate = match inst {
            Inst::Let { result, value } => match value {
                Expr::Compare(..) => condition(*result).map_or(Fate::Stays, Fate::Known),
                Expr::Unary(Unary::Not, x) => holds(x).map_or(Fate::Stays, |x| Fate::Known(!x)),
                Expr::Binary(Binary::And, x, y) => match (holds(x), holds(y)) {
                    (Some(false), _) | (_, Some(false)) => Fate::Known(false),
                    (Some(true), Some(true)) => Fate::Known(true),
                    (Some(true), None) => Fate::Same(*y),
                    (None, Some(true)) => Fate::Same(*x),
                    (None, None) => Fate::Stays,
                },
                Expr::Binary(Binary::Or, x, y) => match (holds(x), holds(y)) {
                    (Some(true), _) | (_, Some(true)) => Fate::Known(true),
                    (Some(false), Some(false)) => Fate::Known(false),
                    (Some(false), None) => Fate::Same(*y),
                    (None, Some(false)) => Fate::Same(*x),
                    (None, None) => Fate::Stays,
                },
                Expr::Select { condition, on_true, on_false } => match holds(condition) {
                    Some(true) => Fate::Same(*on_true),
                    Some(false) => Fate::Same(*on_false),
                    None => Fate::Stays,
                },
                Expr::Const(_)
                | Expr::Index(_)
                | Expr::IndexDiv(..)
                | Expr::IndexRem(..)
                | Expr::Unary(..)
                | Expr::Binary(..)
                | Expr::Fma(_)
                | Expr::Scale(..)
                | Expr::Rarely { .. }
                | Expr::Convert(_)
                | Expr::Truncate(_)
                | Expr::Bitcast(_)
                | Expr::ReducePrecision { .. }
                | Expr::RegularizedIncompleteBeta(_) => Fate::Stays,
            },
            Inst::Load { mask: Some(mask), .. } => match holds(&mask.condition) {
                Some(true) => Fate::Unmasked,
                Some(false) => Fate::Same(mask.otherwise),
                None => Fate::Stays,
            },
            Inst::Load { mask: None, .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::Loop(_)
            | Inst::If(_)
            | Inst::While(_) => Fate::Stays,
        };
        let result = inst.defines().first().copied();
        match (fate, result) {
            (Fate::Same(other), Some(result)) => {
                renaming.rename(result, renaming.of(other));
                if let Some(&value) = known.get(&other) {
                    known.insert(result, value);
                }
            }
            (Fate::Known(value), Some(result)) => {
                known.insert(result, value);
                let fresh = register(kernel, DType::Bool);
                body.push(Inst::Let { result: fresh, value: Expr::Const(Scalar::new(value)) });
                renaming.rename(result, fresh);
            }
            (Fate::Unmasked, _) => {
                let mut copy = renaming.copy(inst, kernel);
                if let Inst::Load { mask, .. } = &mut copy {
                    *mask = None;
                }
                body.push(copy);
            }
            (Fate::Stays | Fate::Same(_) | Fate::Known(_), _) => body.push(renaming.copy(inst, kernel)),
        }
    }
    body
}

/// What becomes of an instruction.
enum Fate {
    Stays,
    /// Its result is that of another one.
    Same(Reg),
    /// Its result is known.
    Known(bool),
    /// It is a load whose mask holds.
    Unmasked,
}
