//! Householder reflections: QR and the reduction to Hessenberg form.
//!
//! A reflector is `H = I - tau v v^H` with `v[0] = 1`; only the rest of v is stored. Products of several reflectors are applied
//! together, as `I - V T V^H` with a small triangle T (Schreiber and Van Loan, 1989), so that most of the work is products of matrices.

use super::Double;
use super::columns::{Columns, hypot, norm};
use super::kernels::{BLOCK, Kernels, View};

/// Turns x into the tail of the reflector for which `H^H x` is `beta` times the first unit vector, beta real; returns tau and
/// beta. `x[0]` is left alone.
pub(super) fn reflector<T: Double, K: Kernels>(kernels: &K, x: &mut [T]) -> (T, f64) {
    let (&mut head, tail) = x.split_first_mut().expect("a reflector has at least one element");
    let rest = norm(kernels, tail);
    if rest == 0.0 && head.im() == 0.0 {
        return (T::ZERO, head.re());
    }
    let beta = -hypot(head.modulus(), rest).copysign(head.re());
    let tau = T::from_parts((beta - head.re()) / beta, -head.im() / beta);
    let scale = T::ONE / (head - T::from_parts(beta, 0.0));
    tail.iter_mut().for_each(|x| *x *= scale);
    (tau, beta)
}

/// `(I - tau v v^H) x`, where v begins with 1 and goes on with `tail`.
pub(super) fn reflect<T: Double, K: Kernels>(kernels: &K, tau: T, tail: &[T], x: &mut [T]) {
    let (head, rest) = x.split_first_mut().expect("as long as the reflector");
    let factor = tau * (*head + kernels.dot(tail, rest));
    *head -= factor;
    kernels.axpy(-factor, tail, rest);
}

/// The product `I - V T V^H` of consecutive reflectors.
struct Block<T> {
    rows: usize,
    size: usize,
    /// V, column after column.
    v: Vec<T>,
    /// T, row after row, an upper triangle.
    t: Vec<T>,
}

impl<T: Double> Block<T> {
    /// The reflectors whose tails are below the diagonal of columns `start..end` of `a`.
    fn new<K: Kernels>(kernels: &K, a: &Columns<T>, taus: &[T], start: usize, end: usize) -> Block<T> {
        let (rows, size) = (a.rows() - start, end - start);
        let mut v = vec![T::ZERO; rows * size];
        let mut t = vec![T::ZERO; size * size];
        for i in 0..size {
            let (before, column) = v.split_at_mut(i * rows);
            let column = &mut column[..rows];
            column[i] = T::ONE;
            column[i + 1..].copy_from_slice(&a.col(start + i)[start + i + 1..]);
            // The next column of T is -tau T (V^H v).
            let products: Vec<T> = (0..i).map(|j| kernels.dot(&before[j * rows..][i..rows], &column[i..])).collect();
            for j in 0..i {
                let sum = (j..i).fold(T::ZERO, |sum, l| sum + t[j * size + l] * products[l]);
                t[j * size + i] = -(taus[start + i] * sum);
            }
            t[i * size + i] = taus[start + i];
        }
        Block { rows, size, v, t }
    }

    /// Applies the product, or its adjoint, to the rows from `top` on of the columns from `first` on.
    fn apply<K: Kernels>(&self, kernels: &K, adjoint: bool, x: &mut Columns<T>, top: usize, first: usize) {
        let (rows, size, cols, stride) = (self.rows, self.size, x.cols() - first, x.rows());
        let x = x.transposed_part(top, first);
        let conjugate = |values: &[T]| -> Vec<T> { values.iter().map(|x| x.conj()).collect() };
        // Everything is transposed: -(V^H X)^T, then (T V^H X)^T, which is multiplied by V^T.
        let mut projected = vec![T::ZERO; cols * size];
        let v = conjugate(&self.v);
        kernels.subtract_product(
            [cols, size, rows],
            View::rows(x, stride),
            View::columns(&v, rows),
            &mut projected,
            size,
        );
        let mut mixed = vec![T::ZERO; cols * size];
        let t = if adjoint { conjugate(&self.t) } else { self.t.clone() };
        let t = if adjoint { View::rows(&t, size) } else { View::columns(&t, size) };
        kernels.subtract_product([cols, size, size], View::rows(&projected, size), t, &mut mixed, size);
        kernels.subtract_product([cols, rows, size], View::rows(&mixed, size), View::rows(&self.v, rows), x, stride);
    }
}

/// Replaces a matrix by R on and above the diagonal and the tails of the reflectors below; returns the taus.
pub fn geqrf<T: Double, K: Kernels>(kernels: &K, a: &mut Columns<T>) -> Vec<T> {
    let steps = a.rows().min(a.cols());
    let mut taus = Vec::with_capacity(steps);
    for start in (0..steps).step_by(BLOCK) {
        let end = (start + BLOCK).min(steps);
        for i in start..end {
            let (tau, beta) = reflector(kernels, &mut a.col_mut(i)[i..]);
            let rows = a.rows();
            let (v, later) = a.column_and_later(i, i);
            kernels.reflect_columns(tau.conj(), &v[1..], later, rows, end - i - 1);
            a.col_mut(i)[i] = T::from_parts(beta, 0.0);
            taus.push(tau);
        }
        if end < a.cols() {
            Block::new(kernels, a, &taus, start, end).apply(kernels, true, a, start, end);
        }
    }
    taus
}

/// The first `cols` columns of the product of the reflectors `H0 H1 …`, whose tails are below the diagonal of `a`.
pub fn householder_product<T: Double, K: Kernels>(kernels: &K, a: &Columns<T>, taus: &[T], cols: usize) -> Columns<T> {
    let mut q = Columns::identity(a.rows(), cols);
    for start in (0..taus.len()).step_by(BLOCK).rev() {
        let end = (start + BLOCK).min(taus.len());
        if start < cols {
            Block::new(kernels, a, taus, start, end).apply(kernels, false, &mut q, start, start);
        }
    }
    q
}

/// The product of the reflectors whose tails are below the first subdiagonal of a square matrix.
pub(super) fn subdiagonal_product<T: Double, K: Kernels>(kernels: &K, a: &Columns<T>, taus: &[T]) -> Columns<T> {
    let n = a.cols();
    let mut q = Columns::identity(n, n);
    if n > 1 {
        let inner = Columns::from_fn(n - 1, n - 1, |i, j| a.at(i + 1, j));
        let inner = householder_product(kernels, &inner, taus, n - 1);
        (1..n).for_each(|j| q.col_mut(j)[1..].copy_from_slice(inner.col(j - 1)));
    }
    q
}

/// Multiplies a matrix from the left by that product.
pub(super) fn apply_subdiagonal<T: Double, K: Kernels>(kernels: &K, a: &Columns<T>, taus: &[T], x: &mut Columns<T>) {
    let n = a.cols();
    let inner = Columns::from_fn(n.saturating_sub(1), n.saturating_sub(1), |i, j| a.at(i + 1, j));
    for start in (0..taus.len()).step_by(BLOCK).rev() {
        let end = (start + BLOCK).min(taus.len());
        Block::new(kernels, &inner, taus, start, end).apply(kernels, false, x, start + 1, 0);
    }
}

/// Reduces a square matrix to upper Hessenberg form by a unitary similarity: the form on and above the first subdiagonal, the tails
/// of the reflectors below it; returns the taus.
pub fn hessenberg<T: Double, K: Kernels>(kernels: &K, a: &mut Columns<T>) -> Vec<T> {
    let n = a.cols();
    let mut taus = Vec::with_capacity(n.saturating_sub(1));
    for i in 0..n.saturating_sub(1) {
        let (tau, beta) = reflector(kernels, &mut a.col_mut(i)[i + 1..]);
        let tail = a.col(i)[i + 2..].to_vec();
        // From the right: rows of A times H, a combination of columns.
        let mut product = a.col(i + 1).to_vec();
        for (k, &v) in tail.iter().enumerate() {
            kernels.axpy(v, a.col(i + 2 + k), &mut product);
        }
        kernels.axpy(-tau, &product, a.col_mut(i + 1));
        for (k, &v) in tail.iter().enumerate() {
            kernels.axpy(-(tau * v.conj()), &product, a.col_mut(i + 2 + k));
        }
        for j in i + 1..n {
            reflect(kernels, tau.conj(), &tail, &mut a.col_mut(j)[i + 1..]);
        }
        *a.at_mut(i + 1, i) = T::from_parts(beta, 0.0);
        taus.push(tau);
    }
    taus
}
