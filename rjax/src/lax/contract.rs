//! Dot products and convolutions.

use std::cell::Cell;

use rjax_ir::{Conv, DType, DotGeneral, ErrorKind, Op, Precision};

use crate::Array;
use crate::error::fail_with;
use crate::trace::emit1;

thread_local! {
    static PRECISION: Cell<Precision> = const { Cell::new(Precision::Default) };
}

/// The precision of products that ask for none.
pub(crate) fn matmul_precision() -> Precision {
    PRECISION.get()
}

/// Runs `f` with another precision for the products of `f32` matrices that ask for none. The precision says how devices
/// with units for narrower numbers may round the factors: a TPU takes them as `bf16` by default, as sums of two
/// `bf16` at `High` and of three at `Highest`. Processors compute in `f32` in any case.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::lax::Precision;
/// let x = Array::spec(DType::F32, [2, 2]);
/// let square = jit(|x: &Array| x.dot(x));
/// let text = rjax::default_matmul_precision(Precision::Highest, || square.lower((&x,)).unwrap().stablehlo().unwrap());
/// assert!(text.contains("precision = [HIGHEST, HIGHEST]"));
/// ```
pub fn default_matmul_precision<R>(precision: Precision, f: impl FnOnce() -> R) -> R {
    struct Restore(Precision);
    impl Drop for Restore {
        fn drop(&mut self) {
            PRECISION.set(self.0);
        }
    }
    let _restore = Restore(PRECISION.replace(precision));
    f()
}

/// Sums of products over pairs of contracting axes, for each index of pairs of batch axes. The result's axes are the batch
/// axes, the free axes of `x`, the free axes of `y`. [`Precision::Default`] is what
/// [`default_matmul_precision`](crate::default_matmul_precision) says.
#[track_caller]
pub fn dot_general(
    x: &Array,
    y: &Array,
    contracting: (&[usize], &[usize]),
    batch: (&[usize], &[usize]),
    precision: Precision,
    preferred: Option<DType>,
) -> Array {
    let op = DotGeneral {
        lhs_contracting: contracting.0.to_vec(),
        rhs_contracting: contracting.1.to_vec(),
        lhs_batch: batch.0.to_vec(),
        rhs_batch: batch.1.to_vec(),
        precision: if precision == Precision::Default { matmul_precision() } else { precision },
        preferred: preferred.unwrap_or(x.dtype()),
    };
    emit1(Op::DotGeneral(op), &[x, y])
}

/// The product of vectors and matrices.
#[track_caller]
pub fn dot(x: &Array, y: &Array) -> Array {
    let ok = |array: &Array| (1..=2).contains(&array.ndim());
    if !ok(x) || !ok(y) {
        fail_with(
            ErrorKind::Shape,
            format!("dot: found operands of type {} and {}, expected vectors or matrices", x.aval(), y.aval()),
        )
    }
    dot_general(x, y, (&[x.ndim() - 1], &[0]), (&[], &[]), Precision::Default, None)
}

/// Matrix products for each index of the leading axes, which both operands share.
#[track_caller]
pub fn batch_matmul(x: &Array, y: &Array) -> Array {
    let rank = x.ndim();
    if rank < 2 || y.ndim() != rank {
        fail_with(
            ErrorKind::Shape,
            format!(
                "batch_matmul: found operands of type {} and {}, expected one rank of at least 2",
                x.aval(),
                y.aval()
            ),
        )
    }
    let batch: Vec<usize> = (0..rank - 2).collect();
    dot_general(x, y, (&[rank - 1], &[rank - 2]), (&batch, &batch), Precision::Default, None)
}

/// How much a convolution pads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Padding {
    /// Nothing: windows stay inside.
    Valid,
    /// So that the result has the operand's extent divided by the stride, rounded up.
    Same,
    /// Low and high padding for each spatial axis; negative removes.
    Explicit(Vec<(i64, i64)>),
}

/// Which axes mean what: each string has a letter for each axis, `N` (batch), `C` (feature), `O` and `I` (output and input
/// features of the kernel), anything else spatial: `("NHWC", "HWIO", "NHWC")`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvDimensionNumbers {
    /// The operand.
    pub lhs: &'static str,
    /// The kernel.
    pub rhs: &'static str,
    /// The result.
    pub out: &'static str,
}

/// Parameters of a convolution beyond the window's strides and the padding.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConvOptions {
    /// Spacing of the operand's elements; empty for 1 everywhere.
    pub lhs_dilation: Vec<usize>,
    /// Spacing of the kernel's elements; empty for 1 everywhere.
    pub rhs_dilation: Vec<usize>,
    /// Axes; `None` for batch, feature, spatial… and output feature, input feature, spatial….
    pub dimension_numbers: Option<ConvDimensionNumbers>,
    /// Groups of features that do not mix; 0 counts as 1.
    pub feature_group_count: usize,
    /// Groups of batches that go to different output features; 0 counts as 1.
    pub batch_group_count: usize,
    /// The result's dtype, where it is not the operands'.
    pub preferred: Option<DType>,
}

/// A convolution of arrays with axes batch, feature, spatial….
#[track_caller]
pub fn conv(x: &Array, kernel: &Array, strides: &[usize], padding: Padding) -> Array {
    conv_general_dilated(x, kernel, strides, padding, ConvOptions::default())
}

/// A convolution with every parameter.
#[track_caller]
pub fn conv_general_dilated(
    x: &Array,
    kernel: &Array,
    strides: &[usize],
    padding: Padding,
    options: ConvOptions,
) -> Array {
    let rank = x.ndim();
    if rank < 2 || kernel.ndim() != rank || strides.len() != rank - 2 {
        fail_with(
            ErrorKind::Shape,
            format!(
                "conv: found operands of type {} and {} with {} strides, expected one rank and a stride for each spatial axis",
                x.aval(),
                kernel.aval(),
                strides.len()
            ),
        )
    }
    let spatial = rank - 2;
    let (lhs_spec, rhs_spec, out_spec) = match options.dimension_numbers {
        None => ((0..rank).collect(), (0..rank).collect(), (0..rank).collect::<Vec<_>>()),
        Some(ConvDimensionNumbers { lhs, rhs, out }) => specs(rank, lhs, rhs, out),
    };
    let ones = |dilation: Vec<usize>| if dilation.is_empty() { vec![1; spatial] } else { dilation };
    let (lhs_dilation, rhs_dilation) = (ones(options.lhs_dilation), ones(options.rhs_dilation));
    let extent = |spec: &[usize], array: &Array, i: usize, dilation: &[usize]| {
        array.shape()[spec[i + 2]].saturating_sub(1) * dilation.get(i).copied().unwrap_or(1) + 1
    };
    let padding = match padding {
        Padding::Explicit(padding) => padding,
        Padding::Valid => vec![(0, 0); spatial],
        Padding::Same => (0..spatial)
            .map(|i| {
                let (size, window) =
                    (extent(&lhs_spec, x, i, &lhs_dilation), extent(&rhs_spec, kernel, i, &rhs_dilation));
                let total = ((size.div_ceil(strides[i]) - 1) * strides[i] + window).saturating_sub(size);
                ((total / 2) as i64, (total - total / 2) as i64)
            })
            .collect(),
    };
    let op = Conv {
        lhs_spec,
        rhs_spec,
        out_spec,
        window_strides: strides.to_vec(),
        padding,
        lhs_dilation,
        rhs_dilation,
        feature_group_count: options.feature_group_count.max(1),
        batch_group_count: options.batch_group_count.max(1),
        preferred: options.preferred.unwrap_or(x.dtype()),
    };
    emit1(Op::Conv(op), &[x, kernel])
}

/// Axes in the order of the IR from strings such as `NHWC`; spatial axes are matched by letter.
#[track_caller]
pub(super) fn specs(rank: usize, lhs: &str, rhs: &str, out: &str) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
    let spatial: Vec<char> = lhs.chars().filter(|c| !"NC".contains(*c)).collect();
    let axes = |text: &str, first: [char; 2]| -> Vec<usize> {
        let position = |c: char| text.chars().position(|d| d == c);
        let found: Option<Vec<usize>> = first.iter().chain(&spatial).map(|&c| position(c)).collect();
        match found {
            Some(axes) if text.chars().count() == rank && axes.len() == rank => axes,
            Some(_) | None => fail_with(
                ErrorKind::Parameter,
                format!("conv: dimension numbers ({lhs}, {rhs}, {out}) do not name the {rank} axes of the operands"),
            ),
        }
    };
    (axes(lhs, ['N', 'C']), axes(rhs, ['O', 'I']), axes(out, ['N', 'C']))
}
