//! `reduce_precision`: rounding to a smaller float format.

use crate::op::ScalarSemantics;
use crate::{Aval, DTypeSet, Result, Tensor, check, ensure};

const NAME: &str = "reduce_precision";

pub(crate) fn infer(exponent_bits: u32, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::dtype(NAME, DTypeSet::FLOAT, x)?;
    ensure!(exponent_bits >= 1, Parameter, "{NAME}: exponent_bits must be at least 1, found 0");
    Ok(vec![x.clone()])
}

pub(crate) fn eval(exponent_bits: u32, mantissa_bits: u32, x: &Tensor) -> Tensor {
    with_element!(x.dtype(), T => x.map(|x: T| ScalarSemantics::reduce_precision(x, exponent_bits, mantissa_bits)))
}
