//! Batching of slices at computed positions: with a start for each lane they become gathers and scatters.

use rjax_ir::{Atom, Combiner, DType, Gather, IndexMode, Op, Scalar, Scatter, Shape};

use super::Batcher;
use super::lanes::{Value, inserted};

impl Batcher<'_> {
    pub fn dynamic_slice(&mut self, sizes: &Shape, inputs: &[Value]) -> Vec<Value> {
        let (x, starts) = (inputs[0], &inputs[1..]);
        if let (Some(axis), true) = (x.axis, starts.iter().all(|start| start.axis.is_none())) {
            let mut atoms = self.starts_with_axis(starts, axis);
            atoms.insert(0, x.atom);
            return self.emit_at(Op::DynamicSlice { sizes: sizes.with_axis(axis, self.shared.size) }, &atoms, axis);
        }
        let indices = self.stack_starts(starts);
        let mut gather = Gather {
            offset_dims: (1..=sizes.rank()).collect(),
            collapsed_slice_dims: vec![],
            operand_batching_dims: vec![],
            start_indices_batching_dims: vec![],
            start_index_map: (0..sizes.rank()).collect(),
            slice_sizes: sizes.to_vec(),
            mode: IndexMode::Clip,
            fill_value: None,
            unique_indices: false,
            indices_are_sorted: false,
        };
        if let Some(axis) = x.axis {
            gather.operand_batching_dims.push(axis);
            gather.start_indices_batching_dims.push(0);
            gather.start_index_map = (0..=sizes.rank()).filter(|&a| a != axis).collect();
            gather.slice_sizes = inserted(sizes, axis, self.shared.size.min(1));
        }
        self.emit_at(Op::Gather(gather), &[x.atom, indices], 0)
    }

    pub fn dynamic_update_slice(&mut self, inputs: &[Value]) -> Vec<Value> {
        let (x, update, starts) = (inputs[0], inputs[1], &inputs[2..]);
        if starts.iter().all(|start| start.axis.is_none()) {
            let (mut atoms, axis) = self.align(&[x, update]);
            atoms.extend(self.starts_with_axis(starts, axis));
            return self.emit_at(Op::DynamicUpdateSlice, &atoms, axis);
        }
        let axis = x.axis.unwrap_or(0);
        let (x, update) = (self.at_axis(x, axis), self.at_axis(update, 0));
        let rank = starts.len();
        let scatter = Scatter {
            combiner: Combiner::Replace,
            update_window_dims: (1..=rank).collect(),
            inserted_window_dims: vec![],
            operand_batching_dims: vec![axis],
            scatter_indices_batching_dims: vec![0],
            scatter_dims_to_operand_dims: (0..=rank).filter(|&a| a != axis).collect(),
            mode: IndexMode::Clip,
            unique_indices: true,
            indices_are_sorted: true,
        };
        let indices = self.stack_starts(starts);
        self.emit_at(Op::Scatter(scatter), &[x, indices, update], axis)
    }

    /// Starts that all lanes share, with 0 for the batch axis.
    fn starts_with_axis(&self, starts: &[Value], axis: usize) -> Vec<Atom> {
        let dtype = starts.first().map_or(DType::I32, |start| self.b.dtype(start.atom));
        let atoms: Vec<Atom> = starts.iter().map(|start| start.atom).collect();
        inserted(&atoms, axis, Scalar::zero(dtype).into())
    }

    /// An array of index vectors, one row for each lane. Starts of different dtypes meet in `i64`, beyond which only `u64`
    /// reaches; what is cut off there lies outside every array.
    fn stack_starts(&mut self, starts: &[Value]) -> Atom {
        let first = self.b.dtype(starts[0].atom);
        let mixed = starts.iter().any(|start| self.b.dtype(start.atom) != first);
        let columns: Vec<Atom> = starts
            .iter()
            .map(|&start| {
                let mut column = self.at_axis(start, 0);
                if mixed && self.b.dtype(column) == DType::U64 {
                    let greatest = Scalar::from_i64(DType::U64, i64::MAX);
                    column = self.b.binary(rjax_ir::Binary::Min, column, greatest.into());
                }
                if mixed {
                    column = self.b.convert(column, DType::I64);
                }
                self.b.expand_dims(column, 1)
            })
            .collect();
        self.b.concatenate(&columns, 1)
    }
}
