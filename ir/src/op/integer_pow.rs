//! `integer_pow`: a power with a static integer exponent.

use crate::{Aval, DTypeSet, Result, check, ensure};

const NAME: &str = "integer_pow";

pub(crate) fn infer(exponent: i32, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::dtype(NAME, DTypeSet::NUMBER, x)?;
    ensure!(
        exponent >= 0 || x.dtype.is_inexact(),
        Parameter,
        "{NAME}: a negative exponent needs a floating-point or complex operand, found {x} to the power {exponent}"
    );
    Ok(vec![x.clone()])
}
