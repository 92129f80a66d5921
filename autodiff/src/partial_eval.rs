//! Partial evaluation: a program is split into the part that can run when some inputs are known, and the rest.
//!
//! The rest takes what it needs of the known part as residuals. A residual is an input of the program handed through, or a
//! value that the known part computes and returns for it. Literals and constants are repeated rather than handed over, and
//! so are broadcasts, whose operands are smaller than they are.

use std::collections::HashMap;

use rjax_ir::{Atom, Builder, Eqn, Op, Program, Remat, Result, Tensor, Var};

use crate::ops::while_loop::marked;
use crate::ops::{call, cond, remat, scan, while_loop};
use crate::prune::{prune, prune_to};

/// A value of a program that is being split.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// Computed by the known part.
    Known(Atom),
    /// Computed by the rest.
    Unknown(Atom),
}

impl Value {
    pub fn is_unknown(self) -> bool {
        matches!(self, Value::Unknown(_))
    }

    pub fn known(self) -> Option<Atom> {
        match self {
            Value::Known(atom) => Some(atom),
            Value::Unknown(_) => None,
        }
    }

    pub fn unknown(self) -> Option<Atom> {
        match self {
            Value::Known(_) => None,
            Value::Unknown(atom) => Some(atom),
        }
    }
}

/// Where a residual comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Residual {
    /// The input at this position among all inputs of the program, which is known.
    Input(usize),
    /// The output of the known part at this position behind the known outputs.
    Computed(usize),
}

/// A program in two parts.
pub(crate) struct Split {
    /// `(known inputs…) -> (known outputs…, computed residuals…)`.
    pub known: Program,
    /// `(residuals…, unknown inputs…) -> unknown outputs…`.
    pub unknown: Program,
    /// Which outputs the rest computes.
    pub out_unknown: Vec<bool>,
    /// The residuals, in the order in which the rest takes them.
    pub residuals: Vec<Residual>,
}

impl Split {
    /// The residuals as values, from the program's inputs and the outputs of the known part.
    pub fn residual_values<T: Copy>(&self, input: impl Fn(usize) -> T, known_outputs: &[T]) -> Vec<T> {
        let first = self.out_unknown.iter().filter(|u| !**u).count();
        let value = |r: &Residual| match *r {
            Residual::Input(i) => input(i),
            Residual::Computed(i) => known_outputs[first + i],
        };
        self.residuals.iter().map(value).collect()
    }
}

/// Where effects of equations with known operands go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effects {
    /// To the known part, as any other equation.
    Known,
    /// To the rest; for hoisting out of a loop, where effects happen in each step.
    Unknown,
}

/// Splits a program whose inputs marked in `unknown` are not known. Outputs marked in `force` go to the rest in any case.
pub(crate) fn partial_eval(program: &Program, unknown: &[bool], force: &[bool], effects: Effects) -> Result<Split> {
    let mut s = Splitter::new();
    let mut values: Vec<Option<Value>> = vec![None; program.avals.len()];
    let mut input_positions = HashMap::new();
    for (i, (&v, &unknown)) in program.invars.iter().zip(unknown).enumerate() {
        values[v.index()] = Some(if unknown {
            Value::Unknown(s.unknown.input(program.aval(v)))
        } else {
            let atom = s.known.input(program.aval(v));
            input_positions.insert(atom, i);
            Value::Known(atom)
        });
    }
    let unknown_inputs = s.unknown.program().invars.clone();
    for (v, value) in &program.consts {
        values[v.index()] = Some(Value::Known(s.constant(value)));
    }
    let value = |values: &[Option<Value>], a: Atom| match a {
        Atom::Var(v) => values[v.index()].expect("verified: operands are defined before they are used"),
        Atom::Lit(_) => Value::Known(a),
    };
    for eqn in &program.eqns {
        let inputs: Vec<Value> = eqn.inputs.iter().map(|&a| value(&values, a)).collect();
        s.known.location = eqn.location.clone();
        s.unknown.location = eqn.location.clone();
        let outputs = s.equation(eqn, &inputs, effects).map_err(|e| e.at(&eqn.location))?;
        for (v, output) in eqn.outputs.iter().zip(outputs) {
            values[v.index()] = Some(output);
        }
    }

    let (mut known_outputs, mut unknown_outputs, mut out_unknown) = (vec![], vec![], vec![]);
    for (&a, &force) in program.outvars.iter().zip(force) {
        match value(&values, a) {
            Value::Known(atom) if force => unknown_outputs.push(s.save(atom)),
            Value::Known(atom) => known_outputs.push(atom),
            Value::Unknown(atom) => unknown_outputs.push(atom),
        }
        out_unknown.push(force || value(&values, a).is_unknown());
    }
    // Residuals come first among the inputs, and those that turned out to be unused go.
    let mut rest = s.unknown.finish(unknown_outputs);
    rest.invars = s.residuals.iter().map(|(_, v)| *v).chain(unknown_inputs).collect();
    let all = vec![true; rest.outvars.len()];
    let (mut rest, used) = prune_to(&rest, &all);
    let saved: Vec<Atom> = marked(&s.residuals, &used[..s.residuals.len()]).into_iter().map(|(atom, _)| atom).collect();
    let keep: Vec<bool> = used.iter().enumerate().map(|(i, &used)| used || i >= s.residuals.len()).collect();
    rest = crate::prune::keep_inputs(rest, &keep);
    let mut computed = 0;
    let mut residuals = Vec::new();
    for atom in saved {
        residuals.push(match input_positions.get(&atom) {
            Some(&i) => Residual::Input(i),
            None => {
                known_outputs.push(atom);
                computed += 1;
                Residual::Computed(computed - 1)
            }
        });
    }
    Ok(Split { known: prune(&s.known.finish(known_outputs)), unknown: rest, out_unknown, residuals })
}

/// Which outputs depend on the inputs marked in `unknown`, or on effects if those count as unknown.
pub(crate) fn unknown_outputs(program: &Program, unknown: &[bool]) -> Vec<bool> {
    let vars = unknown_vars(program, unknown);
    program.outvars.iter().map(|a| a.var().is_some_and(|v| vars[v.index()])).collect()
}

/// Which variables depend on the inputs marked in `unknown`.
pub(crate) fn unknown_vars(program: &Program, unknown: &[bool]) -> Vec<bool> {
    let mut vars = vec![false; program.avals.len()];
    for (v, &unknown) in program.invars.iter().zip(unknown) {
        vars[v.index()] = unknown;
    }
    for eqn in &program.eqns {
        let inputs: Vec<bool> = eqn.inputs.iter().map(|a| a.var().is_some_and(|v| vars[v.index()])).collect();
        if inputs.contains(&true) {
            for (v, unknown) in eqn.outputs.iter().zip(unknown_results(&eqn.op, &inputs, eqn.outputs.len())) {
                vars[v.index()] = unknown;
            }
        }
    }
    vars
}

fn unknown_results(op: &Op, inputs: &[bool], results: usize) -> Vec<bool> {
    match op {
        Op::Call { program, .. } | Op::Remat(Remat { program, .. }) => unknown_outputs(program, inputs),
        Op::Cond { branches } => cond::unknown_results(branches, inputs),
        Op::Scan(scan) => scan::unknown_results(scan, inputs),
        Op::While(while_loop) => while_loop::unknown_results(while_loop, inputs),
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
        | Op::GeneralReduce { .. }
        | Op::ArgReduce(_)
        | Op::Cumulative(_)
        | Op::DotGeneral(_)
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::SelectAndGatherAdd(_)
        | Op::Sort(_)
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
        | Op::Collective(_) => vec![inputs.contains(&true); results],
    }
}

/// The two parts of a program as they grow.
pub(crate) struct Splitter {
    pub known: Builder,
    pub unknown: Builder,
    /// For each variable of the known part what the rest knows it by.
    saved: Vec<Option<Atom>>,
    /// For each variable of the known part the equation that defines it.
    definitions: Vec<Option<usize>>,
    scanned: usize,
    constants: HashMap<Var, Tensor>,
    /// Values of the known part and the inputs of the rest that they go to.
    residuals: Vec<(Atom, Var)>,
}

impl Splitter {
    fn new() -> Splitter {
        Splitter {
            known: Builder::new(),
            unknown: Builder::new(),
            saved: vec![],
            definitions: vec![],
            scanned: 0,
            constants: HashMap::new(),
            residuals: vec![],
        }
    }

    fn constant(&mut self, value: &Tensor) -> Atom {
        let atom = self.known.constant(value.clone());
        if let Atom::Var(v) = atom {
            self.constants.insert(v, value.clone());
        }
        atom
    }

    /// A value of the known part for use in the rest.
    pub fn save(&mut self, atom: Atom) -> Atom {
        self.scan_definitions();
        // Down a chain of equations that are repeated, to a value that is saved already or must be.
        let mut chain = Vec::new();
        let mut current = atom;
        let mut saved = loop {
            let Atom::Var(v) = current else { break current };
            if let Some(saved) = self.saved[v.index()] {
                break saved;
            }
            match self.repeated(v) {
                Some(eqn) => {
                    current = eqn.inputs.first().copied().unwrap_or(current);
                    let is_source = eqn.inputs.is_empty();
                    chain.push((v, eqn));
                    if is_source {
                        break current;
                    }
                }
                None => break self.hand_over(v),
            }
        };
        for (v, eqn) in chain.into_iter().rev() {
            let operands: &[Atom] = if eqn.inputs.is_empty() { &[] } else { &[saved] };
            saved = self.unknown.emit1(eqn.op, operands);
            self.saved[v.index()] = Some(saved);
        }
        saved
    }

    pub fn save_all(&mut self, atoms: &[Atom]) -> Vec<Atom> {
        atoms.iter().map(|&a| self.save(a)).collect()
    }

    /// A value for use in the rest, whichever part it belongs to.
    pub fn in_rest(&mut self, value: Value) -> Atom {
        match value {
            Value::Known(atom) => self.save(atom),
            Value::Unknown(atom) => atom,
        }
    }

    fn hand_over(&mut self, v: Var) -> Atom {
        let atom = match self.constants.get(&v) {
            Some(value) => self.unknown.constant(value.clone()),
            None => {
                let input = self.unknown.input(self.known.aval(v.into()));
                self.residuals.push((v.into(), input.var().expect("inputs are variables")));
                input
            }
        };
        self.saved[v.index()] = Some(atom);
        atom
    }

    fn scan_definitions(&mut self) {
        let program = self.known.program();
        self.saved.resize(program.avals.len(), None);
        self.definitions.resize(program.avals.len(), None);
        for (i, eqn) in program.eqns.iter().enumerate().skip(self.scanned) {
            for v in &eqn.outputs {
                self.definitions[v.index()] = Some(i);
            }
        }
        self.scanned = program.eqns.len();
    }

    /// The equation of a known variable, if repeating it costs less than keeping its result.
    fn repeated(&self, v: Var) -> Option<Eqn> {
        let eqn = &self.known.program().eqns[self.definitions[v.index()]?];
        matches!(eqn.op, Op::BroadcastInDim { .. } | Op::Iota { .. }).then(|| eqn.clone())
    }

    fn equation(&mut self, eqn: &Eqn, inputs: &[Value], effects: Effects) -> Result<Vec<Value>> {
        let pinned = effects == Effects::Unknown && eqn.op.has_effect();
        if !pinned && let Some(known) = inputs.iter().map(|x| x.known()).collect::<Option<Vec<Atom>>>() {
            return Ok(self.known.try_emit(eqn.op.clone(), &known)?.into_iter().map(Value::Known).collect());
        }
        if pinned {
            return self.whole(&eqn.op, inputs);
        }
        match &eqn.op {
            Op::Call { name, program } => call::partial_eval(self, name, program, inputs),
            Op::Remat(op) => remat::partial_eval(self, op, inputs),
            Op::Cond { branches } => cond::partial_eval(self, &eqn.op, branches, inputs),
            Op::Scan(op) => scan::partial_eval(self, op, inputs),
            Op::While(op) => while_loop::partial_eval(self, op, inputs),
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
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
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
            | Op::Collective(_) => self.whole(&eqn.op, inputs),
        }
    }

    /// The equation goes to the rest as it is.
    pub fn whole(&mut self, op: &Op, inputs: &[Value]) -> Result<Vec<Value>> {
        let operands: Vec<Atom> = inputs.iter().map(|&x| self.in_rest(x)).collect();
        Ok(self.unknown.try_emit(op.clone(), &operands)?.into_iter().map(Value::Unknown).collect())
    }
}

/// The results of both parts in the order of the program's outputs.
pub(crate) fn merge(out_unknown: &[bool], known: &[Atom], unknown: &[Atom]) -> Vec<Value> {
    let (mut known, mut unknown) = (known.iter(), unknown.iter());
    let value = |&is_unknown: &bool| {
        if is_unknown {
            Value::Unknown(*unknown.next().expect("one result for each unknown output"))
        } else {
            Value::Known(*known.next().expect("one result for each known output"))
        }
    };
    out_unknown.iter().map(value).collect()
}
