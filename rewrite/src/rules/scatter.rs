//! Scatters: sums of updates at computed places, and updates at regular places, which are padding.

use egg::Id;
use rjax_ir::{Binary, Combiner, Compare, DTypeSet, Op, PadDim};

use super::Class::{Exact, Rounding};
use super::{Code, Match, Rule, Term, rule};
use crate::term::when;

/// The factor and the offset of an index that is computed from a counter along the first axis, the only one that is not of extent 1.
/// No step of the computation overflows.
fn progression(m: &Match<'_>, x: Id, depth: usize) -> Option<[i64; 2]> {
    let depth = depth.checked_sub(1)?;
    let (shape, dtype) = (m.shape_of(x), m.dtype_of(x));
    let count = *shape.first()?;
    when(dtype.is_integer() && count > 0 && shape[1..].iter().all(|&extent| extent == 1))?;
    let found = match m.splat(x) {
        Some(value) => [0, value.to_f64() as i64],
        None => computed(m, x, depth)?,
    };
    let last = found[0].checked_mul(count as i64 - 1)?.checked_add(found[1])?;
    // What fits into the smaller half of a signed type fits into all of as many bits.
    let most = 1i64 << (dtype.bits() - 2).min(52);
    when([found[1], last].iter().all(|end| (0..most).contains(end)))?;
    Some(found)
}

/// [`progression`] of what is not the same everywhere.
fn computed(m: &Match<'_>, x: Id, depth: usize) -> Option<[i64; 2]> {
    let (add, mul) = (Code::Binary(Binary::Add), Code::Binary(Binary::Mul));
    let moves = [Code::Broadcast, Code::Reshape, Code::Convert];
    let definition = m.definition_among(x, &[&[Code::Iota, Code::Select, add, mul][..], &moves].concat())?;
    let code = Code::of(definition.op);
    if let Op::Iota { axis, .. } = definition.op {
        return (*axis == 0).then_some([1, 0]);
    }
    if code == Code::Select {
        // An index from the end, if it is negative, which it is not.
        let compare = m.definition(definition.inputs[0], Code::Compare(Compare::Lt))?;
        m.is_number(compare.inputs[1], 0.0)?;
        progression(m, compare.inputs[0], depth)?;
        return progression(m, definition.inputs[1], depth);
    }
    let first = progression(m, definition.inputs[0], depth)?;
    if moves.contains(&code) {
        // Not where the counter is moved to another axis.
        when(m.shape_of(x).first() == m.shape_of(definition.inputs[0]).first())?;
        return Some(first);
    }
    let second = progression(m, definition.inputs[1], depth)?;
    if code == add {
        return Some([first[0].checked_add(second[0])?, first[1].checked_add(second[1])?]);
    }
    let ([factor, rest], times) = match (first[0], second[0]) {
        (_, 0) => (first, second[1]),
        (0, _) => (second, first[1]),
        (_, _) => return None,
    };
    Some([factor.checked_mul(times)?, rest.checked_mul(times)?])
}

pub(super) static RULES: &[Rule] = &[
    // As in the derivative of an embedding that is also the last layer. Every term of each sum is there once.
    rule(
        "add-scatter",
        Rounding,
        DTypeSet::NUMBER,
        &[Code::Binary(Binary::Add)],
        "x + scatter_add(0, i, u) == scatter_add(x, i, u)",
        |m| {
            let [x, sum] = m.either_order();
            let inner = m.definition(sum, Code::Scatter)?;
            let Op::Scatter(scatter) = inner.op else { return None };
            when(scatter.combiner == Combiner::Add)?;
            m.is_number(inner.inputs[0], 0.0)?;
            // Into something uniform it would be the same again.
            when(m.splat(x).is_none())?;
            Some(Term::apply(inner.op.clone(), [x, inner.inputs[1], inner.inputs[2]].map(Term::from)))
        },
    )
    .growing(),
    // As in `diagflat`.
    rule(
        "scatter-of-progression",
        Exact,
        DTypeSet::ANY,
        &[Code::Scatter],
        "what replaces every k-th element of (c, c, …) is padded with c",
        |m| {
            let Op::Scatter(scatter) = m.op else { return None };
            let [x, indices, updates] = *m.inputs else { return None };
            when(scatter.combiner == Combiner::Replace && scatter.inserted_window_dims == [0])?;
            let value = m.splat(x)?;
            let (&[length], &[count]) = (&m.aval.shape[..], &m.shape_of(updates)[..]) else { return None };
            when(m.shape_of(indices)[..] == [count, 1])?;
            let [step, start] = progression(m, indices, 8)?;
            let high = length as i64 - 1 - start - step * (count as i64 - 1);
            when(step > 0 && high >= 0)?;
            let padding = vec![PadDim { low: start, high, interior: step as usize - 1 }];
            Some(Term::apply(Op::Pad { padding }, [updates.into(), Term::Literal(value)]))
        },
    ),
];
