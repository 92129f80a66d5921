//! SciPy's linear algebra.
//!
//! ```
//! use rjax::prelude::*;
//! use rjax::scipy;
//! let a = jnp::array([[4.0f32, 2.0], [2.0, 5.0]]);
//! let factor = scipy::linalg::cho_factor(&a);
//! let x = scipy::linalg::cho_solve(&factor, &jnp::array([8.0f32, 12.0]));
//! assert!(jnp::allclose(&x, &jnp::array([1.0f32, 2.0]), 1e-5, 1e-6).item::<bool>());
//! ```

mod forms;
mod matrices;

use rjax_ir::{DType, ErrorKind};

pub use crate::numpy::linalg::{det, eigh, inv, qr, solve, svd};
pub use forms::{SchurOutput, Side, eigh_tridiagonal, hessenberg, polar, schur, sqrtm};
pub use matrices::{
    DftScale, block_diag, circulant, companion, dft, fiedler, hadamard, hankel, helmert, hilbert, leslie, pascal,
    toeplitz,
};

use crate::array::{Array, promote_inexact, promote_inexact_dtypes};
use crate::error::fail_with;
use crate::lax::linalg::{self as ops, TriangularSolve};
use crate::numpy as jnp;

/// The x with `a x = b` for a triangular matrix; `b` is a vector or a matrix. The options are those of
/// [`triangular_solve`](crate::lax::linalg::triangular_solve), the matrix always on the left.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::{lax::linalg::TriangularSolve, scipy};
/// let a = jnp::array([[2.0f32, 0.0], [1.0, 4.0]]);
/// let lower = TriangularSolve { lower: true, ..Default::default() };
/// let x = scipy::linalg::solve_triangular(&a, &jnp::array([2.0f32, 9.0]), lower);
/// assert_eq!(x.to_vec::<f32>(), [1.0, 2.0]);
/// ```
#[track_caller]
pub fn solve_triangular(a: &Array, b: &Array, options: TriangularSolve) -> Array {
    let operands = promote_inexact_dtypes(&[a, b]);
    let vector = b.ndim() + 1 == a.ndim();
    let b = if vector { jnp::expand_dims(&operands[1], -1) } else { operands[1].clone() };
    let x = ops::triangular_solve(&operands[0], &b, TriangularSolve { left_side: true, ..options });
    if vector { x.squeeze_axis(-1) } else { x }
}

/// The lower Cholesky factor.
#[track_caller]
pub fn cholesky(a: &Array) -> Array {
    jnp::linalg::cholesky(a)
}

/// A Cholesky factorisation for [`cho_solve`].
#[derive(Clone, Debug)]
pub struct CholeskyFactor {
    /// The lower factor.
    pub lower: Array,
}

/// Factors a positive definite matrix.
#[track_caller]
pub fn cho_factor(a: &Array) -> CholeskyFactor {
    CholeskyFactor { lower: jnp::linalg::cholesky(a) }
}

/// The x with `a x = b` for a factored matrix.
#[track_caller]
pub fn cho_solve(factor: &CholeskyFactor, b: &Array) -> Array {
    let forward = TriangularSolve { lower: true, ..Default::default() };
    let y = solve_triangular(&factor.lower, b, forward);
    solve_triangular(&factor.lower, &y, TriangularSolve { transpose_a: true, conjugate_a: true, ..forward })
}

/// P, L and U with `a = P L U`.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::scipy;
/// let a = jnp::array([[1.0f32, 2.0], [4.0, 2.0]]);
/// let (p, l, u) = scipy::linalg::lu(&a);
/// assert_eq!(p.to_vec::<f32>(), [0.0, 1.0, 1.0, 0.0]);
/// assert_eq!(jnp::matmul(&jnp::matmul(&p, &l), &u).to_vec::<f32>(), a.to_vec::<f32>());
/// ```
#[track_caller]
pub fn lu(a: &Array) -> (Array, Array, Array) {
    if a.ndim() != 2 {
        fail_with(ErrorKind::Shape, format!("lu: expected a matrix, found {}", a.aval()))
    }
    let a = promote_inexact("lu", &[a]).remove(0);
    let (lu, _, permutation) = ops::lu(&a);
    let (m, n) = (a.shape()[0], a.shape()[1]);
    let k = m.min(n);
    let rows = jnp::expand_dims(&jnp::arange(m), -1);
    let p = rows.eq(jnp::expand_dims(&permutation, 0)).astype(a.dtype());
    let left = crate::lax::slice_in_dim(&lu, 0, k, 1);
    let identity = jnp::tri(m, k, 0, a.dtype()) - jnp::tri(m, k, -1, a.dtype());
    let upper = crate::lax::slice_in_dim(&lu, 0, k, 0);
    (p, jnp::tril(&left, -1) + identity, jnp::triu(&upper, 0))
}

/// An LU factorisation for [`lu_solve`].
#[derive(Clone, Debug)]
pub struct LuFactor {
    /// L below the diagonal, which is one, and U on and above it.
    pub lu: Array,
    /// Row i of L U is row `permutation[i]` of the matrix.
    pub permutation: Array,
}

/// Factors a square matrix. JAX: `scipy.linalg.lu_factor`.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::scipy::linalg::{lu_factor, lu_solve};
/// let a = jnp::array([[0.0f32, 2.0], [4.0, 0.0]]);
/// let factor = lu_factor(&a);
/// assert_eq!(lu_solve(&factor, &jnp::array([2.0f32, 8.0])).to_vec::<f32>(), [2.0, 1.0]);
/// ```
#[track_caller]
pub fn lu_factor(a: &Array) -> LuFactor {
    if a.ndim() != 2 || a.shape()[0] != a.shape()[1] {
        fail_with(ErrorKind::Shape, format!("lu_factor: expected a square matrix, found {}", a.aval()))
    }
    let a = promote_inexact("lu_factor", &[a]).remove(0);
    let (lu, _, permutation) = ops::lu(&a);
    LuFactor { lu, permutation }
}

/// The x with `a x = b` for a factored matrix. JAX: `scipy.linalg.lu_solve`.
#[track_caller]
pub fn lu_solve(factor: &LuFactor, b: &Array) -> Array {
    let permuted = jnp::take(b, &factor.permutation, 0, jnp::TakeMode::Clip);
    let unit = TriangularSolve { lower: true, unit_diagonal: true, ..Default::default() };
    let y = solve_triangular(&factor.lu, &permuted, unit);
    solve_triangular(&factor.lu, &y, TriangularSolve::default())
}

/// The exponential of a matrix, by scaling and squaring a Padé approximant of degree 13 (Higham 2005).
///
/// ```
/// use rjax::prelude::*;
/// use rjax::scipy;
/// let quarter_turn = std::f32::consts::FRAC_PI_2;
/// let y = scipy::linalg::expm(&jnp::array([[0.0f32, -quarter_turn], [quarter_turn, 0.0]]));
/// assert!((y - jnp::array([[0.0f32, -1.0], [1.0, 0.0]])).abs().max(..).item::<f32>() < 1e-5);
/// ```
#[track_caller]
pub fn expm(a: &Array) -> Array {
    const PADE: [f64; 14] = [
        64764752532480000.0,
        32382376266240000.0,
        7771770303897600.0,
        1187353796428800.0,
        129060195264000.0,
        10559470521600.0,
        670442572800.0,
        33522128640.0,
        1323241920.0,
        40840800.0,
        960960.0,
        16380.0,
        182.0,
        1.0,
    ];
    /// Norm up to which the approximant is accurate in double precision.
    const LARGEST: f64 = 5.371920351148152;
    /// Squarings that cover every norm whose exponential is finite.
    const SQUARINGS: i64 = 16;
    if a.ndim() < 2 || a.shape()[a.ndim() - 2] != a.shape()[a.ndim() - 1] {
        fail_with(ErrorKind::Shape, format!("expm: expected square matrices, found {}", a.aval()))
    }
    let a = promote_inexact("expm", &[a]).remove(0);
    let norm = jnp::max(&jnp::sum(&jnp::abs(&a), -2), -1);
    let count = jnp::clip(jnp::ceil(jnp::log2(&norm / LARGEST)), 0.0, SQUARINGS as f64);
    let each = |x: &Array| jnp::expand_dims(&jnp::expand_dims(x, -1), -1);
    let scale = each(&jnp::exp2(-&count)).astype(a.dtype());
    let a = &a * scale;
    let identity = jnp::eye(a.shape()[a.ndim() - 1], a.dtype());
    let a2 = jnp::matmul(&a, &a);
    let a4 = jnp::matmul(&a2, &a2);
    let a6 = jnp::matmul(&a4, &a2);
    let combine = |odd: usize| {
        let high = jnp::matmul(&a6, &(&a6 * PADE[12 + odd] + &a4 * PADE[10 + odd] + &a2 * PADE[8 + odd]));
        high + &a6 * PADE[6 + odd] + &a4 * PADE[4 + odd] + &a2 * PADE[2 + odd] + &identity * PADE[odd]
    };
    let (u, v) = (jnp::matmul(&a, &combine(1)), combine(0));
    let mut y = jnp::linalg::solve(&(&v - &u), &(&v + &u));
    let count = each(&count.astype(DType::I32));
    for step in 0..SQUARINGS {
        y = jnp::where_(count.gt(step), jnp::matmul(&y, &y), &y);
    }
    y
}
