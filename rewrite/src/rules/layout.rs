//! Transpose, reshape, broadcast, reverse, and elementwise ops between them: pure data movement, all exact.

use rjax_ir::{DTypeSet, Op, Scalar, Shape};

use super::Class::Exact;
use super::{Match, Rule, Term, rule};
use crate::code::Code as C;
use crate::rules::einsum::{Operand, spread, unrepeated, without_units};
use crate::rules::elementwise::{BINARIES, UNARIES};
use crate::term::when;

const ANY: DTypeSet = DTypeSet::ANY;

fn permutation(op: &Op) -> &[usize] {
    let Op::Transpose { permutation } = op else { unreachable!("a transpose") };
    permutation
}

fn broadcast(op: &Op) -> (&Shape, &[usize]) {
    let Op::BroadcastInDim { shape, dims } = op else { unreachable!("a broadcast") };
    (shape, dims)
}

fn is_identity(permutation: &[usize]) -> bool {
    permutation.iter().enumerate().all(|(i, &p)| i == p)
}

/// An elementwise op on operands that are all repeated along some axis, computed once and then repeated: each operand becomes
/// an array of those axes along which some operand is not repeated. Axes of extent 1 that were put in count as repeated.
fn compute_once(m: &Match<'_>) -> Option<Term> {
    let rank = m.aval.rank();
    let mut varying = vec![false; rank];
    let mut operands: Vec<Option<Operand>> = Vec::new();
    for &x in m.inputs {
        if m.splat(x).is_some() {
            operands.push(None);
            continue;
        }
        let axes: Vec<usize> = (0..rank).collect();
        let operand = unrepeated(m, x, &axes).or_else(|| without_units(m, x, &axes))?;
        operand.labels.iter().for_each(|&axis| varying[axis] = true);
        operands.push(Some(operand));
    }
    let extents = &m.aval.shape;
    when(varying.contains(&false))?;
    when(operands.iter().any(Option::is_some))?;
    let axes: Vec<usize> = (0..rank).filter(|&axis| varying[axis]).collect();
    let shape: Shape = axes.iter().map(|&axis| extents[axis]).collect();
    let operands = m.inputs.iter().zip(operands).map(|(&x, operand)| match operand {
        Some(operand) => spread(operand, &axes, extents),
        None => Term::full(m.splat(x).expect("checked above"), &shape),
    });
    let inner = Term::apply(m.op.clone(), operands.collect::<Vec<_>>());
    Some(Term::apply(Op::BroadcastInDim { shape: extents.clone(), dims: axes }, [inner]))
}

pub(super) static RULES: &[Rule] = &[
    rule("iota-of-one", Exact, ANY, &[C::Iota], "counting along an axis of extent 1 == 0", |m| {
        let Op::Iota { dtype, shape, axis } = m.op else { return None };
        when(shape[*axis] == 1)?;
        Some(Term::full(Scalar::zero(*dtype), shape))
    }),
    rule("transpose-identity", Exact, ANY, &[C::Transpose], "transpose by the identity == x", |m| {
        when(is_identity(permutation(m.op)))?;
        Some(m.one().into())
    }),
    rule(
        "transpose-transpose",
        Exact,
        ANY,
        &[C::Transpose],
        "transpose(transpose(x)) == transpose(x) by the composition",
        |m| {
            let inner = m.definition(m.one(), C::Transpose)?;
            let composed = permutation(m.op).iter().map(|&p| permutation(inner.op)[p]).collect();
            Some(Term::transpose(inner.inputs[0], composed))
        },
    ),
    // The axes that have more than one element stay in order.
    rule(
        "transpose-of-units",
        Exact,
        ANY,
        &[C::Transpose],
        "a transpose that moves only axes of extent 1 is a reshape",
        |m| {
            let shape = m.shape_of(m.one());
            let moved: Vec<usize> = permutation(m.op).iter().copied().filter(|&p| shape[p] != 1).collect();
            when(moved.is_sorted() && !is_identity(permutation(m.op)))?;
            Some(Term::reshape(m.one(), m.aval.shape.clone()))
        },
    ),
    rule(
        "transpose-of-broadcast",
        Exact,
        ANY,
        &[C::Transpose],
        "transpose(broadcast(x)) == broadcast(transpose(x))",
        |m| {
            let inner = m.definition(m.one(), C::Broadcast)?;
            let (_, dims) = broadcast(inner.op);
            let permutation = permutation(m.op);
            let place = |dim: usize| permutation.iter().position(|&p| p == dim).expect("a permutation");
            let mut moved: Vec<(usize, usize)> =
                dims.iter().enumerate().map(|(axis, &dim)| (place(dim), axis)).collect();
            moved.sort();
            let (dims, axes): (Vec<usize>, Vec<usize>) = moved.into_iter().unzip();
            let x = Term::transpose(inner.inputs[0], axes);
            Some(Term::apply(Op::BroadcastInDim { shape: m.aval.shape.clone(), dims }, [x]))
        },
    ),
    rule("reshape-same", Exact, ANY, &[C::Reshape], "reshape to its own shape == x", |m| {
        when(m.shape_of(m.one()) == &m.aval.shape)?;
        Some(m.one().into())
    }),
    rule("reshape-reshape", Exact, ANY, &[C::Reshape], "reshape(reshape(x)) == reshape(x)", |m| {
        let inner = m.definition(m.one(), C::Reshape)?;
        Some(Term::reshape(inner.inputs[0], m.aval.shape.clone()))
    }),
    // Taking away the extents 1 that a broadcast had put in.
    rule(
        "reshape-of-broadcast",
        Exact,
        ANY,
        &[C::Reshape],
        "reshape(broadcast(x)) == reshape(x) if nothing is repeated",
        |m| {
            let inner = m.definition(m.one(), C::Broadcast)?;
            when(m.aval_of(inner.inputs[0]).size() == m.aval.size())?;
            Some(Term::reshape(inner.inputs[0], m.aval.shape.clone()))
        },
    ),
    rule("broadcast-identity", Exact, ANY, &[C::Broadcast], "broadcast to its own shape == x", |m| {
        let (shape, _) = broadcast(m.op);
        when(m.shape_of(m.one()) == shape)?;
        Some(m.one().into())
    }),
    rule("broadcast-broadcast", Exact, ANY, &[C::Broadcast], "broadcast(broadcast(x)) == broadcast(x)", |m| {
        let inner = m.definition(m.one(), C::Broadcast)?;
        let ((shape, outer), (_, dims)) = (broadcast(m.op), broadcast(inner.op));
        let dims = dims.iter().map(|&d| outer[d]).collect();
        Some(Term::apply(Op::BroadcastInDim { shape: shape.clone(), dims }, [inner.inputs[0].into()]))
    }),
    // A reshape that only puts in or takes away extents 1 is something a broadcast can do itself.
    rule(
        "broadcast-of-reshape",
        Exact,
        ANY,
        &[C::Broadcast],
        "broadcast(reshape(x)) == broadcast(x) if only axes of extent 1 come and go",
        |m| {
            let inner = m.definition(m.one(), C::Reshape)?;
            let (shape, dims) = broadcast(m.op);
            let (from, to) = (m.shape_of(inner.inputs[0]), m.shape_of(m.one()));
            // Each axis of the source that is not 1 is the next of the target that is not 1.
            let mut targets = (0..to.rank()).filter(|&axis| to[axis] != 1);
            when(from.iter().all(|&extent| extent != 1))?;
            let dims: Option<Vec<usize>> =
                from.iter().map(|&extent| targets.next().filter(|&t| to[t] == extent).map(|t| dims[t])).collect();
            when(targets.next().is_none())?;
            Some(Term::apply(Op::BroadcastInDim { shape: shape.clone(), dims: dims? }, [inner.inputs[0].into()]))
        },
    ),
    rule("reverse-nothing", Exact, ANY, &[C::Reverse], "reversing axes of extent 1 == x", |m| {
        let Op::Reverse { axes } = m.op else { return None };
        when(axes.iter().all(|&axis| m.aval.shape[axis] <= 1))?;
        Some(m.one().into())
    }),
    rule("reverse-reverse", Exact, ANY, &[C::Reverse], "reverse(reverse(x)) == x", |m| {
        let Op::Reverse { axes } = m.op else { return None };
        let inner = m.definition(m.one(), C::Reverse)?;
        let Op::Reverse { axes: before } = inner.op else { return None };
        let once = |axis: &usize| axes.contains(axis) != before.contains(axis);
        let axes: Vec<usize> = (0..m.aval.rank()).filter(once).collect();
        Some(if axes.is_empty() {
            inner.inputs[0].into()
        } else {
            Term::apply(Op::Reverse { axes }, [inner.inputs[0].into()])
        })
    }),
    rule("elementwise-of-broadcast", Exact, ANY, UNARIES, "f(broadcast(x)) == broadcast(f(x))", compute_once),
    rule(
        "elementwise-of-broadcasts",
        Exact,
        ANY,
        BINARIES,
        "f(broadcast(x), broadcast(y)) == broadcast(f(x, y)), where both are repeated along an axis",
        compute_once,
    ),
    rule("elementwise-of-transpose", Exact, ANY, UNARIES, "f(transpose(x)) == transpose(f(x))", |m| {
        let inner = m.definition(m.one(), C::Transpose)?;
        Some(Term::transpose(Term::apply(m.op.clone(), [inner.inputs[0].into()]), permutation(inner.op).to_vec()))
    })
    .growing(),
    rule(
        "elementwise-of-transposes",
        Exact,
        ANY,
        BINARIES,
        "f(transpose(x), transpose(y)) == transpose(f(x, y))",
        |m| {
            let [x, y] = m.two();
            let side = |id| match m.splat(id) {
                Some(value) => Some((Err(value), None)),
                None => m.definition(id, C::Transpose).map(|d| (Ok(d.inputs[0]), Some(permutation(d.op)))),
            };
            let ((x, p), (y, q)) = (side(x)?, side(y)?);
            when(p.is_none() || q.is_none() || p == q)?;
            let permutation = p.or(q)?.to_vec();
            let source = x.or(y).ok()?;
            let shape = m.shape_of(source);
            let term = |side: Result<egg::Id, rjax_ir::Scalar>| match side {
                Ok(id) => id.into(),
                Err(value) => Term::full(value, shape),
            };
            Some(Term::transpose(Term::apply(m.op.clone(), [term(x), term(y)]), permutation))
        },
    )
    .growing(),
];
