//! `integer_pow`: a power with a static integer exponent.

use crate::{Aval, DTypeSet, Result, Tensor, check, ensure, math};

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

pub(crate) fn eval(exponent: i32, x: &Tensor) -> Tensor {
    with_element!(x.dtype(), T => x.map(|x: T| math::integer_pow(x, exponent)))
}
