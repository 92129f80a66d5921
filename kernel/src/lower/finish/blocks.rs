//! Long sums as sums of blocks.
//!
//! A processor fetches ahead from a few pages at a time, each of which it reads from front to back. A sum over memory that is far away is
//! bound by that, so where it reads one place only, its blocks are taken from several places at once.

use std::collections::HashMap;

use rjax_ir::{Binary, DType, Scalar};

use super::{BLOCK, add, register, visit, visit_mut, zero};
use crate::kir::{Carry, Expr, Index, Inst, Kernel, Loop, Order, Reg};

/// Sums of up to so many terms that a generator keeps in at least eight partial sums are short enough as they are.
const SHORT_VECTOR_SUM: i64 = 4096;
/// The places that a very long sum reads at once, and how many terms make it one.
const PLACES: i64 = 4;
const VERY_LONG: i64 = 1 << 14;

/// Splits a long sum into a sum of blocks, and that again while it is long.
pub(super) fn block_sum(sum: &mut Loop, kernel: &mut Kernel) {
    let (Some(0), Some(extent)) = (sum.begin.as_constant(), sum.end.as_constant()) else { return };
    let short = if sum.independent_order() == Order::VectorReduce { SHORT_VECTOR_SUM } else { 2 * BLOCK };
    if extent <= short {
        return;
    }
    let places = if extent >= VERY_LONG && extent % (PLACES * BLOCK) == 0 && reads_one_place(sum) { PLACES } else { 1 };
    let blocks = (extent as u64).div_ceil((places * BLOCK) as u64) as i64;
    let variable = register(kernel, DType::I64);
    let begin = Index { constant: 0, terms: vec![(variable, BLOCK)] };
    let mut end = begin.offset(BLOCK);
    let mut body = Vec::new();
    if extent % BLOCK != 0 {
        let [unbounded, limit, bounded] = [(); 3].map(|()| register(kernel, DType::I64));
        body.push(Inst::Let { result: unbounded, value: Expr::Index(end) });
        body.push(Inst::Let { result: limit, value: Expr::Const(Scalar::new(extent)) });
        body.push(Inst::Let { result: bounded, value: Expr::Binary(Binary::Min, unbounded, limit) });
        end = Index::reg(bounded);
    }
    let mut inner = Loop { begin, end, carried: Vec::new(), body: Vec::new(), ..sum.clone() };
    for place in 0..places {
        let distance = extent / places * place;
        let mut names = HashMap::new();
        let carried: Vec<Reg> = sum.carried.iter().map(|carry| carry.register).collect();
        let mut rename = |r: Reg| {
            names.insert(r, register(kernel, kernel.registers[r.index()]));
        };
        carried.into_iter().for_each(&mut rename);
        if place > 0 {
            visit(&sum.body, &mut |inst| inst.defines().into_iter().for_each(&mut rename));
        }
        let mut terms = sum.body.clone();
        visit_mut(&mut terms, &mut |inst| {
            inst.indices_mut(&mut |index| index.constant += index.coefficient(sum.variable) * distance);
            inst.map_reads(&mut |r| names.get(&r).copied().unwrap_or(r));
            inst.map_defines(&mut |r| names.get(&r).copied().unwrap_or(r));
        });
        inner.body.append(&mut terms);
        for carry in &sum.carried {
            let init = zero(&mut body, kernel, carry.register);
            let next = names.get(&carry.next).copied().unwrap_or(carry.next);
            inner.carried.push(Carry { register: names[&carry.register], init, next });
        }
    }
    let totals: Vec<Reg> = inner.carried.iter().map(|carry| carry.register).collect();
    body.push(Inst::Loop(inner));
    let mut carried = Vec::new();
    for (i, carry) in sum.carried.iter().enumerate() {
        let own: Vec<Reg> = totals.iter().skip(i).step_by(sum.carried.len()).copied().collect();
        let total = own.into_iter().reduce(|x, y| add(&mut body, kernel, x, y)).expect("there is a place");
        let next = add(&mut body, kernel, carry.register, total);
        carried.push(Carry { next, ..*carry });
    }
    *sum = Loop {
        variable,
        begin: Index::constant(0),
        end: Index::constant(blocks),
        carried,
        order: Order::Sequential,
        body,
    };
    block_sum(sum, kernel);
}

/// Whether the terms of a single sum are made of one array, element after element.
fn reads_one_place(sum: &Loop) -> bool {
    let mut places = 0;
    let mut plain = sum.carried.len() == 1;
    for inst in &sum.body {
        inst.reads(|r| plain &= r != sum.variable || matches!(inst, Inst::Load { .. }));
        match inst {
            Inst::Load { index, mask, .. } => {
                plain &= mask.is_none() && matches!(index.coefficient(sum.variable), 0 | 1);
                places += index.coefficient(sum.variable);
            }
            Inst::Let { value: Expr::Index(_), .. } => plain = false,
            Inst::Let { .. } => {}
            Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::Loop(_)
            | Inst::If(_)
            | Inst::While(_) => plain = false,
        }
    }
    plain && places == 1
}
