//! `rev`: elements in opposite order along some axes.

use crate::{Aval, Result, check};

const NAME: &str = "rev";

pub(crate) fn infer(axes: &[usize], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::distinct_axes(NAME, "axis", axes, x.rank(), x)?;
    Ok(vec![x.clone()])
}
