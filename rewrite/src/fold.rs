//! Constant folding, by the interpreter, so that folding and running agree to the bit.

use egg::Id;
use rjax_ir::{Aval, Op, Scalar, Tensor, eval_op};

use crate::dag::Dag;
use crate::rules::Rule;
use crate::term::Term;

/// Ops whose operands are the same everywhere.
pub(crate) static FOLD_UNIFORM: Rule =
    Rule::built_in("fold-uniform", "an op on arrays of equal elements computes one element");
/// Small arrays whose operands are all known.
pub(crate) static FOLD_CONSTANT: Rule = Rule::built_in("fold-constant", "an op on constants is a constant");
/// Data movement of equal elements.
pub(crate) static MOVE_UNIFORM: Rule = Rule::built_in("move-uniform", "moving equal elements changes the shape only");

/// The rules of this file.
pub(crate) static RULES: [&Rule; 3] = [&FOLD_UNIFORM, &FOLD_CONSTANT, &MOVE_UNIFORM];

pub(crate) enum Folded {
    Term(Term),
    /// An array that is not the same everywhere.
    Array(Tensor),
}

/// The element that all of a tensor's elements are, if it is small enough to look.
pub(crate) fn uniform(value: &Tensor, limit: usize) -> Option<Scalar> {
    let size = value.shape().size();
    if size == 0 || size > limit {
        return None;
    }
    let first = value.get(0);
    (1..size).all(|i| value.get(i) == first).then_some(first)
}

/// What an op on known operands gives.
pub(crate) fn fold(dag: &Dag, op: &Op, inputs: &[Id], aval: &Aval) -> Option<(Folded, &'static Rule)> {
    let splat = |x: &Id| dag.entry(*x).splat;
    let full = |value: Scalar| Folded::Term(Term::full(value, &aval.shape));
    match op {
        Op::BroadcastInDim { .. } => {
            // A scalar repeated is what the others become; it is not folded itself.
            let value = splat(&inputs[0])?;
            let canonical = dag.aval(inputs[0]).rank() == 0 && dag.entry(inputs[0]).node.inputs.is_empty();
            (!canonical || aval.rank() == 0).then(|| (full(value), &MOVE_UNIFORM))
        }
        Op::Reshape { .. } | Op::Transpose { .. } | Op::Slice(_) | Op::Reverse { .. } | Op::DynamicSlice { .. } => {
            Some((full(splat(&inputs[0])?), &MOVE_UNIFORM))
        }
        Op::Concatenate { .. } => {
            let value = splat(inputs.first()?)?;
            inputs.iter().all(|x| splat(x) == Some(value)).then(|| (full(value), &MOVE_UNIFORM))
        }
        Op::Pad { .. } => {
            let value = splat(&inputs[1])?;
            let empty = dag.aval(inputs[0]).size() == 0;
            (empty || splat(&inputs[0]) == Some(value)).then(|| (full(value), &MOVE_UNIFORM))
        }
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. } => {
            let operands: Option<Vec<Scalar>> = inputs.iter().map(splat).collect();
            if let Some(operands) = operands {
                let operands: Vec<Tensor> = operands.into_iter().map(Scalar::to_tensor).collect();
                let value = eval_op(op, &operands).ok()?.pop()?.get(0);
                return Some((full(value), &FOLD_UNIFORM));
            }
            fold_array(dag, op, inputs, aval)
        }
        Op::Bitcast { .. }
        | Op::DynamicUpdateSlice
        | Op::Gather(_)
        | Op::Scatter(_)
        | Op::Reduce { .. }
        | Op::ArgReduce(_)
        | Op::Cumulative(_)
        | Op::DotGeneral(_)
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::SelectAndGatherAdd(_) => fold_array(dag, op, inputs, aval),
        // Without operands (iota), with several results, or with a program inside; and those that stand for something.
        Op::Iota { .. }
        | Op::GeneralReduce { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
        | Op::Threefry2x32
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
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

fn fold_array(dag: &Dag, op: &Op, inputs: &[Id], aval: &Aval) -> Option<(Folded, &'static Rule)> {
    if aval.size() > dag.fold_elements || inputs.is_empty() {
        return None;
    }
    let operands: Option<Vec<Tensor>> = inputs.iter().map(|&x| dag.tensor(x)).collect();
    let value = eval_op(op, &operands?).ok()?.pop()?;
    if aval.size() == 0 {
        // Any element will do for an array without elements.
        return Some((Folded::Term(Term::full(Scalar::zero(aval.dtype), &aval.shape)), &FOLD_CONSTANT));
    }
    match uniform(&value, dag.fold_elements) {
        Some(element) => Some((Folded::Term(Term::full(element, &aval.shape)), &FOLD_CONSTANT)),
        None => dag.top_level.then_some((Folded::Array(value), &FOLD_CONSTANT)),
    }
}
