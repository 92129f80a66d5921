//! Samples of ops that move elements.

use rjax_ir::{Aval, DType, Op, PadDim, Shape, Slice};

use super::{Sample, any};

pub(super) fn add(samples: &mut Vec<Sample>) {
    for dtype in DType::all() {
        let mut push = |op: Op, shapes: &[&[usize]]| {
            let inputs: Vec<(Aval, _)> = shapes.iter().map(|shape| any(dtype, shape)).collect();
            // Sums of narrow values are too coarse for the checks of derivatives.
            samples.push(Sample::op(op, &inputs).smooth(if dtype.narrow().is_some() { 0 } else { 2 }));
        };
        push(broadcast([2, 3], &[1]), &[&[3]]);
        push(Op::Reshape { shape: [3, 2].into() }, &[&[2, 3]]);
        push(Op::Transpose { permutation: vec![2, 0, 1] }, &[&[2, 3, 4]]);
        push(slice([1, 0], [4, 3], [2, 1]), &[&[5, 3]]);
        push(pad([(1, 2, 1), (0, -1, 2)]), &[&[3, 2], &[]]);
        push(Op::Concatenate { axis: 1 }, &[&[2, 1], &[2, 0], &[2, 3]]);
        push(Op::Reverse { axes: vec![1] }, &[&[2, 3]]);
        if dtype != DType::Bool && dtype.narrow().is_none() {
            push(Op::Iota { dtype, shape: [2, 3].into(), axis: 1 }, &[]);
        }
    }
    let mut push = |op: Op, shapes: &[&[usize]]| {
        let inputs: Vec<(Aval, _)> = shapes.iter().map(|shape| any(DType::F64, shape)).collect();
        samples.push(Sample::op(op, &inputs).smooth(2));
    };
    push(broadcast([2, 3], &[]), &[&[]]);
    push(broadcast([0, 3], &[1]), &[&[3]]);
    push(broadcast([4, 3], &[0, 1]), &[&[1, 3]]);
    push(broadcast([2, 4, 3, 2], &[0, 2]), &[&[2, 1]]);
    push(Op::BroadcastInDim { shape: Shape::scalar(), dims: vec![] }, &[&[]]);
    for (from, to) in [
        (&[][..], &[1][..]),
        (&[], &[1, 1]),
        (&[1], &[]),
        (&[6], &[2, 3]),
        (&[2, 6], &[3, 4]),
        (&[2, 0], &[0, 5]),
        (&[2, 3, 4], &[2, 12]),
        (&[4, 1, 3], &[2, 2, 3]),
    ] {
        push(Op::Reshape { shape: to.into() }, &[from]);
    }
    push(Op::Transpose { permutation: vec![] }, &[&[]]);
    push(Op::Transpose { permutation: vec![1, 0] }, &[&[0, 3]]);
    push(slice([2], [2], [1]), &[&[5]]);
    push(slice([0], [5], [3]), &[&[5]]);
    push(slice([], [], []), &[&[]]);
    push(pad([(-1, 0, 0)]), &[&[1], &[]]);
    push(pad([(-2, 3, 1)]), &[&[4], &[]]);
    push(pad([(2, -9, 0)]), &[&[3], &[]]);
    push(pad([(1, 1, 3)]), &[&[0], &[]]);
    push(pad([]), &[&[], &[]]);
    push(Op::Concatenate { axis: 0 }, &[&[3]]);
    push(Op::Concatenate { axis: 0 }, &[&[0], &[0]]);
    push(Op::Concatenate { axis: 0 }, &[&[1, 2], &[3, 2]]);
    push(Op::Reverse { axes: vec![] }, &[&[2]]);
    push(Op::Reverse { axes: vec![2, 0] }, &[&[2, 3, 2]]);
    push(Op::Iota { dtype: DType::F32, shape: [0].into(), axis: 0 }, &[]);
    push(Op::Iota { dtype: DType::I32, shape: [3, 1, 2].into(), axis: 0 }, &[]);
}

fn broadcast<const N: usize>(shape: [usize; N], dims: &[usize]) -> Op {
    Op::BroadcastInDim { shape: shape.into(), dims: dims.to_vec() }
}

fn slice<const N: usize>(starts: [usize; N], limits: [usize; N], strides: [usize; N]) -> Op {
    Op::Slice(Slice { starts: starts.to_vec(), limits: limits.to_vec(), strides: strides.to_vec() })
}

fn pad<const N: usize>(padding: [(i64, i64, usize); N]) -> Op {
    Op::Pad { padding: padding.iter().map(|&(low, high, interior)| PadDim { low, high, interior }).collect() }
}
