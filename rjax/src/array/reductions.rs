//! Naming axes of a reduction, and the reductions as methods.

use std::ops::RangeFull;

use rjax_ir::Result;

use super::{Array, Operand};
use crate::lax::resolve_axes;
use crate::numpy;

/// Which axes a function works on: `..` for all, `0`, `-1`, `[0, 1]`, a `Vec` or slice; [`keepdims`] keeps them with extent 1.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name axes",
    note = "axes are `..` for all, an integer, an array, slice or vector of integers, or `keepdims(…)` of these"
)]
pub trait Axes {
    /// The axes, counted from the front, in ascending order.
    fn resolve(&self, function: &str, rank: usize) -> Result<Vec<usize>>;
    /// Whether they stay, with extent 1.
    fn keep(&self) -> bool {
        false
    }
}

fn ascending(function: &str, axes: impl IntoIterator<Item = isize>, rank: usize) -> Result<Vec<usize>> {
    let axes: Vec<isize> = axes.into_iter().collect();
    let mut axes = resolve_axes(function, &axes, rank)?;
    axes.sort_unstable();
    Ok(axes)
}

impl Axes for RangeFull {
    fn resolve(&self, _: &str, rank: usize) -> Result<Vec<usize>> {
        Ok((0..rank).collect())
    }
}

macro_rules! axes {
    ($($type:ty)*) => {$(
        impl Axes for $type {
            fn resolve(&self, function: &str, rank: usize) -> Result<Vec<usize>> {
                ascending(function, [*self as isize], rank)
            }
        }

        impl<const N: usize> Axes for [$type; N] {
            fn resolve(&self, function: &str, rank: usize) -> Result<Vec<usize>> {
                ascending(function, self.iter().map(|&axis| axis as isize), rank)
            }
        }

        impl Axes for &[$type] {
            fn resolve(&self, function: &str, rank: usize) -> Result<Vec<usize>> {
                ascending(function, self.iter().map(|&axis| axis as isize), rank)
            }
        }

        impl Axes for Vec<$type> {
            fn resolve(&self, function: &str, rank: usize) -> Result<Vec<usize>> {
                ascending(function, self.iter().map(|&axis| axis as isize), rank)
            }
        }
    )*};
}

axes!(i32 isize usize);

/// Axes that stay in the result with extent 1: see [`keepdims`].
#[derive(Clone, Copy, Debug)]
pub struct KeepDims<A>(A);

/// Makes a reduction keep its axes, with extent 1.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([[1.0, 3.0], [2.0, 6.0]]);
/// let normalized = &x / x.sum(keepdims(-1));
/// assert_eq!(normalized.to_vec::<f32>(), [0.25, 0.75, 0.25, 0.75]);
/// ```
pub fn keepdims<A: Axes>(axes: A) -> KeepDims<A> {
    KeepDims(axes)
}

impl<A: Axes> Axes for KeepDims<A> {
    fn resolve(&self, function: &str, rank: usize) -> Result<Vec<usize>> {
        self.0.resolve(function, rank)
    }

    fn keep(&self) -> bool {
        true
    }
}

macro_rules! methods {
    ($($name:ident $doc:literal;)*) => {
        impl Array {$(
            #[doc = $doc]
            #[track_caller]
            pub fn $name(&self, axes: impl Axes) -> Array {
                numpy::$name(self, axes)
            }
        )*}
    };
}

methods! {
    sum "The sum over axes; bool and small integers add up as 32-bit integers, f16 and bf16 in f32.";
    prod "The product over axes.";
    max "The maximum over axes; NaN wins.";
    min "The minimum over axes; NaN wins.";
    mean "The mean over axes.";
    var "The variance over axes (divided by the number of elements).";
    std "The standard deviation over axes.";
    all "Whether all elements along axes are true.";
    any "Whether some element along axes is true.";
    ptp "The range of values over axes: maximum minus minimum.";
}

impl Array {
    /// The position of the maximum along an axis; the first NaN wins.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Array {
        numpy::argmax(self, axis)
    }

    /// The position of the minimum along an axis; the first NaN wins.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Array {
        numpy::argmin(self, axis)
    }

    /// Running sums along an axis.
    #[track_caller]
    pub fn cumsum(&self, axis: isize) -> Array {
        numpy::cumsum(self, axis)
    }

    /// Running products along an axis.
    #[track_caller]
    pub fn cumprod(&self, axis: isize) -> Array {
        numpy::cumprod(self, axis)
    }

    /// Values limited to a range.
    #[track_caller]
    pub fn clip(&self, low: impl Operand, high: impl Operand) -> Array {
        numpy::clip(self, low, high)
    }
}
