//! One trace: a program under construction, and where each of its variables comes from.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

use rjax_ir::{Atom, Builder, Op, Program, Result, Var};

use super::{Input, Scope, Tracer};
use crate::Array;
use crate::device::Value;

/// What defines a variable.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// The input at this position.
    Input(usize),
    /// The equation at this position.
    Equation(usize),
}

pub(super) struct Frame {
    pub id: u64,
    pub scope: Scope,
    pub builder: Builder,
    /// For each variable what defines it.
    pub origins: Vec<Origin>,
    /// How many equations `origins` covers.
    covered: usize,
    /// For each input, captures included, the array it stands for.
    pub sources: Vec<Option<Array>>,
    /// Captured arrays by address; `captures` keeps them alive, so that addresses stay theirs.
    captured: HashMap<usize, Var>,
    captures: Vec<Array>,
    /// Values that were looked at, and what they were computed from.
    pub values: HashMap<Var, Value>,
}

impl Frame {
    pub fn new(scope: Scope, inputs: Vec<Input>, made_at: &'static Location<'static>) -> (Frame, Vec<Array>) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut frame = Frame {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            scope,
            builder: Builder::new(),
            origins: Vec::new(),
            covered: 0,
            sources: Vec::new(),
            captured: HashMap::new(),
            captures: Vec::new(),
            values: HashMap::new(),
        };
        let arrays = inputs
            .into_iter()
            .map(|Input { aval, weak, source }| {
                let x = frame.builder.input(aval);
                frame.define_input(source);
                frame.array(x, weak, made_at)
            })
            .collect();
        (frame, arrays)
    }

    fn define_input(&mut self, source: Option<Array>) {
        self.origins.push(Origin::Input(self.sources.len()));
        self.sources.push(source);
    }

    /// The input that stands for an array from outside.
    pub fn capture(&mut self, array: &Array) -> Atom {
        if let Some(&var) = self.captured.get(&array.address()) {
            return var.into();
        }
        let x = self.builder.input(array.aval());
        self.define_input(Some(array.clone()));
        self.captured.insert(array.address(), x.var().expect("inputs are variables"));
        self.captures.push(array.clone());
        x
    }

    pub fn emit(&mut self, op: Op, inputs: &[Atom], at: &'static Location<'static>) -> Result<Vec<Atom>> {
        self.builder.location = rjax_ir::Location::Rust(at);
        let outputs = self.builder.try_emit(op, inputs)?;
        self.define_outputs();
        Ok(outputs)
    }

    pub fn inline(&mut self, program: &Program, inputs: &[Atom]) -> Vec<Atom> {
        let outputs = self.builder.inline(program, inputs);
        self.define_outputs();
        outputs
    }

    /// Notes what defines the variables of new equations.
    fn define_outputs(&mut self) {
        let program = self.builder.program();
        self.origins.resize(program.avals.len(), Origin::Input(usize::MAX));
        for (i, eqn) in program.eqns.iter().enumerate().skip(self.covered) {
            for output in &eqn.outputs {
                self.origins[output.index()] = Origin::Equation(i);
            }
        }
        self.covered = program.eqns.len();
    }

    /// A handle to a variable of this trace.
    pub fn array(&self, x: Atom, weak: bool, made_at: &'static Location<'static>) -> Array {
        match x {
            Atom::Lit(value) => Array::constant(value, weak),
            Atom::Var(var) => {
                let aval = self.builder.aval(x);
                Array::traced(Tracer { trace: self.id, var, aval, weak, made_at, scope: self.scope.clone() })
            }
        }
    }

    pub fn finish(self, outputs: Vec<Atom>) -> (Program, Vec<Array>) {
        (self.builder.finish(outputs), self.captures)
    }
}
