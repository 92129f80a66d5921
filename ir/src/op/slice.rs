//! Slices with static bounds.

use crate::eval::strided::{Positions, pick};
use crate::{Aval, Result, Shape, Tensor, check, ensure};

/// Parameters of `slice`; one entry for each axis.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Slice {
    /// First index.
    pub starts: Vec<usize>,
    /// One past the last index.
    pub limits: Vec<usize>,
    /// Steps, at least 1.
    pub strides: Vec<usize>,
}

impl Slice {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "slice";
        let [x] = check::operands(NAME, inputs)?;
        for (what, len) in
            [("starts", self.starts.len()), ("limits", self.limits.len()), ("strides", self.strides.len())]
        {
            check::one_per_axis(NAME, what, len, x.rank(), x)?;
        }
        check::positive(NAME, "strides", &self.strides)?;
        for axis in 0..x.rank() {
            let (start, limit) = (self.starts[axis], self.limits[axis]);
            ensure!(
                start <= limit && limit <= x.shape[axis],
                Parameter,
                "{NAME}: bounds of axis {axis} must lie in order within 0..{}, found {start}..{limit}",
                x.shape[axis]
            );
        }
        let extents = (0..x.rank()).map(|axis| (self.limits[axis] - self.starts[axis]).div_ceil(self.strides[axis]));
        Ok(vec![x.with_shape(extents.collect::<Shape>())])
    }
}

impl Slice {
    pub(crate) fn eval(&self, x: &Tensor, output: &Aval) -> Tensor {
        pick(x, &output.shape, Positions::of_box(x.shape(), &self.starts, &output.shape, &self.strides))
    }
}
