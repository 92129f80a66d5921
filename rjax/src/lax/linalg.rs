//! Linear algebra on the last two axes, all others being batch axes. Operands have one dtype, `f32`, `f64`, `c64` or `c128`. Where an
//! algorithm fails, the results of that matrix are NaN.
//!
//! ```
//! use rjax::prelude::*;
//! let a = jnp::array([[4.0f32, 2.0], [2.0, 5.0]]);
//! let l = lax::linalg::cholesky(&a);
//! assert_eq!(l.to_vec::<f32>(), [2.0, 0.0, 1.0, 2.0]);
//! ```

use rjax_ir::{Linalg, Op};

use crate::Array;
use crate::trace::{emit, emit1};

/// The lower Cholesky factor of a Hermitian matrix, of which only the lower triangle is read.
#[track_caller]
pub fn cholesky(a: &Array) -> Array {
    emit1(Op::Linalg(Linalg::Cholesky), &[a])
}

/// How a triangular matrix stands in an equation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TriangularSolve {
    /// Whether the matrix is on the left of the unknown.
    pub left_side: bool,
    /// Whether the lower triangle is meant.
    pub lower: bool,
    /// Whether the matrix is transposed.
    pub transpose_a: bool,
    /// Whether the matrix is conjugated.
    pub conjugate_a: bool,
    /// Whether the diagonal counts as ones.
    pub unit_diagonal: bool,
}

impl Default for TriangularSolve {
    /// The upper triangle on the left, as it is.
    fn default() -> TriangularSolve {
        TriangularSolve { left_side: true, lower: false, transpose_a: false, conjugate_a: false, unit_diagonal: false }
    }
}

/// The x with `a x = b`, or `x a = b` where the matrix is on the right, for a triangular matrix.
///
/// ```
/// use rjax::prelude::*;
/// use lax::linalg::{TriangularSolve, triangular_solve};
/// let (a, b) = (jnp::array([[2.0f32, 0.0], [1.0, 4.0]]), jnp::array([[2.0f32], [9.0]]));
/// let x = triangular_solve(&a, &b, TriangularSolve { lower: true, ..Default::default() });
/// assert_eq!(x.to_vec::<f32>(), [1.0, 2.0]);
/// ```
#[track_caller]
pub fn triangular_solve(a: &Array, b: &Array, options: TriangularSolve) -> Array {
    let TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal } = options;
    let op = Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal };
    emit1(Op::Linalg(op), &[a, b])
}

#[track_caller]
fn two(op: Linalg, operands: &[&Array]) -> (Array, Array) {
    let mut results = emit(Op::Linalg(op), operands).into_iter();
    let mut next = || results.next().expect("the op has two results");
    (next(), next())
}

/// L and U packed in one matrix, the rows that traded places, and the permutation they amount to.
#[track_caller]
pub fn lu(a: &Array) -> (Array, Array, Array) {
    let mut results = emit(Op::Linalg(Linalg::Lu), &[a]).into_iter();
    let mut next = || results.next().expect("three results");
    (next(), next().with_weak(false), next().with_weak(false))
}

/// Q, with orthonormal columns, and R, upper triangular.
#[track_caller]
pub fn qr(a: &Array, full_matrices: bool) -> (Array, Array) {
    two(Linalg::Qr { full_matrices }, &[a])
}

/// R with the reflectors below it, and their factors.
#[track_caller]
pub fn geqrf(a: &Array) -> (Array, Array) {
    two(Linalg::Geqrf, &[a])
}

/// The product of reflectors as [`geqrf`] gives them.
#[track_caller]
pub fn householder_product(a: &Array, taus: &Array) -> Array {
    emit1(Op::Linalg(Linalg::HouseholderProduct), &[a, taus])
}

/// Eigenvectors, as columns, and ascending eigenvalues of a Hermitian matrix, of which one triangle is read.
#[track_caller]
pub fn eigh(a: &Array, lower: bool) -> (Array, Array) {
    two(Linalg::Eigh { lower }, &[a])
}

/// Singular values in descending order, left vectors as columns, right vectors as conjugated rows.
#[track_caller]
pub fn svd(a: &Array, full_matrices: bool) -> (Array, Array, Array) {
    let mut results = emit(Op::Linalg(Linalg::Svd { full_matrices, compute_uv: true }), &[a]).into_iter();
    let mut next = || results.next().expect("three results");
    (next(), next(), next())
}

/// Singular values in descending order.
#[track_caller]
pub fn svdvals(a: &Array) -> Array {
    emit1(Op::Linalg(Linalg::Svd { full_matrices: false, compute_uv: false }), &[a])
}

/// Eigenvalues, then the left and the right eigenvectors, as columns, that were asked for; all complex.
#[track_caller]
pub fn eig(a: &Array, left: bool, right: bool) -> Vec<Array> {
    emit(Op::Linalg(Linalg::Eig { left, right }), &[a])
}

/// T and Z with `a = Z T Z^H`: T upper triangular, for real matrices with 2 × 2 blocks on the diagonal.
#[track_caller]
pub fn schur(a: &Array) -> (Array, Array) {
    two(Linalg::Schur { vectors: true }, &[a])
}

/// The Hessenberg form with the reflectors below it, and their factors.
#[track_caller]
pub fn hessenberg(a: &Array) -> (Array, Array) {
    two(Linalg::Hessenberg, &[a])
}

/// The solution of a tridiagonal system. The diagonals have one entry for each row; the first one below and the last one above are
/// not read.
#[track_caller]
pub fn tridiagonal_solve(below: &Array, diagonal: &Array, above: &Array, b: &Array) -> Array {
    emit1(Op::Linalg(Linalg::TridiagonalSolve), &[below, diagonal, above, b])
}
