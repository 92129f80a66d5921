//! `scatter` and its combining forms, in the memory of the first operand.

use rjax_ir::{Combiner, DType, IndexMode, Result, Scatter};

use super::Writer;
use super::element::Element;
use super::gather::Fit;
use super::reduce::merge;
use crate::graph::NodeId;
use crate::kir::{Access, Index, Order, ParamId, Reg};

impl Writer<'_, '_> {
    /// Windows are applied one after the other, in row-major order of the indices: they may overlap. Threads share what never does: the
    /// elements of a batch, or blocks of neighbours in every window.
    pub(super) fn scatter(&mut self, id: NodeId, scatter: &Scatter) -> Result<()> {
        let node = self.graph.node(id);
        let (x, indices, updates, y) = (node.inputs[0], node.inputs[1], node.inputs[2], node.outputs[0]);
        let (rank, dtype) = (self.shape(x).rank(), self.graph.aval(x).dtype);
        let shape = self.shape(updates);
        let window_axes = scatter.window_axes(rank);
        let mut sizes = vec![1; rank];
        for (&axis, &update_axis) in window_axes.iter().zip(&scatter.update_window_dims) {
            sizes[axis] = shape[update_axis];
        }
        let access = if scatter.combiner.binary().is_some() { Access::ReadWrite } else { Access::Write };
        let param = self.output(y, access);
        let is_window = |axis: &usize| scatter.update_window_dims.contains(axis);
        let (window_dims, batch_dims): (Vec<usize>, Vec<usize>) = (0..shape.rank()).partition(is_window);
        let mut batch_extents: Vec<usize> = batch_dims.iter().map(|&axis| shape[axis]).collect();
        let mut window_extents: Vec<usize> = window_dims.iter().map(|&axis| shape[axis]).collect();
        let shared = scatter.scatter_indices_batching_dims.iter().copied().find(|&axis| batch_extents[axis] != 1);
        // Along an axis that is scattered along, windows overlap.
        let stays = window_axes.last().is_some_and(|axis| !scatter.scatter_dims_to_operand_dims.contains(axis));
        let block = window_extents.last().filter(|_| shared.is_none() && stays).and_then(|&extent| block(extent));
        if let Some(axis) = shared {
            self.b.set_extent(std::mem::replace(&mut batch_extents[axis], 1));
        }
        if let (Some(block), Some(extent)) = (block, window_extents.last_mut()) {
            self.b.set_extent(*extent / block);
            *extent = block;
        }
        let range = self.b.open_range();
        self.fold_here(&batch_extents, vec![], Order::Sequential, |w, batch, _| {
            let mut batch = batch.to_vec();
            if let Some(axis) = shared {
                batch[axis] = Index::reg(range.variable);
            }
            let mut position = vec![Index::default(); rank];
            for (&axis, &batch_axis) in scatter.operand_batching_dims.iter().zip(&scatter.scatter_indices_batching_dims)
            {
                position[axis] = batch[batch_axis].clone();
            }
            let axes = &scatter.scatter_dims_to_operand_dims;
            let fit = if scatter.mode == IndexMode::Clip { Fit::Clamp } else { Fit::AskOnce };
            let starts = w.window_starts(x, indices, &batch, axes, &sizes, fit)?;
            for (&axis, start) in axes.iter().zip(&starts.starts) {
                position[axis] = position[axis].plus(start, 1);
            }
            let apply = |w: &mut Self| {
                w.fold_here(&window_extents, vec![], Order::Independent, |w, window, _| {
                    let mut window = window.to_vec();
                    if let (Some(block), Some(last)) = (block, window.last_mut()) {
                        *last = last.plus(&Index::reg(range.variable), block as i64);
                    }
                    let at = merge(&window_dims, &window, &batch);
                    let mut position = position.clone();
                    for (&axis, index) in window_axes.iter().zip(&window) {
                        position[axis] = position[axis].plus(index, 1);
                    }
                    let position = w.position(y, &position);
                    let update = w.pull(updates, &at)?;
                    w.combine(param, (scatter.combiner, dtype), position, update);
                    Ok(vec![])
                })
            };
            match starts.inside {
                None => apply(w),
                Some(condition) => w.guarded(condition, apply),
            }
        })?;
        self.b.close_loop(range, &[]);
        Ok(())
    }

    /// Brings an update to an element of the result.
    fn combine(&mut self, param: ParamId, (combiner, dtype): (Combiner, DType), position: Index, update: Element) {
        let value = match combiner.binary() {
            None => update,
            Some(op) => {
                let width = super::parts(dtype) as i64;
                let real = self.b.load_now(param, position.times(width));
                let imag = dtype.is_complex().then(|| self.b.load_now(param, position.times(width).offset(1)));
                self.binary(op, dtype, Element { real, imag }, update)
            }
        };
        self.store_at(param, position, value);
    }

    /// Instructions that run only where a condition holds.
    fn guarded<R>(&mut self, condition: Reg, body: impl FnOnce(&mut Self) -> R) -> R {
        let open = self.b.open_guard();
        let result = body(self);
        self.b.close_guard(open, condition);
        result
    }
}

/// How many neighbours of every window make a block, where there are blocks for several threads.
fn block(extent: usize) -> Option<usize> {
    let divisors = (BLOCK..=extent / 2).filter(|&block| extent.is_multiple_of(block));
    divisors.min_by_key(|block| block.abs_diff((extent / BLOCKS).max(BLOCK)))
}

/// The least length of a block, for which an index is read again.
const BLOCK: usize = 64;
/// How many blocks there should be.
const BLOCKS: usize = 8;
