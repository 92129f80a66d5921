//! Programs that others wrote, as functions.
//!
//! A [`Model`] is called with arrays and composes with every transformation:
//!
//! ```
//! use rjax::prelude::*;
//!
//! // jax.export.export(jax.jit(lambda x, w: (x * w, jnp.sum(jnp.sin(x) * w))))(…).mlir_module_serialized
//! let bytes = include_bytes!("../tests/data/weighted_sine.mlirbc");
//! let model = rjax::import::stablehlo(bytes).unwrap();
//! let loss = |x: &Array, w: &Array| model.call(&[x, w]).swap_remove(1);
//!
//! let (x, w) = (jnp::array([0.0f32, 1.0, 2.0]), jnp::array([1.0f32, 2.0, 3.0]));
//! let slope = grad(&loss)(&x, &w);
//! assert!(jnp::allclose(&slope, &(x.cos() * &w), 1e-6, 1e-6).item::<bool>());
//! let lanes = jit(vmap(&loss, axes![0, _]))(&jnp::stack(&[&x, &x], 0), &w);
//! assert_eq!(lanes.shape()[..], [2]);
//! ```

use std::sync::Arc;

use rjax_ir::{Aval, ErrorKind, Program, Result};
use rjax_stablehlo::{bytecode, text};

use crate::error::fail_with;
use crate::{Array, Fun, trace};

/// A program with its constants, callable like any function of arrays.
#[derive(Clone, Debug)]
pub struct Model {
    /// Inputs are the user's, then the constants.
    program: Arc<Program>,
    constants: Vec<Array>,
}

/// Reads StableHLO: a portable artifact, as `jax.export` gives in `mlir_module_serialized`, or text.
///
/// Its `main` becomes a function from the flat list of inputs to the flat list of outputs. Operations and types that
/// rjax does not have are errors that name them.
pub fn stablehlo(bytes: &[u8]) -> Result<Model> {
    let module = if bytes.starts_with(&bytecode::MAGIC) {
        bytecode::read(bytes)?
    } else {
        text::read(&String::from_utf8_lossy(bytes), "<stablehlo>")?
    };
    Ok(Model::new(rjax_stablehlo::import(&module)?.program))
}

impl Model {
    fn new(mut program: Program) -> Model {
        // As inputs, constants are let into the bodies of loops and of other functions, which have none of their own.
        let mut constants = vec![];
        for (var, value) in std::mem::take(&mut program.consts) {
            program.invars.push(var);
            constants.push(Array::from_tensor(value));
        }
        Model { program: Arc::new(program), constants }
    }

    /// The types of the inputs.
    pub fn inputs(&self) -> Vec<Aval> {
        let mut avals = self.program.in_avals();
        avals.truncate(avals.len() - self.constants.len());
        avals
    }

    /// The types of the outputs.
    pub fn outputs(&self) -> Vec<Aval> {
        self.program.out_avals()
    }

    /// The outputs for these inputs, which have the types of [`inputs`](Model::inputs).
    #[track_caller]
    pub fn call(&self, inputs: &[&Array]) -> Vec<Array> {
        let wanted = self.inputs();
        if inputs.len() != wanted.len() {
            let message = format!("model: expected {} inputs, found {}", wanted.len(), inputs.len());
            fail_with(ErrorKind::Structure, message);
        }
        for (i, (input, aval)) in inputs.iter().zip(&wanted).enumerate() {
            if input.aval() != *aval {
                let message = format!("model: input {i}: expected {aval}, found {}", input.aval());
                fail_with(ErrorKind::Shape, message);
            }
        }
        let given: Vec<Array> = inputs.iter().copied().chain(&self.constants).cloned().collect();
        trace::bind(&self.program, &given, &vec![false; self.program.outvars.len()])
    }

    /// The model as a function of a list of arrays.
    #[track_caller]
    pub fn into_fun(self) -> Fun<'static, (Vec<Array>,), Vec<Array>> {
        Fun::new("model", move |(inputs,): (&Vec<Array>,)| self.call(&inputs.iter().collect::<Vec<_>>()))
    }
}
