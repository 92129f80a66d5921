//! Derivatives of reductions over sliding windows.

use rjax_ir::{
    ArgReduce, Atom, Aval, Builder, Compare, DType, Gather, IndexMode, Op, PadDim, Reducer, Result, Scalar,
    SelectAndGatherAdd, SelectAndScatterAdd, Shape, Slice, Window,
};

use super::conv::dilated;
use super::reduce;
use crate::jvp::{Dual, Tangent};
use crate::transpose::transpose_of;

pub(crate) fn jvp(b: &mut Builder, reducer: Reducer, window: &Window, x: Atom, t: Tangent) -> Dual {
    let op = Op::ReduceWindow { reducer, window: window.clone() };
    let y = b.emit1(op.clone(), &[x]);
    let ty = t.and_then(|t| match reducer {
        Reducer::Sum => Some(b.emit1(op, &[t])),
        Reducer::Prod => {
            let dtype = b.dtype(x);
            let x = patches(b, x, window, Scalar::one(dtype));
            let t = patches(b, t, window, Scalar::zero(dtype));
            let product = reduce::product(b, x, t);
            let shape = b.shape(y);
            Some(b.reshape(product, &shape))
        }
        Reducer::Max | Reducer::Min => Some(select_and_gather(b, reducer == Reducer::Max, window, t, x)),
        Reducer::And | Reducer::Or | Reducer::Xor => None,
    });
    (vec![y], vec![ty])
}

/// The elements of `t` where the windows of x have their extreme.
fn select_and_gather(b: &mut Builder, largest: bool, window: &Window, t: Atom, x: Atom) -> Atom {
    if !b.dtype(x).is_complex() {
        return b.emit1(Op::SelectAndGatherAdd(SelectAndGatherAdd { largest, window: window.clone() }), &[t, x]);
    }
    let selected = selection(b, largest, window, x);
    let dtype = b.dtype(t);
    let t = patches(b, t, window, Scalar::zero(dtype));
    let part = b.select(selected, t, Scalar::zero(dtype).into());
    let axis = b.shape(part).rank() - 1;
    b.reduce_sum(part, &[axis])
}

/// For each window, flattened to a last axis, whether an element is its first extreme.
fn selection(b: &mut Builder, largest: bool, window: &Window, x: Atom) -> Atom {
    let dtype = b.dtype(x);
    let reducer = if largest { Reducer::Max } else { Reducer::Min };
    let x = patches(b, x, window, reducer.identity(dtype));
    let shape = b.shape(x);
    let axis = shape.rank() - 1;
    let kept: Vec<usize> = (0..axis).collect();
    // Complex numbers have no argmax: the first of those that equal the extreme.
    let x = if dtype.is_complex() {
        let extreme = b.reduce(reducer, x, &[axis]);
        let extreme = b.broadcast_in_dim(extreme, &shape, &kept);
        let attains = b.compare(Compare::Eq, x, extreme);
        b.convert(attains, DType::I32)
    } else {
        x
    };
    let largest = largest || dtype.is_complex();
    let first = b.emit1(Op::ArgReduce(ArgReduce { largest, axis, index_dtype: DType::I32 }), &[x]);
    let first = b.broadcast_in_dim(first, &shape, &kept);
    let positions = b.iota(DType::I32, &shape, axis);
    b.compare(Compare::Eq, positions, first)
}

/// The windows of x, each flattened to the last axis; positions outside x hold `fill`.
pub(crate) fn patches(b: &mut Builder, x: Atom, window: &Window, fill: Scalar) -> Atom {
    let padding: Vec<PadDim> = (window.padding.iter().zip(&window.base_dilation))
        .map(|(&(low, high), &dilation)| PadDim { low, high, interior: dilation - 1 })
        .collect();
    let x = b.pad(x, fill.into(), &padding);
    let padded = b.shape(x);
    let rank = padded.rank();
    let spans: Vec<usize> =
        (0..rank).map(|a| dilated(window.dimensions[a], window.window_dilation[a]) as usize).collect();
    let counts: Shape = (0..rank)
        .map(|a| if padded[a] < spans[a] { 0 } else { (padded[a] - spans[a]) / window.strides[a] + 1 })
        .collect();
    let elements: usize = window.dimensions.iter().product();
    let flat = counts.with_axis(rank, elements);
    if flat.size() == 0 || rank == 0 {
        let aval = b.aval(x).with_shape(flat.clone());
        return if rank == 0 { b.reshape(x, &flat) } else { b.zeros(&aval) };
    }
    let components: Vec<Atom> = (0..rank)
        .map(|axis| {
            let positions = b.iota(DType::I32, &counts, axis);
            let starts = b.mul_scalar(positions, window.strides[axis] as f64);
            b.expand_dims(starts, rank)
        })
        .collect();
    let starts = b.concatenate(&components, rank);
    let gather = Gather {
        offset_dims: (rank..2 * rank).collect(),
        collapsed_slice_dims: vec![],
        operand_batching_dims: vec![],
        start_indices_batching_dims: vec![],
        start_index_map: (0..rank).collect(),
        slice_sizes: spans.clone(),
        mode: IndexMode::PromiseInBounds,
        fill_value: None,
        unique_indices: false,
        indices_are_sorted: true,
    };
    let windows = b.emit1(Op::Gather(gather), &[x, starts]);
    let strides = [vec![1; rank], window.window_dilation.clone()].concat();
    let limits: Vec<usize> = counts.iter().copied().chain(spans).collect();
    let windows = b.emit1(Op::Slice(Slice { starts: vec![0; 2 * rank], limits, strides }), &[windows]);
    b.reshape(windows, &flat)
}

/// The cotangent of a window sum: each element collects the cotangents of the windows it is in. That is a window sum over
/// the cotangent, spread by the strides; base dilation and strides change places.
pub(crate) fn transpose_sum(b: &mut Builder, window: &Window, ct: Atom, x: &Aval) -> Atom {
    let counts = b.shape(ct);
    if counts.size() == 0 || x.size() == 0 || window.dimensions.contains(&0) {
        return b.zeros(x);
    }
    let padding = (0..x.rank())
        .map(|a| {
            let span = dilated(window.dimensions[a], window.window_dilation[a]);
            let before = span - window.padding[a].0 - 1;
            let extent = dilated(x.shape[a], window.base_dilation[a]);
            (before, extent + span - 1 - dilated(counts[a], window.strides[a]) - before)
        })
        .collect();
    let transposed = Window {
        dimensions: window.dimensions.clone(),
        strides: window.base_dilation.clone(),
        padding,
        base_dilation: window.strides.clone(),
        window_dilation: window.window_dilation.clone(),
    };
    b.emit1(Op::ReduceWindow { reducer: Reducer::Sum, window: transposed }, &[ct])
}

/// The cotangent of the tangents of `select_and_gather_add`.
pub(crate) fn transpose_select_and_gather(
    b: &mut Builder,
    op: &SelectAndGatherAdd,
    ct: Atom,
    tangents: &Aval,
    operand: Atom,
) -> Result<Atom> {
    let window = &op.window;
    if window.base_dilation.iter().chain(&window.window_dilation).all(|&d| d == 1) {
        let scatter = SelectAndScatterAdd {
            largest: op.largest,
            dimensions: window.dimensions.clone(),
            strides: window.strides.clone(),
            padding: window.padding.clone(),
        };
        return Ok(b.emit1(Op::SelectAndScatterAdd(scatter), &[ct, operand]));
    }
    let selected = selection(b, op.largest, window, operand);
    let shape = b.shape(selected);
    let spread = b.broadcast_in_dim(ct, &shape, &(0..shape.rank() - 1).collect::<Vec<_>>());
    let zero = Scalar::zero(tangents.dtype);
    let ct = b.select(selected, spread, zero.into());
    transpose_of(b, |b, t| patches(b, t, window, zero), tangents, ct)
}

/// The cotangent of the source of `select_and_scatter_add`.
pub(crate) fn transpose_select_and_scatter(b: &mut Builder, op: &SelectAndScatterAdd, ct: Atom, operand: Atom) -> Atom {
    b.emit1(Op::SelectAndGatherAdd(SelectAndGatherAdd { largest: op.largest, window: op.window() }), &[ct, operand])
}
