//! Shape and dtype rules: the types of an op's results from those of its operands.
//!
//! This file only dispatches; the rule of an op stands in `op/`, in the file of the op.
//!
//! ```
//! use rjax_ir::{Aval, DType, Op, Unary, infer::infer};
//! let x = Aval::new(DType::I32, [3]);
//! let error = infer(&Op::Unary(Unary::Sin), &[x]).unwrap_err();
//! assert_eq!(error.to_string(), "sin: expected one of f16, bf16, f32, f64, c64, c128, found i32[3]");
//! ```

use crate::op::{
    bitcast, broadcast_in_dim, call, clamp, concatenate, cond, convert, dynamic_slice, dynamic_update_slice, identity,
    integer_pow, iota, pad, reduce, reduce_precision, reduce_window, regularized_incomplete_beta, reshape, reverse,
    select, threefry2x32, top_k, transpose,
};
use crate::{Aval, Op, Result, check};

/// The result types of `op` on operands of these types, or an error that says what does not fit.
///
/// Programs inside the op are checked against the operands by their signatures only; the verifier looks inside.
pub fn infer(op: &Op, inputs: &[Aval]) -> Result<Vec<Aval>> {
    for aval in inputs {
        check::addressable(op.name(), aval)?;
    }
    let outputs = match op {
        Op::Unary(op) => op.infer(inputs),
        Op::Binary(op) => op.infer(inputs),
        Op::Compare(op) => op.infer(inputs),
        Op::Select => select::infer(inputs),
        Op::Clamp => clamp::infer(inputs),
        Op::RegularizedIncompleteBeta => regularized_incomplete_beta::infer(inputs),
        Op::Convert { dtype } => convert::infer(*dtype, inputs),
        Op::Bitcast { dtype } => bitcast::infer(*dtype, inputs),
        Op::ReducePrecision { exponent_bits, .. } => reduce_precision::infer(*exponent_bits, inputs),
        Op::IntegerPow { exponent } => integer_pow::infer(*exponent, inputs),
        Op::StopGradient | Op::Name { .. } => identity::infer(op.name(), inputs),
        Op::OptimizationBarrier => Ok(inputs.to_vec()),
        Op::BroadcastInDim { shape, dims } => broadcast_in_dim::infer(shape, dims, inputs),
        Op::Reshape { shape } => reshape::infer(shape, inputs),
        Op::Transpose { permutation } => transpose::infer(permutation, inputs),
        Op::Slice(slice) => slice.infer(inputs),
        Op::Pad { padding } => pad::infer(padding, inputs),
        Op::Concatenate { axis } => concatenate::infer(*axis, inputs),
        Op::Reverse { axes } => reverse::infer(axes, inputs),
        Op::Iota { dtype, shape, axis } => iota::infer(*dtype, shape, *axis, inputs),
        Op::DynamicSlice { sizes } => dynamic_slice::infer(sizes, inputs),
        Op::DynamicUpdateSlice => dynamic_update_slice::infer(inputs),
        Op::Gather(gather) => gather.infer(inputs),
        Op::Scatter(scatter) => scatter.infer(inputs),
        Op::Reduce { reducer, axes } => reduce::infer(op.name(), *reducer, axes, inputs),
        Op::GeneralReduce { body, axes } => reduce::infer_general(body, axes, inputs),
        Op::ArgReduce(arg_reduce) => arg_reduce.infer(inputs),
        Op::Cumulative(cumulative) => cumulative.infer(inputs),
        Op::DotGeneral(dot) => dot.infer(inputs),
        Op::Conv(conv) => conv.infer(inputs),
        Op::ReduceWindow { reducer, window } => reduce_window::infer(op.name(), *reducer, window, inputs),
        Op::GeneralReduceWindow { body, window } => reduce_window::infer_general(body, window, inputs),
        Op::SelectAndScatterAdd(scatter) => scatter.infer(inputs),
        Op::SelectAndGatherAdd(gather) => gather.infer(inputs),
        Op::Sort(sort) => sort.infer(inputs),
        Op::TopK { k } => top_k::infer(*k, inputs),
        Op::Linalg(linalg) => linalg.infer(inputs),
        Op::Fft(fft) => fft.infer(inputs),
        Op::Threefry2x32 => threefry2x32::infer(inputs),
        Op::Cond { branches } => cond::infer(branches, inputs),
        Op::While(while_loop) => while_loop.infer(inputs),
        Op::Scan(scan) => scan.infer(inputs),
        Op::Call { name, program } => call::infer(name, program, inputs),
        Op::CustomJvp(custom) => custom.infer(inputs),
        Op::CustomVjp(custom) => custom.infer(inputs),
        Op::CustomLinear(custom) => custom.infer(inputs),
        Op::LinearSolve(solve) => solve.infer(inputs),
        Op::Root(root) => root.infer(inputs),
        Op::Remat(remat) => remat.infer(inputs),
        Op::DebugPrint(print) => print.infer(inputs),
        Op::Collective(collective) => collective.infer(inputs),
    }?;
    for aval in &outputs {
        check::addressable(op.name(), aval)?;
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod random;
