//! Strips: groups of [`STRIP`] neighbouring columns of a matrix, each row after row in memory of its own.
//!
//! Triangular solves and the Cholesky factorisation go along a strip in steps of as many rows. What the rows known so far
//! contribute to a step is one product of two strips, whose left operand needs no packing since its columns are neighbours; the rest is a
//! small triangle. Strips do not depend on each other, so threads share them.

use std::ops::Range;

use super::Field;
use super::kernels::{Kernels, transpose_strided};

/// Columns of a strip, and rows of a step.
pub const STRIP: usize = 32;
/// Elements that are worth handing to another thread if they are moved, and multiplications.
pub(super) const MOVED: usize = 1 << 14;
pub(super) const MULTIPLIED: usize = 1 << 19;
/// Rows whose sums stay in registers.
const TOGETHER: usize = 4;

/// The steps of so many rows, from the top.
pub(super) fn steps(rows: usize) -> impl DoubleEndedIterator<Item = Range<usize>> {
    (0..rows.div_ceil(STRIP)).map(move |step| step * STRIP..rows.min((step + 1) * STRIP))
}

/// How many strips a part of the work takes, if each costs so much and a part should cost at least `least`.
pub(super) fn together(cost: usize, least: usize) -> usize {
    least.div_ceil(cost.max(1))
}

/// Fills rows of a strip from a matrix: of its neighbouring columns, or `across`, of its neighbouring rows, of which `lines` says which.
pub(super) fn load<T: Field>(
    from: &[T],
    stride: usize,
    across: bool,
    lines: Range<usize>,
    rows: Range<usize>,
    strip: &mut [T],
) {
    let (first, count) = (rows.start, rows.len());
    if count == 0 {
        return;
    }
    let strip = &mut strip[first * STRIP..][..count * STRIP];
    if lines.len() < STRIP {
        strip.fill(T::ZERO);
    }
    if across {
        transpose_strided([lines.len(), count], &from[lines.start * stride + first..], stride, strip, STRIP);
    } else {
        for (row, to) in rows.zip(strip.chunks_exact_mut(STRIP)) {
            to[..lines.len()].copy_from_slice(&from[row * stride..][lines.clone()]);
        }
    }
}

/// Solves for the rows of one step: those of `block` there hold the adjoint of a triangle, the others, of the rows that are known, the adjoint of
/// what they are multiplied by. These are the rows above, or `upwards`, those below.
#[inline(always)]
pub(super) fn advance<T: Field, K: Kernels>(
    kernels: &K,
    upwards: bool,
    step: Range<usize>,
    block: &[T],
    strip: &mut [T],
) {
    let (above, rest) = strip.split_at_mut(step.start * STRIP);
    let (rows, below) = rest.split_at_mut(step.len() * STRIP);
    let (factors, known) =
        if upwards { (&block[step.end * STRIP..], &*below) } else { (&block[..above.len()], &*above) };
    let mut sums = [T::ZERO; STRIP * STRIP];
    kernels.adjoint_product(factors, known, &mut sums);
    kernels.substitute(upwards, &block[step.start * STRIP..][..rows.len()], &sums, rows);
}

/// See [`Kernels::adjoint_product`].
#[inline(always)]
pub fn adjoint_product<T: Field>(a: &[T], b: &[T], product: &mut [T; STRIP * STRIP]) {
    for (first, out) in (0..STRIP).step_by(TOGETHER).zip(product.chunks_exact_mut(TOGETHER * STRIP)) {
        let mut sums = [[T::ZERO; STRIP]; TOGETHER];
        for (a, b) in a.chunks_exact(STRIP).zip(b.chunks_exact(STRIP)) {
            for r in 0..TOGETHER {
                let factor = a[first + r].conj();
                (0..STRIP).for_each(|j| sums[r][j] += factor * b[j]);
            }
        }
        out.copy_from_slice(sums.as_flattened());
    }
}

/// See [`Kernels::substitute`].
#[inline(always)]
pub fn substitute<T: Field>(upwards: bool, triangle: &[T], sums: &[T; STRIP * STRIP], rows: &mut [T]) {
    let size = rows.len() / STRIP;
    let place = |step: usize| if upwards { size - 1 - step } else { step };
    for first in (0..size).step_by(TOGETHER) {
        let count = TOGETHER.min(size - first);
        let mut values = [[T::ZERO; STRIP]; TOGETHER];
        for (r, value) in values.iter_mut().enumerate().take(count) {
            let at = place(first + r) * STRIP;
            (0..STRIP).for_each(|j| value[j] = rows[at + j] - sums[at + j]);
        }
        for earlier in 0..first {
            let earlier = place(earlier);
            let known = &rows[earlier * STRIP..][..STRIP];
            for (r, value) in values.iter_mut().enumerate() {
                let factor = triangle[earlier * STRIP + place((first + r).min(size - 1))].conj();
                (0..STRIP).for_each(|j| value[j] -= factor * known[j]);
            }
        }
        for r in 0..count {
            let row = place(first + r);
            for earlier in 0..r {
                let factor = triangle[place(first + earlier) * STRIP + row].conj();
                let known = values[earlier];
                (0..STRIP).for_each(|j| values[r][j] -= factor * known[j]);
            }
            let diagonal = triangle[row * STRIP + row].conj();
            values[r].iter_mut().for_each(|x| *x /= diagonal);
            rows[row * STRIP..][..STRIP].copy_from_slice(&values[r]);
        }
    }
}

/// See [`Kernels::factor`].
#[inline(always)]
pub fn factor<T: Field>(sums: &[T; STRIP * STRIP], rows: &mut [T]) -> bool {
    rows.iter_mut().zip(sums).for_each(|(x, &sum)| *x -= sum);
    for p in 0..rows.len() / STRIP {
        let (done, below) = rows.split_at_mut((p + 1) * STRIP);
        let row = &mut done[p * STRIP..];
        let pivot = row[p].without_imaginary();
        if !pivot.is_positive() {
            return false;
        }
        let pivot = pivot.root();
        row.iter_mut().for_each(|x| *x /= pivot);
        row[p] = pivot;
        for (i, other) in (p + 1..).zip(below.chunks_exact_mut(STRIP)) {
            let factor = row[i].conj();
            (0..STRIP).for_each(|j| other[j] -= factor * row[j]);
        }
    }
    true
}
