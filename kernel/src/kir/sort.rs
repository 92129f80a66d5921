//! Routines that order elements.

use rjax_ir::DType;

use super::View;

/// Sorts the lines of several arrays of one shape `(outer, extent, inner)` along the middle axis by the first `num_keys` arrays:
/// ascending, NaN of any sign last, -0 equal to 0, complex numbers lexicographic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sort {
    /// Product of the axes before the sorted one.
    pub outer: usize,
    /// Extent of the sorted axis.
    pub extent: usize,
    /// Product of the axes after the sorted one: the stride of the sorted axis.
    pub inner: usize,
    /// How many leading operands are compared.
    pub num_keys: usize,
    /// Whether equal keys keep their order; otherwise it is that of [`rjax_ir::math::unstable_sort`].
    pub stable: bool,
    /// The arrays.
    pub operands: Vec<SortOperand>,
}

/// One array of a [`Sort`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SortOperand {
    /// Dtype; may be complex, in which case the views count parts.
    pub dtype: DType,
    /// What is sorted.
    pub source: View,
    /// Where the result goes: the same view, or one that does not overlap any source.
    pub destination: View,
}

/// For each row of `(rows, extent)` the `k` greatest elements in the total order (-NaN least, NaN greatest), greatest first, ties by
/// lower index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TopK {
    /// Dtype of the elements: anything ordered.
    pub dtype: DType,
    /// Number of rows.
    pub rows: usize,
    /// Elements in a row.
    pub extent: usize,
    /// How many.
    pub k: usize,
    /// `(rows, extent)`.
    pub source: View,
    /// `(rows, k)` elements.
    pub values: View,
    /// `(rows, k)` positions, `i32`.
    pub indices: View,
}
