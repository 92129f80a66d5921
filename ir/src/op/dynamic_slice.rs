//! `dynamic_slice`: a window at a computed position.

use crate::eval::strided::{Positions, clamp_start, index_values, pick};
use crate::{Aval, Result, Shape, Tensor, check, ensure};

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

/// Where a window of `sizes` begins in an array of `shape`: as close to the starts as it fits.
pub(crate) fn clamped_starts(shape: &Shape, sizes: &Shape, starts: &[Tensor]) -> Vec<usize> {
    let clamp = |(axis, start): (usize, &Tensor)| {
        clamp_start(index_values(start)[0], shape[axis], sizes[axis]).expect("verified: the window fits")
    };
    starts.iter().enumerate().map(clamp).collect()
}

pub(crate) fn eval(sizes: &Shape, x: &Tensor, starts: &[Tensor]) -> Tensor {
    let starts = clamped_starts(x.shape(), sizes, starts);
    pick(x, sizes, Positions::of_box(x.shape(), &starts, sizes, &vec![1; sizes.rank()]))
}
