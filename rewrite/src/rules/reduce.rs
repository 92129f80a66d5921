//! Reductions.

use rjax_ir::{Aval, Binary, DType, DTypeSet, Op, Reducer, Scalar};

use super::Class::{Exact, Order, Rounding, ZeroSign};
use super::{Code, Match, Rule, Term, rule};
use crate::code::Code as C;
use crate::term::when;

/// Reductions in which order and grouping cannot be seen.
const LATTICE: &[Code] = &[
    C::Reduce(Reducer::Max),
    C::Reduce(Reducer::Min),
    C::Reduce(Reducer::And),
    C::Reduce(Reducer::Or),
    C::Reduce(Reducer::Xor),
];
/// Reductions in which repeating an element changes nothing.
const IDEMPOTENT: &[Code] =
    &[C::Reduce(Reducer::Max), C::Reduce(Reducer::Min), C::Reduce(Reducer::And), C::Reduce(Reducer::Or)];
const SUM: &[Code] = &[C::Reduce(Reducer::Sum)];
const ARITHMETIC: &[Code] = &[C::Reduce(Reducer::Sum), C::Reduce(Reducer::Prod)];

pub(super) fn reduce(op: &Op) -> (Reducer, &[usize]) {
    let Op::Reduce { reducer, axes } = op else { unreachable!("a reduction") };
    (*reducer, axes)
}

/// The reduced axes of a reduction of a reduction, as axes of the inner operand.
fn merged(outer: &[usize], inner: &[usize], rank: usize) -> Vec<usize> {
    let kept: Vec<usize> = (0..rank).filter(|axis| !inner.contains(axis)).collect();
    let mut axes: Vec<usize> = outer.iter().map(|&axis| kept[axis]).chain(inner.iter().copied()).collect();
    axes.sort();
    axes
}

fn reduce_of_reduce(m: &Match<'_>) -> Option<Term> {
    let (reducer, outer) = reduce(m.op);
    let inner = m.definition(m.one(), Code::of(m.op))?;
    let (_, before) = reduce(inner.op);
    let axes = merged(outer, before, m.aval_of(inner.inputs[0]).rank());
    Some(Term::apply(Op::Reduce { reducer, axes }, [inner.inputs[0].into()]))
}

fn reduce_of_transpose(m: &Match<'_>) -> Option<Term> {
    let (reducer, axes) = reduce(m.op);
    let inner = m.definition(m.one(), C::Transpose)?;
    let Op::Transpose { permutation } = inner.op else { return None };
    let mut mapped: Vec<usize> = axes.iter().map(|&axis| permutation[axis]).collect();
    mapped.sort();
    // What is left of the source, in the order of the result.
    let kept: Vec<usize> = (0..permutation.len()).filter(|axis| !mapped.contains(axis)).collect();
    let wanted = permutation.iter().filter(|axis| !mapped.contains(axis));
    let rest = wanted.map(|axis| kept.iter().position(|k| k == axis).expect("kept")).collect();
    let reduced = Term::apply(Op::Reduce { reducer, axes: mapped }, [inner.inputs[0].into()]);
    Some(Term::transpose(reduced, rest))
}

/// Splits a reduction of a broadcast: what the operand becomes when its own axes are reduced, and how often each of
/// its elements was repeated over the axes that go away.
fn reduce_of_broadcast(m: &Match<'_>) -> Option<(Term, usize)> {
    let (reducer, axes) = reduce(m.op);
    let inner = m.definition(m.one(), C::Broadcast)?;
    let Op::BroadcastInDim { shape, dims } = inner.op else { return None };
    let source = m.shape_of(inner.inputs[0]);
    let repeated = |axis: usize| match dims.iter().position(|&d| d == axis) {
        Some(own) => source[own] != shape[axis],
        None => true,
    };
    let (away, own): (Vec<usize>, Vec<usize>) = axes.iter().partition(|&&axis| repeated(axis));
    when(!away.is_empty())?;
    let count: usize = away.iter().map(|&axis| shape[axis]).product();
    when(count > 0)?;
    // Reduce the operand's own axes, drop those of extent 1 that only served to be repeated, and broadcast to what
    // remains.
    let gone: Vec<usize> = (0..source.rank()).filter(|&i| own.contains(&dims[i])).collect();
    let reduced = if gone.is_empty() {
        inner.inputs[0].into()
    } else {
        Term::apply(Op::Reduce { reducer, axes: gone.clone() }, [inner.inputs[0].into()])
    };
    let kept: Vec<usize> = (0..source.rank()).filter(|i| !gone.contains(i) && !away.contains(&dims[*i])).collect();
    let squeezed = Term::reshape(reduced, kept.iter().map(|&i| source[i]).collect());
    let places: Vec<usize> = (0..shape.rank()).filter(|axis| !axes.contains(axis)).collect();
    let place = |axis: usize| places.iter().position(|&p| p == axis).expect("kept");
    let dims = kept.iter().map(|&i| place(dims[i])).collect();
    Some((Term::apply(Op::BroadcastInDim { shape: m.aval.shape.clone(), dims }, [squeezed]), count))
}

pub(super) static RULES: &[Rule] = &[
    rule(
        "reduce-units",
        Exact,
        DTypeSet::ANY,
        &[
            C::Reduce(Reducer::Prod),
            C::Reduce(Reducer::Max),
            C::Reduce(Reducer::Min),
            C::Reduce(Reducer::And),
            C::Reduce(Reducer::Or),
            C::Reduce(Reducer::Xor),
        ],
        "a reduction of axes of extent 1 is a reshape",
        |m| {
            let (reducer, axes) = reduce(m.op);
            // A complex maximum starts from a value that a NaN does not replace, and a complex product from 1 + 0i.
            when(!m.aval.dtype.is_complex() || reducer == Reducer::Sum)?;
            when(axes.iter().all(|&axis| m.shape_of(m.one())[axis] == 1))?;
            Some(Term::reshape(m.one(), m.aval.shape.clone()))
        },
    ),
    // 0 + -0 is 0.
    rule("sum-units", ZeroSign, DTypeSet::ANY, SUM, "a sum over axes of extent 1 is a reshape", |m| {
        when(reduce(m.op).1.iter().all(|&axis| m.shape_of(m.one())[axis] == 1))?;
        Some(Term::reshape(m.one(), m.aval.shape.clone()))
    }),
    rule("reduce-reduce", Exact, DTypeSet::ORDERED, LATTICE, "max(max(x)) == max(x) over both axes", reduce_of_reduce),
    rule("sum-sum", Order, DTypeSet::ANY, ARITHMETIC, "sum(sum(x)) == sum(x) over both axes", |m| {
        // Between the two, f16 and bf16 would be rounded; not to do so is within the bound.
        reduce_of_reduce(m)
    }),
    rule(
        "reduce-of-transpose",
        Exact,
        DTypeSet::ORDERED,
        LATTICE,
        "max(transpose(x)) == max(x) over the same axes",
        reduce_of_transpose,
    ),
    rule(
        "sum-of-transpose",
        Order,
        DTypeSet::ANY,
        ARITHMETIC,
        "sum(transpose(x)) == sum(x) over the same axes",
        reduce_of_transpose,
    ),
    rule("reduce-of-broadcast", Exact, DTypeSet::ORDERED, IDEMPOTENT, "max(broadcast(x)) == x", |m| {
        reduce_of_broadcast(m).map(|(term, _)| term)
    }),
    rule("sum-of-broadcast", Rounding, DTypeSet::NUMBER, SUM, "sum(broadcast(x)) == n x", |m| {
        let (term, count) = reduce_of_broadcast(m)?;
        let count = Scalar::from_i64(m.aval.dtype, count as i64);
        // The product with the count must be as good as a sum: not for counts that the type rounds.
        when(!m.aval.dtype.is_complex() && exactly(count))?;
        Some(Term::binary(Binary::Mul, term, Term::full(count, &m.aval.shape)))
    }),
    rule(
        "reduce-of-reshape",
        Exact,
        DTypeSet::ORDERED,
        LATTICE,
        "max(reshape(x)) == max(x) over everything",
        reduce_all_of_reshape,
    ),
    rule(
        "sum-of-reshape",
        Order,
        DTypeSet::ANY,
        ARITHMETIC,
        "sum(reshape(x)) == sum(x) over everything",
        reduce_all_of_reshape,
    ),
];

/// A reduction of all axes does not depend on the shape.
fn reduce_all_of_reshape(m: &Match<'_>) -> Option<Term> {
    let (reducer, _) = reduce(m.op);
    when(m.aval.rank() == 0)?;
    let inner = m.definition(m.one(), C::Reshape)?;
    let Aval { shape, .. } = m.aval_of(inner.inputs[0]);
    when(shape.rank() > 0)?;
    Some(Term::apply(Op::Reduce { reducer, axes: (0..shape.rank()).collect() }, [inner.inputs[0].into()]))
}

/// Whether a count came through its conversion unchanged; integers wrap like sums do.
fn exactly(count: Scalar) -> bool {
    let limit = match count.dtype() {
        DType::F16 => 2f64.powi(11),
        DType::BF16 => 2f64.powi(8),
        DType::F32 | DType::C64 => 2f64.powi(24),
        DType::F64 | DType::C128 => 2f64.powi(53),
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::Narrow(_) => return true,
    };
    count.to_f64() <= limit
}
