//! How gamma samples depend on the distribution's parameter.

use crate::array::{Array, Operand};

/// The derivative of a gamma sample `x` with respect to the parameter `a` it was drawn with. JAX: `lax.random_gamma_grad`.
///
/// With the quantile u = P(a, x) held fixed, 0 = ∂P/∂a + ∂P/∂x · dx/da, and ∂P/∂x is the density `x^(a-1) exp(-x) / Γ(a)`.
#[track_caller]
pub fn random_gamma_grad(a: impl Operand, x: impl Operand) -> Array {
    let (a, x) = (a.into_array(), x.into_array());
    let log_density = super::sub(super::sub(super::mul(super::sub(&a, 1.0), super::log(&x)), &x), super::lgamma(&a));
    super::div(super::neg(super::igamma_grad_a(&a, &x)), super::exp(log_density))
}
