//! Singular values by Jacobi rotations of the columns of a triangular factor.
//!
//! The rotations find all singular values to high relative accuracy. The QR factorisation before them makes tall matrices small
//! and lets the rotations converge in a few sweeps.

use super::Double;
use super::columns::{Columns, norm};
use super::kernels::Kernels;
use super::reflect::{geqrf, householder_product};

/// Sweeps over all pairs of columns before the iteration is given up.
const SWEEPS: usize = 60;

/// Where the square of a cotangent is not worth computing.
const FAR: f64 = 1e100;

/// `A = U diag(s) V^H`, the singular values in descending order.
pub struct Singular<T> {
    /// The singular values.
    pub values: Vec<f64>,
    /// U, with as many columns as asked for.
    pub left: Columns<T>,
    /// V, with as many columns as asked for.
    pub right: Columns<T>,
}

/// What is wanted beside the singular values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vectors {
    /// Nothing; the matrices of the result are empty.
    None,
    /// As many singular vectors as there are singular values.
    Thin,
    /// Square U and V.
    Full,
}

/// The singular values and vectors of a matrix. `None` where the matrix is not finite or the iteration does not converge.
pub fn svd<T: Double, K: Kernels>(kernels: &K, a: Columns<T>, vectors: Vectors) -> Option<Singular<T>> {
    if !a.is_finite() {
        return None;
    }
    if a.rows() < a.cols() {
        let Singular { values, left, right } = svd_of_tall(kernels, a.adjoint(), vectors)?;
        return Some(Singular { values, left: right, right: left });
    }
    svd_of_tall(kernels, a, vectors)
}

fn svd_of_tall<T: Double, K: Kernels>(kernels: &K, mut a: Columns<T>, vectors: Vectors) -> Option<Singular<T>> {
    let (m, n) = (a.rows(), a.cols());
    let taus = geqrf(kernels, &mut a);
    // The adjoint of R: if it is W = U diag(s) V^H, then R = V diag(s) U^H.
    let mut w = Columns::from_fn(n, n, |i, j| if j <= i { a.at(j, i).conj() } else { T::ZERO });
    let mut v = if vectors == Vectors::None { Columns::zeros(0, n) } else { Columns::identity(n, n) };
    orthogonalise(kernels, &mut w, &mut v)?;
    let lengths: Vec<f64> = (0..n).map(|j| norm(w.col(j))).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| lengths[j].total_cmp(&lengths[i]));
    let values: Vec<f64> = order.iter().map(|&j| lengths[j]).collect();
    if vectors == Vectors::None {
        return Some(Singular { values, left: Columns::zeros(0, 0), right: Columns::zeros(0, 0) });
    }
    let (mut u, v) = (w.select(order.iter().copied()), v.select(order.iter().copied()));
    let noise = values.first().copied().unwrap_or(0.0) * f64::EPSILON * n as f64;
    let rank = values.iter().take_while(|&&s| s > noise && s > 0.0).count();
    for (j, &s) in values.iter().enumerate().take(rank) {
        u.col_mut(j).iter_mut().for_each(|x| *x = x.scale(1.0 / s));
    }
    complete(kernels, &mut u, rank);
    let mut left = householder_product(kernels, &a, &taus, if vectors == Vectors::Full { m } else { n });
    let product = left.select(0..n).times(kernels, &v);
    for j in 0..n {
        left.col_mut(j).copy_from_slice(product.col(j));
    }
    Some(Singular { values, left, right: u })
}

/// Rotates pairs of columns of w, and those of v along with them, until all are orthogonal.
fn orthogonalise<T: Double, K: Kernels>(kernels: &K, w: &mut Columns<T>, v: &mut Columns<T>) -> Option<()> {
    let n = w.cols();
    let tolerance = f64::EPSILON * (n as f64).sqrt();
    let largest = (0..n).map(|j| norm(w.col(j))).fold(0.0, f64::max);
    if largest == 0.0 {
        return Some(());
    }
    // Squares of scaled columns neither overflow nor vanish.
    for j in 0..n {
        w.col_mut(j).iter_mut().for_each(|x| *x = x.scale(1.0 / largest));
    }
    let negligible = (f64::EPSILON * f64::EPSILON).powi(2);
    for _ in 0..SWEEPS {
        let mut rotated = false;
        // A rotation shifts a known amount from one square of a length to the other; computed anew in each sweep, they stay exact enough.
        let mut squares: Vec<f64> = (0..n).map(|j| kernels.dot(w.col(j), w.col(j)).re()).collect();
        for p in 0..n {
            for q in p + 1..n {
                let (x, y) = w.two_cols_mut(p, q);
                let (alpha, beta, gamma) = (squares[p], squares[q], kernels.dot(x, y));
                let size = gamma.modulus();
                if size <= tolerance * (alpha * beta).sqrt() || size <= negligible {
                    continue;
                }
                rotated = true;
                let zeta = (beta - alpha) / (2.0 * size);
                // The smaller root of t² + 2 zeta t = 1; from FAR on, 1 is nothing beside zeta².
                let t = if zeta.abs() < FAR {
                    1f64.copysign(zeta) / (zeta.abs() + (zeta * zeta + 1.0).sqrt())
                } else {
                    0.5 / zeta
                };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = gamma.scale(-c * t / size);
                kernels.rotate(x, y, c, s);
                squares[p] = (alpha - t * size).max(0.0);
                squares[q] = beta + t * size;
                let (x, y) = v.two_cols_mut(p, q);
                kernels.rotate(x, y, c, s);
            }
        }
        if !rotated {
            for j in 0..n {
                w.col_mut(j).iter_mut().for_each(|x| *x = x.scale(largest));
            }
            return Some(());
        }
    }
    None
}

/// Replaces the columns from `rank` on so that all are orthonormal, given that those before are.
fn complete<T: Double, K: Kernels>(kernels: &K, u: &mut Columns<T>, rank: usize) {
    let n = u.cols();
    if rank == n {
        return;
    }
    let mut known = u.select(0..rank);
    let taus = geqrf(kernels, &mut known);
    let q = householder_product(kernels, &known, &taus, n);
    for j in rank..n {
        u.col_mut(j).copy_from_slice(q.col(j));
    }
}
