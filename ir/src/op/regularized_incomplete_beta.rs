//! The regularised incomplete beta function.

use crate::op::ScalarSemantics;
use crate::{Aval, DTypeSet, Result, Tensor, check};

const NAME: &str = "regularized_incomplete_beta";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [a, b, x] = check::operands(NAME, inputs)?;
    check::dtype(NAME, DTypeSet::FLOAT, a)?;
    check::same_aval(NAME, a, b)?;
    check::same_aval(NAME, a, x)?;
    Ok(vec![x.clone()])
}

pub(crate) fn eval(a: &Tensor, b: &Tensor, x: &Tensor) -> Tensor {
    with_element!(x.dtype(), T => {
        let parameters = a.as_slice::<T>().iter().zip(b.as_slice::<T>());
        let values = parameters.zip(x.as_slice::<T>()).map(|((&a, &b), &x)| a.regularized_incomplete_beta(b, x));
        Tensor::from_vec(x.shape().clone(), values.collect::<Vec<T>>())
    })
}
