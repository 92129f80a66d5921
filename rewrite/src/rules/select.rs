//! `select_n` and `clamp`.

use rjax_ir::{Binary, Compare, DType, DTypeSet, Op, Scalar, Unary};

use super::Class::{Exact, ZeroSign};
use super::{Code, Rule, Term, rule};
use crate::known::Known;
use crate::term::when;

const SELECT: &[Code] = &[Code::Select];

pub(super) static RULES: &[Rule] = &[
    rule("select-same", Exact, DTypeSet::ANY, SELECT, "select(c, x, x) == x", |m| {
        let cases = &m.inputs[1..];
        when(cases.iter().all(|x| *x == cases[0]))?;
        Some(cases[0].into())
    }),
    rule("select-known", Exact, DTypeSet::ANY, SELECT, "select(true, x, y) == y, select(false, x, y) == x", |m| {
        let which = m.splat(m.inputs[0])?;
        let cases = &m.inputs[1..];
        // An index out of range is clamped.
        let index = (which.to_f64() as i64).clamp(0, cases.len() as i64 - 1);
        Some(cases[index as usize].into())
    }),
    rule("select-not", Exact, DTypeSet::ANY, SELECT, "select(not c, x, y) == select(c, y, x)", |m| {
        let [which, x, y] = *m.inputs else { return None };
        let inner = m.definition(which, Code::Unary(Unary::Not))?;
        when(m.dtype_of(which) == DType::Bool)?;
        Some(Term::apply(Op::Select, [inner.inputs[0], y, x].map(Term::from)))
    }),
    // Of two zeros either may be the maximum.
    rule(
        "select-greater",
        ZeroSign,
        DTypeSet::FLOAT,
        SELECT,
        "select(x > y, y, x) == max(x, y) for numbers known not to be NaN",
        |m| {
            let [which, no, yes] = *m.inputs else { return None };
            let compare = m.definition_among(which, &[Code::Compare(Compare::Gt), Code::Compare(Compare::Lt)])?;
            let [x, y] = [compare.inputs[0], compare.inputs[1]];
            when([x, y].iter().all(|&x| m.known(x).contains(Known::NUMBER)))?;
            let greater = matches!(compare.op, Op::Compare(Compare::Gt));
            when([yes, no] == [x, y] || [yes, no] == [y, x])?;
            let op = if greater == (yes == x) { Binary::Max } else { Binary::Min };
            Some(Term::binary(op, x, y))
        },
    ),
    rule("select-bools", Exact, DTypeSet::BOOL, SELECT, "select(c, false, true) == c", |m| {
        let [which, x, y] = *m.inputs else { return None };
        when(m.aval_of(which) == m.aval)?;
        when(m.splat(x)? == Scalar::new(false) && m.splat(y)? == Scalar::new(true))?;
        Some(which.into())
    }),
    rule("select-bools-reversed", Exact, DTypeSet::BOOL, SELECT, "select(c, true, false) == not c", |m| {
        let [which, x, y] = *m.inputs else { return None };
        when(m.aval_of(which) == m.aval)?;
        when(m.splat(x)? == Scalar::new(true) && m.splat(y)? == Scalar::new(false))?;
        Some(Term::unary(Unary::Not, which))
    }),
    rule("select-select", Exact, DTypeSet::ANY, SELECT, "select(c, select(c, x, y), z) == select(c, x, z)", |m| {
        let which = m.inputs[0];
        let case = m.any(m.inputs.len() - 1)?;
        let inner = m.definition(m.inputs[1 + case], Code::Select)?;
        when(inner.inputs[0] == which && inner.inputs.len() == m.inputs.len())?;
        let mut inputs: Vec<Term> = m.inputs.iter().map(|&x| x.into()).collect();
        inputs[1 + case] = inner.inputs[1 + case].into();
        Some(Term::apply(Op::Select, inputs))
    }),
    // min(max(x, lo), hi) with infinite bounds; NaN passes through both.
    rule("clamp-unbounded", Exact, DTypeSet::ORDERED, &[Code::Clamp], "clamp(-inf, x, inf) == x", |m| {
        let [low, x, high] = *m.inputs else { return None };
        let (least, greatest) = (Scalar::least(m.aval.dtype), Scalar::greatest(m.aval.dtype));
        when(m.splat(low)? == least && m.splat(high)? == greatest)?;
        Some(x.into())
    }),
];
