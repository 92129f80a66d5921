//! Short loops written out, so that the loop around them has vectors.
//!
//! A sum over three coordinates is less than a vector; the sums of as many points as a vector has lanes are three vectors. Where points are
//! rows of a short array, their coordinates are a few elements apart in memory, which vectors can be made of. What an iteration writes down
//! for itself stays in registers.
//!
//! ```text
//! for %i in 0 .. n { for %j in 0 .. 3 with %s = 0 then %t { %x = load p0[3*%i + %j]; %t = add %s, %x }  store p1[%i], %s }
//! for %i in 0 .. n { %x = load p0[3*%i]; %t = add 0, %x; … store p1[%i], … }
//! ```

use std::collections::{HashMap, HashSet};

use rjax_ir::Binary;

use super::copies::{Renaming, is_straight, rename_reads};
use super::visit;
use crate::kir::{Access, Expr, Index, Inst, Kernel, Loop, Order, ParamId, Reg};

/// The most iterations of a loop that is written out where all of them only map elements, which are vectors themselves if there are more, where some
/// add up, and where some do more than that, so that the lanes of a vector are slow to come together; and how many instructions are written altogether.
const SHORT_MAP: i64 = 15;
const SHORT_SUM: i64 = 31;
const SHORT_CHOICE: i64 = 64;
const INSTRUCTIONS: usize = 800;
/// The fewest iterations of the loop around.
const LONG: i64 = 64;
/// How far apart what neighbouring iterations of that loop read and write may be, in elements.
const APART: i64 = 64;

pub(super) fn unroll(insts: &mut [Inst], kernel: &mut Kernel) {
    let read = reads(insts);
    unroll_in(insts, kernel, &read);
    let mut used = HashSet::new();
    visit(insts, &mut |inst| {
        if let Inst::Load { param, .. } | Inst::Store { param, .. } = inst {
            used.insert(param.index());
        }
    });
    while kernel.params.last().is_some_and(|param| param.access == Access::Local)
        && !used.contains(&(kernel.params.len() - 1))
    {
        kernel.params.pop();
    }
}

/// How many instructions read each parameter.
fn reads(insts: &[Inst]) -> HashMap<ParamId, usize> {
    let mut read = HashMap::new();
    visit(insts, &mut |inst| {
        if let Inst::Load { param, .. } = inst {
            *read.entry(*param).or_insert(0) += 1;
        }
    });
    read
}

/// `read` says how many instructions of the kernel read each parameter.
fn unroll_in(insts: &mut [Inst], kernel: &mut Kernel, read: &HashMap<ParamId, usize>) {
    for inst in insts {
        for block in inst.blocks_mut() {
            unroll_in(block, kernel, read);
        }
        let Inst::Loop(l) = inst else { continue };
        let inner = l.body.iter().filter(|inst| !is_straight(inst)).count();
        let independent = l.order == Order::Independent && l.carried.is_empty();
        let long = trip(l, kernel).is_some_and(|trip| trip >= LONG);
        let count = written(&l.body, short(&l.body));
        if inner > 0 && independent && long && count.is_some_and(|count| count <= INSTRUCTIONS) {
            let mut body = Vec::new();
            write(&l.body, &mut Renaming::default(), &mut body, kernel);
            let own = reads(&l.body);
            let is_own = |param: &ParamId| {
                kernel.params[param.index()].access == Access::Local && own.get(param) == read.get(param)
            };
            if let Some(body) = in_registers(body, is_own)
                && has_vectors(&body, l, kernel)
            {
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

/// The most iterations of a loop that is written out together with those around it.
fn short(insts: &[Inst]) -> i64 {
    let mut most = SHORT_MAP;
    visit(insts, &mut |inst| {
        let Inst::Loop(l) = inst else { return };
        let is_sum = |next: Reg| {
            l.body.iter().any(|inst| {
                matches!(inst, Inst::Let { result, value: Expr::Binary(Binary::Add, ..) | Expr::Fma(_) } if *result == next)
            })
        };
        for carry in &l.carried {
            most = most.max(if is_sum(carry.next) { SHORT_SUM } else { SHORT_CHOICE });
        }
    });
    most
}

/// How many instructions a block becomes, if it becomes straight; `short` is the most iterations of a loop.
fn written(insts: &[Inst], short: i64) -> Option<usize> {
    let mut total = 0;
    for inst in insts {
        total += match inst {
            Inst::Loop(l) => {
                let trip = l.end.as_constant()? - l.begin.as_constant()?;
                usize::try_from(trip).ok()?.checked_mul(written(&l.body, short)?).filter(|_| trip <= short)?
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

/// The straight body without its own arrays, if it reads nothing from them but what it has put in constant places.
fn in_registers(insts: Vec<Inst>, is_own: impl Fn(&ParamId) -> bool) -> Option<Vec<Inst>> {
    let mut held: HashMap<(ParamId, i64), Reg> = HashMap::new();
    let mut renamed = HashMap::new();
    let mut kept = Vec::with_capacity(insts.len());
    for mut inst in insts {
        rename_reads(&mut inst, &renamed);
        match &inst {
            Inst::Store { param, index, value } if is_own(param) => {
                held.insert((*param, index.as_constant()?), *value);
            }
            Inst::Load { result, param, index, mask: None } if is_own(param) => {
                renamed.insert(*result, *held.get(&(*param, index.as_constant()?))?);
            }
            Inst::Let { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::Loop(_)
            | Inst::If(_)
            | Inst::While(_) => kept.push(inst),
        }
    }
    Some(kept)
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
