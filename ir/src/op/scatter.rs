//! Scatter: windows of an array replaced or combined at computed positions.

use crate::IndexMode;

/// How an update meets the value that is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Combiner {
    /// The update replaces it; where indices repeat, the last one (in row-major order of `indices`) wins.
    Replace,
    /// Sum.
    Add,
    /// Product.
    Mul,
    /// Minimum.
    Min,
    /// Maximum.
    Max,
}

/// Parameters of `scatter`, `scatter-add` and so on: `(x, indices, updates) -> y`, as in JAX's `ScatterDimensionNumbers`. The
/// last axis of `indices` is the index vector. Updates are applied in row-major order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scatter {
    /// How an update meets the value that is there.
    pub combiner: Combiner,
    /// Axes of the updates that are window axes, in order.
    pub update_window_dims: Vec<usize>,
    /// Axes of x that have window extent 1 and no axis in the updates.
    pub inserted_window_dims: Vec<usize>,
    /// Axes of x that are batched against `scatter_indices_batching_dims`.
    pub operand_batching_dims: Vec<usize>,
    /// Axes of `indices` paired with `operand_batching_dims`.
    pub scatter_indices_batching_dims: Vec<usize>,
    /// For each component of the index vector its axis of x.
    pub scatter_dims_to_operand_dims: Vec<usize>,
    /// What happens outside.
    pub mode: IndexMode,
    /// A promise that the indices are distinct.
    pub unique_indices: bool,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
}

impl Scatter {
    /// JAX's name.
    pub fn name(&self) -> &'static str {
        match self.combiner {
            Combiner::Replace => "scatter",
            Combiner::Add => "scatter-add",
            Combiner::Mul => "scatter-mul",
            Combiner::Min => "scatter-min",
            Combiner::Max => "scatter-max",
        }
    }
}
