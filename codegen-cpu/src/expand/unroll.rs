//! Loops of a few iterations, written out: what is around them becomes straight-line code, which has vectors. And long loops of short bodies
//! that run one after the other, several iterations written out in each: counting and jumping back take as long as such a body.

use std::collections::HashMap;

use rjax_ir::{DType, Scalar};
use rjax_kernel::kir::{Expr, Index, Inst, Loop, Order, Reg};

use super::Expander;

/// The longest body, all iterations together.
const LONGEST: usize = 64;

/// The first value of the variable and the number of iterations, if the loop is to be written out.
pub(super) fn short_trip(l: &Loop) -> Option<(i64, i64)> {
    let (begin, end) = (l.begin.as_constant()?, l.end.as_constant()?);
    let most = match l.order {
        Order::Vector => 3,
        Order::Sequential | Order::Independent => 4,
        // What is around a sum is worth more: vectors of sums instead of a vector for each.
        Order::VectorReduce => 8,
    };
    let trip = (end - begin).max(0);
    let straight = l.body.iter().all(|inst| inst.blocks().iter().all(|block| block.is_empty()));
    let branches = l.body.iter().any(|inst| matches!(inst, Inst::Loop(_) | Inst::If(_) | Inst::While(_)));
    (trip <= most && straight && !branches && l.body.len() * trip as usize <= LONGEST).then_some((begin, trip))
}

/// How many iterations of a long loop are written out, the longest body of one of them, and the fewest iterations.
const TOGETHER: i64 = 4;
const SHORT_BODY: usize = 16;
const LONG_TRIP: i64 = 64;

/// Whether several iterations of a long loop are to be written out.
pub(super) fn is_long_and_short(l: &Loop) -> bool {
    let (Some(0), Some(trip)) = (l.begin.as_constant(), l.end.as_constant()) else { return false };
    let mut size = 0;
    let mut straight = l.order == Order::Sequential && l.carried.is_empty();
    let mut body = l.body.clone();
    visit(&mut body, &mut |inst| {
        size += 1;
        straight &= !matches!(inst, Inst::Loop(_) | Inst::While(_));
    });
    straight && size <= SHORT_BODY && trip >= LONG_TRIP && trip % TOGETHER == 0
}

fn visit(insts: &mut [Inst], f: &mut dyn FnMut(&mut Inst)) {
    for inst in insts {
        f(inst);
        inst.blocks_mut().into_iter().for_each(|block| visit(block, f));
    }
}

impl Expander<'_> {
    /// The loop with fewer iterations, each of which does what [`TOGETHER`] did.
    pub(super) fn unroll_partly(&mut self, l: &Loop) -> Loop {
        let variable = self.fresh(l.variable);
        let mut body = Vec::with_capacity(l.body.len() * TOGETHER as usize);
        for step in 0..TOGETHER {
            let number = Index { constant: step, terms: vec![(variable, TOGETHER)] };
            let mut names = HashMap::from([(l.variable, self.fresh(l.variable))]);
            body.push(Inst::Let { result: names[&l.variable], value: Expr::Index(number) });
            let mut iteration = l.body.clone();
            visit(&mut iteration, &mut |inst| {
                inst.defines().into_iter().for_each(|defined| {
                    names.insert(defined, self.fresh(defined));
                });
            });
            visit(&mut iteration, &mut |inst| {
                inst.indices_mut(&mut |index| {
                    let coefficient = index.coefficient(l.variable);
                    index.terms.retain(|&(r, _)| r != l.variable);
                    if coefficient != 0 {
                        *index = index.plus(&Index::reg(variable), coefficient * TOGETHER).offset(coefficient * step);
                    }
                });
                inst.map_reads(&mut |r| names.get(&r).copied().unwrap_or(r));
                inst.map_defines(&mut |r| names[&r]);
            });
            body.append(&mut iteration);
        }
        let end = Index::constant(l.end.as_constant().expect("checked: the trip is known") / TOGETHER);
        Loop { variable, end, body, ..l.clone() }
    }

    fn fresh(&mut self, like: Reg) -> Reg {
        self.registers.push(self.registers[like.index()]);
        Reg(self.registers.len() as u32 - 1)
    }

    /// Writes out a loop.
    pub(super) fn unroll(&mut self, l: &Loop, (begin, trip): (i64, i64), out: &mut Vec<Inst>) {
        let mut names: HashMap<Reg, Reg> = l.carried.iter().map(|c| (c.register, c.init)).collect();
        for step in begin..begin + trip {
            let variable = self.fresh(l.variable);
            debug_assert_eq!(self.registers[variable.index()], DType::I64);
            out.push(Inst::Let { result: variable, value: Expr::Const(Scalar::new(step)) });
            for inst in &l.body {
                let mut inst = inst.clone();
                inst.indices_mut(&mut |index| {
                    index.constant += index.coefficient(l.variable) * step;
                    index.terms.retain(|&(r, _)| r != l.variable);
                });
                names.insert(l.variable, variable);
                inst.map_reads(&mut |r| names.get(&r).copied().unwrap_or(r));
                for defined in inst.defines() {
                    let name = self.fresh(defined);
                    names.insert(defined, name);
                }
                inst.map_defines(&mut |r| names[&r]);
                out.push(inst);
            }
            let nexts: Vec<Reg> = l.carried.iter().map(|c| names.get(&c.next).copied().unwrap_or(c.next)).collect();
            names.extend(l.carried.iter().map(|c| c.register).zip(nexts));
        }
        self.replaced.extend(l.carried.iter().map(|c| (c.register, names[&c.register])));
    }
}
