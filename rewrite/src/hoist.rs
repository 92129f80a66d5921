//! Loop-invariant code: what a loop computes anew from the same values is computed once, before it.

use rustc_hash::FxHashSet;

use rjax_ir::{Atom, Aval, Eqn, Op, Program, Var};

use crate::cost::op_cost;

/// A value of many more elements than anything that it is made from is cheaper to compute again than to read.
const GROWTH: usize = 8;

/// A body of a loop in two parts.
pub(crate) struct Hoisted {
    /// From the constants of the loop to the values that the body needs of them.
    pub before: Program,
    /// The body with these values as inputs behind its constants.
    pub body: Program,
}

/// Splits a body whose first `num_consts` inputs are the same in every step; `None` where nothing is gained.
///
/// Only arithmetic is worth a place in memory from before the loop to its end: data movement stays unless arithmetic that is
/// hoisted needs it, and so does what depends on no input at all, such as counters.
pub(crate) fn hoist(body: &Program, num_consts: usize) -> Option<Hoisted> {
    let mut invariant: FxHashSet<Var> = body.invars[..num_consts].iter().copied().collect();
    let largest = body.invars[..num_consts].iter().map(|var| body.avals[var.index()].size()).max().unwrap_or(0);
    let mut arithmetic: Vec<usize> = vec![];
    let mut steady: Vec<usize> = vec![];
    // Constants of the body, and what is made from nothing else, are as good as literals.
    let mut known: FxHashSet<Var> = body.consts.iter().map(|(var, _)| *var).collect();
    for (i, eqn) in body.eqns.iter().enumerate() {
        let is = |set: &FxHashSet<Var>, x: &Atom| x.var().is_none_or(|var| set.contains(&var));
        if eqn.op.has_effect() || matches!(eqn.op, Op::Collective(_)) {
            continue;
        }
        if eqn.inputs.iter().all(|x| is(&known, x)) {
            known.extend(&eqn.outputs);
            steady.push(i);
        } else if eqn.inputs.iter().all(|x| is(&known, x) || is(&invariant, x)) {
            invariant.extend(&eqn.outputs);
            steady.push(i);
            let size = |var: &Var| body.avals[var.index()].size();
            let kept = eqn.outputs.iter().map(size).max().unwrap_or(0);
            if flops(body, eqn) > 0 && kept <= GROWTH * largest {
                arithmetic.push(i);
            }
        }
    }
    // The arithmetic and what it is made from.
    let mut moved: FxHashSet<usize> = FxHashSet::default();
    let mut needed: FxHashSet<Var> = FxHashSet::default();
    for &i in steady.iter().rev() {
        let eqn = &body.eqns[i];
        if arithmetic.contains(&i) || eqn.outputs.iter().any(|var| needed.contains(var)) {
            needed.extend(eqn.inputs.iter().filter_map(|x| x.var()));
            moved.insert(i);
        }
    }
    if arithmetic.is_empty() {
        return None;
    }
    let is_moved = |(i, _): &(usize, &Eqn)| moved.contains(i);
    let (before, rest): (Vec<_>, Vec<_>) = body.eqns.iter().enumerate().partition(is_moved);
    let (before, rest): (Vec<Eqn>, Vec<Eqn>) = (
        before.into_iter().map(|(_, eqn)| eqn.clone()).collect(),
        rest.into_iter().map(|(_, eqn)| eqn.clone()).collect(),
    );
    // A value that depends on no input is made again where it is used.
    let again = |eqn: &&Eqn| eqn.outputs.iter().all(|var| known.contains(var));
    let rest: Vec<Eqn> = before.iter().filter(again).cloned().chain(rest).collect();
    let used: FxHashSet<Var> =
        rest.iter().flat_map(|eqn| &eqn.inputs).chain(&body.outvars).filter_map(|x| x.var()).collect();
    let made = before.iter().filter(|eqn| !again(eqn)).flat_map(|eqn| &eqn.outputs);
    let values: Vec<Var> = made.copied().filter(|var| used.contains(var)).collect();
    let (consts, others) = body.invars.split_at(num_consts);
    let outside = Program {
        invars: consts.to_vec(),
        eqns: before,
        outvars: values.iter().map(|&var| Atom::Var(var)).collect(),
        ..body.clone()
    };
    let inside = Program { invars: [consts, &values, others].concat(), eqns: rest, ..body.clone() };
    Some(Hoisted { before: outside.dce(), body: inside.dce() })
}

fn flops(program: &Program, eqn: &Eqn) -> u64 {
    let inputs: Vec<Aval> = eqn.inputs.iter().map(|&x| program.aval(x)).collect();
    let outputs: Vec<Aval> = eqn.outputs.iter().map(|&var| program.aval(var)).collect();
    op_cost(&eqn.op, &inputs, &outputs).flops
}
