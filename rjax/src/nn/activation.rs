//! Activation functions.

use rjax_ir::DType;

use crate::array::{Array, Operand, promote_inexact};
use crate::transform::custom_jvp;
use crate::{lax, numpy};

#[track_caller]
fn float(function: &str, x: impl Operand) -> Array {
    promote_inexact(function, &[&x.into_array()]).remove(0)
}

/// `max(x, 0)`. The derivative at 0 is 0.
#[track_caller]
pub fn relu(x: impl Operand) -> Array {
    let relu = custom_jvp(|x: &Array| numpy::maximum(x, 0)).defjvp(|(x,): &(Array,), (dx,): &(Array,)| {
        (numpy::maximum(x, 0), lax::select(x.gt(0), dx, lax::full_like(dx, 0)))
    });
    relu(&x.into_array())
}

/// `min(max(x, 0), 6)`. The derivatives at 0 and 6 are 0.
#[track_caller]
pub fn relu6(x: impl Operand) -> Array {
    let relu6 = custom_jvp(|x: &Array| numpy::clip(x, 0, 6)).defjvp(|(x,): &(Array,), (dx,): &(Array,)| {
        (numpy::clip(x, 0, 6), lax::select(x.gt(0) & x.lt(6), dx, lax::full_like(dx, 0)))
    });
    relu6(&x.into_array())
}

/// `1 / (1 + exp(-x))`.
#[track_caller]
pub fn sigmoid(x: impl Operand) -> Array {
    lax::logistic(float("sigmoid", x))
}

/// `log(sigmoid(x))`.
#[track_caller]
pub fn log_sigmoid(x: impl Operand) -> Array {
    -softplus(-float("log_sigmoid", x))
}

/// `log(1 + exp(x))`.
#[track_caller]
pub fn softplus(x: impl Operand) -> Array {
    numpy::logaddexp(x, 0.0)
}

/// `x * sigmoid(x)`.
#[track_caller]
pub fn silu(x: impl Operand) -> Array {
    let x = float("silu", x);
    &x * lax::logistic(&x)
}

/// `x * sigmoid(x)`.
#[track_caller]
pub fn swish(x: impl Operand) -> Array {
    silu(x)
}

/// The Gaussian error linear unit, by the approximation through tanh (JAX's default).
#[track_caller]
pub fn gelu(x: impl Operand) -> Array {
    let x = float("gelu", x);
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (&x + 0.044715 * x.powi(3));
    0.5 * &x * (1.0 + inner.tanh())
}

/// The Gaussian error linear unit, by the error function.
#[track_caller]
pub fn gelu_exact(x: impl Operand) -> Array {
    let x = float("gelu", x);
    0.5 * &x * lax::erfc(-&x * std::f64::consts::FRAC_1_SQRT_2)
}

/// `x` above 0, `alpha * (exp(x) - 1)` below.
#[track_caller]
pub fn elu(x: impl Operand, alpha: impl Operand) -> Array {
    let x = float("elu", x);
    let below = numpy::where_(x.gt(0), 0.0, &x);
    numpy::where_(x.gt(0), &x, alpha.into_array() * below.expm1())
}

/// `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`.
#[track_caller]
pub fn celu(x: impl Operand, alpha: impl Operand) -> Array {
    let (x, alpha) = (float("celu", x), alpha.into_array());
    let below = numpy::where_(x.gt(0), 0.0, &x);
    numpy::where_(x.gt(0), &x, &alpha * (below / &alpha).expm1())
}

/// The self-normalising exponential linear unit.
#[track_caller]
pub fn selu(x: impl Operand) -> Array {
    1.050_700_987_355_480_5 * elu(x, 1.673_263_242_354_377_2)
}

/// `x` above 0, `slope * x` below.
#[track_caller]
pub fn leaky_relu(x: impl Operand, slope: impl Operand) -> Array {
    let x = float("leaky_relu", x);
    numpy::where_(x.ge(0), &x, slope.into_array() * &x)
}

/// Clipped to -1..1.
#[track_caller]
pub fn hard_tanh(x: impl Operand) -> Array {
    let x = float("hard_tanh", x);
    numpy::where_(x.gt(1), 1.0, numpy::where_(x.lt(-1), -1.0, &x))
}

/// `relu6(x + 3) / 6`.
#[track_caller]
pub fn hard_sigmoid(x: impl Operand) -> Array {
    relu6(float("hard_sigmoid", x) + 3.0) / 6.0
}

/// `x * hard_sigmoid(x)`.
#[track_caller]
pub fn hard_silu(x: impl Operand) -> Array {
    let x = float("hard_silu", x);
    &x * hard_sigmoid(&x)
}

/// `x * hard_sigmoid(x)`.
#[track_caller]
pub fn hard_swish(x: impl Operand) -> Array {
    hard_silu(x)
}

/// `x * tanh(softplus(x))`.
#[track_caller]
pub fn mish(x: impl Operand) -> Array {
    let x = float("mish", x);
    &x * softplus(&x).tanh()
}

/// `x / (1 + |x|)`.
#[track_caller]
pub fn soft_sign(x: impl Operand) -> Array {
    let x = float("soft_sign", x);
    &x / (1.0 + x.abs())
}

/// `(x + sqrt(x² + b)) / 2`.
#[track_caller]
pub fn squareplus(x: impl Operand, b: impl Operand) -> Array {
    let x = float("squareplus", x);
    (&x + (x.square() + b.into_array()).sqrt()) / 2.0
}

/// The hyperbolic tangent.
#[track_caller]
pub fn tanh(x: impl Operand) -> Array {
    numpy::tanh(x)
}

/// The first half along an axis times the sigmoid of the second.
#[track_caller]
pub fn glu(x: &Array, axis: isize) -> Array {
    let halves = numpy::split(x, 2, axis);
    &halves[0] * sigmoid(&halves[1])
}

/// 1 at the position of each label along a new last axis, 0 elsewhere; rows of labels outside are all 0.
///
/// ```
/// use rjax::prelude::*;
/// let y = nn::one_hot(&jnp::array([0, 2, 5]), 3, DType::F32);
/// assert_eq!(y.to_vec::<f32>(), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
/// ```
#[track_caller]
pub fn one_hot(labels: &Array, classes: usize, dtype: DType) -> Array {
    let labels = numpy::integers("one_hot", labels.clone());
    let positions = lax::iota(labels.dtype(), classes);
    labels.expand_dims(-1).eq(positions).astype(dtype)
}

/// x. JAX: `nn.identity`.
pub fn identity(x: impl Operand) -> Array {
    x.into_array()
}

/// 0 up to -1, x from 1 on, `(x + 1)² / 4` between. JAX: `nn.sparse_plus`.
#[track_caller]
pub fn sparse_plus(x: impl Operand) -> Array {
    let x = x.into_array();
    numpy::where_(x.le(-1.0), 0.0, numpy::where_(x.ge(1.0), &x, (&x + 1.0).square() / 4.0))
}

/// The derivative of [`sparse_plus`]: 0 up to -1, 1 from 1 on, linear between. JAX: `nn.sparse_sigmoid`.
#[track_caller]
pub fn sparse_sigmoid(x: impl Operand) -> Array {
    0.5 * numpy::clip(x.into_array() + 1.0, 0.0, 2.0)
}

/// `log(1 - exp(-x))` for positive x, without cancellation. JAX: `nn.log1mexp`.
#[track_caller]
pub fn log1mexp(x: impl Operand) -> Array {
    fn value(x: &Array) -> Array {
        numpy::where_(x.lt(std::f64::consts::LN_2), lax::log(-lax::expm1(-x)), lax::log1p(-lax::exp(-x)))
    }
    let rule = custom_jvp(value).defjvp(|(x,): &(Array,), (dx,): &(Array,)| (value(x), dx / lax::expm1(x)));
    rule(&float("log1mexp", x))
}
