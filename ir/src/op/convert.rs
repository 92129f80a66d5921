//! `convert_element_type`.

use crate::{Aval, DType, Result, check};

const NAME: &str = "convert_element_type";

pub(crate) fn infer(dtype: DType, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    Ok(vec![x.with_dtype(dtype)])
}
