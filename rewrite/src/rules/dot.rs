//! Dots: transposes absorbed, chains in their cheapest order, sums and slices drawn in, common factors drawn out.
//!
//! A change of the order of contractions keeps the componentwise bound of the product, |A| |B| |C| up to a factor of
//! the number of terms, and is made only where it lowers the number of multiplications.

use rjax_ir::{Binary, DTypeSet, Op, Reducer, Scalar};

use super::Class::{Domain, Order, Rounding, ZeroSign};
use super::einsum::{Contraction, Labels, Operand, arrange, spread, unrepeated};
use super::{Code, Definition, Match, Rule, Term, rule};
use crate::known::Known;
use crate::term::when;

const DOT: &[Code] = &[Code::Dot];
const SUMS: &[Code] = &[Code::Binary(Binary::Add), Code::Binary(Binary::Sub)];

fn root(m: &Match<'_>) -> Option<Contraction> {
    Contraction::of(m, Definition { op: m.op, inputs: m.inputs })
}

/// A dot one of whose operands is a transpose.
fn absorb(m: &Match<'_>) -> Option<Term> {
    let c = root(m)?;
    if m.any(2) == Some(0) {
        c.finish(&c.through_transpose(m, &c.lhs)?, &c.rhs)
    } else {
        c.finish(&c.lhs, &c.through_transpose(m, &c.rhs)?)
    }
}

/// A dot of the common operand and the combination of the others, for two dots that share an operand, whatever the order
/// of axes and operands.
fn factored(m: &Match<'_>, combiner: Binary, x: Definition<'_>, y: Definition<'_>) -> Option<Term> {
    let (sides, others) = ((m.any(2)?, m.any(2)?), |side: usize| 1 - side);
    when(x.inputs[sides.0] == y.inputs[sides.1])?;
    if x.op == y.op
        && sides.0 == sides.1
        && m.aval_of(x.inputs[others(sides.0)]) == m.aval_of(y.inputs[others(sides.1)])
    {
        let mut inputs = [Term::from(x.inputs[0]), Term::from(x.inputs[1])];
        inputs[others(sides.0)] = Term::binary(combiner, x.inputs[others(sides.0)], y.inputs[others(sides.1)]);
        return Some(Term::apply(x.op.clone(), inputs));
    }
    let (cx, cy) = (Contraction::of(m, x)?, Contraction::of(m, y)?);
    when(cx.kind == cy.kind)?;
    let split = |c: &Contraction, side: usize| {
        if side == 0 { (c.lhs.clone(), c.rhs.clone()) } else { (c.rhs.clone(), c.lhs.clone()) }
    };
    let ((common, own), (same, other)) = (split(&cx, sides.0), split(&cy, sides.1));
    // The labels of the second dot in terms of those of the first: by the common operand, and by the result.
    let pairs = || same.labels.iter().zip(&common.labels).chain(cy.out.iter().zip(&cx.out));
    let renamed = |label: &usize| pairs().find(|(theirs, _)| *theirs == label).map(|(_, ours)| *ours);
    when(pairs().all(|(theirs, ours)| renamed(theirs) == Some(*ours)))?;
    let labels: Labels = other.labels.iter().map(renamed).collect::<Option<_>>()?;
    when(labels.len() == own.labels.len() && own.labels.iter().all(|label| labels.contains(label)))?;
    let other = arrange(Operand { term: other.term, labels }, &own.labels);
    let sum = Operand { term: Term::binary(combiner, own.term.clone(), other), labels: own.labels };
    if sides.0 == 0 { cx.finish(&common, &sum) } else { cx.finish(&sum, &common) }
}

pub(super) static RULES: &[Rule] = &[
    rule("dot-of-transpose", Order, DTypeSet::ANY, DOT, "dot(transpose(x), y) == dot(x, y) over the same axes", |m| {
        let term = absorb(m)?;
        when(matches!(&term, Term::Apply(op, _) if matches!(**op, Op::DotGeneral(_))))?;
        Some(term)
    }),
    rule("dot-of-transpose-turned", Order, DTypeSet::ANY, DOT, "dot(transpose(x), y) == transpose(dot(x, y))", absorb)
        .growing(),
    rule("transpose-of-dot", Order, DTypeSet::ANY, &[Code::Transpose], "transpose(dot(x, y)) == dot(y, x)", |m| {
        let Op::Transpose { permutation } = m.op else { return None };
        let mut c = Contraction::of(m, m.definition(m.one(), Code::Dot)?)?;
        c.out = permutation.iter().map(|&axis| c.out[axis]).collect();
        let term = if m.any(2) == Some(0) { c.finish(&c.rhs, &c.lhs)? } else { c.finish(&c.lhs, &c.rhs)? };
        when(matches!(&term, Term::Apply(op, _) if matches!(**op, Op::DotGeneral(_))))?;
        Some(term)
    }),
    rule("reassociate-dots", Rounding, DTypeSet::NUMBER, DOT, "(A B) C == A (B C), in the cheaper order", |m| {
        let mut c = root(m)?;
        let chain_is_left = m.any(2) == Some(0);
        let (chain, third) =
            if chain_is_left { (c.lhs.clone(), c.rhs.clone()) } else { (c.rhs.clone(), c.lhs.clone()) };
        let (a, b) = c.expand(m, &chain)?;
        let before = c.flops(&a, &b) + c.flops(&chain, &third);
        let first_is_left = m.any(2) == Some(0);
        let (first, last) = if first_is_left { (a, b) } else { (b, a) };
        let needed = |label| last.labels.contains(&label) || c.out.contains(&label);
        // What came left stays left.
        let inner =
            if chain_is_left { c.contract(&first, &third, &needed)? } else { c.contract(&third, &first, &needed)? };
        when(c.flops(&first, &third) + c.flops(&inner, &last) < before)?;
        if first_is_left { c.finish(&inner, &last) } else { c.finish(&last, &inner) }
    })
    .growing(),
    rule(
        "sum-of-dot",
        Rounding,
        DTypeSet::NUMBER,
        &[Code::Reduce(Reducer::Sum)],
        "sum(A B) == sum(A) B, over rows",
        |m| {
            let (_, axes) = super::reduce::reduce(m.op);
            let mut c = Contraction::of(m, m.definition(m.one(), Code::Dot)?)?;
            let summed: Vec<usize> = axes.iter().map(|&axis| c.out[axis]).collect();
            c.out.retain(|label| !summed.contains(label));
            // An axis of one operand alone is summed before; a batch axis of both is contracted.
            c.finish(&c.summed(&c.lhs, &c.rhs), &c.summed(&c.rhs, &c.lhs))
        },
    )
    .growing(),
    rule(
        "sum-of-product",
        Rounding,
        DTypeSet::NUMBER,
        &[Code::Reduce(Reducer::Sum)],
        "sum(broadcast(x) * y) == dot(x, y), with x and y summed where the other is repeated",
        |m| {
            let (_, axes) = super::reduce::reduce(m.op);
            let product = m.definition(m.one(), Code::Binary(Binary::Mul))?;
            let c = Contraction::of_summed_product(m, product, axes)?;
            c.finish(&c.summed(&c.lhs, &c.rhs), &c.summed(&c.rhs, &c.lhs))
        },
    )
    .growing(),
    rule("factor-dots", Rounding, DTypeSet::NUMBER, SUMS, "A B + A C == A (B + C)", |m| {
        let [x, y] = m.two();
        let Op::Binary(combiner) = m.op else { return None };
        factored(m, *combiner, m.definition(x, Code::Dot)?, m.definition(y, Code::Dot)?)
    })
    .growing(),
    // One step of the reordering of a longer sum, made only where it brings a common factor together.
    rule("regroup-dots", Rounding, DTypeSet::NUMBER, SUMS, "(x + A B) + A C == x + A (B + C)", |m| {
        let is_difference = |op: &Op| matches!(op, Op::Binary(Binary::Sub));
        let [sum, y] = if is_difference(m.op) { m.two() } else { m.either_order() };
        let inner = m.definition_among(sum, SUMS)?;
        let [rest, x] =
            if is_difference(inner.op) { [inner.inputs[0], inner.inputs[1]] } else { m.either_order_of(inner) };
        let (x, y) = (m.definition(x, Code::Dot)?, m.definition(y, Code::Dot)?);
        let same = is_difference(m.op) == is_difference(inner.op);
        let part = factored(m, if same { Binary::Add } else { Binary::Sub }, x, y)?;
        Some(Term::binary(if is_difference(inner.op) { Binary::Sub } else { Binary::Add }, rest, part))
    })
    .growing(),
    // A product of its own for each element; sums of one term begin with +0.
    rule(
        "dot-of-one-term",
        ZeroSign,
        DTypeSet::NUMBER,
        DOT,
        "a dot that sums nothing == broadcast(x) * broadcast(y)",
        |m| {
            let c = root(m)?;
            let labels = || c.lhs.labels.iter().chain(&c.rhs.labels);
            when(labels().all(|label| c.out.contains(label)))?;
            let of = |x: &Operand| spread(x.clone(), &c.out, &c.extents);
            Some(Term::binary(Binary::Mul, of(&c.lhs), of(&c.rhs)))
        },
    )
    .growing(),
    rule(
        "sum-of-outer-product",
        Rounding,
        DTypeSet::NUMBER,
        &[Code::Reduce(Reducer::Sum)],
        "sum(broadcast(u) * broadcast(v) * A) == u · (A v)",
        |m| {
            let (_, axes) = super::reduce::reduce(m.op);
            let mul = Code::Binary(Binary::Mul);
            let [outer, x] = m.either_order_of(m.definition(m.one(), mul)?);
            let [u, v] = m.either_order_of(m.definition(outer, mul)?);
            let labels: Labels = (0..m.aval_of(x).rank()).collect();
            let (u, v) = (unrepeated(m, u, &labels)?, unrepeated(m, v, &labels)?);
            let out: Labels = labels.iter().copied().filter(|label| !axes.contains(label)).collect();
            let c = Contraction::of_product(m, Operand { term: x.into(), labels }, v.clone(), out.clone());
            let needed = |label| out.contains(&label) || u.labels.contains(&label);
            let first = c.contract(&c.lhs, &c.rhs, &needed)?;
            c.finish(&first, &u)
        },
    )
    .growing(),
    rule("dot-of-zeros-finite", ZeroSign, DTypeSet::NUMBER, DOT, "0 A == 0 for A known to be finite", |m| {
        let side = m.any(2)?;
        m.is_number(m.inputs[side], 0.0)?;
        when(m.known(m.inputs[1 - side]).contains(Known::FINITE))?;
        Some(Term::full(Scalar::zero(m.aval.dtype), &m.aval.shape))
    }),
    // 0 * inf is NaN.
    rule("dot-of-zeros", Domain, DTypeSet::NUMBER, DOT, "0 A == 0 for finite A", |m| {
        let side = m.any(2)?;
        m.is_number(m.inputs[side], 0.0)?;
        Some(Term::full(Scalar::zero(m.aval.dtype), &m.aval.shape))
    }),
    // Nothing is summed, so that one multiplication is left for each element, often by 1.
    rule(
        "outer-of-uniform",
        Order,
        DTypeSet::NUMBER,
        DOT,
        "the outer product of (c, c, …) and y == c * y, repeated",
        |m| {
            let c = root(m)?;
            let side = m.any(2)?;
            let value = m.splat(m.inputs[side])?;
            let (own, other) = if side == 0 { (&c.lhs, &c.rhs) } else { (&c.rhs, &c.lhs) };
            when(own.labels.iter().chain(&other.labels).all(|label| c.out.contains(label)))?;
            let other = spread(other.clone(), &c.out, &c.extents);
            Some(Term::binary(Binary::Mul, Term::full(value, &m.aval.shape), other))
        },
    ),
    rule(
        "dot-of-broadcast",
        Rounding,
        DTypeSet::NUMBER,
        DOT,
        "dot(broadcast(x), y) == broadcast(dot(x, y)), with y summed where x is repeated along the contraction",
        |m| {
            let mut c = root(m)?;
            let side = m.any(2)?;
            let (own, other) = if side == 0 { (&c.lhs, &c.rhs) } else { (&c.rhs, &c.lhs) };
            let source = unrepeated(m, m.inputs[side], &own.labels)?;
            when(source.labels.len() < own.labels.len())?;
            let repeated = |label: &usize| own.labels.contains(label) && !source.labels.contains(label);
            let summed = |label: &usize| repeated(label) && !c.out.contains(label);
            let axes: Vec<usize> = (0..other.labels.len()).filter(|&axis| summed(&other.labels[axis])).collect();
            let mut rest = other.clone();
            if !axes.is_empty() {
                rest.term = Term::apply(Op::Reduce { reducer: Reducer::Sum, axes }, [rest.term]);
                rest.labels.retain(|label| !summed(label));
            }
            let out = std::mem::take(&mut c.out);
            let needed = |label: usize| out.contains(&label);
            let (lhs, rhs) = if side == 0 { (&source, &rest) } else { (&rest, &source) };
            Some(spread(c.contract(lhs, rhs, &needed)?, &out, &c.extents))
        },
    )
    .growing(),
    // Axes that were merged for the dot's sake are taken apart again, where that shows more of the operand.
    rule(
        "dot-of-reshape",
        Order,
        DTypeSet::ANY,
        DOT,
        "dot(reshape(x), y) == reshape(dot(x, reshape(y))), for a reshape that merges axes",
        |m| {
            let Op::DotGeneral(dot) = m.op else { return None };
            let side = m.any(2)?;
            let reshape = m.definition(m.inputs[side], Code::Reshape)?;
            let source = reshape.inputs[0];
            m.definition_among(source, &[Code::Binary(Binary::Mul), Code::Dot, Code::Broadcast, Code::Transpose])?;
            let own = merged_axes(m.shape_of(source), m.shape_of(m.inputs[side]))?;
            let (own_contracting, own_batch, contracting, batch) = match side {
                0 => (&dot.lhs_contracting, &dot.lhs_batch, &dot.rhs_contracting, &dot.rhs_batch),
                _ => (&dot.rhs_contracting, &dot.rhs_batch, &dot.lhs_contracting, &dot.lhs_batch),
            };
            // The other operand's axes, those that meet merged ones taken apart.
            let shape = m.shape_of(m.inputs[1 - side]);
            let meets = |axis: usize| {
                let pairs = contracting.iter().zip(own_contracting).chain(batch.iter().zip(own_batch));
                pairs.filter(|(theirs, _)| **theirs == axis).map(|(_, ours)| *ours).next()
            };
            let (mut split, mut others) = (vec![], vec![]);
            for (axis, &extent) in shape.iter().enumerate() {
                let start = split.len();
                match meets(axis) {
                    Some(ours) => split.extend(own[ours].clone().map(|i| m.shape_of(source)[i])),
                    None => split.push(extent),
                }
                others.push(start..split.len());
            }
            let apart = |axes: &[usize], groups: &[std::ops::Range<usize>]| -> Vec<usize> {
                axes.iter().flat_map(|&axis| groups[axis].clone()).collect()
            };
            let (lhs, rhs) = if side == 0 { (&own, &others) } else { (&others, &own) };
            let op = Op::DotGeneral(rjax_ir::DotGeneral {
                lhs_contracting: apart(&dot.lhs_contracting, lhs),
                rhs_contracting: apart(&dot.rhs_contracting, rhs),
                lhs_batch: apart(&dot.lhs_batch, lhs),
                rhs_batch: apart(&dot.rhs_batch, rhs),
                ..dot.clone()
            });
            let mut inputs = [Term::from(source), Term::from(source)];
            let other = m.inputs[1 - side];
            inputs[1 - side] = if split[..] == shape[..] { other.into() } else { Term::reshape(other, split.into()) };
            Some(Term::reshape(Term::apply(op, inputs), m.aval.shape.clone()))
        },
    )
    .growing(),
];

/// For each axis of the result of a reshape that only merges axes, the axes that it is made of.
pub(super) fn merged_axes(from: &[usize], to: &[usize]) -> Option<Vec<std::ops::Range<usize>>> {
    when(from.len() > to.len() && !from.contains(&0))?;
    let mut next = 0;
    let groups = to.iter().map(|&extent| {
        let (start, mut product) = (next, 1);
        while product < extent && next < from.len() {
            product *= from[next];
            next += 1;
        }
        (product == extent).then_some(start..next)
    });
    let groups: Option<Vec<_>> = groups.collect();
    // What is left over has extent 1 and belongs to no group.
    groups.filter(|_| next == from.len())
}
