//! A function with a derivative rule of its own, forward mode.

use std::sync::Arc;

use crate::{Aval, Program, Result, check};

/// Parameters of `custom_jvp_call`: `(consts…, x…) -> y…`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CustomJvp {
    /// `(consts…, x…) -> y…`.
    pub call: Arc<Program>,
    /// `(consts…, x…, dx…) -> (y…, dy…)`: a tangent for each inexact x and each inexact y.
    pub jvp: Arc<Program>,
    /// How many leading inputs are captured values that are not differentiated.
    pub num_consts: usize,
}

impl CustomJvp {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "custom_jvp_call";
        check::constants(NAME, self.num_consts, inputs)?;
        let outputs = check::signature(NAME, "the function", &self.call, inputs)?;
        let with_tangents = |primals: &[Aval], from: usize| {
            let tangents = primals[from..].iter().filter(|aval| aval.dtype.is_inexact());
            primals.iter().chain(tangents).cloned().collect::<Vec<_>>()
        };
        let found = check::signature(NAME, "the jvp rule", &self.jvp, &with_tangents(inputs, self.num_consts))?;
        check::results(NAME, "the jvp rule", &found, &with_tangents(&outputs, 0))?;
        Ok(outputs)
    }
}
