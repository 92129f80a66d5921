//! Derivatives of cumulative products, extremes and log-sum-exps.
//!
//! A cumulative op is a scan with an associative combiner, so its tangent is the scan of (value, tangent) pairs with the
//! combiner's derivative. It is built as a recursion over halves: combine neighbours, scan those, and fill in the rest.
//! That needs no division, so products with zeros are exact, and a tie of extremes is shared.

use rjax_ir::{Atom, Binary, Builder, Compare, Cumulative, CumulativeKind, Op, PadDim, Scalar, Slice, Unary};

use super::elementwise::share_of_extreme;
use crate::jvp::{Dual, Tangent};

pub(crate) fn jvp(b: &mut Builder, op: &Cumulative, x: Atom, t: Tangent) -> Dual {
    let y = b.emit1(Op::Cumulative(op.clone()), &[x]);
    let ty = t.map(|t| {
        let axes: &[usize] = if op.reverse { &[op.axis] } else { &[] };
        let pair = (b.reverse(x, axes), b.reverse(t, axes));
        let (_, t) = scan(b, op.kind, pair, op.axis);
        b.reverse(t, axes)
    });
    (vec![y], vec![ty])
}

type Pair = (Atom, Atom);

fn map(pair: Pair, mut f: impl FnMut(Atom) -> Atom) -> Pair {
    (f(pair.0), f(pair.1))
}

/// The inclusive scan of pairs along an axis. The recursion is as deep as the extent has binary digits.
fn scan(b: &mut Builder, kind: CumulativeKind, x: Pair, axis: usize) -> Pair {
    let extent = b.shape(x.0)[axis];
    if extent < 2 {
        return x;
    }
    let firsts = map(x, |x| every_other(b, x, axis, 0, extent - 1));
    let seconds = map(x, |x| every_other(b, x, axis, 1, extent));
    let pairs = combine(b, kind, firsts, seconds);
    let odd = scan(b, kind, pairs, axis);
    let head = map(x, |x| b.slice_axis(x, axis, 0, 1));
    if extent == 2 {
        return (interleave(b, head.0, odd.0, axis), interleave(b, head.1, odd.1, axis));
    }
    let before = map(odd, |x| b.slice_axis(x, axis, 0, (extent - 1) / 2));
    let rest = map(x, |x| every_other(b, x, axis, 2, extent));
    let rest = combine(b, kind, before, rest);
    let even = (b.concatenate(&[head.0, rest.0], axis), b.concatenate(&[head.1, rest.1], axis));
    (interleave(b, even.0, odd.0, axis), interleave(b, even.1, odd.1, axis))
}

/// Elements `start, start + 2, …` below `limit`.
fn every_other(b: &mut Builder, x: Atom, axis: usize, start: usize, limit: usize) -> Atom {
    let shape = b.shape(x);
    let mut slice = Slice { starts: vec![0; shape.rank()], limits: shape.to_vec(), strides: vec![1; shape.rank()] };
    (slice.starts[axis], slice.limits[axis], slice.strides[axis]) = (start.min(limit), limit, 2);
    b.emit1(Op::Slice(slice), &[x])
}

/// `even[0], odd[0], even[1], odd[1], …`; there are as many odd elements as even ones, or one less.
fn interleave(b: &mut Builder, even: Atom, odd: Atom, axis: usize) -> Atom {
    let (shape, odds) = (b.shape(even), b.shape(odd)[axis]);
    let zero: Atom = Scalar::zero(b.dtype(even)).into();
    let trailing = (odds == shape[axis]) as i64;
    let mut padding = vec![PadDim::default(); shape.rank()];
    padding[axis] = PadDim { low: 0, high: trailing, interior: 1 };
    let even = b.pad(even, zero, &padding);
    padding[axis] = PadDim { low: 1, high: 1 - trailing, interior: 1 };
    let odd = b.pad(odd, zero, &padding);
    b.add(even, odd)
}

/// The combination of two values, the earlier one first, with its tangent.
fn combine(b: &mut Builder, kind: CumulativeKind, (x, tx): Pair, (y, ty): Pair) -> Pair {
    match kind {
        CumulativeKind::Sum => (b.add(x, y), b.add(tx, ty)),
        CumulativeKind::Prod => {
            let (from_x, from_y) = (b.mul(tx, y), b.mul(x, ty));
            (b.mul(x, y), b.add(from_x, from_y))
        }
        CumulativeKind::Max | CumulativeKind::Min => {
            let op = if kind == CumulativeKind::Max { Binary::Max } else { Binary::Min };
            let z = b.binary(op, x, y);
            let (from_x, from_y) = (share_of_extreme(b, tx, [x, y], z), share_of_extreme(b, ty, [y, x], z));
            (z, b.add(from_x, from_y))
        }
        CumulativeKind::LogSumExp => {
            let z = log_add_exp(b, x, y);
            let (from_x, from_y) = (weighted(b, tx, x, z), weighted(b, ty, y, z));
            (z, b.add(from_x, from_y))
        }
    }
}

/// log(exp x + exp y), without overflow.
fn log_add_exp(b: &mut Builder, x: Atom, y: Atom) -> Atom {
    // The operand with the greater real part, so that the exponential of the difference stays finite.
    let parts = [x, y].map(|v| if b.dtype(v).is_complex() { b.unary(Unary::Real, v) } else { v });
    let x_greater = b.compare(Compare::Gt, parts[0], parts[1]);
    let (greater, less) = (b.select(x_greater, x, y), b.select(x_greater, y, x));
    let equal = b.compare(Compare::Eq, x, y);
    let difference = b.sub(less, greater);
    // Equal operands may be infinite, and then their difference is NaN.
    let difference = b.select(equal, Scalar::zero(b.dtype(x)).into(), difference);
    let exp = b.unary(Unary::Exp, difference);
    let log = b.unary(Unary::Log1p, exp);
    b.add(greater, log)
}

/// exp(x - z) t: the share of x in the result. Infinities of equal sign weigh 1, minus infinity in nothing but itself 0.
fn weighted(b: &mut Builder, t: Atom, x: Atom, z: Atom) -> Atom {
    let least = infinite(b, z, f64::NEG_INFINITY);
    let greatest = infinite(b, z, f64::INFINITY);
    let zero: Atom = Scalar::zero(b.dtype(z)).into();
    let finite = |b: &mut Builder, v: Atom| {
        let infinite = b.compare(Compare::Eq, v, greatest);
        b.select(infinite, zero, v)
    };
    let x = finite(b, x);
    let empty = b.compare(Compare::Eq, z, least);
    let z = finite(b, z);
    let z = b.select(empty, zero, z);
    let difference = b.sub(x, z);
    let weight = b.unary(Unary::Exp, difference);
    b.mul(t, weight)
}

fn infinite(b: &mut Builder, like: Atom, value: f64) -> Atom {
    Scalar::from_f64(b.dtype(like), value).into()
}
