//! Householder reflections: QR and the reduction to Hessenberg form.
//!
//! A reflector is `H = I - tau v v^H` with `v[0] = 1`; only the rest of v is stored.

use super::Double;
use super::columns::{Columns, dot, norm};

/// Turns x into the tail of the reflector for which `H^H x` is `beta` times the first unit vector, beta real; returns tau and
/// beta. `x[0]` is left alone.
pub(super) fn reflector<T: Double>(x: &mut [T]) -> (T, f64) {
    let (&mut head, tail) = x.split_first_mut().expect("a reflector has at least one element");
    let rest = norm(tail);
    if rest == 0.0 && head.im() == 0.0 {
        return (T::ZERO, head.re());
    }
    let beta = -head.modulus().hypot(rest).copysign(head.re());
    let tau = T::from_parts((beta - head.re()) / beta, -head.im() / beta);
    let scale = T::ONE / (head - T::from_parts(beta, 0.0));
    tail.iter_mut().for_each(|x| *x *= scale);
    (tau, beta)
}

/// `(I - tau v v^H) x`, where v begins with 1 and goes on with `tail`.
pub(super) fn reflect<T: Double>(tau: T, tail: &[T], x: &mut [T]) {
    let (head, rest) = x.split_first_mut().expect("as long as the reflector");
    let factor = tau * (*head + dot(tail, rest));
    *head -= factor;
    for (x, &v) in rest.iter_mut().zip(tail) {
        *x -= factor * v;
    }
}

/// Replaces a matrix by R on and above the diagonal and the tails of the reflectors below; returns the taus.
pub fn geqrf<T: Double>(a: &mut Columns<T>) -> Vec<T> {
    let steps = a.rows().min(a.cols());
    let mut taus = Vec::with_capacity(steps);
    for i in 0..steps {
        let (tau, beta) = reflector(&mut a.col_mut(i)[i..]);
        for j in i + 1..a.cols() {
            let (v, x) = a.two_cols_mut(i, j);
            reflect(tau.conj(), &v[i + 1..], &mut x[i..]);
        }
        a.col_mut(i)[i] = T::from_parts(beta, 0.0);
        taus.push(tau);
    }
    taus
}

/// The first `cols` columns of the product of the reflectors `H0 H1 …`, whose tails are below the diagonal of `a`.
pub fn householder_product<T: Double>(a: &Columns<T>, taus: &[T], cols: usize) -> Columns<T> {
    let mut q = Columns::identity(a.rows(), cols);
    for (i, &tau) in taus.iter().enumerate().rev() {
        let tail = &a.col(i)[i + 1..];
        for j in i..cols {
            reflect(tau, tail, &mut q.col_mut(j)[i..]);
        }
    }
    q
}

/// Reduces a square matrix to upper Hessenberg form by a unitary similarity: the form on and above the first subdiagonal, the tails
/// of the reflectors below it; returns the taus.
pub fn hessenberg<T: Double>(a: &mut Columns<T>) -> Vec<T> {
    let n = a.cols();
    let mut taus = Vec::with_capacity(n.saturating_sub(1));
    for i in 0..n.saturating_sub(1) {
        let (tau, beta) = reflector(&mut a.col_mut(i)[i + 1..]);
        let tail = a.col(i)[i + 2..].to_vec();
        // From the right: rows of A times H, a combination of columns.
        let mut product = a.col(i + 1).to_vec();
        for (k, &v) in tail.iter().enumerate() {
            super::columns::axpy(v, a.col(i + 2 + k), &mut product);
        }
        super::columns::axpy(-tau, &product, a.col_mut(i + 1));
        for (k, &v) in tail.iter().enumerate() {
            super::columns::axpy(-(tau * v.conj()), &product, a.col_mut(i + 2 + k));
        }
        for j in i + 1..n {
            reflect(tau.conj(), &tail, &mut a.col_mut(j)[i + 1..]);
        }
        *a.at_mut(i + 1, i) = T::from_parts(beta, 0.0);
        taus.push(tau);
    }
    taus
}
