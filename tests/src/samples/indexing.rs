//! Samples of ops that take elements at computed positions.

use rjax_ir::{Aval, Combiner, DType, Gather, IndexMode, Op, Scalar, Scatter};

use super::{Sample, any, exactly, indices};
use crate::random::Values;

const MODES: [IndexMode; 3] = [IndexMode::Clip, IndexMode::FillOrDrop, IndexMode::PromiseInBounds];
const COMBINERS: [Combiner; 5] = [Combiner::Replace, Combiner::Add, Combiner::Mul, Combiner::Min, Combiner::Max];

pub(super) fn add(samples: &mut Vec<Sample>) {
    dynamic_slices(samples);
    for dtype in DType::ALL {
        for mode in MODES {
            gathers(samples, dtype, mode);
            scatters(samples, dtype, mode);
        }
    }
    let fill = Gather { fill_value: Some(Scalar::from_f64(DType::F64, -7.0)), ..rows(IndexMode::FillOrDrop) };
    samples.push(Sample::op(Op::Gather(fill), &[any(DType::F64, &[4, 3]), exactly(&[3, 1], &[9, 1, -1])]).smooth(2));
    for dtype in DType::ALL.into_iter().filter(|d| d.is_integer()) {
        let positions = (Aval::new(dtype, [4, 1]), Values::Uniform(-1.0, 5.0));
        samples.push(Sample::op(Op::Gather(rows(IndexMode::Clip)), &[any(DType::F32, &[4, 3]), positions]));
    }
}

fn dynamic_slices(samples: &mut Vec<Sample>) {
    for dtype in DType::ALL {
        let starts = [indices(&[], -2, 6), indices(&[], 0, 3)];
        let slice = Op::DynamicSlice { sizes: [2, 1].into() };
        let [i, j] = starts.clone();
        samples.push(Sample::op(slice, &[any(dtype, &[4, 3]), i, j]).smooth(2));
        let [i, j] = starts;
        let inputs = [any(dtype, &[4, 3]), any(dtype, &[2, 1]), i, j];
        samples.push(Sample::op(Op::DynamicUpdateSlice, &inputs).smooth(2));
    }
    for dtype in DType::ALL.into_iter().filter(|d| d.is_integer()) {
        let start = (Aval::scalar(dtype), Values::Special);
        let slice = Op::DynamicSlice { sizes: [2].into() };
        samples.push(Sample::op(slice, &[any(DType::F32, &[5]), start.clone()]));
        samples.push(Sample::op(Op::DynamicUpdateSlice, &[any(DType::F32, &[5]), any(DType::F32, &[3]), start]));
    }
    let mixed = [any(DType::F64, &[3, 4]), (Aval::scalar(DType::U64), Values::Special), indices(&[], -1, 4)];
    samples.push(Sample::op(Op::DynamicSlice { sizes: [1, 2].into() }, &mixed).smooth(2).named("mixed dtypes"));
    samples.push(Sample::op(Op::DynamicSlice { sizes: [].into() }, &[any(DType::F64, &[])]).smooth(2));
    samples.push(Sample::op(Op::DynamicSlice { sizes: [0].into() }, &[any(DType::F64, &[3]), exactly(&[], &[9])]));
    samples.push(Sample::op(Op::DynamicUpdateSlice, &[any(DType::F64, &[]), any(DType::F64, &[])]).smooth(2));
    let empty = [any(DType::F64, &[3]), any(DType::F64, &[0]), exactly(&[], &[1])];
    samples.push(Sample::op(Op::DynamicUpdateSlice, &empty));
}

/// Whole rows of a matrix with three columns.
fn rows(mode: IndexMode) -> Gather {
    Gather {
        offset_dims: vec![1],
        collapsed_slice_dims: vec![0],
        operand_batching_dims: vec![],
        start_indices_batching_dims: vec![],
        start_index_map: vec![0],
        slice_sizes: vec![1, 3],
        mode,
        fill_value: None,
        unique_indices: false,
        indices_are_sorted: false,
    }
}

/// Positions some of which are outside, unless that is promised not to happen.
fn positions(shape: &[usize], extent: i64, mode: IndexMode) -> (Aval, Values) {
    match mode {
        IndexMode::Clip | IndexMode::FillOrDrop => indices(shape, -1, extent),
        IndexMode::PromiseInBounds => indices(shape, 0, extent - 1),
    }
}

fn gathers(samples: &mut Vec<Sample>, dtype: DType, mode: IndexMode) {
    let name = format!("{mode:?}");
    let mut push = |gather: Gather, x: &[usize], indices: (Aval, Values)| {
        samples.push(Sample::op(Op::Gather(gather), &[any(dtype, x), indices]).smooth(2).named(&name));
    };
    push(rows(mode), &[4, 3], positions(&[5, 1], 4, mode));
    push(Gather { offset_dims: vec![0], ..rows(mode) }, &[4, 3], positions(&[2, 3, 1], 4, mode));
    push(Gather { offset_dims: vec![0], ..rows(mode) }, &[4, 3], positions(&[1], 4, mode));
    // Windows of two by two at positions in both axes, the second axis first.
    let windows = Gather {
        offset_dims: vec![0, 2],
        collapsed_slice_dims: vec![],
        start_index_map: vec![1, 0],
        slice_sizes: vec![2, 2],
        ..rows(mode)
    };
    let extent = if mode == IndexMode::PromiseInBounds { 2 } else { 3 };
    push(windows, &[3, 4], positions(&[3, 2], extent, mode));
    // One element for each position of two batch axes, which are in another order in the indices.
    let batched = Gather {
        offset_dims: vec![],
        collapsed_slice_dims: vec![1],
        operand_batching_dims: vec![0, 2],
        start_indices_batching_dims: vec![2, 0],
        start_index_map: vec![1],
        slice_sizes: vec![1, 1, 1],
        ..rows(mode)
    };
    push(batched, &[2, 4, 3], positions(&[3, 5, 2, 1], 4, mode));
    // No position at all, and a window that is everything.
    push(rows(mode), &[4, 3], exactly(&[0, 1], &[]));
    let whole = Gather {
        collapsed_slice_dims: vec![],
        start_index_map: vec![],
        offset_dims: vec![1, 2],
        slice_sizes: vec![4, 3],
        ..rows(mode)
    };
    push(whole, &[4, 3], exactly(&[2, 0], &[]));
}

fn scatters(samples: &mut Vec<Sample>, dtype: DType, mode: IndexMode) {
    for combiner in COMBINERS {
        if !combiner.binary().is_none_or(|op| op.accepts().contains(dtype)) {
            continue;
        }
        let order = match combiner {
            Combiner::Replace | Combiner::Add => 2,
            Combiner::Mul | Combiner::Min | Combiner::Max => 0,
        };
        let rows = Scatter {
            combiner,
            update_window_dims: vec![1],
            inserted_window_dims: vec![0],
            operand_batching_dims: vec![],
            scatter_indices_batching_dims: vec![],
            scatter_dims_to_operand_dims: vec![0],
            mode,
            unique_indices: false,
            indices_are_sorted: false,
        };
        let name = format!("{mode:?}");
        let mut push = |scatter: Scatter, x: &[usize], indices: (Aval, Values), updates: &[usize], order: usize| {
            let inputs = [any(dtype, x), indices, any(dtype, updates)];
            samples.push(Sample::op(Op::Scatter(scatter), &inputs).smooth(order).named(&name));
        };
        push(rows.clone(), &[4, 3], positions(&[5, 1], 4, mode), &[5, 3], order);
        push(rows.clone(), &[4, 3], exactly(&[2, 2, 1], &[1, 3, 1, 1]), &[2, 3, 2], order);
        let unique = Scatter { unique_indices: true, ..rows.clone() };
        let differentiable = if combiner == Combiner::Mul { 2 } else { order };
        push(unique, &[4, 3], exactly(&[3, 1], &[2, 0, 3]), &[3, 3], differentiable);
        let windows = Scatter {
            update_window_dims: vec![0, 2],
            inserted_window_dims: vec![],
            scatter_dims_to_operand_dims: vec![1, 0],
            ..rows.clone()
        };
        let extent = if mode == IndexMode::PromiseInBounds { 2 } else { 3 };
        push(windows, &[3, 4], positions(&[3, 2], extent, mode), &[2, 3, 2], order);
        let batched = Scatter {
            update_window_dims: vec![],
            inserted_window_dims: vec![1],
            operand_batching_dims: vec![0, 2],
            scatter_indices_batching_dims: vec![2, 0],
            scatter_dims_to_operand_dims: vec![1],
            ..rows.clone()
        };
        push(batched, &[2, 4, 3], positions(&[3, 5, 2, 1], 4, mode), &[3, 5, 2], order);
        push(rows, &[4, 3], exactly(&[0, 1], &[]), &[0, 3], order);
    }
}
