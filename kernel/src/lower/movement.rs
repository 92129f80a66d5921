//! Ops that only move elements: they change the position that is asked for.

use rjax_ir::{DType, Result, Slice};

use super::Writer;
use super::element::Element;
use crate::graph::NodeId;
use crate::kir::Index;
use crate::shapes::common_runs;

impl Writer<'_, '_> {
    pub(super) fn broadcast_in_dim(&mut self, id: NodeId, dims: &[usize], at: &[Index]) -> Result<Element> {
        let x = self.graph.node(id).inputs[0];
        let shape = self.shape(x);
        let at: Vec<Index> = dims
            .iter()
            .zip(&shape[..])
            .map(|(&dim, &extent)| if extent == 1 { Index::default() } else { at[dim].clone() })
            .collect();
        self.pull(x, &at)
    }

    pub(super) fn transpose(&mut self, id: NodeId, permutation: &[usize], at: &[Index]) -> Result<Element> {
        let mut moved = vec![Index::default(); at.len()];
        for (to, &from) in permutation.iter().enumerate() {
            moved[from] = at[to].clone();
        }
        self.pull(self.graph.node(id).inputs[0], &moved)
    }

    pub(super) fn slice(&mut self, id: NodeId, slice: &Slice, at: &[Index]) -> Result<Element> {
        let moved: Vec<Index> = at
            .iter()
            .zip(slice.starts.iter().zip(&slice.strides))
            .map(|(i, (&start, &stride))| i.times(stride as i64).offset(start as i64))
            .collect();
        self.pull(self.graph.node(id).inputs[0], &moved)
    }

    pub(super) fn reverse(&mut self, id: NodeId, axes: &[usize], at: &[Index]) -> Result<Element> {
        let x = self.graph.node(id).inputs[0];
        let mut moved = at.to_vec();
        for &axis in axes {
            moved[axis] = at[axis].times(-1).offset(self.shape(x)[axis] as i64 - 1);
        }
        self.pull(x, &moved)
    }

    pub(super) fn reshape(&mut self, id: NodeId, at: &[Index]) -> Result<Element> {
        let node = self.graph.node(id);
        let (x, y) = (node.inputs[0], node.outputs[0]);
        if self.in_memory(x) {
            let position = self.position(y, at);
            return Ok(self.load(x, position));
        }
        let (from, to) = (self.shape(x), self.shape(y));
        let mut moved = vec![Index::default(); from.rank()];
        for (run_from, run_to) in common_runs(from, to) {
            let mut strides = vec![1; run_to.len()];
            for i in (1..run_to.len()).rev() {
                strides[i - 1] = strides[i] * to[run_to.start + i] as i64;
            }
            let position = self.b.linear(&at[run_to], strides);
            let mut divisor = 1;
            let long: Vec<usize> = run_from.filter(|&axis| from[axis] != 1).collect();
            for (i, &axis) in long.iter().enumerate().rev() {
                let modulus = (i > 0).then_some(from[axis] as i64);
                moved[axis] = self.b.digit(&position, divisor, modulus);
                divisor *= from[axis] as i64;
            }
        }
        self.pull(x, &moved)
    }

    pub(super) fn iota(&mut self, dtype: DType, index: &Index) -> Element {
        let register = self.b.index_register(index);
        let real = self.b.convert(register, dtype.real());
        if dtype.is_complex() {
            Element::complex(real, Element::zero(&mut self.b, dtype.real()).real)
        } else {
            Element::real(real)
        }
    }
}
