//! LU factorisation with partial pivoting.

use super::Field;
use super::kernels::{BLOCK, Kernels, LANES, View, transposed};

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
        solve_unit_lower(&factors[..size * size], &mut a[start * n + end..], n, n - end);
        if end < m {
            let (above, below) = a.split_at_mut(end * n);
            let left = View::rows(&factors[size * size..], size);
            let right = View::rows(&above[start * n + end..], n);
            kernels.subtract_product([m - end, n - end, size], left, right, &mut below[end..], n);
        }
    }
}

/// Right-hand sides that are solved for together, few enough to stay in registers.
const TOGETHER: usize = 64;

/// Replaces rows of `others` elements, `stride` apart, by the solution of the system of a small lower triangle with ones on its diagonal.
#[inline(always)]
fn solve_unit_lower<T: Field>(triangle: &[T], x: &mut [T], stride: usize, others: usize) {
    let size = triangle.len().isqrt();
    let whole = others - others % TOGETHER;
    for (i, factors) in triangle.chunks_exact(size).enumerate() {
        let (done, rest) = x.split_at_mut(i * stride);
        for first in (0..whole).step_by(TOGETHER) {
            let out = &mut rest[first..][..TOGETHER];
            let mut row = [T::ZERO; TOGETHER];
            row.copy_from_slice(out);
            for (p, &factor) in factors[..i].iter().enumerate() {
                let earlier = &done[p * stride + first..][..TOGETHER];
                (0..TOGETHER).for_each(|j| row[j] -= factor * earlier[j]);
            }
            out.copy_from_slice(&row);
        }
        let row = &mut rest[whole..others];
        for (p, &factor) in factors[..i].iter().enumerate() {
            for (x, &earlier) in row.iter_mut().zip(&done[p * stride + whole..]) {
                *x -= factor * earlier;
            }
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

/// As [`lu`] of at most [`LANES`] real matrices of one size at once, without blocks: best for small ones.
#[inline(always)]
pub fn lu_lanes<T: Field<Real = T>, K: Kernels>(
    kernels: &K,
    [m, n]: [usize; 2],
    from: &[T],
    to: &mut [T],
    pivots: &mut [i32],
) {
    let steps = m.min(n);
    let mut a = vec![[T::ZERO; LANES]; m * n];
    kernels.interleave(from, &mut a);
    for j in 0..steps {
        let mut greatest = a[j * n + j].map(|x| x.size());
        let mut best = [j as i32; LANES];
        for i in j + 1..m {
            let column = &a[i * n + j];
            for lane in 0..LANES {
                let size = column[lane].size();
                let more = T::exceeds(size, greatest[lane]);
                greatest[lane] = if more { size } else { greatest[lane] };
                best[lane] = if more { i as i32 } else { best[lane] };
            }
        }
        pivots.chunks_exact_mut(steps).zip(best).for_each(|(pivots, best)| pivots[j] = best);
        for i in j + 1..m {
            if best.contains(&(i as i32)) {
                let (upper, lower) = a.split_at_mut(i * n);
                for (x, y) in upper[j * n..][..n].iter_mut().zip(&mut lower[..n]) {
                    let (p, q) = (*x, *y);
                    for lane in 0..LANES {
                        let trade = best[lane] == i as i32;
                        x[lane] = if trade { q[lane] } else { p[lane] };
                        y[lane] = if trade { p[lane] } else { q[lane] };
                    }
                }
            }
        }
        let (done, below) = a.split_at_mut((j + 1) * n);
        let row = &done[j * n..];
        let pivot = row[j];
        let left_alone = pivot.map(|pivot| pivot == T::ZERO);
        for other in below.chunks_exact_mut(n) {
            let mut factor = other[j];
            for lane in 0..LANES {
                factor[lane] = if left_alone[lane] { factor[lane] } else { factor[lane] / pivot[lane] };
            }
            other[j] = factor;
            for (x, y) in other[j + 1..].iter_mut().zip(&row[j + 1..]) {
                for lane in 0..LANES {
                    x[lane] = if left_alone[lane] { x[lane] } else { x[lane] - y[lane] * factor[lane] };
                }
            }
        }
    }
    kernels.deinterleave(&a, to);
}

/// The order in which the rows end up when they trade places one after the other.
pub fn permutation(pivots: &[i32], order: &mut [i32]) {
    order.iter_mut().enumerate().for_each(|(i, row)| *row = i as i32);
    for (i, &pivot) in pivots.iter().enumerate() {
        order.swap(i, pivot as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Plain;
    use super::*;

    /// Matrices side by side have the factors that they have alone, to the last bit; some have a column of zeros or hold NaN.
    #[test]
    fn matrices_together_are_as_they_are_alone() {
        let number = |at: usize| ((at * at * 31 + at * 17 + 5) % 101) as f32 / 50.0 - 1.0;
        for (m, n) in [(1, 1), (2, 2), (8, 8), (5, 9), (13, 4), (24, 24)] {
            for count in [4, LANES] {
                let element = |at: usize| match (at / (m * n), at % n) {
                    (1, 0) => 0.0,
                    (2, 1) if at.is_multiple_of(5) => f32::NAN,
                    (3, _) => 1.0,
                    (_, _) => number(at),
                };
                let a: Vec<f32> = (0..count * m * n).map(element).collect();
                let (mut together, mut pivots) = (vec![0.0; a.len()], vec![0; count * m.min(n)]);
                lu_lanes(&Plain, [m, n], &a, &mut together, &mut pivots);
                let (mut alone, mut own) = (a.clone(), vec![0; pivots.len()]);
                for (alone, own) in alone.chunks_exact_mut(m * n).zip(own.chunks_exact_mut(m.min(n))) {
                    lu(&Plain, m, n, alone, own);
                }
                assert_eq!(pivots, own, "{m}x{n}");
                let same = |(x, y): (&f32, &f32)| x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan();
                assert!(together.iter().zip(&alone).all(same), "{m}x{n}");
            }
        }
    }
}
