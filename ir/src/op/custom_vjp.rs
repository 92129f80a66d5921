//! A function with a derivative rule of its own, reverse mode.

use std::sync::Arc;

use crate::Program;

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
