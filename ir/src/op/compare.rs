//! Elementwise comparisons.

use crate::{Aval, Compare, DType, Result, check};

impl Compare {
    pub(crate) fn infer(self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let [x, y] = check::operands(self.name(), inputs)?;
        check::dtype(self.name(), self.accepts(), x)?;
        check::same_aval(self.name(), x, y)?;
        Ok(vec![x.with_dtype(DType::Bool)])
    }
}
