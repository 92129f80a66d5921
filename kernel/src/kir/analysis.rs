//! Facts about kernels and modules that several passes ask for.

use std::collections::HashSet;

use super::{Expr, Index, Inst, Loop, Module, Order, Reg, Stmt};
use rjax_ir::Binary;

impl Inst {
    /// Calls `visit` with each register that the instruction itself reads, those of blocks inside left out.
    pub fn reads(&self, mut visit: impl FnMut(Reg)) {
        let index = |index: &Index, visit: &mut dyn FnMut(Reg)| index.terms.iter().for_each(|&(r, _)| visit(r));
        match self {
            Inst::Let { value, .. } => value.reads(visit),
            Inst::Load { index: i, mask, .. } => {
                index(i, &mut visit);
                if let Some(mask) = mask {
                    visit(mask.condition);
                    visit(mask.otherwise);
                }
            }
            Inst::Store { index: i, value, .. } => {
                index(i, &mut visit);
                visit(*value);
            }
            Inst::Complex { operands, .. } => operands.iter().flatten().for_each(|&r| visit(r)),
            Inst::Threefry { operands, .. } => operands.iter().for_each(|&r| visit(r)),
            Inst::Loop(Loop { begin, end, carried, .. }) => {
                index(begin, &mut visit);
                index(end, &mut visit);
                carried.iter().for_each(|c| {
                    visit(c.init);
                    visit(c.next);
                });
            }
            Inst::If(branch) => {
                visit(branch.condition);
                branch.results.iter().for_each(|phi| {
                    visit(phi.then);
                    visit(phi.otherwise);
                });
            }
            Inst::While(w) => {
                visit(w.predicate);
                w.carried.iter().for_each(|c| {
                    visit(c.init);
                    visit(c.next);
                });
            }
        }
    }

    /// The blocks inside.
    pub fn blocks(&self) -> [&[Inst]; 2] {
        match self {
            Inst::Loop(l) => [&l.body, &[]],
            Inst::If(branch) => [&branch.then, &branch.otherwise],
            Inst::While(w) => [&w.condition, &w.body],
            Inst::Let { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. } => [&[], &[]],
        }
    }
}

impl Expr {
    /// Calls `visit` with each register read.
    pub fn reads(&self, mut visit: impl FnMut(Reg)) {
        match self {
            Expr::Const(_) => {}
            Expr::Index(index) => index.terms.iter().for_each(|&(r, _)| visit(r)),
            Expr::IndexDiv(x, _)
            | Expr::IndexRem(x, _)
            | Expr::Unary(_, x)
            | Expr::Convert(x)
            | Expr::Bitcast(x)
            | Expr::ReducePrecision { operand: x, .. } => visit(*x),
            Expr::Binary(_, x, y) | Expr::Compare(_, x, y) => {
                visit(*x);
                visit(*y);
            }
            Expr::Select { condition, on_true, on_false } => {
                visit(*condition);
                visit(*on_true);
                visit(*on_false);
            }
            Expr::RegularizedIncompleteBeta(operands) => operands.iter().for_each(|&r| visit(r)),
        }
    }
}

impl Loop {
    /// The order that the body allows, given that iterations are known to be independent apart from carried values.
    pub fn independent_order(&self) -> Order {
        let mut defined = HashSet::new();
        let mut straight = true;
        for inst in &self.body {
            match inst {
                // The variable as a value is a vector of consecutive integers; quotients of it are not affine.
                Inst::Let { result, value } => {
                    straight &= !matches!(value, Expr::IndexDiv(..) | Expr::IndexRem(..));
                    defined.insert(*result);
                }
                Inst::Load { result, index, .. } => {
                    straight &= self.unit_stride(index, &defined);
                    defined.insert(*result);
                }
                Inst::Store { index, .. } => straight &= self.unit_stride(index, &defined),
                Inst::Complex { real, imag, .. } => {
                    defined.insert(*real);
                    defined.extend(*imag);
                }
                Inst::Threefry { results, .. } => defined.extend(*results),
                Inst::Loop(_) | Inst::If(_) | Inst::While(_) => straight = false,
            }
        }
        match (straight, self.carried.is_empty()) {
            (true, true) => Order::Vector,
            (true, false) if self.carried.iter().all(|c| self.is_reduction(c.register, c.next)) => Order::VectorReduce,
            (true | false, false) => Order::Sequential,
            (false, true) => Order::Independent,
        }
    }

    /// Whether an index moves by 0 or 1 with the variable and depends on nothing that the body computes.
    fn unit_stride(&self, index: &Index, defined: &HashSet<Reg>) -> bool {
        matches!(index.coefficient(self.variable), 0 | 1) && index.terms.iter().all(|(r, _)| !defined.contains(r))
    }

    fn is_reduction(&self, register: Reg, next: Reg) -> bool {
        let mut readers = 0;
        let mut combines = false;
        for inst in &self.body {
            inst.reads(|r| readers += (r == register) as usize);
            if let Inst::Let { result, value: Expr::Binary(op, x, y) } = inst {
                let associative = match op {
                    Binary::Add | Binary::Mul | Binary::Max | Binary::Min | Binary::And | Binary::Or | Binary::Xor => {
                        true
                    }
                    Binary::Sub
                    | Binary::Div
                    | Binary::Rem
                    | Binary::Pow
                    | Binary::Atan2
                    | Binary::ShiftLeft
                    | Binary::ShiftRightArithmetic
                    | Binary::ShiftRightLogical
                    | Binary::NextAfter
                    | Binary::Complex
                    | Binary::Igamma
                    | Binary::Igammac
                    | Binary::IgammaGradA
                    | Binary::Polygamma
                    | Binary::Zeta => false,
                };
                combines |= *result == next && associative && (*x == register) != (*y == register);
            }
        }
        combines && readers == 1
    }
}

impl Module {
    /// How many times the schedule launches a kernel or calls a routine, bodies counted once.
    pub fn launches(&self) -> usize {
        fn count(stmts: &[Stmt]) -> usize {
            stmts
                .iter()
                .map(|stmt| match stmt {
                    Stmt::Launch { .. } | Stmt::Gemm(_) | Stmt::Sort(_) | Stmt::TopK(_) => 1,
                    Stmt::Copy { .. } | Stmt::Print { .. } => 0,
                    Stmt::While { condition, body, .. } => count(condition) + count(body),
                    Stmt::For { body, .. } => count(body),
                    Stmt::Switch { branches, .. } => branches.iter().map(|b| count(b)).sum(),
                })
                .sum()
        }
        count(&self.body)
    }
}
