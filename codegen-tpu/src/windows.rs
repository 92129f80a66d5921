//! Windows: running reductions, and selection of an element of each window.

use std::sync::Arc;

use rjax_ir::{
    Atom, Aval, Binary, Builder, Compare, Cumulative, CumulativeKind, DType, Op, Program, Reducer, Scalar,
    SelectAndGatherAdd, Unary, Window,
};

use super::reduce::accumulator;

/// A window that reaches from the first element to the current one.
pub(super) fn cumulative(b: &mut Builder, cumulative: &Cumulative, x: Atom) -> Atom {
    let Aval { dtype, shape } = b.aval(x);
    let (rank, extent) = (shape.rank(), shape[cumulative.axis]);
    if shape.size() == 0 {
        return x;
    }
    let mut window = Window {
        dimensions: vec![1; rank],
        strides: vec![1; rank],
        padding: vec![(0, 0); rank],
        base_dilation: vec![1; rank],
        window_dilation: vec![1; rank],
    };
    let before = extent as i64 - 1;
    window.dimensions[cumulative.axis] = extent;
    window.padding[cumulative.axis] = if cumulative.reverse { (0, before) } else { (before, 0) };
    let reducer = match cumulative.kind {
        CumulativeKind::Sum => Reducer::Sum,
        CumulativeKind::Prod => Reducer::Prod,
        CumulativeKind::Max => Reducer::Max,
        CumulativeKind::Min => Reducer::Min,
        CumulativeKind::LogSumExp => {
            let wide = accumulator(dtype);
            let x = b.convert(x, wide);
            let body = Arc::new(log_add_exp(wide));
            let init = Scalar::from_f64(wide, f64::NEG_INFINITY).into();
            let y = b.emit1(Op::GeneralReduceWindow { body, window }, &[x, init]);
            return b.convert(y, dtype);
        }
    };
    b.emit1(Op::ReduceWindow { reducer, window }, &[x])
}

/// log(exp(x) + exp(y)): the greater operand and a correction that cannot overflow. Where the difference is NaN the operands
/// are equal infinities or one is NaN, and the sum is right.
fn log_add_exp(dtype: DType) -> Program {
    let mut b = Builder::new();
    let (x, y) = (b.input(Aval::scalar(dtype)), b.input(Aval::scalar(dtype)));
    let difference = b.sub(x, y);
    let nan = b.compare(Compare::Ne, difference, difference);
    let sum = b.add(x, y);
    let greater = b.binary(Binary::Max, x, y);
    let distance = b.unary(Unary::Abs, difference);
    let negative = b.neg(distance);
    let e = b.unary(Unary::Exp, negative);
    let correction = b.unary(Unary::Log1p, e);
    let finite = b.add(greater, correction);
    let result = b.select(nan, sum, finite);
    b.finish(vec![result])
}

/// A window reduction of the operand together with the tangents.
pub(super) fn select_and_gather(b: &mut Builder, select: &SelectAndGatherAdd, x: &[Atom]) -> Atom {
    let (tangents, operand) = (x[0], x[1]);
    let Aval { dtype, shape } = b.aval(operand);
    if shape.rank() == 0 {
        return tangents;
    }
    // Whether there is an element at all tells the least value from padding.
    let present = b.full(&shape, Scalar::one(DType::Bool));
    let mut body = Builder::new();
    let avals = [Aval::scalar(dtype), Aval::scalar(dtype), Aval::scalar(DType::Bool)];
    let inputs: Vec<Atom> = avals.iter().chain(&avals).map(|aval| body.input(aval.clone())).collect();
    let order = if select.largest { Compare::Ge } else { Compare::Le };
    let better = body.compare(order, inputs[0], inputs[3]);
    let nan = body.compare(Compare::Ne, inputs[0], inputs[0]);
    let better = body.binary(Binary::Or, better, nan);
    let alone = body.unary(Unary::Not, inputs[5]);
    let wins = body.binary(Binary::Or, better, alone);
    let keep = body.binary(Binary::And, inputs[2], wins);
    let outputs = (0..2).map(|i| body.select(keep, inputs[i], inputs[i + 3])).collect::<Vec<_>>();
    let either = body.binary(Binary::Or, inputs[2], inputs[5]);
    let body = body.finish([outputs, vec![either]].concat());
    let op = Op::GeneralReduceWindow { body: Arc::new(body), window: select.window.clone() };
    let zero = Atom::from(Scalar::zero(dtype));
    b.emit(op, &[operand, tangents, present, zero, zero, Scalar::zero(DType::Bool).into()])[1]
}
