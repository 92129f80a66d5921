//! `convert_element_type`.

use crate::{Aval, DType, Result, Tensor, check, math};

const NAME: &str = "convert_element_type";

pub(crate) fn infer(dtype: DType, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    Ok(vec![x.with_dtype(dtype)])
}

/// The elements converted to another dtype; the tensor itself if it has that dtype already.
pub(crate) fn convert(x: &Tensor, dtype: DType) -> Tensor {
    if x.dtype() == dtype {
        return x.clone();
    }
    with_element!(x.dtype(), S => with_element!(dtype, D => x.map(math::convert::<S, D>)))
}
