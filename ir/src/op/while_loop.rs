//! A loop that runs while a condition holds.

use std::sync::Arc;

use crate::Program;

/// Parameters of `while`: `(cond_consts…, body_consts…, carry…) -> carry…`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct While {
    /// `(cond_consts…, carry…) -> bool[]`.
    pub cond: Arc<Program>,
    /// `(body_consts…, carry…) -> carry…`.
    pub body: Arc<Program>,
    /// How many leading inputs go to the condition only.
    pub cond_nconsts: usize,
    /// How many following inputs go to the body only.
    pub body_nconsts: usize,
}
