//! Two kernels as one.

use std::collections::{HashMap, HashSet};

use rjax_ir::{Binary, DType};

use crate::graph::ValueId;
use crate::kir::{Access, Expr, Index, Inst, Kernel, Loop, Order, Param, ParamId, Reg};
use crate::lower::Lowered;
use crate::lower::finish::{tidy, visit, visit_mut};

/// Bytes of one row of all arrays together: what is in the second level of cache when it is needed again.
const MOST_ROW_BYTES: usize = 256 << 10;
/// Bytes of local memory for what lies between the kernels.
const MOST_LOCAL_BYTES: usize = 64 << 10;
/// Elements of a row from which on it is worth it that another kernel's single elements are computed one by one.
const LONG_ROW: usize = 256;
/// Elements of a row that two kernels read, from which on it is worth it to read them once.
const SHARED_ROW: usize = 16;
/// Instructions of a kernel.
const MOST_INSTS: usize = 600;

/// Whether two kernels go over equally many rows and have something in common: what is cheap to find out.
pub(super) fn may_join(first: (&Kernel, &[ValueId]), second: (&Kernel, &[ValueId])) -> bool {
    let (a, b) = (first.0.range.extent, second.0.range.extent);
    let rows = a.min(b);
    if rows < 2 || !a.is_multiple_of(rows) || !b.is_multiple_of(rows) {
        return false;
    }
    first.1.iter().zip(&first.0.params).any(|(value, param)| {
        let other = second.1.iter().position(|arg| arg == value).map(|i| second.0.params[i]);
        other.is_some_and(|other| {
            let written = param.access != Access::Read || other.access != Access::Read;
            written || param.len / rows >= SHARED_ROW
        })
    })
}

/// Both, if the second needs of the first only what the same row has.
pub(super) fn join(first: &Lowered, second: &Lowered) -> Option<Lowered> {
    let rows = first.kernel.range.extent.min(second.kernel.range.extent);
    if size(&first.kernel.body) + size(&second.kernel.body) > MOST_INSTS {
        return None;
    }
    let (first, second) = (of_rows(first, rows)?, of_rows(second, rows)?);
    let longest = longest_row(&first, rows).max(longest_row(&second, rows));
    if row_bytes(&[&first, &second], rows) > MOST_ROW_BYTES {
        return None;
    }
    let has_loop = |lowered: &Lowered| rows_of(&lowered.kernel).is_some_and(|l| l.body.iter().any(is_loop));
    if !(has_loop(&first) || has_loop(&second)) || !(has_loop(&first) && has_loop(&second)) && longest < LONG_ROW {
        return None;
    }
    let mut kernel = first.kernel.clone();
    let mut args = first.args.clone();
    let shared = kernel.shared_params().len();
    let locals = kernel.params.split_off(shared);
    // The parameters of the second by their new positions; local ones are counted from the end of the shared ones.
    let mut places = Vec::new();
    let mut more_locals = Vec::new();
    for (i, param) in second.kernel.params.iter().enumerate() {
        let Some(&value) = second.args.get(i) else {
            places.push(Err(locals.len() + more_locals.len()));
            more_locals.push(*param);
            continue;
        };
        let Some(known) = args.iter().position(|&arg| arg == value) else {
            places.push(Ok(args.len()));
            args.push(value);
            kernel.params.push(*param);
            continue;
        };
        let own = &mut kernel.params[known];
        if known >= shared || (own.dtype, own.len) != (param.dtype, param.len) {
            return None;
        }
        if (own.access, param.access) != (Access::Read, Access::Read) {
            let [of_first, of_second] = [(&first, known), (&second, i)];
            if !is_of_row(&of_first.0.kernel, of_first.1) || !is_of_row(&of_second.0.kernel, of_second.1) {
                return None;
            }
            own.access = Access::ReadWrite;
        }
        places.push(Ok(known));
    }
    let all_shared = args.len();
    let of_first = |i: usize| if i < shared { i } else { all_shared + i - shared };
    let of_second = |i: usize| match places[i] {
        Ok(place) => place,
        Err(local) => all_shared + local,
    };
    kernel.params.extend(locals);
    kernel.params.extend(more_locals);
    move_params(&mut kernel.body, &of_first);
    let mut body = second.kernel.body.clone();
    move_params(&mut body, &of_second);
    append(&mut kernel, body, &second.kernel)?;
    kernel.class = kernel.class.max(second.kernel.class);
    Some(Lowered { kernel, args })
}

/// Puts what only this kernel needs into memory of its own, of one row, or into registers.
pub(super) fn privatize(mut lowered: Lowered, is_private: impl Fn(ValueId) -> bool) -> Lowered {
    let kernel = &mut lowered.kernel;
    let rows = kernel.range.extent;
    if let Some(Inst::Loop(l)) = kernel.body.last_mut() {
        forward(&mut l.body, &mut HashMap::new(), &kernel.params);
    }
    let row = rows_of(kernel).map(|l| l.variable);
    let mut bytes: usize = kernel.params[lowered.args.len()..].iter().map(|p| p.len * p.dtype.size()).sum();
    let mut fates = Vec::new();
    for (i, (param, &value)) in kernel.params.iter().zip(&lowered.args).enumerate() {
        let private = param.access != Access::Read && is_private(value) && is_of_row(kernel, i);
        let row_bytes = param.len / rows * param.dtype.size();
        fates.push(if !private {
            Private::No
        } else if !is_loaded(&kernel.body, i) {
            Private::Gone
        } else if bytes + row_bytes <= MOST_LOCAL_BYTES {
            bytes += row_bytes;
            Private::Local
        } else {
            Private::No
        });
    }
    let mut order: Vec<usize> = (0..fates.len()).filter(|&i| fates[i] == Private::No).collect();
    lowered.args = order.iter().map(|&i| lowered.args[i]).collect();
    order.extend(fates.len()..kernel.params.len());
    order.extend((0..fates.len()).filter(|&i| fates[i] == Private::Local));
    visit_blocks(&mut kernel.body, &mut |insts| {
        insts.retain(
            |inst| !matches!(inst, Inst::Store { param, .. } if fates.get(param.index()) == Some(&Private::Gone)),
        );
    });
    if let Some(row) = row {
        visit_mut(&mut kernel.body, &mut |inst| {
            let (Inst::Load { param, index, .. } | Inst::Store { param, index, .. }) = inst else { return };
            if fates.get(param.index()) == Some(&Private::Local) {
                index.terms.retain(|&(r, _)| r != row);
            }
        });
    }
    let places: HashMap<usize, usize> = order.iter().enumerate().map(|(new, &old)| (old, new)).collect();
    move_params(&mut kernel.body, &|i| places[&i]);
    kernel.params = order
        .iter()
        .map(|&i| match fates.get(i) {
            Some(Private::Local) => {
                let param = kernel.params[i];
                Param { len: param.len / rows, access: Access::Local, ..param }
            }
            Some(Private::No | Private::Gone) | None => kernel.params[i],
        })
        .collect();
    tidy(kernel);
    lowered
}

/// What becomes of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Private {
    /// It is an array of the program.
    No,
    /// A row of it, in the kernel's own memory.
    Local,
    /// Nothing reads it.
    Gone,
}

/// The loop over rows, if a kernel is one, with nothing before it but what all rows share.
fn rows_of(kernel: &Kernel) -> Option<&Loop> {
    let (last, before) = kernel.body.split_last()?;
    let Inst::Loop(l) = last else { return None };
    let over_range = l.begin.as_reg() == Some(kernel.range.begin) && l.end.as_reg() == Some(kernel.range.end);
    let shared = before.iter().all(|inst| match inst {
        Inst::Let { .. } | Inst::Load { .. } | Inst::Complex { .. } | Inst::Threefry { .. } => true,
        Inst::Store { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => false,
    });
    (over_range && shared && l.carried.is_empty()).then_some(l)
}

fn is_loop(inst: &Inst) -> bool {
    matches!(inst, Inst::Loop(_))
}

fn size(insts: &[Inst]) -> usize {
    let mut size = 0;
    visit(insts, &mut |_| size += 1);
    size
}

fn longest_row(lowered: &Lowered, rows: usize) -> usize {
    let lens = lowered.args.iter().zip(&lowered.kernel.params).map(|(_, p)| p.len / rows);
    lens.max().unwrap_or(0)
}

fn row_bytes(kernels: &[&Lowered], rows: usize) -> usize {
    let mut arrays: HashMap<ValueId, usize> = HashMap::new();
    let mut locals = 0;
    for lowered in kernels {
        for (i, param) in lowered.kernel.params.iter().enumerate() {
            match lowered.args.get(i) {
                Some(&value) => {
                    arrays.insert(value, param.len / rows * param.dtype.size());
                }
                None => locals += param.len * param.dtype.size(),
            }
        }
    }
    locals + arrays.values().sum::<usize>()
}

/// The kernel with this many rows: where its range goes over elements, as a loop over rows around one over the elements of a row.
fn of_rows(lowered: &Lowered, rows: usize) -> Option<Lowered> {
    rows_of(&lowered.kernel)?;
    let per_row = lowered.kernel.range.extent / rows;
    if per_row == 1 {
        return Some(lowered.clone());
    }
    if per_row < SHARED_ROW {
        return None;
    }
    let mut lowered = lowered.clone();
    let kernel = &mut lowered.kernel;
    let Some(Inst::Loop(mut inner)) = kernel.body.pop() else { return None };
    let row = Reg(kernel.registers.len() as u32);
    kernel.registers.push(DType::I64);
    let element = inner.variable;
    let column = Reg(kernel.registers.len() as u32);
    kernel.registers.push(DType::I64);
    let position = Index::reg(row).times(per_row as i64).plus(&Index::reg(column), 1);
    let mut is_value = false;
    visit_mut(&mut inner.body, &mut |inst| {
        inst.indices_mut(&mut |index| {
            let coefficient = index.coefficient(element);
            index.terms.retain(|&(r, _)| r != element);
            *index = index.plus(&position, coefficient);
        });
        inst.reads(|r| is_value |= r == element);
    });
    if is_value {
        inner.body.insert(0, Inst::Let { result: element, value: Expr::Index(position) });
    }
    inner.variable = column;
    (inner.begin, inner.end) = (Index::constant(0), Index::constant(per_row as i64));
    let (begin, end) = (Index::reg(kernel.range.begin), Index::reg(kernel.range.end));
    let body = vec![Inst::Loop(inner)];
    kernel.body.push(Inst::Loop(Loop { variable: row, begin, end, carried: vec![], order: Order::Independent, body }));
    kernel.range.extent = rows;
    Some(lowered)
}

/// Puts a kernel's instructions, with its parameters moved already, behind those of another, row by row.
fn append(kernel: &mut Kernel, mut body: Vec<Inst>, second: &Kernel) -> Option<()> {
    let first = kernel.registers.len() as u32;
    let row = rows_of(kernel)?.variable;
    let second_row = rows_of(second)?.variable;
    kernel.registers.extend(&second.registers);
    let range = kernel.range;
    let mut name = |r: Reg| {
        if r == second.range.begin {
            range.begin
        } else if r == second.range.end {
            range.end
        } else if r == second_row {
            row
        } else {
            Reg(r.0 + first)
        }
    };
    visit_mut(&mut body, &mut |inst| {
        inst.map_reads(&mut name);
        inst.map_defines(&mut name);
    });
    let (Some(Inst::Loop(mut l)), Some(Inst::Loop(second))) = (kernel.body.pop(), body.pop()) else { return None };
    l.body.extend(second.body);
    l.order = Order::Independent;
    kernel.body.extend(body);
    kernel.body.push(Inst::Loop(l));
    Some(())
}

fn move_params(insts: &mut [Inst], place: &dyn Fn(usize) -> usize) {
    visit_mut(insts, &mut |inst| {
        if let Inst::Load { param, .. } | Inst::Store { param, .. } = inst {
            *param = ParamId(place(param.index()) as u32);
        }
    });
}

fn visit_blocks(insts: &mut Vec<Inst>, f: &mut dyn FnMut(&mut Vec<Inst>)) {
    f(insts);
    for inst in insts {
        for block in inst.blocks_mut() {
            visit_blocks(block, f);
        }
    }
}

fn is_loaded(insts: &[Inst], param: usize) -> bool {
    let mut loaded = false;
    visit(insts, &mut |inst| loaded |= matches!(inst, Inst::Load { param: p, .. } if p.index() == param));
    loaded
}

/// Reads of what was written before, at the same index, become the register that was written.
fn forward(insts: &mut Vec<Inst>, known: &mut HashMap<(ParamId, Index), Reg>, params: &[Param]) {
    let mut renamed: HashMap<Reg, Reg> = HashMap::new();
    let mut kept = Vec::with_capacity(insts.len());
    for mut inst in std::mem::take(insts) {
        inst.map_reads(&mut |r| *renamed.get(&r).unwrap_or(&r));
        visit_nested(&mut inst, &mut |inner| inner.map_reads(&mut |r| *renamed.get(&r).unwrap_or(&r)));
        match &inst {
            Inst::Store { param, index, value } if params[param.index()].access == Access::ReadWrite => {
                known.insert((*param, index.clone()), *value);
            }
            Inst::Load { result, param, index, mask: None } => {
                if let Some(&value) = known.get(&(*param, index.clone())) {
                    renamed.insert(*result, value);
                    continue;
                }
            }
            Inst::Let { .. }
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Complex { .. }
            | Inst::Threefry { .. }
            | Inst::Loop(_)
            | Inst::If(_)
            | Inst::While(_) => {}
        }
        // What is written inside is not known outside.
        for block in inst.blocks_mut() {
            forward(block, &mut known.clone(), params);
        }
        kept.push(inst);
    }
    *insts = kept;
}

fn visit_nested(inst: &mut Inst, f: &mut dyn FnMut(&mut Inst)) {
    for block in inst.blocks_mut() {
        visit_mut(block, f);
    }
}

/// Whether every access of a parameter in a row is to that row's part of the array.
fn is_of_row(kernel: &Kernel, param: usize) -> bool {
    let (Some(l), rows) = (rows_of(kernel), kernel.range.extent) else { return false };
    let len = kernel.params[param].len;
    if !len.is_multiple_of(rows) {
        return false;
    }
    let (part, mut bounds) = ((len / rows) as i64, Bounds { row: l.variable, ranges: HashMap::new() });
    let before = &kernel.body[..kernel.body.len() - 1];
    let mut outside = HashSet::new();
    visit(before, &mut |inst| {
        if let Inst::Load { param, .. } = inst {
            outside.insert(param.index());
        }
    });
    bounds.lets(before);
    !outside.contains(&param) && bounds.hold(&l.body, param, part)
}

/// The values that registers may have within a row.
struct Bounds {
    row: Reg,
    ranges: HashMap<Reg, (i64, i64)>,
}

impl Bounds {
    /// Least and greatest value of an index, the row left out.
    fn of(&self, index: &Index) -> Option<(i64, i64)> {
        index.terms.iter().filter(|&&(r, _)| r != self.row).try_fold((index.constant, index.constant), |sum, term| {
            let &(low, high) = self.ranges.get(&term.0)?;
            let (x, y) = (low.checked_mul(term.1)?, high.checked_mul(term.1)?);
            Some((sum.0.checked_add(x.min(y))?, sum.1.checked_add(x.max(y))?))
        })
    }

    fn lets(&mut self, insts: &[Inst]) {
        for inst in insts {
            let Inst::Let { result, value } = inst else { continue };
            let range = match value {
                Expr::Const(scalar) if scalar.dtype() == DType::I64 => {
                    let value = scalar.bits()[0] as i64;
                    Some((value, value))
                }
                Expr::Index(index) if index.coefficient(self.row) == 0 => self.of(index),
                Expr::Binary(Binary::Min, x, y) => {
                    let both = self.ranges.get(x).zip(self.ranges.get(y));
                    both.map(|(x, y)| (x.0.min(y.0), x.1.min(y.1)))
                }
                Expr::IndexRem(_, divisor) => Some((0, divisor - 1)),
                Expr::Const(_)
                | Expr::Index(_)
                | Expr::IndexDiv(..)
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
            };
            if let Some(range) = range {
                self.ranges.insert(*result, range);
            }
        }
    }

    /// Whether the accesses of a parameter stay in a part of so many elements for each row.
    fn hold(&mut self, insts: &[Inst], param: usize, part: i64) -> bool {
        insts.iter().all(|inst| {
            self.lets(std::slice::from_ref(inst));
            match inst {
                Inst::Load { param: p, index, .. } | Inst::Store { param: p, index, .. } if p.index() == param => {
                    let inside = self.of(index).is_some_and(|(low, high)| low >= 0 && high < part);
                    inside && index.coefficient(self.row) == part
                }
                Inst::Loop(l) => {
                    let ends = [&l.begin, &l.end].map(|i| self.of(i).filter(|_| i.coefficient(self.row) == 0));
                    if let [Some((low, _)), Some((_, high))] = ends {
                        self.ranges.insert(l.variable, (low, high - 1));
                    }
                    self.hold(&l.body, param, part)
                }
                Inst::If(_) | Inst::While(_) => inst.blocks().into_iter().all(|block| self.hold(block, param, part)),
                Inst::Let { .. }
                | Inst::Load { .. }
                | Inst::Store { .. }
                | Inst::Complex { .. }
                | Inst::Threefry { .. } => true,
            }
        })
    }
}
