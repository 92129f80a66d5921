//! Batching of gathers: a batched operand alone gets a window over the whole batch axis, batched indices get one more batch
//! axis, and if both are batched the two axes are paired.

use rjax_ir::{Atom, Gather, Op};

use super::Batcher;
use super::lanes::{Value, inserted, shifted};

/// Pairs an operand's batch axis with one of the indices, keeping the operand's list sorted.
pub(super) fn paired(operand: &[usize], indices: &[usize], pair: (usize, usize)) -> (Vec<usize>, Vec<usize>) {
    let (operand, indices) = (shifted(operand, pair.0), shifted(indices, pair.1));
    let at = operand.partition_point(|&axis| axis < pair.0);
    (inserted(&operand, at, pair.0), inserted(&indices, at, pair.1))
}

/// Where in the windows' axes (of the result or the updates) an axis of the operand belongs that comes with the window.
/// `outside` are the operand's axes that have no axis there.
pub(super) fn window_place(axis: usize, outside: [&[usize]; 2], window_dims: &[usize], rank: usize) -> usize {
    let order = axis - outside.iter().flat_map(|axes| axes.iter()).filter(|&&a| a < axis).count();
    window_dims.get(order).copied().unwrap_or(rank)
}

/// Where among the other axes (of the result or the updates) the indices' axis `axis` belongs.
pub(super) fn indices_place(axis: usize, window_dims: &[usize], rank: usize) -> usize {
    (0..rank).filter(|a| !window_dims.contains(a)).nth(axis).unwrap_or(rank)
}

impl Batcher<'_> {
    /// Batched indices with the batch axis anywhere but last, where the index vector is.
    pub fn batched_indices(&mut self, indices: Value) -> Option<(Atom, usize)> {
        let axis = indices.axis?;
        let axis = if axis + 1 == self.b.shape(indices.atom).rank() { 0 } else { axis };
        Some((self.at_axis(indices, axis), axis))
    }

    pub fn gather(&mut self, gather: &Gather, inputs: &[Value]) -> Vec<Value> {
        let [x, indices] = inputs else { unreachable!("verified: gather has two operands") };
        let mut new = gather.clone();
        let rank = self.lane_rank(*indices) - 1 + gather.offset_dims.len();
        let batched_indices = self.batched_indices(*indices);
        let out = match (x.axis, batched_indices) {
            (Some(axis), None) => {
                let outside = [&gather.collapsed_slice_dims[..], &gather.operand_batching_dims];
                let out = window_place(axis, outside, &gather.offset_dims, rank);
                new.offset_dims = shifted(&gather.offset_dims, out);
                let order = new.offset_dims.partition_point(|&dim| dim < out);
                new.offset_dims.insert(order, out);
                out
            }
            (_, Some((_, axis))) => {
                let out = indices_place(axis, &gather.offset_dims, rank);
                new.offset_dims = shifted(&gather.offset_dims, out);
                new.start_indices_batching_dims = shifted(&gather.start_indices_batching_dims, axis);
                out
            }
            (None, None) => unreachable!("an operand is batched"),
        };
        if let Some(axis) = x.axis {
            new.collapsed_slice_dims = shifted(&gather.collapsed_slice_dims, axis);
            new.start_index_map = shifted(&gather.start_index_map, axis);
            let window = if batched_indices.is_some() { self.shared.size.min(1) } else { self.shared.size };
            new.slice_sizes = inserted(&gather.slice_sizes, axis, window);
            new.operand_batching_dims = shifted(&gather.operand_batching_dims, axis);
            if let Some((_, indices_axis)) = batched_indices {
                (new.operand_batching_dims, new.start_indices_batching_dims) =
                    paired(&gather.operand_batching_dims, &gather.start_indices_batching_dims, (axis, indices_axis));
            }
        }
        let indices = batched_indices.map_or(indices.atom, |(indices, _)| indices);
        self.emit_at(Op::Gather(new), &[x.atom, indices], out)
    }
}
