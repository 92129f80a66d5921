//! `dynamic_update_slice`: an array with a window at a computed position replaced.

use crate::op::dynamic_slice;
use crate::{Aval, Result, check, ensure};

const NAME: &str = "dynamic_update_slice";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x, update, starts @ ..] = inputs else {
        crate::bail!(
            Structure,
            "{NAME}: expected an operand, an update and start indices, found {}",
            check::count(inputs.len(), "operand")
        );
    };
    check::same_dtype(NAME, x, update)?;
    ensure!(
        x.rank() == update.rank(),
        Shape,
        "{NAME}: the update must have the rank of the operand, found {update} and {x}"
    );
    dynamic_slice::infer_starts(NAME, x, &update.shape, starts)?;
    Ok(vec![x.clone()])
}
