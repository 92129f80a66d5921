//! Samples of ops with sliding windows.

use rjax_ir::{Binary, DType, Op, Reducer, SelectAndGatherAdd, SelectAndScatterAdd, Window};

use super::reduce::{combiner, greatest_with_position};
use super::{Sample, any, indices, special, spread};

pub(super) fn add(samples: &mut Vec<Sample>) {
    for &reducer in Reducer::ALL {
        let order = match reducer {
            Reducer::Sum | Reducer::Prod | Reducer::Max | Reducer::Min => 2,
            Reducer::And | Reducer::Or | Reducer::Xor => 0,
        };
        for dtype in reducer.accepts().iter() {
            let mut push = |window: Window, shape: &[usize]| {
                // The derivative of complex maxima would have to choose by lexicographic order.
                let order = if dtype.is_complex() && reducer != Reducer::Sum { 0 } else { order };
                let sample = Sample::op(Op::ReduceWindow { reducer, window }, &[spread(dtype, shape)]);
                samples.push(sample.smooth(order));
            };
            push(plain(&[2, 3], &[1, 2]), &[3, 6]);
            push(padded(), &[4, 3]);
            push(dilated(), &[5]);
            push(pooling(), &[2, 5, 3]);
            push(plain(&[], &[]), &[]);
            push(plain(&[2], &[1]), &[0]);
            push(plain(&[3], &[1]), &[2]);
            let window = plain(&[3], &[1]);
            samples.push(Sample::op(Op::ReduceWindow { reducer, window }, &[special(dtype, &[15])]).named("special"));
        }
    }
    general(samples);
    for dtype in DType::ALL.into_iter().filter(|d| d.is_float() || d.is_integer()) {
        for largest in [true, false] {
            selections(samples, dtype, largest);
        }
    }
}

/// Without padding and dilation.
fn plain(dimensions: &[usize], strides: &[usize]) -> Window {
    let rank = dimensions.len();
    Window {
        dimensions: dimensions.to_vec(),
        strides: strides.to_vec(),
        padding: vec![(0, 0); rank],
        base_dilation: vec![1; rank],
        window_dilation: vec![1; rank],
    }
}

/// With padding on both sides.
fn padded() -> Window {
    Window { padding: vec![(1, 0), (2, 1)], ..plain(&[2, 2], &[2, 1]) }
}

/// Along the middle axis only, windows that overlap and reach into the padding.
fn pooling() -> Window {
    Window { padding: vec![(0, 0), (2, 1), (0, 0)], ..plain(&[1, 3, 1], &[1, 2, 1]) }
}

/// With dilation of both sides, and negative padding.
fn dilated() -> Window {
    Window { padding: vec![(2, -1)], base_dilation: vec![2], window_dilation: vec![3], ..plain(&[2], &[1]) }
}

fn general(samples: &mut Vec<Sample>) {
    for dtype in DType::ALL {
        let body = combiner(&[dtype], |b, x| vec![b.binary(Binary::Mul, x[0], x[1])]);
        let op = |window| Op::GeneralReduceWindow { body: body.clone(), window };
        samples.push(Sample::op(op(padded()), &[any(dtype, &[4, 3]), any(dtype, &[])]).smooth(2));
        samples.push(Sample::op(op(dilated()), &[any(dtype, &[5]), any(dtype, &[])]).smooth(2));
        samples.push(Sample::op(op(plain(&[], &[])), &[any(dtype, &[]), any(dtype, &[])]).smooth(2));
    }
    let op = Op::GeneralReduceWindow { body: greatest_with_position(DType::F64), window: padded() };
    let inputs = [spread(DType::F64, &[4, 3]), indices(&[4, 3], 0, 9), any(DType::F64, &[]), any(DType::I32, &[])];
    samples.push(Sample::op(op, &inputs).smooth(2).named("greatest with position"));
}

fn selections(samples: &mut Vec<Sample>, dtype: DType, largest: bool) {
    let name = if largest { "greatest" } else { "least" };
    let scatter = |window: &Window| {
        Op::SelectAndScatterAdd(SelectAndScatterAdd {
            largest,
            dimensions: window.dimensions.clone(),
            strides: window.strides.clone(),
            padding: window.padding.clone(),
        })
    };
    let gather = |window: &Window| Op::SelectAndGatherAdd(SelectAndGatherAdd { largest, window: window.clone() });
    for (window, shape, windows) in [
        (plain(&[2, 3], &[1, 2]), &[3, 6][..], &[2, 2][..]),
        (padded(), &[4, 3], &[2, 5]),
        (pooling(), &[2, 5, 3], &[2, 3, 3]),
        (plain(&[2], &[1]), &[0], &[0]),
        (plain(&[], &[]), &[], &[]),
    ] {
        let inputs = [any(dtype, windows), spread(dtype, shape)];
        samples.push(Sample::op(scatter(&window), &inputs).frozen(&[1]).smooth(2).named(name));
        let inputs = [any(dtype, shape), spread(dtype, shape)];
        samples.push(Sample::op(gather(&window), &inputs).frozen(&[1]).smooth(2).named(name));
    }
    let inputs = [any(dtype, &[5]), spread(dtype, &[5])];
    samples.push(Sample::op(gather(&dilated()), &inputs).frozen(&[1]).smooth(2).named(name));
}
