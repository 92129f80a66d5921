//! Reductions: regions recognised as one of the known combiners, or kept as programs.

use std::sync::Arc;

use rjax_ir::{
    Atom, Binary, Combiner, Compare, Cumulative, CumulativeKind, DType, Op, Program, Reducer, Result, Window,
};

use super::{Importer, malformed};
use crate::mlir::Operation;

/// The only equation of a program that returns its one result, if that is what the program is.
fn single(program: &Program) -> Option<(&Op, &[Atom])> {
    match (&program.eqns[..], &program.outvars[..]) {
        ([eqn], [Atom::Var(out)]) if eqn.outputs == [*out] => Some((&eqn.op, &eqn.inputs)),
        _ => None,
    }
}

/// Whether the operands are the program's two inputs, in either order.
fn of_both_inputs(program: &Program, inputs: &[Atom]) -> bool {
    let [a, b] = program.invars[..] else { return false };
    inputs == [a.into(), b.into()] || inputs == [b.into(), a.into()]
}

/// The reducer that a combining program of two scalars is.
fn reducer(program: &Program) -> Option<Reducer> {
    let (op, inputs) = single(program)?;
    let Op::Binary(op) = op else { return None };
    if !of_both_inputs(program, inputs) {
        return None;
    }
    let dtype = program.aval(inputs[0]).dtype;
    Reducer::ALL.iter().copied().find(|r| {
        // On bool, and and or are max and min as well; the logical names are the ones people read.
        r.binary() == *op
            && r.accepts().contains(dtype)
            && !(dtype == DType::Bool && matches!(r, Reducer::Sum | Reducer::Prod))
    })
}

/// The scatter combiner that a program `(present, update) -> new` is.
pub(super) fn combiner(program: &Program) -> Option<Combiner> {
    let [_, update] = program.invars[..] else { return None };
    if program.eqns.is_empty() && program.outvars == [Atom::Var(update)] {
        return Some(Combiner::Replace);
    }
    let (op, inputs) = single(program)?;
    if !of_both_inputs(program, inputs) {
        return None;
    }
    let bool_operands = program.aval(inputs[0]).dtype == DType::Bool;
    let Op::Binary(op) = op else { return None };
    let table = [
        (Binary::Add, Combiner::Add),
        (Binary::Mul, Combiner::Mul),
        (Binary::Min, Combiner::Min),
        (Binary::Max, Combiner::Max),
    ];
    let logical = [(Binary::Or, Combiner::Max), (Binary::And, Combiner::Min)];
    let known = table.iter().chain(logical.iter().filter(|_| bool_operands));
    known.into_iter().find(|(binary, _)| binary == op).map(|(_, combiner)| *combiner)
}

/// Whether a selecting program `(a, b) -> keep a` keeps the larger value (true), the smaller (false), or is neither.
pub(super) fn selects_largest(program: &Program) -> Option<bool> {
    let (op, inputs) = single(program)?;
    let [a, b] = program.invars[..] else { return None };
    if inputs != [a.into(), b.into()] {
        return None;
    }
    if matches!(op, Op::Compare(Compare::Ge | Compare::Gt)) {
        return Some(true);
    }
    matches!(op, Op::Compare(Compare::Le | Compare::Lt)).then_some(false)
}

/// As [`selects_largest`], where floats are compared in their total order.
pub(super) fn selects_largest_in_total_order(program: &Program) -> Option<bool> {
    let (op, inputs) = single(program)?;
    let [a, b] = program.invars[..] else { return None };
    if !matches!(op, Op::Compare(Compare::LeTo)) {
        return None;
    }
    if inputs == [b.into(), a.into()] { Some(true) } else { (inputs == [a.into(), b.into()]).then_some(false) }
}

impl Importer<'_> {
    pub(super) fn reduce(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let body = self.closed_region(operation, 0)?;
        let mut axes = operation.indices("dimensions")?;
        axes.sort_unstable();
        let inputs = self.values(&operation.operands)?;
        if let ([x, init], Some(reducer)) = (&inputs[..], reducer(&body)) {
            let reduced =
                if axes.is_empty() { *x } else { self.builder().try_emit(Op::Reduce { reducer, axes }, &[*x])?[0] };
            return Ok(vec![self.combine_init(reducer, reduced, *init)?]);
        }
        self.builder().try_emit(Op::GeneralReduce { body: Arc::new(body), axes }, &inputs)
    }

    pub(super) fn reduce_window(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let body = self.closed_region(operation, 0)?;
        let dimensions = operation.indices("window_dimensions")?;
        let rank = dimensions.len();
        let ones = || vec![1; rank];
        let window = Window {
            strides: operation.indices_or("window_strides", ones)?,
            padding: operation.pairs_or_zero("padding", rank)?,
            base_dilation: operation.indices_or("base_dilations", ones)?,
            window_dilation: operation.indices_or("window_dilations", ones)?,
            dimensions,
        };
        let inputs = self.values(&operation.operands)?;
        if let ([x, init], Some(reducer)) = (&inputs[..], reducer(&body)) {
            let dtype = self.builder().dtype(*x);
            let shape = self.aval(*x).shape;
            let neutral = init.literal().is_some_and(|init| {
                init == reducer.identity(dtype)
                    || (reducer == Reducer::Sum && dtype.is_inexact() && init.to_c128() == 0.0.into())
            });
            if neutral {
                let op = match cumulative(&window, &shape, reducer) {
                    Some(cumulative) => Op::Cumulative(cumulative),
                    None => Op::ReduceWindow { reducer, window },
                };
                return self.builder().try_emit(op, &[*x]);
            }
        }
        if inputs.is_empty() || inputs.len() % 2 != 0 {
            return Err(malformed(operation, "expected as many init values as operands".into()));
        }
        self.builder().try_emit(Op::GeneralReduceWindow { body: Arc::new(body), window }, &inputs)
    }
}

/// A window that reaches from the first element to the current one (or on to the last) is a cumulative op.
fn cumulative(window: &Window, shape: &[usize], reducer: Reducer) -> Option<Cumulative> {
    let kind = match reducer {
        Reducer::Sum => CumulativeKind::Sum,
        Reducer::Prod => CumulativeKind::Prod,
        Reducer::Max => CumulativeKind::Max,
        Reducer::Min => CumulativeKind::Min,
        Reducer::And | Reducer::Or | Reducer::Xor => return None,
    };
    let plain = [&window.strides, &window.base_dilation, &window.window_dilation];
    if plain.iter().any(|v| v.iter().any(|&s| s != 1)) {
        return None;
    }
    let mut axes = (0..shape.len()).filter(|&a| window.dimensions[a] != 1 || window.padding[a] != (0, 0));
    let (axis, None) = (axes.next()?, axes.next()) else { return None };
    let extent = shape[axis];
    if extent == 0 || window.dimensions[axis] != extent {
        return None;
    }
    let before = (extent as i64 - 1, 0);
    let after = (0, extent as i64 - 1);
    match window.padding[axis] {
        padding if padding == before => Some(Cumulative { kind, axis, reverse: false }),
        padding if padding == after => Some(Cumulative { kind, axis, reverse: true }),
        _ => None,
    }
}
