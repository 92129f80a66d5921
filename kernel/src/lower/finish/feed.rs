//! A loop that writes what the next loop adds up, as one loop.
//!
//! The exponentials of a row and then their sum are written as two loops. Together they do not read back what was just stored.

use std::collections::HashMap;

use super::copies::{is_straight, rename_reads};
use crate::kir::{Access, Index, Inst, Kernel, Loop, Order, ParamId, Reg};

pub(super) fn feed_reductions(insts: &mut Vec<Inst>, kernel: &Kernel) {
    for inst in insts.iter_mut() {
        for block in inst.blocks_mut() {
            feed_reductions(block, kernel);
        }
    }
    let mut at = 0;
    while at < insts.len() {
        match reduction_after(insts, at, kernel) {
            Some(place) => feed(insts, at, place),
            None => at += 1,
        }
    }
}

/// The place of a reduction over what the loop at a position stores, with nothing between that would have to wait for the loop.
fn reduction_after(insts: &[Inst], at: usize, kernel: &Kernel) -> Option<usize> {
    let Inst::Loop(writer) = &insts[at] else { return None };
    if writer.order != Order::Vector || !writer.carried.is_empty() || !writer.body.iter().all(is_straight) {
        return None;
    }
    for (place, inst) in insts.iter().enumerate().skip(at + 1) {
        match inst {
            Inst::Let { .. } => {}
            Inst::Load { param, .. } if kernel.params[param.index()].access == Access::Read => {}
            Inst::Loop(reader) => return feeds(writer, reader, kernel).then_some(place),
            Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::If(_)
            | Inst::While(_) => return None,
        }
    }
    None
}

/// Whether `reader` reduces over the same iterations, and loads in each only what `writer` stores in the same one.
fn feeds(writer: &Loop, reader: &Loop, kernel: &Kernel) -> bool {
    let stored = stored(writer);
    let mut fed = false;
    let fits = reader.body.iter().all(|inst| match inst {
        Inst::Load { result, param, index, mask } => {
            let stores: Vec<_> = stored.iter().filter(|(p, ..)| p == param).collect();
            match stores[..] {
                [] => true,
                [(_, place, value)] => {
                    fed = true;
                    let mut index = index.clone();
                    index.map(&mut |r| if r == reader.variable { writer.variable } else { r });
                    let same = place.coefficient(writer.variable) == 1 && *place == index;
                    mask.is_none() && same && kernel.registers[value.index()] == kernel.registers[result.index()]
                }
                [..] => false,
            }
        }
        Inst::Let { .. } => true,
        Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => false,
    });
    reader.order == Order::VectorReduce && (&writer.begin, &writer.end) == (&reader.begin, &reader.end) && fits && fed
}

/// What each store of a loop's body stores where.
fn stored(writer: &Loop) -> Vec<(ParamId, Index, Reg)> {
    let stores = writer.body.iter().filter_map(|inst| match inst {
        Inst::Store { param, index, value } => Some((*param, index.clone(), *value)),
        Inst::Let { .. }
        | Inst::Load { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => None,
    });
    stores.collect()
}

/// Puts the loop at `first` in front of the body of the one at `second`, which takes the values that were stored.
fn feed(insts: &mut Vec<Inst>, first: usize, second: usize) {
    let Inst::Loop(writer) = insts.remove(first) else { unreachable!("a loop was found here") };
    let Inst::Loop(reader) = &mut insts[second - 1] else { unreachable!("a loop was found here") };
    let mut renamed = HashMap::from([(reader.variable, writer.variable)]);
    let stored = stored(&writer);
    reader.body.retain(|inst| match inst {
        Inst::Load { result, param, .. } => match stored.iter().find(|(p, ..)| p == param) {
            Some(&(_, _, value)) => {
                renamed.insert(*result, value);
                false
            }
            None => true,
        },
        Inst::Let { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => true,
    });
    reader.body.iter_mut().for_each(|inst| rename_reads(inst, &renamed));
    for carry in &mut reader.carried {
        carry.next = *renamed.get(&carry.next).unwrap_or(&carry.next);
    }
    reader.variable = writer.variable;
    reader.body.splice(0..0, writer.body);
}
