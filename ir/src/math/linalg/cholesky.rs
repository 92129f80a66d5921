//! Cholesky factorisation: a positive definite matrix as the product of a lower triangle and its adjoint.

use super::Field;
use super::kernels::{BLOCK, Kernels, LANES, PANEL, View, transposed};
use super::triangular::forward;

/// Replaces a Hermitian n × n matrix, of which only the lower triangle is read, by its lower factor with zeros above.
/// A matrix that is not positive definite gives NaN in the whole lower triangle.
#[inline(always)]
pub fn cholesky<T: Field, K: Kernels>(kernels: &K, n: usize, a: &mut [T]) {
    let mut definite = true;
    for panel in (0..n).step_by(PANEL) {
        let panel_end = (panel + PANEL).min(n);
        for start in (panel..panel_end).step_by(BLOCK) {
            let end = (start + BLOCK).min(panel_end);
            definite = definite && diagonal_block(n, a, start, end);
            if definite {
                eliminate(kernels, n, a, [start, end, panel_end]);
            }
        }
        if definite {
            eliminate(kernels, n, a, [panel, panel_end, n]);
        }
    }
    for i in 0..n {
        let (lower, upper) = a[i * n..][..n].split_at_mut(i + 1);
        if !definite {
            lower.fill(T::NAN);
        }
        upper.fill(T::ZERO);
    }
}

/// Factors the block on the diagonal, to which all earlier columns have been applied.
#[inline(always)]
fn diagonal_block<T: Field>(n: usize, a: &mut [T], start: usize, end: usize) -> bool {
    for j in start..end {
        let mut pivot = a[j * n + j].without_imaginary();
        for p in start..j {
            let x = a[j * n + p];
            pivot -= (x * x.conj()).without_imaginary();
        }
        if !pivot.is_positive() {
            return false;
        }
        let pivot = pivot.root();
        a[j * n + j] = pivot;
        for i in j + 1..end {
            let mut x = a[i * n + j];
            for p in start..j {
                x -= a[i * n + p] * a[j * n + p].conj();
            }
            a[i * n + j] = x / pivot;
        }
    }
    true
}

/// Given the factor L of the block `start..end`, the rows X of the factor below it down to `limit`, from X Lᴴ = A, that is L Xᴴ = Aᴴ;
/// their products leave the lower triangle of what is right of them.
#[inline(always)]
fn eliminate<T: Field, K: Kernels>(kernels: &K, n: usize, a: &mut [T], [start, end, limit]: [usize; 3]) {
    let (size, rows) = (end - start, limit - end);
    if rows == 0 {
        return;
    }
    let mut factor = Vec::with_capacity(size * size);
    (start..end).for_each(|i| factor.extend_from_slice(&a[i * n + start..][..size]));
    let mut adjoint = transposed(rows, size, &a[end * n + start..], n);
    adjoint.iter_mut().for_each(|x| *x = x.conj());
    forward(kernels, size, rows, &factor, &mut adjoint, rows);
    let mut below = transposed(size, rows, &adjoint, rows);
    below.iter_mut().for_each(|x| *x = x.conj());
    for (i, row) in below.chunks_exact(size).enumerate() {
        a[(end + i) * n + start..][..size].copy_from_slice(row);
    }
    for top in (0..rows).step_by(PANEL) {
        let bottom = (top + PANEL).min(rows);
        let band = View::rows(&below[top * size..], size);
        let out = &mut a[(end + top) * n + end..];
        kernels.subtract_product([bottom - top, bottom, size], band, View::rows(&adjoint, rows), out, n);
    }
}

/// [`cholesky`] of at most [`LANES`] real matrices of one size at once, without blocks: best for small ones.
#[inline(always)]
pub fn cholesky_lanes<T: Field<Real = T>, K: Kernels>(
    kernels: &K,
    n: usize,
    from: &[T],
    to: &mut [T],
    scratch: &mut Vec<[T; LANES]>,
) {
    scratch.resize(n * n, [T::ZERO; LANES]);
    kernels.interleave(from, scratch);
    for j in 0..n {
        let (row, below) = scratch[j * n..].split_at_mut(n);
        let mut pivot = row[j];
        for x in &row[..j] {
            for lane in 0..LANES {
                pivot[lane] -= x[lane] * x[lane];
            }
        }
        let mut inverse = [T::ZERO; LANES];
        for lane in 0..LANES {
            // NaN spreads to every later pivot, so the last one tells whether all were positive.
            pivot[lane] = if pivot[lane].is_positive() { pivot[lane].root() } else { T::NAN };
            inverse[lane] = T::ONE / pivot[lane];
        }
        row[j] = pivot;
        row[j + 1..].fill([T::ZERO; LANES]);
        for other in below.chunks_exact_mut(n) {
            let mut x = other[j];
            for (a, b) in other[..j].iter().zip(&row[..j]) {
                for lane in 0..LANES {
                    x[lane] -= a[lane] * b[lane];
                }
            }
            for lane in 0..LANES {
                x[lane] *= inverse[lane];
            }
            other[j] = x;
        }
    }
    let last = scratch[n * n - 1];
    kernels.deinterleave(scratch, to);
    for (matrix, last) in to.chunks_exact_mut(n * n).zip(last) {
        if !last.is_positive() {
            (0..n).for_each(|i| matrix[i * n..][..=i].fill(T::NAN));
        }
    }
}
