//! Facts about kernels and modules that several passes ask for.

use std::collections::HashSet;

use super::{Access, Expr, Index, Inst, Kernel, Loop, Module, Order, Param, Reg, Stmt};
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

    /// The index expressions of the instruction itself.
    pub fn indices(&self) -> Vec<&Index> {
        match self {
            Inst::Let { value: Expr::Index(index), .. } | Inst::Load { index, .. } | Inst::Store { index, .. } => {
                vec![index]
            }
            Inst::Loop(Loop { begin, end, .. }) => vec![begin, end],
            Inst::Let { .. } | Inst::Complex { .. } | Inst::Threefry { .. } | Inst::If(_) | Inst::While(_) => vec![],
        }
    }

    /// Calls `change` on the index expressions of the instruction itself.
    pub fn indices_mut(&mut self, change: &mut dyn FnMut(&mut Index)) {
        match self {
            Inst::Let { value: Expr::Index(index), .. } | Inst::Load { index, .. } | Inst::Store { index, .. } => {
                change(index)
            }
            Inst::Loop(Loop { begin, end, .. }) => {
                change(begin);
                change(end);
            }
            Inst::Let { .. } | Inst::Complex { .. } | Inst::Threefry { .. } | Inst::If(_) | Inst::While(_) => {}
        }
    }

    /// The registers that the instruction itself defines.
    pub fn defines(&self) -> Vec<Reg> {
        match self {
            Inst::Let { result, .. } | Inst::Load { result, .. } => vec![*result],
            Inst::Store { .. } => vec![],
            Inst::Complex { real, imag, .. } => std::iter::once(*real).chain(*imag).collect(),
            Inst::Threefry { results, .. } => results.to_vec(),
            Inst::Loop(l) => std::iter::once(l.variable).chain(l.carried.iter().map(|c| c.register)).collect(),
            Inst::If(branch) => branch.results.iter().map(|phi| phi.register).collect(),
            Inst::While(w) => w.carried.iter().map(|c| c.register).collect(),
        }
    }

    /// Replaces the registers that the instruction itself reads.
    pub fn map_reads(&mut self, map: &mut dyn FnMut(Reg) -> Reg) {
        self.indices_mut(&mut |index| index.map(map));
        let mut change = |r: &mut Reg| *r = map(*r);
        match self {
            Inst::Let { value, .. } => value.map_reads(&mut change),
            Inst::Load { mask, .. } => {
                if let Some(mask) = mask {
                    change(&mut mask.condition);
                    change(&mut mask.otherwise);
                }
            }
            Inst::Store { value, .. } => change(value),
            Inst::Complex { operands, .. } => operands.iter_mut().flatten().for_each(change),
            Inst::Threefry { operands, .. } => operands.iter_mut().for_each(change),
            Inst::Loop(Loop { carried, .. }) => carried.iter_mut().for_each(|c| {
                change(&mut c.init);
                change(&mut c.next);
            }),
            Inst::If(branch) => {
                change(&mut branch.condition);
                branch.results.iter_mut().for_each(|phi| {
                    change(&mut phi.then);
                    change(&mut phi.otherwise);
                });
            }
            Inst::While(w) => {
                change(&mut w.predicate);
                w.carried.iter_mut().for_each(|c| {
                    change(&mut c.init);
                    change(&mut c.next);
                });
            }
        }
    }

    /// Replaces the registers that the instruction itself defines.
    pub fn map_defines(&mut self, map: &mut dyn FnMut(Reg) -> Reg) {
        let mut change = |r: &mut Reg| *r = map(*r);
        match self {
            Inst::Let { result, .. } | Inst::Load { result, .. } => change(result),
            Inst::Store { .. } => {}
            Inst::Complex { real, imag, .. } => {
                change(real);
                imag.iter_mut().for_each(change);
            }
            Inst::Threefry { results, .. } => results.iter_mut().for_each(change),
            Inst::Loop(l) => {
                change(&mut l.variable);
                l.carried.iter_mut().for_each(|c| change(&mut c.register));
            }
            Inst::If(branch) => branch.results.iter_mut().for_each(|phi| change(&mut phi.register)),
            Inst::While(w) => w.carried.iter_mut().for_each(|c| change(&mut c.register)),
        }
    }

    /// The blocks inside, to change them.
    pub fn blocks_mut(&mut self) -> Vec<&mut Vec<Inst>> {
        match self {
            Inst::Loop(l) => vec![&mut l.body],
            Inst::If(branch) => vec![&mut branch.then, &mut branch.otherwise],
            Inst::While(w) => vec![&mut w.condition, &mut w.body],
            Inst::Let { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. } => {
                vec![]
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
            | Expr::Truncate(x)
            | Expr::Bitcast(x)
            | Expr::ReducePrecision { operand: x, .. } => visit(*x),
            Expr::Binary(_, x, y) | Expr::Compare(_, x, y) => {
                visit(*x);
                visit(*y);
            }
            Expr::Select { condition, on_true: x, on_false: y }
            | Expr::Rarely { condition, operand: x, otherwise: y, .. } => {
                visit(*condition);
                visit(*x);
                visit(*y);
            }
            Expr::Fma(operands) | Expr::Scale(operands) | Expr::RegularizedIncompleteBeta(operands) => {
                operands.iter().for_each(|&r| visit(r))
            }
        }
    }
}

impl Expr {
    /// Calls `change` on each register read, those of [`Expr::Index`] left out.
    fn map_reads(&mut self, change: &mut dyn FnMut(&mut Reg)) {
        match self {
            Expr::Const(_) | Expr::Index(_) => {}
            Expr::IndexDiv(x, _)
            | Expr::IndexRem(x, _)
            | Expr::Unary(_, x)
            | Expr::Convert(x)
            | Expr::Truncate(x)
            | Expr::Bitcast(x)
            | Expr::ReducePrecision { operand: x, .. } => change(x),
            Expr::Binary(_, x, y) | Expr::Compare(_, x, y) => {
                change(x);
                change(y);
            }
            Expr::Select { condition, on_true: x, on_false: y }
            | Expr::Rarely { condition, operand: x, otherwise: y, .. } => {
                change(condition);
                change(x);
                change(y);
            }
            Expr::Fma(operands) | Expr::Scale(operands) | Expr::RegularizedIncompleteBeta(operands) => {
                operands.iter_mut().for_each(change)
            }
        }
    }
}

impl Index {
    /// Replaces registers.
    pub fn map(&mut self, map: &mut dyn FnMut(Reg) -> Reg) {
        self.terms.iter_mut().for_each(|(r, _)| *r = map(*r));
        self.terms.sort();
    }
}

impl Kernel {
    /// The parameters that launches give a view for; the local ones come after them.
    pub fn shared_params(&self) -> &[Param] {
        let locals = self.params.iter().rev().take_while(|param| param.access == Access::Local).count();
        &self.params[..self.params.len() - locals]
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
                    Stmt::Launch { .. }
                    | Stmt::Gemm(_)
                    | Stmt::Conv(_)
                    | Stmt::Transpose(_)
                    | Stmt::Sort(_)
                    | Stmt::TopK(_)
                    | Stmt::Library(_) => 1,
                    Stmt::Copy { .. } | Stmt::Print { .. } => 0,
                    Stmt::While { condition, body, .. } => count(condition) + count(body),
                    Stmt::For { body, .. } => count(body),
                    Stmt::Rows(rows) => count(&rows.body),
                    Stmt::Switch { branches, .. } => branches.iter().map(|b| count(b)).sum(),
                })
                .sum()
        }
        count(&self.body)
    }
}
