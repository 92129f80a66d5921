//! A linear map that is known by its transpose only: the tangent of a function with a custom reverse rule.

use std::sync::Arc;

use crate::{Aval, Program, Result, check, ensure};

/// Parameters of `custom_lin`: `(residuals…, ẋ…) -> ẏ…`. It stands for the tangents of a `custom_vjp_call` between
/// linearization and transposition, which replaces it by `bwd`. It cannot be evaluated.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CustomLinear {
    /// `(residuals…, ȳ…) -> x̄…`: one ȳ for each result and one x̄, of its type, for each ẋ.
    pub bwd: Arc<Program>,
    /// How many leading inputs are residuals.
    pub num_residuals: usize,
    /// The types of the results.
    pub outputs: Vec<Aval>,
}

impl CustomLinear {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "custom_lin";
        ensure!(
            self.num_residuals <= inputs.len(),
            Structure,
            "{NAME}: {} of the operands are residuals, but only {} are given",
            self.num_residuals,
            inputs.len()
        );
        let (residuals, tangents) = inputs.split_at(self.num_residuals);
        let found = check::signature(NAME, "the backward rule", &self.bwd, &[residuals, &self.outputs].concat())?;
        check::results(NAME, "the backward rule", &found, tangents)?;
        Ok(self.outputs.clone())
    }
}
