//! Quantiles, percentiles and medians.

use rjax_ir::{DType, Shape};

use super::nan::Over;
use crate::array::{Array, Axes, Operand, promote_inexact};
use crate::lax;

/// Which value stands for a quantile between two elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum QuantileMethod {
    /// On the line between them.
    #[default]
    Linear,
    /// The lesser.
    Lower,
    /// The greater.
    Higher,
    /// Halfway between them.
    Midpoint,
    /// The nearer, the lesser at a tie.
    Nearest,
}

/// Quantiles over axes: `q` is between 0 and 1, its axes come first in the result. NaN if an element is. JAX: `numpy.quantile`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([1.0, 2.0, 4.0, 8.0]);
/// assert_eq!(jnp::quantile(&x, &jnp::array([0.5, 1.0]), ..).to_vec::<f32>(), [3.0, 8.0]);
/// ```
#[track_caller]
pub fn quantile(x: &Array, q: impl Operand, axes: impl Axes) -> Array {
    quantile_by(x, q, axes, QuantileMethod::Linear)
}

/// As [`quantile`], by another method between elements.
#[track_caller]
pub fn quantile_by(x: &Array, q: impl Operand, axes: impl Axes, method: QuantileMethod) -> Array {
    over("quantile", x, q.into_array(), axes, method, false)
}

/// Quantiles over axes without NaN. JAX: `numpy.nanquantile`.
#[track_caller]
pub fn nanquantile(x: &Array, q: impl Operand, axes: impl Axes) -> Array {
    over("nanquantile", x, q.into_array(), axes, QuantileMethod::Linear, true)
}

/// Percentiles over axes: quantiles with `q` between 0 and 100. JAX: `numpy.percentile`.
#[track_caller]
pub fn percentile(x: &Array, q: impl Operand, axes: impl Axes) -> Array {
    over("percentile", x, q.into_array() / 100, axes, QuantileMethod::Linear, false)
}

/// Percentiles over axes without NaN. JAX: `numpy.nanpercentile`.
#[track_caller]
pub fn nanpercentile(x: &Array, q: impl Operand, axes: impl Axes) -> Array {
    over("nanpercentile", x, q.into_array() / 100, axes, QuantileMethod::Linear, true)
}

/// The median over axes: the mean of the two middle elements where their number is even. JAX: `numpy.median`.
#[track_caller]
pub fn median(x: &Array, axes: impl Axes) -> Array {
    over("median", x, Array::from(0.5), axes, QuantileMethod::Linear, false)
}

/// The median over axes without NaN. JAX: `numpy.nanmedian`.
#[track_caller]
pub fn nanmedian(x: &Array, axes: impl Axes) -> Array {
    over("nanmedian", x, Array::from(0.5), axes, QuantileMethod::Linear, true)
}

#[track_caller]
fn over(function: &str, x: &Array, q: Array, axes: impl Axes, method: QuantileMethod, without_nan: bool) -> Array {
    let keep = axes.keep();
    let over = Over::new(function, x, axes);
    let dtype =
        promote_inexact(function, &[&Array::constant(rjax_ir::Scalar::zero(x.dtype()), x.is_weak()), &q.ravel()])[0]
            .dtype();
    let x = x.converted(dtype, false);
    let (shape, q_shape) = (x.shape(), q.shape());
    // The reduced axes as one, which comes last.
    let others: Vec<usize> = (0..shape.rank()).filter(|axis| !over.axes.contains(axis)).collect();
    let rest: Shape = others.iter().map(|&axis| shape[axis]).collect();
    let n: usize = over.axes.iter().map(|&axis| shape[axis]).product();
    let lines =
        lax::reshape(&lax::transpose(&x, &[others, over.axes.clone()].concat()), rest.with_axis(rest.rank(), n));
    let is_nan = super::isnan(&lines);
    let (lines, last) = if without_nan {
        // NaN sorts last, so that the others fill a prefix.
        let count = super::logical_not(&is_nan).sum(crate::array::keepdims(-1)).converted(dtype, false);
        (lines, count - 1.0)
    } else {
        let poisoned = is_nan.any(crate::array::keepdims(-1)).broadcasted(&lines.shape());
        (lax::select(poisoned, f64::NAN, &lines), Array::scalar(n as f64 - 1.0).converted(dtype, false))
    };
    let sorted = lax::sort(&lines, -1);
    let q = q.converted(dtype, false).ravel();
    let position = super::maximum(q * last, 0.0);
    let (low, high) = (lax::floor(&position), lax::ceil(&position));
    let part = &position - &low;
    let at = |index: &Array| {
        let index = index.astype(DType::I32);
        let missing = sorted.ndim() - index.ndim();
        super::take_along_axis(&sorted, &lax::reshape(&index, [vec![1; missing], index.shape().to_vec()].concat()), -1)
    };
    let (below, above) = (at(&low), at(&high));
    let picked = match method {
        QuantileMethod::Linear => &below * (1.0 - &part) + &above * &part,
        QuantileMethod::Lower => below,
        QuantileMethod::Higher => above,
        QuantileMethod::Midpoint => (below + above) * 0.5,
        QuantileMethod::Nearest => super::where_(part.le(0.5), below, above),
    };
    let result: Shape = if keep {
        let kept = (0..shape.rank()).map(|axis| if over.axes.contains(&axis) { 1 } else { shape[axis] });
        q_shape.iter().copied().chain(kept).collect()
    } else {
        q_shape.iter().chain(rest.iter()).copied().collect()
    };
    lax::reshape(&super::moveaxis(&picked, -1, 0), result)
}
