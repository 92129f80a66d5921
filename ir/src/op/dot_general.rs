//! General dot products.

use crate::DType;

/// How exactly a dot multiplies on hardware that has a choice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Precision {
    /// The device's default.
    #[default]
    Default,
    /// Better than the default where that costs little.
    High,
    /// The operands' full precision.
    Highest,
}

/// Parameters of `dot_general`: `(lhs, rhs) -> y` with axes batch, lhs free, rhs free.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DotGeneral {
    /// Contracted axes of the lhs, paired with `rhs_contracting`.
    pub lhs_contracting: Vec<usize>,
    /// Contracted axes of the rhs.
    pub rhs_contracting: Vec<usize>,
    /// Batch axes of the lhs, paired with `rhs_batch`.
    pub lhs_batch: Vec<usize>,
    /// Batch axes of the rhs.
    pub rhs_batch: Vec<usize>,
    /// Precision on hardware that has a choice.
    pub precision: Precision,
    /// Dtype of the result; products accumulate in it (in `f32` for `f16` and `bf16`).
    pub preferred: DType,
}

impl DotGeneral {
    /// The axes of the lhs that are neither batch nor contracted, in order.
    pub fn lhs_free(&self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|a| !self.lhs_batch.contains(a) && !self.lhs_contracting.contains(a)).collect()
    }

    /// The axes of the rhs that are neither batch nor contracted, in order.
    pub fn rhs_free(&self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|a| !self.rhs_batch.contains(a) && !self.rhs_contracting.contains(a)).collect()
    }
}
