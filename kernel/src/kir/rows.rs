//! Steps that go over the same rows: what one of them writes for a block of rows is all that the next one needs for it.

use std::collections::HashMap;

use rjax_ir::{Binary, DType};

use super::{Expr, Gemm, GemmAxis, Index, Inst, Kernel, Param, Reg, Stmt};

/// The steps of `body` in order, as often as there are blocks of rows, each time for one block; blocks may run in any order or at the same time.
///
/// Row `r` of an array of `rows * n` elements is the `n` elements from `r * n` on. Of a launch that is the part of the kernel's range that is as
/// long as the range is to all rows; of a product, whose batch and row axes together are the rows, a part of a product of the batch, because
/// `block` divides its rows. Arrays of [`super::Space::Local`] exist for one block at a time, and steps use only the block's rows of them. So all this
/// means the same as the steps in order on whole arrays; the use of it is that a block stays in cache.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rows {
    /// The number of rows.
    pub rows: usize,
    /// Rows of a block.
    pub block: usize,
    /// [`Stmt::Launch`] and [`Stmt::Gemm`] only.
    pub body: Vec<Stmt>,
}

impl Gemm {
    /// Whether the rows of the result, or of the operand whose strides `stride` says, an array of so many elements, follow each other.
    pub fn rows_follow(&self, elements: usize, stride: fn(&GemmAxis) -> isize) -> bool {
        let rows = self.rows();
        if rows == 0 || !elements.is_multiple_of(rows) {
            return false;
        }
        let row = (elements / rows) as isize;
        let mut expected = row;
        for axis in self.batch.iter().chain([&self.m]).rev() {
            if axis.extent != 1 && stride(axis) != expected {
                return false;
            }
            expected *= axis.extent as isize;
        }
        let along = [&self.n, &self.k].into_iter().chain(&self.outer_k);
        let reach = |axis: &GemmAxis| (stride(axis) >= 0).then(|| stride(axis) * (axis.extent as isize - 1).max(0));
        along.map(reach).sum::<Option<isize>>().is_some_and(|reach| reach < row)
    }

    /// The rows of all products of the batch.
    pub fn rows(&self) -> usize {
        self.batch.iter().map(|axis| axis.extent).product::<usize>() * self.m.extent
    }
}

impl Kernel {
    /// For each parameter whether every index of the range uses its own part only: of as many equal parts as the range has indices, the one
    /// of the same number.
    pub fn own_parts(&self) -> Vec<bool> {
        let mut walk =
            Walk { kernel: self, bounds: HashMap::new(), variable: None, own: vec![true; self.params.len()] };
        walk.block(&self.body);
        walk.own
    }
}

struct Walk<'k> {
    kernel: &'k Kernel,
    /// The least and the greatest value of index registers, where they are known.
    bounds: HashMap<Reg, (i64, i64)>,
    /// The loop over the range that the walk is in.
    variable: Option<Reg>,
    own: Vec<bool>,
}

impl Walk<'_> {
    fn block(&mut self, insts: &[Inst]) {
        for inst in insts {
            match inst {
                Inst::Let { result, value } => {
                    if let Some(bounds) = self.value(value) {
                        self.bounds.insert(*result, bounds);
                    }
                }
                Inst::Load { param, index, .. } | Inst::Store { param, index, .. } => {
                    let own = self.is_own(&self.kernel.params[param.index()], index);
                    self.own[param.index()] &= own;
                }
                Inst::Loop(l) => {
                    let range = &self.kernel.range;
                    let is_range = l.begin.as_reg() == Some(range.begin) && l.end.as_reg() == Some(range.end);
                    if is_range {
                        self.variable = Some(l.variable);
                    } else if let (Some(begin), Some(end)) = (self.index(&l.begin), self.index(&l.end)) {
                        self.bounds.insert(l.variable, (begin.0, end.1 - 1));
                    }
                    self.block(&l.body);
                    if is_range {
                        self.variable = None;
                    }
                }
                Inst::If(_) | Inst::While(_) | Inst::Complex { .. } | Inst::Threefry { .. } => {
                    inst.blocks().into_iter().for_each(|block| self.block(block));
                }
            }
        }
    }

    fn is_own(&self, param: &Param, index: &Index) -> bool {
        let (Some(variable), extent) = (self.variable, self.kernel.range.extent) else { return false };
        if extent == 0 || !param.len.is_multiple_of(extent) {
            return false;
        }
        let part = (param.len / extent) as i64;
        let mut rest = index.clone();
        rest.terms.retain(|&(register, _)| register != variable);
        index.coefficient(variable) == part && self.index(&rest).is_some_and(|(low, high)| 0 <= low && high < part)
    }

    fn index(&self, index: &Index) -> Option<(i64, i64)> {
        index.terms.iter().try_fold((index.constant, index.constant), |(low, high), (register, factor)| {
            let &(least, greatest) = self.bounds.get(register)?;
            let ends = [least * factor, greatest * factor];
            Some((low + ends[0].min(ends[1]), high + ends[0].max(ends[1])))
        })
    }

    fn value(&self, value: &Expr) -> Option<(i64, i64)> {
        let of = |register: &Reg| self.bounds.get(register).copied();
        match value {
            Expr::Const(scalar) if scalar.dtype() == DType::I64 => {
                let value = scalar.bits()[0] as i64;
                Some((value, value))
            }
            Expr::Index(index) => self.index(index),
            Expr::IndexRem(_, divisor) => Some((0, divisor - 1)),
            Expr::IndexDiv(x, divisor) => of(x).map(|(low, high)| (low / divisor, high / divisor)),
            Expr::Binary(Binary::Min, x, y) => {
                let ((a, b), (c, d)) = (of(x)?, of(y)?);
                Some((a.min(c), b.min(d)))
            }
            Expr::Const(_)
            | Expr::Unary(..)
            | Expr::Binary(..)
            | Expr::Fma(_)
            | Expr::Scale(..)
            | Expr::Rarely { .. }
            | Expr::Compare(..)
            | Expr::Select { .. }
            | Expr::Convert(_)
            | Expr::Truncate(_)
            | Expr::Bitcast(_)
            | Expr::ReducePrecision { .. }
            | Expr::RegularizedIncompleteBeta(_) => None,
        }
    }
}
