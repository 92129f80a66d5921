//! `concatenate`: arrays one after the other.

use crate::{Aval, Result, check, ensure};

const NAME: &str = "concatenate";

pub(crate) fn infer(axis: usize, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [first, others @ ..] = inputs else {
        crate::bail!(Structure, "{NAME}: expected at least 1 operand, found 0");
    };
    check::axis(NAME, "axis", axis, first.rank(), first)?;
    let mut extent = first.shape[axis] as i128;
    for x in others {
        check::same_dtype(NAME, first, x)?;
        ensure!(
            x.rank() == first.rank() && (0..x.rank()).all(|a| a == axis || x.shape[a] == first.shape[a]),
            Shape,
            "{NAME}: operands may differ in extent only along axis {axis}, found {first} and {x}"
        );
        extent += x.shape[axis] as i128;
    }
    Ok(vec![first.with_shape(first.shape.with_extent(axis, check::extent_from(NAME, extent)?))])
}
