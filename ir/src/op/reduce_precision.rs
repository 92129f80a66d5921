//! `reduce_precision`: rounding to a smaller float format.

use crate::{Aval, DTypeSet, Result, check, ensure};

const NAME: &str = "reduce_precision";

pub(crate) fn infer(exponent_bits: u32, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::dtype(NAME, DTypeSet::FLOAT, x)?;
    ensure!(exponent_bits >= 1, Parameter, "{NAME}: exponent_bits must be at least 1, found 0");
    Ok(vec![x.clone()])
}
