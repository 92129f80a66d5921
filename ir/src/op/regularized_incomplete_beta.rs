//! The regularised incomplete beta function.

use crate::{Aval, DTypeSet, Result, check};

const NAME: &str = "regularized_incomplete_beta";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [a, b, x] = check::operands(NAME, inputs)?;
    check::dtype(NAME, DTypeSet::FLOAT, a)?;
    check::same_aval(NAME, a, b)?;
    check::same_aval(NAME, a, x)?;
    Ok(vec![x.clone()])
}
