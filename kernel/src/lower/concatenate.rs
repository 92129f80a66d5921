//! `concatenate`: each piece is written where it belongs, in a loop of its own.

use rjax_ir::{Result, Shape};

use super::Writer;
use crate::graph::NodeId;
use crate::kir::{Access, Index, Order};

impl Writer<'_, '_> {
    /// The parallel range goes over the first axis that the pieces have in common, if it is the outermost one that matters.
    pub(super) fn concatenate(&mut self, id: NodeId, axis: usize) -> Result<()> {
        let node = self.graph.node(id);
        let y = node.outputs[0];
        let shape = self.shape(y);
        let outer = Shape::from(&shape[..axis]);
        let (loops, prefix) = self.open_axes(&outer);
        let param = self.output(y, Access::Write);
        let mut start = 0;
        for &x in &node.inputs {
            let piece = self.shape(x);
            if piece.size() > 0 {
                let mut open = Vec::new();
                let mut at = prefix.clone();
                for &extent in &piece[axis..] {
                    if extent == 1 {
                        at.push(Index::default());
                        continue;
                    }
                    let inner =
                        self.b.open_loop(Index::default(), Index::constant(extent as i64), Order::Independent, &[]);
                    at.push(Index::reg(inner.variable));
                    open.push(inner);
                }
                let element = self.pull(x, &at)?;
                at[axis] = at[axis].offset(start as i64);
                let position = self.position(y, &at);
                self.store_at(param, position, element);
                for inner in open.into_iter().rev() {
                    self.b.close_loop(inner, &[]);
                }
            }
            start += piece[axis];
        }
        self.close_axes(loops);
        Ok(())
    }
}
