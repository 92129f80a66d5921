//! One-hot arrays: a product with zeros everywhere but at one index picks what is at that index.
//!
//! They are recognised as they are made, by comparing indices with a counter. Cross-entropy with integer labels and lookups
//! of embeddings are written like this.

use egg::Id;
use rjax_ir::{Binary, Compare, DTypeSet, Gather, IndexMode, Op, Reducer, Scalar, Shape};

use super::Class::StructuralZero;
use super::einsum::{Contraction, Operand, spread};
use super::structure::{DEPTH, counter};
use super::{Code, Definition, Match, Rule, Term, rule};
use crate::term::when;

/// An array that is 1 where the index along an axis is the element of `indices`, whose axis i is axis `dims[i]` of the array,
/// and otherwise 0.
struct OneHot {
    axis: usize,
    indices: Id,
    dims: Vec<usize>,
}

fn one_hot(m: &Match<'_>, x: Id) -> Option<OneHot> {
    let convert = m.definition(x, Code::Convert)?;
    let compare = m.definition(convert.inputs[0], Code::Compare(Compare::Eq))?;
    let [indices, count] = m.either_order_of(compare);
    let axis = counter(m, count, DEPTH)?;
    let broadcast = m.definition(indices, Code::Broadcast)?;
    let Op::BroadcastInDim { shape, dims } = broadcast.op else { return None };
    let source = broadcast.inputs[0];
    let whole = dims.iter().zip(m.shape_of(source).iter()).all(|(&d, &extent)| shape[d] == extent);
    when(whole && !dims.contains(&axis))?;
    Some(OneHot { axis, indices: source, dims: dims.clone() })
}

impl OneHot {
    /// The indices as an array with these axes of the one-hot array, and one more for the index vector.
    fn vectors(&self, axes: &[usize], extents: &[usize]) -> Term {
        let indices = Operand { term: self.indices.into(), labels: self.dims.as_slice().into() };
        let shape: Vec<usize> = axes.iter().map(|&axis| extents[axis]).chain([1]).collect();
        Term::reshape(spread(indices, axes, extents), shape.into())
    }
}

/// A gather of single elements or slices at indices of one component.
fn gather(axis: usize, slice_sizes: Vec<usize>, value: Scalar) -> Gather {
    Gather {
        offset_dims: vec![],
        collapsed_slice_dims: vec![axis],
        operand_batching_dims: vec![],
        start_indices_batching_dims: vec![],
        start_index_map: vec![axis],
        slice_sizes,
        mode: IndexMode::FillOrDrop,
        fill_value: Some(value),
        unique_indices: false,
        indices_are_sorted: false,
    }
}

pub(super) static RULES: &[Rule] = &[
    rule(
        "sum-of-one-hot",
        StructuralZero,
        DTypeSet::NUMBER,
        &[Code::Reduce(Reducer::Sum)],
        "sum(one_hot(i) * x) == x[i], or 0 where i is out of range",
        |m| {
            let (_, axes) = super::reduce::reduce(m.op);
            let [factor, x] = m.either_order_of(m.definition(m.one(), Code::Binary(Binary::Mul))?);
            let hot = one_hot(m, factor)?;
            when(axes.contains(&hot.axis))?;
            let extents: &Shape = m.shape_of(x);
            // A window of one element needs one.
            when(m.aval_of(x).size() > 0)?;
            let others: Vec<usize> = (0..extents.rank()).filter(|&axis| axis != hot.axis).collect();
            let gather = Gather {
                operand_batching_dims: others.clone(),
                start_indices_batching_dims: (0..others.len()).collect(),
                ..gather(hot.axis, vec![1; extents.rank()], Scalar::zero(m.aval.dtype))
            };
            let picked = Term::apply(Op::Gather(gather), [x.into(), hot.vectors(&others, extents)]);
            let rest: Vec<usize> = (0..others.len()).filter(|&i| axes.contains(&others[i])).collect();
            Some(match rest.is_empty() {
                true => picked,
                false => Term::apply(Op::Reduce { reducer: Reducer::Sum, axes: rest }, [picked]),
            })
        },
    ),
    rule(
        "dot-of-one-hot",
        StructuralZero,
        DTypeSet::NUMBER,
        &[Code::Dot],
        "one_hot(i) W == W[i], or 0 where i is out of range",
        |m| {
            let Op::DotGeneral(dot) = m.op else { return None };
            let c = Contraction::of(m, Definition { op: m.op, inputs: m.inputs })?;
            let side = m.any(2)?;
            let hot = one_hot(m, m.inputs[side])?;
            let (own, other) = if side == 0 { (&c.lhs, &c.rhs) } else { (&c.rhs, &c.lhs) };
            let contracted = own.labels[hot.axis];
            when(dot.lhs_batch.is_empty() && dot.lhs_contracting.len() == 1 && !c.out.contains(&contracted))?;
            let axis = other.labels.iter().position(|&label| label == contracted)?;
            let shape = m.shape_of(m.inputs[1 - side]);
            when(m.aval_of(m.inputs[1 - side]).size() > 0)?;
            let slice_sizes = (0..shape.rank()).map(|i| if i == axis { 1 } else { shape[i] }).collect();
            let own_axes = m.shape_of(m.inputs[side]);
            let kept: Vec<usize> = (0..own_axes.rank()).filter(|&axis| axis != hot.axis).collect();
            let first = if side == 0 { kept.len() } else { 0 };
            let gather = Gather {
                offset_dims: (first..first + shape.rank() - 1).collect(),
                ..gather(axis, slice_sizes, Scalar::zero(m.aval.dtype))
            };
            Some(Term::apply(Op::Gather(gather), [m.inputs[1 - side].into(), hot.vectors(&kept, own_axes)]))
        },
    ),
];
