//! Special functions. Operands are promoted to a float dtype and broadcast together, as in [`numpy`](crate::numpy).
//!
//! ```
//! use rjax::prelude::*;
//! use rjax::scipy::special;
//! assert!((special::gamma(5.0).item::<f32>() - 24.0).abs() < 1e-4);
//! assert_eq!(special::xlogy(0.0, 0.0).item::<f32>(), 0.0);
//! ```

mod entropy;
mod exponential;
mod gamma;
mod normal;

pub use entropy::{boxcox, boxcox1p, entr, expit, kl_div, logit, rel_entr, xlog1py, xlogy};
pub use exponential::{bernoulli, exp1, expi, expn, i0, i0e, i1, i1e};
pub use gamma::{
    beta, betainc, betaln, comb, digamma, factorial, gamma, gammainc, gammaincc, gammaln, gammasgn, loggamma,
    multigammaln, poch, polygamma, zeta,
};
pub use normal::{erf, erfc, erfinv, log_ndtr, ndtr, ndtri, owens_t};

pub use crate::nn::{log_softmax, logsumexp, softmax};

use rjax_ir::ErrorKind;

use crate::Array;
use crate::array::{Operand, promote_inexact};
use crate::error::fail_with;

/// One operand as a float.
#[track_caller]
fn float(function: &str, x: impl Operand) -> Array {
    let x = promote_inexact(function, &[&x.into_array()]).remove(0);
    refuse_complex(function, &x);
    x
}

/// Several operands as floats of one dtype and one shape.
#[track_caller]
fn floats<const N: usize>(function: &str, operands: [Array; N]) -> [Array; N] {
    let promoted = promote_inexact(function, &operands.iter().collect::<Vec<_>>());
    refuse_complex(function, &promoted[0]);
    match promoted.try_into() {
        Ok(promoted) => promoted,
        Err(_) => unreachable!("as many as there were"),
    }
}

#[track_caller]
fn refuse_complex(function: &str, x: &Array) {
    if x.dtype().is_complex() {
        fail_with(ErrorKind::DType, format!("{function}: found {}, expected real numbers", x.aval()))
    }
}

/// A polynomial with constant coefficients, highest power first, by Horner's rule.
#[track_caller]
fn horner(coefficients: &[f64], x: &Array) -> Array {
    let zero = crate::lax::full_like(x, 0.0);
    coefficients.iter().fold(zero, |sum, &c| &sum * x + c)
}
