//! The derivative of max and min pooling.

use crate::{Aval, DTypeSet, Result, Window, check};

/// Parameters of `select_and_gather_add`: `(tangents, operand) -> y`. Each window yields the tangent at the position where the
/// operand is greatest (or least); ties go to the first position; padding is never selected unless the window holds nothing else.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SelectAndGatherAdd {
    /// Greatest, else least.
    pub largest: bool,
    /// The window.
    pub window: Window,
}

impl SelectAndGatherAdd {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "select_and_gather_add";
        let [tangents, operand] = check::operands(NAME, inputs)?;
        check::dtype(NAME, DTypeSet::REAL, tangents)?;
        check::same_aval(NAME, tangents, operand)?;
        Ok(vec![operand.with_shape(check::windows(NAME, &self.window, operand)?)])
    }
}
