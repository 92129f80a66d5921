//! Derivatives of `gather`, which is linear in its operand.

use rjax_ir::{Atom, Aval, Builder, Combiner, Gather, Op, Scalar, Scatter};

/// The tangent: gathered from the operand's, with zero where a window does not fit.
pub(crate) fn jvp(b: &mut Builder, gather: &Gather, t: Atom, indices: Atom) -> Atom {
    let gather = Gather { fill_value: Some(Scalar::zero(b.dtype(t))), ..gather.clone() };
    b.emit1(Op::Gather(gather), &[t, indices])
}

/// The cotangent of the operand: each window is added where it came from. Where a promise of indices in bounds is not kept,
/// gather reads another window, but its cotangent is dropped, as in JAX.
pub(crate) fn transpose(b: &mut Builder, gather: &Gather, ct: Atom, x: &Aval, indices: Atom) -> Atom {
    let scatter = Scatter {
        combiner: Combiner::Add,
        update_window_dims: gather.offset_dims.clone(),
        inserted_window_dims: gather.collapsed_slice_dims.clone(),
        operand_batching_dims: gather.operand_batching_dims.clone(),
        scatter_indices_batching_dims: gather.start_indices_batching_dims.clone(),
        scatter_dims_to_operand_dims: gather.start_index_map.clone(),
        mode: gather.mode,
        unique_indices: gather.unique_indices,
        indices_are_sorted: gather.indices_are_sorted,
    };
    let zeros = b.zeros(x);
    b.emit1(Op::Scatter(scatter), &[zeros, indices, ct])
}
