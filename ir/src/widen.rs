//! Arithmetic on types that values are only stored in: the operands are converted to the wide type, the op is done there, and
//! its results are rounded. [`Builder::try_emit`](crate::Builder::try_emit) writes it out, so that programs hold arithmetic on wide
//! types only.

use crate::{Aval, Binary, DType, DotGeneral, Op, Unary};

/// An op on wide types, and for each of its results the narrow type that it is to be rounded to, if there is one.
pub(crate) struct Widened {
    pub(crate) op: Op,
    pub(crate) results: Vec<Option<DType>>,
}

/// How an op with narrow operands or results is done on wide ones. None for ops that take narrow types as they are, because
/// they move data, and for those that mean nothing on another type, which the verifier rejects.
pub(crate) fn widen(op: &Op, inputs: &[Aval]) -> Option<Widened> {
    let narrow = |dtype: DType| dtype.narrow().map(|_| dtype);
    let first = || inputs.iter().find_map(|aval| narrow(aval.dtype));
    let like_operand = |op: &Op| Some(Widened { op: op.clone(), results: vec![Some(first()?)] });
    let unrounded = |op: &Op| first().map(|_| Widened { op: op.clone(), results: vec![None] });
    let preferring = |preferred: DType, op: Op| {
        (first().is_some() || narrow(preferred).is_some()).then(|| Widened { op, results: vec![narrow(preferred)] })
    };
    match op {
        Op::Unary(Unary::IsFinite) | Op::Compare(_) | Op::ArgReduce(_) => unrounded(op),
        Op::Unary(Unary::PopulationCount | Unary::Clz)
        | Op::Binary(Binary::NextAfter | Binary::ShiftRightLogical | Binary::Complex) => None,
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::Reduce { .. }
        | Op::Cumulative(_)
        | Op::ReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::SelectAndGatherAdd(_) => like_operand(op),
        Op::Scatter(scatter) => scatter.combiner.binary().and_then(|_| like_operand(op)),
        Op::Iota { dtype, shape, axis } => {
            let op = Op::Iota { dtype: dtype.wide(), shape: shape.clone(), axis: *axis };
            narrow(*dtype).map(|dtype| Widened { op, results: vec![Some(dtype)] })
        }
        Op::DotGeneral(dot) => {
            preferring(dot.preferred, Op::DotGeneral(DotGeneral { preferred: dot.preferred.wide(), ..dot.clone() }))
        }
        Op::Conv(conv) => {
            let mut wide = conv.clone();
            wide.preferred = conv.preferred.wide();
            preferring(conv.preferred, Op::Conv(wide))
        }
        Op::Sort(_) => {
            let results = inputs.iter().map(|aval| narrow(aval.dtype)).collect();
            first().map(|_| Widened { op: op.clone(), results })
        }
        Op::TopK { .. } => first().map(|dtype| Widened { op: op.clone(), results: vec![Some(dtype), None] }),
        Op::Select
        | Op::Convert { .. }
        | Op::Bitcast { .. }
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Concatenate { .. }
        | Op::Reverse { .. }
        | Op::DynamicSlice { .. }
        | Op::DynamicUpdateSlice
        | Op::Gather(_)
        | Op::GeneralReduce { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
        | Op::Threefry2x32
        | Op::Cond { .. }
        | Op::While(_)
        | Op::Scan(_)
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::CustomLinear(_)
        | Op::LinearSolve(_)
        | Op::Root(_)
        | Op::Remat(_)
        | Op::DebugPrint(_)
        | Op::Collective(_) => None,
    }
}
