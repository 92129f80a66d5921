//! Batching of scatters: with indices that all lanes share the windows span the batch axis, otherwise the batch axis of
//! operand, indices and updates is paired.

use rjax_ir::{Op, Scatter};

use super::Batcher;
use super::gather::{indices_place, paired, window_place};
use super::lanes::{Value, shifted};

impl Batcher<'_> {
    pub fn scatter(&mut self, scatter: &Scatter, inputs: &[Value]) -> Vec<Value> {
        let [x, indices, updates] = inputs else { unreachable!("verified: scatter has three operands") };
        let mut new = scatter.clone();
        let axis = x.axis.unwrap_or(0);
        let x = self.at_axis(*x, axis);
        new.inserted_window_dims = shifted(&scatter.inserted_window_dims, axis);
        new.scatter_dims_to_operand_dims = shifted(&scatter.scatter_dims_to_operand_dims, axis);
        let rank = self.lane_rank(*updates);
        if let Some((indices, indices_axis)) = self.batched_indices(*indices) {
            let place = indices_place(indices_axis, &scatter.update_window_dims, rank);
            new.update_window_dims = shifted(&scatter.update_window_dims, place);
            (new.operand_batching_dims, new.scatter_indices_batching_dims) =
                paired(&scatter.operand_batching_dims, &scatter.scatter_indices_batching_dims, (axis, indices_axis));
            let updates = self.at_axis(*updates, place);
            return self.emit_at(Op::Scatter(new), &[x, indices, updates], axis);
        }
        let outside = [&scatter.inserted_window_dims[..], &scatter.operand_batching_dims];
        let place = window_place(axis, outside, &scatter.update_window_dims, rank);
        new.update_window_dims = shifted(&scatter.update_window_dims, place);
        let order = new.update_window_dims.partition_point(|&dim| dim < place);
        new.update_window_dims.insert(order, place);
        new.operand_batching_dims = shifted(&scatter.operand_batching_dims, axis);
        let updates = self.at_axis(*updates, place);
        self.emit_at(Op::Scatter(new), &[x, indices.atom, updates], axis)
    }
}
