//! Derivatives of `scan`: tangents are carried along, the known part stacks residuals, and cotangents are carried back.

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Builder, Op, Program, Result, Scan};

use super::while_loop::marked;
use crate::jvp::{Dual, Forward, Tangent, instantiate};
use crate::partial_eval::{
    Effects, Residual, Split, Splitter, Value, merge, partial_eval as split_program, unknown_outputs,
};
use crate::transpose::{Operand, transpose_program};

/// The loop carries the tangents of its carry along; which carried values have one is a fixed point.
pub(crate) fn jvp(f: &mut Forward, op: &Scan, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let heads = op.num_consts + op.num_carry;
    let active: Vec<bool> = t.iter().map(Option::is_some).collect();
    let (consts_active, xs_active) = (&active[..op.num_consts], &active[heads..]);
    let mut carry_active = active[op.num_consts..heads].to_vec();
    let num_ys = op.body.outvars.len() - op.num_carry;
    let (derivative, ys_active) = loop {
        let active = [consts_active, &carry_active, xs_active].concat();
        let force = [&carry_active[..], &vec![false; num_ys]].concat();
        let (derivative, mut out) = f.inner(&op.body, &active, &force)?;
        let ys_active = out.split_off(op.num_carry);
        if out == carry_active {
            break (derivative, ys_active);
        }
        carry_active = out;
    };

    // From (consts, carry, xs, tangents of each) to (consts, their tangents, carry, its tangents, xs, theirs).
    let avals = op.body.in_avals();
    let mut b = Builder::new();
    let mut inputs = |avals: &[Aval]| avals.iter().map(|a| b.input(a.clone())).collect::<Vec<_>>();
    let mut group = |avals: &[Aval], active: &[bool]| (inputs(avals), inputs(&marked(avals, active)));
    let (consts, const_ts) = group(&avals[..op.num_consts], consts_active);
    let (carry, carry_ts) = group(&avals[op.num_consts..heads], &carry_active);
    let (xs, x_ts) = group(&avals[heads..], xs_active);
    let num_consts = consts.len() + const_ts.len();
    let y = b.inline(&derivative, &[consts, carry, xs, const_ts, carry_ts, x_ts].concat());
    let (values, tangents) = y.split_at(op.body.outvars.len());
    let (carry_values, ys) = values.split_at(op.num_carry);
    let (carry_ts, y_ts) = tangents.split_at(carry_active.iter().filter(|a| **a).count());
    let num_carry = carry_values.len() + carry_ts.len();
    let body = Arc::new(b.finish([carry_values, carry_ts, ys, y_ts].concat()));

    let mut operands = x[..op.num_consts].to_vec();
    operands.extend(t[..op.num_consts].iter().flatten());
    operands.extend_from_slice(&x[op.num_consts..heads]);
    for i in 0..op.num_carry {
        if carry_active[i] {
            let aval = f.b.aval(x[op.num_consts + i]);
            operands.push(instantiate(&mut f.b, t[op.num_consts + i], &aval));
        }
    }
    operands.extend_from_slice(&x[heads..]);
    operands.extend(t[heads..].iter().flatten());
    let out = f.b.emit(Op::Scan(Scan { body, num_consts, num_carry, ..op.clone() }), &operands);

    let (carry, ys) = out.split_at(num_carry);
    let (carry, carry_ts) = carry.split_at(op.num_carry);
    let (ys, y_ts) = ys.split_at(num_ys);
    let mut tangents = Vec::new();
    for (active, ts) in [(&carry_active, carry_ts), (&ys_active, y_ts)] {
        let mut ts = ts.iter().copied();
        tangents.extend(active.iter().map(|&active| if active { ts.next() } else { None }));
    }
    Ok(([carry, ys].concat(), tangents))
}

/// Which carried values are unknown: a fixed point over the body.
fn unknown_carry(op: &Scan, unknown: &[bool]) -> Vec<bool> {
    let heads = op.num_consts + op.num_carry;
    let (consts, xs) = (&unknown[..op.num_consts], &unknown[heads..]);
    let mut carry = unknown[op.num_consts..heads].to_vec();
    loop {
        let out = unknown_outputs(&op.body, &[consts, &carry, xs].concat());
        let next: Vec<bool> = carry.iter().zip(out).map(|(a, b)| *a || b).collect();
        if next == carry {
            return carry;
        }
        carry = next;
    }
}

pub(crate) fn unknown_results(op: &Scan, unknown: &[bool]) -> Vec<bool> {
    let heads = op.num_consts + op.num_carry;
    let carry = unknown_carry(op, unknown);
    let mut out = unknown_outputs(&op.body, &[&unknown[..op.num_consts], &carry, &unknown[heads..]].concat());
    out[..op.num_carry].copy_from_slice(&carry);
    out
}

/// The known part runs first and stacks the residuals of its steps. Residuals that are the same in every step are
/// computed once, in front of the loop.
pub(crate) fn partial_eval(s: &mut Splitter, op: &Scan, inputs: &[Value]) -> Result<Vec<Value>> {
    let heads = op.num_consts + op.num_carry;
    let unknown: Vec<bool> = inputs.iter().map(|x| x.is_unknown()).collect();
    let (consts_unknown, xs_unknown) = (&unknown[..op.num_consts], &unknown[heads..]);
    let carry_unknown = unknown_carry(op, &unknown);
    let body_unknown = [consts_unknown, &carry_unknown, xs_unknown].concat();
    let force: Vec<bool> = (0..op.body.outvars.len()).map(|i| i < op.num_carry && carry_unknown[i]).collect();
    let split = split_program(&op.body, &body_unknown, &force, Effects::Known)?;
    let residuals = known_loop(s, op, inputs, &carry_unknown, &split)?;

    // The rest: residuals that are the same in every step are constants of it, the others are scanned.
    let mut body = split.unknown.clone();
    let unknown_inputs = body.invars.split_off(split.residuals.len());
    let constant: Vec<bool> = residuals.stacked.iter().map(|stacked| !stacked).collect();
    let num_unknown_consts = consts_unknown.iter().filter(|u| **u).count();
    let num_carry = carry_unknown.iter().filter(|u| **u).count();
    let (unknown_consts, unknown_rest) = unknown_inputs.split_at(num_unknown_consts);
    let (unknown_carry, unknown_xs) = unknown_rest.split_at(num_carry);
    body.invars = [
        &marked(&body.invars, &constant),
        unknown_consts,
        unknown_carry,
        &marked(&body.invars, &residuals.stacked),
        unknown_xs,
    ]
    .concat();
    let mut operands = s.save_all(&marked(&residuals.values, &constant));
    operands.extend(inputs[..op.num_consts].iter().filter_map(|x| x.unknown()));
    let num_consts = operands.len();
    for (&init, _) in inputs[op.num_consts..heads].iter().zip(&carry_unknown).filter(|(_, unknown)| **unknown) {
        operands.push(s.in_rest(init));
    }
    operands.extend(s.save_all(&marked(&residuals.values, &residuals.stacked)));
    operands.extend(inputs[heads..].iter().filter_map(|x| x.unknown()));
    let z = if body.outvars.is_empty() && !body.has_effect() {
        vec![]
    } else {
        s.unknown.emit(Op::Scan(Scan { body: Arc::new(body), num_consts, num_carry, ..op.clone() }), &operands)
    };
    Ok(merge(&split.out_unknown, &residuals.outputs, &z))
}

/// What the known part of a loop leaves behind.
struct KnownLoop {
    /// Its known outputs.
    outputs: Vec<Atom>,
    /// The residuals of the body: one array for all steps, or stacked.
    values: Vec<Atom>,
    stacked: Vec<bool>,
}

fn known_loop(
    s: &mut Splitter,
    op: &Scan,
    inputs: &[Value],
    carry_unknown: &[bool],
    split: &Split,
) -> Result<KnownLoop> {
    let heads = op.num_consts + op.num_carry;
    let known_consts: Vec<Atom> = inputs[..op.num_consts].iter().filter_map(|x| x.known()).collect();
    let num_carry = carry_unknown.iter().filter(|u| !**u).count();
    let num_outputs = split.out_unknown.iter().filter(|u| !**u).count();

    // The known body returns known outputs and computed residuals; those residuals that are carried inputs are added.
    let mut body = split.known.clone();
    let carried: Vec<usize> = (split.residuals.iter())
        .filter_map(|r| match *r {
            Residual::Input(i) if (op.num_consts..heads).contains(&i) => Some(i - op.num_consts),
            Residual::Input(_) | Residual::Computed(_) => None,
        })
        .collect();
    let known_carry_position = |i: usize| carry_unknown[..i].iter().filter(|u| !**u).count();
    let num_computed = body.outvars.len() - num_outputs;
    for &i in &carried {
        let v = body.invars[known_consts.len() + known_carry_position(i)];
        body.outvars.push(v.into());
    }

    // What depends on constants only leaves the loop.
    let varies: Vec<bool> = (0..body.invars.len()).map(|i| i >= known_consts.len()).collect();
    let force: Vec<bool> = (0..body.outvars.len()).map(|i| i < num_outputs).collect();
    let hoisted = split_program(&body, &varies, &force, Effects::Unknown)?;
    let invariant = s.known.inline(&hoisted.known, &known_consts);
    let consts = hoisted.residual_values(|i| known_consts[i], &invariant);
    let num_consts = consts.len();
    let mut operands = consts;
    for (x, _) in inputs[op.num_consts..heads].iter().zip(carry_unknown).filter(|(_, unknown)| !**unknown) {
        operands.push(x.known().expect("carried values with unknown start are unknown"));
    }
    operands.extend(inputs[heads..].iter().filter_map(|x| x.known()));
    let loop_body: Program = hoisted.unknown.clone();
    let y = if loop_body.outvars.is_empty() && !loop_body.has_effect() {
        vec![]
    } else {
        let known = Scan { body: Arc::new(loop_body), num_consts, num_carry, ..op.clone() };
        s.known.emit(Op::Scan(known), &operands)
    };

    // The extra outputs of the body, each hoisted or stacked, in their order.
    let (mut next_invariant, mut next_stacked) = (0, num_outputs);
    let extra: Vec<(Atom, bool)> = (hoisted.out_unknown[num_outputs..].iter())
        .map(|&stacked| {
            let (next, from) = if stacked { (&mut next_stacked, &y) } else { (&mut next_invariant, &invariant) };
            *next += 1;
            (from[*next - 1], stacked)
        })
        .collect();
    let residual = |r: &Residual| match *r {
        Residual::Computed(i) => extra[i],
        Residual::Input(i) if i < op.num_consts => (inputs[i].known().expect("residual inputs are known"), false),
        Residual::Input(i) if i < heads => {
            let place = carried.iter().position(|&c| c == i - op.num_consts).expect("listed above");
            extra[num_computed + place]
        }
        Residual::Input(i) => (inputs[i].known().expect("residual inputs are known"), true),
    };
    let (values, stacked) = split.residuals.iter().map(residual).unzip();
    Ok(KnownLoop { outputs: y[..num_outputs].to_vec(), values, stacked })
}

/// The reversed loop carries the cotangents of the carry, and those of the constants as sums.
pub(crate) fn transpose(b: &mut Builder, op: &Scan, operands: &[Operand], cts: &[Tangent]) -> Result<Vec<Tangent>> {
    let heads = op.num_consts + op.num_carry;
    let mut linear: Vec<bool> = operands.iter().map(Operand::is_linear).collect();
    // A carried value that starts from a constant, such as zeros, is linear from the second step on.
    linear[op.num_consts..heads].fill(true);
    let ys_active: Vec<bool> = cts[op.num_carry..].iter().map(Option::is_some).collect();
    let mut carry_active: Vec<bool> = cts[..op.num_carry].iter().map(Option::is_some).collect();
    let (body, mask) = loop {
        let force: Vec<bool> =
            (0..linear.len()).map(|i| (op.num_consts..heads).contains(&i) && carry_active[i - op.num_consts]).collect();
        let ct_active = [&carry_active[..], &ys_active].concat();
        let (body, mask) = transpose_program(&op.body, &linear, &ct_active, &force)?;
        if mask[op.num_consts..heads] == carry_active[..] {
            break (body, mask);
        }
        carry_active = mask[op.num_consts..heads].to_vec();
    };

    let avals = op.body.in_avals();
    let out_avals = op.body.out_avals();
    let known = |range: std::ops::Range<usize>| range.filter(|&i| !linear[i]).collect::<Vec<_>>();
    let (known_consts, known_xs) = (known(0..op.num_consts), known(heads..avals.len()));
    let summed: Vec<usize> = (0..op.num_consts).filter(|&i| mask[i]).collect();
    let carried: Vec<usize> = (0..op.num_carry).filter(|&i| carry_active[i]).collect();
    let stacked: Vec<usize> = (heads..avals.len()).filter(|&i| mask[i]).collect();

    let mut inner = Builder::new();
    let mut inputs = |avals: Vec<Aval>| avals.into_iter().map(|a| inner.input(a)).collect::<Vec<Atom>>();
    let pick = |positions: &[usize]| positions.iter().map(|&i| avals[i].clone()).collect::<Vec<_>>();
    let consts = inputs(pick(&known_consts));
    let sums = inputs(pick(&summed));
    let carry_cts = inputs(carried.iter().map(|&i| out_avals[i].clone()).collect());
    let xs = inputs(pick(&known_xs));
    let y_cts = inputs(marked(&out_avals[op.num_carry..], &ys_active));
    let results = inner.inline(&body, &[consts, xs, carry_cts, y_cts].concat());
    let (const_cts, rest) = results.split_at(summed.len());
    let (new_carry, x_cts) = rest.split_at(carried.len());
    let sums: Vec<Atom> = sums.iter().zip(const_cts).map(|(&sum, &ct)| inner.add(sum, ct)).collect();
    let body = Arc::new(inner.finish([&sums, new_carry, x_cts].concat()));

    let value = |i: usize| operands[i].known().expect("not linear");
    let mut arguments: Vec<Atom> = known_consts.iter().map(|&i| value(i)).collect();
    arguments.extend(summed.iter().map(|&i| b.zeros(&avals[i])));
    for &i in &carried {
        arguments.push(instantiate(b, cts[i], &out_avals[i]));
    }
    arguments.extend(known_xs.iter().map(|&i| value(i)));
    arguments.extend(cts[op.num_carry..].iter().flatten());
    let transposed = Scan {
        body,
        length: op.length,
        reverse: !op.reverse,
        num_consts: known_consts.len(),
        num_carry: summed.len() + carried.len(),
    };
    let results = b.emit(Op::Scan(transposed), &arguments);

    let mut cotangents: Vec<Tangent> = vec![None; operands.len()];
    let positions = summed.into_iter().chain(carried.into_iter().map(|i| op.num_consts + i)).chain(stacked);
    for (position, ct) in positions.zip(results) {
        if operands[position].is_linear() {
            cotangents[position] = Some(ct);
        }
    }
    Ok(cotangents)
}
