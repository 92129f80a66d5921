//! NumPy's linear algebra: matrices along the last two axes, all others being batch axes.
//!
//! ```
//! use rjax::prelude::*;
//! let a = jnp::array([[3.0f32, 1.0], [1.0, 2.0]]);
//! let x = jnp::linalg::solve(&a, &jnp::array([9.0f32, 8.0]));
//! assert!(jnp::allclose(&x, &jnp::array([2.0f32, 3.0]), 1e-5, 1e-6).item::<bool>());
//! assert!((jnp::linalg::det(&a).item::<f32>() - 5.0).abs() < 1e-5);
//! ```

use rjax_ir::{DType, ErrorKind};

use super::{abs, broadcast_shapes, conj, expand_dims, take_along_axis, where_};
pub use super::{cross, matmul, matrix_transpose, outer, tensordot, vecdot};
use crate::array::{Array, Axes, promote_inexact, promote_inexact_dtypes};
use crate::error::fail_with;
use crate::lax::linalg::{self as ops, TriangularSolve};

/// The operand as floating point matrices.
#[track_caller]
fn matrices(function: &str, a: &Array) -> Array {
    if a.ndim() < 2 {
        fail_with(ErrorKind::Shape, format!("{function}: expected at least 2 axes, found {}", a.aval()))
    }
    promote_inexact(function, &[a]).remove(0)
}

#[track_caller]
fn square(function: &str, a: &Array) -> Array {
    let a = matrices(function, a);
    let shape = a.shape();
    if shape[a.ndim() - 2] != shape[a.ndim() - 1] {
        fail_with(ErrorKind::Shape, format!("{function}: expected square matrices, found {}", a.aval()))
    }
    a
}

fn adjoint(a: &Array) -> Array {
    let a = matrix_transpose(a);
    if a.dtype().is_complex() { conj(&a) } else { a }
}

fn symmetrised(a: &Array) -> Array {
    (a + adjoint(a)) * 0.5
}

/// The lower Cholesky factor of a positive definite matrix; NaN where it is not one.
#[track_caller]
pub fn cholesky(a: &Array) -> Array {
    ops::cholesky(&symmetrised(&square("cholesky", a)))
}

/// The LU factorisation of the matrix, applied to a right-hand side of two or more axes with the same batch axes.
fn lu_solve(a: &Array, b: &Array) -> Array {
    let (lu, _, permutation) = ops::lu(a);
    let order = expand_dims(&permutation, -1).broadcast_to(b.shape());
    let b = take_along_axis(b, &order, -2);
    let lower = TriangularSolve { lower: true, unit_diagonal: true, ..Default::default() };
    let x = ops::triangular_solve(&lu, &b, lower);
    ops::triangular_solve(&lu, &x, TriangularSolve::default())
}

/// The x with `a x = b`. A right-hand side of one axis is a vector, else its last two axes are a matrix; batch axes are broadcast.
#[track_caller]
pub fn solve(a: &Array, b: &Array) -> Array {
    let a = square("solve", a);
    let operands = promote_inexact_dtypes(&[&a, b]);
    let (a, vector) = (operands[0].clone(), b.ndim() == 1);
    let b = if vector { expand_dims(&operands[1], -1) } else { operands[1].clone() };
    if b.ndim() < 2 || b.shape()[b.ndim() - 2] != a.shape()[a.ndim() - 1] {
        fail_with(ErrorKind::Shape, format!("solve: operands of type {} and {} do not fit", a.aval(), b.aval()))
    }
    let (a_shape, b_shape) = (a.shape(), b.shape());
    let (a_batch, a_own) = a_shape.split_at(a.ndim() - 2);
    let (b_batch, b_own) = b_shape.split_at(b.ndim() - 2);
    let batch = broadcast_shapes(&[a_batch, b_batch]);
    let a = a.broadcast_to([&batch[..], a_own].concat());
    let b = b.broadcast_to([&batch[..], b_own].concat());
    let x = lu_solve(&a, &b);
    if vector { x.squeeze_axis(-1) } else { x }
}

/// The inverse.
#[track_caller]
pub fn inv(a: &Array) -> Array {
    let a = square("inv", a);
    let identity = super::eye(a.shape()[a.ndim() - 1], a.dtype()).broadcast_to(a.shape());
    lu_solve(&a, &identity)
}

/// The sign of the permutation that `lu` chose, as a number of the dtype.
fn parity(pivots: &Array, dtype: DType) -> Array {
    let moved = pivots.ne(super::arange(pivots.shape()[pivots.ndim() - 1]));
    let count = super::sum(&moved.astype(DType::I32), -1);
    (1 - (count % 2) * 2).astype(dtype)
}

/// The determinant.
#[track_caller]
pub fn det(a: &Array) -> Array {
    let a = square("det", a);
    let (lu, pivots, _) = ops::lu(&a);
    super::prod(&super::diagonal(&lu, 0, -2, -1), -1) * parity(&pivots, a.dtype())
}

/// The sign of the determinant (of absolute value 1 for complex matrices) and the logarithm of its absolute value.
///
/// ```
/// use rjax::prelude::*;
/// let (sign, logarithm) = jnp::linalg::slogdet(&jnp::array([[0.0f32, 2.0], [1.0, 0.0]]));
/// assert_eq!(sign.item::<f32>(), -1.0);
/// assert!((logarithm.item::<f32>() - 2f32.ln()).abs() < 1e-6);
/// ```
#[track_caller]
pub fn slogdet(a: &Array) -> (Array, Array) {
    let a = square("slogdet", a);
    let (lu, pivots, _) = ops::lu(&a);
    let diagonal = super::diagonal(&lu, 0, -2, -1);
    let sign = super::prod(&super::sign(&diagonal), -1) * parity(&pivots, a.dtype());
    (sign, super::sum(&super::log(abs(&diagonal)), -1))
}

/// Q and R. With `full_matrices`, Q is square.
#[track_caller]
pub fn qr(a: &Array, full_matrices: bool) -> (Array, Array) {
    ops::qr(&matrices("qr", a), full_matrices)
}

/// U, the singular values in descending order, and V^H: `a = U diag(s) V^H`. With `full_matrices`, U and V are square.
///
/// ```
/// use rjax::prelude::*;
/// let a = jnp::array([[3.0f32, 0.0], [0.0, -4.0], [0.0, 0.0]]);
/// let (u, s, vt) = jnp::linalg::svd(&a, false);
/// assert!(jnp::allclose(&s, &jnp::array([4.0f32, 3.0]), 1e-5, 1e-6).item::<bool>());
/// let product = jnp::matmul(&(&u * &s), &vt);
/// assert!(((product - &a).abs().sum(..).item::<f32>()) < 1e-5);
/// ```
#[track_caller]
pub fn svd(a: &Array, full_matrices: bool) -> (Array, Array, Array) {
    let (s, u, vt) = ops::svd(&matrices("svd", a), full_matrices);
    (u, s, vt)
}

/// The singular values in descending order.
#[track_caller]
pub fn svdvals(a: &Array) -> Array {
    ops::svdvals(&matrices("svdvals", a))
}

/// Ascending eigenvalues and eigenvectors, as columns, of a Hermitian matrix.
#[track_caller]
pub fn eigh(a: &Array) -> (Array, Array) {
    let (v, w) = ops::eigh(&symmetrised(&square("eigh", a)), true);
    (w, v)
}

/// Ascending eigenvalues of a Hermitian matrix.
#[track_caller]
pub fn eigvalsh(a: &Array) -> Array {
    eigh(a).0
}

/// Eigenvalues and eigenvectors, as columns, of a general matrix; both complex.
#[track_caller]
pub fn eig(a: &Array) -> (Array, Array) {
    let mut results = ops::eig(&square("eig", a), false, true).into_iter();
    let mut next = || results.next().expect("two results");
    (next(), next())
}

/// Eigenvalues of a general matrix; complex.
#[track_caller]
pub fn eigvals(a: &Array) -> Array {
    ops::eig(&square("eigvals", a), false, false).remove(0)
}

/// Which norm.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Norm {
    /// The square root of the sum of squares: Euclidean for vectors, Frobenius for matrices.
    Two,
    /// Vectors: the sum of absolute values.
    One,
    /// Vectors: the greatest absolute value.
    Infinity,
    /// Vectors: the root of this order of the sum of absolute values to this power.
    Order(f64),
    /// Matrices: the sum of singular values.
    Nuclear,
    /// Matrices: the greatest singular value.
    Spectral,
}

/// The norm of all elements as a vector for vector norms, of the last two axes for [`Norm::Nuclear`] and [`Norm::Spectral`].
///
/// ```
/// use rjax::prelude::*;
/// use jnp::linalg::{Norm, norm};
/// let x = jnp::array([3.0f32, -4.0]);
/// assert_eq!(norm(&x, Norm::Two).item::<f32>(), 5.0);
/// assert_eq!(norm(&x, Norm::One).item::<f32>(), 7.0);
/// ```
#[track_caller]
pub fn norm(x: &Array, norm: Norm) -> Array {
    let x = promote_inexact("norm", &[x]).remove(0);
    match norm {
        Norm::Two => {
            let squares = if x.dtype().is_complex() { super::real(&(&x * conj(&x))) } else { &x * &x };
            super::sqrt(super::sum(&squares, ..))
        }
        Norm::One => super::sum(&abs(&x), ..),
        Norm::Infinity => super::max(&abs(&x), ..),
        Norm::Order(order) => super::power(super::sum(&super::power(abs(&x), order), ..), 1.0 / order),
        Norm::Nuclear => super::sum(&svdvals(&x), -1),
        Norm::Spectral => super::max(&svdvals(&x), -1),
    }
}

/// The bound below which singular values count as zero, and which are above it.
fn significant(a: &Array, s: &Array) -> Array {
    let shape = a.shape();
    let extent = shape[a.ndim() - 2].max(shape[a.ndim() - 1]) as f64;
    let epsilon = if s.dtype() == DType::F64 { f64::EPSILON } else { f32::EPSILON as f64 };
    let largest = expand_dims(&super::max(s, -1), -1);
    s.gt(largest * (extent * epsilon))
}

/// The number of singular values that are not zero up to rounding.
#[track_caller]
pub fn matrix_rank(a: &Array) -> Array {
    let a = matrices("matrix_rank", a);
    let s = svdvals(&a);
    super::sum(&significant(&a, &s).astype(DType::I32), -1)
}

/// The Moore-Penrose inverse.
///
/// ```
/// use rjax::prelude::*;
/// let a = jnp::array([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// let product = jnp::matmul(&jnp::linalg::pinv(&a), &a);
/// assert!((product - jnp::eye(2, DType::F32)).abs().max(..).item::<f32>() < 1e-4);
/// ```
#[track_caller]
pub fn pinv(a: &Array) -> Array {
    let a = matrices("pinv", a);
    let (s, u, vt) = ops::svd(&a, false);
    let keep = significant(&a, &s);
    let inverse = where_(&keep, 1.0 / where_(&keep, &s, 1.0), 0.0).astype(a.dtype());
    matmul(&(adjoint(&vt) * expand_dims(&inverse, -2)), &adjoint(&u))
}

/// What [`lstsq`] finds.
#[derive(Clone, Debug)]
pub struct LeastSquares {
    /// The solution of least norm among those of least residual.
    pub solution: Array,
    /// The sum of squared residuals of each column.
    pub residuals: Array,
    /// The rank of the matrix.
    pub rank: Array,
    /// Its singular values.
    pub singular_values: Array,
}

/// The x for which `a x - b` is least in the Euclidean norm, for a matrix and a vector or matrix of right-hand sides.
#[track_caller]
pub fn lstsq(a: &Array, b: &Array) -> LeastSquares {
    let a = matrices("lstsq", a);
    let operands = promote_inexact_dtypes(&[&a, b]);
    let (a, vector) = (&operands[0], b.ndim() == 1);
    let b = if vector { expand_dims(&operands[1], -1) } else { operands[1].clone() };
    let (s, u, vt) = ops::svd(a, false);
    let keep = significant(a, &s);
    let inverse = where_(&keep, 1.0 / where_(&keep, &s, 1.0), 0.0).astype(a.dtype());
    let x = matmul(&adjoint(&vt), &(expand_dims(&inverse, -1) * matmul(&adjoint(&u), &b)));
    let residual = abs(&(matmul(a, &x) - &b));
    let residuals = super::sum(&(&residual * &residual), -2);
    let rank = super::sum(&keep.astype(DType::I32), -1);
    let solution = if vector { x.squeeze_axis(-1) } else { x };
    LeastSquares { solution, residuals, rank, singular_values: s }
}

/// The product of a matrix with itself, of the inverse for negative exponents; the identity for 0.
#[track_caller]
pub fn matrix_power(a: &Array, exponent: i32) -> Array {
    let a = square("matrix_power", a);
    let (mut square, mut bits) = (if exponent < 0 { inv(&a) } else { a.clone() }, exponent.unsigned_abs());
    let mut product: Option<Array> = None;
    while bits > 0 {
        if bits & 1 == 1 {
            product = Some(product.map_or_else(|| square.clone(), |product| matmul(&product, &square)));
        }
        bits >>= 1;
        if bits > 0 {
            square = matmul(&square, &square);
        }
    }
    product.unwrap_or_else(|| super::eye(a.shape()[a.ndim() - 1], a.dtype()).broadcast_to(a.shape()))
}

/// A diagonal of the matrices along the last two axes. JAX: `numpy.linalg.diagonal`.
#[track_caller]
pub fn diagonal(x: &Array, offset: i64) -> Array {
    super::diagonal(x, offset, -2, -1)
}

/// The sum of a diagonal of the matrices along the last two axes. JAX: `numpy.linalg.trace`.
#[track_caller]
pub fn trace(x: &Array, offset: i64) -> Array {
    super::sum(&diagonal(x, offset), -1)
}

/// The product of several matrices; `jit` finds the cheapest order. JAX: `numpy.linalg.multi_dot`.
#[track_caller]
pub fn multi_dot(matrices: &[&Array]) -> Array {
    match matrices {
        [] => fail_with(ErrorKind::Structure, "multi_dot: expected at least one matrix, found none".to_string()),
        [first, rest @ ..] => rest.iter().fold((*first).clone(), |product, matrix| matmul(&product, matrix)),
    }
}

/// The condition number: the greatest singular value over the least. JAX: `numpy.linalg.cond`.
///
/// ```
/// use rjax::prelude::*;
/// assert!((jnp::linalg::cond(&jnp::array([[2.0f32, 0.0], [0.0, 8.0]])).item::<f32>() - 4.0).abs() < 1e-5);
/// ```
#[track_caller]
pub fn cond(a: &Array) -> Array {
    let values = svdvals(a);
    super::max(&values, -1) / super::min(&values, -1)
}

/// The norm of vectors along some axes. JAX: `numpy.linalg.vector_norm`.
///
/// ```
/// use rjax::prelude::*;
/// use jnp::linalg::{Norm, vector_norm};
/// let x = jnp::array([[3.0f32, -4.0], [0.0, 2.0]]);
/// assert_eq!(vector_norm(&x, -1, Norm::Two).to_vec::<f32>(), [5.0, 2.0]);
/// ```
#[track_caller]
pub fn vector_norm(x: &Array, axes: impl Axes + Clone, norm: Norm) -> Array {
    let x = promote_inexact("vector_norm", &[x]).remove(0);
    match norm {
        Norm::Two => {
            let squares = if x.dtype().is_complex() { super::real(&(&x * conj(&x))) } else { &x * &x };
            super::sqrt(super::sum(&squares, axes))
        }
        Norm::One => super::sum(&abs(&x), axes),
        Norm::Infinity => super::max(&abs(&x), axes),
        Norm::Order(order) => super::power(super::sum(&super::power(abs(&x), order), axes), 1.0 / order),
        Norm::Nuclear | Norm::Spectral => {
            fail_with(ErrorKind::Parameter, format!("vector_norm: {norm:?} is a norm of matrices"))
        }
    }
}

/// The norm of matrices: Frobenius, or the greatest sum of absolute values in a column ([`Norm::One`]) or row
/// ([`Norm::Infinity`]), or of the singular values. JAX: `numpy.linalg.matrix_norm`.
///
/// ```
/// use rjax::prelude::*;
/// use jnp::linalg::{Norm, matrix_norm};
/// let a = jnp::array([[1.0f32, -2.0], [3.0, 0.0]]);
/// assert_eq!(matrix_norm(&a, Norm::One).item::<f32>(), 4.0);
/// assert_eq!(matrix_norm(&a, Norm::Infinity).item::<f32>(), 3.0);
/// ```
#[track_caller]
pub fn matrix_norm(a: &Array, norm: Norm) -> Array {
    let a = matrices("matrix_norm", a);
    match norm {
        Norm::Two => vector_norm(&a, [-2, -1], Norm::Two),
        Norm::One => super::max(&super::sum(&abs(&a), -2), -1),
        Norm::Infinity => super::max(&super::sum(&abs(&a), -1), -1),
        Norm::Nuclear => super::sum(&svdvals(&a), -1),
        Norm::Spectral => super::max(&svdvals(&a), -1),
        Norm::Order(_) => fail_with(ErrorKind::Parameter, format!("matrix_norm: {norm:?} is a norm of vectors")),
    }
}

/// The x with `tensordot(a, x, x.ndim()) = b`: the leading axes of `a` have the shape of `b`. JAX: `numpy.linalg.tensorsolve`.
///
/// ```
/// use rjax::prelude::*;
/// let a = jnp::eye(6, DType::F32).reshape([2, 3, 6]) * 2.0;
/// let x = jnp::linalg::tensorsolve(&a, &jnp::ones([2, 3], DType::F32));
/// assert_eq!(x.to_vec::<f32>(), [0.5; 6]);
/// ```
#[track_caller]
pub fn tensorsolve(a: &Array, b: &Array) -> Array {
    let shape = a.shape();
    if shape.rank() < b.ndim() || shape[..b.ndim()] != b.shape()[..] {
        fail_with(
            ErrorKind::Shape,
            format!("tensorsolve: the leading axes of {} must have the shape of {}", a.aval(), b.aval()),
        )
    }
    let rest = shape[b.ndim()..].to_vec();
    let matrix = a.reshape([b.size(), rest.iter().product()]);
    solve(&matrix, &b.reshape([b.size()])).reshape(rest)
}

/// The inverse of `tensordot` with `a`: the first `axes` axes of `a` change places with the others. JAX: `numpy.linalg.tensorinv`.
///
/// ```
/// use rjax::prelude::*;
/// let a = jnp::eye(6, DType::F32).reshape([2, 3, 6]) * 4.0;
/// let inverse = jnp::linalg::tensorinv(&a, 2);
/// assert_eq!(inverse.shape()[..], [6, 2, 3]);
/// assert_eq!(inverse.sum(..).item::<f32>(), 1.5);
/// ```
#[track_caller]
pub fn tensorinv(a: &Array, axes: usize) -> Array {
    let shape = a.shape();
    if axes > shape.rank() {
        fail_with(ErrorKind::Parameter, format!("tensorinv: {} has no {axes} leading axes", a.aval()))
    }
    let (rows, cols) = (shape[..axes].to_vec(), shape[axes..].to_vec());
    let matrix = a.reshape([rows.iter().product::<usize>(), cols.iter().product::<usize>()]);
    inv(&matrix).reshape([cols, rows].concat())
}
