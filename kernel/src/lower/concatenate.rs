//! `concatenate`: each piece is written where it belongs, in a loop of its own, or read where it is by those who need an element.

use rjax_ir::{Compare, Result, Shape};

use super::Writer;
use super::element::Element;
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

    /// The element of the piece that a position is in.
    pub(super) fn concatenated(&mut self, id: NodeId, axis: usize, at: &[Index]) -> Result<Element> {
        let pieces = &self.graph.node(id).inputs;
        let (mut start, mut element) = (0, None);
        let position = self.b.index_register(&at[axis]);
        for (i, &x) in pieces.iter().enumerate() {
            let first = self.b.i64(start);
            let begun = (i > 0).then(|| self.b.compare(Compare::Ge, position, first));
            let end = start + self.shape(x)[axis] as i64;
            let last = self.b.i64(end);
            let goes_on = (i + 1 < pieces.len()).then(|| self.b.compare(Compare::Lt, position, last));
            let condition = match (begun, goes_on) {
                (Some(begun), Some(goes_on)) => Some(self.b.and(Some(begun), goes_on)),
                (one, other) => one.or(other),
            };
            let mut moved = at.to_vec();
            moved[axis] = at[axis].offset(-start);
            let piece = self.masked(condition, |w| w.pull(x, &moved))?;
            element = Some(match (element, begun) {
                (Some(before), Some(begun)) => self.select_element(begun, piece, before),
                (Some(_) | None, Some(_) | None) => piece,
            });
            start = end;
        }
        Ok(element.expect("verified: a concatenation has operands"))
    }
}
