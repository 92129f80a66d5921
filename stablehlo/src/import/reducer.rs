//! Reductions: regions recognised as one of the known combiners, or kept as programs.

use std::sync::Arc;

use rjax_ir::{
    Atom, Binary, Combiner, Compare, Cumulative, CumulativeKind, DType, Eqn, Op, Program, Reducer, Result, Unary, Var,
    Window,
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

/// Whether a program of two real scalars is `logaddexp` as JAX writes it: `max(a, b) + log1p(exp(-|a - b|))`, or `a + b` where the
/// difference is NaN.
fn is_logaddexp(program: &Program) -> bool {
    let [first, _] = program.invars[..] else { return false };
    if !program.aval(Atom::Var(first)).dtype.is_float() {
        return false;
    }
    // Values are numbered in the order of their definitions, the two operands first.
    let expected: [(Op, &[usize]); 10] = [
        (Op::Binary(Binary::Max), &[0, 1]),
        (Op::Binary(Binary::Sub), &[0, 1]),
        (Op::Compare(Compare::Ne), &[3, 3]),
        (Op::Binary(Binary::Add), &[0, 1]),
        (Op::Unary(Unary::Abs), &[3]),
        (Op::Unary(Unary::Neg), &[6]),
        (Op::Unary(Unary::Exp), &[7]),
        (Op::Unary(Unary::Log1p), &[8]),
        (Op::Binary(Binary::Add), &[2, 9]),
        (Op::Select, &[4, 10, 5]),
    ];
    let defined: Vec<Var> =
        program.invars.iter().chain(program.eqns.iter().flat_map(|eqn| &eqn.outputs)).copied().collect();
    let is = |atom: &Atom, number: usize| matches!(atom, Atom::Var(var) if defined.get(number) == Some(var));
    let same = |(eqn, (op, inputs)): (&Eqn, &(Op, &[usize]))| {
        eqn.op == *op && eqn.inputs.len() == inputs.len() && eqn.inputs.iter().zip(*inputs).all(|(a, &n)| is(a, n))
    };
    program.eqns.len() == expected.len()
        && program.eqns.iter().zip(&expected).all(same)
        && matches!(&program.outvars[..], [out] if is(out, 11))
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
    /// The reducer of elements of the first operand.
    fn reducer(&self, body: &Program, inputs: &[Atom]) -> Option<Reducer> {
        let dtype = self.aval(*inputs.first()?).dtype;
        reducer(body).filter(|_| body.in_avals().iter().all(|aval| aval.dtype == dtype))
    }

    pub(super) fn reduce(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let body = self.closed_region(operation, 0)?;
        let mut axes = operation.indices("dimensions")?;
        axes.sort_unstable();
        let inputs = self.values(&operation.operands)?;
        if let ([x, init], Some(reducer)) = (&inputs[..], self.reducer(&body, &inputs)) {
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
        if inputs.iter().take(inputs.len() / 2).any(|&x| self.aval(x).rank() != rank) {
            return Err(malformed(operation, format!("expected operands of the window's {rank} axes")));
        }
        if let ([x, init], Some(reducer)) = (&inputs[..], self.reducer(&body, &inputs)) {
            let dtype = self.builder().dtype(*x);
            let shape = self.aval(*x).shape;
            let neutral = init.literal().is_some_and(|init| {
                init == reducer.identity(dtype)
                    || (reducer == Reducer::Sum && dtype.is_inexact() && init.to_c128() == 0.0.into())
            });
            if neutral {
                let kind = cumulative_kind(reducer);
                let op = match kind.and_then(|kind| cumulative(&window, &shape, kind)) {
                    Some(cumulative) => Op::Cumulative(cumulative),
                    None => Op::ReduceWindow { reducer, window },
                };
                return self.builder().try_emit(op, &[*x]);
            }
        }
        if let [x, init] = inputs[..]
            && is_logaddexp(&body)
            && init.literal().is_some_and(|init| init.to_c128() == f64::NEG_INFINITY.into())
            && let Some(cumulative) = cumulative(&window, &self.aval(x).shape, CumulativeKind::LogSumExp)
        {
            return self.builder().try_emit(Op::Cumulative(cumulative), &[x]);
        }
        if inputs.is_empty() || inputs.len() % 2 != 0 {
            return Err(malformed(operation, "expected as many init values as operands".into()));
        }
        self.builder().try_emit(Op::GeneralReduceWindow { body: Arc::new(body), window }, &inputs)
    }
}

/// The cumulative op of a reducer.
fn cumulative_kind(reducer: Reducer) -> Option<CumulativeKind> {
    match reducer {
        Reducer::Sum => Some(CumulativeKind::Sum),
        Reducer::Prod => Some(CumulativeKind::Prod),
        Reducer::Max => Some(CumulativeKind::Max),
        Reducer::Min => Some(CumulativeKind::Min),
        Reducer::And | Reducer::Or | Reducer::Xor => None,
    }
}

/// A window that reaches from the first element to the current one (or on to the last) is a cumulative op.
fn cumulative(window: &Window, shape: &[usize], kind: CumulativeKind) -> Option<Cumulative> {
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
