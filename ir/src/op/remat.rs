//! `checkpoint`: a call whose inner values are recomputed in the backward pass.

use std::sync::Arc;

use crate::{Aval, Program, Result, check};

/// Which inner values may be kept for the backward pass.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum RematPolicy {
    /// Only the inputs are kept.
    #[default]
    NothingSaveable,
    /// Everything is kept.
    EverythingSaveable,
    /// Results of dots are kept.
    DotsSaveable,
    /// Results of dots without batch dimensions are kept.
    DotsWithNoBatchDimsSaveable,
    /// Values named by `checkpoint_name` with one of these names are kept.
    SaveOnlyTheseNames(Vec<Arc<str>>),
}

/// Parameters of `checkpoint`: `(x…) -> y…`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Remat {
    /// The program.
    pub program: Arc<Program>,
    /// Which inner values may be kept.
    pub policy: RematPolicy,
    /// Whether the recomputation is protected from being merged with the original (set by differentiation).
    pub differentiated: bool,
}

impl Remat {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        check::signature("checkpoint", "the program", &self.program, inputs)
    }
}
