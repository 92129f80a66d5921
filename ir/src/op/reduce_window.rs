//! Reductions over sliding windows.

/// A sliding window; every field has one entry for each axis of the operand.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// Extents.
    pub dimensions: Vec<usize>,
    /// Steps.
    pub strides: Vec<usize>,
    /// Low and high padding.
    pub padding: Vec<(i64, i64)>,
    /// Spacing of the operand's elements.
    pub base_dilation: Vec<usize>,
    /// Spacing of the window's elements.
    pub window_dilation: Vec<usize>,
}
