//! `argmax`, `argmin`: the position of an extreme value along an axis.

use crate::DType;

/// Parameters of `argmax` and `argmin`: `(x) -> indices` without the axis. The first NaN wins; ties go to the lowest index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ArgReduce {
    /// Largest (`argmax`) or smallest (`argmin`).
    pub largest: bool,
    /// The axis that goes away; its extent is not 0.
    pub axis: usize,
    /// The integer dtype of the result.
    pub index_dtype: DType,
}

impl ArgReduce {
    /// JAX's name.
    pub fn name(&self) -> &'static str {
        if self.largest { "argmax" } else { "argmin" }
    }
}
