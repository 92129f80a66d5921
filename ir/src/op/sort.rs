//! Sorting along an axis.

use crate::{Aval, Result, check, ensure};

/// Parameters of `sort`: `(x…) -> y…`. Ascending; NaN of any sign last, -0 equal to 0; complex numbers lexicographic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sort {
    /// The axis.
    pub axis: usize,
    /// Equal keys keep their order.
    pub stable: bool,
    /// How many leading operands are compared, the first one foremost.
    pub num_keys: usize,
}

impl Sort {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "sort";
        ensure!(
            (1..=inputs.len()).contains(&self.num_keys),
            Structure,
            "{NAME}: num_keys must be at least 1 and at most the number of operands, found {} for {}",
            self.num_keys,
            check::count(inputs.len(), "operand")
        );
        check::axis(NAME, "axis", self.axis, inputs[0].rank(), &inputs[0])?;
        for x in inputs {
            ensure!(x.shape == inputs[0].shape, Shape, "{NAME}: operands have different shapes: {} and {x}", inputs[0]);
        }
        Ok(inputs.to_vec())
    }
}
