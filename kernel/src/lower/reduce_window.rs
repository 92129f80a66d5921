//! Reductions over sliding windows, with a fixed combiner or with a program.

use rjax_ir::{DType, Reducer, Result, Window};

use super::Writer;
use super::element::Element;
use super::scalar_region::positions;
use super::window::{Outside, is_written_out};
use crate::graph::NodeId;
use crate::kir::{Index, Order};

impl Writer<'_, '_> {
    pub(super) fn reduce_window(
        &mut self,
        id: NodeId,
        reducer: Reducer,
        window: &Window,
        at: &[Index],
    ) -> Result<Element> {
        let node = self.graph.node(id);
        let (x, y) = (node.inputs[0], node.outputs[0]);
        let dtype = self.graph.aval(x).dtype;
        let accumulator = dtype.accumulator();
        let init = Element::constant(&mut self.b, reducer.identity(accumulator));
        if is_written_out(window, self.shape(x)) {
            let mut total = init;
            for taps in positions(&window.dimensions.iter().copied().collect()) {
                let (position, inside) =
                    self.under_window(window, self.shape(x), self.shape(y), at, &taps, Outside::Nearest);
                let value = self.pull(x, &position)?;
                let mut value = self.convert(value, accumulator);
                if let Some(inside) = inside {
                    value = self.select_element(inside, value, init);
                }
                total = self.binary(reducer.binary(), accumulator, total, value);
            }
            return Ok(self.convert(total, dtype));
        }
        let inits = init.registers().collect();
        let total = self.fold(at, &window.dimensions, inits, Order::VectorReduce, |w, taps, total| {
            let (position, inside) = w.under_window(window, w.shape(x), w.shape(y), at, taps, Outside::Nowhere);
            let value = w.masked(inside, |w| w.pull(x, &position))?;
            let mut value = w.convert(value, accumulator);
            if let Some(inside) = inside {
                value = w.select_element(inside, value, init);
            }
            let total = Element::from_registers(&[accumulator], total)[0];
            Ok(w.binary(reducer.binary(), accumulator, total, value).registers().collect())
        })?;
        let total = Element::from_registers(&[accumulator], &total)[0];
        Ok(self.convert(total, dtype))
    }

    /// Positions in the padding do not take part.
    pub(super) fn general_reduce_window(&mut self, id: NodeId, window: &Window, at: &[Index]) -> Result<Vec<Element>> {
        let node = self.graph.node(id);
        let (operands, inits) = node.inputs.split_at(node.inputs.len() / 2);
        let y = node.outputs[0];
        let dtypes: Vec<DType> = operands.iter().map(|&x| self.graph.aval(x).dtype).collect();
        let mut init = Vec::new();
        for &value in inits {
            init.extend(self.pull_scalar(value)?.registers());
        }
        let totals = self.fold(at, &window.dimensions, init, Order::Sequential, |w, taps, totals| {
            let (position, inside) =
                w.under_window(window, w.shape(operands[0]), w.shape(y), at, taps, Outside::Nowhere);
            let before = Element::from_registers(&dtypes, totals);
            let mut arguments = before.clone();
            for &x in operands {
                arguments.push(w.masked(inside, |w| w.pull(x, &position))?);
            }
            let mut results = w.scalar_region(node.regions[0], &arguments)?;
            if let Some(inside) = inside {
                for (result, &before) in results.iter_mut().zip(&before) {
                    *result = w.select_element(inside, *result, before);
                }
            }
            Ok(results.iter().flat_map(Element::registers).collect())
        })?;
        Ok(Element::from_registers(&dtypes, &totals))
    }
}
