//! Short loops written out, so that the loop around them has vectors.
//!
//! A sum over three coordinates is less than a vector; the sums of as many points as a vector has lanes are three vectors. Where points are
//! rows of a short array, their coordinates are a few elements apart in memory, which vectors can be made of.
//!
//! ```text
//! for %i in 0 .. n { for %j in 0 .. 3 with %s = 0 then %t { %x = load p0[3*%i + %j]; %t = add %s, %x }  store p1[%i], %s }
//! for %i in 0 .. n { %x = load p0[3*%i]; %t = add 0, %x; … store p1[%i], … }
//! ```

use std::collections::HashSet;

use super::copies::{Renaming, is_straight};
use crate::kir::{Index, Inst, Kernel, Loop, Order, ParamId, Reg};

/// The most iterations of a loop that is written out, and instructions that are written altogether.
const SHORT: i64 = 16;
const INSTRUCTIONS: usize = 800;
/// The fewest iterations of the loop around.
const LONG: i64 = 64;
/// How far apart what neighbouring iterations of that loop read and write may be, in elements.
const APART: i64 = 8;

pub(super) fn unroll(insts: &mut [Inst], kernel: &mut Kernel) {
    for inst in insts {
        for block in inst.blocks_mut() {
            unroll(block, kernel);
        }
        let Inst::Loop(l) = inst else { continue };
        let inner = l.body.iter().filter(|inst| !is_straight(inst)).count();
        let independent = l.order == Order::Independent && l.carried.is_empty();
        let long = trip(l, kernel).is_some_and(|trip| trip >= LONG);
        if inner > 0 && independent && long && written(&l.body).is_some_and(|count| count <= INSTRUCTIONS) {
            let mut body = Vec::new();
            write(&l.body, &mut Renaming::default(), &mut body, kernel);
            if has_vectors(&body, l, kernel) {
                l.body = body;
            }
        }
    }
}

/// How many iterations a loop has.
fn trip(l: &Loop, kernel: &Kernel) -> Option<i64> {
    if l.begin.as_reg() == Some(kernel.range.begin) && l.end.as_reg() == Some(kernel.range.end) {
        return Some(kernel.range.extent as i64);
    }
    Some(l.end.as_constant()? - l.begin.as_constant()?)
}

/// How many instructions a block becomes, if it becomes straight.
fn written(insts: &[Inst]) -> Option<usize> {
    let mut total = 0;
    for inst in insts {
        total += match inst {
            Inst::Loop(l) => {
                let trip = l.end.as_constant()? - l.begin.as_constant()?;
                usize::try_from(trip).ok()?.checked_mul(written(&l.body)?).filter(|_| trip <= SHORT)?
            }
            Inst::If(_) | Inst::While(_) => return None,
            Inst::Let { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. } => 1,
        };
    }
    Some(total)
}

fn write(insts: &[Inst], renaming: &mut Renaming, to: &mut Vec<Inst>, kernel: &mut Kernel) {
    for inst in insts {
        let Inst::Loop(l) = inst else {
            to.push(renaming.copy(inst, kernel));
            continue;
        };
        let (Some(begin), Some(end)) = (l.begin.as_constant(), l.end.as_constant()) else {
            unreachable!("checked: the loop has a known number of iterations");
        };
        let mut carried: Vec<_> = l.carried.iter().map(|carry| renaming.of(carry.init)).collect();
        for i in begin..end {
            l.carried.iter().zip(&carried).for_each(|(carry, &value)| renaming.rename(carry.register, value));
            renaming.substitute(l.variable, Index::constant(i), to, kernel);
            write(&l.body, renaming, to, kernel);
            carried = l.carried.iter().map(|carry| renaming.of(carry.next)).collect();
        }
        l.carried.iter().zip(carried).for_each(|(carry, value)| renaming.rename(carry.register, value));
    }
}

/// Whether the straight body of a loop has vectors that are worth it.
fn has_vectors(body: &[Inst], l: &Loop, kernel: &Kernel) -> bool {
    let defined: HashSet<Reg> = body.iter().flat_map(Inst::defines).collect();
    let near = |param: ParamId, index: &Index| {
        let apart = index.coefficient(l.variable);
        let computed = index.terms.iter().any(|(r, _)| defined.contains(r));
        (0..=APART).contains(&apart) && !computed && kernel.params[param.index()].dtype.size() >= 4
    };
    body.iter().all(|inst| match inst {
        Inst::Let { .. } => true,
        Inst::Load { param, index, mask, .. } => mask.is_none() && near(*param, index),
        Inst::Store { param, index, .. } => index.coefficient(l.variable) != 0 && near(*param, index),
        Inst::Complex { .. } | Inst::Threefry { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => false,
    })
}
