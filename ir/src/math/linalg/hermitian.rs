//! Eigenvalues of Hermitian matrices: reduction to a real tridiagonal matrix, then the QL algorithm with implicit shifts.

use super::Double;
use super::columns::{Columns, hypot};
use super::kernels::Kernels;
use super::reflect::{reflector, subdiagonal_product};

/// `A = Q T Q^H` with T real and tridiagonal.
pub struct HermitianTridiagonal<T> {
    /// The diagonal of T.
    pub diagonal: Vec<f64>,
    /// The diagonal below.
    pub below: Vec<f64>,
    /// The tails of the reflectors whose product is Q, below the first subdiagonal.
    pub reflectors: Columns<T>,
    /// The factors of the reflectors.
    pub taus: Vec<T>,
}

/// Reduces a Hermitian matrix, given in full.
pub fn tridiagonalize<T: Double, K: Kernels>(kernels: &K, mut a: Columns<T>) -> HermitianTridiagonal<T> {
    let n = a.cols();
    let (mut below, mut taus) = (Vec::new(), Vec::new());
    for i in 0..n.saturating_sub(1) {
        let (tau, beta) = reflector(kernels, &mut a.col_mut(i)[i + 1..]);
        let mut v = a.col(i)[i + 1..].to_vec();
        v[0] = T::ONE;
        // H^H A H = A - v w^H - w v^H with y = tau A v and w = y - (tau (y^H v) / 2) v.
        let mut w = vec![T::ZERO; v.len()];
        for (k, &x) in v.iter().enumerate() {
            kernels.axpy(tau * x, &a.col(i + 1 + k)[i + 1..], &mut w);
        }
        let half = (tau * kernels.dot(&w, &v)).scale(0.5);
        kernels.axpy(-half, &v, &mut w);
        for k in 0..v.len() {
            let column = &mut a.col_mut(i + 1 + k)[i + 1..];
            kernels.axpy(-w[k].conj(), &v, column);
            kernels.axpy(-v[k].conj(), &w, column);
        }
        below.push(beta);
        taus.push(tau);
    }
    let diagonal = (0..n).map(|i| a.at(i, i).re()).collect();
    HermitianTridiagonal { diagonal, below, reflectors: a, taus }
}

/// Eigenvalues in ascending order and the eigenvectors, as columns, of a Hermitian matrix given in full; `None` where the
/// matrix is not finite or the iteration does not converge.
pub fn eigh<T: Double, K: Kernels>(kernels: &K, a: Columns<T>) -> Option<(Vec<f64>, Columns<T>)> {
    if !a.is_finite() {
        return None;
    }
    let n = a.cols();
    let HermitianTridiagonal { diagonal: mut d, mut below, reflectors, taus } = tridiagonalize(kernels, a);
    let mut z = subdiagonal_product(kernels, &reflectors, &taus);
    below.push(0.0);
    for l in 0..n {
        deflate(kernels, l, &mut d, &mut below, &mut z)?;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[i].total_cmp(&d[j]));
    Some((order.iter().map(|&i| d[i]).collect(), z.select(order.into_iter())))
}

/// Iterates until the diagonal element `l` is an eigenvalue.
fn deflate<T: Double, K: Kernels>(
    kernels: &K,
    l: usize,
    d: &mut [f64],
    e: &mut [f64],
    z: &mut Columns<T>,
) -> Option<()> {
    let n = d.len();
    for _ in 0..60 {
        let small = |m: &usize| e[*m].abs() <= f64::EPSILON * (d[*m].abs() + d[*m + 1].abs());
        let m = (l..n - 1).find(small).unwrap_or(n - 1);
        if m == l {
            return Some(());
        }
        let mut g = (d[l + 1] - d[l]) / (2.0 * e[l]);
        let mut r = hypot(g, 1.0);
        g = d[m] - d[l] + e[l] / (g + r.copysign(g));
        let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
        let mut split = false;
        for i in (l..m).rev() {
            let (f, b) = (s * e[i], c * e[i]);
            r = hypot(f, g);
            e[i + 1] = r;
            if r == 0.0 {
                // The matrix falls apart here.
                d[i + 1] -= p;
                e[m] = 0.0;
                split = true;
                break;
            }
            (s, c) = (f / r, g / r);
            g = d[i + 1] - p;
            r = (d[i] - g) * s + 2.0 * c * b;
            p = s * r;
            d[i + 1] = g + p;
            g = c * r - b;
            let (x, y) = z.two_cols_mut(i, i + 1);
            kernels.rotate(x, y, c, T::from_parts(-s, 0.0));
        }
        if !split {
            d[l] -= p;
            e[l] = g;
            e[m] = 0.0;
        }
    }
    None
}
