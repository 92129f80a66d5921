//! `iota`: counting along an axis.

use crate::{Aval, DType, Result, Shape, check, ensure};

const NAME: &str = "iota";

pub(crate) fn infer(dtype: DType, shape: &Shape, axis: usize, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [] = check::operands(NAME, inputs)?;
    ensure!(dtype != DType::Bool, DType, "{NAME}: dtype must not be bool");
    check::axis(NAME, "axis", axis, shape.rank(), shape)?;
    Ok(vec![Aval::new(dtype, shape.clone())])
}
