//! Polynomials as vectors of coefficients, highest power first.

use rjax_ir::{DType, ErrorKind};

use crate::array::{Array, Operand, promote_dtypes, promote_inexact};
use crate::error::fail_with;
use crate::lax;

/// The value of a polynomial at x, by Horner's rule. The coefficients lie along the first axis; others broadcast against x. JAX:
/// `numpy.polyval`.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(jnp::polyval(&jnp::array([1.0, 0.0, -2.0]), 3.0).item::<f32>(), 7.0);
/// ```
#[track_caller]
pub fn polyval(p: &Array, x: impl Operand) -> Array {
    let operands = promote_dtypes(&[p, &x.into_array()]);
    let (p, x) = (&operands[0], &operands[1]);
    let shape = super::broadcast_shapes(&[&p.shape().without(&[0]), &x.shape()]);
    let zero = super::zeros(shape, x.dtype());
    p.iter().fold(zero, |sum, coefficient| &sum * x + coefficient)
}

/// Coefficients of one length, the shorter ones led by zeros.
#[track_caller]
fn aligned(p: &Array, q: &Array) -> (Array, Array) {
    let operands = promote_dtypes(&[&super::atleast_1d(p), &super::atleast_1d(q)]);
    let n = operands[0].len().max(operands[1].len());
    let pad = |a: &Array| super::pad(a, &[(n - a.len(), 0)], 0);
    (pad(&operands[0]), pad(&operands[1]))
}

/// The sum of two polynomials. JAX: `numpy.polyadd`.
#[track_caller]
pub fn polyadd(p: &Array, q: &Array) -> Array {
    let (p, q) = aligned(p, q);
    p + q
}

/// The difference of two polynomials. JAX: `numpy.polysub`.
#[track_caller]
pub fn polysub(p: &Array, q: &Array) -> Array {
    let (p, q) = aligned(p, q);
    p - q
}

/// The product of two polynomials. JAX: `numpy.polymul`.
#[track_caller]
pub fn polymul(p: &Array, q: &Array) -> Array {
    super::convolve(&super::atleast_1d(p), &super::atleast_1d(q), super::ConvolveMode::Full)
}

/// Quotient and remainder of two polynomials; the remainder keeps the dividend's length. The divisor's first coefficient must
/// not be 0. JAX: `numpy.polydiv`.
#[track_caller]
pub fn polydiv(p: &Array, q: &Array) -> (Array, Array) {
    let operands = promote_dtypes(&[&super::atleast_1d(p), &super::atleast_1d(q)]);
    let float = |x: &Array| promote_inexact("polydiv", &[x]).remove(0);
    let (mut rest, q) = (float(&operands[0]), float(&operands[1]));
    let (n, m) = (rest.len(), q.len());
    if n < m {
        return (super::zeros([1], rest.dtype()), rest);
    }
    let lead = lax::index_in_dim(&q, 0, 0);
    let mut quotient = Vec::with_capacity(n - m + 1);
    for k in 0..=n - m {
        let coefficient = lax::index_in_dim(&rest, k, 0) / &lead;
        rest = rest.at(k..k + m).add(-(&coefficient * &q));
        quotient.push(coefficient);
    }
    (super::stack(&quotient, 0), rest)
}

/// The derivative of order `order` of a polynomial. JAX: `numpy.polyder`.
#[track_caller]
pub fn polyder(p: &Array, order: usize) -> Array {
    let mut p = promote_inexact("polyder", &[p]).remove(0);
    for _ in 0..order {
        let n = p.len();
        let powers = super::flip(&lax::iota(p.dtype(), n), 0);
        p = lax::slice_in_dim(&(p * powers), 0, n.saturating_sub(1), 0);
    }
    p
}

/// The antiderivative of order `order` of a polynomial, with 0 for the constants of integration. JAX: `numpy.polyint`.
#[track_caller]
pub fn polyint(p: &Array, order: usize) -> Array {
    let mut p = promote_inexact("polyint", &[p]).remove(0);
    for _ in 0..order {
        let powers = super::flip(&(lax::iota(p.dtype(), p.len()) + 1), 0);
        p = super::pad(&(p / powers), &[(0, 1)], 0);
    }
    p
}

/// The polynomial with these roots and first coefficient 1. JAX: `numpy.poly` of a vector.
#[track_caller]
pub fn poly(roots: &Array) -> Array {
    if roots.ndim() != 1 {
        fail_with(ErrorKind::Shape, format!("poly: found {}, expected a vector of roots", roots.aval()))
    }
    let roots = promote_inexact("poly", &[roots]).remove(0);
    let one = super::ones([1], roots.dtype());
    roots.iter().fold(one.clone(), |p, root| {
        let factor = super::concatenate(&[one.clone(), -root.reshape([1])], 0);
        super::convolve(&p, &factor, super::ConvolveMode::Full)
    })
}

/// The Vandermonde matrix with `columns` powers of x: highest first, or lowest first if `increasing`. JAX: `numpy.vander`.
#[track_caller]
pub fn vander(x: &Array, columns: usize, increasing: bool) -> Array {
    if x.ndim() != 1 {
        fail_with(ErrorKind::Shape, format!("vander: found {}, expected a vector", x.aval()))
    }
    let powers = lax::iota(DType::I32, columns);
    let powers = if increasing { powers } else { super::flip(&powers, 0) };
    super::power(x.expand_dims(-1), powers)
}

/// The roots of a polynomial, complex, in no particular order: the eigenvalues of its companion matrix. The first coefficient
/// must not be 0. JAX: `numpy.roots` with `strip_zeros=False`.
///
/// ```
/// use rjax::prelude::*;
/// let roots = jnp::roots(&jnp::array([1.0f32, -3.0, 2.0]));
/// assert!((jnp::real(&roots).sum(..).item::<f32>() - 3.0).abs() < 1e-5);
/// ```
#[track_caller]
pub fn roots(p: &Array) -> Array {
    super::linalg::eigvals(&crate::scipy::linalg::companion(p))
}

/// The coefficients, highest power first, of the polynomial of some degree that is closest to the points (x, y) in the sense of
/// least squares; y may have columns. JAX: `numpy.polyfit`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([0.0f32, 1.0, 2.0, 3.0]);
/// let line = jnp::polyfit(&x, &(2.0 * &x - 1.0), 1);
/// assert!(jnp::allclose(&line, &jnp::array([2.0f32, -1.0]), 1e-4, 1e-4).item::<bool>());
/// ```
#[track_caller]
pub fn polyfit(x: &Array, y: &Array, degree: usize) -> Array {
    let powers = vander(&promote_inexact("polyfit", &[x]).remove(0), degree + 1, false);
    // Columns of one length: the powers of a large x differ by many orders of magnitude.
    let lengths = powers.square().sum(0).sqrt();
    let solution = super::linalg::lstsq(&(powers / &lengths), y).solution;
    solution / if y.ndim() == 1 { lengths } else { lengths.expand_dims(-1) }
}
