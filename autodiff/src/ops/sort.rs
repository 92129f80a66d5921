//! Derivatives of `sort` and `top_k`: tangents are gathered from where the values came from.

use rjax_ir::{Atom, Builder, DType, Gather, IndexMode, Op, Sort};

use crate::jvp::{Dual, Tangent};

pub(crate) fn jvp(b: &mut Builder, sort: &Sort, x: &[Atom], t: &[Tangent]) -> Dual {
    let positions = b.iota(DType::I32, &b.shape(x[0]), sort.axis);
    let operands = [x, &[positions]].concat();
    let mut y = b.emit(Op::Sort(sort.clone()), &operands);
    let order = y.pop().expect("sort returns as many values as it takes");
    let ty = t.iter().map(|t| t.map(|t| take_along_axis(b, t, order, sort.axis))).collect();
    (y, ty)
}

/// The elements of x at `positions` (i32, in bounds) along an axis; the other axes go in step.
pub(crate) fn take_along_axis(b: &mut Builder, x: Atom, positions: Atom, axis: usize) -> Atom {
    let (rank, result) = (b.shape(x).rank(), b.aval(x).with_shape(b.shape(positions)));
    if result.size() == 0 {
        return b.zeros(&result);
    }
    let others: Vec<usize> = (0..rank).filter(|&a| a != axis).collect();
    let indices = b.expand_dims(positions, rank);
    let gather = Gather {
        offset_dims: vec![],
        collapsed_slice_dims: vec![axis],
        operand_batching_dims: others.clone(),
        start_indices_batching_dims: others,
        start_index_map: vec![axis],
        slice_sizes: vec![1; rank],
        mode: IndexMode::PromiseInBounds,
        fill_value: None,
        unique_indices: true,
        indices_are_sorted: false,
    };
    b.emit1(Op::Gather(gather), &[x, indices])
}
