//! Reverse mode of linear programs: inputs and outputs change places.
//!
//! Cotangents flow from the outputs to the inputs, against the order of the equations. A cotangent that is zero because
//! nothing reaches it is absent. Complex values are paired by the real part of their plain product, without conjugation.
//!
//! ```
//! use rjax_autodiff::transpose;
//! use rjax_ir::{Aval, Builder, DType};
//! let mut b = Builder::new();
//! let (factor, x) = (b.input(Aval::scalar(DType::F32)), b.input(Aval::new(DType::F32, [3])));
//! let factor = b.broadcast_scalar(factor, &[3].into());
//! let y = b.mul(x, factor);
//! let transposed = transpose(&b.finish(vec![y]), 1).unwrap();
//! assert_eq!(transposed.in_avals(), [Aval::scalar(DType::F32), Aval::new(DType::F32, [3])]);
//! ```

use std::sync::Arc;

use rjax_ir::{
    Atom, Aval, Binary, Builder, Collective, Combiner, CumulativeKind, CustomLinear, Eqn, Op, Program, Reducer, Remat,
    Result, Scatter, Unary, bail, ensure,
};

use crate::jvp::{Tangent, add_tangents, instantiate};
use crate::ops::general_reduce::{Elements, as_scan};
use crate::ops::{
    call, cond, conv, dot_general, fft, gather, linalg, linear_solve, reduce_window, scan, scatter, shape,
};
use crate::partial_eval::{Effects, partial_eval};
use crate::prune::prune;

/// The transpose of a program that is linear in all inputs but the first `num_residuals`: takes the residuals and one
/// cotangent for each output, returns one cotangent for each linear input.
pub fn transpose(linear: &Program, num_residuals: usize) -> Result<Program> {
    ensure!(
        num_residuals <= linear.invars.len(),
        Structure,
        "transpose: {num_residuals} of the inputs are residuals, but the program has {}",
        linear.invars.len()
    );
    let is_linear: Vec<bool> = (0..linear.invars.len()).map(|i| i >= num_residuals).collect();
    let (transposed, _) = transpose_program(linear, &is_linear, &vec![true; linear.outvars.len()], &is_linear)?;
    Ok(transposed)
}

/// An operand of an equation that is being transposed.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// A value, in which the equation need not be linear.
    Known(Atom),
    /// A value in which the equation is linear; only its type is known.
    Linear(Aval),
}

impl Operand {
    pub fn is_linear(&self) -> bool {
        matches!(self, Operand::Linear(_))
    }

    pub fn known(&self) -> Option<Atom> {
        match self {
            Operand::Known(atom) => Some(*atom),
            Operand::Linear(_) => None,
        }
    }

    fn aval(&self, b: &Builder) -> Aval {
        match self {
            Operand::Known(atom) => b.aval(*atom),
            Operand::Linear(aval) => aval.clone(),
        }
    }

    fn linear(&self) -> Option<&Aval> {
        match self {
            Operand::Known(_) => None,
            Operand::Linear(aval) => Some(aval),
        }
    }
}

/// The transpose in the inputs marked in `linear`: takes the other inputs, then the cotangents of the outputs marked in
/// `ct_active`; returns the cotangents of those linear inputs that get one or are marked in `force`, and the mask of them.
pub(crate) fn transpose_program(
    program: &Program,
    linear: &[bool],
    ct_active: &[bool],
    force: &[bool],
) -> Result<(Program, Vec<bool>)> {
    let split = partial_eval(program, linear, &vec![false; program.outvars.len()], Effects::Known)?;
    let mut b = Builder::new();
    let avals = program.in_avals();
    let others: Vec<Option<Atom>> =
        avals.iter().zip(linear).map(|(aval, &linear)| (!linear).then(|| b.input(aval.clone()))).collect();
    let out_avals = program.out_avals();
    let cts: Vec<Tangent> =
        out_avals.iter().zip(ct_active).map(|(aval, &active)| active.then(|| b.input(aval.clone()))).collect();

    let known_inputs: Vec<Atom> = others.iter().copied().flatten().collect();
    let known = b.inline(&split.known, &known_inputs);
    let residuals = split.residual_values(|i| others[i].expect("residual inputs are known"), &known);
    let rest = &split.unknown;
    let (residual_vars, linear_vars) = rest.invars.split_at(residuals.len());
    let mut values: Vec<Option<Atom>> = vec![None; rest.avals.len()];
    for (v, atom) in residual_vars.iter().zip(residuals) {
        values[v.index()] = Some(atom);
    }
    for (v, value) in &rest.consts {
        values[v.index()] = Some(b.constant(value.clone()));
    }
    // What does not depend on a linear input is computed; the rest is for the way back.
    let value = |values: &[Option<Atom>], a: Atom| match a {
        Atom::Var(v) => values[v.index()],
        Atom::Lit(_) => Some(a),
    };
    let mut is_linear = vec![false; rest.avals.len()];
    linear_vars.iter().for_each(|v| is_linear[v.index()] = true);
    let mut backward = Vec::new();
    for eqn in &rest.eqns {
        if eqn.inputs.iter().any(|a| a.var().is_some_and(|v| is_linear[v.index()])) {
            eqn.outputs.iter().for_each(|v| is_linear[v.index()] = true);
            backward.push(eqn);
        } else {
            let inputs: Vec<Atom> =
                eqn.inputs.iter().map(|&a| value(&values, a).expect("does not depend on a linear input")).collect();
            b.location = eqn.location.clone();
            for (v, atom) in eqn.outputs.iter().zip(b.emit(eqn.op.clone(), &inputs)) {
                values[v.index()] = Some(atom);
            }
        }
    }

    let mut cotangents: Vec<Tangent> = vec![None; rest.avals.len()];
    let accumulate = |b: &mut Builder, cotangents: &mut Vec<Tangent>, a: Atom, ct: Tangent| {
        if let Some(v) = a.var().filter(|v| is_linear[v.index()]) {
            cotangents[v.index()] = add_tangents(b, cotangents[v.index()], ct);
        }
    };
    let unknown_cts = cts.iter().zip(&split.out_unknown).filter(|(_, unknown)| **unknown).map(|(ct, _)| *ct);
    for (&a, ct) in rest.outvars.iter().zip(unknown_cts) {
        accumulate(&mut b, &mut cotangents, a, ct);
    }
    for eqn in backward.into_iter().rev() {
        let cts: Vec<Tangent> = eqn.outputs.iter().map(|v| cotangents[v.index()]).collect();
        if cts.iter().all(Option::is_none) {
            continue;
        }
        let operands: Vec<Operand> = (eqn.inputs.iter())
            .map(|&a| value(&values, a).map_or_else(|| Operand::Linear(rest.aval(a)), Operand::Known))
            .collect();
        b.location = eqn.location.clone();
        let results = equation(&mut b, eqn, &operands, &cts).map_err(|e| e.at(&eqn.location))?;
        for (&a, ct) in eqn.inputs.iter().zip(results) {
            accumulate(&mut b, &mut cotangents, a, ct);
        }
    }

    let mut outputs = Vec::new();
    let mut mask = vec![false; avals.len()];
    let mut vars = linear_vars.iter();
    for i in (0..avals.len()).filter(|&i| linear[i]) {
        let ct = cotangents[vars.next().expect("one variable for each linear input").index()];
        if ct.is_some() || force[i] {
            mask[i] = true;
            outputs.push(instantiate(&mut b, ct, &avals[i]));
        }
    }
    Ok((prune(&b.finish(outputs)), mask))
}

/// The cotangent of the operand of a linear function that a rule writes as equations.
pub(crate) fn transpose_of(
    b: &mut Builder,
    function: impl FnOnce(&mut Builder, Atom) -> Atom,
    x: &Aval,
    ct: Atom,
) -> Result<Atom> {
    let mut inner = Builder::new();
    let input = inner.input(x.clone());
    let output = function(&mut inner, input);
    let (transposed, _) = transpose_program(&inner.finish(vec![output]), &[true], &[true], &[true])?;
    Ok(b.inline(&transposed, &[ct])[0])
}

/// The cotangents of a reduction with a combiner that is linear.
fn transpose_reduction(
    b: &mut Builder,
    body: &Program,
    elements: Elements,
    operands: &[Operand],
    cts: &[Tangent],
) -> Result<Vec<Tangent>> {
    let avals: Vec<Aval> = operands.iter().map(|x| x.aval(b)).collect();
    let scan = as_scan(body, elements, &avals)?;
    call::transpose(b, &scan, operands, cts, |b, transposed, inputs| b.inline(&transposed, inputs))
}

/// The cotangents of an equation's operands from those of its results, of which at least one is there.
fn equation(b: &mut Builder, eqn: &Eqn, operands: &[Operand], cts: &[Tangent]) -> Result<Vec<Tangent>> {
    let op = &eqn.op;
    // Ops with one result have its cotangent; the others look at `cts`.
    let ct = cts.iter().copied().flatten().next().expect("equations without cotangents are skipped");
    let mut results: Vec<Tangent> = vec![None; operands.len()];
    let require = |i: usize| -> Result<Atom> {
        match operands[i].known() {
            Some(atom) => Ok(atom),
            None => bail!(NotDifferentiable, "transpose: {} is not linear in operand {i}", op.name()),
        }
    };
    match op {
        Op::Unary(unary @ (Unary::Neg | Unary::Conj)) => results[0] = Some(b.unary(*unary, ct)),
        // The pairing is Re(a b): Re(x) pairs with ct as x with (ct, 0), Im(x) as x with (0, -ct).
        Op::Unary(Unary::Real) => {
            let zero = b.zeros(&b.aval(ct));
            results[0] = Some(b.binary(Binary::Complex, ct, zero));
        }
        Op::Unary(Unary::Imag) => {
            let (zero, negative) = (b.zeros(&b.aval(ct)), b.neg(ct));
            results[0] = Some(b.binary(Binary::Complex, zero, negative));
        }
        Op::Binary(Binary::Add) => results.fill(Some(ct)),
        Op::Binary(Binary::Sub) => {
            results[0] = Some(ct);
            if operands[1].is_linear() {
                results[1] = Some(b.neg(ct));
            }
        }
        Op::Binary(Binary::Mul) => {
            if operands[0].is_linear() {
                let factor = require(1)?;
                results[0] = Some(b.mul(ct, factor));
            } else {
                let factor = require(0)?;
                results[1] = Some(b.mul(factor, ct));
            }
        }
        Op::Binary(Binary::Div) => {
            let divisor = require(1)?;
            results[0] = Some(b.div(ct, divisor));
        }
        Op::Binary(Binary::Complex) => {
            if operands[0].is_linear() {
                results[0] = Some(b.unary(Unary::Real, ct));
            }
            if operands[1].is_linear() {
                let imaginary = b.unary(Unary::Imag, ct);
                results[1] = Some(b.neg(imaginary));
            }
        }
        Op::Select => {
            let which = require(0)?;
            let zero = b.zeros(&b.aval(ct));
            for (i, _) in operands.iter().enumerate().skip(1).filter(|(_, x)| x.is_linear()) {
                let mut cases = vec![zero; operands.len()];
                (cases[0], cases[i]) = (which, ct);
                results[i] = Some(b.emit1(Op::Select, &cases));
            }
        }
        Op::Convert { .. } => results[0] = operands[0].linear().map(|x| b.convert(ct, x.dtype)),
        Op::ReducePrecision { .. } => results[0] = Some(b.emit1(op.clone(), &[ct])),
        Op::IntegerPow { exponent: 1 } | Op::Name { .. } => results[0] = Some(ct),
        // Nothing flows back.
        Op::StopGradient | Op::DebugPrint(_) => {}
        Op::OptimizationBarrier | Op::Collective(Collective::Psum { .. }) => {
            let present: Vec<Atom> = cts.iter().copied().flatten().collect();
            let mut passed = b.emit(op.clone(), &present).into_iter();
            results = cts.iter().map(|ct| ct.and_then(|_| passed.next())).collect();
        }
        Op::BroadcastInDim { dims, .. } => {
            results[0] = operands[0].linear().map(|x| shape::transpose_broadcast_in_dim(b, ct, dims, x));
        }
        Op::Reshape { .. } => results[0] = operands[0].linear().map(|x| b.reshape(ct, &x.shape)),
        Op::Transpose { permutation } => results[0] = Some(b.transpose(ct, &dot_general::inverse(permutation))),
        Op::Slice(slice) => results[0] = operands[0].linear().map(|x| shape::transpose_slice(b, ct, slice, x)),
        Op::Pad { padding } => {
            let aval = operands[0].aval(b);
            if operands[0].is_linear() {
                results[0] = Some(shape::transpose_pad(b, ct, padding, &aval));
            }
            if operands[1].is_linear() {
                results[1] = Some(shape::transpose_padding_value(b, ct, padding, &aval.shape));
            }
        }
        Op::Concatenate { axis } => {
            let mut start = 0;
            for (i, operand) in operands.iter().enumerate() {
                let extent = operand.aval(b).shape[*axis];
                if operand.is_linear() {
                    results[i] = Some(b.slice_axis(ct, *axis, start, start + extent));
                }
                start += extent;
            }
        }
        Op::Linalg(linalg) => {
            // Solves are linear in their last operand.
            let last = operands.len() - 1;
            let known = (0..last).map(require).collect::<Result<Vec<Atom>>>()?;
            results[last] = Some(linalg::transpose_solve(b, *linalg, &known, ct)?);
        }
        Op::Fft(fft) => results[0] = Some(fft::transpose(b, fft, ct)),
        Op::Reverse { axes } => results[0] = Some(b.reverse(ct, axes)),
        Op::DynamicSlice { .. } => {
            let starts = (1..operands.len()).map(require).collect::<Result<Vec<Atom>>>()?;
            results[0] = operands[0].linear().map(|x| {
                let zeros = b.zeros(x);
                b.emit1(Op::DynamicUpdateSlice, &[&[zeros, ct], &starts[..]].concat())
            });
        }
        Op::DynamicUpdateSlice => {
            let starts = (2..operands.len()).map(require).collect::<Result<Vec<Atom>>>()?;
            let update = operands[1].aval(b);
            if operands[0].is_linear() {
                let zeros = b.zeros(&update);
                results[0] = Some(b.emit1(Op::DynamicUpdateSlice, &[&[ct, zeros], &starts[..]].concat()));
            }
            if operands[1].is_linear() {
                let op = Op::DynamicSlice { sizes: update.shape };
                results[1] = Some(b.emit1(op, &[&[ct], &starts[..]].concat()));
            }
        }
        Op::Gather(op) => {
            let indices = require(1)?;
            results[0] = operands[0].linear().map(|x| gather::transpose(b, op, ct, x, indices));
        }
        Op::Scatter(op @ Scatter { combiner: Combiner::Add | Combiner::Replace, .. }) => {
            let indices = require(1)?;
            let updates = operands[2].aval(b).shape;
            let wanted = [operands[0].is_linear(), operands[2].is_linear()];
            [results[0], results[2]] = scatter::transpose(b, op, ct, indices, &updates, wanted);
        }
        Op::Scatter(scatter @ Scatter { combiner: Combiner::Mul, .. }) => {
            let (indices, updates) = (require(1)?, require(2)?);
            results[0] = Some(b.emit1(Op::Scatter(scatter.clone()), &[ct, indices, updates]));
        }
        Op::Reduce { reducer: Reducer::Sum, axes } => {
            results[0] = operands[0].linear().map(|x| {
                let kept: Vec<usize> = (0..x.rank()).filter(|a| !axes.contains(a)).collect();
                b.broadcast_in_dim(ct, &x.shape, &kept)
            });
        }
        Op::Cumulative(cumulative) if cumulative.kind == CumulativeKind::Sum => {
            let back = rjax_ir::Cumulative { reverse: !cumulative.reverse, ..cumulative.clone() };
            results[0] = Some(b.emit1(Op::Cumulative(back), &[ct]));
        }
        Op::DotGeneral(dot) => match (&operands[0], &operands[1]) {
            (Operand::Linear(lhs), Operand::Known(rhs)) => {
                results[0] = Some(dot_general::transpose_lhs(b, dot, ct, lhs, *rhs));
            }
            (Operand::Known(lhs), Operand::Linear(rhs)) => {
                results[1] = Some(dot_general::transpose_rhs(b, dot, ct, *lhs, rhs));
            }
            (Operand::Known(_), Operand::Known(_)) | (Operand::Linear(_), Operand::Linear(_)) => {
                bail!(NotDifferentiable, "transpose: dot_general is not linear in both operands together")
            }
        },
        Op::Conv(conv) => match (&operands[0], &operands[1]) {
            (Operand::Linear(lhs), Operand::Known(rhs)) => {
                results[0] = Some(conv::transpose_lhs(b, conv, ct, lhs, *rhs));
            }
            (Operand::Known(lhs), Operand::Linear(rhs)) => {
                results[1] = Some(conv::transpose_rhs(b, conv, ct, *lhs, rhs));
            }
            (Operand::Known(_), Operand::Known(_)) | (Operand::Linear(_), Operand::Linear(_)) => {
                bail!(NotDifferentiable, "transpose: conv_general_dilated is not linear in both operands together")
            }
        },
        Op::ReduceWindow { reducer: Reducer::Sum, window } => {
            results[0] = operands[0].linear().map(|x| reduce_window::transpose_sum(b, window, ct, x));
        }
        Op::SelectAndScatterAdd(op) => {
            let operand = require(1)?;
            results[0] = Some(reduce_window::transpose_select_and_scatter(b, op, ct, operand));
        }
        Op::SelectAndGatherAdd(op) => {
            let operand = require(1)?;
            if let Some(x) = operands[0].linear() {
                results[0] = Some(reduce_window::transpose_select_and_gather(b, op, ct, x, operand)?);
            }
        }
        Op::Cond { branches } => results = cond::transpose(b, branches, operands, cts)?,
        Op::Scan(op) => results = scan::transpose(b, op, operands, cts)?,
        Op::Call { name, program } => {
            results = call::transpose(b, program, operands, cts, |b, transposed, inputs| {
                call::call_or_inline(b, name, transposed, inputs)
            })?;
        }
        Op::Remat(remat) => {
            results = call::transpose(b, &remat.program, operands, cts, |b, transposed, inputs| {
                let remat = Remat { program: Arc::new(transposed), policy: remat.policy.clone(), differentiated: true };
                b.emit(Op::Remat(remat), inputs)
            })?;
        }
        Op::CustomJvp(custom) => {
            results =
                call::transpose(b, &custom.call, operands, cts, |b, transposed, inputs| b.inline(&transposed, inputs))?;
        }
        Op::CustomLinear(CustomLinear { bwd, num_residuals, outputs }) => {
            let mut inputs = (0..*num_residuals).map(require).collect::<Result<Vec<Atom>>>()?;
            for (ct, aval) in cts.iter().zip(outputs) {
                inputs.push(instantiate(b, *ct, aval));
            }
            let cotangents = b.inline(bwd, &inputs);
            results[*num_residuals..].iter_mut().zip(cotangents).for_each(|(result, ct)| *result = Some(ct));
        }
        Op::LinearSolve(solve) => {
            let mut inputs = (0..solve.num_consts).map(require).collect::<Result<Vec<Atom>>>()?;
            for (ct, operand) in cts.iter().zip(&operands[solve.num_consts..]) {
                let aval = operand.aval(b);
                inputs.push(instantiate(b, *ct, &aval));
            }
            let cotangents = b.emit(Op::LinearSolve(linear_solve::transposed(solve)?), &inputs);
            results[solve.num_consts..].iter_mut().zip(cotangents).for_each(|(result, ct)| *result = Some(ct));
        }
        Op::While(_) => bail!(
            NotDifferentiable,
            "while: reverse-mode differentiation needs the number of steps in advance; use scan, or fori_loop with static bounds"
        ),
        Op::GeneralReduce { body, axes } => {
            results = transpose_reduction(b, body, Elements::Axes(axes), operands, cts)?;
        }
        Op::GeneralReduceWindow { body, window } => {
            results = transpose_reduction(b, body, Elements::Window(window), operands, cts)?;
        }
        Op::Unary(
            Unary::Sign
            | Unary::Abs
            | Unary::Floor
            | Unary::Ceil
            | Unary::Round
            | Unary::RoundEven
            | Unary::IsFinite
            | Unary::Not
            | Unary::PopulationCount
            | Unary::Clz
            | Unary::Exp
            | Unary::Exp2
            | Unary::Expm1
            | Unary::Log
            | Unary::Log1p
            | Unary::Logistic
            | Unary::Sqrt
            | Unary::Rsqrt
            | Unary::Cbrt
            | Unary::Sin
            | Unary::Cos
            | Unary::Tan
            | Unary::Sinh
            | Unary::Cosh
            | Unary::Tanh
            | Unary::Asin
            | Unary::Acos
            | Unary::Atan
            | Unary::Asinh
            | Unary::Acosh
            | Unary::Atanh
            | Unary::Erf
            | Unary::Erfc
            | Unary::ErfInv
            | Unary::Lgamma
            | Unary::Digamma
            | Unary::BesselI0e
            | Unary::BesselI1e,
        )
        | Op::Binary(
            Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::Max
            | Binary::Min
            | Binary::And
            | Binary::Or
            | Binary::Xor
            | Binary::ShiftLeft
            | Binary::ShiftRightArithmetic
            | Binary::ShiftRightLogical
            | Binary::NextAfter
            | Binary::Igamma
            | Binary::Igammac
            | Binary::IgammaGradA
            | Binary::Polygamma
            | Binary::Zeta,
        )
        | Op::Compare(_)
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Bitcast { .. }
        | Op::IntegerPow { .. }
        | Op::Iota { .. }
        | Op::Scatter(_)
        | Op::Reduce { .. }
        | Op::ArgReduce(_)
        | Op::Cumulative(_)
        | Op::ReduceWindow { .. }
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Threefry2x32
        | Op::CustomVjp(_)
        | Op::Root(_)
        | Op::Collective(Collective::Pmax { .. } | Collective::Pmin { .. } | Collective::AxisIndex { .. }) => {
            bail!(NotDifferentiable, "transpose: {} is not linear", op.name())
        }
    }
    Ok(results)
}
