//! Padding with values taken from the array.

use rjax_ir::{DType, ErrorKind, Shape};

use super::TakeMode;
use crate::array::{Array, keepdims};
use crate::error::fail_with;
use crate::lax;

/// What [`pad_with`] puts around an array.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PadMode {
    /// One value.
    Constant(f64),
    /// The nearest element.
    Edge,
    /// The array mirrored at its outer elements, which are not repeated: `c b | a b c | b a`.
    Reflect,
    /// The array mirrored at its edges, outer elements repeated: `b a | a b c | c b`.
    Symmetric,
    /// The array over and over: `b c | a b c | a b`.
    Wrap,
    /// From the outer element in even steps to this value.
    LinearRamp(f64),
    /// The maximum along the axis.
    Maximum,
    /// The minimum along the axis.
    Minimum,
    /// The mean along the axis, rounded for integers.
    Mean,
    /// The median along the axis, rounded for integers.
    Median,
    /// Whatever: zeros.
    Empty,
}

/// Padded with low and high padding for each axis, in the way that `mode` says. JAX: `numpy.pad`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([1, 2, 3]);
/// let y = jnp::pad_with(&x, &[(2, 1)], jnp::PadMode::Reflect);
/// assert_eq!(y.to_vec::<i32>(), [3, 2, 1, 2, 3, 2]);
/// ```
#[track_caller]
pub fn pad_with(x: &Array, widths: &[(usize, usize)], mode: PadMode) -> Array {
    if widths.len() != x.ndim() {
        fail_with(ErrorKind::Parameter, format!("pad: found {} widths for an array of type {}", widths.len(), x.aval()))
    }
    if let PadMode::Constant(value) = mode {
        return super::pad(x, widths, value);
    }
    let mut x = x.clone();
    for (axis, &(low, high)) in widths.iter().enumerate() {
        if (low, high) == (0, 0) {
            continue;
        }
        let n = x.shape()[axis];
        if n == 0 && mode != PadMode::Empty {
            fail_with(
                ErrorKind::Shape,
                format!("pad: axis {axis} of {} is empty and has nothing to pad with", x.aval()),
            )
        }
        x = match mode {
            PadMode::Edge | PadMode::Reflect | PadMode::Symmetric | PadMode::Wrap => {
                let source: Vec<i32> =
                    (-(low as i64)..(n + high) as i64).map(|i| source(mode, i, n as i64) as i32).collect();
                super::take(&x, Array::from_slice(&source), axis as isize, TakeMode::Clip)
            }
            PadMode::LinearRamp(end) => ramp(&x, axis, (low, high), end),
            PadMode::Maximum => surrounded(&x, axis, (low, high), x.max(keepdims(axis))),
            PadMode::Minimum => surrounded(&x, axis, (low, high), x.min(keepdims(axis))),
            PadMode::Mean => surrounded(&x, axis, (low, high), x.mean(keepdims(axis))),
            PadMode::Median => surrounded(&x, axis, (low, high), super::median(&x, keepdims(axis))),
            PadMode::Empty | PadMode::Constant(_) => {
                let mut only = vec![(0, 0); x.ndim()];
                only[axis] = (low, high);
                super::pad(&x, &only, 0)
            }
        };
    }
    x
}

/// Which of n elements stands at position i, which may lie outside.
fn source(mode: PadMode, i: i64, n: i64) -> i64 {
    match mode {
        PadMode::Reflect if n == 1 => 0,
        PadMode::Reflect => {
            let within = i.rem_euclid(2 * n - 2);
            within.min(2 * n - 2 - within)
        }
        PadMode::Symmetric => {
            let within = i.rem_euclid(2 * n);
            within.min(2 * n - 1 - within)
        }
        PadMode::Wrap => i.rem_euclid(n),
        PadMode::Edge
        | PadMode::Constant(_)
        | PadMode::LinearRamp(_)
        | PadMode::Maximum
        | PadMode::Minimum
        | PadMode::Mean
        | PadMode::Median
        | PadMode::Empty => i.clamp(0, n - 1),
    }
}

/// x between slices of one value each.
#[track_caller]
fn surrounded(x: &Array, axis: usize, (low, high): (usize, usize), value: Array) -> Array {
    let value = if x.dtype().is_integer() { super::rint(value) } else { value }.astype(x.dtype());
    let wide = |extent: usize| value.broadcasted(&x.shape().with_extent(axis, extent));
    lax::concatenate(&[&wide(low), x, &wide(high)], axis)
}

#[track_caller]
fn ramp(x: &Array, axis: usize, (low, high): (usize, usize), end: f64) -> Array {
    let n = x.shape()[axis];
    let dtype = if x.dtype().is_inexact() { x.dtype() } else { DType::F32 };
    let side = |count: usize, edge: usize, rising: bool| {
        let edge = lax::slice_in_dim(x, edge, edge + 1, axis as isize).astype(dtype);
        let mut shape = vec![1; x.ndim()];
        shape[axis] = count;
        // 0, 1/count, … on the way from `end` to the edge, or 1 - those on the way from the edge to `end`.
        let step = lax::iota(dtype, count) / count.max(1);
        let fraction = lax::reshape(&if rising { step } else { super::flip(&step, 0) }, Shape::from(shape));
        let value = end + (edge - end) * fraction;
        if x.dtype().is_integer() { super::trunc(value) } else { value }.astype(x.dtype())
    };
    lax::concatenate(&[&side(low, 0, true), x, &side(high, n - 1, false)], axis)
}
