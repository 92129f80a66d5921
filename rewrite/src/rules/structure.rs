//! Identity and diagonal matrices: what is zero wherever two indices differ need not be multiplied and summed.
//!
//! Such arrays are recognised as they are made: a comparison of two counters, converted to a number, or selecting
//! between zero and something else.

use egg::Id;
use rjax_ir::{Binary, Compare, DType, DTypeSet, Op, PadDim, Reducer, Scalar, Slice};

use super::Class::{StructuralZero, ZeroSign};
use super::einsum::{Contraction, Operand, spread};
use super::{Code, Definition, Match, Rule, Term, rule};
use crate::term::when;

/// An array that is zero wherever its indices along two axes differ.
pub(super) struct Diagonal {
    pub axes: [usize; 2],
    pub values: Values,
}

/// What stands where the two indices are equal.
pub(super) enum Values {
    /// This number.
    Uniform(Scalar),
    /// The elements of a value whose axis `i` is axis `dims[i]` of the array; repeated along all other axes.
    Of(Id, Vec<usize>),
    /// The elements of the array.
    Own,
}

/// How many definitions deep to look; equal values may be defined by each other.
pub(super) const DEPTH: usize = 4;

/// The axis along which a value counts 0, 1, 2, …
pub(super) fn counter(m: &Match<'_>, x: Id, depth: usize) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    // A narrow counter would start again and compare equal off the diagonal.
    let fits = |axis: usize, dtype: DType| {
        when(dtype.is_integer() && m.shape_of(x)[axis] as u128 <= 1 << (dtype.bits() - 1))?;
        Some(axis)
    };
    let definition = m.definition_among(x, &[Code::Iota, Code::Broadcast, Code::Convert])?;
    if let Op::Iota { axis, dtype, .. } = definition.op {
        return fits(*axis, *dtype);
    }
    let axis = counter(m, definition.inputs[0], depth)?;
    if let Op::BroadcastInDim { shape, dims } = definition.op {
        when(m.shape_of(definition.inputs[0])[axis] == shape[dims[axis]])?;
        return Some(dims[axis]);
    }
    fits(axis, m.dtype_of(x))
}

/// The axes whose indices a value compares, and whether it holds where they are equal (or where they differ).
pub(super) fn mask(m: &Match<'_>, x: Id, depth: usize) -> Option<([usize; 2], bool)> {
    let depth = depth.checked_sub(1)?;
    let definition =
        m.definition_among(x, &[Code::Compare(Compare::Eq), Code::Compare(Compare::Ne), Code::Broadcast])?;
    if let Op::BroadcastInDim { shape, dims } = definition.op {
        let (axes, equal) = mask(m, definition.inputs[0], depth)?;
        return Some((repeated(m, definition.inputs[0], axes, shape, dims)?, equal));
    }
    let axes = [counter(m, definition.inputs[0], DEPTH)?, counter(m, definition.inputs[1], DEPTH)?];
    when(axes[0] != axes[1])?;
    Some((axes, *definition.op == Op::Compare(Compare::Eq)))
}

/// Where a broadcast puts two axes, if it repeats neither.
fn repeated(m: &Match<'_>, x: Id, axes: [usize; 2], shape: &[usize], dims: &[usize]) -> Option<[usize; 2]> {
    when(axes.iter().all(|&axis| m.shape_of(x)[axis] == shape[dims[axis]]))?;
    Some(axes.map(|axis| dims[axis]))
}

pub(super) fn diagonal(m: &Match<'_>, x: Id, depth: usize) -> Option<Diagonal> {
    let depth = depth.checked_sub(1)?;
    let moves = [Code::Broadcast, Code::Transpose, Code::Reshape];
    let codes = [&moves[..], &[Code::Convert, Code::Select, Code::Binary(Binary::Mul)]].concat();
    let definition = m.definition_among(x, &codes)?;
    let code = Code::of(definition.op);
    if code == Code::Reshape {
        return spaced(m, definition.inputs[0], m.shape_of(x));
    }
    if code == Code::Convert {
        let (axes, equal) = mask(m, definition.inputs[0], DEPTH)?;
        when(equal)?;
        return Some(Diagonal { axes, values: Values::Uniform(Scalar::one(m.dtype_of(x))) });
    }
    if code == Code::Select {
        return selected(m, definition);
    }
    if code == Code::Binary(Binary::Mul) {
        let [factor, other] = m.either_order_of(definition);
        let Diagonal { axes, values } = diagonal(m, factor, depth)?;
        let is_one = matches!(values, Values::Uniform(value) if value == Scalar::one(value.dtype()));
        let scale = m.splat(other).filter(|scale| is_one && scale.to_c128().is_finite());
        let values = match scale {
            Some(scale) => Values::Uniform(scale),
            None if is_one => values_of(m, other, axes).unwrap_or(Values::Own),
            None => Values::Own,
        };
        return Some(Diagonal { axes, values });
    }
    moved(m, definition, diagonal(m, definition.inputs[0], depth)?)
}

/// The diagonal of a selection between zero and something else.
fn selected(m: &Match<'_>, select: Definition<'_>) -> Option<Diagonal> {
    let [which, unequal, other] = *select.inputs else { return None };
    let (axes, equal) = mask(m, which, DEPTH)?;
    let (zero, value) = if equal { (unequal, other) } else { (other, unequal) };
    m.is_number(zero, 0.0)?;
    if let Some(value) = m.splat(value) {
        return Some(Diagonal { axes, values: Values::Uniform(value) });
    }
    Some(Diagonal { axes, values: values_of(m, value, axes).unwrap_or(Values::Own) })
}

/// A square matrix laid out in a row, in which one element in so many as follow each other on its diagonal is not zero.
fn spaced(m: &Match<'_>, x: Id, shape: &[usize]) -> Option<Diagonal> {
    let pad = m.definition(x, Code::Pad)?;
    let Op::Pad { padding } = pad.op else { return None };
    let ([PadDim { low: 0, interior, .. }], &[rows, columns]) = (&padding[..], shape) else { return None };
    m.is_number(pad.inputs[1], 0.0)?;
    when(rows == columns && *interior == columns && m.shape_of(pad.inputs[0])[..] == [rows])?;
    Some(Diagonal { axes: [0, 1], values: Values::Of(pad.inputs[0], vec![0]) })
}

/// What a broadcast has on the diagonal along two axes, if it is repeated along one of them.
fn values_of(m: &Match<'_>, x: Id, axes: [usize; 2]) -> Option<Values> {
    let broadcast = m.definition(x, Code::Broadcast)?;
    let Op::BroadcastInDim { shape, dims } = broadcast.op else { return None };
    let source = broadcast.inputs[0];
    let whole = dims.iter().zip(m.shape_of(source).iter()).all(|(&d, &extent)| shape[d] == extent);
    (whole && !axes.iter().all(|axis| dims.contains(axis))).then(|| Values::Of(source, dims.clone()))
}

/// The diagonal of a broadcast or transpose of a diagonal array.
fn moved(m: &Match<'_>, by: Definition<'_>, inner: Diagonal) -> Option<Diagonal> {
    let (axes, places): (_, Vec<usize>) = if let Op::BroadcastInDim { shape, dims } = by.op {
        (repeated(m, by.inputs[0], inner.axes, shape, dims)?, dims.clone())
    } else {
        let Op::Transpose { permutation } = by.op else { return None };
        let place = |axis: usize| permutation.iter().position(|&p| p == axis).expect("a permutation");
        (inner.axes.map(place), (0..permutation.len()).map(place).collect())
    };
    let values = match inner.values {
        Values::Of(x, dims) => Values::Of(x, dims.into_iter().map(|dim| places[dim]).collect()),
        values @ (Values::Uniform(_) | Values::Own) => values,
    };
    Some(Diagonal { axes, values })
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
    when(!other.labels.contains(&kept))?;
    // Of a matrix that is not square the diagonal ends with the shorter axis.
    let (length, given) = (c.extents[kept], c.extents[contracted]);
    when(length == given || matches!(values, Values::Uniform(_)))?;
    // Nothing else is contracted.
    when(own.labels.iter().chain(&other.labels).all(|&label| label == contracted || c.out.contains(&label)))?;
    let renamed = |label: usize| if label == contracted { kept } else { label };
    let labels = other.labels.iter().map(|&label| renamed(label)).collect();
    let axis = other.labels.iter().position(|&label| label == contracted).expect("both are contracted along it");
    let term = resized(m, m.inputs[1 - side], axis, length);
    let product = spread(Operand { term, labels }, &c.out, &c.extents);
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

/// An array cut along an axis, or filled up with zeros.
fn resized(m: &Match<'_>, x: Id, axis: usize, length: usize) -> Term {
    let shape = m.shape_of(x);
    if length <= shape[axis] {
        let mut slice = Slice { starts: vec![0; shape.rank()], limits: shape.to_vec(), strides: vec![1; shape.rank()] };
        slice.limits[axis] = length;
        return if length == shape[axis] { x.into() } else { Term::apply(Op::Slice(slice), [x.into()]) };
    }
    let mut padding = vec![PadDim { low: 0, high: 0, interior: 0 }; shape.rank()];
    padding[axis].high = (length - shape[axis]) as i64;
    Term::apply(Op::Pad { padding }, [x.into(), Term::Literal(Scalar::zero(m.dtype_of(x)))])
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
    rule(
        "scale-of-diagonal",
        StructuralZero,
        DTypeSet::NUMBER,
        &[Code::Binary(Binary::Mul)],
        "u * diag(v), row by row or column by column == diag(u * v), for finite u",
        |m| {
            let [factor, x] = m.either_order();
            let [which, unequal, other] = *m.definition(x, Code::Select)?.inputs else { return None };
            let (axes, equal) = mask(m, which, DEPTH)?;
            let (zero, values) = if equal { (unequal, other) } else { (other, unequal) };
            m.is_number(zero, 0.0)?;
            let (u, v) = (m.definition(factor, Code::Broadcast)?, m.definition(values, Code::Broadcast)?);
            let (Op::BroadcastInDim { dims: rows, .. }, Op::BroadcastInDim { dims: columns, shape }) = (u.op, v.op)
            else {
                return None;
            };
            // Along the diagonal it does not matter which of the two axes they go along.
            let along = |dims: &[usize]| matches!(dims, [axis] if axes.contains(axis));
            let square = shape[axes[0]] == shape[axes[1]];
            when(rows == columns || square && along(rows) && along(columns))?;
            let (u, v) = (u.inputs[0], v.inputs[0]);
            when(m.aval_of(u) == m.aval_of(v) && m.aval_of(u).size() < m.aval.size())?;
            let product = Term::apply(
                Op::BroadcastInDim { dims: columns.clone(), shape: shape.clone() },
                [Term::binary(Binary::Mul, u, v)],
            );
            let (zero, which) = (Term::from(zero), Term::from(which));
            Some(Term::apply(Op::Select, if equal { [which, zero, product] } else { [which, product, zero] }))
        },
    ),
];
