//! Programs to graphs and back, and the order of work: programs inside ops first.

use rustc_hash::FxHashMap;
use std::sync::Arc;

use egg::Id;
use rjax_ir::{Atom, Aval, Eqn, Location, Op, Program, Result, Scan, Var, While};
use smallvec::SmallVec;

use crate::dag::{Dag, Fired, Head, Ops};
use crate::hoist::{Hoisted, hoist};
use crate::rules::{Class, Rule, RuleSet};
use crate::window::{self, Solved};
use crate::{Options, Report, cost, shift};

/// Simplifies a program by these rules, with a report: the form that the solved windows are asked for.
pub(crate) fn simplify(
    program: &Program,
    options: &Options,
    rules: &RuleSet,
    solved: &mut Solved,
) -> Result<(Program, Report)> {
    let mut run = Run { options, rules, solved, done: FxHashMap::default(), report: Report::default() };
    let simplified = run.program(&program.dce(), true, options.passes);
    let mut report = run.report;
    report.before = cost(program);
    report.after = cost(&simplified);
    report.matched = rules.counts();
    Ok((simplified, report))
}

/// Small programs are worth more in the place of their calls, where rules see their inside.
pub(crate) static INLINE_CALL: Rule = Rule::built_in("inline-call", "a call computes what the program does");
/// The index is clamped, as at run time.
pub(crate) static KNOWN_BRANCH: Rule =
    Rule::built_in("known-branch", "a conditional on a constant is one of its branches");

/// Where `jax.lax.scan` unrolls a loop to its end, nothing is left of it.
pub(crate) static SINGLE_STEP: Rule = Rule::built_in("single-step", "a loop of one step is the step");

/// See the module `hoist`.
pub(crate) static HOIST_INVARIANT: Rule =
    Rule::built_in("hoist-invariant", "what every step of a loop computes from the same values is computed before it");

/// The rules of this file.
pub(crate) static RULES: [&Rule; 4] = [&INLINE_CALL, &KNOWN_BRANCH, &SINGLE_STEP, &HOIST_INVARIANT];

struct Run<'r> {
    options: &'r Options,
    rules: &'r RuleSet,
    solved: &'r mut Solved,
    /// Programs inside ops by address, for several ops may share one; kept alive here, so that an address stays taken.
    done: FxHashMap<*const Program, (Arc<Program>, Arc<Program>)>,
    report: Report,
}

impl Run<'_> {
    fn program(&mut self, program: &Program, top_level: bool, passes: usize) -> Program {
        let mut dag = Dag::new(self.rules, Ops::default(), top_level, self.options.fold_elements);
        let inputs: Vec<Id> = program.in_avals().into_iter().enumerate().map(|(i, aval)| dag.leaf(i, aval)).collect();
        let mut outputs = self.load(&mut dag, program, &inputs);
        // Before each pass and after the last: a pass may show that two exponentials are one.
        let shifts = self.rules.tier.allows(shift::SHIFT_EXPONENTIALS.class);
        self.solved.gains.fill(0);
        for pass in 0..=passes {
            if shifts && let Some((next, moved)) = shift::shift(&dag, &outputs) {
                (dag, outputs) = (next, moved);
            }
            if pass < passes
                && let Some((next, moved)) = window::pass(&dag, &outputs, self.options, self.solved, pass)
            {
                (dag, outputs) = (next, moved);
            }
        }
        let mut report = self.report.clone();
        // Programs inside ops are done and reported; what an op with programs gives is at most as exact as they are.
        let inside = report.worst;
        let simplified = store(&dag, inputs.len(), &outputs, &mut report);
        let has_programs = simplified.eqns.iter().any(|eqn| !eqn.op.subprograms().is_empty());
        let least = if has_programs { inside } else { Class::Exact };
        let classes = outputs.iter().map(|&x| dag.entry(x).weakest.max(least));
        report.worst = classes.clone().fold(report.weakest_class(), Class::max);
        if top_level {
            report.outputs = classes.collect();
        }
        // What the rules did one by one never costs more; together, by the formula that people see, neither. Formulas that
        // do not overflow are worth more than what they cost.
        let stable = report.rewrites.iter().any(|rewrite| rewrite.class == Class::Stable);
        if !stable && cost(&simplified).flops > cost(program).flops {
            self.report.outputs = vec![inside; program.outvars.len()];
            return program.clone();
        }
        report.forms_differ |= self.solved.forms_differ(&simplified);
        self.report = report;
        simplified
    }

    /// Adds a program's equations to a graph; returns its outputs.
    fn load(&mut self, dag: &mut Dag, program: &Program, inputs: &[Id]) -> Vec<Id> {
        let mut values: Vec<Option<Id>> = vec![None; program.avals.len()];
        for (v, &id) in program.invars.iter().zip(inputs) {
            values[v.index()] = Some(id);
        }
        for (v, value) in &program.consts {
            values[v.index()] = Some(dag.constant(value.clone()));
        }
        for eqn in &program.eqns {
            let inputs: SmallVec<[Id; 4]> = eqn.inputs.iter().map(|&x| read(dag, &values, x)).collect();
            let outputs = self.equation(dag, program, eqn, &inputs);
            for (v, id) in eqn.outputs.iter().zip(outputs) {
                values[v.index()] = Some(id);
            }
        }
        program.outvars.iter().map(|&x| read(dag, &values, x)).collect()
    }

    fn equation(&mut self, dag: &mut Dag, program: &Program, eqn: &Eqn, inputs: &[Id]) -> Vec<Id> {
        if let Op::Cond { branches } = &eqn.op
            && let Some(index) = dag.entry(inputs[0]).splat
        {
            let taken = (index.to_f64().max(0.0) as usize).min(branches.len() - 1);
            let results = self.load(dag, &branches[taken], &inputs[1..]);
            let fired = Fired::from_slice(&[(&KNOWN_BRANCH, Class::Exact)]);
            results.iter().for_each(|&x| dag.note(x, &fired));
            return results;
        }
        if let Op::Call { program, .. } = &eqn.op
            && program.eqns.len() <= self.options.inline
        {
            let results = self.load(dag, program, inputs);
            let fired = Fired::from_slice(&[(&INLINE_CALL, Class::Exact)]);
            results.iter().for_each(|&x| dag.note(x, &fired));
            return results;
        }
        let avals: Arc<[Aval]> = eqn.outputs.iter().map(|v| program.avals[v.index()].clone()).collect();
        if let Op::Scan(scan) = &eqn.op
            && scan.length == 1
        {
            return self.step(dag, scan, inputs, &avals, &eqn.location);
        }
        if eqn.op.subprograms().is_empty() {
            dag.apply(&eqn.op, inputs, avals, &eqn.location).into_vec()
        } else {
            let (op, inputs) = self.early(dag, &eqn.op, inputs);
            let op = op.map_subprograms(|inner| self.inner(inner));
            let (op, inputs) = &self.hoisted(dag, op, &inputs);
            dag.apply(op, inputs, avals, &eqn.location).into_vec()
        }
    }

    /// The one step of a loop in its place.
    fn step(&mut self, dag: &mut Dag, scan: &Scan, inputs: &[Id], avals: &[Aval], at: &Location) -> Vec<Id> {
        let heads = scan.num_consts + scan.num_carry;
        let reshaped = |dag: &mut Dag, x: Id, aval: Aval| {
            dag.apply(&Op::Reshape { shape: aval.shape.clone() }, &[x], Arc::from([aval]), at)[0]
        };
        let mut operands = inputs[..heads].to_vec();
        for (&x, aval) in inputs[heads..].iter().zip(&scan.body.in_avals()[heads..]) {
            operands.push(reshaped(dag, x, aval.clone()));
        }
        let mut results = self.load(dag, &scan.body, &operands);
        for (y, aval) in results.iter_mut().zip(avals).skip(scan.num_carry) {
            *y = reshaped(dag, *y, aval.clone());
        }
        let fired = Fired::from_slice(&[(&SINGLE_STEP, Class::Exact)]);
        results.iter().for_each(|&x| dag.note(x, &fired));
        results
    }

    /// A loop of known length without what every step would compute anew, where that is worth more before its body is simplified
    /// than afterwards: (A B) c in each of many steps is best with A B from before the loop, in few with A (B c).
    fn early(&mut self, dag: &mut Dag, op: &Op, inputs: &[Id]) -> (Op, SmallVec<[Id; 4]>) {
        let unchanged = (op.clone(), SmallVec::from(inputs));
        let Op::Scan(scan) = op else { return unchanged };
        if scan.length < 2 || scan.num_consts == 0 {
            return unchanged;
        }
        let report = self.report.clone();
        // With its calls inlined, but without the e-graph.
        let plain = self.program(&scan.body, false, 0);
        let plain_report = std::mem::replace(&mut self.report, report);
        let Some(Hoisted { before, body }) = hoist(&plain, scan.num_consts) else { return unchanged };
        let (body, length) = (Arc::new(body), scan.length as u64);
        let late = self.inner(&scan.body);
        let late = match hoist(&late, scan.num_consts) {
            Some(Hoisted { before, body }) => cost(&before).add(cost(&body).times(length)),
            None => cost(&late).times(length),
        };
        let late_report = std::mem::replace(&mut self.report, plain_report);
        let early = cost(&before).add(cost(&self.inner(&body)).times(length));
        if late <= early {
            self.report = late_report;
            return unchanged;
        }
        let mut scan = scan.clone();
        let mut inputs = SmallVec::from(inputs);
        scan.num_consts += self.load_before(dag, &before, &mut inputs, 0, scan.num_consts);
        scan.body = body;
        (Op::Scan(scan), inputs)
    }

    /// Adds what is computed before a loop from its constants, `count` of them from `first` on, and puts the values behind them.
    fn load_before(
        &mut self,
        dag: &mut Dag,
        before: &Program,
        inputs: &mut SmallVec<[Id; 4]>,
        first: usize,
        count: usize,
    ) -> usize {
        let values = self.load(dag, before, &inputs[first..first + count]);
        let fired = Fired::from_slice(&[(&HOIST_INVARIANT, Class::Exact)]);
        values.iter().for_each(|&x| dag.note(x, &fired));
        inputs.insert_many(first + count, values.iter().copied());
        values.len()
    }

    /// A loop without what every step would compute anew, and its operands with those values behind its constants.
    fn hoisted(&mut self, dag: &mut Dag, op: Op, inputs: &[Id]) -> (Op, SmallVec<[Id; 4]>) {
        let mut inputs: SmallVec<[Id; 4]> = inputs.into();
        let mut op = op;
        // One step computes everything once, and none nothing.
        if let Op::Scan(scan) = &mut op
            && scan.length > 1
            && let Some(Hoisted { before, body }) = hoist(&scan.body, scan.num_consts)
        {
            let count = self.load_before(dag, &before, &mut inputs, 0, scan.num_consts);
            scan.body = Arc::new(body);
            scan.num_consts += count;
        }
        if let Op::While(While { cond, body, cond_nconsts, body_nconsts }) = &mut op {
            if let Some(Hoisted { before, body: rest }) = hoist(body, *body_nconsts) {
                *body_nconsts += self.load_before(dag, &before, &mut inputs, *cond_nconsts, *body_nconsts);
                *body = Arc::new(rest);
            }
            if let Some(Hoisted { before, body: rest }) = hoist(cond, *cond_nconsts) {
                *cond_nconsts += self.load_before(dag, &before, &mut inputs, 0, *cond_nconsts);
                *cond = Arc::new(rest);
            }
        }
        (op, inputs)
    }

    fn inner(&mut self, program: &Arc<Program>) -> Arc<Program> {
        let key = Arc::as_ptr(program);
        if let Some((_, done)) = self.done.get(&key) {
            return done.clone();
        }
        let done = Arc::new(self.program(program, false, self.options.passes));
        self.done.insert(key, (program.clone(), done.clone()));
        done
    }
}

fn read(dag: &mut Dag, values: &[Option<Id>], x: Atom) -> Id {
    match x {
        Atom::Var(v) => values[v.index()].expect("verified: defined before use"),
        Atom::Lit(value) => dag.literal(value),
    }
}

/// The live part of a graph as a program, in the order of the graph.
fn store(dag: &Dag, num_inputs: usize, outputs: &[Id], report: &mut Report) -> Program {
    let live = dag.live(outputs);
    let mut program = Program::default();
    let mut atoms: Vec<Option<Atom>> = vec![None; dag.entries.len()];
    let fresh = |program: &mut Program, aval: &Aval| {
        program.avals.push(aval.clone());
        Var((program.avals.len() - 1) as u32)
    };
    for (atom, entry) in atoms.iter_mut().zip(&dag.entries).take(num_inputs) {
        let v = fresh(&mut program, &entry.avals[0]);
        program.invars.push(v);
        *atom = Some(v.into());
    }
    for (i, entry) in dag.entries.iter().enumerate().filter(|(i, _)| live[*i]) {
        if let Head::Const(number) = entry.node.head {
            let v = fresh(&mut program, &entry.avals[0]);
            program.consts.push((v, dag.consts[number as usize].clone()));
            atoms[i] = Some(v.into());
        }
    }
    // The variables of the results of each node that has not exactly one.
    let mut several: FxHashMap<usize, Vec<Var>> = FxHashMap::default();
    for (i, entry) in dag.entries.iter().enumerate().filter(|(i, _)| live[*i]) {
        for &(rule, class) in &entry.fired {
            report.add(rule, class);
        }
        match entry.node.head {
            Head::Leaf(_) | Head::Const(_) => {}
            Head::Literal(value) => atoms[i] = Some(value.into()),
            Head::Projection(index) => {
                atoms[i] = Some(several[&usize::from(entry.node.inputs[0])][index as usize].into());
            }
            Head::Op(op) | Head::Unique(op, _) | Head::Effect(op, _) => {
                let read = |x: &Id| atoms[usize::from(*x)].expect("operands stand before their uses");
                let inputs: Vec<Atom> = entry.node.operands().iter().map(read).collect();
                let results: Vec<Var> = entry.avals.iter().map(|aval| fresh(&mut program, aval)).collect();
                if let [v] = results[..] {
                    atoms[i] = Some(v.into());
                } else {
                    several.insert(i, results.clone());
                }
                let op = dag.ops.get(op).clone();
                program.eqns.push(Eqn { op, inputs, outputs: results, location: entry.location.clone() });
            }
        }
    }
    let read = |x: &Id| atoms[usize::from(*x)].expect("outputs are live");
    program.outvars = outputs.iter().map(read).collect();
    program
}
