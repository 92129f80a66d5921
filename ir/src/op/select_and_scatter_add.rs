//! The transpose of max and min pooling.

/// Parameters of `select_and_scatter_add`: `(source, operand) -> y` of the operand's shape. Each source element is added at the
/// position of its window where the operand is greatest (or least); ties go to the first position.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SelectAndScatterAdd {
    /// Greatest, else least.
    pub largest: bool,
    /// Window extents.
    pub dimensions: Vec<usize>,
    /// Window steps.
    pub strides: Vec<usize>,
    /// Low and high padding.
    pub padding: Vec<(i64, i64)>,
}
