//! `scatter` and its combining forms, in the memory of the first operand.

use rjax_ir::{IndexMode, Result, Scatter};

use super::Writer;
use super::element::Element;
use super::reduce::merge;
use crate::graph::NodeId;
use crate::kir::{Access, Index, Order};

impl Writer<'_, '_> {
    /// Windows are applied one after the other, in row-major order of the indices, by one thread: they may overlap.
    pub(super) fn scatter(&mut self, id: NodeId, scatter: &Scatter) -> Result<()> {
        let node = self.graph.node(id);
        let (x, indices, updates, y) = (node.inputs[0], node.inputs[1], node.inputs[2], node.outputs[0]);
        let rank = self.shape(x).rank();
        let dtype = self.graph.aval(x).dtype;
        let shape = self.shape(updates);
        let window_axes = scatter.window_axes(rank);
        let mut sizes = vec![1; rank];
        for (&axis, &update_axis) in window_axes.iter().zip(&scatter.update_window_dims) {
            sizes[axis] = shape[update_axis];
        }
        let access = if scatter.combiner.binary().is_some() { Access::ReadWrite } else { Access::Write };
        let param = self.output(y, access);
        let range = self.b.open_range();
        let is_window = |axis: &usize| scatter.update_window_dims.contains(axis);
        let (window_dims, batch_dims): (Vec<usize>, Vec<usize>) = (0..shape.rank()).partition(is_window);
        let loops: Vec<usize> = batch_dims.iter().chain(&window_dims).map(|&axis| shape[axis]).collect();
        self.fold_here(&loops, vec![], Order::Sequential, |w, inner, _| {
            let (batch, window) = inner.split_at(batch_dims.len());
            let at = merge(&window_dims, window, batch);
            let mut position = vec![Index::default(); rank];
            for (&axis, &update_axis) in window_axes.iter().zip(&scatter.update_window_dims) {
                position[axis] = at[update_axis].clone();
            }
            for (&axis, &batch_axis) in scatter.operand_batching_dims.iter().zip(&scatter.scatter_indices_batching_dims)
            {
                position[axis] = batch[batch_axis].clone();
            }
            let axes = &scatter.scatter_dims_to_operand_dims;
            let starts = w.window_starts(x, indices, batch, axes, &sizes, scatter.mode != IndexMode::Clip)?;
            for (&axis, start) in axes.iter().zip(&starts.starts) {
                position[axis] = position[axis].plus(start, 1);
            }
            let position = w.position(y, &position);
            let update = w.pull(updates, &at)?;
            let apply = |w: &mut Self| {
                let value = match scatter.combiner.binary() {
                    None => update,
                    Some(op) => {
                        let width = super::parts(dtype) as i64;
                        let real = w.b.load_now(param, position.times(width));
                        let imag = dtype.is_complex().then(|| w.b.load_now(param, position.times(width).offset(1)));
                        w.binary(op, dtype, Element { real, imag }, update)
                    }
                };
                w.store_at(param, position.clone(), value);
            };
            match starts.inside {
                None => apply(w),
                Some(condition) => w.guarded(condition, apply),
            }
            Ok(vec![])
        })?;
        self.b.close_loop(range, &[]);
        Ok(())
    }

    /// Instructions that run only where a condition holds.
    fn guarded(&mut self, condition: crate::kir::Reg, body: impl FnOnce(&mut Self)) {
        let open = self.b.open_guard();
        body(self);
        self.b.close_guard(open, condition);
    }
}
