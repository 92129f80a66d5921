//! Samples of functions with derivative rules of their own, and of collectives.

use std::sync::Arc;

use rjax_ir::{Aval, Collective, CustomJvp, CustomVjp, DType, LinearSolve, Op, Root, Unary};

use super::{Derivatives, Sample, any, program};
use crate::random::Values;

const F: DType = DType::F64;

pub(super) fn add(samples: &mut Vec<Sample>) {
    samples.push(custom_jvp());
    samples.push(custom_vjp());
    samples.push(linear_solve());
    samples.push(root());
    collectives(samples);
}

/// `(scale; x, n) -> (scale * sin(x), n)` with the rule written out.
fn custom_jvp() -> Sample {
    let (scale, x, n) = (Aval::scalar(F), Aval::new(F, [3]), Aval::scalar(DType::I32));
    let call = program(&[scale.clone(), x.clone(), n.clone()], |b, v| {
        let sine = b.unary(Unary::Sin, v[1]);
        let scale = b.broadcast_scalar(v[0], &[3].into());
        vec![b.mul(sine, scale), v[2]]
    });
    let jvp = program(&[scale, x.clone(), n, x], |b, v| {
        let scale = b.broadcast_scalar(v[0], &[3].into());
        let (sine, cosine) = (b.unary(Unary::Sin, v[1]), b.unary(Unary::Cos, v[1]));
        let slope = b.mul(cosine, scale);
        vec![b.mul(sine, scale), v[2], b.mul(slope, v[3])]
    });
    let op = CustomJvp { call: Arc::new(call), jvp: Arc::new(jvp), num_consts: 1 };
    let inputs = [any(F, &[]), any(F, &[3]), any(DType::I32, &[])];
    Sample::op(Op::CustomJvp(op), &inputs).smooth(2).frozen(&[0])
}

/// `(scale; x, y, n) -> (scale * x * y, sin(y), n)`, where y is a scalar, with the rule written out.
fn custom_vjp() -> Sample {
    let (vector, scalar, index) = (Aval::new(F, [3]), Aval::scalar(F), Aval::scalar(DType::I32));
    let signature = [scalar.clone(), vector.clone(), scalar.clone(), index];
    let value = |b: &mut rjax_ir::Builder, v: &[rjax_ir::Atom]| {
        let factor = b.mul(v[0], v[2]);
        let factor = b.broadcast_scalar(factor, &[3].into());
        vec![b.mul(v[1], factor), b.unary(Unary::Sin, v[2]), v[3]]
    };
    let call = program(&signature, value);
    let fwd = program(&signature, |b, v| {
        let mut results = value(b, v);
        results.extend([v[1], v[2]]);
        results
    });
    // (scale; x, y; ū, v̄) -> (scale * y * ū, scale * sum(x ū) + cos(y) v̄)
    let bwd = program(&[scalar.clone(), vector.clone(), scalar.clone(), vector, scalar], |b, v| {
        let factor = b.mul(v[0], v[2]);
        let factor = b.broadcast_scalar(factor, &[3].into());
        let products = b.mul(v[1], v[3]);
        let sum = b.reduce_sum(products, &[0]);
        let through_product = b.mul(v[0], sum);
        let cosine = b.unary(Unary::Cos, v[2]);
        let through_sine = b.mul(cosine, v[4]);
        vec![b.mul(factor, v[3]), b.add(through_product, through_sine)]
    });
    let op = CustomVjp { call: Arc::new(call), fwd: Arc::new(fwd), bwd: Arc::new(bwd), num_consts: 1 };
    let inputs = [any(F, &[]), any(F, &[3]), any(F, &[]), any(DType::I32, &[])];
    Sample::op(Op::CustomVjp(op), &inputs).smooth(2).only(Derivatives::Reverse).frozen(&[0])
}

/// `x` of `d * x = b` backwards, which is not symmetric.
fn linear_solve() -> Sample {
    let vector = Aval::new(F, [3]);
    let pair = [vector.clone(), vector];
    let matvec = program(&pair, |b, v| {
        let product = b.mul(v[0], v[1]);
        vec![b.reverse(product, &[0])]
    });
    let solve = program(&pair, |b, v| {
        let product = b.reverse(v[1], &[0]);
        vec![b.div(product, v[0])]
    });
    let transpose_solve = program(&pair, |b, v| {
        let quotient = b.div(v[1], v[0]);
        vec![b.reverse(quotient, &[0])]
    });
    let op = LinearSolve {
        matvec: Arc::new(matvec),
        solve: Arc::new(solve),
        transpose_solve: Some(Arc::new(transpose_solve)),
        num_consts: 1,
    };
    let diagonal = (Aval::new(F, [3]), Values::Signed(0.7, 3.0));
    Sample::op(Op::LinearSolve(op), &[diagonal, any(F, &[3])]).smooth(2)
}

/// The cube root, times a factor: `x³ = d³ a`.
fn root() -> Sample {
    let vector = Aval::new(F, [3]);
    let given = [vector.clone(), vector.clone(), vector.clone()];
    let f = program(&given, |b, v| {
        let (cube, factor) =
            (b.emit1(Op::IntegerPow { exponent: 3 }, &[v[2]]), b.emit1(Op::IntegerPow { exponent: 3 }, &[v[0]]));
        let product = b.mul(factor, v[1]);
        vec![b.sub(cube, product)]
    });
    let solve = program(&given, |b, v| {
        let root = b.unary(Unary::Cbrt, v[1]);
        vec![b.mul(v[0], root)]
    });
    let tangent_solve = program(&[&given[..], &[vector]].concat(), |b, v| {
        let square = b.mul(v[2], v[2]);
        let slope = b.mul_scalar(square, 3.0);
        vec![b.div(v[3], slope)]
    });
    let op = Root { f: Arc::new(f), solve: Arc::new(solve), tangent_solve: Arc::new(tangent_solve), num_consts: 2 };
    let away_from_zero = || (Aval::new(F, [3]), Values::Signed(0.7, 3.0));
    Sample::op(Op::Root(op), &[away_from_zero(), away_from_zero(), any(F, &[3])]).smooth(2)
}

/// The axis that the collectives of the samples speak of.
pub(super) const AXIS: &str = "lanes";

fn collectives(samples: &mut Vec<Sample>) {
    let axes = || vec![Arc::from(AXIS)];
    for dtype in DType::ALL {
        let inputs = [any(dtype, &[2, 3]), any(dtype, &[])];
        for collective in
            [Collective::Psum { axes: axes() }, Collective::Pmax { axes: axes() }, Collective::Pmin { axes: axes() }]
        {
            samples.push(Sample::op(Op::Collective(collective), &inputs).axis(AXIS).ulps(2.0));
        }
    }
    samples.push(Sample::op(Op::Collective(Collective::AxisIndex { axis: AXIS.into() }), &[]).axis(AXIS));
}
