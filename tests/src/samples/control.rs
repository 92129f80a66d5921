//! Samples of control flow and calls.

use std::sync::Arc;

use rjax_ir::{
    Atom, Aval, Builder, Compare, DType, DebugPrint, Op, Program, Reducer, Remat, RematPolicy, Scalar, Scan, Unary,
    While,
};

use super::{Derivatives, Sample, any, exactly, indices, program};
use crate::random::Values;

const F: DType = DType::F64;

pub(super) fn add(samples: &mut Vec<Sample>) {
    conds(samples);
    whiles(samples);
    scans(samples);
    calls(samples);
    let print = Op::DebugPrint(DebugPrint { format: "{{x}} = {}, n = {}".into() });
    samples.push(Sample::op(print, &[any(DType::F32, &[3]), any(DType::I32, &[])]));
}

fn vector(extent: usize) -> Aval {
    Aval::new(F, [extent])
}

fn scalar() -> Aval {
    Aval::scalar(F)
}

fn body(avals: &[Aval], write: impl FnOnce(&mut Builder, &[Atom]) -> Vec<Atom>) -> Arc<Program> {
    Arc::new(program(avals, write))
}

fn conds(samples: &mut Vec<Sample>) {
    // The second result does not depend on the operands in every branch.
    let signature = [vector(3), scalar()];
    let branches = [
        body(&signature, |b, x| vec![b.unary(Unary::Sin, x[0]), x[1]]),
        body(&signature, |b, x| {
            let y = b.broadcast_scalar(x[1], &[3].into());
            vec![b.mul(x[0], y), Scalar::one(F).into()]
        }),
        body(&signature, |_, x| vec![x[0], x[1]]),
    ];
    for count in 1..=3 {
        for index in [-1, 0, 1, 2, 5] {
            let op = Op::Cond { branches: branches[..count].to_vec() };
            let inputs = [exactly(&[], &[index]), any(F, &[3]), any(F, &[])];
            let name = format!("{count} branches, index {index}");
            samples.push(Sample::op(op, &inputs).smooth(2).named(&name));
        }
    }
    // The branch that is not taken has an infinite derivative at 0.
    let safe = vec![
        body(&[scalar()], |b, x| vec![b.unary(Unary::Sqrt, x[0])]),
        body(&[scalar()], |b, x| vec![b.mul_scalar(x[0], 3.0)]),
    ];
    let zero = (scalar(), Values::Exactly(vec![0.0]));
    samples.push(Sample::op(Op::Cond { branches: safe }, &[exactly(&[], &[1]), zero]).smooth(2).named("sqrt at 0"));
    // Operands that have no tangent, of several dtypes.
    let signature = [Aval::new(DType::I32, [2]), Aval::scalar(DType::Bool), Aval::new(DType::F32, [])];
    let mixed = vec![
        body(&signature, |b, x| vec![b.add(x[0], x[0]), b.select(x[1], x[2], Scalar::zero(DType::F32).into())]),
        body(&signature, |b, x| vec![b.neg(x[0]), b.unary(Unary::Exp, x[2])]),
    ];
    let inputs = [indices(&[], 0, 1), any(DType::I32, &[2]), any(DType::Bool, &[]), any(DType::F32, &[])];
    samples.push(Sample::op(Op::Cond { branches: mixed }, &inputs).named("mixed dtypes"));
    samples.push(nested_cond());
}

/// A cond in a branch of a cond; the inner index is an operand.
fn nested_cond() -> Sample {
    let inner = vec![
        body(&[scalar()], |b, x| vec![b.unary(Unary::Exp, x[0])]),
        body(&[scalar()], |b, x| vec![b.unary(Unary::Cos, x[0])]),
    ];
    let signature = [Aval::scalar(DType::I32), scalar()];
    let branches = vec![
        body(&signature, |b, x| b.emit(Op::Cond { branches: inner }, x)),
        body(&signature, |b, x| vec![b.mul(x[1], x[1])]),
    ];
    let inputs = [indices(&[], 0, 1), indices(&[], 0, 1), any(F, &[])];
    Sample::op(Op::Cond { branches }, &inputs).smooth(2).named("nested")
}

fn whiles(samples: &mut Vec<Sample>) {
    // (limit; factor; i, x): while i < limit { x = sin(x) * factor; i += 1 }.
    let index = Aval::scalar(DType::I32);
    let counted = While {
        cond: body(&[index.clone(), index.clone(), vector(2)], |b, x| vec![b.compare(Compare::Lt, x[1], x[0])]),
        body: body(&[scalar(), index.clone(), vector(2)], |b, x| {
            let sine = b.unary(Unary::Sin, x[2]);
            let factor = b.broadcast_scalar(x[0], &[2].into());
            vec![b.add_scalar(x[1], 1.0), b.mul(sine, factor)]
        }),
        cond_nconsts: 1,
        body_nconsts: 1,
    };
    for limit in [0, 1, 4] {
        let inputs = [exactly(&[], &[limit]), any(F, &[]), exactly(&[], &[0]), any(F, &[2])];
        let sample = Sample::op(Op::While(counted.clone()), &inputs).smooth(2).only(Derivatives::Forward);
        samples.push(sample.named(&format!("{limit} steps")));
    }
    let inputs = [indices(&[], 0, 5), any(F, &[]), indices(&[], -2, 3), any(F, &[2])];
    let sample = Sample::op(Op::While(counted), &inputs).smooth(2).only(Derivatives::Forward);
    samples.push(sample.named("any number of steps"));
    // (; x, n, kept): while sum(x) < 10 { x = x + x * x + 1; n += 1 }; the last value stays as it is.
    let converging = While {
        cond: body(&[vector(2), index.clone(), vector(3)], |b, x| {
            let sum = b.reduce_sum(x[0], &[0]);
            vec![b.compare(Compare::Lt, sum, Scalar::from_f64(F, 10.0).into())]
        }),
        body: body(&[vector(2), index, vector(3)], |b, x| {
            let square = b.mul(x[0], x[0]);
            let sum = b.add(x[0], square);
            vec![b.add_scalar(sum, 1.0), b.add_scalar(x[1], 1.0), x[2]]
        }),
        cond_nconsts: 0,
        body_nconsts: 0,
    };
    let inputs = [any(F, &[2]), indices(&[], 0, 9), any(F, &[3])];
    let sample = Sample::op(Op::While(converging), &inputs).smooth(2).only(Derivatives::Forward);
    samples.push(sample.named("until a value").within(1e-5));
}

fn scan(num_consts: usize, num_carry: usize, length: usize, reverse: bool, body: Arc<Program>) -> Op {
    Op::Scan(Scan { body, length, reverse, num_consts, num_carry })
}

fn scans(samples: &mut Vec<Sample>) {
    for reverse in [false, true] {
        let name = if reverse { "reverse" } else { "forward" };
        for length in [0, 1, 4] {
            // (w; c; x) -> (tanh(w c) + x; c x, x)
            let step = body(&[Aval::new(F, [2, 2]), vector(2), scalar()], |b, v| {
                let product = b.dot_general(v[0], v[1], (&[1], &[0]), (&[], &[]), F);
                let tanh = b.unary(Unary::Tanh, product);
                let x = b.broadcast_scalar(v[2], &[2].into());
                vec![b.add(tanh, x), b.mul(v[1], x), v[2]]
            });
            let inputs = [any(F, &[2, 2]), any(F, &[2]), any(F, &[length])];
            let sample = Sample::op(scan(1, 1, length, reverse, step), &inputs).smooth(2).ulps(4.0);
            samples.push(sample.named(&format!("{name}, {length} steps")));
        }
        // A carry that becomes batched only because another one is, and an integer that counts.
        let index = Aval::scalar(DType::I32);
        let shift = body(&[scalar(), scalar(), index.clone(), scalar(), index.clone()], |b, v| {
            let sum = b.add(v[3], v[0]);
            let count = b.add(v[2], v[4]);
            vec![sum, v[0], count, v[1]]
        });
        let inputs = [any(F, &[]), any(F, &[]), indices(&[], 0, 3), any(F, &[5]), indices(&[5], 0, 3)];
        let sample = Sample::op(scan(0, 3, 5, reverse, shift), &inputs).smooth(2);
        samples.push(sample.named(&format!("{name}, shift register")));
    }
    // Only xs to ys, and only a carry.
    let map = body(&[vector(2)], |b, v| vec![b.unary(Unary::Exp, v[0])]);
    samples.push(Sample::op(scan(0, 0, 3, false, map), &[any(F, &[3, 2])]).smooth(2).named("map"));
    let power = body(&[scalar()], |b, v| vec![b.mul(v[0], v[0])]);
    samples.push(Sample::op(scan(0, 1, 3, false, power), &[any(F, &[])]).smooth(2).named("carry only"));
    samples.push(nested_scan());
}

/// For each row a scan along the row that starts with the outer carry.
fn nested_scan() -> Sample {
    let inner = body(&[scalar(), scalar()], |b, v| {
        let product = b.mul(v[0], v[1]);
        let next = b.unary(Unary::Sin, product);
        vec![next, next]
    });
    let outer = body(&[scalar(), vector(3)], |b, v| {
        let results = b.emit(scan(0, 1, 3, false, inner), v);
        let sum = b.reduce_sum(results[1], &[0]);
        vec![b.add(results[0], sum), results[1]]
    });
    Sample::op(scan(0, 1, 2, true, outer), &[any(F, &[]), any(F, &[2, 3])]).smooth(2).named("nested")
}

fn calls(samples: &mut Vec<Sample>) {
    // The last two results are an input and a constant.
    let signature = [vector(3), scalar(), Aval::scalar(DType::I32)];
    let callee = body(&signature, |b, x| {
        let y = b.broadcast_scalar(x[1], &[3].into());
        let product = b.mul(x[0], y);
        let named = b.emit1(Op::Name { name: "product".into() }, &[product]);
        let sine = b.unary(Unary::Sin, named);
        vec![b.reduce(Reducer::Sum, sine, &[0]), x[0], x[2], Scalar::one(F).into()]
    });
    let inputs = [any(F, &[3]), any(F, &[]), any(DType::I32, &[])];
    let call = Op::Call { name: "f".into(), program: callee.clone() };
    samples.push(Sample::op(call, &inputs).smooth(2));
    let twice = Sample::program("jit twice", &inputs, |b, x| {
        let once = b.call("f", callee.clone(), x);
        b.call("f", callee.clone(), &[once[1], once[0], once[2]])
    });
    samples.push(twice.smooth(2));
    for policy in [
        RematPolicy::NothingSaveable,
        RematPolicy::EverythingSaveable,
        RematPolicy::DotsSaveable,
        RematPolicy::DotsWithNoBatchDimsSaveable,
        RematPolicy::SaveOnlyTheseNames(vec!["product".into()]),
    ] {
        let name = format!("{policy:?}");
        let remat = Remat { program: callee.clone(), policy, differentiated: false };
        samples.push(Sample::op(Op::Remat(remat), &inputs).smooth(2).named(&name));
    }
}
