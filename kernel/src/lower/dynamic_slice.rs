//! `dynamic_slice`: a window whose start is computed and clamped so that it fits.

use rjax_ir::{Binary, Result, Scalar};

use super::Writer;
use super::element::Element;
use crate::graph::{NodeId, ValueId};
use crate::kir::{Index, Reg};

impl Writer<'_, '_> {
    pub(super) fn dynamic_slice(&mut self, id: NodeId, sizes: &[usize], at: &[Index]) -> Result<Element> {
        let node = self.graph.node(id);
        let x = node.inputs[0];
        let starts = self.starts(x, &node.inputs[1..], sizes)?;
        let position: Vec<Index> = starts.iter().zip(at).map(|(start, i)| start.plus(i, 1)).collect();
        self.pull(x, &position)
    }

    /// The clamped starts of a window in x.
    pub(super) fn starts(&mut self, x: ValueId, starts: &[ValueId], sizes: &[usize]) -> Result<Vec<Index>> {
        let mut clamped = Vec::with_capacity(starts.len());
        for (axis, &start) in starts.iter().enumerate() {
            let greatest = (self.shape(x)[axis] - sizes[axis]) as i64;
            if greatest == 0 {
                clamped.push(Index::default());
                continue;
            }
            let start = self.pull_scalar(start)?;
            let start = self.as_index(start.real);
            clamped.push(Index::reg(self.clamp_index(start, greatest)));
        }
        Ok(clamped)
    }

    /// An integer of any dtype as an `i64`; those that do not fit stay great.
    pub(super) fn as_index(&mut self, x: Reg) -> Reg {
        let dtype = self.b.dtype(x);
        let mut x = x;
        if dtype == rjax_ir::DType::U64 {
            let greatest = self.b.constant(Scalar::new(i64::MAX as u64));
            x = self.b.binary(Binary::Min, x, greatest);
        }
        self.b.convert(x, rjax_ir::DType::I64)
    }

    /// `min(max(x, 0), greatest)`.
    pub(super) fn clamp_index(&mut self, x: Reg, greatest: i64) -> Reg {
        let (zero, greatest) = (self.b.i64(0), self.b.i64(greatest));
        let x = self.b.binary(Binary::Max, x, zero);
        self.b.binary(Binary::Min, x, greatest)
    }
}
