//! Derivatives of convolution, which is linear in each operand.
//!
//! With y[o] = sum over k of x[o s - p + k r] w[k] (stride s, low padding p, rhs dilation r), the cotangent of x is the
//! convolution of the cotangent, spread by s, with the reversed kernel, and that of w is the convolution of x with the
//! cotangent as a kernel spread by s. Groups of features turn into groups of batches for the kernel, and back.

use rjax_ir::{Atom, Aval, Builder, Conv, Op};

use super::dot_general::common_dtype;
use crate::jvp::{Dual, Tangent, add_tangents};

pub(crate) fn jvp(b: &mut Builder, conv: &Conv, x: &[Atom], t: &[Tangent]) -> Dual {
    let op = Op::Conv(conv.clone());
    let y = b.emit1(op.clone(), x);
    let from_lhs = t[0].map(|t| b.emit1(op.clone(), &[t, x[1]]));
    let from_rhs = t[1].map(|t| b.emit1(op.clone(), &[x[0], t]));
    (vec![y], vec![add_tangents(b, from_lhs, from_rhs)])
}

/// The extent after spreading elements by `dilation`.
pub(crate) fn dilated(extent: usize, dilation: usize) -> i64 {
    if extent == 0 { 0 } else { ((extent - 1) * dilation + 1) as i64 }
}

/// Splits axis `axis` into `groups` and the rest, and merges the groups into the axis that was `into` before.
fn move_groups(b: &mut Builder, x: Atom, axis: usize, into: usize, groups: usize) -> Atom {
    if groups == 1 {
        return x;
    }
    let shape = b.shape(x);
    let split = shape.with_extent(axis, shape[axis] / groups).with_axis(axis, groups);
    let x = b.reshape(x, &split);
    // Without the group axis, the others are numbered as before the split.
    let x = b.move_axis(x, axis, into);
    let merged = shape.with_extent(axis, shape[axis] / groups);
    let merged = merged.with_extent(into, merged[into] * groups);
    b.reshape(x, &merged)
}

/// Exchanges the first two entries of an axis list.
fn exchanged(spec: &[usize]) -> Vec<usize> {
    let mut spec = spec.to_vec();
    spec.swap(0, 1);
    spec
}

pub(crate) fn transpose_lhs(b: &mut Builder, conv: &Conv, ct: Atom, lhs: &Aval, rhs: Atom) -> Atom {
    let (ct_shape, rhs_shape) = (b.shape(ct), b.shape(rhs));
    if ct_shape.size() == 0 || rhs_shape.size() == 0 || lhs.size() == 0 {
        return b.zeros(lhs);
    }
    let padding = (0..conv.window_strides.len())
        .map(|i| {
            let extent = dilated(lhs.shape[conv.lhs_spec[i + 2]], conv.lhs_dilation[i]);
            let window = dilated(rhs_shape[conv.rhs_spec[i + 2]], conv.rhs_dilation[i]);
            let spread = dilated(ct_shape[conv.out_spec[i + 2]], conv.window_strides[i]);
            let before = window - conv.padding[i].0 - 1;
            (before, extent + window - 1 - spread - before)
        })
        .collect();
    let common = common_dtype(b.dtype(ct), b.dtype(rhs));
    let (ct, rhs) = (b.convert(ct, common), b.convert(rhs, common));
    let groups = conv.feature_group_count * conv.batch_group_count;
    let kernel = move_groups(b, rhs, conv.rhs_spec[0], conv.rhs_spec[1], groups);
    let kernel = b.reverse(kernel, &conv.rhs_spec[2..]);
    let transposed = Conv {
        lhs_spec: conv.out_spec.clone(),
        rhs_spec: exchanged(&conv.rhs_spec),
        out_spec: conv.lhs_spec.clone(),
        window_strides: conv.lhs_dilation.clone(),
        padding,
        lhs_dilation: conv.window_strides.clone(),
        rhs_dilation: conv.rhs_dilation.clone(),
        feature_group_count: groups,
        batch_group_count: 1,
        preferred: common,
    };
    let x = b.emit1(Op::Conv(transposed), &[ct, kernel]);
    let x = move_groups(b, x, conv.lhs_spec[1], conv.lhs_spec[0], conv.batch_group_count);
    b.convert(x, lhs.dtype)
}

pub(crate) fn transpose_rhs(b: &mut Builder, conv: &Conv, ct: Atom, lhs: Atom, rhs: &Aval) -> Atom {
    let (ct_shape, lhs_shape) = (b.shape(ct), b.shape(lhs));
    if ct_shape.size() == 0 || lhs_shape.size() == 0 || rhs.size() == 0 {
        return b.zeros(rhs);
    }
    let padding = (0..conv.window_strides.len())
        .map(|i| {
            let extent = dilated(lhs_shape[conv.lhs_spec[i + 2]], conv.lhs_dilation[i]);
            let window = dilated(rhs.shape[conv.rhs_spec[i + 2]], conv.rhs_dilation[i]);
            let spread = dilated(ct_shape[conv.out_spec[i + 2]], conv.window_strides[i]);
            let low = conv.padding[i].0;
            (low, spread + window - 1 - extent - low)
        })
        .collect();
    let common = common_dtype(b.dtype(ct), b.dtype(lhs));
    let (ct, lhs) = (b.convert(ct, common), b.convert(lhs, common));
    let transposed = Conv {
        lhs_spec: exchanged(&conv.lhs_spec),
        rhs_spec: exchanged(&conv.out_spec),
        out_spec: exchanged(&conv.rhs_spec),
        window_strides: conv.rhs_dilation.clone(),
        padding,
        lhs_dilation: conv.lhs_dilation.clone(),
        rhs_dilation: conv.window_strides.clone(),
        feature_group_count: conv.batch_group_count,
        batch_group_count: conv.feature_group_count,
        preferred: common,
    };
    let w = b.emit1(Op::Conv(transposed), &[lhs, ct]);
    b.convert(w, rhs.dtype)
}
