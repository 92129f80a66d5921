//! Samples of dots and convolutions.

use rjax_ir::{Conv, DType, DotGeneral, Op, Precision};

use super::{Sample, any};

pub(super) fn add(samples: &mut Vec<Sample>) {
    for dtype in DType::ALL {
        dots(samples, dtype);
        convs(samples, dtype);
    }
    for (dtype, preferred) in
        [(DType::BF16, DType::F32), (DType::F16, DType::F32), (DType::I8, DType::I32), (DType::F32, DType::F64)]
    {
        let dot = dot((&[1], &[0]), (&[], &[]), preferred);
        samples.push(Sample::op(dot, &[any(dtype, &[3, 4]), any(dtype, &[4, 2])]).ulps(2.0));
        let conv = Conv { preferred, ..conv(dtype, 1) };
        samples.push(Sample::op(Op::Conv(conv), &[any(dtype, &[2, 3, 5]), any(dtype, &[4, 3, 2])]).ulps(2.0));
    }
}

fn dot(contracting: (&[usize], &[usize]), batch: (&[usize], &[usize]), preferred: DType) -> Op {
    Op::DotGeneral(DotGeneral {
        lhs_contracting: contracting.0.to_vec(),
        rhs_contracting: contracting.1.to_vec(),
        lhs_batch: batch.0.to_vec(),
        rhs_batch: batch.1.to_vec(),
        precision: Precision::Default,
        preferred,
    })
}

fn dots(samples: &mut Vec<Sample>, dtype: DType) {
    let mut push = |contracting: (&[usize], &[usize]), batch: (&[usize], &[usize]), lhs: &[usize], rhs: &[usize]| {
        let op = dot(contracting, batch, dtype);
        samples.push(Sample::op(op, &[any(dtype, lhs), any(dtype, rhs)]).smooth(2).ulps(2.0));
    };
    push((&[1], &[0]), (&[], &[]), &[2, 3], &[3, 4]);
    push((&[0], &[0]), (&[], &[]), &[3], &[3]);
    push((&[], &[]), (&[], &[]), &[2], &[3]);
    push((&[], &[]), (&[], &[]), &[], &[]);
    push((&[2], &[1]), (&[0], &[0]), &[2, 3, 4], &[2, 4, 3]);
    push((&[0, 3], &[2, 1]), (&[2], &[0]), &[2, 3, 2, 4], &[2, 4, 2, 3]);
    push((&[1, 2], &[1, 0]), (&[], &[]), &[2, 3, 4], &[4, 3, 2]);
    push((&[0, 2, 3], &[3, 0, 1]), (&[], &[]), &[2, 3, 2, 3], &[2, 3, 4, 2]);
    push((&[1], &[0]), (&[], &[]), &[2, 0], &[0, 4]);
    push((&[1], &[0]), (&[], &[]), &[0, 3], &[3, 4]);
    push((&[1], &[1]), (&[0], &[0]), &[1, 1], &[1, 1]);
}

/// Batch, features and then spatial axes everywhere; stride 1, no padding.
fn conv(preferred: DType, spatial: usize) -> Conv {
    let spec: Vec<usize> = (0..spatial + 2).collect();
    Conv {
        lhs_spec: spec.clone(),
        rhs_spec: spec.clone(),
        out_spec: spec,
        window_strides: vec![1; spatial],
        padding: vec![(0, 0); spatial],
        lhs_dilation: vec![1; spatial],
        rhs_dilation: vec![1; spatial],
        feature_group_count: 1,
        batch_group_count: 1,
        preferred,
    }
}

fn convs(samples: &mut Vec<Sample>, dtype: DType) {
    let mut push = |conv: Conv, lhs: &[usize], rhs: &[usize]| {
        samples.push(Sample::op(Op::Conv(conv), &[any(dtype, lhs), any(dtype, rhs)]).smooth(2).ulps(4.0));
    };
    push(conv(dtype, 1), &[2, 3, 5], &[4, 3, 2]);
    push(conv(dtype, 0), &[2, 3], &[4, 3]);
    push(conv(dtype, 1), &[2, 3, 1], &[4, 3, 2]);
    push(conv(dtype, 1), &[0, 3, 4], &[4, 3, 2]);
    let strided = Conv { window_strides: vec![2], padding: vec![(1, 2)], rhs_dilation: vec![2], ..conv(dtype, 1) };
    push(strided, &[1, 2, 6], &[2, 2, 3]);
    let transposed = Conv { lhs_dilation: vec![3], padding: vec![(2, -1)], ..conv(dtype, 1) };
    push(transposed, &[1, 2, 3], &[2, 2, 3]);
    let channels_last = Conv {
        lhs_spec: vec![0, 3, 1, 2],
        rhs_spec: vec![3, 2, 0, 1],
        out_spec: vec![0, 3, 1, 2],
        window_strides: vec![1, 2],
        padding: vec![(1, 1), (0, 1)],
        ..conv(dtype, 2)
    };
    push(channels_last, &[2, 3, 4, 2], &[3, 2, 2, 3]);
    push(Conv { feature_group_count: 2, ..conv(dtype, 1) }, &[2, 4, 4], &[6, 2, 2]);
    push(Conv { batch_group_count: 2, ..conv(dtype, 1) }, &[4, 3, 4], &[6, 3, 2]);
}
