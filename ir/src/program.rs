//! Programs: equations in A-normal form over typed variables.
//!
//! ```
//! use rjax_ir::{Aval, Builder, DType, Unary};
//! let mut b = Builder::new();
//! let x = b.input(Aval::new(DType::F32, [3]));
//! let y = b.unary(Unary::Sin, x);
//! let program = b.finish(vec![y]);
//! assert_eq!(program.to_string(), "{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }");
//! ```

use std::hash::{Hash, Hasher};

use crate::{Aval, Location, Op, Scalar, Tensor};

/// A variable: an index into [`Program::avals`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Var(pub u32);

impl Var {
    /// The position in [`Program::avals`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An operand: a variable or a scalar literal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Atom {
    /// A variable.
    Var(Var),
    /// A rank-0 constant.
    Lit(Scalar),
}

impl Atom {
    /// The variable, if it is one.
    pub fn var(self) -> Option<Var> {
        match self {
            Atom::Var(v) => Some(v),
            Atom::Lit(_) => None,
        }
    }

    /// The literal, if it is one.
    pub fn literal(self) -> Option<Scalar> {
        match self {
            Atom::Var(_) => None,
            Atom::Lit(s) => Some(s),
        }
    }
}

impl From<Var> for Atom {
    fn from(v: Var) -> Atom {
        Atom::Var(v)
    }
}

impl From<Scalar> for Atom {
    fn from(s: Scalar) -> Atom {
        Atom::Lit(s)
    }
}

/// One equation: `outputs = op inputs`.
#[derive(Clone, Debug)]
pub struct Eqn {
    /// The op with its static parameters.
    pub op: Op,
    /// Operands.
    pub inputs: Vec<Atom>,
    /// Results, each defined here and nowhere else.
    pub outputs: Vec<Var>,
    /// Where it came from; not part of equality.
    pub location: Location,
}

/// A program in A-normal form. Variables are dense: `avals[v]` is the type of variable `v`.
///
/// Programs inside ops (branches, bodies, callees) have no `consts`: what they need comes in as operands.
/// Equality and hashing ignore locations.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Inputs, in order.
    pub invars: Vec<Var>,
    /// Constant arrays; only at top level.
    pub consts: Vec<(Var, Tensor)>,
    /// Equations in an order in which every variable is defined before it is used.
    pub eqns: Vec<Eqn>,
    /// Outputs, in order; may repeat, and may be inputs or literals.
    pub outvars: Vec<Atom>,
    /// The type of each variable.
    pub avals: Vec<Aval>,
}

impl Program {
    /// The type of an operand.
    pub fn aval(&self, atom: impl Into<Atom>) -> Aval {
        match atom.into() {
            Atom::Var(v) => self.avals[v.index()].clone(),
            Atom::Lit(s) => Aval::scalar(s.dtype()),
        }
    }

    /// The types of the inputs.
    pub fn in_avals(&self) -> Vec<Aval> {
        self.invars.iter().map(|&v| self.aval(v)).collect()
    }

    /// The types of the outputs.
    pub fn out_avals(&self) -> Vec<Aval> {
        self.outvars.iter().map(|&a| self.aval(a)).collect()
    }

    /// Whether some equation can be seen from outside when it runs.
    pub fn has_effect(&self) -> bool {
        self.eqns.iter().any(|eqn| eqn.op.has_effect())
    }

    /// The number of equations, programs inside included.
    pub fn count_eqns(&self) -> usize {
        self.eqns.iter().map(|e| 1 + e.op.subprograms().iter().map(|p| p.count_eqns()).sum::<usize>()).sum()
    }
}

impl PartialEq for Eqn {
    fn eq(&self, other: &Eqn) -> bool {
        self.op == other.op && self.inputs == other.inputs && self.outputs == other.outputs
    }
}

impl Eq for Eqn {}

impl Hash for Eqn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.op.hash(state);
        self.inputs.hash(state);
        self.outputs.hash(state);
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        self.invars == other.invars
            && self.eqns == other.eqns
            && self.outvars == other.outvars
            && self.avals == other.avals
            && self.consts.len() == other.consts.len()
            && self.consts.iter().zip(&other.consts).all(|((v, t), (w, u))| v == w && t.bits_equal(u))
    }
}

impl Eq for Program {}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.invars.hash(state);
        self.eqns.hash(state);
        self.outvars.hash(state);
        self.avals.hash(state);
        self.consts.len().hash(state);
    }
}
