//! `gather`: windows at computed positions, as computed loads.

use rjax_ir::{Compare, DType, Gather, IndexMode, Result, Scalar};

use super::Writer;
use super::element::Element;
use crate::graph::{NodeId, ValueId};
use crate::kir::{Index, Reg};

impl Writer<'_, '_> {
    pub(super) fn gather(&mut self, id: NodeId, gather: &Gather, at: &[Index]) -> Result<Element> {
        let node = self.graph.node(id);
        let (x, indices) = (node.inputs[0], node.inputs[1]);
        let rank = self.shape(x).rank();
        let batch: Vec<Index> =
            (0..at.len()).filter(|axis| !gather.offset_dims.contains(axis)).map(|axis| at[axis].clone()).collect();
        let mut position = vec![Index::default(); rank];
        for (&axis, &offset_dim) in gather.window_axes(rank).iter().zip(&gather.offset_dims) {
            position[axis] = at[offset_dim].clone();
        }
        for (&axis, &batch_axis) in gather.operand_batching_dims.iter().zip(&gather.start_indices_batching_dims) {
            position[axis] = batch[batch_axis].clone();
        }
        let starts = self.window_starts(
            x,
            indices,
            &batch,
            &gather.start_index_map,
            &gather.slice_sizes,
            if gather.mode == IndexMode::FillOrDrop { Fit::AskBoth } else { Fit::Clamp },
        )?;
        for (&axis, start) in gather.start_index_map.iter().zip(&starts.starts) {
            position[axis] = position[axis].plus(start, 1);
        }
        if self.shape(x).size() == 0 {
            return Ok(self.fill_value(x, gather));
        }
        let Some(condition) = starts.inside else { return self.pull(x, &position) };
        let inside = self.masked(Some(condition), |w| w.pull(x, &position))?;
        let outside = self.fill_value(x, gather);
        Ok(self.select_element(condition, inside, outside))
    }

    fn fill_value(&mut self, x: ValueId, gather: &Gather) -> Element {
        let fill = gather.fill(self.graph.aval(x).dtype);
        Element::constant(&mut self.b, fill)
    }

    /// The starts of the windows that an index vector names. Unless they are clamped, `inside` says whether the window fits.
    pub(super) fn window_starts(
        &mut self,
        x: ValueId,
        indices: ValueId,
        batch: &[Index],
        axes: &[usize],
        sizes: &[usize],
        fit: Fit,
    ) -> Result<WindowStarts> {
        let mut result = WindowStarts { starts: vec![], inside: None };
        for (component, &axis) in axes.iter().enumerate() {
            let mut at = batch.to_vec();
            at.push(Index::constant(component as i64));
            let start = self.pull(indices, &at)?;
            let greatest = self.shape(x)[axis] as i64 - sizes[axis] as i64;
            if fit == Fit::Clamp {
                let start = self.as_index(start.real);
                result.starts.push(Index::reg(self.clamp_index(start, greatest)));
                continue;
            }
            let unsigned = self.b.dtype(start.real).is_unsigned_integer() || self.b.dtype(start.real) == DType::Bool;
            let start = self.as_index(start.real);
            let once = !unsigned && fit == Fit::AskOnce;
            let (compared, limit) = if once {
                // As an unsigned number, a negative one is beyond the limit.
                (self.b.convert(start, DType::U64), self.b.constant(Scalar::new(greatest as u64)))
            } else {
                (start, self.b.i64(greatest))
            };
            let mut inside = self.b.compare(Compare::Le, compared, limit);
            if !unsigned && !once {
                let zero = self.b.i64(0);
                let not_negative = self.b.compare(Compare::Ge, start, zero);
                inside = self.b.and(Some(inside), not_negative);
            }
            result.inside = Some(self.b.and(result.inside, inside));
            result.starts.push(Index::reg(start));
        }
        Ok(result)
    }
}

/// What is done about windows that may not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fit {
    /// They are moved.
    Clamp,
    /// Both ends are compared, so that loops can be split where one of them answers otherwise.
    AskBoth,
    /// One comparison answers for both.
    AskOnce,
}

pub(super) struct WindowStarts {
    pub starts: Vec<Index>,
    pub inside: Option<Reg>,
}
