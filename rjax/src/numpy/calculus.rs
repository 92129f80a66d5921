//! Differences, sums and integrals along axes, interpolation and convolution.

use rjax_ir::{DType, ErrorKind, Shape};

use crate::array::{Array, Operand, promote_dtypes, promote_inexact};
use crate::error::{check, fail_with};
use crate::lax::{self, resolve_axis};

/// Derivatives along an axis by differences over points one `spacing` apart: central ones inside, one-sided ones at the ends.
/// JAX: `numpy.gradient`.
///
/// ```
/// use rjax::prelude::*;
/// let y = jnp::array([0.0, 1.0, 4.0, 9.0]);
/// assert_eq!(jnp::gradient(&y, 1.0, 0).to_vec::<f32>(), [1.0, 2.0, 4.0, 5.0]);
/// ```
#[track_caller]
pub fn gradient(x: &Array, spacing: impl Operand, axis: isize) -> Array {
    let x = promote_inexact("gradient", &[x]).remove(0);
    let axis = check(resolve_axis("gradient", axis, x.ndim()));
    let n = x.shape()[axis];
    if n < 2 {
        fail_with(ErrorKind::Shape, format!("gradient: axis {axis} of {} has size {n}, expected at least 2", x.aval()))
    }
    let part = |start: usize, stop: usize| lax::slice_in_dim(&x, start, stop, axis as isize);
    let first = part(1, 2) - part(0, 1);
    let last = part(n - 1, n) - part(n - 2, n - 1);
    let inner = (part(2, n) - part(0, n - 2)) * 0.5;
    lax::concatenate(&[&first, &inner, &last], axis) / spacing.into_array()
}

/// Differences of neighbours of the flattened array, with something in front and behind. JAX: `numpy.ediff1d`.
#[track_caller]
pub fn ediff1d(x: &Array, to_begin: Option<&Array>, to_end: Option<&Array>) -> Array {
    let mut parts = vec![super::diff(&x.ravel(), 1, 0)];
    if let Some(begin) = to_begin {
        parts.insert(0, begin.ravel().astype(x.dtype()));
    }
    if let Some(end) = to_end {
        parts.push(end.ravel().astype(x.dtype()));
    }
    super::concatenate(&parts, 0)
}

/// The integral along an axis by the trapezoidal rule, of points `dx` apart. JAX: `numpy.trapezoid`.
#[track_caller]
pub fn trapezoid(y: &Array, dx: impl Operand, axis: isize) -> Array {
    let y = promote_inexact("trapezoid", &[y]).remove(0);
    let y = super::moveaxis(&y, axis, -1);
    integrate(&y, dx.into_array())
}

/// The integral along an axis by the trapezoidal rule, over coordinates: a vector along the axis, or an array of y's shape.
/// JAX: `numpy.trapezoid(y, x)`.
#[track_caller]
pub fn trapezoid_over(y: &Array, x: &Array, axis: isize) -> Array {
    let operands = promote_dtypes(&[y, x]);
    let (y, x) = (&operands[0], &operands[1]);
    let y = super::moveaxis(&promote_inexact("trapezoid", &[y]).remove(0), axis, -1);
    let x = if x.ndim() == 1 { x.clone() } else { super::moveaxis(x, axis, -1) };
    integrate(&y, super::diff(&x, 1, -1))
}

#[track_caller]
fn integrate(y: &Array, dx: Array) -> Array {
    let n = *y.shape().last().expect("resolved");
    let (later, earlier) = (lax::slice_in_dim(y, n.min(1), n, -1), lax::slice_in_dim(y, 0, n.saturating_sub(1), -1));
    0.5 * (dx * (later + earlier)).sum(-1)
}

/// Running sums along an axis, from 0 if `include_initial`. JAX: `numpy.cumulative_sum`.
#[track_caller]
pub fn cumulative_sum(x: &Array, axis: isize, include_initial: bool) -> Array {
    with_initial(super::cumsum(x, axis), axis, include_initial.then_some(0))
}

/// Running products along an axis, from 1 if `include_initial`. JAX: `numpy.cumulative_prod`.
#[track_caller]
pub fn cumulative_prod(x: &Array, axis: isize, include_initial: bool) -> Array {
    with_initial(super::cumprod(x, axis), axis, include_initial.then_some(1))
}

#[track_caller]
fn with_initial(x: Array, axis: isize, initial: Option<i64>) -> Array {
    let Some(initial) = initial else { return x };
    let axis = check(resolve_axis("cumulative", axis, x.ndim()));
    let first = lax::full(x.shape().with_extent(axis, 1), initial, x.dtype());
    lax::concatenate(&[&first, &x], axis)
}

/// Angles along an axis with jumps of more than half a period taken out. JAX: `numpy.unwrap`.
#[track_caller]
pub fn unwrap(x: &Array, period: f64, axis: isize) -> Array {
    let x = promote_inexact("unwrap", &[x]).remove(0);
    let axis = check(resolve_axis("unwrap", axis, x.ndim())) as isize;
    let n = x.shape()[axis as usize];
    if n == 0 {
        return x;
    }
    let half = period / 2.0;
    let jump = super::diff(&x, 1, axis);
    let within = super::remainder(&jump + half, period) - half;
    let within = super::where_(within.eq(-half) & jump.gt(0.0), half, &within);
    let correction = super::where_(jump.abs().lt(half), 0.0, within - &jump);
    let rest = lax::slice_in_dim(&x, 1, n, axis) + super::cumsum(&correction, axis);
    lax::concatenate(&[&lax::slice_in_dim(&x, 0, 1, axis), &rest], axis as usize)
}

/// What [`interp_with`] can be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterpOptions {
    /// The value left of the first point, instead of the first value.
    pub left: Option<f64>,
    /// The value right of the last point, instead of the last value.
    pub right: Option<f64>,
    /// The coordinates repeat with this period; they need not be sorted then.
    pub period: Option<f64>,
}

/// Piecewise linear interpolation at x between the points (xp, fp), with xp ascending. JAX: `numpy.interp`.
///
/// ```
/// use rjax::prelude::*;
/// let (xp, fp) = (jnp::array([0.0, 1.0, 3.0]), jnp::array([0.0, 10.0, 30.0]));
/// assert_eq!(jnp::interp(&jnp::array([-1.0, 0.5, 2.0]), &xp, &fp).to_vec::<f32>(), [0.0, 5.0, 20.0]);
/// ```
#[track_caller]
pub fn interp(x: &Array, xp: &Array, fp: &Array) -> Array {
    interp_with(x, xp, fp, InterpOptions::default())
}

/// As [`interp`] with options.
#[track_caller]
pub fn interp_with(x: &Array, xp: &Array, fp: &Array, options: InterpOptions) -> Array {
    if xp.ndim() != 1 || xp.shape() != fp.shape() || xp.is_empty() {
        fail_with(
            ErrorKind::Shape,
            format!("interp: found xp {} and fp {}, expected vectors of one size", xp.aval(), fp.aval()),
        )
    }
    let (dtype, _) = crate::array::result_type(&[x, xp]);
    let dtype = if dtype.is_inexact() { dtype } else { DType::F32 };
    let (mut x, mut xp) = (x.converted(dtype, false), xp.converted(dtype, false));
    let mut fp = promote_inexact("interp", &[fp]).remove(0);
    if let Some(period) = options.period {
        let period = period.abs();
        x = super::remainder(&x, period);
        xp = super::remainder(&xp, period);
        let order = super::argsort(&xp, 0);
        let sorted = |a: &Array| super::take(a, &order, 0, super::TakeMode::Clip);
        (xp, fp) = (sorted(&xp), sorted(&fp));
        let n = xp.len();
        let (first, last) = (lax::slice_in_dim(&xp, 0, 1, 0), lax::slice_in_dim(&xp, n - 1, n, 0));
        xp = super::concatenate(&[last - period, xp, first + period], 0);
        fp = super::concatenate(&[lax::slice_in_dim(&fp, n - 1, n, 0), fp.clone(), lax::slice_in_dim(&fp, 0, 1, 0)], 0);
    }
    let n = xp.len();
    if n == 1 {
        return super::where_(
            x.lt(&xp),
            options.left.map_or(fp.clone(), Array::from),
            super::where_(x.gt(&xp), options.right.map_or(fp.clone(), Array::from), &fp),
        );
    }
    let i = super::clip(super::searchsorted(&xp, &x, true), 1, n - 1);
    let at = |a: &Array, i: &Array| super::take(a, i, 0, super::TakeMode::Clip);
    let before = &i - 1;
    let (x0, f0) = (at(&xp, &before), at(&fp, &before));
    let (dx, df) = (at(&xp, &i) - &x0, at(&fp, &i) - &f0);
    let flat = dx.abs().le(0.0);
    let inside = super::where_(&flat, &f0, &f0 + (&x - &x0) / super::where_(&flat, 1, &dx) * df);
    let (first, last) = (lax::index_in_dim(&xp, 0, 0), lax::index_in_dim(&xp, n - 1, 0));
    if options.period.is_some() {
        return inside;
    }
    let left = options.left.map_or_else(|| lax::index_in_dim(&fp, 0, 0), Array::from);
    let right = options.right.map_or_else(|| lax::index_in_dim(&fp, n - 1, 0), Array::from);
    super::where_(x.lt(first), left, super::where_(x.gt(last), right, inside))
}

/// Which part of a convolution is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConvolveMode {
    /// Wherever the operands overlap.
    #[default]
    Full,
    /// As many elements as the longer operand has, from the middle.
    Same,
    /// Where the shorter operand lies within the longer one.
    Valid,
}

/// The convolution of two vectors. JAX: `numpy.convolve`.
///
/// ```
/// use rjax::prelude::*;
/// let y = jnp::convolve(&jnp::array([1.0, 2.0, 3.0]), &jnp::array([0.0, 1.0, 0.5]), jnp::ConvolveMode::Full);
/// assert_eq!(y.to_vec::<f32>(), [0.0, 1.0, 2.5, 4.0, 1.5]);
/// ```
#[track_caller]
pub fn convolve(x: &Array, y: &Array, mode: ConvolveMode) -> Array {
    let operands = vectors("convolve", x, y);
    let (x, y) = (&operands[0], &operands[1]);
    let (x, y) = if x.len() < y.len() { (y, x) } else { (x, y) };
    slide(x, &super::flip(y, 0), mode)
}

/// The cross-correlation of two vectors, the second conjugated. JAX: `numpy.correlate`, whose default is `Valid`.
#[track_caller]
pub fn correlate(x: &Array, y: &Array, mode: ConvolveMode) -> Array {
    let operands = vectors("correlate", x, y);
    let (x, y) = (&operands[0], super::conj(&operands[1]));
    if x.len() < y.len() { super::flip(&slide(&y, x, mode), 0) } else { slide(x, &y, mode) }
}

#[track_caller]
fn vectors(function: &str, x: &Array, y: &Array) -> Vec<Array> {
    if x.ndim() != 1 || y.ndim() != 1 || x.is_empty() || y.is_empty() {
        fail_with(
            ErrorKind::Shape,
            format!("{function}: found {} and {}, expected vectors that are not empty", x.aval(), y.aval()),
        )
    }
    let operands = promote_dtypes(&[x, y]);
    operands.iter().map(|x| if x.dtype().is_inexact() { x.clone() } else { x.astype(DType::F32) }).collect()
}

/// Sums of products of x with y laid on at each position.
#[track_caller]
fn slide(x: &Array, y: &Array, mode: ConvolveMode) -> Array {
    let m = y.len();
    let padding = match mode {
        ConvolveMode::Full => (m - 1, m - 1),
        ConvolveMode::Same => (m / 2, m - m / 2 - 1),
        ConvolveMode::Valid => (0, 0),
    };
    let line = |a: &Array| lax::reshape(a, Shape::from([1, 1, a.len()]));
    let padding = lax::Padding::Explicit(vec![(padding.0 as i64, padding.1 as i64)]);
    lax::conv(&line(x), &line(y), &[1], padding).ravel()
}
