//! `argmax`, `argmin`: the position of an extreme value along an axis.

use crate::{Aval, DType, DTypeSet, Result, check, ensure};

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

impl ArgReduce {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let op = self.name();
        let [x] = check::operands(op, inputs)?;
        check::dtype(op, DTypeSet::ORDERED, x)?;
        check::axis(op, "axis", self.axis, x.rank(), x)?;
        ensure!(x.shape[self.axis] > 0, Shape, "{op}: axis {} of {x} has no elements to choose from", self.axis);
        ensure!(
            self.index_dtype.is_integer(),
            DType,
            "{op}: index_dtype must be one of {}, found {}",
            DTypeSet::INTEGER,
            self.index_dtype
        );
        Ok(vec![Aval::new(self.index_dtype, x.shape.without(&[self.axis]))])
    }
}
