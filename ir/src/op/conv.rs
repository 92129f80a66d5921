//! General convolution.

use crate::eval::sum::{accumulate, dot};
use crate::eval::window::{Slide, Tap};
use crate::op::dot_general::wider;
use crate::op::{ScalarSemantics, transpose};
use crate::{Aval, DType, Result, Shape, Tensor, check, ensure};

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

impl Conv {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "conv_general_dilated";
        let [lhs, rhs] = check::operands(NAME, inputs)?;
        check::same_dtype(NAME, lhs, rhs)?;
        check::preferred(NAME, lhs.dtype, self.preferred)?;
        let rank = lhs.rank();
        ensure!(rank >= 2, Shape, "{NAME}: operands must have a batch and a feature axis, found {lhs} and {rhs}");
        ensure!(rhs.rank() == rank, Shape, "{NAME}: operands have different ranks: {lhs} and {rhs}");
        for (what, spec) in [("lhs_spec", &self.lhs_spec), ("rhs_spec", &self.rhs_spec), ("out_spec", &self.out_spec)] {
            check::one_per_axis(NAME, what, spec.len(), rank, lhs)?;
            check::distinct_axes(NAME, what, spec, rank, lhs)?;
        }
        for (what, len) in [
            ("window_strides", self.window_strides.len()),
            ("padding", self.padding.len()),
            ("lhs_dilation", self.lhs_dilation.len()),
            ("rhs_dilation", self.rhs_dilation.len()),
        ] {
            ensure!(
                len == rank - 2,
                Parameter,
                "{NAME}: {what} must have one entry for each of the {} spatial axes of {lhs}, found {len}",
                rank - 2
            );
        }
        check::positive(NAME, "window_strides", &self.window_strides)?;
        check::positive(NAME, "lhs_dilation", &self.lhs_dilation)?;
        check::positive(NAME, "rhs_dilation", &self.rhs_dilation)?;
        let features = self.infer_groups(lhs, rhs)?;

        let mut shape = vec![0; rank];
        shape[self.out_spec[0]] = lhs.shape[self.lhs_spec[0]] / self.batch_group_count;
        shape[self.out_spec[1]] = features;
        for i in 0..rank - 2 {
            let (low, high) = self.padding[i];
            let extent = check::dilated(lhs.shape[self.lhs_spec[i + 2]], self.lhs_dilation[i]);
            let window = check::dilated(rhs.shape[self.rhs_spec[i + 2]], self.rhs_dilation[i]);
            let padded = extent + low as i128 + high as i128;
            shape[self.out_spec[i + 2]] = check::window_count(NAME, padded, window, self.window_strides[i])?;
        }
        Ok(vec![Aval::new(self.preferred, Shape::from(shape))])
    }

    /// The number of output features, after checking that the groups divide batches and features.
    fn infer_groups(&self, lhs: &Aval, rhs: &Aval) -> Result<usize> {
        const NAME: &str = "conv_general_dilated";
        let (feature_groups, batch_groups) = (self.feature_group_count, self.batch_group_count);
        check::positive(NAME, "feature_group_count", &[feature_groups])?;
        check::positive(NAME, "batch_group_count", &[batch_groups])?;
        ensure!(
            feature_groups == 1 || batch_groups == 1,
            Parameter,
            "{NAME}: one of feature_group_count and batch_group_count must be 1, found {feature_groups} and {batch_groups}"
        );
        let (batch, in_features) = (lhs.shape[self.lhs_spec[0]], lhs.shape[self.lhs_spec[1]]);
        let (out_features, group_features) = (rhs.shape[self.rhs_spec[0]], rhs.shape[self.rhs_spec[1]]);
        for (what, extent, name, groups) in [
            ("the lhs batch extent", batch, "batch_group_count", batch_groups),
            ("the number of output features", out_features, "batch_group_count", batch_groups),
            ("the number of output features", out_features, "feature_group_count", feature_groups),
        ] {
            ensure!(
                extent.is_multiple_of(groups),
                Shape,
                "{NAME}: {what} must be a multiple of {name} {groups}, found {extent}"
            );
        }
        ensure!(
            group_features.checked_mul(feature_groups) == Some(in_features),
            Shape,
            "{NAME}: the lhs must have {group_features} features for each of {feature_groups} feature groups, found {lhs} with {in_features}"
        );
        Ok(out_features)
    }
}

impl Conv {
    pub(crate) fn eval(&self, lhs: &Tensor, rhs: &Tensor, output: &Aval) -> Tensor {
        let lhs = transpose::permute(lhs, &self.lhs_spec);
        let rhs = transpose::permute(rhs, &self.rhs_spec);
        let result: Shape = self.out_spec.iter().map(|&axis| output.shape[axis]).collect();
        let taps = self.taps(lhs.shape(), rhs.shape(), &result);
        let dtype = wider(lhs.dtype(), self.preferred);
        let values = accumulate(&[&lhs, &rhs], dtype, self.preferred, |operands, dtype| {
            with_element!(dtype, T => {
                let values: Vec<T> = self.convolve(&operands[0], &operands[1], &result, &taps);
                Tensor::from_vec(result.clone(), values)
            })
        });
        transpose::permute(&values, &transpose::inverse(&self.out_spec))
    }

    /// For each spatial position of the result the elements of the lhs that its window meets, as flat positions within
    /// the spatial axes of the operands. Padding and the gaps of dilation are not among them.
    fn taps(&self, lhs: &Shape, rhs: &Shape, result: &Shape) -> Vec<Vec<Tap>> {
        let (lhs_strides, rhs_strides) = (lhs.strides(), rhs.strides());
        let mut all = vec![vec![Tap { window: 0, operand: 0 }]];
        for i in 0..self.window_strides.len() {
            let axis = i + 2;
            let slide = Slide {
                extent: lhs[axis],
                window: rhs[axis],
                stride: self.window_strides[i],
                low: self.padding[i].0,
                base_dilation: self.lhs_dilation[i],
                window_dilation: self.rhs_dilation[i],
            };
            let along_axis = slide.taps(result[axis]);
            let extend = |before: &Vec<Tap>, along: &Vec<Tap>| -> Vec<Tap> {
                let combined = before.iter().flat_map(|b| {
                    along.iter().map(|a| Tap {
                        window: b.window + a.window * rhs_strides[axis],
                        operand: b.operand + a.operand * lhs_strides[axis],
                    })
                });
                combined.collect()
            };
            all = all.iter().flat_map(|before| along_axis.iter().map(|along| extend(before, along))).collect();
        }
        all
    }

    /// The result in the order batch, feature, spatial, for operands in that order.
    fn convolve<T: ScalarSemantics>(&self, lhs: &Tensor, rhs: &Tensor, result: &Shape, taps: &[Vec<Tap>]) -> Vec<T> {
        let (batches, features) = (result[0], result[1]);
        let group_inputs = rhs.shape()[1];
        let lhs_features = lhs.shape()[1];
        let lhs_area: usize = lhs.shape()[2..].iter().product();
        let rhs_area: usize = rhs.shape()[2..].iter().product();
        let (lhs, rhs) = (lhs.as_slice::<T>(), rhs.as_slice::<T>());
        let groups = self.feature_group_count * self.batch_group_count;
        let group_features = features / groups;
        let mut values = vec![T::default(); result.size()];
        let (mut patch, mut weights) = (Vec::new(), Vec::new());
        for (at, taps) in taps.iter().enumerate() {
            for group in 0..groups {
                weights.clear();
                for filter in 0..group_features * group_inputs {
                    let first = (group * group_features * group_inputs + filter) * rhs_area;
                    weights.extend(taps.iter().map(|tap| rhs[first + tap.window]));
                }
                let length = group_inputs * taps.len();
                for batch in 0..batches {
                    // Feature groups divide the input features; batch groups divide the batches of the lhs.
                    let lhs_batch = if self.batch_group_count > 1 { group * batches + batch } else { batch };
                    let first_input = if self.feature_group_count > 1 { group * group_inputs } else { 0 };
                    patch.clear();
                    for input in first_input..first_input + group_inputs {
                        let first = (lhs_batch * lhs_features + input) * lhs_area;
                        patch.extend(taps.iter().map(|tap| lhs[first + tap.operand]));
                    }
                    for feature in 0..group_features {
                        let place = (batch * features + group * group_features + feature) * taps_count(result) + at;
                        values[place] = dot(&patch, &weights[feature * length..(feature + 1) * length]);
                    }
                }
            }
        }
        values
    }
}

fn taps_count(result: &Shape) -> usize {
    result[2..].iter().product()
}
