//! `transpose`: axes permuted.

use crate::{Aval, Result, Shape, check};

const NAME: &str = "transpose";

pub(crate) fn infer(permutation: &[usize], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::one_per_axis(NAME, "permutation", permutation.len(), x.rank(), x)?;
    check::distinct_axes(NAME, "permutation axis", permutation, x.rank(), x)?;
    Ok(vec![x.with_shape(permutation.iter().map(|&axis| x.shape[axis]).collect::<Shape>())])
}
