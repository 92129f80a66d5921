//! `pad`: the operand where there is one, else the padding value.

use rjax_ir::{PadDim, Result};

use super::Writer;
use super::element::Element;
use super::window::Padded;
use crate::graph::NodeId;
use crate::kir::Index;

impl Writer<'_, '_> {
    pub(super) fn pad(&mut self, id: NodeId, padding: &[PadDim], at: &[Index]) -> Result<Element> {
        let node = self.graph.node(id);
        let (x, value, y) = (node.inputs[0], node.inputs[1], node.outputs[0]);
        let mut condition = None;
        let mut position = Vec::with_capacity(at.len());
        for (axis, dim) in padding.iter().enumerate() {
            let greatest = self.shape(y)[axis] as i64 - 1 - dim.low;
            let padded = Padded { index: at[axis].offset(-dim.low), least: -dim.low, greatest };
            let (index, inside) = self.undo_padding(padded, self.shape(x)[axis], dim.interior + 1);
            position.push(index);
            if let Some(inside) = inside {
                condition = Some(self.b.and(condition, inside));
            }
        }
        let inside = self.masked(condition, |w| w.pull(x, &position))?;
        let Some(condition) = condition else { return Ok(inside) };
        let outside = self.pull_scalar(value)?;
        Ok(self.select_element(condition, inside, outside))
    }
}
