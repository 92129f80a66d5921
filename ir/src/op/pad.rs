//! Padding at the edges and between elements.

/// Padding of one axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct PadDim {
    /// Before the first element; negative removes, after interior padding.
    pub low: i64,
    /// After the last element; negative removes.
    pub high: i64,
    /// Between neighbours.
    pub interior: usize,
}
