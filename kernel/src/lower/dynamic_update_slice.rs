//! `dynamic_update_slice`, in the memory of its first operand: only the window is written.

use rjax_ir::Result;

use super::Writer;
use crate::graph::NodeId;
use crate::kir::{Access, Index};

impl Writer<'_, '_> {
    pub(super) fn dynamic_update_slice(&mut self, id: NodeId) -> Result<()> {
        let node = self.graph.node(id);
        let (x, update, y) = (node.inputs[0], node.inputs[1], node.outputs[0]);
        let sizes = self.shape(update);
        let (loops, at) = self.open_axes(sizes);
        let starts = self.starts(x, &node.inputs[2..], sizes)?;
        let element = self.pull(update, &at)?;
        let param = self.output(y, Access::Write);
        let position: Vec<Index> = starts.iter().zip(&at).map(|(start, i)| start.plus(i, 1)).collect();
        let position = self.position(y, &position);
        self.store_at(param, position, element);
        self.close_axes(loops);
        Ok(())
    }
}
