//! Identity and diagonal matrices: what is zero wherever two indices differ need not be multiplied and summed.
//!
//! Such arrays are recognised as they are made: a comparison of two counters, converted to a number, or selecting
//! between zero and something else.

use egg::Id;
use rjax_ir::{Binary, Compare, DType, DTypeSet, Op, Reducer, Scalar};

use super::Class::{StructuralZero, ZeroSign};
use super::einsum::{Contraction, Operand, spread};
use super::{Code, Definition, Match, Rule, Term, rule};
use crate::term::when;

/// An array that is zero wherever its indices along two axes differ.
struct Diagonal {
    axes: [usize; 2],
    values: Values,
}

/// What stands where the two indices are equal.
enum Values {
    /// This number.
    Uniform(Scalar),
    /// The elements of a value whose axis `i` is axis `dims[i]` of the array; repeated along all other axes.
    Of(Id, Vec<usize>),
    /// The elements of the array.
    Own,
}

/// How many definitions deep to look; equal values may be defined by each other.
const DEPTH: usize = 4;

/// The axis along which a value counts 0, 1, 2, …
fn counter(m: &Match<'_>, x: Id, depth: usize) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    // A narrow counter would start again and compare equal off the diagonal.
    let fits = |axis: usize, dtype: DType| {
        when(dtype.is_integer() && m.shape_of(x)[axis] as u128 <= 1 << (dtype.bits() - 1))?;
        Some(axis)
    };
    let definition = m.definition_among(x, &[Code::Iota, Code::Broadcast, Code::Convert])?;
    match definition.op {
        Op::Iota { axis, dtype, .. } => fits(*axis, *dtype),
        Op::BroadcastInDim { shape, dims } => {
            let axis = counter(m, definition.inputs[0], depth)?;
            when(m.shape_of(definition.inputs[0])[axis] == shape[dims[axis]])?;
            Some(dims[axis])
        }
        Op::Convert { dtype } => fits(counter(m, definition.inputs[0], depth)?, *dtype),
        op => unreachable!("asked for other ops than {}", op.name()),
    }
}

/// The axes whose indices a value compares, and whether it holds where they are equal (or where they differ).
fn mask(m: &Match<'_>, x: Id, depth: usize) -> Option<([usize; 2], bool)> {
    let depth = depth.checked_sub(1)?;
    let definition =
        m.definition_among(x, &[Code::Compare(Compare::Eq), Code::Compare(Compare::Ne), Code::Broadcast])?;
    match definition.op {
        Op::Compare(compare) => {
            let axes = [counter(m, definition.inputs[0], DEPTH)?, counter(m, definition.inputs[1], DEPTH)?];
            when(axes[0] != axes[1])?;
            Some((axes, *compare == Compare::Eq))
        }
        Op::BroadcastInDim { shape, dims } => {
            let (axes, equal) = mask(m, definition.inputs[0], depth)?;
            Some((repeated(m, definition.inputs[0], axes, shape, dims)?, equal))
        }
        op => unreachable!("asked for other ops than {}", op.name()),
    }
}

/// Where a broadcast puts two axes, if it repeats neither.
fn repeated(m: &Match<'_>, x: Id, axes: [usize; 2], shape: &[usize], dims: &[usize]) -> Option<[usize; 2]> {
    when(axes.iter().all(|&axis| m.shape_of(x)[axis] == shape[dims[axis]]))?;
    Some(axes.map(|axis| dims[axis]))
}

fn diagonal(m: &Match<'_>, x: Id, depth: usize) -> Option<Diagonal> {
    let depth = depth.checked_sub(1)?;
    let codes = [Code::Convert, Code::Select, Code::Broadcast, Code::Transpose, Code::Binary(Binary::Mul)];
    let definition = m.definition_among(x, &codes)?;
    match definition.op {
        Op::Convert { dtype } => {
            let (axes, equal) = mask(m, definition.inputs[0], DEPTH)?;
            when(equal)?;
            Some(Diagonal { axes, values: Values::Uniform(Scalar::one(*dtype)) })
        }
        Op::Select => {
            let [which, unequal, other] = *definition.inputs else { return None };
            let (axes, equal) = mask(m, which, DEPTH)?;
            let (zero, value) = if equal { (unequal, other) } else { (other, unequal) };
            m.is_number(zero, 0.0)?;
            if let Some(value) = m.splat(value) {
                return Some(Diagonal { axes, values: Values::Uniform(value) });
            }
            let source = m.definition(value, Code::Broadcast).and_then(|broadcast| {
                let Op::BroadcastInDim { shape, dims } = broadcast.op else { return None };
                let source = broadcast.inputs[0];
                let whole = dims.iter().zip(m.shape_of(source).iter()).all(|(&d, &extent)| shape[d] == extent);
                (whole && !axes.iter().all(|axis| dims.contains(axis))).then(|| Values::Of(source, dims.clone()))
            });
            Some(Diagonal { axes, values: source.unwrap_or(Values::Own) })
        }
        Op::Binary(_) => {
            let [x, _] = m.either_order_of(definition);
            Some(Diagonal { values: Values::Own, ..diagonal(m, x, depth)? })
        }
        Op::BroadcastInDim { shape, dims } => {
            let source = definition.inputs[0];
            let inner = diagonal(m, source, depth)?;
            let values = match inner.values {
                Values::Of(x, places) => Values::Of(x, places.into_iter().map(|place| dims[place]).collect()),
                values @ (Values::Uniform(_) | Values::Own) => values,
            };
            Some(Diagonal { axes: repeated(m, source, inner.axes, shape, dims)?, values })
        }
        Op::Transpose { permutation } => {
            let inner = diagonal(m, definition.inputs[0], depth)?;
            let place = |axis: usize| permutation.iter().position(|&p| p == axis).expect("a permutation");
            let values = match inner.values {
                Values::Of(x, places) => Values::Of(x, places.into_iter().map(place).collect()),
                values @ (Values::Uniform(_) | Values::Own) => values,
            };
            Some(Diagonal { axes: inner.axes.map(place), values })
        }
        op => unreachable!("asked for other ops than {}", op.name()),
    }
}

/// A dot of a diagonal array, along one of its two axes, as a product of elements. `wanted` says for which diagonals.
fn dot_of_diagonal(m: &Match<'_>, wanted: fn(&Values) -> bool) -> Option<Term> {
    let c = Contraction::of(m, Definition { op: m.op, inputs: m.inputs })?;
    let side = m.any(2)?;
    let Diagonal { axes, values } = diagonal(m, m.inputs[side], DEPTH)?;
    when(wanted(&values))?;
    let (own, other) = if side == 0 { (&c.lhs, &c.rhs) } else { (&c.rhs, &c.lhs) };
    // One of the two axes is contracted, the other takes the place of what it was contracted with.
    let [a, b] = axes.map(|axis| own.labels[axis]);
    let is_contracted = |label: usize| !c.out.contains(&label);
    let (kept, contracted) = match (is_contracted(a), is_contracted(b)) {
        (false, true) => (a, b),
        (true, false) => (b, a),
        (false, false) | (true, true) => return None,
    };
    when(!other.labels.contains(&kept) && c.extents[kept] == c.extents[contracted])?;
    // Nothing else is contracted.
    when(own.labels.iter().chain(&other.labels).all(|&label| label == contracted || c.out.contains(&label)))?;
    let renamed = |label: usize| if label == contracted { kept } else { label };
    let labels = other.labels.iter().map(|&label| renamed(label)).collect();
    let product = spread(Operand { term: other.term.clone(), labels }, &c.out, &c.extents);
    let factor = match values {
        Values::Uniform(value) if value == Scalar::one(value.dtype()) => return Some(product),
        Values::Uniform(value) => Term::full(value, &m.aval.shape),
        Values::Of(x, places) => {
            let labels = places.into_iter().map(|place| renamed(own.labels[place])).collect();
            spread(Operand { term: x.into(), labels }, &c.out, &c.extents)
        }
        Values::Own => {
            let axis = own.labels.iter().position(|&label| label == contracted).expect("its own");
            let sum = Op::Reduce { reducer: Reducer::Sum, axes: vec![axis] };
            let labels = own.labels.iter().copied().filter(|&label| label != contracted).collect();
            spread(Operand { term: Term::apply(sum, [own.term.clone()]), labels }, &c.out, &c.extents)
        }
    };
    Some(Term::binary(Binary::Mul, factor, product))
}

pub(super) static RULES: &[Rule] = &[
    // 0 * inf is NaN, so that only finite operands have the same product.
    rule("dot-of-identity", StructuralZero, DTypeSet::NUMBER, &[Code::Dot], "I A == A for finite A", |m| {
        dot_of_diagonal(m, |values| matches!(values, Values::Uniform(value) if *value == Scalar::one(value.dtype())))
    }),
    rule(
        "dot-of-diagonal",
        StructuralZero,
        DTypeSet::NUMBER,
        &[Code::Dot],
        "diag(d) A == d * A, row by row, for finite A",
        |m| {
            dot_of_diagonal(m, |values| match values {
                Values::Uniform(value) => *value != Scalar::one(value.dtype()),
                Values::Of(..) | Values::Own => true,
            })
        },
    ),
    rule(
        "sum-of-diagonal",
        ZeroSign,
        DTypeSet::NUMBER,
        &[Code::Reduce(Reducer::Sum)],
        "sum(diag(d)) over one of its two axes == d",
        |m| {
            let (_, axes) = super::reduce::reduce(m.op);
            let [summed] = *axes else { return None };
            let Diagonal { axes: [a, b], values } = diagonal(m, m.one(), DEPTH)?;
            let kept = match summed {
                _ if summed == a => b,
                _ if summed == b => a,
                _ => return None,
            };
            let extents = m.shape_of(m.one());
            when(extents[a] == extents[b])?;
            match values {
                Values::Uniform(value) => Some(Term::full(value, &m.aval.shape)),
                Values::Of(x, places) => {
                    let labels = places.into_iter().map(|place| if place == summed { kept } else { place }).collect();
                    let out: Vec<usize> = (0..extents.rank()).filter(|&axis| axis != summed).collect();
                    Some(spread(Operand { term: x.into(), labels }, &out, extents))
                }
                Values::Own => None,
            }
        },
    ),
];
