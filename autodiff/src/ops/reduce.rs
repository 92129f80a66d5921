//! Derivatives of products and extremes over axes.

use rjax_ir::{Atom, Builder, Compare, Cumulative, CumulativeKind, Op, PadDim, Reducer, Scalar, Shape};

use crate::jvp::{Dual, Tangent};

pub(crate) fn jvp(b: &mut Builder, reducer: Reducer, axes: &[usize], x: Atom, t: Tangent) -> Dual {
    let y = b.emit1(Op::Reduce { reducer, axes: axes.to_vec() }, &[x]);
    let ty = t.and_then(|t| match reducer {
        Reducer::Sum => Some(b.reduce_sum(t, axes)),
        Reducer::Prod => {
            let [x, t] = [x, t].map(|v| flatten_last(b, v, axes));
            Some(product(b, x, t))
        }
        // Without elements the extreme is a constant.
        Reducer::Max | Reducer::Min => (b.shape(x).size() > 0).then(|| extreme(b, axes, x, y, t)),
        Reducer::And | Reducer::Or | Reducer::Xor => None,
    });
    (vec![y], vec![ty])
}

/// Puts some axes last, as one.
fn flatten_last(b: &mut Builder, x: Atom, axes: &[usize]) -> Atom {
    let shape = b.shape(x);
    let kept: Vec<usize> = (0..shape.rank()).filter(|a| !axes.contains(a)).collect();
    let x = b.transpose(x, &[&kept, axes].concat());
    let extent = axes.iter().map(|&a| shape[a]).product();
    let flat: Shape = kept.iter().map(|&a| shape[a]).chain([extent]).collect();
    b.reshape(x, &flat)
}

/// The tangent of the product along the last axis: the sum of each tangent times the product of all other elements, which
/// is that of the elements before times that of those behind. No division, so zeros are no exception.
pub(crate) fn product(b: &mut Builder, x: Atom, t: Atom) -> Atom {
    let axis = b.shape(x).rank() - 1;
    let one: Atom = Scalar::one(b.dtype(x)).into();
    let mut others = |reverse: bool| {
        let mut padding = vec![PadDim::default(); axis + 1];
        (padding[axis].low, padding[axis].high) = if reverse { (-1, 1) } else { (1, -1) };
        let shifted = b.pad(x, one, &padding);
        b.emit1(Op::Cumulative(Cumulative { kind: CumulativeKind::Prod, axis, reverse }), &[shifted])
    };
    let (before, behind) = (others(false), others(true));
    let slope = b.mul(before, behind);
    let part = b.mul(t, slope);
    b.reduce_sum(part, &[axis])
}

/// The tangent of an extreme: the mean of the tangents of the elements that attain it.
fn extreme(b: &mut Builder, axes: &[usize], x: Atom, y: Atom, t: Atom) -> Atom {
    let shape = b.shape(x);
    let kept: Vec<usize> = (0..shape.rank()).filter(|a| !axes.contains(a)).collect();
    let spread = b.broadcast_in_dim(y, &shape, &kept);
    let attains = b.compare(Compare::Eq, x, spread);
    let share = b.convert(attains, b.dtype(t));
    let (part, count) = (b.mul(t, share), b.reduce_sum(share, axes));
    let sum = b.reduce_sum(part, axes);
    b.div(sum, count)
}
