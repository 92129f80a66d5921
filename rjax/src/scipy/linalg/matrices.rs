//! Matrices of a known form.
//!
//! ```
//! use rjax::prelude::*;
//! use rjax::scipy;
//! let t = scipy::linalg::toeplitz(&jnp::array([1, 2, 3]), &jnp::array([1, 4]));
//! assert_eq!(t.to_vec::<i32>(), [1, 4, 2, 1, 3, 2]);
//! ```

use rjax_ir::{DType, ErrorKind};

use crate::array::{Array, promote_dtypes, promote_inexact};
use crate::error::fail_with;
use crate::lax;
use crate::numpy as jnp;

#[track_caller]
fn vector<'a>(function: &str, x: &'a Array) -> &'a Array {
    if x.ndim() != 1 || x.is_empty() {
        fail_with(ErrorKind::Shape, format!("{function}: expected a vector that is not empty, found {}", x.aval()))
    }
    x
}

/// Row and column of each element of a matrix, as a column and a row.
pub(super) fn positions(rows: usize, columns: usize) -> (Array, Array) {
    (lax::iota(DType::I32, rows).expand_dims(1), lax::iota(DType::I32, columns).expand_dims(0))
}

/// All but the first element of a vector.
fn tail(x: &Array) -> Array {
    lax::slice_in_dim(x, 1, x.len(), 0)
}

/// The matrix with this first column and row, constant along its diagonals; the first element is the column's. JAX:
/// `scipy.linalg.toeplitz`.
#[track_caller]
pub fn toeplitz(column: &Array, row: &Array) -> Array {
    let operands = promote_dtypes(&[vector("toeplitz", column), vector("toeplitz", row)]);
    let (column, row) = (&operands[0], &operands[1]);
    let diagonals = jnp::concatenate(&[jnp::flip(&tail(row), 0), column.clone()], 0);
    let (i, j) = positions(column.len(), row.len());
    diagonals.take(i - j + (row.len() as i32 - 1), 0)
}

/// The matrix with this first column and last row, constant along its antidiagonals; the first element of the row is not used.
/// JAX: `scipy.linalg.hankel`.
#[track_caller]
pub fn hankel(column: &Array, row: &Array) -> Array {
    let operands = promote_dtypes(&[vector("hankel", column), vector("hankel", row)]);
    let (column, row) = (&operands[0], &operands[1]);
    let diagonals = jnp::concatenate(&[column.clone(), tail(row)], 0);
    let (i, j) = positions(column.len(), row.len());
    diagonals.take(i + j, 0)
}

/// The matrix with this first column whose other columns are the first one rotated. JAX: `scipy.linalg.circulant`.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(rjax::scipy::linalg::circulant(&jnp::array([1, 2, 3])).to_vec::<i32>(), [1, 3, 2, 2, 1, 3, 3, 2, 1]);
/// ```
#[track_caller]
pub fn circulant(column: &Array) -> Array {
    let n = vector("circulant", column).len();
    let (i, j) = positions(n, n);
    jnp::concatenate(&[column.clone(), column.clone()], 0).take(i - j + n as i32, 0)
}

/// The matrix whose eigenvalues are the roots of a polynomial with these coefficients, highest power first. JAX:
/// `scipy.linalg.companion`.
#[track_caller]
pub fn companion(p: &Array) -> Array {
    let p = promote_inexact("companion", &[vector("companion", p)]).remove(0);
    let n = p.len() - 1;
    if n == 0 {
        return jnp::zeros([0, 0], p.dtype());
    }
    let first = (-tail(&p) / p.index(0)).expand_dims(0);
    let below = lax::slice_in_dim(&jnp::eye(n, p.dtype()), 0, n - 1, 0);
    jnp::concatenate(&[first, below], 0)
}

/// The matrix of 1 / (i + j + 1). JAX: `scipy.linalg.hilbert`.
#[track_caller]
pub fn hilbert(n: usize) -> Array {
    let (i, j) = positions(n, n);
    1.0 / (i + j + 1).astype(DType::F32)
}

/// How a Fourier matrix is scaled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DftScale {
    /// Not at all.
    #[default]
    None,
    /// By the square root of its size, so that it is unitary.
    Sqrt,
    /// By its size.
    Size,
}

/// The matrix that a discrete Fourier transform multiplies with. JAX: `scipy.linalg.dft`.
#[track_caller]
pub fn dft(n: usize, scale: DftScale) -> Array {
    let (i, j) = positions(n, n);
    // Angles are of less than a turn, so that they are exact.
    let turns = (i * j % n.max(1) as i32).astype(DType::F32) / n as f64;
    let angles = turns * -std::f64::consts::TAU;
    let factor = match scale {
        DftScale::None => 1.0,
        DftScale::Sqrt => 1.0 / (n as f64).sqrt(),
        DftScale::Size => 1.0 / n as f64,
    };
    lax::complex(jnp::cos(&angles) * factor, jnp::sin(&angles) * factor)
}

/// The distances of all pairs of elements of a vector. JAX: `scipy.linalg.fiedler`.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(rjax::scipy::linalg::fiedler(&jnp::array([1, 4])).to_vec::<i32>(), [0, 3, 3, 0]);
/// ```
#[track_caller]
pub fn fiedler(a: &Array) -> Array {
    let a = vector("fiedler", a);
    jnp::abs(a.expand_dims(1) - a.expand_dims(0))
}

/// The matrix of ones and minus ones with orthogonal rows; n is a power of two. JAX: `scipy.linalg.hadamard`.
///
/// ```
/// assert_eq!(rjax::scipy::linalg::hadamard(2).to_vec::<i32>(), [1, 1, 1, -1]);
/// ```
#[track_caller]
pub fn hadamard(n: usize) -> Array {
    if !n.is_power_of_two() {
        fail_with(ErrorKind::Parameter, format!("hadamard: found size {n}, expected a power of two"))
    }
    let (i, j) = positions(n, n);
    1 - (lax::population_count(i & j) & 1) * 2
}

/// The orthogonal matrix whose rows compare each element with those before it; without `full` it lacks the first row, of equal
/// elements. JAX: `scipy.linalg.helmert`.
#[track_caller]
pub fn helmert(n: usize, full: bool) -> Array {
    let (i, j) = positions(n, n);
    let own = jnp::where_(i.eq(&j), -&i, i.gt(&j).astype(DType::I32));
    let unscaled = jnp::where_(i.eq(0), 1, own).astype(DType::F32);
    let squares = jnp::where_(i.eq(0), n as i32, &i * (&i + 1)).astype(DType::F32);
    let rows = unscaled / jnp::sqrt(squares);
    if full { rows } else { lax::slice_in_dim(&rows, n.min(1), n, 0) }
}

/// The matrix with this first row, and these elements below the diagonal. JAX: `scipy.linalg.leslie`.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(rjax::scipy::linalg::leslie(&jnp::array([1, 2]), &jnp::array([3])).to_vec::<i32>(), [1, 2, 3, 0]);
/// ```
#[track_caller]
pub fn leslie(f: &Array, s: &Array) -> Array {
    let n = vector("leslie", f).len();
    if s.ndim() != 1 || s.len() + 1 != n {
        fail_with(
            ErrorKind::Shape,
            format!("leslie: found {} and {}, expected vectors, the second one shorter by one", f.aval(), s.aval()),
        )
    }
    let operands = promote_dtypes(&[f, s]);
    let (i, _) = positions(n, n);
    jnp::where_(i.eq(0), operands[0].expand_dims(0), jnp::diag(&operands[1], -1))
}

/// The symmetric matrix of binomial coefficients, of i + j over i. JAX: `scipy.linalg.pascal`.
///
/// ```
/// assert_eq!(rjax::scipy::linalg::pascal(3).to_vec::<f32>(), [1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 1.0, 3.0, 6.0]);
/// ```
pub fn pascal(n: usize) -> Array {
    let mut rows = vec![1.0f64; n * n];
    for i in 1..n {
        for j in 1..n {
            rows[i * n + j] = rows[(i - 1) * n + j] + rows[i * n + j - 1];
        }
    }
    Array::from_vec([n, n], rows.into_iter().map(|x| x as f32).collect())
}

/// The matrices one after the other along the diagonal, zeros elsewhere. JAX: `scipy.linalg.block_diag`.
///
/// ```
/// use rjax::prelude::*;
/// let blocks = rjax::scipy::linalg::block_diag(&[&jnp::array([[1, 2]]), &jnp::array([[3], [4]])]);
/// assert_eq!(blocks.to_vec::<i32>(), [1, 2, 0, 0, 0, 3, 0, 0, 4]);
/// ```
#[track_caller]
pub fn block_diag(blocks: &[&Array]) -> Array {
    if let Some(block) = blocks.iter().find(|block| block.ndim() != 2) {
        fail_with(ErrorKind::Shape, format!("block_diag: expected matrices, found {}", block.aval()))
    }
    if blocks.is_empty() {
        return jnp::zeros([1, 0], DType::F32);
    }
    let blocks = promote_dtypes(blocks);
    let columns: usize = blocks.iter().map(|block| block.shape()[1]).sum();
    let mut left = 0;
    let rows: Vec<Array> = (blocks.iter())
        .map(|block| {
            let width = block.shape()[1];
            let row = jnp::pad(block, &[(0, 0), (left, columns - left - width)], 0);
            left += width;
            row
        })
        .collect();
    jnp::concatenate(&rows, 0)
}
