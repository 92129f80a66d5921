//! Gather: windows of an array at computed positions.

use crate::Scalar;

/// What happens to windows that do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IndexMode {
    /// Starts are clamped so that the window fits.
    Clip,
    /// Gather fills the window with a value; scatter drops the update.
    FillOrDrop,
    /// The user promises that they fit; treated as `Clip` (gather) and `FillOrDrop` (scatter).
    PromiseInBounds,
}

/// Parameters of `gather`: `(x, indices) -> y`, as in JAX's `GatherDimensionNumbers`. The last axis of `indices` is the index
/// vector; its other axes are batch axes of the result.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Gather {
    /// Axes of the result that come from the window, in order.
    pub offset_dims: Vec<usize>,
    /// Axes of x whose window extent is 1 and that are left out of the result.
    pub collapsed_slice_dims: Vec<usize>,
    /// Axes of x that are batched against `start_indices_batching_dims`; window extent 1 (or 0), left out of the result's offset.
    pub operand_batching_dims: Vec<usize>,
    /// Axes of `indices` paired with `operand_batching_dims`.
    pub start_indices_batching_dims: Vec<usize>,
    /// For each component of the index vector its axis of x.
    pub start_index_map: Vec<usize>,
    /// The window's extents, one for each axis of x.
    pub slice_sizes: Vec<usize>,
    /// What happens outside.
    pub mode: IndexMode,
    /// The value for `FillOrDrop`; `None`: NaN, the least signed integer, all ones for unsigned, true for bool.
    pub fill_value: Option<Scalar>,
    /// A promise that the indices are distinct.
    pub unique_indices: bool,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
}
