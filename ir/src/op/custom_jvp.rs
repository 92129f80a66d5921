//! A function with a derivative rule of its own, forward mode.

use std::sync::Arc;

use crate::Program;

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
