//! The reference interpreter: the definition of what programs compute.
//!
//! It is total over all ops, dtypes and shapes, simple rather than fast, and depends on no backend. What an op computes
//! stands in `op/`, in the file of the op; this file runs programs.
//!
//! ```
//! use rjax_ir::{Aval, Builder, DType, Tensor, eval};
//! let mut b = Builder::new();
//! let x = b.input(Aval::new(DType::F32, [3]));
//! let total = b.reduce_sum(x, &[0]);
//! let program = b.finish(vec![total]);
//! let outputs = eval(&program, &[Tensor::from_vec([3], vec![1.0f32, 2.0, 4.0])]).unwrap();
//! assert_eq!(outputs[0].to_vec::<f32>(), [7.0]);
//! ```

pub(crate) mod order;
pub(crate) mod strided;
pub(crate) mod sum;
pub(crate) mod window;

use crate::infer::infer;
use crate::op::{
    bitcast, broadcast_in_dim, clamp, concatenate, cond, convert, dynamic_slice, dynamic_update_slice, integer_pow,
    iota, pad, reduce, reduce_precision, reduce_window, regularized_incomplete_beta, reshape, reverse, select,
    threefry2x32, top_k, transpose,
};
use crate::{Atom, Aval, Collective, Op, Program, Remat, Result, Tensor, bail, check, ensure, verify};

/// Runs a program. What `debug_print` prints is dropped; see [`Interpreter`].
pub fn eval(program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    Interpreter::new(&mut |_| {}).eval(program, inputs)
}

/// Runs one op. What `debug_print` prints is dropped; see [`Interpreter`].
pub fn eval_op(op: &Op, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    Interpreter::new(&mut |_| {}).eval_op(op, inputs)
}

/// Runs programs and hands what they print to the caller.
///
/// ```
/// use rjax_ir::{Builder, DebugPrint, Interpreter, Op, Scalar};
/// let mut b = Builder::new();
/// b.emit(Op::DebugPrint(DebugPrint { format: "x = {}".into() }), &[Scalar::new(2.5f32).into()]);
/// let mut printed = Vec::new();
/// Interpreter::new(&mut |text| printed.push(text.to_string())).eval(&b.finish(vec![]), &[]).unwrap();
/// assert_eq!(printed, ["x = 2.5"]);
/// ```
pub struct Interpreter<'a> {
    print: &'a mut dyn FnMut(&str),
}

impl<'a> Interpreter<'a> {
    /// An interpreter that passes on every text that a `debug_print` makes, in order.
    pub fn new(print: &'a mut dyn FnMut(&str)) -> Interpreter<'a> {
        Interpreter { print }
    }

    /// Runs a program after verifying it.
    pub fn eval(&mut self, program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        verify(program)?;
        ensure!(
            inputs.len() == program.invars.len(),
            Structure,
            "eval: expected {}, found {}",
            check::count(program.invars.len(), "argument"),
            inputs.len()
        );
        for (i, (expected, found)) in program.in_avals().iter().zip(inputs).enumerate() {
            ensure!(
                found.aval() == *expected,
                Shape,
                "eval: argument {i} must have type {expected}, found {}",
                found.aval()
            );
        }
        self.run(&Prepared::new(program), inputs.to_vec())
    }

    /// Runs one op after checking its operands.
    pub fn eval_op(&mut self, op: &Op, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let avals: Vec<Aval> = inputs.iter().map(Tensor::aval).collect();
        let outputs = infer(op, &avals)?;
        for program in op.subprograms() {
            verify(program)?;
        }
        self.apply(op, inputs, &outputs)
    }

    /// Runs a verified program on operands of the right types.
    pub(crate) fn run(&mut self, prepared: &Prepared, inputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        let program = prepared.program;
        let mut values: Vec<Option<Tensor>> = vec![None; program.avals.len()];
        for (v, value) in program.invars.iter().zip(inputs) {
            values[v.index()] = Some(value);
        }
        for (v, value) in &program.consts {
            values[v.index()] = Some(value.clone());
        }
        let read = |values: &[Option<Tensor>], atom: &Atom| match atom {
            Atom::Var(v) => values[v.index()].clone().expect("verified: defined before use; kept until its last use"),
            Atom::Lit(scalar) => scalar.to_tensor(),
        };
        let mut output_avals = Vec::new();
        for (number, eqn) in program.eqns.iter().enumerate() {
            let operands: Vec<Tensor> = eqn.inputs.iter().map(|atom| read(&values, atom)).collect();
            for v in eqn.inputs.iter().filter_map(|atom| atom.var()) {
                if prepared.last_use[v.index()] <= number {
                    values[v.index()] = None;
                }
            }
            output_avals.clear();
            output_avals.extend(eqn.outputs.iter().map(|v| program.avals[v.index()].clone()));
            let results = self.apply(&eqn.op, &operands, &output_avals).map_err(|e| e.at(&eqn.location))?;
            for (v, value) in eqn.outputs.iter().zip(results) {
                debug_assert_eq!(value.aval(), program.avals[v.index()], "result of {}", eqn.op.name());
                if prepared.last_use[v.index()] > number {
                    values[v.index()] = Some(value);
                }
            }
        }
        Ok(program.outvars.iter().map(|atom| read(&values, atom)).collect())
    }

    /// Runs an op on operands that it accepts; `outputs` are the types of its results. What moves narrow values moves bytes.
    fn apply(&mut self, op: &Op, x: &[Tensor], outputs: &[Aval]) -> Result<Vec<Tensor>> {
        let results = self.compute(op, x, outputs)?;
        Ok(results.into_iter().zip(outputs).map(|(x, aval)| x.stored_as(aval.dtype)).collect())
    }

    fn compute(&mut self, op: &Op, x: &[Tensor], outputs: &[Aval]) -> Result<Vec<Tensor>> {
        let one = |tensor: Tensor| Ok(vec![tensor]);
        // Where no result has elements, extents beside the one that is 0 may be beyond what can be counted through.
        let empty = !outputs.is_empty() && outputs.iter().all(|aval| aval.size() == 0);
        if empty && op.subprograms().is_empty() && !matches!(op, Op::Collective(_)) {
            return Ok(outputs.iter().map(Tensor::zeros).collect());
        }
        match op {
            Op::Unary(op) => one(op.eval_tensor(&x[0])),
            Op::Binary(op) => one(op.eval_tensor(&x[0], &x[1])),
            Op::Compare(op) => one(op.eval_tensor(&x[0], &x[1])),
            Op::Select => one(select::eval(&x[0], &x[1..])),
            Op::Clamp => one(clamp::eval(&x[0], &x[1], &x[2])),
            Op::RegularizedIncompleteBeta => one(regularized_incomplete_beta::eval(&x[0], &x[1], &x[2])),
            Op::Convert { dtype } => one(convert::convert(&x[0], *dtype)),
            Op::Bitcast { dtype } => one(bitcast::eval(*dtype, &x[0], &outputs[0])),
            Op::ReducePrecision { exponent_bits, mantissa_bits } => {
                one(reduce_precision::eval(*exponent_bits, *mantissa_bits, &x[0]))
            }
            Op::IntegerPow { exponent } => one(integer_pow::eval(*exponent, &x[0])),
            Op::StopGradient | Op::Name { .. } | Op::OptimizationBarrier => Ok(x.to_vec()),
            Op::BroadcastInDim { shape, dims } => one(broadcast_in_dim::eval(shape, dims, &x[0])),
            Op::Reshape { shape } => one(reshape::eval(shape, &x[0])),
            Op::Transpose { permutation } => one(transpose::permute(&x[0], permutation)),
            Op::Slice(slice) => one(slice.eval(&x[0], &outputs[0])),
            Op::Pad { padding } => one(pad::eval(padding, &x[0], &x[1], &outputs[0])),
            Op::Concatenate { axis } => one(concatenate::eval(*axis, x, &outputs[0])),
            Op::Reverse { axes } => one(reverse::eval(axes, &x[0])),
            Op::Iota { dtype, shape, axis } => one(iota::eval(*dtype, shape, *axis)),
            Op::DynamicSlice { sizes } => one(dynamic_slice::eval(sizes, &x[0], &x[1..])),
            Op::DynamicUpdateSlice => one(dynamic_update_slice::eval(&x[0], &x[1], &x[2..])),
            Op::Gather(gather) => one(gather.eval(&x[0], &x[1], &outputs[0])),
            Op::Scatter(scatter) => one(scatter.eval(&x[0], &x[1], &x[2])),
            Op::Reduce { reducer, axes } => one(reduce::eval(*reducer, axes, &x[0])),
            Op::GeneralReduce { body, axes } => reduce::eval_general(self, body, axes, x),
            Op::ArgReduce(arg_reduce) => one(arg_reduce.eval(&x[0])),
            Op::Cumulative(cumulative) => one(cumulative.eval(&x[0])),
            Op::DotGeneral(dot) => one(dot.eval(&x[0], &x[1], &outputs[0])),
            Op::Conv(conv) => one(conv.eval(&x[0], &x[1], &outputs[0])),
            Op::ReduceWindow { reducer, window } => one(reduce_window::eval(*reducer, window, &x[0], &outputs[0])),
            Op::GeneralReduceWindow { body, window } => {
                reduce_window::eval_general(self, body, window, x, &outputs[0].shape)
            }
            Op::SelectAndScatterAdd(scatter) => one(scatter.eval(&x[0], &x[1])),
            Op::SelectAndGatherAdd(gather) => one(gather.eval(&x[0], &x[1], &outputs[0])),
            Op::Sort(sort) => Ok(sort.eval(x)),
            Op::TopK { k } => Ok(top_k::eval(*k, &x[0])),
            Op::Linalg(linalg) => Ok(linalg.eval(x, outputs)),
            Op::Fft(fft) => one(fft.eval(&x[0], &outputs[0])),
            Op::Threefry2x32 => Ok(threefry2x32::eval(x)),
            Op::Cond { branches } => cond::eval(self, branches, x),
            Op::While(while_loop) => while_loop.eval(self, x),
            Op::Scan(scan) => scan.eval(self, x, outputs),
            Op::Call { program, .. } | Op::Remat(Remat { program, .. }) => self.call(program, x),
            Op::CustomJvp(custom) => self.call(&custom.call, x),
            Op::CustomVjp(custom) => self.call(&custom.call, x),
            Op::DebugPrint(print) => {
                (self.print)(&print.render(x));
                Ok(vec![])
            }
            Op::LinearSolve(solve) => self.call(&solve.solve, x),
            Op::Root(root) => self.call(&root.solve, x),
            Op::CustomLinear(_) => bail!(Unsupported, "custom_lin: known by its transpose only, cannot be evaluated"),
            Op::Collective(collective) => unbound(collective),
        }
    }

    /// Runs a program once.
    pub(crate) fn call(&mut self, program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.run(&Prepared::new(program), inputs.to_vec())
    }
}

fn unbound(collective: &Collective) -> Result<Vec<Tensor>> {
    match collective.axes() {
        [] => bail!(Structure, "{}: expected at least 1 axis, found 0", collective.name()),
        [axis, ..] => bail!(Unsupported, "{}: axis {axis} is not bound by any vmap around it", collective.name()),
    }
}

/// A program with what it takes to run it many times.
pub(crate) struct Prepared<'a> {
    program: &'a Program,
    /// For each variable the number of the last equation that uses it: 0 if none does, the greatest number for outputs.
    last_use: Vec<usize>,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(program: &'a Program) -> Prepared<'a> {
        let mut last_use = vec![0; program.avals.len()];
        for (number, eqn) in program.eqns.iter().enumerate() {
            for v in eqn.inputs.iter().filter_map(|atom| atom.var()) {
                last_use[v.index()] = number;
            }
        }
        for v in program.outvars.iter().filter_map(|atom| atom.var()) {
            last_use[v.index()] = usize::MAX;
        }
        Prepared { program, last_use }
    }
}

#[cfg(test)]
mod tests;
