//! The last passes over a kernel: dead code, loops joined, merged, interchanged, written out and split, sums blocked and put into the loops of their terms, loops
//! marked, registers numbered.

mod blocks;
mod columns;
mod copies;
mod feed;
mod flatten;
mod merge;
mod residues;
mod rows;
mod split;
mod unroll;

use std::collections::{HashMap, HashSet};

use rjax_ir::{Binary, DType, Scalar};

use crate::kir::{Expr, Index, Inst, Kernel, Loop, Order, Reg};

pub(crate) use rows::widen_range;

pub(super) fn finish(kernel: &mut Kernel) {
    let mut used = HashSet::new();
    remove_dead(&mut kernel.body, &mut used);
    let mut body = std::mem::take(&mut kernel.body);
    join_loops(&mut body, kernel);
    merge::merge_reductions(&mut body, kernel);
    columns::interchange(&mut body, kernel);
    unroll::unroll(&mut body, kernel);
    split::split_loops(&mut body, kernel);
    residues::split_residues(&mut body, kernel);
    block_sums(&mut body, kernel);
    feed::feed_reductions(&mut body, kernel);
    mark(&mut body);
    kernel.body = body;
    renumber(kernel);
}

/// The last passes over a kernel that was made of finished ones.
pub(crate) fn tidy(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    copies::share(&mut body, kernel);
    if let Some(Inst::Loop(rows)) = body.last_mut() {
        copies::share(&mut rows.body, kernel);
        merge::merge_reductions(&mut rows.body, kernel);
        feed::feed_reductions(&mut rows.body, kernel);
    }
    remove_dead(&mut body, &mut HashSet::new());
    mark(&mut body);
    kernel.body = body;
    renumber(kernel);
}

/// Removes what no store needs. `used` holds the registers that are read later.
fn remove_dead(insts: &mut Vec<Inst>, used: &mut HashSet<Reg>) {
    let mut kept = Vec::with_capacity(insts.len());
    for mut inst in std::mem::take(insts).into_iter().rev() {
        let needed = match &inst {
            Inst::Let { result, .. } | Inst::Load { result, .. } => used.contains(result),
            Inst::Store { .. } => true,
            Inst::Complex { real, imag, .. } => used.contains(real) || imag.is_some_and(|imag| used.contains(&imag)),
            Inst::Threefry { results, .. } => results.iter().any(|r| used.contains(r)),
            Inst::Loop(l) => l.carried.iter().any(|c| used.contains(&c.register)) || stores(&inst),
            Inst::If(branch) => branch.results.iter().any(|phi| used.contains(&phi.register)) || stores(&inst),
            Inst::While(w) => w.carried.iter().any(|c| used.contains(&c.register)) || stores(&inst),
        };
        if !needed {
            continue;
        }
        if let Inst::If(branch) = &mut inst {
            branch.results.retain(|phi| used.contains(&phi.register));
        }
        inst.reads(|r| {
            used.insert(r);
        });
        // A carried register may be read in the body before the instruction that computes its next value.
        match &mut inst {
            Inst::Loop(l) => remove_dead(&mut l.body, used),
            Inst::If(branch) => {
                remove_dead(&mut branch.then, used);
                remove_dead(&mut branch.otherwise, used);
            }
            Inst::While(w) => {
                remove_dead(&mut w.body, used);
                remove_dead(&mut w.condition, used);
            }
            Inst::Let { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. } => {}
        }
        kept.push(inst);
    }
    kept.reverse();
    *insts = kept;
}

fn stores(inst: &Inst) -> bool {
    matches!(inst, Inst::Store { .. }) || inst.blocks().into_iter().flatten().any(stores)
}

/// Joins a loop and the only thing in it, another loop, where every index goes on from one to the other.
fn join_loops(insts: &mut Vec<Inst>, kernel: &mut Kernel) {
    for inst in insts {
        for block in inst.blocks_mut() {
            join_loops(block, kernel);
        }
        if let Inst::Loop(outer) = inst {
            while join(outer, kernel) {}
            flatten::flatten(outer, kernel);
        }
    }
}

/// Joins once; whether it could.
fn join(outer: &mut Loop, kernel: &mut Kernel) -> bool {
    let [Inst::Loop(inner)] = &outer.body[..] else { return false };
    let (Some(0), Some(extent)) = (inner.begin.as_constant(), inner.end.as_constant()) else { return false };
    let is_range = outer.begin.as_reg() == Some(kernel.range.begin) && outer.end.as_reg() == Some(kernel.range.end);
    let constant_end = outer.end.as_constant().filter(|_| outer.begin.as_constant() == Some(0));
    let chained = outer.carried.len() == inner.carried.len()
        && outer.carried.iter().zip(&inner.carried).all(|(o, i)| i.init == o.register && o.next == i.register);
    if !chained || outer.order != inner.order || !(is_range || constant_end.is_some()) {
        return false;
    }
    let (o, i) = (outer.variable, inner.variable);
    let carries: Vec<Reg> = outer.carried.iter().map(|c| c.register).collect();
    let mut fits = true;
    visit(&inner.body, &mut |inst| {
        fits &= inst.indices().into_iter().all(|index| index.coefficient(o) == index.coefficient(i) * extent);
        let mut inside: i64 = 0;
        inst.indices()
            .into_iter()
            .flat_map(|index| &index.terms)
            .for_each(|&(r, _)| inside -= (r == o || r == i) as i64);
        inst.reads(|r| {
            inside += (r == o || r == i) as i64;
            fits &= !carries.contains(&r);
        });
        fits &= inside == 0;
    });
    if !fits {
        return false;
    }
    let Some(Inst::Loop(mut inner)) = outer.body.pop() else { return false };
    let renamed: HashMap<Reg, Reg> =
        inner.carried.iter().zip(&outer.carried).map(|(i, o)| (i.register, o.register)).collect();
    visit_mut(&mut inner.body, &mut |inst| {
        inst.indices_mut(&mut |index| index.terms.retain(|&(r, _)| r != o));
        inst.map_reads(&mut |r| *renamed.get(&r).unwrap_or(&r));
    });
    for (carry, outer_carry) in inner.carried.iter_mut().zip(&outer.carried) {
        carry.init = outer_carry.init;
        carry.register = outer_carry.register;
        carry.next = *renamed.get(&carry.next).unwrap_or(&carry.next);
    }
    if is_range {
        inner.begin = outer.begin.clone();
        inner.end = outer.end.clone();
        kernel.range.extent *= extent as usize;
    } else {
        inner.end = Index::constant(constant_end.expect("checked above") * extent);
    }
    *outer = inner;
    true
}

pub(crate) fn visit(insts: &[Inst], f: &mut dyn FnMut(&Inst)) {
    for inst in insts {
        f(inst);
        for block in inst.blocks() {
            visit(block, f);
        }
    }
}

pub(crate) fn visit_mut(insts: &mut [Inst], f: &mut dyn FnMut(&mut Inst)) {
    for inst in insts {
        f(inst);
        for block in inst.blocks_mut() {
            visit_mut(block, f);
        }
    }
}

/// How many terms of a floating-point sum are added one by one. Longer sums are sums of such blocks, in several levels, so that
/// the rounding error grows with the logarithm of the length.
pub(super) const BLOCK: i64 = 256;

fn block_sums(insts: &mut Vec<Inst>, kernel: &mut Kernel) {
    for inst in insts {
        for block in inst.blocks_mut() {
            block_sums(block, kernel);
        }
        let Inst::Loop(sum) = inst else { continue };
        if sum.order == Order::VectorReduce && !sum.carried.is_empty() {
            separate_inner_sum(sum, kernel);
            if is_float_sum(sum, kernel) {
                blocks::block_sum(sum, kernel);
            }
        }
    }
}

/// Whether all carried values are floating-point sums.
fn is_float_sum(sum: &Loop, kernel: &Kernel) -> bool {
    sum.carried.iter().all(|carry| {
        let adds = |inst: &Inst| {
            matches!(inst, Inst::Let { result, value: Expr::Binary(Binary::Add, x, y) }
                if *result == carry.next && (*x == carry.register) != (*y == carry.register))
        };
        kernel.registers[carry.register.index()].is_float() && sum.body.iter().any(adds)
    })
}

/// A sum over two axes: the inner one starts from zero and its total is added to the outer one.
fn separate_inner_sum(sum: &mut Loop, kernel: &mut Kernel) {
    let Some(Inst::Loop(inner)) = sum.body.last() else { return };
    let chained = inner.order != Order::Independent
        && sum.carried.len() == inner.carried.len()
        && sum.carried.iter().zip(&inner.carried).all(|(o, i)| i.init == o.register && o.next == i.register);
    if !chained || !is_float_sum(inner, kernel) {
        return;
    }
    let Some(Inst::Loop(mut inner)) = sum.body.pop() else { return };
    for carry in &mut inner.carried {
        carry.init = zero(&mut sum.body, kernel, carry.register);
    }
    let totals: Vec<Reg> = inner.carried.iter().map(|c| c.register).collect();
    sum.body.push(Inst::Loop(inner));
    for (carry, total) in sum.carried.iter_mut().zip(totals) {
        carry.next = add(&mut sum.body, kernel, carry.register, total);
    }
}

fn zero(insts: &mut Vec<Inst>, kernel: &mut Kernel, like: Reg) -> Reg {
    let dtype = kernel.registers[like.index()];
    let result = register(kernel, dtype);
    insts.push(Inst::Let { result, value: Expr::Const(Scalar::zero(dtype)) });
    result
}

fn add(insts: &mut Vec<Inst>, kernel: &mut Kernel, x: Reg, y: Reg) -> Reg {
    let result = register(kernel, kernel.registers[x.index()]);
    insts.push(Inst::Let { result, value: Expr::Binary(Binary::Add, x, y) });
    result
}

fn register(kernel: &mut Kernel, dtype: DType) -> Reg {
    kernel.registers.push(dtype);
    Reg((kernel.registers.len() - 1) as u32)
}

/// Says for each loop what generators may do with it.
fn mark(insts: &mut Vec<Inst>) {
    for inst in insts {
        for block in inst.blocks_mut() {
            mark(block);
        }
        if let Inst::Loop(l) = inst {
            l.order = match l.order {
                Order::Sequential => Order::Sequential,
                Order::Vector | Order::VectorReduce | Order::Independent => l.independent_order(),
            };
        }
    }
}

/// Numbers the registers in the order of their definitions, so that equal kernels are equal to the letter.
fn renumber(kernel: &mut Kernel) {
    let mut order = vec![kernel.range.begin, kernel.range.end];
    visit(&kernel.body, &mut |inst| order.extend(inst.defines()));
    let numbers: HashMap<Reg, Reg> = order.iter().enumerate().map(|(i, &r)| (r, Reg(i as u32))).collect();
    kernel.registers = order.iter().map(|r| kernel.registers[r.index()]).collect();
    (kernel.range.begin, kernel.range.end) = (Reg(0), Reg(1));
    visit_mut(&mut kernel.body, &mut |inst| {
        inst.map_reads(&mut |r| numbers[&r]);
        inst.map_defines(&mut |r| numbers[&r]);
    });
}
