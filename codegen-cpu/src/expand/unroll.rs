//! Loops of a few iterations, written out: what is around them becomes straight-line code, which has vectors.

use std::collections::HashMap;

use rjax_ir::{DType, Scalar};
use rjax_kernel::kir::{Expr, Inst, Loop, Order, Reg};

use super::Expander;

/// The longest body, all iterations together.
const LONGEST: usize = 64;

/// The first value of the variable and the number of iterations, if the loop is to be written out.
pub(super) fn short_trip(l: &Loop) -> Option<(i64, i64)> {
    let (begin, end) = (l.begin.as_constant()?, l.end.as_constant()?);
    let most = match l.order {
        Order::Vector | Order::VectorReduce => 3,
        Order::Sequential | Order::Independent => 4,
    };
    let trip = (end - begin).max(0);
    let straight = l.body.iter().all(|inst| inst.blocks().iter().all(|block| block.is_empty()));
    let branches = l.body.iter().any(|inst| matches!(inst, Inst::Loop(_) | Inst::If(_) | Inst::While(_)));
    (trip <= most && straight && !branches && l.body.len() * trip as usize <= LONGEST).then_some((begin, trip))
}

impl Expander<'_> {
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
