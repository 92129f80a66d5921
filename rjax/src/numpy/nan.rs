//! Reductions that leave out NaN.

use crate::array::{Array, Axes, KeepDims, keepdims};
use crate::error::check;
use crate::lax;

/// The axes of a reduction, resolved once for functions that reduce several times. Everything inside keeps them with extent 1.
pub(super) struct Over {
    pub axes: Vec<usize>,
    keep: bool,
}

impl Over {
    #[track_caller]
    pub fn new(function: &str, x: &Array, axes: impl Axes) -> Over {
        Over { axes: check(axes.resolve(function, x.ndim())), keep: axes.keep() }
    }

    /// The axes, to stay with extent 1.
    pub fn kept(&self) -> KeepDims<&[usize]> {
        keepdims(&self.axes[..])
    }

    /// The result with or without the reduced axes, as the caller asked.
    #[track_caller]
    pub fn finish(&self, x: &Array) -> Array {
        if self.keep { x.clone() } else { lax::reshape(x, x.shape().without(&self.axes)) }
    }
}

/// x with another value in place of NaN.
#[track_caller]
fn filled(x: &Array, fill: f64) -> Array {
    if x.dtype().is_inexact() { lax::select(super::isnan(x), fill, x) } else { x.clone() }
}

/// The sum over axes, NaN as 0. JAX: `numpy.nansum`.
#[track_caller]
pub fn nansum(x: &Array, axes: impl Axes) -> Array {
    super::sum(&filled(x, 0.0), axes)
}

/// The product over axes, NaN as 1. JAX: `numpy.nanprod`.
#[track_caller]
pub fn nanprod(x: &Array, axes: impl Axes) -> Array {
    super::prod(&filled(x, 1.0), axes)
}

/// The maximum over axes without NaN; NaN where nothing is left. JAX: `numpy.nanmax`.
#[track_caller]
pub fn nanmax(x: &Array, axes: impl Axes) -> Array {
    let over = Over::new("nanmax", x, axes);
    let greatest = super::max(&filled(x, f64::NEG_INFINITY), over.kept());
    over.finish(&nan_where_all_nan(x, &over, greatest))
}

/// The minimum over axes without NaN; NaN where nothing is left. JAX: `numpy.nanmin`.
#[track_caller]
pub fn nanmin(x: &Array, axes: impl Axes) -> Array {
    let over = Over::new("nanmin", x, axes);
    let least = super::min(&filled(x, f64::INFINITY), over.kept());
    over.finish(&nan_where_all_nan(x, &over, least))
}

#[track_caller]
fn nan_where_all_nan(x: &Array, over: &Over, reduced: Array) -> Array {
    if !x.dtype().is_inexact() {
        return reduced;
    }
    lax::select(super::isnan(x).all(over.kept()), f64::NAN, &reduced)
}

/// How many elements along the axes are not NaN, in the dtype of the mean.
#[track_caller]
fn count(x: &Array, over: &Over, like: &Array) -> Array {
    super::logical_not(super::isnan(x)).sum(over.kept()).converted(like.dtype().real(), false)
}

/// The mean over axes without NaN. JAX: `numpy.nanmean`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([1.0, f64::NAN, 3.0]);
/// assert_eq!(jnp::nanmean(&x, ..).item::<f32>(), 2.0);
/// ```
#[track_caller]
pub fn nanmean(x: &Array, axes: impl Axes) -> Array {
    let over = Over::new("nanmean", x, axes);
    over.finish(&mean_kept(x, &over))
}

#[track_caller]
fn mean_kept(x: &Array, over: &Over) -> Array {
    if !x.dtype().is_inexact() {
        return super::mean(x, over.kept());
    }
    nansum(x, over.kept()) / count(x, over, x)
}

/// The variance over axes without NaN. JAX: `numpy.nanvar`.
#[track_caller]
pub fn nanvar(x: &Array, axes: impl Axes) -> Array {
    nanvar_ddof(x, axes, 0)
}

/// The variance over axes without NaN, the sum divided by the number of elements less `ddof`; NaN where that is not
/// positive. JAX: `numpy.nanvar(x, ddof=…)`.
#[track_caller]
pub fn nanvar_ddof(x: &Array, axes: impl Axes, ddof: usize) -> Array {
    let over = Over::new("nanvar", x, axes);
    let mean = mean_kept(x, &over);
    let wide = x.converted(mean.dtype(), x.is_weak());
    let centered = lax::select(super::isnan(&wide), 0.0, &wide - &mean);
    let squares = super::abs(&centered).square();
    let divisor = count(&wide, &over, &mean) - ddof as f64;
    let positive = divisor.gt(0.0);
    let variance = squares.sum(over.kept()) / super::where_(&positive, &divisor, 1.0);
    over.finish(&lax::select(&positive, &variance, lax::full_like(&variance, f64::NAN)))
}

/// The standard deviation over axes without NaN. JAX: `numpy.nanstd`.
#[track_caller]
pub fn nanstd(x: &Array, axes: impl Axes) -> Array {
    lax::sqrt(nanvar(x, axes))
}

/// The position of the maximum along an axis without NaN; -1 where nothing is left. JAX: `numpy.nanargmax`.
#[track_caller]
pub fn nanargmax(x: &Array, axis: isize) -> Array {
    let found = super::argmax(&filled(x, f64::NEG_INFINITY), axis);
    lax::select(super::isnan(x).all(axis), -1, &found)
}

/// The position of the minimum along an axis without NaN; -1 where nothing is left. JAX: `numpy.nanargmin`.
#[track_caller]
pub fn nanargmin(x: &Array, axis: isize) -> Array {
    let found = super::argmin(&filled(x, f64::INFINITY), axis);
    lax::select(super::isnan(x).all(axis), -1, &found)
}

/// Running sums along an axis, NaN as 0. JAX: `numpy.nancumsum`.
#[track_caller]
pub fn nancumsum(x: &Array, axis: isize) -> Array {
    super::cumsum(&filled(x, 0.0), axis)
}

/// Running products along an axis, NaN as 1. JAX: `numpy.nancumprod`.
#[track_caller]
pub fn nancumprod(x: &Array, axis: isize) -> Array {
    super::cumprod(&filled(x, 1.0), axis)
}
