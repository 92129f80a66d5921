//! Parts of products: slices, rows at computed indices, diagonals and traces need only parts of the factors.

use egg::Id;
use rjax_ir::{
    Binary, Compare, Cumulative, CumulativeKind, DType, DTypeSet, Gather, IndexMode, Op, Reducer, Scalar, Shape, Slice,
};

use super::Class::{Exact, Order, Rounding, StructuralZero};
use super::dot::merged_axes;
use super::einsum::{Contraction, Label, Operand, arrange};
use super::structure::{DEPTH, Values, counter, diagonal, mask};
use super::{Code, Definition, Match, Rule, Term, rule};
use crate::term::when;

const SUM: &[Code] = &[Code::Reduce(Reducer::Sum)];

/// The sum along one or both axes a and b of a product of matrices of which only the elements with equal indices along a and b
/// count: the same product with one label for both axes. Where axes of the product were merged, as in a Kronecker product, its own
/// axes meet in pairs.
fn sum_of_diagonal_of_dot(m: &Match<'_>, [a, b]: [usize; 2], product: Id) -> Option<Term> {
    let (_, axes) = super::reduce::reduce(m.op);
    let (product, groups) = if m.any(2)? == 0 {
        (product, (0..m.aval_of(product).rank()).map(|axis| axis..axis + 1).collect())
    } else {
        let source = m.definition(product, Code::Reshape)?.inputs[0];
        (source, merged_axes(m.shape_of(source), m.shape_of(product))?)
    };
    let inner = m.definition_among(product, &[Code::Dot, Code::Binary(Binary::Mul)])?;
    let mut c = if matches!(inner.op, Op::DotGeneral(_)) {
        Contraction::of(m, inner)?
    } else {
        Contraction::of_summed_product(m, inner, &[])?
    };
    let (kept, other) = if axes.contains(&b) { (a, b) } else { (b, a) };
    when(axes.contains(&other) && groups[kept].len() == groups[other].len())?;
    // What is left has the axes of the result.
    when((0..groups.len()).all(|axis| axes.contains(&axis) || groups[axis].len() == 1))?;
    let pairs: Vec<_> = groups[kept].clone().zip(groups[other].clone()).map(|(a, b)| (c.out[a], c.out[b])).collect();
    for (label, renamed) in pairs {
        when(c.extents[label] == c.extents[renamed])?;
        c.lhs = with_one_label(&c.lhs, [label, renamed], &c.extents, m.dtype_of(inner.inputs[0]));
        c.rhs = with_one_label(&c.rhs, [label, renamed], &c.extents, m.dtype_of(inner.inputs[1]));
    }
    let is_summed =
        |axis: &usize| groups.iter().enumerate().any(|(i, group)| axes.contains(&i) && group.contains(axis));
    c.out = (0..c.out.len()).filter(|axis| !is_summed(axis)).map(|axis| c.out[axis]).collect();
    c.finish(&c.summed(&c.lhs, &c.rhs), &c.summed(&c.rhs, &c.lhs))
}

/// An operand with the first label in the place of the second; the diagonal of one that has both.
fn with_one_label(x: &Operand, [label, renamed]: [Label; 2], extents: &[usize], dtype: DType) -> Operand {
    let place = |label: Label| x.labels.iter().position(|&l| l == label);
    let mut labels = x.labels.clone();
    let Some(axis) = place(renamed) else { return x.clone() };
    let Some(other) = place(label) else {
        labels[axis] = label;
        return Operand { term: x.term.clone(), labels };
    };
    labels.remove(axis);
    let shape: Shape = x.labels.iter().map(|&label| extents[label]).collect();
    let count = |axis| Term::apply(Op::Iota { axis, dtype: DType::I32, shape: shape.clone() }, []);
    let equal = Term::apply(Op::Compare(Compare::Eq), [count(other), count(axis)]);
    let zeros = Term::full(Scalar::zero(dtype), &shape);
    let diagonal = Term::apply(Op::Select, [equal, zeros, x.term.clone()]);
    Operand { term: Term::apply(Op::Reduce { reducer: Reducer::Sum, axes: vec![axis] }, [diagonal]), labels }
}

/// A product of matrices whose result has axes a and b cut to `length` elements from some start, and these two made one: the
/// labels of the result but for b, which has gone into that of a.
fn joined(
    m: &Match<'_>,
    product: Definition<'_>,
    [a, b]: [usize; 2],
    starts: [usize; 2],
    length: usize,
) -> Option<Contraction> {
    let mut c = Contraction::of(m, product)?;
    let labels = [c.out[a], c.out[b]];
    let extents = c.extents.clone();
    for (x, id) in [&mut c.lhs, &mut c.rhs].into_iter().zip(product.inputs) {
        let places = labels.map(|label| x.labels.iter().position(|&l| l == label));
        let (axis, start, label) = match places {
            [Some(axis), None] => (axis, starts[0], labels[0]),
            [None, Some(axis)] => (axis, starts[1], labels[1]),
            [Some(_), Some(_)] | [None, None] => return None,
        };
        x.labels[axis] = labels[0];
        if extents[label] != length {
            let shape = m.shape_of(*id);
            let mut slice =
                Slice { starts: vec![0; shape.rank()], limits: shape.to_vec(), strides: vec![1; shape.rank()] };
            (slice.starts[axis], slice.limits[axis]) = (start, start + length);
            x.term = Term::apply(Op::Slice(slice), [x.term.clone()]);
        }
    }
    c.extents[labels[0]] = length;
    c.out.remove(b);
    Some(c)
}

/// The window of a slice of a product that an operand must give.
fn window(c: &Contraction, x: &Operand, rank: usize, part: impl Fn(usize) -> (usize, usize, usize)) -> Slice {
    let mut slice = Slice { starts: vec![0; rank], limits: vec![0; rank], strides: vec![1; rank] };
    for (axis, label) in x.labels.iter().enumerate() {
        let place = c.out.iter().position(|l| l == label);
        let (start, limit, stride) = place.map_or((0, c.extents[*label], 1), &part);
        (slice.starts[axis], slice.limits[axis], slice.strides[axis]) = (start, limit, stride);
    }
    slice
}

pub(super) static RULES: &[Rule] = &[
    rule("slice-of-dot", Order, DTypeSet::ANY, &[Code::Slice], "slice(dot(x, y)) == dot(slice(x), slice(y))", |m| {
        let Op::Slice(outer) = m.op else { return None };
        let inner = m.definition(m.one(), Code::Dot)?;
        let c = Contraction::of(m, inner)?;
        let sliced = |x: &Operand, id: Id| {
            let shape = m.shape_of(id);
            let part = |place: usize| (outer.starts[place], outer.limits[place], outer.strides[place]);
            let slice = window(&c, x, shape.rank(), part);
            let whole = slice.starts.iter().all(|&s| s == 0)
                && slice.limits[..] == shape[..]
                && slice.strides.iter().all(|&s| s == 1);
            if whole { x.term.clone() } else { Term::apply(Op::Slice(slice), [x.term.clone()]) }
        };
        let (lhs, rhs) = (sliced(&c.lhs, inner.inputs[0]), sliced(&c.rhs, inner.inputs[1]));
        Some(Term::apply(inner.op.clone(), [lhs, rhs]))
    })
    .growing(),
    // The operands' axes have the extents of the result's, so that starts are clamped alike.
    rule(
        "dynamic-slice-of-dot",
        Order,
        DTypeSet::ANY,
        &[Code::DynamicSlice],
        "dynamic_slice(dot(x, y)) == dot(dynamic_slice(x), dynamic_slice(y))",
        |m| {
            let inner = m.definition(m.inputs[0], Code::Dot)?;
            let c = Contraction::of(m, inner)?;
            let starts = &m.inputs[1..];
            let zero = Term::Literal(rjax_ir::Scalar::zero(m.dtype_of(*starts.first()?)));
            let sliced = |x: &Operand| {
                let place = |label: &Label| c.out.iter().position(|l| l == label);
                let cut = |label: &Label| place(label).is_some_and(|p| m.aval.shape[p] != c.extents[*label]);
                if !x.labels.iter().any(cut) {
                    return x.term.clone();
                }
                let sizes = x.labels.iter().map(|l| place(l).map_or(c.extents[*l], |p| m.aval.shape[p])).collect();
                let starts = x.labels.iter().map(|l| place(l).map_or(zero.clone(), |p| starts[p].into()));
                Term::apply(Op::DynamicSlice { sizes }, [x.term.clone()].into_iter().chain(starts))
            };
            Some(Term::apply(inner.op.clone(), [sliced(&c.lhs), sliced(&c.rhs)]))
        },
    )
    .growing(),
    // Rows that are out of range are NaN in the operand as in the result.
    rule(
        "gather-of-dot",
        Rounding,
        DTypeSet::FLOAT,
        &[Code::Gather],
        "rows of A B at computed indices == rows of A at these indices, times B",
        |m| {
            let Op::Gather(gather) = m.op else { return None };
            let [axis] = gather.start_index_map[..] else { return None };
            when(gather.collapsed_slice_dims == [axis] && gather.operand_batching_dims.is_empty())?;
            when(gather.fill_value.is_none() || gather.mode != IndexMode::FillOrDrop)?;
            let mut c = Contraction::of(m, m.definition(m.inputs[0], Code::Dot)?)?;
            let shape = m.shape_of(m.inputs[0]);
            when((0..shape.rank()).all(|i| i == axis || gather.slice_sizes[i] == shape[i]))?;
            let row = c.out[axis];
            let side = [&c.lhs, &c.rhs].iter().position(|x| x.labels.contains(&row))?;
            let (own, other) = if side == 0 { (c.lhs.clone(), c.rhs.clone()) } else { (c.rhs.clone(), c.lhs.clone()) };
            when(!other.labels.contains(&row))?;
            // A sum of nothing would be 0, not NaN.
            when(own.labels.iter().all(|&label| c.extents[label] > 0))?;
            let place = own.labels.iter().position(|&label| label == row)?;
            let indices = m.shape_of(m.inputs[1]);
            let count = indices.rank() - 1;
            // The axes of the indices come first, under new names.
            let new: Vec<Label> = (0..count).map(|i| c.extents.len() + i).collect();
            c.extents.extend_from_slice(&indices[..count]);
            let rest: Vec<Label> = own.labels.iter().copied().filter(|&label| label != row).collect();
            let slice_sizes = own.labels.iter().map(|&label| if label == row { 1 } else { c.extents[label] }).collect();
            let rows = Gather {
                offset_dims: (count..count + rest.len()).collect(),
                collapsed_slice_dims: vec![place],
                start_index_map: vec![place],
                slice_sizes,
                ..gather.clone()
            };
            let term = Term::apply(Op::Gather(rows), [own.term.clone(), m.inputs[1].into()]);
            let own = Operand { term, labels: new.iter().chain(&rest).copied().collect() };
            let (mut windows, mut indices) = (c.out.iter().copied().filter(|&label| label != row), new.into_iter());
            let out: Vec<Label> = (0..m.aval.rank())
                .filter_map(|i| if gather.offset_dims.contains(&i) { windows.next() } else { indices.next() })
                .collect();
            let needed = |label: Label| out.contains(&label);
            let result =
                if side == 0 { c.contract(&own, &other, &needed)? } else { c.contract(&other, &own, &needed)? };
            Some(arrange(result, &out))
        },
    )
    .growing(),
    rule("slice-of-reduce", Order, DTypeSet::ANY, &[Code::Slice], "slice(sum(x)) == sum(slice(x))", |m| {
        let Op::Slice(outer) = m.op else { return None };
        let inner = m.definition_among(
            m.one(),
            &[Code::Reduce(Reducer::Sum), Code::Reduce(Reducer::Max), Code::Reduce(Reducer::Min)],
        )?;
        let (_, axes) = super::reduce::reduce(inner.op);
        let shape = m.shape_of(inner.inputs[0]);
        let mut slice = Slice { starts: vec![], limits: vec![], strides: vec![] };
        let mut place = 0;
        for (axis, &extent) in shape.iter().enumerate() {
            let gone = axes.contains(&axis);
            slice.starts.push(if gone { 0 } else { outer.starts[place] });
            slice.limits.push(if gone { extent } else { outer.limits[place] });
            slice.strides.push(if gone { 1 } else { outer.strides[place] });
            place += usize::from(!gone);
        }
        Some(Term::apply(inner.op.clone(), [Term::apply(Op::Slice(slice), [inner.inputs[0].into()])]))
    })
    .growing(),
    rule("last-of-cumsum", Order, DTypeSet::ANY, &[Code::Slice], "the last element of cumsum(x) == sum(x)", |m| {
        let Op::Slice(outer) = m.op else { return None };
        let inner = m.definition(m.one(), Code::Cumulative(CumulativeKind::Sum))?;
        let Op::Cumulative(Cumulative { axis, reverse, .. }) = inner.op else { return None };
        let shape = m.shape_of(m.one());
        let last = if *reverse { 0 } else { shape[*axis].checked_sub(1)? };
        when(m.aval.shape[*axis] == 1 && outer.starts[*axis] == last)?;
        when((0..shape.rank()).all(|i| i == *axis || m.aval.shape[i] == shape[i]))?;
        let sum = Term::apply(Op::Reduce { reducer: Reducer::Sum, axes: vec![*axis] }, [inner.inputs[0].into()]);
        Some(Term::reshape(sum, m.aval.shape.clone()))
    }),
    rule(
        "diagonal-of-dot",
        Order,
        DTypeSet::ANY,
        &[Code::Slice, Code::Gather],
        "the diagonal of A B is a product for each of its elements",
        |m| {
            if let Op::Gather(gather) = m.op {
                let [a, b] = gather.start_index_map[..] else { return None };
                when(a < b && gather.collapsed_slice_dims == [a, b] && gather.operand_batching_dims.is_empty())?;
                let indices = m.definition(m.inputs[1], Code::Concatenate)?;
                when(indices.inputs.len() == 2 && m.shape_of(m.inputs[1]).rank() == 2)?;
                // Index (i, i) for every i.
                when(indices.inputs.iter().all(|&x| m.shape_of(x)[1] == 1 && counter(m, x, DEPTH) == Some(0)))?;
                let (shape, length) = (m.shape_of(m.inputs[0]), m.shape_of(m.inputs[1])[0]);
                when(length <= shape[a].min(shape[b]))?;
                when((0..shape.rank()).all(|i| i == a || i == b || gather.slice_sizes[i] == shape[i]))?;
                let mut c = joined(m, m.definition(m.inputs[0], Code::Dot)?, [a, b], [0, 0], length)?;
                let diagonal = c.out.remove(a);
                let place = (0..m.aval.rank()).find(|axis| !gather.offset_dims.contains(axis))?;
                c.out.insert(place, diagonal);
                return c.finish(&c.lhs, &c.rhs);
            }
            // In the flattened matrix the diagonal is every element of a number one greater than that of the columns.
            let Op::Slice(slice) = m.op else { return None };
            let reshape = m.definition(m.one(), Code::Reshape)?;
            let (shape, flat) = (m.shape_of(reshape.inputs[0]), m.shape_of(m.one()));
            let last = flat.rank().checked_sub(1)?;
            when(
                shape.rank() == flat.rank() + 1
                    && shape[..last] == flat[..last]
                    && m.aval.shape[..last] == flat[..last],
            )?;
            let (columns, length) = (shape[last + 1], m.aval.shape[last]);
            when(length > 1 && slice.strides[last] == columns + 1)?;
            let starts = [slice.starts[last] / columns, slice.starts[last] % columns];
            when(starts[0] + length <= shape[last] && starts[1] + length <= columns)?;
            let c = joined(m, m.definition(reshape.inputs[0], Code::Dot)?, [last, last + 1], starts, length)?;
            c.finish(&c.lhs, &c.rhs)
        },
    )
    .growing(),
    // What is selected away does not count, whatever it is.
    rule(
        "trace-of-dot",
        Rounding,
        DTypeSet::NUMBER,
        SUM,
        "sum(select(i == j, A B, 0)) == sum(A * Bᵀ), and likewise for the diagonal",
        |m| {
            let select = m.definition(m.one(), Code::Select)?;
            let [which, unequal, other] = *select.inputs else { return None };
            let (axes, equal) = mask(m, which, DEPTH)?;
            let (zero, product) = if equal { (unequal, other) } else { (other, unequal) };
            m.is_number(zero, 0.0)?;
            sum_of_diagonal_of_dot(m, axes, product)
        },
    )
    .growing(),
    rule(
        "sum-of-identity-times-dot",
        StructuralZero,
        DTypeSet::NUMBER,
        SUM,
        "sum(I * (A B)) == sum(A * Bᵀ), and likewise for the diagonal, for finite A B",
        |m| {
            let [factor, product] = m.either_order_of(m.definition(m.one(), Code::Binary(Binary::Mul))?);
            let found = diagonal(m, factor, DEPTH)?;
            when(matches!(found.values, Values::Uniform(value) if value == rjax_ir::Scalar::one(value.dtype())))?;
            sum_of_diagonal_of_dot(m, found.axes, product)
        },
    )
    .growing(),
    rule(
        "slice-of-transpose",
        Exact,
        DTypeSet::ANY,
        &[Code::Slice],
        "slice(transpose(x)) == transpose(slice(x))",
        |m| {
            let Op::Slice(outer) = m.op else { return None };
            let inner = m.definition(m.one(), Code::Transpose)?;
            let Op::Transpose { permutation } = inner.op else { return None };
            let place = |axis: usize| permutation.iter().position(|&p| p == axis).expect("a permutation");
            let back = |of: &[usize]| (0..permutation.len()).map(|axis| of[place(axis)]).collect::<Vec<_>>();
            let slice =
                Slice { starts: back(&outer.starts), limits: back(&outer.limits), strides: back(&outer.strides) };
            Some(Term::transpose(Term::apply(Op::Slice(slice), [inner.inputs[0].into()]), permutation.clone()))
        },
    ),
];
