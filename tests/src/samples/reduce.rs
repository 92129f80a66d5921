//! Samples of reductions, cumulative ops and sorting.

use std::sync::Arc;

use rjax_ir::{
    ArgReduce, Atom, Aval, Binary, Builder, Compare, Cumulative, CumulativeKind, DType, Op, Program, Reducer, Scalar,
    Sort,
};

use super::{Sample, any, program, special, spread};
use crate::random::Values;

const KINDS: [CumulativeKind; 5] =
    [CumulativeKind::Sum, CumulativeKind::Prod, CumulativeKind::Max, CumulativeKind::Min, CumulativeKind::LogSumExp];

pub(super) fn add(samples: &mut Vec<Sample>) {
    for &reducer in Reducer::ALL {
        reductions(samples, reducer);
    }
    for kind in KINDS {
        cumulatives(samples, kind);
    }
    general(samples);
    arg_reductions(samples);
    sorts(samples);
}

fn reductions(samples: &mut Vec<Sample>, reducer: Reducer) {
    let reduce = |axes: &[usize]| Op::Reduce { reducer, axes: axes.to_vec() };
    let order = match reducer {
        Reducer::Sum | Reducer::Prod | Reducer::Max | Reducer::Min => 2,
        Reducer::And | Reducer::Or | Reducer::Xor => 0,
    };
    for dtype in reducer.accepts().iter() {
        samples.push(Sample::op(reduce(&[1]), &[spread(dtype, &[2, 3, 2])]).smooth(order));
        samples.push(Sample::op(reduce(&[0]), &[special(dtype, &[9, 3])]).named("special"));
        samples.push(Sample::op(reduce(&[0, 1]), &[any(dtype, &[0, 3])]).smooth(order));
        samples.push(Sample::op(reduce(&[0, 2]), &[spread(dtype, &[2, 3, 2])]).smooth(order));
        samples.push(Sample::op(reduce(&[1]), &[any(dtype, &[0, 3])]).smooth(order));
        samples.push(Sample::op(reduce(&[]), &[any(dtype, &[])]).smooth(order));
    }
    if reducer == Reducer::Prod {
        for zeros in [vec![0.0, 2.0, 3.0], vec![0.0, 0.0, 3.0]] {
            let x = (Aval::new(DType::F64, [2, 3]), Values::Exactly(zeros));
            samples.push(Sample::op(reduce(&[1]), &[x]).smooth(2).named("zeros"));
        }
    }
}

fn cumulatives(samples: &mut Vec<Sample>, kind: CumulativeKind) {
    for dtype in kind.accepts().iter() {
        for reverse in [false, true] {
            let cumulative = |axis| Op::Cumulative(Cumulative { kind, axis, reverse });
            let name = if reverse { "reverse" } else { "forward" };
            let values = match kind {
                CumulativeKind::Max | CumulativeKind::Min => Values::Spread,
                CumulativeKind::Sum | CumulativeKind::Prod | CumulativeKind::LogSumExp => Values::Signed(0.5, 1.5),
            };
            samples.push(Sample::op(cumulative(1), &[(Aval::new(dtype, [2, 5]), values)]).smooth(2).named(name));
            samples.push(Sample::op(cumulative(0), &[special(dtype, &[12, 2])]).named(name));
            samples.push(Sample::op(cumulative(0), &[any(dtype, &[1])]).smooth(2).named(name));
            samples.push(Sample::op(cumulative(1), &[any(dtype, &[2, 0])]).smooth(2).named(name));
        }
    }
}

/// A combiner of scalars: `(acc…, value…) -> acc…`.
pub(super) fn combiner(dtypes: &[DType], write: impl FnOnce(&mut Builder, &[Atom]) -> Vec<Atom>) -> Arc<Program> {
    let avals: Vec<Aval> = [dtypes, dtypes].concat().into_iter().map(Aval::scalar).collect();
    Arc::new(program(&avals, write))
}

/// The greatest value and its position; of equal values the first.
pub(super) fn greatest_with_position(dtype: DType) -> Arc<Program> {
    combiner(&[dtype, DType::I32], |b, x| {
        let better = b.compare(Compare::Gt, x[2], x[0]);
        vec![b.select(better, x[2], x[0]), b.select(better, x[3], x[1])]
    })
}

fn general(samples: &mut Vec<Sample>) {
    for dtype in DType::ALL {
        let body = combiner(&[dtype], |b, x| vec![b.binary(Binary::Add, x[0], x[1])]);
        // Also where nothing is combined but the initial value with each element.
        let cases: [(&[usize], Vec<usize>); 6] = [
            (&[2, 3], vec![1]),
            (&[2, 3], vec![0, 1]),
            (&[2, 0], vec![1]),
            (&[1, 3], vec![0]),
            (&[3], vec![]),
            (&[], vec![]),
        ];
        for (shape, axes) in cases {
            let op = Op::GeneralReduce { body: body.clone(), axes };
            samples.push(Sample::op(op, &[any(dtype, shape), any(dtype, &[])]).smooth(2));
        }
    }
    let op = Op::GeneralReduce { body: greatest_with_position(DType::F64), axes: vec![1] };
    let inputs = [
        spread(DType::F64, &[2, 4]),
        (Aval::new(DType::I32, [2, 4]), Values::Exactly((0..8).map(f64::from).collect())),
        any(DType::F64, &[]),
        any(DType::I32, &[]),
    ];
    samples.push(Sample::op(op, &inputs).smooth(2).named("greatest with position"));
    // The identity of the combiner comes from outside.
    let floor = combiner(&[DType::F64], |b, x| {
        let greatest = b.binary(Binary::Max, x[0], x[1]);
        vec![b.binary(Binary::Max, greatest, Scalar::from_f64(DType::F64, -0.5).into())]
    });
    let op = Op::GeneralReduce { body: floor, axes: vec![0] };
    samples.push(Sample::op(op, &[any(DType::F64, &[3, 2]), any(DType::F64, &[])]).smooth(2).named("max with floor"));
}

fn arg_reductions(samples: &mut Vec<Sample>) {
    for largest in [true, false] {
        for dtype in DType::ALL.into_iter().filter(|d| !d.is_complex()) {
            let arg = |axis, index_dtype| Op::ArgReduce(ArgReduce { largest, axis, index_dtype });
            samples.push(Sample::op(arg(1, DType::I32), &[special(dtype, &[2, 13])]));
            samples.push(Sample::op(arg(0, DType::I64), &[any(dtype, &[3, 2, 2])]));
            samples.push(Sample::op(arg(0, DType::U8), &[any(dtype, &[1])]));
            samples.push(Sample::op(arg(1, DType::I32), &[any(dtype, &[0, 2])]));
        }
    }
}

fn sorts(samples: &mut Vec<Sample>) {
    // Many equal keys: short lines by insertion, longer ones by partitions first.
    for extent in [9, 60] {
        let keys = (Aval::new(DType::I32, [2, extent]), Values::Uniform(0.0, 4.0));
        let op = Op::Sort(Sort { axis: 1, stable: false, num_keys: 1 });
        samples.push(Sample::op(op, &[keys, any(DType::F64, &[2, extent])]).smooth(2).named("unstable"));
    }
    for dtype in DType::ALL {
        let sort = |axis, num_keys| Op::Sort(Sort { axis, stable: true, num_keys });
        samples.push(Sample::op(sort(0, 1), &[special(dtype, &[20])]).named("special"));
        samples.push(Sample::op(sort(1, 1), &[spread(dtype, &[2, 5])]).smooth(2));
        samples.push(Sample::op(sort(1, 1), &[spread(dtype, &[2, 4]), any(DType::F64, &[2, 4])]).smooth(2));
        let few = (Aval::new(DType::I8, [2, 6]), Values::Uniform(0.0, 2.0));
        samples.push(Sample::op(sort(1, 2), &[few.clone(), spread(dtype, &[2, 6]), any(dtype, &[2, 6])]).smooth(2));
        samples.push(Sample::op(sort(1, 1), &[few, any(dtype, &[2, 6])]).named("ties"));
        samples.push(Sample::op(sort(0, 1), &[any(dtype, &[0])]).smooth(2));
        if !dtype.is_complex() {
            samples.push(Sample::op(Op::TopK { k: 3 }, &[spread(dtype, &[2, 5])]).smooth(2));
            samples.push(Sample::op(Op::TopK { k: 13 }, &[special(dtype, &[13])]).named("special"));
            samples.push(Sample::op(Op::TopK { k: 0 }, &[any(dtype, &[2, 5])]).smooth(2));
            samples.push(Sample::op(Op::TopK { k: 1 }, &[any(dtype, &[0, 2])]));
        }
    }
}
