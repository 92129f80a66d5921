//! Eigenvalues of Hermitian matrices: reduction to a real tridiagonal matrix, which is taken apart (`divide`) down to small ones for the
//! QL algorithm with implicit shifts.

use super::Double;
use super::columns::{Columns, hypot};
use super::divide::tridiagonal_eigen;
use super::kernels::Kernels;
use super::reflect::{apply_subdiagonal, reflector};
use super::rotations::{Chain, Rotations};
use super::strips::{STRIP, steps};

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

/// Reduces a Hermitian matrix, of which the lower triangle is read.
pub fn tridiagonalize<T: Double, K: Kernels>(kernels: &K, mut a: Columns<T>) -> HermitianTridiagonal<T> {
    let n = a.cols();
    let (mut below, mut taus) = (Vec::new(), Vec::new());
    for i in 0..n.saturating_sub(1) {
        let (tau, beta) = reflector(kernels, &mut a.col_mut(i)[i + 1..]);
        let mut v = a.col(i)[i + 1..].to_vec();
        v[0] = T::ONE;
        // H^H A H = A - v w^H - w v^H with y = tau A v and w = y - (tau (y^H v) / 2) v.
        let mut w = vec![T::ZERO; v.len()];
        kernels.hermitian_product(a.transposed_part(i + 1, i + 1), n, &v, &mut w);
        w.iter_mut().for_each(|w| *w *= tau);
        let half = (tau * kernels.dot(&w, &v)).scale(0.5);
        kernels.axpy(-half, &v, &mut w);
        kernels.hermitian_update(a.transposed_part(i + 1, i + 1), n, &v, &w);
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
    let HermitianTridiagonal { diagonal, below, reflectors, taus } = tridiagonalize(kernels, a);
    let (values, vectors) = tridiagonal_eigen(kernels, &diagonal, &below)?;
    let n = diagonal.len();
    let mut vectors = Columns::from_fn(n, n, |i, j| T::from_parts(vectors.at(i, j), 0.0));
    apply_subdiagonal(kernels, &reflectors, &taus, &mut vectors);
    Some((values, vectors))
}

/// The same of a real tridiagonal matrix by rotations.
pub(super) fn iterate<K: Kernels>(kernels: &K, diagonal: &[f64], below: &[f64]) -> Option<(Vec<f64>, Columns<f64>)> {
    let n = diagonal.len();
    let (mut d, mut below) = (diagonal.to_vec(), [below, &[0.0]].concat());
    let mut rotations = Rotations::default();
    for l in 0..n {
        deflate(l, &mut d, &mut below, &mut rotations)?;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[i].total_cmp(&d[j]));
    let vectors = rotated(kernels, &Columns::identity(n, n), &rotations, &order);
    Some((order.iter().map(|&i| d[i]).collect(), vectors))
}

/// Multiplications that are worth handing to another thread.
const GRAIN: usize = 1 << 18;

/// The columns after rotations of neighbours, in this order. Strips of rows stay in the cache meanwhile, and threads share them.
pub(super) fn rotated<T: Double, K: Kernels>(
    kernels: &K,
    z: &Columns<T>,
    rotations: &Rotations,
    order: &[usize],
) -> Columns<T> {
    let (m, n) = (z.rows(), z.cols());
    let size = n * STRIP;
    let mut strips = vec![T::ZERO; m.div_ceil(STRIP) * size];
    let together = GRAIN.div_ceil(4 * STRIP * rotations.factors.len().max(1));
    kernels.each(&mut strips, together * size, &|piece, strips| {
        for (rows, strip) in steps(m).skip(piece * together).zip(strips.chunks_exact_mut(size)) {
            for (j, row) in strip.chunks_exact_mut(STRIP).enumerate() {
                row[..rows.len()].copy_from_slice(&z.col(j)[rows.clone()]);
            }
            kernels.rotate_rows(rotations, strip);
        }
    });
    let mut sorted = Columns::zeros(m, n);
    for (j, &from) in order.iter().enumerate() {
        for (rows, strip) in steps(m).zip(strips.chunks_exact(size)) {
            let count = rows.len();
            sorted.col_mut(j)[rows].copy_from_slice(&strip[from * STRIP..][..count]);
        }
    }
    sorted
}

/// Iterates until the diagonal element `l` is an eigenvalue, and notes the rotations of columns of the vectors.
fn deflate(l: usize, d: &mut [f64], e: &mut [f64], rotations: &mut Rotations) -> Option<()> {
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
        let done = rotations.factors.len();
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
            rotations.factors.push((c, -s));
        }
        rotations.chains.push(Chain::Down { first: m + done - rotations.factors.len(), last: m });
        if !split {
            d[l] -= p;
            e[l] = g;
            e[m] = 0.0;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Plain;
    use super::*;
    use crate::Complex128;

    fn number(i: usize, j: usize) -> f64 {
        ((i * i * 31 + j * 17 + i * j * j * 7 + 5) % 101) as f64 / 50.0 - 1.0
    }

    fn check<T: Double>(n: usize, element: impl Fn(usize, usize) -> T) {
        let hermitian = |i: usize, j: usize| {
            let x = if i >= j { element(i, j) } else { element(j, i).conj() };
            if i == j { x.without_imaginary() } else { x }
        };
        let a = Columns::from_fn(n, n, hermitian);
        let (values, vectors) = eigh(&Plain, a.clone()).expect("converges");
        assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
        let gram = vectors.adjoint().times(&Plain, &vectors);
        let product = a.times(&Plain, &vectors);
        for (i, j) in (0..n * n).map(|at| (at / n, at % n)) {
            let one = if i == j { T::ONE } else { T::ZERO };
            assert!((gram.at(i, j) - one).modulus() < 1e-13, "{n}: {i}, {j}");
            let scaled = vectors.at(i, j).scale(values[j]);
            assert!((product.at(i, j) - scaled).modulus() < 1e-13 * n as f64, "{n}: {i}, {j}");
        }
    }

    #[test]
    fn eigenvectors_of_every_size() {
        for n in [0, 1, 2, 3, 17, 32, 33, 70] {
            check(n, number);
            check(n, |i, j| Complex128::new(number(i, j), number(j + 3, i)));
            check(n, |i, j| if i == j { (i % 3) as f64 } else { 0.0 });
            check(n, |i, j| if i == j + 1 { 1.0 } else { 0.0 });
        }
    }
}
