//! Elementwise comparisons.

use crate::{Aval, Compare, DType, Result, Tensor, check, math};

impl Compare {
    pub(crate) fn infer(self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let [x, y] = check::operands(self.name(), inputs)?;
        check::dtype(self.name(), self.accepts(), x)?;
        check::same_aval(self.name(), x, y)?;
        Ok(vec![x.with_dtype(DType::Bool)])
    }
}

impl Compare {
    pub(crate) fn eval_tensor(self, x: &Tensor, y: &Tensor) -> Tensor {
        with_element!(x.dtype(), T => x.zip(y, |x: T, y: T| math::compare(self, x, y)))
    }
}
