//! Derivatives of `cond`: those of the branches, brought to one signature.

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Builder, Op, Program, Result, Var, bail};

use super::call::split_tangents;
use super::while_loop::marked;
use crate::jvp::{Dual, Forward, Tangent};
use crate::partial_eval::{
    Effects, Residual, Split, Splitter, Value, merge, partial_eval as split_program, unknown_outputs,
};
use crate::transpose::{Operand, transpose_program};

pub(crate) fn jvp(f: &mut Forward, branches: &[Arc<Program>], x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let active: Vec<bool> = t[1..].iter().map(Option::is_some).collect();
    let mut out_active = vec![false; branches[0].outvars.len()];
    for branch in branches {
        (_, out_active) = f.inner(branch, &active, &out_active)?;
    }
    let branches = branches
        .iter()
        .map(|branch| Ok(f.inner(branch, &active, &out_active)?.0))
        .collect::<Result<Vec<Arc<Program>>>>()?;
    let operands: Vec<Atom> = x.iter().copied().chain(t.iter().copied().flatten()).collect();
    let y = f.b.emit(Op::Cond { branches }, &operands);
    Ok(split_tangents(y, &out_active))
}

/// With a known index, an output is unknown if it is in some branch.
pub(crate) fn unknown_results(branches: &[Arc<Program>], unknown: &[bool]) -> Vec<bool> {
    let results = branches[0].outvars.len();
    if unknown[0] {
        return vec![true; results];
    }
    let by_branch: Vec<_> = branches.iter().map(|branch| unknown_outputs(branch, &unknown[1..])).collect();
    (0..results).map(|i| by_branch.iter().any(|outputs| outputs[i])).collect()
}

/// The known parts of the branches become one `cond`, the rest another. Branches share slots for residuals of one type, and
/// fill those they have no value for with zeros.
pub(crate) fn partial_eval(
    s: &mut Splitter,
    op: &Op,
    branches: &[Arc<Program>],
    inputs: &[Value],
) -> Result<Vec<Value>> {
    let unknown: Vec<bool> = inputs.iter().map(|x| x.is_unknown()).collect();
    if unknown[0] {
        return s.whole(op, inputs);
    }
    let out_unknown = unknown_results(branches, &unknown);
    let splits = branches
        .iter()
        .map(|branch| split_program(branch, &unknown[1..], &out_unknown, Effects::Known))
        .collect::<Result<Vec<Split>>>()?;
    let handed: Vec<usize> = (0..inputs.len() - 1)
        .filter(|&i| splits.iter().any(|split| split.residuals.contains(&Residual::Input(i))))
        .collect();
    let num_known = out_unknown.iter().filter(|u| !**u).count();
    let slots = slots(&splits, num_known);

    let known_branches: Vec<Arc<Program>> =
        splits.iter().map(|split| Arc::new(with_slots(split, num_known, &slots))).collect();
    let index = inputs[0].known().expect("the index is known");
    let known: Vec<Atom> = inputs[1..].iter().filter_map(|x| x.known()).collect();
    let y = if known_branches.iter().all(|p| p.outvars.is_empty() && !p.has_effect()) {
        vec![]
    } else {
        s.known.emit(Op::Cond { branches: known_branches }, &[&[index], &known[..]].concat())
    };

    let mut operands: Vec<Atom> =
        handed.iter().map(|&i| inputs[i + 1].known().expect("residual inputs are known")).collect();
    operands.extend_from_slice(&y[num_known..]);
    let mut operands = s.save_all(&operands);
    operands.insert(0, s.save(index));
    operands.extend(inputs.iter().filter_map(|x| x.unknown()));
    let handed_avals: Vec<Aval> = handed.iter().map(|&i| branches[0].in_avals()[i].clone()).collect();
    let branches: Vec<Arc<Program>> =
        splits.iter().map(|split| Arc::new(rest_of_branch(split, &handed, &handed_avals, &slots, num_known))).collect();
    let z = if out_unknown.contains(&true) { s.unknown.emit(Op::Cond { branches }, &operands) } else { vec![] };
    Ok(merge(&out_unknown, &y, &z))
}

/// The types of the computed residuals of a branch.
fn computed_avals(split: &Split, num_known: usize) -> Vec<Aval> {
    split.known.out_avals().split_off(num_known)
}

/// One slot for each residual of a type, as many as the branch with most of them has.
fn slots(splits: &[Split], num_known: usize) -> Vec<Aval> {
    let mut slots: Vec<Aval> = Vec::new();
    for split in splits {
        let places = places(&computed_avals(split, num_known), &slots);
        for (aval, place) in computed_avals(split, num_known).into_iter().zip(places) {
            if place.is_none() {
                slots.push(aval);
            }
        }
    }
    slots
}

/// The slot of each residual: the first free one of its type, if there is one.
fn places(avals: &[Aval], slots: &[Aval]) -> Vec<Option<usize>> {
    let mut free = vec![true; slots.len()];
    let place = |aval: &Aval| {
        let place = (0..slots.len()).find(|&i| free[i] && slots[i] == *aval)?;
        free[place] = false;
        Some(place)
    };
    avals.iter().map(place).collect()
}

/// The known part of a branch with its residuals in their slots.
fn with_slots(split: &Split, num_known: usize, slots: &[Aval]) -> Program {
    let mut b = Builder::new();
    let inputs: Vec<Atom> = split.known.in_avals().into_iter().map(|aval| b.input(aval)).collect();
    let mut outputs = b.inline(&split.known, &inputs);
    let computed = outputs.split_off(num_known);
    let places = places(&computed_avals(split, num_known), slots);
    for (slot, aval) in slots.iter().enumerate() {
        let value = places.iter().position(|&place| place == Some(slot));
        outputs.push(value.map_or_else(|| b.zeros(aval), |i| computed[i]));
    }
    b.finish(outputs)
}

/// The rest of a branch, taking all residuals that are inputs, all slots and the unknown inputs.
fn rest_of_branch(split: &Split, handed: &[usize], handed_avals: &[Aval], slots: &[Aval], num_known: usize) -> Program {
    let mut program = split.unknown.clone();
    let unknown_inputs = program.invars.split_off(split.residuals.len());
    let places = places(&computed_avals(split, num_known), slots);
    let mut invars: Vec<Option<Var>> = vec![None; handed.len() + slots.len()];
    for (&residual, &v) in split.residuals.iter().zip(&program.invars) {
        let position = match residual {
            Residual::Input(i) => handed.iter().position(|&h| h == i).expect("handed to some branch"),
            Residual::Computed(i) => handed.len() + places[i].expect("there is a slot for each residual"),
        };
        invars[position] = Some(v);
    }
    program.invars.clear();
    for (v, aval) in invars.into_iter().zip(handed_avals.iter().chain(slots)) {
        let v = v.unwrap_or_else(|| {
            program.avals.push(aval.clone());
            Var((program.avals.len() - 1) as u32)
        });
        program.invars.push(v);
    }
    program.invars.extend(unknown_inputs);
    program
}

pub(crate) fn transpose(
    b: &mut Builder,
    branches: &[Arc<Program>],
    operands: &[Operand],
    cts: &[Tangent],
) -> Result<Vec<Tangent>> {
    let Some(index) = operands[0].known() else {
        bail!(NotDifferentiable, "transpose: cond is not linear in its index");
    };
    let linear: Vec<bool> = operands[1..].iter().map(Operand::is_linear).collect();
    let ct_active: Vec<bool> = cts.iter().map(Option::is_some).collect();
    let mut mask = vec![false; linear.len()];
    for branch in branches {
        (_, mask) = transpose_program(branch, &linear, &ct_active, &mask)?;
    }
    let transposed = branches
        .iter()
        .map(|branch| Ok(Arc::new(transpose_program(branch, &linear, &ct_active, &mask)?.0)))
        .collect::<Result<Vec<_>>>()?;
    let mut inputs = vec![index];
    inputs.extend(operands[1..].iter().filter_map(Operand::known));
    inputs.extend(marked(cts, &ct_active).into_iter().flatten());
    let mut results = b.emit(Op::Cond { branches: transposed }, &inputs).into_iter();
    let cotangents = mask.iter().map(|&active| if active { results.next() } else { None });
    Ok(std::iter::once(None).chain(cotangents).collect())
}
