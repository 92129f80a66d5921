//! Removal of what nobody needs, across the borders of programs inside ops.
//!
//! Where the IR's own dead code removal keeps the signatures of inner programs, this one narrows ops: a scan loses unused
//! results and carried values, a branch or call its unused operands. Derivatives need that, because a rule for an op with
//! many results is written for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use rjax_ir::{Collective, Eqn, Op, Program, Remat, Scan, Sort, While};

use crate::ops::while_loop::marked;

/// The program without what its outputs and effects do not need; its signature stays.
pub(crate) fn prune(program: &Program) -> Program {
    Pruner::default().program(program, &vec![true; program.outvars.len()]).0
}

/// The program with only the marked outputs and what they need, and which of its inputs, all kept, that is.
pub(crate) fn prune_to(program: &Program, keep: &[bool]) -> (Program, Vec<bool>) {
    Pruner::default().program(program, keep)
}

/// The program with only the marked inputs, the others being unused.
pub(crate) fn keep_inputs(mut program: Program, keep: &[bool]) -> Program {
    program.invars = marked(&program.invars, keep);
    program.renumbered()
}

#[derive(Default)]
struct Pruner {
    /// Narrowed programs by the program, which the value keeps alive, and the outputs that were kept.
    done: HashMap<(*const Program, Vec<bool>), (Arc<Program>, Arc<Program>, Vec<bool>)>,
}

/// An op with fewer operands and results.
struct Narrowed {
    op: Op,
    operands: Vec<bool>,
    results: Vec<bool>,
}

impl Pruner {
    fn program(&mut self, program: &Program, keep: &[bool]) -> (Program, Vec<bool>) {
        let mut needed = vec![false; program.avals.len()];
        let outvars = marked(&program.outvars, keep);
        for v in outvars.iter().filter_map(|a| a.var()) {
            needed[v.index()] = true;
        }
        let mut eqns = Vec::new();
        for eqn in program.eqns.iter().rev() {
            let used: Vec<bool> = eqn.outputs.iter().map(|v| needed[v.index()]).collect();
            if !used.contains(&true) && !eqn.op.has_effect() {
                continue;
            }
            let eqn = match self.narrow(eqn, &used) {
                Some(narrowed) => Eqn {
                    inputs: marked(&eqn.inputs, &narrowed.operands),
                    outputs: marked(&eqn.outputs, &narrowed.results),
                    op: narrowed.op,
                    location: eqn.location.clone(),
                },
                None => eqn.clone(),
            };
            for v in eqn.inputs.iter().filter_map(|a| a.var()) {
                needed[v.index()] = true;
            }
            eqns.push(eqn);
        }
        eqns.reverse();
        let used = program.invars.iter().map(|v| needed[v.index()]).collect();
        let consts = program.consts.iter().filter(|(v, _)| needed[v.index()]).cloned().collect();
        let pruned = Program { invars: program.invars.clone(), consts, eqns, outvars, avals: program.avals.clone() };
        (pruned.renumbered(), used)
    }

    /// A program inside an op, with all inputs, and which of them it uses.
    fn inner(&mut self, program: &Arc<Program>, keep: &[bool]) -> (Arc<Program>, Vec<bool>) {
        let key = (Arc::as_ptr(program), keep.to_vec());
        if let Some((_, done, used)) = self.done.get(&key) {
            return (done.clone(), used.clone());
        }
        let (done, used) = self.program(program, keep);
        let done = Arc::new(done);
        self.done.insert(key, (program.clone(), done.clone(), used.clone()));
        (done, used)
    }

    fn narrow(&mut self, eqn: &Eqn, used: &[bool]) -> Option<Narrowed> {
        let results = used.to_vec();
        match &eqn.op {
            Op::Call { name, program } => {
                let (program, operands) = self.inner(program, used);
                let program = Arc::new(keep_inputs((*program).clone(), &operands));
                Some(Narrowed { op: Op::Call { name: name.clone(), program }, operands, results })
            }
            Op::Remat(remat) => {
                let (program, operands) = self.inner(&remat.program, used);
                let program = Arc::new(keep_inputs((*program).clone(), &operands));
                Some(Narrowed { op: Op::Remat(Remat { program, ..remat.clone() }), operands, results })
            }
            Op::Cond { branches } => {
                let pruned: Vec<_> = branches.iter().map(|branch| self.inner(branch, used)).collect();
                let operands: Vec<bool> =
                    (0..eqn.inputs.len() - 1).map(|i| pruned.iter().any(|(_, uses)| uses[i])).collect();
                let branches = pruned.iter().map(|(p, _)| Arc::new(keep_inputs((**p).clone(), &operands))).collect();
                Some(Narrowed { op: Op::Cond { branches }, operands: [&[true], &operands[..]].concat(), results })
            }
            Op::Scan(scan) => Some(self.scan(scan, used)),
            Op::While(while_loop) => Some(self.while_loop(while_loop, used)),
            Op::OptimizationBarrier
            | Op::Collective(Collective::Psum { .. } | Collective::Pmax { .. } | Collective::Pmin { .. }) => {
                Some(Narrowed { op: eqn.op.clone(), operands: results.clone(), results })
            }
            Op::Sort(Sort { num_keys, .. }) => {
                let kept: Vec<bool> = used.iter().enumerate().map(|(i, &used)| used || i < *num_keys).collect();
                Some(Narrowed { op: eqn.op.clone(), operands: kept.clone(), results: kept })
            }
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::RegularizedIncompleteBeta
            | Op::Convert { .. }
            | Op::Bitcast { .. }
            | Op::ReducePrecision { .. }
            | Op::IntegerPow { .. }
            | Op::StopGradient
            | Op::Name { .. }
            | Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Pad { .. }
            | Op::Concatenate { .. }
            | Op::Reverse { .. }
            | Op::Iota { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::Reduce { .. }
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Threefry2x32
            | Op::CustomJvp(_)
            | Op::CustomVjp(_)
            | Op::CustomLinear(_)
            | Op::LinearSolve(_)
            | Op::Root(_)
            | Op::DebugPrint(_)
            | Op::Collective(Collective::AxisIndex { .. }) => None,
        }
    }

    /// A carried value is kept if its result is used or another kept value is computed from it.
    fn scan(&mut self, scan: &Scan, used: &[bool]) -> Narrowed {
        let (num_consts, num_carry) = (scan.num_consts, scan.num_carry);
        let (carry, ys) = used.split_at(num_carry);
        let mut carry = carry.to_vec();
        let (body, operands) = loop {
            let (body, uses) = self.inner(&scan.body, &[&carry[..], ys].concat());
            let needed: Vec<bool> = carry.iter().zip(&uses[num_consts..]).map(|(a, b)| *a || *b).collect();
            if needed == carry {
                let (consts, xs) = (&uses[..num_consts], &uses[num_consts + num_carry..]);
                break (body, [consts, &carry, xs].concat());
            }
            carry = needed;
        };
        let kept = |mask: &[bool]| mask.iter().filter(|k| **k).count();
        let op = Op::Scan(Scan {
            body: Arc::new(keep_inputs((*body).clone(), &operands)),
            num_consts: kept(&operands[..num_consts]),
            num_carry: kept(&carry),
            ..scan.clone()
        });
        Narrowed { op, operands, results: [&carry[..], ys].concat() }
    }

    /// As for a scan; what the condition reads is kept too.
    fn while_loop(&mut self, op: &While, used: &[bool]) -> Narrowed {
        let (cond, cond_uses) = self.inner(&op.cond, &[true]);
        let (cond_consts, cond_carry) = cond_uses.split_at(op.cond_nconsts);
        let mut carry: Vec<bool> = used.iter().zip(cond_carry).map(|(a, b)| *a || *b).collect();
        let (body, body_consts) = loop {
            let (body, uses) = self.inner(&op.body, &carry);
            let (consts, body_carry) = uses.split_at(op.body_nconsts);
            let needed: Vec<bool> = carry.iter().zip(body_carry).map(|(a, b)| *a || *b).collect();
            if needed == carry {
                break (body, consts.to_vec());
            }
            carry = needed;
        };
        let kept = |mask: &[bool]| mask.iter().filter(|k| **k).count();
        let narrowed = Op::While(While {
            cond: Arc::new(keep_inputs((*cond).clone(), &[cond_consts, &carry].concat())),
            body: Arc::new(keep_inputs((*body).clone(), &[&body_consts[..], &carry].concat())),
            cond_nconsts: kept(cond_consts),
            body_nconsts: kept(&body_consts),
        });
        Narrowed { op: narrowed, operands: [cond_consts, &body_consts, &carry].concat(), results: carry }
    }
}
