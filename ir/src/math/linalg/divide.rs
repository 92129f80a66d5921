//! Eigenvalues and eigenvectors of symmetric tridiagonal matrices: divide and conquer (Cuppen, 1981).
//!
//! A matrix is two of half the size beside each other and a correction of rank one. In the eigenvectors of the halves it is `D + rho z zᵀ`,
//! whose eigenvalues are the roots of an equation between its poles (`secular`). Where an element of z vanishes, or two poles are the
//! same, an eigenvector of the halves is one of the whole, and most of the rest is products of matrices.

use super::columns::{Columns, hypot};
use super::hermitian::iterate;
use super::kernels::{Kernels, View};

/// Matrices up to this size are diagonalised by the QL algorithm.
const WHOLE: usize = 32;
/// What is below this, beside the greatest element, does not count.
const NEGLIGIBLE: f64 = 4.0 * f64::EPSILON;

/// Eigenvalues in ascending order and eigenvectors as columns; `None` where the iteration for a small matrix does not converge.
pub(super) fn tridiagonal_eigen<K: Kernels>(
    kernels: &K,
    diagonal: &[f64],
    below: &[f64],
) -> Option<(Vec<f64>, Columns<f64>)> {
    let greatest = diagonal.iter().chain(below).fold(0.0f64, |greatest, x| greatest.max(x.abs()));
    if diagonal.len() <= WHOLE || greatest == 0.0 {
        return iterate(kernels, diagonal, below);
    }
    // A power of two, which rounds nothing, brings squares into range.
    let scale = 2.0f64.powi(greatest.log2().clamp(-1000.0, 1000.0) as i32);
    let scaled = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| x / scale).collect() };
    let (mut values, vectors) = solve(kernels, &mut scaled(diagonal), &scaled(below))?;
    values.iter_mut().for_each(|x| *x *= scale);
    Some((values, vectors))
}

fn solve<K: Kernels>(kernels: &K, diagonal: &mut [f64], below: &[f64]) -> Option<(Vec<f64>, Columns<f64>)> {
    let n = diagonal.len();
    if n <= WHOLE {
        return iterate(kernels, diagonal, below);
    }
    let half = n / 2;
    let (between, rho) = (below[half - 1], below[half - 1].abs());
    diagonal[half - 1] -= rho;
    diagonal[half] -= rho;
    let (upper, lower) = diagonal.split_at_mut(half);
    let (mut values, first) = solve(kernels, upper, &below[..half - 1])?;
    let (later, second) = solve(kernels, lower, &below[half..])?;
    values.extend(later);
    let last_row = (0..half).map(|j| first.at(half - 1, j));
    let first_row = (0..n - half).map(|j| second.at(0, j).copysign(second.at(0, j) * between));
    // The two rows make a vector of the squared length 2.
    let z = last_row.chain(first_row).map(|x| x * std::f64::consts::FRAC_1_SQRT_2).collect();
    let mut vectors = Columns::zeros(n, n);
    (0..half).for_each(|j| vectors.col_mut(j)[..half].copy_from_slice(first.col(j)));
    (half..n).for_each(|j| vectors.col_mut(j)[half..].copy_from_slice(second.col(j - half)));
    let halves = Halves { half, values, vectors, z, rho: 2.0 * rho, spans: vec![[false; 2]; n] };
    Some(halves.merge(kernels))
}

/// `Q (D + rho z zᵀ) Qᵀ`, each column of Q being zero in one half.
struct Halves {
    half: usize,
    values: Vec<f64>,
    vectors: Columns<f64>,
    z: Vec<f64>,
    rho: f64,
    /// Of each column, which halves are not zero.
    spans: Vec<[bool; 2]>,
}

impl Halves {
    /// The eigenvalues and eigenvectors of the whole.
    fn merge<K: Kernels>(mut self, kernels: &K) -> (Vec<f64>, Columns<f64>) {
        let (n, half) = (self.values.len(), self.half);
        (0..n).for_each(|j| self.spans[j] = [j < half, j >= half]);
        let (kept, settled) = self.deflate(kernels);
        let count = kept.len();
        let poles: Vec<f64> = kept.iter().map(|&j| self.values[j]).collect();
        let z: Vec<f64> = kept.iter().map(|&j| self.z[j]).collect();
        let (mut values, mut factors) = (vec![0.0; count], vec![0.0; count * count]);
        kernels.secular(&poles, &z, self.rho, &mut values, &mut factors);
        let mut merged = Columns::zeros(n, n);
        for (part, rows) in [0..half, half..n].into_iter().enumerate() {
            let used: Vec<usize> = (0..count).filter(|&at| self.spans[kept[at]][part]).collect();
            let left: Vec<f64> =
                factors.chunks_exact(count.max(1)).flat_map(|factors| used.iter().map(|&at| factors[at])).collect();
            let right: Vec<f64> =
                used.iter().flat_map(|&at| &self.vectors.col(kept[at])[rows.clone()]).copied().collect();
            // Columns are rows of the transpose; that the product is taken away turns all eigenvectors round.
            kernels.subtract_product(
                [count, rows.len(), used.len()],
                View::rows(&left, used.len()),
                View::rows(&right, rows.len()),
                merged.transposed_part(rows.start, 0),
                n,
            );
        }
        for (to, &from) in (count..).zip(&settled) {
            values.push(self.values[from]);
            merged.col_mut(to).copy_from_slice(self.vectors.col(from));
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
        (order.iter().map(|&j| values[j]).collect(), merged.select(order.into_iter()))
    }

    /// Finds columns that are eigenvectors already, or are so after a rotation of two: those that are not, by their values, and those that are.
    fn deflate<K: Kernels>(&mut self, kernels: &K) -> (Vec<usize>, Vec<usize>) {
        let greatest = |x: &[f64]| x.iter().fold(0.0f64, |greatest, x| greatest.max(x.abs()));
        let tolerance = NEGLIGIBLE * greatest(&self.values).max(greatest(&self.z));
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        order.sort_by(|&i, &j| self.values[i].total_cmp(&self.values[j]));
        let (mut kept, mut settled): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for j in order {
            if self.rho * self.z[j].abs() <= tolerance {
                settled.push(j);
                continue;
            }
            if let Some(&before) = kept.last() {
                let length = hypot(self.z[j], self.z[before]);
                let (c, s) = (self.z[j] / length, -self.z[before] / length);
                let (x, y) = (self.values[before], self.values[j]);
                if ((y - x) * c * s).abs() <= tolerance {
                    (self.z[before], self.z[j]) = (0.0, length);
                    self.values[before] = x * c * c + y * s * s;
                    self.values[j] = x * s * s + y * c * c;
                    let both = [0, 1].map(|part| self.spans[before][part] || self.spans[j][part]);
                    (self.spans[before], self.spans[j]) = (both, both);
                    // Of a pair in the other order the sine changes its sign.
                    let (first, second, s) = if before < j { (before, j, s) } else { (j, before, -s) };
                    let (x, y) = self.vectors.two_cols_mut(first, second);
                    kernels.rotate(x, y, c, s);
                    settled.push(before);
                    kept.pop();
                }
            }
            kept.push(j);
        }
        (kept, settled)
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Plain;
    use super::*;

    /// Eigenvectors are orthonormal, and what the matrix makes of them is what it should be.
    fn check(what: &str, diagonal: &[f64], below: &[f64]) {
        let n = diagonal.len();
        let (values, vectors) = tridiagonal_eigen(&Plain, diagonal, below).expect("converges");
        assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "{what}");
        let a = Columns::from_fn(n, n, |i, j| match i.abs_diff(j) {
            0 => diagonal[i],
            1 => below[i.min(j)],
            2.. => 0.0,
        });
        let size = a.greatest();
        let gram = vectors.adjoint().times(&Plain, &vectors);
        let scaled = a.times(&Plain, &vectors);
        for (i, j) in (0..n * n).map(|at| (at / n, at % n)) {
            let one = if i == j { 1.0 } else { 0.0 };
            assert!((gram.at(i, j) - one).abs() < 1e-13, "{what}: {i}, {j}: {}", gram.at(i, j));
            let error = (scaled.at(i, j) - values[j] * vectors.at(i, j)).abs();
            assert!(error <= 1e-14 * n as f64 * size, "{what}: {i}, {j}: {error:e}");
        }
    }

    #[test]
    fn eigenvectors_of_matrices_of_every_kind() {
        let number = |i: usize| ((i * i * 31 + i * 17 + 5) % 101) as f64 / 50.0 - 1.0;
        type Kind = (&'static str, fn(usize) -> f64, fn(usize) -> f64);
        let kinds: [Kind; 10] = [
            ("second differences", |_| 2.0, |_| -1.0),
            ("Wilkinson's", |i| (i as f64 - 60.0).abs(), |_| 1.0),
            ("a diagonal", |i| (i % 7) as f64, |_| 0.0),
            ("nothing", |_| 0.0, |_| 0.0),
            ("only off the diagonal", |_| 0.0, |_| 3.0),
            ("falling apart", |i| (i % 3) as f64, |i| if i % 20 == 19 { 0.0 } else { 1.0 }),
            ("glued", |i| (i % 21) as f64 - 10.0, |i| if i % 21 == 20 { 1e-9 } else { 1.0 }),
            ("graded", |i| 0.5f64.powi(i as i32), |i| 0.5f64.powi(i as i32 + 1)),
            ("great", |i| 1e300 * (1 + i % 5) as f64, |_| 1e299),
            ("small", |i| 1e-300 * (1 + i % 5) as f64, |_| -1e-301),
        ];
        for n in [33, 64, 121, 150] {
            for (what, diagonal, below) in kinds {
                let numbers =
                    |element: fn(usize) -> f64, count: usize| -> Vec<f64> { (0..count).map(element).collect() };
                check(&format!("{what} of {n}"), &numbers(diagonal, n), &numbers(below, n - 1));
            }
            let numbers = |from: usize, count: usize| -> Vec<f64> { (from..from + count).map(number).collect() };
            check(&format!("numbers of {n}"), &numbers(0, n), &numbers(7, n - 1));
        }
    }
}
