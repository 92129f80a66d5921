//! A function with a derivative rule of its own, reverse mode.

use std::sync::Arc;

use crate::{Aval, Program, Result, check};

/// Parameters of `custom_vjp_call`: `(consts…, x…) -> y…`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CustomVjp {
    /// `(consts…, x…) -> y…`.
    pub call: Arc<Program>,
    /// `(consts…, x…) -> (y…, residuals…)`.
    pub fwd: Arc<Program>,
    /// `(consts…, residuals…, ȳ…) -> x̄…`: a cotangent for each inexact y and each inexact x.
    pub bwd: Arc<Program>,
    /// How many leading inputs are captured values that are not differentiated.
    pub num_consts: usize,
}

impl CustomVjp {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "custom_vjp_call";
        check::constants(NAME, self.num_consts, inputs)?;
        let outputs = check::signature(NAME, "the function", &self.call, inputs)?;
        let forward = check::signature(NAME, "the forward rule", &self.fwd, inputs)?;
        let Some((values, residuals)) = forward.split_at_checked(outputs.len()) else {
            crate::bail!(
                Structure,
                "{NAME}: the forward rule returns {}, expected {} and the residuals",
                check::count(forward.len(), "value"),
                check::count(outputs.len(), "value")
            );
        };
        check::results(NAME, "the forward rule", values, &outputs)?;
        let (consts, primals) = inputs.split_at(self.num_consts);
        let inexact = |avals: &[Aval]| avals.iter().filter(|a| a.dtype.is_inexact()).cloned().collect::<Vec<_>>();
        let backward_inputs = [consts, residuals, &inexact(&outputs)].concat();
        let found = check::signature(NAME, "the backward rule", &self.bwd, &backward_inputs)?;
        check::results(NAME, "the backward rule", &found, &inexact(primals))?;
        Ok(outputs)
    }
}
