//! Reductions along strided axes, many results at a time.
//!
//! The sum of each column of a matrix, written as it is defined, walks down one column after the other and touches a cache line for
//! every element. Here a kernel of the form
//!
//! ```text
//! for i { for j { total = total + f(x[i + n*j]) }  y[i] = g(total) }
//! ```
//!
//! becomes, for blocks of `i`, one that walks along the rows with the totals of the block in local memory:
//!
//! ```text
//! for block {
//!   for i in block { totals[i] = 0 }
//!   for j { for i in block { totals[i] = totals[i] + f(x[i + n*j]) } }
//!   for i in block { y[i] = g(totals[i]) }
//! }
//! ```
//!
//! For each result the terms keep their order, so that any loop with carried values may be turned this way; floating-point sums are cut
//! into blocks of terms as elsewhere. Several rows are taken in one pass over the totals.

use std::collections::HashSet;

use rjax_ir::{Binary, DType, Scalar, Unary};

use super::copies::{Renaming, all_reads, is_straight, register, share};
use super::{BLOCK, is_float_sum};
use crate::kir::{Access, Expr, Index, Inst, Kernel, Loop, Order, Param, ParamId, Reg};

/// Bytes of local memory that the totals of one block take.
const LOCAL_BYTES: usize = 16 << 10;
/// Fewer results are not worth it.
const FEWEST: i64 = 4;
/// Blocks are multiples of this.
const LANES: i64 = 64;
/// Kernels of at least this many terms are cut into at least so many blocks, for several threads to share.
const LARGE: i64 = 1 << 16;
const BLOCKS: i64 = 8;
/// How many rows are taken in one pass, for bodies of at most so many instructions.
const ROWS: i64 = 4;
const SHORT_BODY: usize = 16;

pub(super) fn interchange(insts: &mut Vec<Inst>, kernel: &mut Kernel) {
    for inst in insts {
        if let Inst::Loop(l) = inst
            && let Some(plan) = Plan::of(l, kernel)
        {
            *l = Writer { kernel, l, environment: vec![], body: vec![], length: Index::default(), item: Reg(0) }
                .write(&plan);
            continue;
        }
        for block in inst.blocks_mut() {
            interchange(block, kernel);
        }
    }
}

/// What the body of a loop over results consists of.
struct Plan {
    extent: i64,
    is_range: bool,
    parts: Vec<Part>,
}

enum Part {
    /// An instruction for each result.
    Each(Inst),
    Reduction(Reduction),
}

/// Loops inside one another, around straight-line code, that carry the same values.
#[derive(Clone)]
struct Reduction {
    /// Variable, extent, and what is computed before the following level, outermost first.
    levels: Vec<(Reg, i64, Vec<Inst>)>,
    /// The carried registers of the outermost level: that after the loop, its value before, and, in the innermost body, the register at
    /// the start of an iteration and that for the following one.
    carried: Vec<Carried>,
    body: Vec<Inst>,
    is_float_sum: bool,
}

#[derive(Clone, Copy)]
struct Carried {
    result: Reg,
    init: Reg,
    register: Reg,
    next: Reg,
}

impl Plan {
    fn of(l: &Loop, kernel: &Kernel) -> Option<Plan> {
        if l.order != Order::Independent || !l.carried.is_empty() {
            return None;
        }
        let is_range = l.begin.as_reg() == Some(kernel.range.begin) && l.end.as_reg() == Some(kernel.range.end);
        let extent = if is_range {
            kernel.range.extent as i64
        } else {
            l.end.as_constant().filter(|_| l.begin.as_constant() == Some(0))?
        };
        if extent < FEWEST {
            return None;
        }
        let mut parts = Vec::new();
        for inst in &l.body {
            parts.push(match inst {
                Inst::Loop(inner) => Part::Reduction(Reduction::of(inner, kernel)?),
                Inst::Let { .. } | Inst::Load { .. } | Inst::Store { .. } | Inst::Threefry { .. } => {
                    Part::Each(inst.clone())
                }
                Inst::Complex { .. } | Inst::If(_) | Inst::While(_) => return None,
            });
        }
        let strided = |reduction: &Reduction| {
            let innermost = reduction.levels.last().map(|level| level.0);
            reduction.body.iter().any(|inst| match inst {
                Inst::Load { index, .. } => {
                    index.coefficient(l.variable) == 1
                        && innermost.is_some_and(|j| !matches!(index.coefficient(j), 0 | 1))
                }
                Inst::Let { .. }
                | Inst::Store { .. }
                | Inst::Complex { .. }
                | Inst::Threefry { .. }
                | Inst::Loop(_)
                | Inst::If(_)
                | Inst::While(_) => false,
            })
        };
        let reductions = || {
            parts.iter().filter_map(|part| match part {
                Part::Reduction(reduction) => Some(reduction),
                Part::Each(_) => None,
            })
        };
        if reductions().next().is_none() || !reductions().all(strided) {
            return None;
        }
        let every = reductions().flat_map(|r| r.levels.iter().flat_map(|level| &level.2).chain(&r.body));
        let every = every.chain(parts.iter().filter_map(|part| match part {
            Part::Each(inst) => Some(inst),
            Part::Reduction(_) => None,
        }));
        every.into_iter().all(|inst| moves_along(inst, l.variable)).then_some(Plan { extent, is_range, parts })
    }

    /// How many terms there are for each result.
    fn terms(&self) -> i64 {
        let terms = |part: &Part| match part {
            Part::Reduction(r) => r.levels.iter().map(|level| level.1).product(),
            Part::Each(_) => 0,
        };
        self.parts.iter().map(terms).max().unwrap_or(0)
    }
}

/// Whether an instruction can run for several consecutive values of the variable at once.
fn moves_along(inst: &Inst, variable: Reg) -> bool {
    match inst {
        Inst::Load { index, mask, .. } => mask.is_none() && matches!(index.coefficient(variable), 0 | 1),
        Inst::Store { index, .. } => index.coefficient(variable) == 1,
        Inst::Let { value: Expr::IndexDiv(..) | Expr::IndexRem(..), .. } => false,
        Inst::Let { .. } | Inst::Threefry { .. } => true,
        Inst::Complex { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => false,
    }
}

impl Reduction {
    fn of(outer: &Loop, kernel: &Kernel) -> Option<Reduction> {
        let mut carried: Vec<Carried> = (outer.carried.iter())
            .map(|c| Carried { result: c.register, init: c.init, register: c.register, next: c.next })
            .collect();
        let mut levels = Vec::new();
        let mut l = outer;
        loop {
            let extent = l.end.as_constant().filter(|&end| l.begin.as_constant() == Some(0) && end > 0)?;
            let Some(Inst::Loop(inner)) = l.body.last() else {
                let straight = l.body.iter().all(|inst| is_straight(inst) && !matches!(inst, Inst::Store { .. }));
                levels.push((l.variable, extent, vec![]));
                return (straight && !carried.is_empty()).then(|| Reduction {
                    levels,
                    carried,
                    body: l.body.clone(),
                    is_float_sum: outer.order == Order::VectorReduce && is_float_sum(l, kernel),
                });
            };
            let before = &l.body[..l.body.len() - 1];
            let mut reads = HashSet::new();
            all_reads(before, &mut reads);
            let chained = before.iter().all(|inst| is_straight(inst) && !matches!(inst, Inst::Store { .. }))
                && inner.carried.len() == carried.len()
                && carried.iter().zip(&inner.carried).all(|(o, i)| i.init == o.register && o.next == i.register)
                && !carried.iter().any(|c| reads.contains(&c.register));
            if !chained {
                return None;
            }
            levels.push((l.variable, extent, before.to_vec()));
            for (carry, inner) in carried.iter_mut().zip(&inner.carried) {
                (carry.register, carry.next) = (inner.register, inner.next);
            }
            l = inner;
        }
    }
}

/// What a loop over the results of a block may need from before.
enum Known {
    Inst(Inst),
    /// A register whose value for each result of the block is in local memory.
    Local(Reg, ParamId),
}

struct Writer<'a> {
    kernel: &'a mut Kernel,
    l: &'a Loop,
    environment: Vec<Known>,
    /// The body of the loop over blocks.
    body: Vec<Inst>,
    /// How many results the block has.
    length: Index,
    /// The number of the block.
    item: Reg,
}

impl Writer<'_> {
    /// The loop over blocks.
    fn write(mut self, plan: &Plan) -> Loop {
        let locals: usize = (plan.parts.iter())
            .map(|part| match part {
                Part::Reduction(r) => r.carried.iter().map(|c| self.dtype(c.result).size() * 2).sum::<usize>(),
                Part::Each(_) => 0,
            })
            .sum();
        let mut block = (LOCAL_BYTES / locals.max(1)) as i64 / LANES * LANES;
        if plan.is_range && plan.extent * plan.terms() >= LARGE {
            block = block.min((plan.extent / BLOCKS) as u64 as i64 / LANES * LANES);
        }
        let block = block.max(LANES).min(plan.extent);
        let blocks = (plan.extent as u64).div_ceil(block as u64) as i64;
        self.item = self.register(DType::I64);
        self.length = if plan.extent % block == 0 {
            Index::constant(block)
        } else {
            let rest = self.let_(DType::I64, Expr::Index(Index::reg(self.item).times(-block).offset(plan.extent)));
            let whole = self.let_(DType::I64, Expr::Const(Scalar::new(block)));
            Index::reg(self.let_(DType::I64, Expr::Binary(Binary::Min, rest, whole)))
        };
        for part in &plan.parts {
            match part {
                Part::Each(inst) => self.each(inst, block),
                Part::Reduction(reduction) => self.reduction(reduction, block),
            }
        }
        self.stores(plan, block);
        let (begin, end) = if plan.is_range {
            self.kernel.range.extent = blocks as usize;
            (self.l.begin.clone(), self.l.end.clone())
        } else {
            (Index::constant(0), Index::constant(blocks))
        };
        Loop { variable: self.item, begin, end, carried: vec![], order: Order::Independent, body: self.body }
    }

    fn dtype(&self, register: Reg) -> DType {
        self.kernel.registers[register.index()]
    }

    fn register(&mut self, dtype: DType) -> Reg {
        register(self.kernel, dtype)
    }

    fn let_(&mut self, dtype: DType, value: Expr) -> Reg {
        let result = self.register(dtype);
        self.body.push(Inst::Let { result, value });
        result
    }

    /// Memory for one value of each result of the block.
    fn local(&mut self, dtype: DType, block: i64) -> ParamId {
        self.kernel.params.push(Param { dtype, len: block as usize, access: Access::Local });
        ParamId(self.kernel.params.len() as u32 - 1)
    }

    /// An instruction in front of, between or after the reductions.
    fn each(&mut self, inst: &Inst, block: i64) {
        if matches!(inst, Inst::Store { .. }) {
            return;
        }
        self.environment.push(Known::Inst(inst.clone()));
        // What takes long is not computed again for every row.
        if is_costly(inst) {
            for result in inst.defines() {
                let local = self.local(self.dtype(result), block);
                let fill = self.fill(&[(local, Fill::Register(result))], block);
                self.body.push(fill);
                self.environment.push(Known::Local(result, local));
            }
        }
    }

    /// A loop over the results of the block, in which `write` finds all that is known so far under the names of a renaming.
    fn over_block(&mut self, block: i64, write: impl FnOnce(&mut Self, Reg, &mut Renaming, &mut Vec<Inst>)) {
        let l = self.block_loop(block, write);
        self.body.push(l);
    }

    fn block_loop(&mut self, block: i64, write: impl FnOnce(&mut Self, Reg, &mut Renaming, &mut Vec<Inst>)) -> Inst {
        let at = self.register(DType::I64);
        let mut body = Vec::new();
        let mut renaming = Renaming::default();
        let position = Index::reg(self.item).times(block).plus(&Index::reg(at), 1);
        renaming.substitute(self.l.variable, position, &mut body, self.kernel);
        for known in &self.environment {
            match known {
                Known::Inst(inst) => {
                    let copy = renaming.copy(inst, self.kernel);
                    body.push(copy);
                }
                Known::Local(from, param) => {
                    let result = register(self.kernel, self.kernel.registers[from.index()]);
                    body.push(Inst::Load { result, param: *param, index: Index::reg(at), mask: None });
                    renaming.rename(*from, result);
                }
            }
        }
        write(self, at, &mut renaming, &mut body);
        share(&mut body, self.kernel);
        Inst::Loop(Loop {
            variable: at,
            begin: Index::constant(0),
            end: self.length.clone(),
            carried: vec![],
            order: Order::Independent,
            body,
        })
    }

    /// Sets local memory to a value of each result, or to a constant.
    fn fill(&mut self, locals: &[(ParamId, Fill)], block: i64) -> Inst {
        let locals = locals.to_vec();
        self.block_loop(block, move |w, at, renaming, body| {
            for (param, fill) in locals {
                let value = match fill {
                    Fill::Register(register) => renaming.of(register),
                    Fill::Zero(dtype) => {
                        let result = w.register(dtype);
                        body.push(Inst::Let { result, value: Expr::Const(Scalar::zero(dtype)) });
                        result
                    }
                };
                body.push(Inst::Store { param, index: Index::reg(at), value });
            }
        })
    }

    fn reduction(&mut self, reduction: &Reduction, block: i64) {
        let totals: Vec<ParamId> = reduction.carried.iter().map(|c| self.local(self.dtype(c.result), block)).collect();
        let inits: Vec<(ParamId, Fill)> =
            totals.iter().zip(&reduction.carried).map(|(&p, c)| (p, Fill::Register(c.init))).collect();
        let fill = self.fill(&inits, block);
        self.body.push(fill);
        let last = reduction.levels.last().expect("there is a loop").1;
        let in_blocks = reduction.is_float_sum && (last > 2 * BLOCK || reduction.levels.len() > 1 && last >= 16);
        let mut insts = Vec::new();
        if in_blocks {
            // The terms of a block are added up by themselves.
            let partials: Vec<ParamId> =
                reduction.carried.iter().map(|c| self.local(self.dtype(c.result), block)).collect();
            self.blocks_of_rows(reduction, last, &totals, &partials, block, &mut insts);
        } else {
            self.rows(reduction, Index::constant(0), last, &totals, block, &mut insts);
        }
        let insts = self.around(reduction, insts);
        self.body.extend(insts);
        for (carry, &total) in reduction.carried.iter().zip(&totals) {
            self.environment.push(Known::Local(carry.result, total));
        }
    }

    /// The innermost level of a sum in blocks of terms.
    fn blocks_of_rows(
        &mut self,
        reduction: &Reduction,
        terms: i64,
        totals: &[ParamId],
        partials: &[ParamId],
        block: i64,
        out: &mut Vec<Inst>,
    ) {
        let zeros: Vec<(ParamId, Fill)> =
            (partials.iter()).map(|&p| (p, Fill::Zero(self.kernel.params[p.index()].dtype))).collect();
        let one = |w: &mut Self, base: Index, rows: i64, out: &mut Vec<Inst>| {
            let fill = w.fill(&zeros, block);
            out.push(fill);
            w.rows(reduction, base, rows, partials, block, out);
            let add = w.add_partials(totals, partials, block);
            out.push(add);
        };
        let (whole, rest) = if terms > 2 * BLOCK { (terms / BLOCK, terms % BLOCK) } else { (0, terms) };
        if whole > 0 {
            let variable = self.register(DType::I64);
            let mut body = Vec::new();
            one(self, Index::reg(variable).times(BLOCK), BLOCK, &mut body);
            out.push(sequential(variable, whole, body));
        }
        if rest > 0 {
            one(self, Index::constant(whole * BLOCK), rest, out);
        }
    }

    fn add_partials(&mut self, totals: &[ParamId], partials: &[ParamId], block: i64) -> Inst {
        let pairs: Vec<(ParamId, ParamId)> = totals.iter().copied().zip(partials.iter().copied()).collect();
        self.block_loop(block, move |w, at, _, body| {
            for (total, partial) in pairs {
                let dtype = w.kernel.params[total.index()].dtype;
                let [x, y, sum] = [(); 3].map(|()| w.register(dtype));
                body.push(Inst::Load { result: x, param: total, index: Index::reg(at), mask: None });
                body.push(Inst::Load { result: y, param: partial, index: Index::reg(at), mask: None });
                body.push(Inst::Let { result: sum, value: Expr::Binary(Binary::Add, x, y) });
                body.push(Inst::Store { param: total, index: Index::reg(at), value: sum });
            }
        })
    }

    /// The innermost level, from a row on: several rows in one pass, then the rest one by one.
    fn rows(
        &mut self,
        reduction: &Reduction,
        base: Index,
        rows: i64,
        totals: &[ParamId],
        block: i64,
        out: &mut Vec<Inst>,
    ) {
        let together = if reduction.body.len() <= SHORT_BODY && rows >= ROWS { ROWS } else { 1 };
        let passes = rows / together;
        let variable = self.register(DType::I64);
        let body = self.pass(reduction, base.plus(&Index::reg(variable), together), together, totals, block);
        out.push(sequential(variable, passes, vec![body]));
        let rest = rows % together;
        if rest > 0 {
            let body = self.pass(reduction, base.offset(passes * together), rest, totals, block);
            out.push(body);
        }
    }

    /// Adds the terms of several rows, from `first` on, to the totals.
    fn pass(&mut self, reduction: &Reduction, first: Index, rows: i64, totals: &[ParamId], block: i64) -> Inst {
        self.block_loop(block, |w, at, renaming, body| {
            let mut values: Vec<Reg> = Vec::new();
            for (carry, &total) in reduction.carried.iter().zip(totals) {
                let result = w.register(w.dtype(carry.result));
                body.push(Inst::Load { result, param: total, index: Index::reg(at), mask: None });
                values.push(result);
            }
            let (innermost, outer) = reduction.levels.split_last().expect("there is a loop");
            for (_, _, insts) in outer {
                for inst in insts {
                    let copy = renaming.copy(inst, w.kernel);
                    body.push(copy);
                }
            }
            for row in 0..rows {
                renaming.substitute(innermost.0, first.offset(row), body, w.kernel);
                for (carry, &value) in reduction.carried.iter().zip(&values) {
                    renaming.rename(carry.register, value);
                }
                for inst in &reduction.body {
                    let copy = renaming.copy(inst, w.kernel);
                    body.push(copy);
                }
                values = reduction.carried.iter().map(|c| renaming.of(c.next)).collect();
            }
            for (&value, &total) in values.iter().zip(totals) {
                body.push(Inst::Store { param: total, index: Index::reg(at), value });
            }
        })
    }

    /// The outer levels around the innermost one. Their variables keep their names.
    fn around(&self, reduction: &Reduction, mut insts: Vec<Inst>) -> Vec<Inst> {
        let outer = &reduction.levels[..reduction.levels.len() - 1];
        for (variable, extent, _) in outer.iter().rev() {
            insts = vec![sequential(*variable, *extent, insts)];
        }
        insts
    }

    /// All stores, in one last loop.
    fn stores(&mut self, plan: &Plan, block: i64) {
        self.over_block(block, |w, _, renaming, body| {
            for part in &plan.parts {
                if let Part::Each(inst @ Inst::Store { .. }) = part {
                    let copy = renaming.copy(inst, w.kernel);
                    body.push(copy);
                }
            }
        });
    }
}

#[derive(Clone, Copy)]
enum Fill {
    Register(Reg),
    Zero(DType),
}

fn sequential(variable: Reg, extent: i64, body: Vec<Inst>) -> Inst {
    let (begin, end) = (Index::constant(0), Index::constant(extent));
    Inst::Loop(Loop { variable, begin, end, carried: vec![], order: Order::Sequential, body })
}

/// Whether an instruction takes longer than loading its result.
fn is_costly(inst: &Inst) -> bool {
    match inst {
        Inst::Let { value, .. } => match value {
            Expr::Unary(op, _) => !matches!(op, Unary::Neg | Unary::Abs | Unary::Not | Unary::IsFinite),
            Expr::Binary(op, ..) => !matches!(
                op,
                Binary::Add
                    | Binary::Sub
                    | Binary::Mul
                    | Binary::Max
                    | Binary::Min
                    | Binary::And
                    | Binary::Or
                    | Binary::Xor
            ),
            Expr::Rarely { .. } | Expr::ReducePrecision { .. } | Expr::RegularizedIncompleteBeta(_) => true,
            Expr::Const(_)
            | Expr::Index(_)
            | Expr::IndexDiv(..)
            | Expr::IndexRem(..)
            | Expr::Fma(_)
            | Expr::Scale(..)
            | Expr::Compare(..)
            | Expr::Select { .. }
            | Expr::Convert(_)
            | Expr::Truncate(_)
            | Expr::Bitcast(_) => false,
        },
        Inst::Threefry { .. } => true,
        Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => false,
    }
}
