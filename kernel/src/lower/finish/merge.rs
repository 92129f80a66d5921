//! Reductions over the same indices in one loop.
//!
//! Two sums over one row, of different values or of the same one, are written as two loops. What they read is read once if they
//! run together.

use std::collections::{HashMap, HashSet};

use super::copies::{all_reads, rename_reads, share};
use super::is_float_sum;
use crate::kir::{Inst, Kernel, Loop, Order, Reg};

/// How many values a merged loop carries at most: each is kept in several vectors.
const MAX_CARRIED: usize = 3;

pub(super) fn merge_reductions(insts: &mut Vec<Inst>, kernel: &Kernel) {
    let mut at = 0;
    while at < insts.len() {
        if matches!(insts[at], Inst::Loop(_)) {
            while merge_next(insts, at, kernel) {}
        }
        at += 1;
    }
    for inst in insts {
        for block in inst.blocks_mut() {
            merge_reductions(block, kernel);
        }
    }
}

/// Merges the loop at a position with one that comes after, if one fits. It is left at a position not before.
fn merge_next(insts: &mut Vec<Inst>, at: usize, kernel: &Kernel) -> bool {
    let Inst::Loop(first) = &insts[at] else { return false };
    if first.order != Order::VectorReduce || first.carried.is_empty() {
        return false;
    }
    let results = |inst: &Inst| inst.defines();
    // What depends on the first loop has to come after the merged one.
    let mut late: HashSet<Reg> = results(&insts[at]).into_iter().collect();
    let mut later: Vec<usize> = Vec::new();
    for place in at + 1..insts.len() {
        let mut reads = HashSet::new();
        all_reads(&insts[place..=place], &mut reads);
        let depends = reads.iter().any(|r| late.contains(r));
        match &insts[place] {
            Inst::Loop(second) if !depends && alike(first, second, kernel) => {
                merge(insts, at, place, &later, kernel);
                return true;
            }
            Inst::Let { .. } | Inst::Load { .. } | Inst::Store { .. } if depends => {
                late.extend(results(&insts[place]));
                later.push(place);
            }
            Inst::Let { .. } | Inst::Load { .. } => {}
            Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::Loop(_)
            | Inst::If(_)
            | Inst::While(_) => return false,
        }
    }
    false
}

fn alike(first: &Loop, second: &Loop, kernel: &Kernel) -> bool {
    second.order == Order::VectorReduce
        && (&first.begin, &first.end) == (&second.begin, &second.end)
        && first.carried.len() + second.carried.len() <= MAX_CARRIED
        && !second.carried.is_empty()
        && is_float_sum_nest(first, kernel) == is_float_sum_nest(second, kernel)
        && match (inner(first), inner(second)) {
            (Some(first), Some(second)) => alike(first, second, kernel),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
}

/// The loop inside, if there is one.
fn inner(l: &Loop) -> Option<&Loop> {
    l.body.iter().find_map(|inst| match inst {
        Inst::Loop(l) => Some(l),
        Inst::Let { .. }
        | Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::If(_)
        | Inst::While(_) => None,
    })
}

fn is_float_sum_nest(l: &Loop, kernel: &Kernel) -> bool {
    inner(l).map_or_else(|| is_float_sum(l, kernel), |inner| is_float_sum_nest(inner, kernel))
}

/// Puts the loop at `second` into the one at `first`, after all between that does not depend on the first.
fn merge(insts: &mut Vec<Inst>, first: usize, second: usize, later: &[usize], kernel: &Kernel) {
    let mut moved = Vec::new();
    let mut kept = Vec::new();
    let mut pair = Vec::new();
    for (place, inst) in insts.drain(first..=second).enumerate().map(|(i, inst)| (first + i, inst)) {
        if place == first || place == second {
            pair.push(inst);
        } else if later.contains(&place) {
            moved.push(inst);
        } else {
            kept.push(inst);
        }
    }
    let (Some(Inst::Loop(mut b)), Some(Inst::Loop(mut a))) = (pair.pop(), pair.pop()) else {
        unreachable!("both were loops")
    };
    let variable = HashMap::from([(b.variable, a.variable)]);
    b.body.iter_mut().for_each(|inst| rename_reads(inst, &variable));
    a.body.append(&mut b.body);
    a.carried.append(&mut b.carried);
    let renamed = share(&mut a.body, kernel);
    for carry in &mut a.carried {
        carry.next = *renamed.get(&carry.next).unwrap_or(&carry.next);
    }
    let tail = insts.split_off(first);
    insts.extend(kept);
    insts.push(Inst::Loop(a));
    insts.extend(moved);
    insts.extend(tail);
}
