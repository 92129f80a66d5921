//! Products drawn into sums and sums taken apart, where a summand has structure: low rank, a diagonal, a scale.
//!
//! Most of these steps are losses by themselves. They lead to forms in which another rule saves more.

use egg::Id;
use rjax_ir::{Binary, DTypeSet, Op, Reducer, Unary};

use super::Class::{Order, Rounding};
use super::einsum::factors;
use super::structure::{DEPTH, diagonal};
use super::{Code, Match, Rule, Term, rule};
use crate::term::when;

const DOT: &[Code] = &[Code::Dot];
const SUM: &[Code] = &[Code::Reduce(Reducer::Sum)];
const ADDITIVE: [Code; 2] = [Code::Binary(Binary::Add), Code::Binary(Binary::Sub)];
const MULTIPLES: [Code; 2] = [Code::Binary(Binary::Mul), Code::Binary(Binary::Div)];

/// Whether a product with this value may be much cheaper than one with any array of its shape: a product of matrices, which
/// may be of low rank, an outer product, a diagonal, or a multiple of one.
fn is_structured(m: &Match<'_>, x: Id, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let (mul, neg) = (Code::Binary(Binary::Mul), Code::Unary(Unary::Neg));
    let codes = [Code::Dot, mul, neg, Code::Binary(Binary::Div), Code::Transpose, Code::Select, Code::Convert];
    let Some(inner) = m.definition_among(x, &codes) else { return false };
    let code = Code::of(inner.op);
    let through = |x: Id| is_structured(m, x, depth);
    if code == mul {
        let labels: Vec<usize> = (0..m.aval_of(x).rank()).collect();
        let outer = factors(m, [inner.inputs[0], inner.inputs[1]], &labels)
            .is_some_and(|(x, y)| x.labels.len() < labels.len() && y.labels.len() < labels.len());
        return outer || inner.inputs.iter().any(|&x| through(x));
    }
    if code == Code::Select || code == Code::Convert {
        return diagonal(m, x, DEPTH).is_some();
    }
    code == Code::Dot || through(inner.inputs[0])
}

/// A scalar that is repeated, as a term.
fn scalar(m: &Match<'_>, x: Id) -> Option<Term> {
    if let Some(value) = m.splat(x) {
        return Some(Term::Literal(value));
    }
    let broadcast = m.definition(x, Code::Broadcast)?;
    when(m.aval_of(broadcast.inputs[0]).size() == 1)?;
    Some(Term::reshape(broadcast.inputs[0], rjax_ir::Shape::scalar()))
}

/// A scalar in the shape of the result.
fn repeated(scalar: Term, m: &Match<'_>) -> Term {
    if m.aval.rank() == 0 {
        return scalar;
    }
    Term::apply(Op::BroadcastInDim { shape: m.aval.shape.clone(), dims: vec![] }, [scalar])
}

pub(super) static RULES: &[Rule] = &[
    // x (W + B A) == x W + (x B) A.
    rule("distribute-dot", Rounding, DTypeSet::NUMBER, DOT, "A (B + C D) == A B + A (C D)", |m| {
        let Op::DotGeneral(dot) = m.op else { return None };
        when(m.dtype_of(m.inputs[0]) == dot.preferred)?;
        let side = m.any(2)?;
        let sum = m.definition_among(m.inputs[side], &ADDITIVE)?;
        let Op::Binary(combiner) = sum.op else { return None };
        let part = m.any(2)?;
        when(is_structured(m, sum.inputs[part], 3))?;
        let with = |part: Id| {
            let mut inputs = [m.inputs[0], m.inputs[1]];
            inputs[side] = part;
            Term::apply(m.op.clone(), inputs.map(Term::from))
        };
        Some(Term::binary(*combiner, with(sum.inputs[0]), with(sum.inputs[1])))
    })
    .growing(),
    rule("scale-of-dot", Rounding, DTypeSet::NUMBER, DOT, "(s A) B == s (A B) for a scalar s", |m| {
        let Op::DotGeneral(dot) = m.op else { return None };
        when(m.dtype_of(m.inputs[0]) == dot.preferred)?;
        let side = m.any(2)?;
        let product = m.definition_among(m.inputs[side], &MULTIPLES)?;
        let Op::Binary(op) = product.op else { return None };
        when(*op == Binary::Mul || dot.preferred.is_inexact())?;
        let [array, scale] =
            if *op == Binary::Mul { m.either_order_of(product) } else { [product.inputs[0], product.inputs[1]] };
        let scale = scalar(m, scale)?;
        let mut inputs = [m.inputs[0], m.inputs[1]];
        inputs[side] = array;
        Some(Term::binary(*op, Term::apply(m.op.clone(), inputs.map(Term::from)), repeated(scale, m)))
    })
    .growing(),
    // The other way, where a sum of multiples of products then has a common factor.
    rule(
        "scale-into-dot",
        Rounding,
        DTypeSet::NUMBER,
        &[Code::Binary(Binary::Mul)],
        "s (A B) == A (s B) for a scalar s",
        |m| {
            let [product, scale] = m.either_order();
            let inner = m.definition(product, Code::Dot)?;
            let Op::DotGeneral(dot) = inner.op else { return None };
            when(m.dtype_of(inner.inputs[0]) == dot.preferred && m.dtype_of(inner.inputs[1]) == dot.preferred)?;
            let scale = scalar(m, scale)?;
            let side = m.any(2)?;
            let mut inputs = [inner.inputs[0], inner.inputs[1]].map(Term::from);
            let shape = m.shape_of(inner.inputs[side]);
            let scale = if shape.rank() == 0 {
                scale
            } else {
                Term::apply(Op::BroadcastInDim { shape: shape.clone(), dims: vec![] }, [scale])
            };
            inputs[side] = Term::binary(Binary::Mul, inputs[side].clone(), scale);
            Some(Term::apply(inner.op.clone(), inputs))
        },
    )
    .growing(),
    rule("dot-of-neg", Order, DTypeSet::NUMBER, DOT, "(-A) B == -(A B)", |m| {
        let Op::DotGeneral(dot) = m.op else { return None };
        when(m.dtype_of(m.inputs[0]) == dot.preferred)?;
        let side = m.any(2)?;
        let mut inputs = [m.inputs[0], m.inputs[1]];
        inputs[side] = m.definition(m.inputs[side], Code::Unary(Unary::Neg))?.inputs[0];
        Some(Term::unary(Unary::Neg, Term::apply(m.op.clone(), inputs.map(Term::from))))
    })
    .growing(),
    rule("sum-of-sum", Rounding, DTypeSet::NUMBER, SUM, "sum(A B + C) == sum(A B) + sum(C)", |m| {
        let sum = m.definition_among(m.one(), &ADDITIVE)?;
        let Op::Binary(combiner) = sum.op else { return None };
        let part = m.any(2)?;
        when(is_structured(m, sum.inputs[part], 3) || m.definition(sum.inputs[part], Code::Broadcast).is_some())?;
        let of = |x: Id| Term::apply(m.op.clone(), [x.into()]);
        Some(Term::binary(*combiner, of(sum.inputs[0]), of(sum.inputs[1])))
    })
    .growing(),
    rule("sum-of-neg", Order, DTypeSet::NUMBER, SUM, "sum(-(A B)) == -sum(A B)", |m| {
        let inner = m.definition(m.one(), Code::Unary(Unary::Neg))?;
        when(is_structured(m, inner.inputs[0], 3))?;
        Some(Term::unary(Unary::Neg, Term::apply(m.op.clone(), [inner.inputs[0].into()])))
    })
    .growing(),
    rule("sum-of-quotient", Rounding, DTypeSet::FLOAT, SUM, "sum(x / s) == sum(x) / s for a scalar s", |m| {
        let quotient = m.definition(m.one(), Code::Binary(Binary::Div))?;
        let scale = scalar(m, quotient.inputs[1])?;
        let sum = Term::apply(m.op.clone(), [quotient.inputs[0].into()]);
        Some(Term::binary(Binary::Div, sum, repeated(scale, m)))
    })
    .growing(),
];
