//! Convolutions in other forms: transposed, and those that only take windows out.

use rjax_ir::ErrorKind;

use super::contract::specs;
use super::{ConvDimensionNumbers, ConvOptions, Padding, conv_general_dilated};
use crate::error::fail_with;
use crate::{Array, numpy};

/// A convolution of arrays with axes batch, feature, spatial…, with dilations; an empty list of these is 1 everywhere. JAX:
/// `lax.conv_with_general_padding`.
#[track_caller]
pub fn conv_with_general_padding(
    x: &Array,
    kernel: &Array,
    strides: &[usize],
    padding: Padding,
    lhs_dilation: &[usize],
    rhs_dilation: &[usize],
) -> Array {
    let options =
        ConvOptions { lhs_dilation: lhs_dilation.to_vec(), rhs_dilation: rhs_dilation.to_vec(), ..Default::default() };
    conv_general_dilated(x, kernel, strides, padding, options)
}

/// Parameters of [`conv_transpose`] beyond strides and padding.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConvTransposeOptions {
    /// Spacing of the kernel's elements; empty for 1 everywhere.
    pub rhs_dilation: Vec<usize>,
    /// Axes; `None` for features last, as `("NHWC", "HWIO", "NHWC")`.
    pub dimension_numbers: Option<ConvDimensionNumbers>,
    /// Whether the kernel is that of the convolution of which this is the gradient: its spatial axes are reversed, and its features
    /// trade places.
    pub transpose_kernel: bool,
}

/// The convolution with a stride below one: elements are spread out by the strides. It is the gradient of a convolution with these
/// strides and this padding. JAX: `lax.conv_transpose`.
///
/// ```
/// use rjax::prelude::*;
/// use lax::{ConvTransposeOptions, Padding, conv_transpose};
/// let (x, kernel) = (jnp::array([[[1.0f32], [2.0]]]), jnp::array([[[1.0f32]], [[10.0]]]));
/// let y = conv_transpose(&x, &kernel, &[2], Padding::Valid, ConvTransposeOptions::default());
/// assert_eq!(y.to_vec::<f32>(), [10.0, 1.0, 20.0, 2.0]);
/// ```
#[track_caller]
pub fn conv_transpose(
    x: &Array,
    kernel: &Array,
    strides: &[usize],
    padding: Padding,
    options: ConvTransposeOptions,
) -> Array {
    let rank = x.ndim();
    let by_rank = [("NC", "IO"), ("NHC", "HIO"), ("NHWC", "HWIO"), ("NHWDC", "HWDIO")];
    let default = by_rank.get(rank.wrapping_sub(2)).map(|&(lhs, rhs)| ConvDimensionNumbers { lhs, rhs, out: lhs });
    let Some(dimension_numbers) = options.dimension_numbers.or(default).filter(|_| kernel.ndim() == rank) else {
        fail_with(
            ErrorKind::Shape,
            format!(
                "conv_transpose: found operands of type {} and {}, expected one rank, and dimension numbers for ranks other than 2 to 5",
                x.aval(),
                kernel.aval()
            ),
        )
    };
    let ConvDimensionNumbers { lhs, rhs, out } = dimension_numbers;
    let (_, kernel_axes, _) = specs(rank, lhs, rhs, out);
    let (features, spatial) = kernel_axes.split_at(2);
    let pads = |same: bool| {
        let pad = |(i, (&axis, &stride)): (usize, (&usize, &usize))| {
            let dilation = options.rhs_dilation.get(i).copied().unwrap_or(1) as i64;
            let (reach, stride) = ((kernel.shape()[axis] as i64 - 1) * dilation, stride as i64);
            let total = reach + stride - 1 + if same { 0 } else { (reach + 1 - stride).max(0) };
            let low = if same && stride <= reach { (total + 1) / 2 } else { reach };
            (low, total - low)
        };
        Padding::Explicit(spatial.iter().zip(strides).enumerate().map(pad).collect())
    };
    let padding = match padding {
        Padding::Same => pads(true),
        Padding::Valid => pads(false),
        Padding::Explicit(pads) => Padding::Explicit(pads),
    };
    let kernel = if options.transpose_kernel {
        numpy::swapaxes(&super::rev(kernel, spatial), features[0] as isize, features[1] as isize)
    } else {
        kernel.clone()
    };
    let options = ConvOptions {
        lhs_dilation: strides.to_vec(),
        rhs_dilation: options.rhs_dilation,
        dimension_numbers: Some(dimension_numbers),
        ..Default::default()
    };
    conv_general_dilated(x, &kernel, &vec![1; rank - 2], padding, options)
}

/// The windows of this shape that a convolution would multiply with its kernel, as features: for each feature of the operand all
/// elements of the window. JAX: `lax.conv_general_dilated_patches`.
///
/// ```
/// use rjax::prelude::*;
/// use lax::{Padding, conv_general_dilated_patches};
/// let x = jnp::array([[[1.0f32, 2.0, 3.0]]]);
/// let patches = conv_general_dilated_patches(&x, &[2], &[1], Padding::Valid, Default::default());
/// assert_eq!((&patches.shape()[..], patches.to_vec::<f32>()), (&[1, 2, 2][..], vec![1.0, 2.0, 2.0, 3.0]));
/// ```
#[track_caller]
pub fn conv_general_dilated_patches(
    x: &Array,
    window: &[usize],
    strides: &[usize],
    padding: Padding,
    options: ConvOptions,
) -> Array {
    let rank = x.ndim();
    if rank != window.len() + 2 {
        fail_with(
            ErrorKind::Shape,
            format!(
                "conv_general_dilated_patches: found a window of {} axes for {}, expected two less than the operand has",
                window.len(),
                x.aval()
            ),
        )
    }
    let (operand_axes, kernel_axes) = match options.dimension_numbers {
        None => ((0..rank).collect(), (0..rank).collect::<Vec<_>>()),
        Some(ConvDimensionNumbers { lhs, rhs, out }) => {
            let (lhs, rhs, _) = specs(rank, lhs, rhs, out);
            (lhs, rhs)
        }
    };
    let channels = x.shape()[operand_axes[1]];
    let size: usize = window.iter().product();
    // A kernel for each element of the window that takes it and nothing else, for each channel.
    let one_hot = numpy::eye(size, x.dtype()).reshape([&[size, 1], window].concat());
    let repeated = numpy::tile(&one_hot, &[&[channels][..], &vec![1; rank - 1]].concat());
    let mut order = vec![0; rank];
    kernel_axes.iter().enumerate().for_each(|(axis, &place)| order[place] = axis);
    let kernel = super::transpose(&repeated, &order);
    conv_general_dilated(x, &kernel, strides, padding, ConvOptions { feature_group_count: channels, ..options })
}
