//! Solving with triangular matrices.

use super::Field;
use super::kernels::{BLOCK, Kernels, PANEL, View, transposed};

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
pub fn triangular_solve<T: Field, K: Kernels>(
    kernels: &K,
    triangle: Triangle,
    left: bool,
    n: usize,
    others: usize,
    a: &[T],
    b: &mut [T],
) {
    // From the right, the transposed equation has the transposed matrix on the left.
    let transpose = triangle.transpose == left;
    let mut matrix = if transpose { transposed(n, n, a, n) } else { a.to_vec() };
    if triangle.conjugate {
        matrix.iter_mut().for_each(|x| *x = x.conj());
    }
    if triangle.unit_diagonal {
        (0..n).for_each(|i| matrix[i * n + i] = T::ONE);
    }
    let lower = triangle.lower != transpose;
    if left && lower && others > 1 {
        return forward(kernels, n, others, &matrix, b, others);
    }
    let mut x = if left { b.to_vec() } else { transposed(others, n, b, n) };
    if !lower {
        // From the bottom up, an upper triangle is a lower one.
        matrix.reverse();
        reverse_rows(n, others, &mut x);
    }
    if others < 4 {
        let mut column = vec![T::ZERO; n];
        for j in 0..others {
            (0..n).for_each(|i| column[i] = x[i * others + j]);
            forward_one(n, &matrix, &mut column);
            (0..n).for_each(|i| x[i * others + j] = column[i]);
        }
    } else {
        forward(kernels, n, others, &matrix, &mut x, others);
    }
    if !lower {
        reverse_rows(n, others, &mut x);
    }
    if left {
        b.copy_from_slice(&x);
    } else {
        b.copy_from_slice(&transposed(n, others, &x, others));
    }
}

#[inline(always)]
fn reverse_rows<T: Field>(rows: usize, cols: usize, x: &mut [T]) {
    for i in 0..rows / 2 {
        let (head, tail) = x.split_at_mut((rows - 1 - i) * cols);
        head[i * cols..][..cols].swap_with_slice(&mut tail[..cols]);
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

/// Right-hand sides that are solved together within a block, few enough to stay in registers.
const TOGETHER: usize = 64;

/// Forward substitution with many right-hand sides, the first `others` columns of `x`, whose rows are `stride` apart.
#[inline(always)]
pub(super) fn forward<T: Field, K: Kernels>(
    kernels: &K,
    n: usize,
    others: usize,
    matrix: &[T],
    x: &mut [T],
    stride: usize,
) {
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        let whole = others - others % TOGETHER;
        for first in (0..whole).step_by(TOGETHER) {
            for i in start..end {
                let (done, rest) = x.split_at_mut(i * stride);
                let out = &mut rest[first..][..TOGETHER];
                let mut row = [T::ZERO; TOGETHER];
                row.copy_from_slice(out);
                for p in start..i {
                    let factor = matrix[i * n + p];
                    let earlier = &done[p * stride + first..][..TOGETHER];
                    (0..TOGETHER).for_each(|j| row[j] -= factor * earlier[j]);
                }
                let diagonal = matrix[i * n + i];
                row.iter_mut().for_each(|x| *x /= diagonal);
                out.copy_from_slice(&row);
            }
        }
        let remaining = if whole < others { start..end } else { end..end };
        for i in remaining {
            let (done, rest) = x.split_at_mut(i * stride);
            let row = &mut rest[whole..others];
            for p in start..i {
                let factor = matrix[i * n + p];
                for (x, &earlier) in row.iter_mut().zip(&done[p * stride + whole..]) {
                    *x -= factor * earlier;
                }
            }
            let diagonal = matrix[i * n + i];
            row.iter_mut().for_each(|x| *x /= diagonal);
        }
        // Within a panel, the panel's other rows come up to date; behind its last block, everything below.
        let panel = start / PANEL * PANEL;
        let panel_end = (panel + PANEL).min(n);
        let (rows, cols) =
            if end < panel_end { (end..panel_end, start..end) } else { (panel_end..n, panel..panel_end) };
        if !rows.is_empty() {
            let (done, rest) = x.split_at_mut(rows.start * stride);
            let left = View::rows(&matrix[rows.start * n + cols.start..], n);
            let right = View::rows(&done[cols.start * stride..], stride);
            kernels.subtract_product([rows.len(), others, cols.len()], left, right, rest, stride);
        }
    }
}
