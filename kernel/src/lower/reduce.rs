//! `reduce_sum` and so on, and `reduce` with a combining program.

use rjax_ir::{DType, Reducer, Result};

use super::Writer;
use super::element::Element;
use crate::graph::NodeId;
use crate::kir::{Index, Order};

impl Writer<'_, '_> {
    pub(super) fn reduce(&mut self, id: NodeId, reducer: Reducer, axes: &[usize], at: &[Index]) -> Result<Element> {
        let x = self.graph.node(id).inputs[0];
        let dtype = self.graph.aval(x).dtype;
        let accumulator = dtype.accumulator();
        let init = Element::constant(&mut self.b, reducer.identity(accumulator));
        let extents: Vec<usize> = axes.iter().map(|&axis| self.shape(x)[axis]).collect();
        let total = self.fold(at, &extents, init.registers().collect(), Order::VectorReduce, |w, inner, total| {
            let value = w.pull(x, &merge(axes, inner, at))?;
            let value = w.convert(value, accumulator);
            let total = Element::from_registers(&[accumulator], total)[0];
            Ok(w.binary(reducer.binary(), accumulator, total, value).registers().collect())
        })?;
        let total = Element::from_registers(&[accumulator], &total)[0];
        Ok(self.convert(total, dtype))
    }

    pub(super) fn general_reduce(&mut self, id: NodeId, axes: &[usize], at: &[Index]) -> Result<Vec<Element>> {
        let node = self.graph.node(id);
        let (operands, inits) = node.inputs.split_at(node.inputs.len() / 2);
        let dtypes: Vec<DType> = operands.iter().map(|&x| self.graph.aval(x).dtype).collect();
        let mut init = Vec::new();
        for &value in inits {
            init.extend(self.pull_scalar(value)?.registers());
        }
        let extents: Vec<usize> = axes.iter().map(|&axis| self.shape(operands[0])[axis]).collect();
        let totals = self.fold(at, &extents, init, Order::Sequential, |w, inner, totals| {
            let position = merge(axes, inner, at);
            let mut arguments = Element::from_registers(&dtypes, totals);
            for &x in operands {
                arguments.push(w.pull(x, &position)?);
            }
            let results = w.scalar_region(node.regions[0], &arguments)?;
            Ok(results.iter().flat_map(Element::registers).collect())
        })?;
        Ok(Element::from_registers(&dtypes, &totals))
    }
}

/// A position from its parts along `axes` and along the others.
pub(super) fn merge(axes: &[usize], inner: &[Index], outer: &[Index]) -> Vec<Index> {
    let (mut inner, mut outer) = (inner.iter(), outer.iter());
    (0..inner.len() + outer.len())
        .map(|axis| if axes.contains(&axis) { inner.next() } else { outer.next() })
        .map(|index| index.expect("every axis is reduced or kept").clone())
        .collect()
}
