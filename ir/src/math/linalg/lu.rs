//! LU factorisation with partial pivoting.

use super::Field;
use super::kernels::{BLOCK, Kernels, View, transposed};
use super::triangular::forward;

/// Replaces an m × n matrix by its factors: below the diagonal L without its unit diagonal, above and on it U. `pivots[i]` is
/// the row that traded places with row i. A pivot of zero is left as it is.
#[inline(always)]
pub fn lu<T: Field, K: Kernels>(kernels: &K, m: usize, n: usize, a: &mut [T], pivots: &mut [i32]) {
    let steps = m.min(n);
    for start in (0..steps).step_by(BLOCK) {
        let end = (start + BLOCK).min(steps);
        let (size, rows) = (end - start, m - start);
        // Column after column, the pivot and the elimination run over consecutive memory.
        let mut columns = transposed(rows, size, &a[start * n + start..], n);
        factor_columns(rows, size, &mut columns, &mut pivots[start..end]);
        for (j, pivot) in pivots[start..end].iter_mut().enumerate() {
            *pivot += start as i32;
            let (row, other) = (start + j, *pivot as usize);
            if other != row {
                let (upper, lower) = a.split_at_mut(other * n);
                let (row, other) = (&mut upper[row * n..][..n], &mut lower[..n]);
                row[..start].swap_with_slice(&mut other[..start]);
                row[end..].swap_with_slice(&mut other[end..]);
            }
        }
        let factors = transposed(size, rows, &columns, rows);
        for (i, row) in factors.chunks_exact(size).enumerate() {
            a[(start + i) * n + start..][..size].copy_from_slice(row);
        }
        if end == n {
            continue;
        }
        let mut factor = vec![T::ZERO; size * size];
        for i in 0..size {
            factor[i * size..][..i].copy_from_slice(&a[(start + i) * n + start..][..i]);
            factor[i * size + i] = T::ONE;
        }
        forward(kernels, size, n - end, &factor, &mut a[start * n + end..], n);
        if end < m {
            let (above, below) = a.split_at_mut(end * n);
            let left = View::rows(&factors[size * size..], size);
            let right = View::rows(&above[start * n + end..], n);
            kernels.subtract_product([m - end, n - end, size], left, right, &mut below[end..], n);
        }
    }
}

/// The same for few columns, each contiguous.
#[inline(always)]
fn factor_columns<T: Field>(rows: usize, cols: usize, a: &mut [T], pivots: &mut [i32]) {
    for j in 0..cols {
        let column = &a[j * rows..][..rows];
        let mut best = j;
        for i in j + 1..rows {
            if T::exceeds(column[i].size(), column[best].size()) {
                best = i;
            }
        }
        pivots[j] = best as i32;
        if best != j {
            a.chunks_exact_mut(rows).for_each(|column| column.swap(j, best));
        }
        let (done, later) = a.split_at_mut((j + 1) * rows);
        let column = &mut done[j * rows..];
        let pivot = column[j];
        if pivot == T::ZERO {
            continue;
        }
        column[j + 1..].iter_mut().for_each(|x| *x /= pivot);
        for other in later.chunks_exact_mut(rows) {
            let factor = other[j];
            for (x, &y) in other[j + 1..].iter_mut().zip(&column[j + 1..]) {
                *x -= y * factor;
            }
        }
    }
}

/// The order in which the rows end up when they trade places one after the other.
pub fn permutation(pivots: &[i32], order: &mut [i32]) {
    order.iter_mut().enumerate().for_each(|(i, row)| *row = i as i32);
    for (i, &pivot) in pivots.iter().enumerate() {
        order.swap(i, pivot as usize);
    }
}
