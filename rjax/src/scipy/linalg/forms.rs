//! Matrices in other forms, and functions of matrices that are found by them.

use rjax_ir::{DType, ErrorKind};

use super::matrices::positions;
use crate::array::{Array, promote_inexact, promote_inexact_dtypes};
use crate::error::fail_with;
use crate::lax;
use crate::lax::linalg as ops;
use crate::numpy as jnp;

/// The matrices, promoted, and their number of rows.
#[track_caller]
fn square(function: &str, a: &Array) -> (Array, usize) {
    let rank = a.ndim();
    if rank < 2 || a.shape()[rank - 2] != a.shape()[rank - 1] {
        fail_with(ErrorKind::Shape, format!("{function}: expected square matrices, found {}", a.aval()))
    }
    (promote_inexact(function, &[a]).remove(0), a.shape()[rank - 1])
}

/// The conjugate transposes.
fn adjoint(a: &Array) -> Array {
    jnp::conj(jnp::matrix_transpose(a))
}

/// What the Schur form of a real matrix is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SchurOutput {
    /// Real, with 2 × 2 blocks on the diagonal for conjugate pairs of eigenvalues.
    #[default]
    Real,
    /// Complex, a triangle.
    Complex,
}

/// T and Z with `a = Z T Z^H`: T upper triangular, or nearly so, and Z unitary. JAX: `scipy.linalg.schur`.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::scipy::linalg::{SchurOutput, schur};
/// let a = jnp::array([[1.0f32, 2.0], [-3.0, 1.0]]);
/// let (t, z) = schur(&a, SchurOutput::Real);
/// assert!(jnp::allclose(&z.dot(&t).dot(&z.t()), &a, 1e-5, 1e-5).item::<bool>());
/// ```
#[track_caller]
pub fn schur(a: &Array, output: SchurOutput) -> (Array, Array) {
    let (a, _) = square("schur", a);
    match output {
        SchurOutput::Real => ops::schur(&a),
        SchurOutput::Complex => {
            ops::schur(&a.astype(if a.dtype().real() == DType::F64 { DType::C128 } else { DType::C64 }))
        }
    }
}

/// H and Q with `a = Q H Q^H`: H zero below the elements beside the diagonal, and Q unitary. JAX: `scipy.linalg.hessenberg`.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::scipy::linalg::hessenberg;
/// let a = jnp::array([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0], [3.0, 8.0, 9.0]]);
/// let (h, q) = hessenberg(&a);
/// assert_eq!(h.index((2, 0)).item::<f32>(), 0.0);
/// assert!(jnp::allclose(&q.dot(&h).dot(&q.t()), &a, 1e-5, 1e-5).item::<bool>());
/// ```
#[track_caller]
pub fn hessenberg(a: &Array) -> (Array, Array) {
    let (a, n) = square("hessenberg", a);
    let batch = &a.shape()[..a.ndim() - 2];
    let part = |rows: usize, columns: usize| [batch, &[rows, columns]].concat();
    if n < 2 {
        return (a.clone(), jnp::broadcast_to(&jnp::eye(n, a.dtype()), part(n, n)));
    }
    let (form, taus) = ops::hessenberg(&a);
    // The first reflector leaves the first row and column alone.
    let rank = a.ndim() as isize;
    let reflectors = lax::slice_in_dim(&lax::slice_in_dim(&form, 1, n, rank - 2), 0, n - 1, rank - 1);
    let rest = ops::householder_product(&reflectors, &taus);
    let zeros = |rows: usize, columns: usize| jnp::zeros(part(rows, columns), a.dtype());
    let first = jnp::concatenate(&[jnp::ones(part(1, 1), a.dtype()), zeros(1, n - 1)], -1);
    let others = jnp::concatenate(&[zeros(n - 1, 1), rest], -1);
    (jnp::triu(&form, -1), jnp::concatenate(&[first, others], -2))
}

/// The principal square roots of matrices, which are complex; from their Schur forms. JAX: `scipy.linalg.sqrtm`.
///
/// ```
/// use rjax::prelude::*;
/// let root = rjax::scipy::linalg::sqrtm(&jnp::array([[5.0f32, 4.0], [4.0, 5.0]]));
/// assert!(jnp::allclose(&jnp::real(&root), &jnp::array([[2.0f32, 1.0], [1.0, 2.0]]), 1e-5, 1e-5).item::<bool>());
/// ```
#[track_caller]
pub fn sqrtm(a: &Array) -> Array {
    let (t, z) = schur(a, SchurOutput::Complex);
    let n = t.shape()[t.ndim() - 1];
    let diagonal = jnp::sqrt(jnp::diagonal(&t, 0, -2, -1));
    let sums = diagonal.expand_dims(-1) + diagonal.expand_dims(-2);
    let (i, j) = positions(n, n);
    let distance = j - i;
    // Off the diagonal u[i, j] (u[i, i] + u[j, j]) is t[i, j] less products of elements that are nearer to the diagonal.
    let nearest_first = |k: &Array, upper: &Array| {
        let rest = &t - jnp::matmul(upper, upper);
        jnp::where_(distance.eq(k) & rest.ne(0), rest / &sums, upper)
    };
    let upper = lax::fori_loop(1, n as i64, nearest_first, jnp::zeros_like(&t));
    let root = jnp::where_(distance.eq(0), diagonal.expand_dims(-1), upper);
    jnp::matmul(&jnp::matmul(&z, &root), &adjoint(&z))
}

/// The side of the positive factor of a polar decomposition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// `a = p u`.
    Left,
    /// `a = u p`.
    Right,
}

/// U, with orthonormal rows or columns, and P, positive semidefinite, whose product is the matrix. JAX: `scipy.linalg.polar`.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::scipy::linalg::{Side, polar};
/// let (u, p) = polar(&jnp::array([[0.0f32, -2.0], [3.0, 0.0]]), Side::Right);
/// assert!(jnp::allclose(&u, &jnp::array([[0.0f32, -1.0], [1.0, 0.0]]), 1e-5, 1e-5).item::<bool>());
/// assert!(jnp::allclose(&p, &jnp::array([[3.0f32, 0.0], [0.0, 2.0]]), 1e-5, 1e-5).item::<bool>());
/// ```
#[track_caller]
pub fn polar(a: &Array, side: Side) -> (Array, Array) {
    let a = promote_inexact("polar", &[a]).remove(0);
    let (values, u, vh) = ops::svd(&a, false);
    let values = values.astype(a.dtype()).expand_dims(-2);
    let positive = match side {
        Side::Left => jnp::matmul(&(&u * &values), &adjoint(&u)),
        Side::Right => jnp::matmul(&(adjoint(&vh) * &values), &vh),
    };
    (jnp::matmul(&u, &vh), positive)
}

/// Ascending eigenvalues, and eigenvectors as columns, of the Hermitian tridiagonal matrix with this diagonal and these elements below
/// it. JAX, which has the eigenvalues only: `scipy.linalg.eigh_tridiagonal`.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::scipy::linalg::eigh_tridiagonal;
/// let (values, _) = eigh_tridiagonal(&jnp::array([1.0f32, 1.0]), &jnp::array([2.0f32]));
/// assert!(jnp::allclose(&values, &jnp::array([-1.0f32, 3.0]), 1e-5, 1e-5).item::<bool>());
/// ```
#[track_caller]
pub fn eigh_tridiagonal(diagonal: &Array, below: &Array) -> (Array, Array) {
    if diagonal.ndim() != 1 || below.ndim() != 1 || diagonal.len() != below.len() + 1 {
        fail_with(
            ErrorKind::Shape,
            format!(
                "eigh_tridiagonal: found {} and {}, expected vectors, the second one shorter by one",
                diagonal.aval(),
                below.aval()
            ),
        )
    }
    let operands = promote_inexact_dtypes(&[diagonal, below]);
    let (vectors, values) = ops::eigh(&(jnp::diag(&operands[0], 0) + jnp::diag(&operands[1], -1)), true);
    (values, vectors)
}
