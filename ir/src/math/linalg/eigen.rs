//! Eigenvalues and eigenvectors of general square matrices, from their Schur form.

use super::Double;
use super::columns::{Columns, norm};
use super::kernels::Kernels;
use super::passes::{axpy, dot};
use super::rotations::rotate;
use super::schur::{Schur, SchurForm, givens};
use crate::Complex128;

/// `A R = R diag(w)` and `L^H A = diag(w) L^H`, the columns of R and L of length 1 with a real greatest element.
pub struct Eigen {
    /// The eigenvalues.
    pub values: Vec<Complex128>,
    /// The left eigenvectors, if asked for.
    pub left: Option<Columns<Complex128>>,
    /// The right eigenvectors, if asked for.
    pub right: Option<Columns<Complex128>>,
}

/// The eigenvalues and, on request, vectors of a square matrix; `None` where it is not finite or the iteration does not converge.
/// Complex eigenvalues of a real matrix come in exact conjugate pairs, the one with positive imaginary part first.
pub fn eigen<T: SchurForm, K: Kernels>(kernels: &K, a: Columns<T>, left: bool, right: bool) -> Option<Eigen> {
    let n = a.cols();
    let Schur { form, vectors } = T::schur(kernels, a)?;
    let pair_at = |k: usize| k + 1 < n && form.at(k + 1, k) != T::ZERO;
    let mut values = Vec::with_capacity(n);
    while values.len() < n {
        let k = values.len();
        if pair_at(k) {
            let imaginary = form.at(k, k + 1).modulus().sqrt() * form.at(k + 1, k).modulus().sqrt();
            let value = Complex128::new(form.at(k, k).re(), imaginary);
            values.extend([value, value.conj()]);
        } else {
            values.push(form.at(k, k).complex());
        }
    }
    let mut t = Columns::from_fn(n, n, |i, j| form.at(i, j).complex());
    let mut z = Columns::from_fn(n, n, |i, j| vectors.at(i, j).complex());
    for k in 0..n {
        if pair_at(k) {
            triangularise(&mut t, &mut z, k, values[k]);
        }
    }
    // What the triangular form has on its diagonal differs from the eigenvalues by rounding.
    (0..n).for_each(|k| *t.at_mut(k, k) = values[k]);
    let smallest = f64::EPSILON * (0..n).map(|j| norm(kernels, t.col(j))).fold(f64::MIN_POSITIVE, f64::max);
    let real = T::from_parts(0.0, 1.0) == T::ZERO;
    let vectors_of = |of_triangle: &dyn Fn(usize) -> Vec<Complex128>| {
        let mut result: Columns<Complex128> = Columns::zeros(n, n);
        for k in 0..n {
            if real && k > 0 && values[k].im < 0.0 {
                let conjugate: Vec<_> = result.col(k - 1).iter().map(|x| x.conj()).collect();
                result.col_mut(k).copy_from_slice(&conjugate);
                continue;
            }
            let y = of_triangle(k);
            for (j, &factor) in y.iter().enumerate() {
                kernels.axpy(factor, z.col(j), result.col_mut(k));
            }
            normalise(kernels, result.col_mut(k), real && values[k].im == 0.0);
        }
        result
    };
    let right = right.then(|| vectors_of(&|k| right_vector(&t, k, smallest)));
    let left = left.then(|| vectors_of(&|k| left_vector(&t, k, smallest)));
    Some(Eigen { values, left, right })
}

/// Rotates a 2 × 2 block with this eigenvalue into a triangle.
fn triangularise(t: &mut Columns<Complex128>, z: &mut Columns<Complex128>, k: usize, value: Complex128) {
    let n = t.cols();
    let (c, s) = givens(value - t.at(k + 1, k + 1), t.at(k + 1, k));
    for j in k..n {
        let (x, y) = (t.at(k, j), t.at(k + 1, j));
        *t.at_mut(k, j) = x.scale(c) + s * y;
        *t.at_mut(k + 1, j) = y.scale(c) - s.conj() * x;
    }
    let (x, y) = t.two_cols_mut(k, k + 1);
    rotate(&mut x[..k + 2], &mut y[..k + 2], c, s);
    let (x, y) = z.two_cols_mut(k, k + 1);
    rotate(x, y, c, s);
    *t.at_mut(k + 1, k) = Complex128::ZERO;
}

/// A denominator kept away from zero, as an eigenvalue that occurs twice would make it.
fn away_from_zero(x: Complex128, smallest: f64) -> Complex128 {
    if x.modulus() < smallest { Complex128::new(smallest, 0.0) } else { x }
}

/// The solution of `T x = t[k][k] x` with `x[k] = 1`.
fn right_vector(t: &Columns<Complex128>, k: usize, smallest: f64) -> Vec<Complex128> {
    let mut x: Vec<Complex128> = (0..t.cols()).map(|i| if i < k { -t.at(i, k) } else { Complex128::ZERO }).collect();
    x[k] = Complex128::ONE;
    for i in (0..k).rev() {
        x[i] /= away_from_zero(t.at(i, i) - t.at(k, k), smallest);
        let factor = -x[i];
        axpy(factor, &t.col(i)[..i], &mut x[..i]);
    }
    x
}

/// The solution of `T^H y = conj(t[k][k]) y` with `y[k] = 1`.
fn left_vector(t: &Columns<Complex128>, k: usize, smallest: f64) -> Vec<Complex128> {
    let n = t.cols();
    let mut y = vec![Complex128::ZERO; n];
    y[k] = Complex128::ONE;
    for i in k + 1..n {
        let total = dot(&t.col(i)[k..i], &y[k..i]);
        y[i] = -total / away_from_zero(t.at(i, i) - t.at(k, k), smallest).conj();
    }
    y
}

/// Scales to length 1, the greatest element real.
fn normalise<K: Kernels>(kernels: &K, x: &mut [Complex128], real: bool) {
    let length = norm(kernels, x);
    let greatest = x.iter().copied().max_by(|a, b| a.norm_sqr().total_cmp(&b.norm_sqr())).unwrap_or(Complex128::ONE);
    let factor = greatest.conj().scale(1.0 / (greatest.modulus() * length));
    for x in x {
        *x *= factor;
        if real {
            x.im = 0.0;
        }
    }
}
