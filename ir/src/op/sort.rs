//! Sorting along an axis.

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
