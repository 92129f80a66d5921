//! One table of samples: small programs over every op, with inputs for which they are meant.
//!
//! Properties of transformations and backends are checked over the whole table, so an op that is added to it once is
//! checked everywhere.

mod control;
mod custom;
mod elementwise;
mod indexing;
mod linalg;
mod linear;
mod reduce;
mod shape;
mod window;

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Builder, DType, Op, Program, Tensor};

use crate::random::{Random, Values};

/// Which derivatives of a sample exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Derivatives {
    /// None that a test can compare with anything.
    None,
    /// Forward mode only.
    Forward,
    /// Reverse mode only.
    Reverse,
    /// Both.
    Both,
}

/// An input of a sample.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its type.
    pub aval: Aval,
    /// How its values are chosen.
    pub values: Values,
    /// Whether the program can be differentiated with respect to it.
    pub differentiable: bool,
}

/// A small program with inputs.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What a failing test prints.
    pub name: String,
    /// The program.
    pub program: Program,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// Which derivatives can be compared with finite differences.
    pub derivatives: Derivatives,
    /// Up to which order the derivatives exist, in whatever dtype.
    pub order: usize,
    /// How far, relative to the greatest value, the derivative may be from a finite difference.
    pub tolerance: f64,
    /// How far, in units of the dtype's last place, a form that computes in another order may be from this one.
    pub ulps: f64,
    /// The name of the axis that its collectives need, which can only be evaluated inside of `vmap`.
    pub axis: Option<Arc<str>>,
}

impl Sample {
    /// A program of one equation.
    pub fn op(op: Op, inputs: &[(Aval, Values)]) -> Sample {
        let name = op.name().to_string();
        Sample::program(&name, inputs, |b, inputs| b.emit(op, inputs))
    }

    /// A program that the closure writes.
    pub fn program(
        name: &str,
        inputs: &[(Aval, Values)],
        write: impl FnOnce(&mut Builder, &[Atom]) -> Vec<Atom>,
    ) -> Sample {
        let avals: Vec<Aval> = inputs.iter().map(|(aval, _)| aval.clone()).collect();
        let types: Vec<String> = avals.iter().map(Aval::to_string).collect();
        Sample {
            name: format!("{name} {}", types.join(" ")),
            program: program(&avals, write),
            inputs: (inputs.iter())
                .map(|(aval, values)| Input {
                    aval: aval.clone(),
                    values: values.clone(),
                    differentiable: aval.dtype.is_inexact(),
                })
                .collect(),
            derivatives: Derivatives::None,
            order: 0,
            tolerance: 1e-7,
            ulps: 0.0,
            axis: None,
        }
    }

    /// The same sample with more in its name.
    pub fn named(mut self, what: &str) -> Sample {
        self.name = format!("{} ({what})", self.name);
        self
    }

    /// The same sample with derivatives up to an order. They are compared with finite differences where the inexact inputs are
    /// exact enough for that.
    pub fn smooth(mut self, order: usize) -> Sample {
        let mut inexact = self.inputs.iter().filter(|input| input.aval.dtype.is_inexact()).peekable();
        self.order = if inexact.peek().is_some() { order } else { 0 };
        if self.order > 0 && inexact.all(|input| input.aval.dtype.real() == DType::F64) {
            self.derivatives = Derivatives::Both;
        }
        self
    }

    /// The same sample with only some kind of derivatives, where it has any.
    pub fn only(mut self, derivatives: Derivatives) -> Sample {
        if self.derivatives != Derivatives::None {
            self.derivatives = derivatives;
        }
        self
    }

    /// The same sample with inputs that cannot be differentiated.
    pub fn frozen(mut self, inputs: &[usize]) -> Sample {
        for &input in inputs {
            self.inputs[input].differentiable = false;
        }
        self
    }

    /// The same sample with another tolerance of finite differences.
    pub fn within(mut self, tolerance: f64) -> Sample {
        self.tolerance = tolerance;
        self
    }

    /// The same sample, allowed to be this far off when it is computed in another order.
    pub fn ulps(mut self, ulps: f64) -> Sample {
        self.ulps = ulps;
        self
    }

    /// The same sample, which needs a named axis.
    pub fn axis(mut self, name: &str) -> Sample {
        self.axis = Some(name.into());
        self
    }

    /// Inputs determined by the seed.
    pub fn tensors(&self, seed: u64) -> Vec<Tensor> {
        let mut random = Random::new(seed);
        self.inputs.iter().map(|input| input.values.tensor(&input.aval, &mut random)).collect()
    }

    /// Whether the sample can be run by itself and without anybody noticing.
    pub fn evaluates(&self) -> bool {
        self.axis.is_none() && !self.program.has_effect()
    }
}

/// All samples.
pub fn all() -> Vec<Sample> {
    let mut samples = Vec::new();
    elementwise::add(&mut samples);
    shape::add(&mut samples);
    indexing::add(&mut samples);
    reduce::add(&mut samples);
    window::add(&mut samples);
    linalg::add(&mut samples);
    linear::add(&mut samples);
    control::add(&mut samples);
    custom::add(&mut samples);
    samples
}

/// A program with inputs of these types.
pub fn program(avals: &[Aval], write: impl FnOnce(&mut Builder, &[Atom]) -> Vec<Atom>) -> Program {
    let mut b = Builder::new();
    let inputs: Vec<Atom> = avals.iter().map(|aval| b.input(aval.clone())).collect();
    let outputs = write(&mut b, &inputs);
    b.finish(outputs)
}

/// A type and the values between -1 and 1 that most samples do with.
pub(crate) fn any(dtype: DType, shape: &[usize]) -> (Aval, Values) {
    let values = if dtype.is_inexact() { Values::Uniform(-1.0, 1.0) } else { Values::Uniform(-4.0, 5.0) };
    (Aval::new(dtype, shape), values)
}

/// A type and values that are all different.
pub(crate) fn spread(dtype: DType, shape: &[usize]) -> (Aval, Values) {
    (Aval::new(dtype, shape), Values::Spread)
}

/// A type and special values.
pub(crate) fn special(dtype: DType, shape: &[usize]) -> (Aval, Values) {
    (Aval::new(dtype, shape), Values::Special)
}

/// An `i32` array of integers from `low` to `high` inclusive.
pub(crate) fn indices(shape: &[usize], low: i64, high: i64) -> (Aval, Values) {
    (Aval::new(DType::I32, shape), Values::Uniform(low as f64, high as f64 + 1.0))
}

/// An `i32` array of these values.
pub(crate) fn exactly(shape: &[usize], values: &[i64]) -> (Aval, Values) {
    (Aval::new(DType::I32, shape), Values::Exactly(values.iter().map(|&value| value as f64).collect()))
}
