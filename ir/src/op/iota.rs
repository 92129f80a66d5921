//! `iota`: counting along an axis.

use crate::op::broadcast_in_dim;
use crate::{Aval, DType, DTypeSet, Result, Scalar, Shape, Tensor, check, ensure};

const NAME: &str = "iota";

pub(crate) fn infer(dtype: DType, shape: &Shape, axis: usize, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [] = check::operands(NAME, inputs)?;
    ensure!(
        DTypeSet::NUMBER.contains(dtype),
        DType,
        "{NAME}: dtype must be one of {}, found {dtype}",
        DTypeSet::NUMBER
    );
    check::axis(NAME, "axis", axis, shape.rank(), shape)?;
    Ok(vec![Aval::new(dtype, shape.clone())])
}

pub(crate) fn eval(dtype: DType, shape: &Shape, axis: usize) -> Tensor {
    let counts = with_element!(dtype, T => {
        let counts = (0..shape[axis] as i64).map(|i| Scalar::from_i64(dtype, i).get());
        Tensor::from_vec([shape[axis]], counts.collect::<Vec<T>>())
    });
    broadcast_in_dim::eval(shape, &[axis], &counts)
}
