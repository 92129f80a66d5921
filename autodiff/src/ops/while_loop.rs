//! Derivatives of `while`: the loop carries the tangents along. The condition sees only the values.

use std::sync::Arc;

use rjax_ir::{Atom, Builder, Op, Program, Result, While};

use crate::jvp::{Dual, Forward, Tangent, instantiate};
use crate::partial_eval::{Effects, Splitter, Value, merge, partial_eval as split_program, unknown_outputs};
use crate::prune::prune_to;

/// The values marked in a mask.
pub(crate) fn marked<T: Clone>(values: &[T], mask: &[bool]) -> Vec<T> {
    values.iter().zip(mask).filter(|(_, marked)| **marked).map(|(value, _)| value.clone()).collect()
}

pub(crate) fn jvp(f: &mut Forward, op: &While, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let (cond_consts, rest) = x.split_at(op.cond_nconsts);
    let (body_consts, init) = rest.split_at(op.body_nconsts);
    let (const_tangents, init_tangents) = t[op.cond_nconsts..].split_at(op.body_nconsts);
    let consts_active: Vec<bool> = const_tangents.iter().map(Option::is_some).collect();
    let mut carry_active: Vec<bool> = init_tangents.iter().map(Option::is_some).collect();
    let derivative = loop {
        let active = [&consts_active[..], &carry_active].concat();
        let (derivative, out) = f.inner(&op.body, &active, &carry_active)?;
        if out == carry_active {
            break derivative;
        }
        carry_active = out;
    };

    // The derivative takes (consts, carry, const tangents, carry tangents); the loop wants both kinds of consts first.
    let avals = op.body.in_avals();
    let (const_avals, carry_avals) = avals.split_at(op.body_nconsts);
    let mut b = Builder::new();
    let mut inputs = |avals: &[rjax_ir::Aval]| avals.iter().map(|a| b.input(a.clone())).collect::<Vec<_>>();
    let (consts, const_ts) = (inputs(const_avals), inputs(&marked(const_avals, &consts_active)));
    let (carry, carry_ts) = (inputs(carry_avals), inputs(&marked(carry_avals, &carry_active)));
    let outputs = b.inline(&derivative, &[consts, carry, const_ts, carry_ts].concat());
    let body = Arc::new(b.finish(outputs));
    let cond = Arc::new(with_unused_inputs(&op.cond, &marked(carry_avals, &carry_active)));

    let mut operands = [cond_consts, body_consts].concat();
    operands.extend(const_tangents.iter().flatten());
    let body_nconsts = operands.len() - op.cond_nconsts;
    operands.extend_from_slice(init);
    for ((t, aval), &active) in init_tangents.iter().zip(carry_avals).zip(&carry_active) {
        if active {
            operands.push(instantiate(&mut f.b, *t, aval));
        }
    }
    let op = Op::While(While { cond, body, cond_nconsts: op.cond_nconsts, body_nconsts });
    let y = f.b.emit(op, &operands);
    Ok(super::call::split_tangents(y, &carry_active))
}

/// The same program with more inputs, which it ignores.
pub(crate) fn with_unused_inputs(program: &Program, avals: &[rjax_ir::Aval]) -> Program {
    let mut program = program.clone();
    for aval in avals {
        program.invars.push(rjax_ir::Var(program.avals.len() as u32));
        program.avals.push(aval.clone());
    }
    program
}

/// Which carried values are unknown, by a fixed point over the body; `None` if the condition is.
fn unknown_carry(op: &While, unknown: &[bool]) -> Option<Vec<bool>> {
    let (cond_consts, rest) = unknown.split_at(op.cond_nconsts);
    let (body_consts, init) = rest.split_at(op.body_nconsts);
    let mut carry = init.to_vec();
    loop {
        let out = unknown_outputs(&op.body, &[body_consts, &carry].concat());
        let next: Vec<bool> = carry.iter().zip(out).map(|(a, b)| *a || b).collect();
        if next == carry {
            break;
        }
        carry = next;
    }
    let cond = unknown_outputs(&op.cond, &[cond_consts, &carry].concat());
    (!cond[0]).then_some(carry)
}

pub(crate) fn unknown_results(op: &While, unknown: &[bool]) -> Vec<bool> {
    unknown_carry(op, unknown).unwrap_or_else(|| vec![true; op.body.outvars.len()])
}

/// The known carried values are computed by a loop of their own. The rest runs the whole loop again, because the number of
/// steps, and so the size of stacked residuals, is not known in advance.
pub(crate) fn partial_eval(s: &mut Splitter, op: &While, inputs: &[Value]) -> Result<Vec<Value>> {
    let whole = Op::While(op.clone());
    let unknown: Vec<bool> = inputs.iter().map(|x| x.is_unknown()).collect();
    let Some(carry) = unknown_carry(op, &unknown) else { return s.whole(&whole, inputs) };
    let known_carry: Vec<bool> = carry.iter().map(|u| !u).collect();
    let known_part = |program: &Program, unknown: &[bool], keep: &[bool]| -> Result<Program> {
        let split = split_program(program, unknown, &vec![false; program.outvars.len()], Effects::Known)?;
        let outputs: Vec<bool> = (0..split.known.outvars.len()).map(|i| i < keep.len() && keep[i]).collect();
        Ok(prune_to(&split.known, &outputs).0)
    };
    let (cond_unknown, rest) = unknown.split_at(op.cond_nconsts);
    let (body_unknown, _) = rest.split_at(op.body_nconsts);
    let y = if known_carry.contains(&true) {
        // An output of the body may be known although its carried value is not.
        let body_inputs = [body_unknown, &carry].concat();
        let known_outputs: Vec<bool> = unknown_outputs(&op.body, &body_inputs).iter().map(|u| !u).collect();
        let keep = marked(&known_carry, &known_outputs);
        let body = known_part(&op.body, &body_inputs, &keep)?;
        let cond = known_part(&op.cond, &[cond_unknown, &carry].concat(), &[true])?;
        let operand_unknown = [cond_unknown, body_unknown, &carry].concat();
        let operands: Vec<Atom> = (inputs.iter().zip(&operand_unknown))
            .filter(|(_, unknown)| !**unknown)
            .map(|(x, _)| x.known().expect("known inputs"))
            .collect();
        let count = |mask: &[bool]| mask.iter().filter(|u| !**u).count();
        let known = While {
            cond: Arc::new(cond),
            body: Arc::new(body),
            cond_nconsts: count(cond_unknown),
            body_nconsts: count(body_unknown),
        };
        s.known.emit(Op::While(known), &operands)
    } else {
        vec![]
    };
    let z = if carry.contains(&true) { s.whole(&whole, inputs)? } else { vec![] };
    let z: Vec<Atom> = marked(&z, &carry).into_iter().filter_map(|x| x.unknown()).collect();
    Ok(merge(&carry, &y, &z))
}
