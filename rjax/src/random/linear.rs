//! Distributions of vectors and matrices, made of factorisations.

use rjax_ir::{DType, ErrorKind, Shape};

use super::{Key, normal};
use crate::array::Array;
use crate::error::fail_with;
use crate::numpy::{self, linalg};

/// Normal vectors with a mean and a covariance matrix, by its Cholesky factor. The last axis of the result is that of the
/// vectors; `shape` are the axes in front of it. JAX: `random.multivariate_normal`.
#[track_caller]
pub fn multivariate_normal(key: &Key, shape: impl Into<Shape>, dtype: DType, mean: &Array, cov: &Array) -> Array {
    let shape = shape.into();
    let n = mean.shape().last().copied().unwrap_or(0);
    if mean.ndim() == 0 || cov.ndim() < 2 || cov.shape()[cov.ndim() - 2..] != [n, n] {
        fail_with(
            ErrorKind::Shape,
            format!(
                "multivariate_normal: found mean {} and covariance {}, expected […, n] and […, n, n]",
                mean.aval(),
                cov.aval()
            ),
        )
    }
    let factor = linalg::cholesky(&cov.astype(dtype));
    let samples = normal(key, shape.with_axis(shape.rank(), n), dtype);
    mean.astype(dtype) + numpy::matmul(&factor, &samples.expand_dims(-1)).squeeze_axis(-1)
}

/// Orthogonal n×n matrices, uniform over all of them; `shape` are the axes in front. JAX: `random.orthogonal`.
#[track_caller]
pub fn orthogonal(key: &Key, shape: impl Into<Shape>, dtype: DType, n: usize) -> Array {
    let shape = shape.into();
    let full = shape.with_axis(shape.rank(), n).with_axis(shape.rank() + 1, n);
    let (q, r) = linalg::qr(&normal(key, full, dtype), false);
    // The signs of the diagonal make the factorisation unique, and the distribution uniform.
    q * numpy::sign(numpy::diagonal(&r, 0, -2, -1)).expand_dims(-2)
}
