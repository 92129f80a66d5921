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
