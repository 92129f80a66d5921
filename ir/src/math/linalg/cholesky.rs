//! Cholesky factorisation: a positive definite matrix as the product of a lower triangle and its adjoint.

use super::Field;
use super::blocked::{BLOCK, Packed, subtract_product};

/// Replaces a Hermitian n × n matrix, of which only the lower triangle is read, by its lower factor with zeros above.
/// A matrix that is not positive definite gives NaN in the whole lower triangle.
#[inline(always)]
pub fn cholesky<T: Field>(n: usize, a: &mut [T]) {
    let mut start = 0;
    let mut definite = true;
    while start < n && definite {
        let end = (start + BLOCK).min(n);
        definite = diagonal_block(n, a, start, end);
        let adjoint = adjoint_of_block(n, a, start, end);
        solve_below(n, a, start, end, &adjoint);
        update_rest(n, a, start, end);
        start = end;
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

/// The adjoint of the factored block, row-major and with gaps of none.
#[inline(always)]
fn adjoint_of_block<T: Field>(n: usize, a: &[T], start: usize, end: usize) -> Vec<T> {
    let size = end - start;
    let mut adjoint = vec![T::ZERO; size * size];
    for i in 0..size {
        for j in 0..=i {
            adjoint[j * size + i] = a[(start + i) * n + start + j].conj();
        }
    }
    adjoint
}

/// Rows below the block times the inverse of the block's adjoint.
#[inline(always)]
fn solve_below<T: Field>(n: usize, a: &mut [T], start: usize, end: usize, adjoint: &[T]) {
    let size = end - start;
    for i in end..n {
        let row = &mut a[i * n + start..][..size];
        for p in 0..size {
            let factors = &adjoint[p * size..][..size];
            let x = row[p] / factors[p];
            row[p] = x;
            for (later, &factor) in row[p + 1..].iter_mut().zip(&factors[p + 1..]) {
                *later -= x * factor;
            }
        }
    }
}

/// Subtracts the product of the rows below with their adjoint from the lower triangle that remains.
#[inline(always)]
fn update_rest<T: Field>(n: usize, a: &mut [T], start: usize, end: usize) {
    let size = end - start;
    let mut below = Vec::with_capacity((n - end) * size);
    for i in end..n {
        below.extend_from_slice(&a[i * n + start..][..size]);
    }
    let packed = Packed::new(size, n - end, |l, j| below[j * size + l].conj());
    for top in (end..n).step_by(BLOCK) {
        let bottom = (top + BLOCK).min(n);
        let rows = &below[(top - end) * size..(bottom - end) * size];
        subtract_product(rows, &packed, bottom - end, &mut a[top * n + end..], n);
    }
}

/// How many matrices [`cholesky_lanes`] factors side by side.
pub const LANES: usize = 8;

/// [`cholesky`] of [`LANES`] real matrices of one size at once, without blocks: best for small ones.
#[inline(always)]
pub fn cholesky_lanes<T: Field<Real = T>>(n: usize, matrices: &mut [T], scratch: &mut Vec<[T; LANES]>) {
    let size = n * n;
    scratch.clear();
    scratch.resize(size, [T::ZERO; LANES]);
    for i in 0..n {
        for j in 0..=i {
            for lane in 0..LANES {
                scratch[i * n + j][lane] = matrices[lane * size + i * n + j];
            }
        }
    }
    for j in 0..n {
        let (above, rest) = scratch.split_at_mut(j * n);
        let _ = above;
        let (row, below) = rest.split_at_mut(n);
        let mut pivot = row[j];
        for x in &row[..j] {
            for lane in 0..LANES {
                pivot[lane] -= x[lane] * x[lane];
            }
        }
        let mut inverse = [T::ZERO; LANES];
        for lane in 0..LANES {
            // NaN spreads to every later pivot, so the last one tells whether all were positive.
            let root = if pivot[lane].is_positive() { pivot[lane].root() } else { T::NAN };
            row[j][lane] = root;
            inverse[lane] = T::ONE / root;
        }
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
    let last = scratch.last().copied().unwrap_or([T::ONE; LANES]);
    for (lane, matrix) in matrices.chunks_exact_mut(size.max(1)).enumerate().take(LANES) {
        let failed = !last[lane].is_positive();
        for i in 0..n {
            for j in 0..n {
                let value = if failed { T::NAN } else { scratch[i * n + j][lane] };
                matrix[i * n + j] = if j <= i { value } else { T::ZERO };
            }
        }
    }
}
