//! Cholesky factorisation: a positive definite matrix as the product of a lower triangle and its adjoint.

use super::Field;
use super::kernels::{Kernels, LANES, transpose_strided};
use super::strips::{MOVED, MULTIPLIED, STRIP, advance, load, steps, together};

/// Replaces a Hermitian n × n matrix, of which only the lower triangle is read, by its lower factor with zeros above.
/// A matrix that is not positive definite gives NaN in the whole lower triangle.
#[inline(always)]
pub fn cholesky<T: Field, K: Kernels>(kernels: &K, n: usize, a: &mut [T]) {
    kernels.with_scratch(n.div_ceil(STRIP) * n * STRIP, |strips| factor_strips(kernels, n, a, strips));
}

/// As [`cholesky`], with room for the strips of the adjoint of the factor: rows of the lower triangle are columns of theirs.
fn factor_strips<T: Field, K: Kernels>(kernels: &K, n: usize, a: &mut [T], strips: &mut [T]) {
    let size = n * STRIP;
    let moved = together(size, MOVED);
    let lower = &*a;
    kernels.each(strips, moved * size, &|piece, strips| {
        for (columns, strip) in steps(n).skip(piece * moved).zip(strips.chunks_exact_mut(size)) {
            let strip = &mut strip[..columns.end * STRIP];
            load(lower, n, true, columns.clone(), 0..columns.end, strip);
            strip.iter_mut().for_each(|x| *x = x.conj());
        }
    });
    let definite = steps(n).all(|step| {
        let (strip, later) = strips[step.start * n..].split_at_mut(size);
        let (above, rows) = strip.split_at_mut(step.start * STRIP);
        let mut sums = [T::ZERO; STRIP * STRIP];
        kernels.adjoint_product(above, above, &mut sums);
        let definite = kernels.factor(&sums, &mut rows[..step.len() * STRIP]);
        if definite {
            let solved = together(step.end * STRIP * STRIP, MULTIPLIED);
            kernels.each(later, solved * size, &|_, later| {
                later.chunks_exact_mut(size).for_each(|other| advance(kernels, false, step.clone(), strip, other));
            });
        }
        definite
    });
    kernels.each(a, moved * size, &|piece, rows| {
        let strips = strips.chunks_exact(size).skip(piece * moved);
        for ((columns, rows), strip) in steps(n).skip(piece * moved).zip(rows.chunks_mut(size)).zip(strips) {
            transpose_strided([columns.end, columns.len()], strip, STRIP, rows, n);
            for (i, row) in columns.zip(rows.chunks_exact_mut(n)) {
                let (lower, upper) = row.split_at_mut(i + 1);
                if definite {
                    lower.iter_mut().for_each(|x| *x = x.conj());
                } else {
                    lower.fill(T::NAN);
                }
                upper.fill(T::ZERO);
            }
        }
    });
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
