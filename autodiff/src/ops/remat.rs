//! Checkpointed calls: the rest of the program, and with it the backward pass, computes the values inside again instead of
//! keeping them. What runs again stays inside a `checkpoint` marked `differentiated`, so that no simplification merges it
//! with the first run.

use std::sync::Arc;

use rjax_ir::{Atom, Builder, Op, Program, Remat, RematPolicy, Result, Var};

use crate::partial_eval::{Effects, Splitter, Value, merge, partial_eval as split_program, unknown_vars};
use crate::prune::{keep_inputs, prune_to};

pub(crate) fn partial_eval(s: &mut Splitter, op: &Remat, inputs: &[Value]) -> Result<Vec<Value>> {
    let unknown: Vec<bool> = inputs.iter().map(|x| x.is_unknown()).collect();
    let known_inputs: Vec<Atom> = inputs.iter().filter_map(|x| x.known()).collect();
    if op.policy == RematPolicy::EverythingSaveable {
        return super::call::partial_eval(s, "checkpoint", &op.program, inputs);
    }
    // Policies look at equations, so calls inside must not hide them.
    let program =
        if op.policy == RematPolicy::NothingSaveable { (*op.program).clone() } else { inline_calls(&op.program) };
    let vars = unknown_vars(&program, &unknown);
    let saveable: Vec<Var> = (program.eqns.iter())
        .filter(|eqn| is_saveable(&op.policy, &eqn.op))
        .flat_map(|eqn| eqn.outputs.iter().copied())
        .filter(|v| !vars[v.index()])
        .collect();

    let (rest, uses) = without_definitions(&program, &saveable, &vars);
    let (input_uses, saved_uses) = uses.split_at(inputs.len());

    // The known part also returns the values that the policy keeps, and no other residuals.
    let mut extended = program.clone();
    extended.outvars.extend(saveable.iter().map(|&v| Atom::Var(v)));
    let split = split_program(&extended, &unknown, &vec![false; extended.outvars.len()], Effects::Known)?;
    let (out_unknown, _) = split.out_unknown.split_at(program.outvars.len());
    let num_known = out_unknown.iter().filter(|u| !**u).count();
    let keep: Vec<bool> = (0..split.known.outvars.len())
        .map(|i| i < num_known || i - num_known < saveable.len() && saved_uses[i - num_known])
        .collect();
    let known = prune_to(&split.known, &keep).0;
    let y = s.known.inline(&known, &known_inputs);

    let mut operands = Vec::new();
    for (&input, _) in inputs.iter().zip(input_uses).filter(|(_, used)| **used) {
        operands.push(s.in_rest(input));
    }
    operands.extend(s.save_all(&y[num_known..]));
    let rest = Remat { program: Arc::new(keep_inputs(rest, &uses)), policy: op.policy.clone(), differentiated: true };
    let z = if out_unknown.contains(&true) { s.unknown.emit(Op::Remat(rest), &operands) } else { vec![] };
    Ok(merge(out_unknown, &y, &z))
}

/// The program with only its unknown outputs, taking the saved values as further inputs, and which inputs it uses.
fn without_definitions(program: &Program, saved: &[Var], unknown: &[bool]) -> (Program, Vec<bool>) {
    let mut is_saved = vec![false; program.avals.len()];
    for v in saved {
        is_saved[v.index()] = true;
    }
    let mut rest = program.clone();
    rest.eqns.retain(|eqn| !eqn.outputs.iter().any(|v| is_saved[v.index()]));
    rest.invars.extend_from_slice(saved);
    let keep: Vec<bool> = rest.outvars.iter().map(|a| a.var().is_some_and(|v| unknown[v.index()])).collect();
    prune_to(&rest, &keep)
}

fn is_saveable(policy: &RematPolicy, op: &Op) -> bool {
    match policy {
        RematPolicy::NothingSaveable => false,
        RematPolicy::EverythingSaveable => true,
        RematPolicy::DotsSaveable => matches!(op, Op::DotGeneral(_) | Op::Conv(_)),
        RematPolicy::DotsWithNoBatchDimsSaveable => matches!(op, Op::DotGeneral(dot) if dot.lhs_batch.is_empty()),
        RematPolicy::SaveOnlyTheseNames(names) => matches!(op, Op::Name { name } if names.contains(name)),
    }
}

/// The program with the callees of its calls in place of the calls.
fn inline_calls(program: &Program) -> Program {
    if !program.eqns.iter().any(|eqn| matches!(eqn.op, Op::Call { .. })) {
        return program.clone();
    }
    let mut b = Builder::new();
    let mut values: Vec<Option<Atom>> = vec![None; program.avals.len()];
    for &v in &program.invars {
        values[v.index()] = Some(b.input(program.aval(v)));
    }
    let value = |values: &[Option<Atom>], a: Atom| match a {
        Atom::Var(v) => values[v.index()].expect("verified: operands are defined before they are used"),
        Atom::Lit(_) => a,
    };
    for eqn in &program.eqns {
        let inputs: Vec<Atom> = eqn.inputs.iter().map(|&a| value(&values, a)).collect();
        b.location = eqn.location.clone();
        let outputs = if let Op::Call { program, .. } = &eqn.op {
            b.inline(&inline_calls(program), &inputs)
        } else {
            b.emit(eqn.op.clone(), &inputs)
        };
        for (v, output) in eqn.outputs.iter().zip(outputs) {
            values[v.index()] = Some(output);
        }
    }
    let outputs = program.outvars.iter().map(|&a| value(&values, a)).collect();
    b.finish(outputs)
}
