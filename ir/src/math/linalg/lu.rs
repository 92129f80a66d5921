//! LU factorisation with partial pivoting.

use super::Field;
use super::blocked::{BLOCK, Packed, subtract_product};

/// Replaces an m × n matrix by its factors: below the diagonal L without its unit diagonal, above and on it U. `pivots[i]` is
/// the row that traded places with row i. A pivot of zero is left as it is.
#[inline(always)]
pub fn lu<T: Field>(m: usize, n: usize, a: &mut [T], pivots: &mut [i32]) {
    let steps = m.min(n);
    for start in (0..steps).step_by(BLOCK) {
        let end = (start + BLOCK).min(steps);
        for j in start..end {
            let mut best = j;
            for i in j + 1..m {
                if T::exceeds(a[i * n + j].size(), a[best * n + j].size()) {
                    best = i;
                }
            }
            pivots[j] = best as i32;
            if best != j {
                let (upper, lower) = a.split_at_mut(best * n);
                upper[j * n..][..n].swap_with_slice(&mut lower[..n]);
            }
            let (above, below) = a.split_at_mut((j + 1) * n);
            let row = &above[j * n..][..n];
            let pivot = row[j];
            if pivot == T::ZERO {
                continue;
            }
            for other in below.chunks_exact_mut(n) {
                let factor = other[j] / pivot;
                other[j] = factor;
                for (x, &y) in other[j + 1..end].iter_mut().zip(&row[j + 1..end]) {
                    *x -= factor * y;
                }
            }
        }
        // The rows of U to the right of the block.
        for i in start + 1..end {
            for p in start..i {
                let (above, below) = a.split_at_mut(i * n);
                let factor = below[p];
                for (x, &y) in below[end..n].iter_mut().zip(&above[p * n + end..][..n - end]) {
                    *x -= factor * y;
                }
            }
        }
        let size = end - start;
        let packed = Packed::new(size, n - end, |l, j| a[(start + l) * n + end + j]);
        let mut below = Vec::with_capacity((m - end) * size);
        for i in end..m {
            below.extend_from_slice(&a[i * n + start..][..size]);
        }
        if end < m && end < n {
            subtract_product(&below, &packed, n - end, &mut a[end * n + end..], n);
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
