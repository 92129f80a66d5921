//! Solving with triangular matrices.

use super::Field;
use super::blocked::{BLOCK, Packed, subtract_product};

/// Which triangle is meant, and how it stands in the equation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Triangle {
    /// The lower triangle rather than the upper one.
    pub lower: bool,
    /// The transpose stands in the equation.
    pub transpose: bool,
    /// The conjugate stands in the equation.
    pub conjugate: bool,
    /// The diagonal counts as ones.
    pub unit_diagonal: bool,
}

/// Replaces `b` by the x with `op(a) x = b` (or `x op(a) = b` unless `left`), a being n × n and x having `others` columns (or rows).
#[inline(always)]
pub fn triangular_solve<T: Field>(triangle: Triangle, left: bool, n: usize, others: usize, a: &[T], b: &mut [T]) {
    // From the right, the transposed equation has the transposed matrix on the left.
    let transpose = triangle.transpose == left;
    let lower = triangle.lower != transpose;
    let element = |i: usize, j: usize| {
        let x = if transpose { a[j * n + i] } else { a[i * n + j] };
        if triangle.conjugate { x.conj() } else { x }
    };
    // From the bottom up, an upper triangle is a lower one.
    let at = |i: usize| if lower { i } else { n - 1 - i };
    let mut matrix = vec![T::ZERO; n * n];
    for i in 0..n {
        for j in 0..=i {
            matrix[i * n + j] = element(at(i), at(j));
        }
        if triangle.unit_diagonal {
            matrix[i * n + i] = T::ONE;
        }
    }
    if left && lower && others > 1 {
        return forward(n, others, &matrix, b);
    }
    let place = |i: usize, j: usize| if left { at(i) * others + j } else { j * n + at(i) };
    if others < 4 {
        let mut x = vec![T::ZERO; n];
        for j in 0..others {
            (0..n).for_each(|i| x[i] = b[place(i, j)]);
            forward_one(n, &matrix, &mut x);
            (0..n).for_each(|i| b[place(i, j)] = x[i]);
        }
        return;
    }
    let mut x = vec![T::ZERO; n * others];
    for i in 0..n {
        (0..others).for_each(|j| x[i * others + j] = b[place(i, j)]);
    }
    forward(n, others, &matrix, &mut x);
    for i in 0..n {
        (0..others).for_each(|j| b[place(i, j)] = x[i * others + j]);
    }
}

/// Forward substitution with one right-hand side.
#[inline(always)]
fn forward_one<T: Field>(n: usize, matrix: &[T], x: &mut [T]) {
    for i in 0..n {
        let row = &matrix[i * n..][..n];
        let mut lanes = [T::ZERO; 8];
        let whole = i / 8 * 8;
        for (a, x) in row[..whole].chunks_exact(8).zip(x[..whole].chunks_exact(8)) {
            for lane in 0..8 {
                lanes[lane] += a[lane] * x[lane];
            }
        }
        let mut total = x[i];
        lanes.iter().for_each(|&lane| total -= lane);
        for j in whole..i {
            total -= row[j] * x[j];
        }
        x[i] = total / row[i];
    }
}

/// Forward substitution with many right-hand sides, the columns of `x`.
#[inline(always)]
fn forward<T: Field>(n: usize, others: usize, matrix: &[T], x: &mut [T]) {
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        for i in start..end {
            let (done, rest) = x.split_at_mut(i * others);
            let row = &mut rest[..others];
            for p in start..i {
                let factor = matrix[i * n + p];
                for (x, &earlier) in row.iter_mut().zip(&done[p * others..][..others]) {
                    *x -= factor * earlier;
                }
            }
            let diagonal = matrix[i * n + i];
            row.iter_mut().for_each(|x| *x /= diagonal);
        }
        let size = end - start;
        let packed = Packed::new(size, others, |l, j| x[(start + l) * others + j]);
        let mut below = Vec::with_capacity((n - end) * size);
        for i in end..n {
            below.extend_from_slice(&matrix[i * n + start..][..size]);
        }
        subtract_product(&below, &packed, others, &mut x[end * others..], others);
    }
}
