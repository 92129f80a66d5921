//! Softmax and its relatives.

use rjax_ir::DType;

use crate::array::{Array, Axes, keepdims, promote_inexact};
use crate::transform::stop_gradient;
use crate::{lax, numpy};

/// The greatest element along axes, as a constant, and 0 where it is not finite.
#[track_caller]
fn shift(x: &Array, axes: &[usize]) -> Array {
    if axes.iter().any(|&axis| x.shape()[axis] == 0) {
        return Array::constant(rjax_ir::Scalar::zero(x.dtype()), false);
    }
    let greatest = stop_gradient(&numpy::max(x, keepdims(axes)));
    numpy::where_(numpy::isfinite(&greatest), &greatest, 0.0)
}

/// `log(sum(exp(x)))` over axes, without overflow.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([1000.0, 1000.0]);
/// assert!((nn::logsumexp(&x, ..).item::<f32>() - 1000.6931).abs() < 1e-3);
/// ```
#[track_caller]
pub fn logsumexp(x: &Array, axes: impl Axes) -> Array {
    let x = promote_inexact("logsumexp", &[x]).remove(0);
    let resolved = crate::error::check(axes.resolve("logsumexp", x.ndim()));
    let shift = shift(&x, &resolved);
    let total = (&x - &shift).exp().sum(keepdims(&resolved[..])).log() + shift;
    if axes.keep() { total } else { lax::reshape(&total, x.shape().without(&resolved)) }
}

/// `exp(x) / sum(exp(x))` along an axis.
#[track_caller]
pub fn softmax(x: &Array, axis: isize) -> Array {
    let x = promote_inexact("softmax", &[x]).remove(0);
    let shifted = &x - stop_gradient(&numpy::max(&x, keepdims(axis)));
    let exponentials = shifted.exp();
    &exponentials / exponentials.sum(keepdims(axis))
}

/// `x - log(sum(exp(x)))` along an axis.
#[track_caller]
pub fn log_softmax(x: &Array, axis: isize) -> Array {
    let x = promote_inexact("log_softmax", &[x]).remove(0);
    let shifted = &x - stop_gradient(&numpy::max(&x, keepdims(axis)));
    &shifted - shifted.exp().sum(keepdims(axis)).log()
}

/// Mean 0 and variance 1 along an axis.
#[track_caller]
pub fn standardize(x: &Array, axis: isize, epsilon: f64) -> Array {
    let x = promote_inexact("standardize", &[x]).remove(0);
    let centered = &x - x.mean(keepdims(axis));
    &centered * lax::rsqrt(centered.square().mean(keepdims(axis)) + epsilon)
}

/// Attention: `softmax(q kᵀ / sqrt(d)) v` for arrays with axes batch, length, heads, depth; positions where the mask (batch or
/// 1, heads or 1, query length, key length) is false are left out.
#[track_caller]
pub fn dot_product_attention(query: &Array, key: &Array, value: &Array, mask: Option<&Array>) -> Array {
    let [_, _, _, depth] = query.dims();
    let scores = numpy::einsum("btnh,bsnh->bnts", &[query, key]) * (1.0 / (depth as f64).sqrt());
    let scores = match mask {
        Some(mask) => {
            let least =
                rjax_ir::Scalar::from_f64(scores.dtype(), if scores.dtype() == DType::F16 { -65504.0 } else { -1e30 });
            numpy::where_(mask, &scores, Array::constant(least, false))
        }
        None => scores,
    };
    numpy::einsum("bnts,bsnh->btnh", &[&softmax(&scores, -1), value])
}

/// `log(mean(exp(x)))` over axes, without overflow. JAX: `nn.logmeanexp`.
#[track_caller]
pub fn logmeanexp(x: &Array, axes: impl Axes) -> Array {
    let resolved = crate::error::check(axes.resolve("logmeanexp", x.ndim()));
    let count: usize = resolved.iter().map(|&axis| x.shape()[axis]).product();
    logsumexp(x, axes) - (count as f64).ln()
}

/// [`softmax`] over the elements for which a mask, which broadcasts to x, holds; 0 elsewhere. JAX: `nn.softmax(x, where=…)`.
#[track_caller]
pub fn softmax_where(x: &Array, axis: isize, mask: &Array) -> Array {
    let exponentials = shifted_where("softmax", x, axis, mask).exp();
    numpy::where_(mask, &exponentials / exponentials.sum(keepdims(axis)), 0.0)
}

/// [`log_softmax`] over the elements for which a mask, which broadcasts to x, holds; minus infinity elsewhere. JAX:
/// `nn.log_softmax(x, where=…)`.
#[track_caller]
pub fn log_softmax_where(x: &Array, axis: isize, mask: &Array) -> Array {
    let shifted = shifted_where("log_softmax", x, axis, mask);
    numpy::where_(mask, &shifted - shifted.exp().sum(keepdims(axis)).log(), f64::NEG_INFINITY)
}

/// x less its maximum where the mask holds, minus infinity elsewhere.
#[track_caller]
fn shifted_where(function: &str, x: &Array, axis: isize, mask: &Array) -> Array {
    let x = promote_inexact(function, &[x]).remove(0);
    let x = numpy::where_(mask, &x, f64::NEG_INFINITY);
    &x - stop_gradient(&numpy::max(&x, keepdims(axis)))
}
