//! Programs that differ only in the numbers of their variables, made equal.

use std::collections::HashMap;
use std::sync::Arc;

use crate::op::{CustomJvp, CustomLinear, CustomVjp, Remat, Scan, While};
use crate::{Atom, Eqn, Op, Program, Var};

impl Program {
    /// The same program with its variables numbered in the order of their definitions: constants, inputs, then results; in
    /// the programs inside ops likewise. Two programs are the same up to names if and only if their renumbered forms are equal.
    pub fn renumbered(&self) -> Program {
        let mut result = Program::default();
        let mut numbers: HashMap<Var, Var> = HashMap::new();
        for (v, value) in &self.consts {
            let v = define(self, &mut result, &mut numbers, *v);
            result.consts.push((v, value.clone()));
        }
        for &v in &self.invars {
            let v = define(self, &mut result, &mut numbers, v);
            result.invars.push(v);
        }
        for eqn in &self.eqns {
            let inputs = eqn.inputs.iter().map(|&input| renamed(&numbers, input)).collect();
            let outputs = eqn.outputs.iter().map(|&v| define(self, &mut result, &mut numbers, v)).collect();
            let op = renumbered_op(&eqn.op);
            result.eqns.push(Eqn { op, inputs, outputs, location: eqn.location.clone() });
        }
        result.outvars = self.outvars.iter().map(|&output| renamed(&numbers, output)).collect();
        result
    }
}

fn define(program: &Program, result: &mut Program, numbers: &mut HashMap<Var, Var>, v: Var) -> Var {
    let number = Var(result.avals.len() as u32);
    result.avals.push(program.aval(v));
    numbers.insert(v, number);
    number
}

fn renamed(numbers: &HashMap<Var, Var>, atom: Atom) -> Atom {
    match atom {
        Atom::Var(v) => Atom::Var(numbers[&v]),
        Atom::Lit(_) => atom,
    }
}

fn renumbered_op(op: &Op) -> Op {
    if op.subprograms().is_empty() {
        return op.clone();
    }
    let inner = |program: &Arc<Program>| Arc::new(program.renumbered());
    let mut op = op.clone();
    match &mut op {
        Op::GeneralReduce { body, .. } | Op::GeneralReduceWindow { body, .. } => *body = inner(body),
        Op::Cond { branches } => branches.iter_mut().for_each(|branch| *branch = inner(branch)),
        Op::While(While { cond, body, .. }) => (*cond, *body) = (inner(cond), inner(body)),
        Op::Scan(Scan { body, .. }) => *body = inner(body),
        Op::Call { program, .. } | Op::Remat(Remat { program, .. }) => *program = inner(program),
        Op::CustomJvp(CustomJvp { call, jvp, .. }) => (*call, *jvp) = (inner(call), inner(jvp)),
        Op::CustomVjp(CustomVjp { call, fwd, bwd, .. }) => (*call, *fwd, *bwd) = (inner(call), inner(fwd), inner(bwd)),
        Op::CustomLinear(CustomLinear { bwd, .. }) => *bwd = inner(bwd),
        Op::LinearSolve(solve) => *solve = solve.map_programs(inner),
        Op::Root(root) => *root = root.map_programs(inner),
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
        | Op::OptimizationBarrier
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
        | Op::ArgReduce(_)
        | Op::Cumulative(_)
        | Op::DotGeneral(_)
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::SelectAndGatherAdd(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
        | Op::Threefry2x32
        | Op::DebugPrint(_)
        | Op::Collective(_) => {}
    }
    op
}
