//! The derivative of max and min pooling: the tangent where the operand is greatest or least.

use rjax_ir::{Binary, DType, Result, SelectAndGatherAdd, Unary};

use super::Writer;
use super::element::Element;
use super::window::Outside;
use crate::graph::NodeId;
use crate::kir::{Index, Order};

impl Writer<'_, '_> {
    pub(super) fn select_and_gather_add(
        &mut self,
        id: NodeId,
        select: &SelectAndGatherAdd,
        at: &[Index],
    ) -> Result<Element> {
        let node = self.graph.node(id);
        let (tangents, operand, y) = (node.inputs[0], node.inputs[1], node.outputs[0]);
        let dtype = self.graph.aval(operand).dtype;
        let zero = Element::zero(&mut self.b, dtype);
        let nothing = self.b.bool(false);
        let dimensions = &select.window.dimensions;
        let inits = vec![nothing, zero.real, zero.real];
        let found = self.fold(at, dimensions, inits, Order::Sequential, |w, taps, carried| {
            let (position, inside) =
                w.under_window(&select.window, w.shape(operand), w.shape(y), at, taps, Outside::Nowhere);
            let value = w.masked(inside, |w| w.pull(operand, &position))?;
            let tangent = w.masked(inside, |w| w.pull(tangents, &position))?;
            let best = Element::real(carried[1]);
            let mut wins = w.beats(select.largest, value, best);
            let first = w.b.unary(Unary::Not, carried[0]);
            wins = w.b.binary(Binary::Or, wins, first);
            if let Some(inside) = inside {
                wins = w.b.binary(Binary::And, wins, inside);
            }
            debug_assert_eq!(w.b.dtype(wins), DType::Bool);
            let any = w.b.binary(Binary::Or, carried[0], wins);
            let best = w.b.select(wins, value.real, carried[1]);
            Ok(vec![any, best, w.b.select(wins, tangent.real, carried[2])])
        })?;
        Ok(Element::real(found[2]))
    }
}
