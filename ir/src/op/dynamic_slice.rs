//! `dynamic_slice`: a window at a computed position.

use crate::{Aval, Result, Shape, check, ensure};

const NAME: &str = "dynamic_slice";

pub(crate) fn infer(sizes: &Shape, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x, starts @ ..] = inputs else {
        crate::bail!(Structure, "{NAME}: expected an operand and its start indices, found no operands");
    };
    check::one_per_axis(NAME, "sizes", sizes.rank(), x.rank(), x)?;
    infer_starts(NAME, x, sizes, starts)?;
    Ok(vec![x.with_shape(sizes.clone())])
}

/// The window fits into the operand, and there is a start for each axis.
pub(crate) fn infer_starts(op: &str, x: &Aval, sizes: &Shape, starts: &[Aval]) -> Result<()> {
    check::one_per_axis(op, "start indices", starts.len(), x.rank(), x)?;
    for start in starts {
        check::scalar_index(op, "start index", start)?;
    }
    for axis in 0..x.rank() {
        ensure!(
            sizes[axis] <= x.shape[axis],
            Shape,
            "{op}: a window of shape {sizes} does not fit into {x} along axis {axis}"
        );
    }
    Ok(())
}
