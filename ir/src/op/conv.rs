//! General convolution.

use crate::DType;

/// Parameters of `conv_general_dilated`: `(lhs, rhs) -> y`. Each `…_spec` lists axes in the order batch (or output feature),
/// feature (or input feature), then spatial axes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Conv {
    /// Axes of the lhs: batch, feature, spatial….
    pub lhs_spec: Vec<usize>,
    /// Axes of the rhs: output feature, input feature, spatial….
    pub rhs_spec: Vec<usize>,
    /// Axes of the result: batch, feature, spatial….
    pub out_spec: Vec<usize>,
    /// One for each spatial axis.
    pub window_strides: Vec<usize>,
    /// Low and high padding for each spatial axis; negative removes.
    pub padding: Vec<(i64, i64)>,
    /// Spacing of the lhs elements.
    pub lhs_dilation: Vec<usize>,
    /// Spacing of the rhs elements.
    pub rhs_dilation: Vec<usize>,
    /// Groups of features that do not mix.
    pub feature_group_count: usize,
    /// Groups of batches that go to different output features.
    pub batch_group_count: usize,
    /// Dtype of the result; products accumulate in it (in `f32` for `f16` and `bf16`).
    pub preferred: DType,
}
