//! Forward mode: a program becomes one that also pushes tangents along.
//!
//! A tangent that is zero because nothing active reaches it is absent (`None`): it has no equation, no array and no input
//! or output. Zeros are only built where an op needs both or none.
//!
//! ```
//! use rjax_autodiff::jvp;
//! use rjax_ir::{Aval, Builder, DType, Unary};
//! let mut b = Builder::new();
//! let x = b.input(Aval::scalar(DType::F32));
//! let y = b.unary(Unary::Sin, x);
//! let program = jvp(&b.finish(vec![y])).unwrap();
//! assert_eq!((program.invars.len(), program.outvars.len()), (2, 2));
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use rjax_ir::{Atom, Aval, Builder, Collective, CumulativeKind, Eqn, Op, Program, Reducer, Result, bail, ensure};

use crate::ops::general_reduce::Elements;
use crate::ops::{
    call, collective, cond, conv, cumulative, custom_jvp, custom_vjp, dot_general, elementwise, gather, general_reduce,
    linalg, linear_solve, reduce, reduce_window, root, scan, scatter, sort, while_loop,
};
use crate::prune::prune;

/// The tangent of a value; `None` is zero.
pub(crate) type Tangent = Option<Atom>;

/// The results of an equation and their tangents.
pub(crate) type Dual = (Vec<Atom>, Vec<Tangent>);

/// Forward-mode derivative: takes all inputs, then one tangent for each inexact input; returns all outputs, then one
/// tangent for each inexact output.
pub fn jvp(program: &Program) -> Result<Program> {
    let inexact = |avals: Vec<Aval>| avals.iter().map(|a| a.dtype.is_inexact()).collect::<Vec<_>>();
    let (program, _) = push_forward(program, &inexact(program.in_avals()), &inexact(program.out_avals()))?;
    Ok(program)
}

/// Forward-mode derivative with respect to the active inputs only, which must be inexact: takes all inputs, then their
/// tangents; returns all outputs, then the tangents of those that depend on an active input, which the second result marks.
pub fn jvp_active(program: &Program, active: &[bool]) -> Result<(Program, Vec<bool>)> {
    push_forward(program, active, &vec![false; program.outvars.len()])
}

fn push_forward(program: &Program, active: &[bool], force: &[bool]) -> Result<(Program, Vec<bool>)> {
    check_active("jvp", program, active)?;
    let (program, out_active) = differentiate(program, active, force, &mut Memo::default())?;
    refuse_custom_linear("jvp", &program)?;
    Ok((program, out_active))
}

/// Active inputs are inexact, and there is a mark for each input.
pub(crate) fn check_active(transform: &str, program: &Program, active: &[bool]) -> Result<()> {
    ensure!(
        active.len() == program.invars.len(),
        Structure,
        "{transform}: expected a mark for each of the {} inputs, found {}",
        program.invars.len(),
        active.len()
    );
    for (i, aval) in program.in_avals().iter().enumerate() {
        ensure!(
            !active[i] || aval.dtype.is_inexact(),
            DType,
            "{transform}: differentiated inputs must be inexact, but input {i} is {aval}"
        );
    }
    Ok(())
}

/// Forward mode stops at functions that only have a backward rule.
pub(crate) fn refuse_custom_linear(transform: &str, program: &Program) -> Result<()> {
    for eqn in &program.eqns {
        if matches!(eqn.op, Op::CustomLinear(_)) {
            return Err(rjax_ir::Error::new(
                rjax_ir::ErrorKind::NotDifferentiable,
                format!(
                    "{transform}: can't apply forward-mode differentiation to a custom_vjp function; use vjp or grad"
                ),
            )
            .at(&eqn.location));
        }
        for inner in eqn.op.subprograms() {
            refuse_custom_linear(transform, inner)?;
        }
    }
    Ok(())
}

/// Derivatives of programs inside ops, by the program and the masks it was differentiated with. The first field of the
/// value keeps the program alive, so that its address stays its own.
#[derive(Default)]
pub(crate) struct Memo(HashMap<(*const Program, Vec<bool>, Vec<bool>), (Arc<Program>, Arc<Program>, Vec<bool>)>);

/// As [`jvp_active`], with zeros for the tangents of the outputs marked in `force`.
pub(crate) fn differentiate(
    program: &Program,
    active: &[bool],
    force: &[bool],
    memo: &mut Memo,
) -> Result<(Program, Vec<bool>)> {
    let mut f = Forward { b: Builder::new(), memo };
    let mut primals: Vec<Option<Atom>> = vec![None; program.avals.len()];
    let mut tangents: Vec<Tangent> = vec![None; program.avals.len()];
    for &v in &program.invars {
        primals[v.index()] = Some(f.b.input(program.aval(v)));
    }
    for (&v, &active) in program.invars.iter().zip(active) {
        if active {
            tangents[v.index()] = Some(f.b.input(program.aval(v)));
        }
    }
    for (v, value) in &program.consts {
        primals[v.index()] = Some(f.b.constant(value.clone()));
    }
    let primal = |primals: &[Option<Atom>], a: Atom| match a {
        Atom::Var(v) => primals[v.index()].expect("verified: operands are defined before they are used"),
        Atom::Lit(_) => a,
    };
    let tangent = |tangents: &[Tangent], a: Atom| a.var().and_then(|v| tangents[v.index()]);
    for eqn in &program.eqns {
        let x: Vec<Atom> = eqn.inputs.iter().map(|&a| primal(&primals, a)).collect();
        let t: Vec<Tangent> = eqn.inputs.iter().map(|&a| tangent(&tangents, a)).collect();
        f.b.location = eqn.location.clone();
        let (y, ty) = f.equation(eqn, &x, &t).map_err(|e| e.at(&eqn.location))?;
        for ((&v, y), ty) in eqn.outputs.iter().zip(y).zip(ty) {
            primals[v.index()] = Some(y);
            tangents[v.index()] = ty;
        }
    }
    let mut outputs: Vec<Atom> = program.outvars.iter().map(|&a| primal(&primals, a)).collect();
    let mut out_active = Vec::new();
    for (&a, &force) in program.outvars.iter().zip(force) {
        let t = tangent(&tangents, a);
        out_active.push(t.is_some() || force);
        if t.is_some() || force {
            outputs.push(instantiate(&mut f.b, t, &program.aval(a)));
        }
    }
    Ok((prune(&f.b.finish(outputs)), out_active))
}

/// The sum of two tangents.
pub(crate) fn add_tangents(b: &mut Builder, x: Tangent, y: Tangent) -> Tangent {
    match (x, y) {
        (Some(x), Some(y)) => Some(b.add(x, y)),
        (x, y) => x.or(y),
    }
}

/// A tangent as an array.
pub(crate) fn instantiate(b: &mut Builder, t: Tangent, aval: &Aval) -> Atom {
    t.unwrap_or_else(|| b.zeros(aval))
}

/// The state of forward mode: the program that grows and the derivatives of inner programs that are known already.
pub(crate) struct Forward<'m> {
    pub b: Builder,
    pub memo: &'m mut Memo,
}

impl Forward<'_> {
    /// The derivative of a program inside an op.
    pub fn inner(
        &mut self,
        program: &Arc<Program>,
        active: &[bool],
        force: &[bool],
    ) -> Result<(Arc<Program>, Vec<bool>)> {
        let key = (Arc::as_ptr(program), active.to_vec(), force.to_vec());
        if let Some((_, done, out_active)) = self.memo.0.get(&key) {
            return Ok((done.clone(), out_active.clone()));
        }
        let (done, out_active) = differentiate(program, active, force, self.memo)?;
        let done = Arc::new(done);
        self.memo.0.insert(key, (program.clone(), done.clone(), out_active.clone()));
        Ok((done, out_active))
    }

    fn equation(&mut self, eqn: &Eqn, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
        if t.iter().all(Option::is_none) {
            let y = self.b.try_emit(eqn.op.clone(), x)?;
            let zeros = vec![None; y.len()];
            return Ok((y, zeros));
        }
        let b = &mut self.b;
        match &eqn.op {
            Op::Unary(op) => {
                let y = b.unary(*op, x[0]);
                let ty = t[0].and_then(|t| elementwise::unary(b, *op, x[0], y, t));
                Ok((vec![y], vec![ty]))
            }
            Op::Binary(op) => {
                let y = b.emit1(Op::Binary(*op), x);
                let ty = elementwise::binary(b, *op, [x[0], x[1]], y, [t[0], t[1]])?;
                Ok((vec![y], vec![ty]))
            }
            Op::Select => {
                let y = b.emit1(Op::Select, x);
                let aval = b.aval(y);
                let mut cases = vec![x[0]];
                cases.extend(t[1..].iter().map(|&t| instantiate(b, t, &aval)));
                Ok((vec![y], vec![Some(b.emit1(Op::Select, &cases))]))
            }
            Op::Clamp => {
                let y = b.emit1(Op::Clamp, x);
                let ty = elementwise::clamp(b, [x[0], x[1], x[2]], [t[0], t[1], t[2]]);
                Ok((vec![y], vec![ty]))
            }
            Op::RegularizedIncompleteBeta => {
                let y = b.emit1(Op::RegularizedIncompleteBeta, x);
                let ty = elementwise::incomplete_beta(b, [x[0], x[1], x[2]], [t[0], t[1], t[2]])?;
                Ok((vec![y], vec![ty]))
            }
            Op::IntegerPow { exponent } => {
                let y = b.emit1(eqn.op.clone(), x);
                let ty = t[0].and_then(|t| elementwise::integer_pow(b, *exponent, x[0], t));
                Ok((vec![y], vec![ty]))
            }
            Op::Convert { dtype } => {
                let y = b.emit1(eqn.op.clone(), x);
                let ty = t[0].filter(|_| dtype.is_inexact()).map(|t| b.convert(t, *dtype));
                Ok((vec![y], vec![ty]))
            }
            // The tangent is not named: a policy that keeps the value keeps the value only.
            Op::Name { .. } => Ok((vec![b.emit1(eqn.op.clone(), x)], vec![t[0]])),
            Op::OptimizationBarrier | Op::Collective(Collective::Psum { .. }) => {
                let y = b.emit(eqn.op.clone(), x);
                let present: Vec<Atom> = t.iter().copied().flatten().collect();
                let mut passed = b.emit(eqn.op.clone(), &present).into_iter();
                Ok((y, t.iter().map(|t| t.and_then(|_| passed.next())).collect()))
            }
            Op::Collective(collective @ (Collective::Pmax { axes } | Collective::Pmin { axes })) => {
                let y = b.emit(Op::Collective(collective.clone()), x);
                let ty = (0..x.len()).map(|i| t[i].map(|t| collective::extreme(b, axes, x[i], y[i], t))).collect();
                Ok((y, ty))
            }
            // Linear in the only operand that can be active.
            Op::ReducePrecision { .. }
            | Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Fft(_)
            | Op::Reverse { .. }
            | Op::DynamicSlice { .. }
            | Op::Reduce { reducer: Reducer::Sum, .. }
            | Op::Cumulative(rjax_ir::Cumulative { kind: CumulativeKind::Sum, .. })
            | Op::ReduceWindow { reducer: Reducer::Sum, .. } => {
                let y = b.emit1(eqn.op.clone(), x);
                let mut operands = x.to_vec();
                let ty = t[0].map(|t| {
                    operands[0] = t;
                    b.emit1(eqn.op.clone(), &operands)
                });
                Ok((vec![y], vec![ty]))
            }
            // Linear in several operands together.
            Op::Pad { .. } | Op::Concatenate { .. } | Op::DynamicUpdateSlice => {
                let y = b.emit1(eqn.op.clone(), x);
                let operands: Vec<Atom> = (x.iter().zip(t))
                    .map(|(&x, &t)| {
                        let aval = b.aval(x);
                        if aval.dtype.is_inexact() { instantiate(b, t, &aval) } else { x }
                    })
                    .collect();
                Ok((vec![y], vec![Some(b.emit1(eqn.op.clone(), &operands))]))
            }
            Op::Gather(gather) => {
                let y = b.emit1(eqn.op.clone(), x);
                let ty = t[0].map(|t| gather::jvp(b, gather, t, x[1]));
                Ok((vec![y], vec![ty]))
            }
            Op::Scatter(op) => scatter::jvp(b, op, x, t),
            Op::Reduce { reducer, axes } => Ok(reduce::jvp(b, *reducer, axes, x[0], t[0])),
            Op::Cumulative(op) => Ok(cumulative::jvp(b, op, x[0], t[0])),
            Op::DotGeneral(op) => Ok(dot_general::jvp(b, op, x, t)),
            Op::Conv(op) => Ok(conv::jvp(b, op, x, t)),
            Op::ReduceWindow { reducer, window } => Ok(reduce_window::jvp(b, *reducer, window, x[0], t[0])),
            // The selection does not move with its operand.
            Op::SelectAndScatterAdd(_) | Op::SelectAndGatherAdd(_) => {
                let y = b.emit1(eqn.op.clone(), x);
                let ty = t[0].map(|t| b.emit1(eqn.op.clone(), &[t, x[1]]));
                Ok((vec![y], vec![ty]))
            }
            Op::Sort(op) => Ok(sort::jvp(b, op, x, t)),
            Op::TopK { .. } => {
                let y = b.emit(eqn.op.clone(), x);
                let axis = b.shape(x[0]).rank() - 1;
                let ty = t[0].map(|t| sort::take_along_axis(b, t, y[1], axis));
                Ok((y, vec![ty, None]))
            }
            Op::Linalg(op) => linalg::jvp(b, *op, x, t),
            Op::GeneralReduce { body, axes } => general_reduce::jvp(self, &eqn.op, body, Elements::Axes(axes), x, t),
            Op::GeneralReduceWindow { body, window } => {
                general_reduce::jvp(self, &eqn.op, body, Elements::Window(window), x, t)
            }
            // Results that do not move with the operands.
            Op::Compare(_)
            | Op::Bitcast { .. }
            | Op::StopGradient
            | Op::Iota { .. }
            | Op::ArgReduce(_)
            | Op::Threefry2x32
            | Op::DebugPrint(_)
            | Op::Collective(Collective::AxisIndex { .. }) => {
                let y = b.emit(eqn.op.clone(), x);
                let zeros = vec![None; y.len()];
                Ok((y, zeros))
            }
            Op::Cond { branches } => cond::jvp(self, branches, x, t),
            Op::While(op) => while_loop::jvp(self, op, x, t),
            Op::Scan(op) => scan::jvp(self, op, x, t),
            Op::Call { program, .. } | Op::Remat(rjax_ir::Remat { program, .. }) => {
                call::jvp(self, &eqn.op, program, x, t)
            }
            Op::CustomJvp(op) => custom_jvp::jvp(self, op, x, t),
            Op::CustomVjp(op) => custom_vjp::jvp(self, op, x, t),
            Op::LinearSolve(op) => linear_solve::jvp(self, op, x, t),
            Op::Root(op) => root::jvp(self, op, x, t),
            Op::CustomLinear(_) => {
                bail!(
                    NotDifferentiable,
                    "custom_vjp_call: can't apply forward-mode differentiation to a custom_vjp function; use vjp or grad"
                )
            }
        }
    }
}
