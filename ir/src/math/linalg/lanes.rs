//! QR of small real matrices, [`LANES`] of one size at a time: each has a lane of every vector, so that no loop is too short for vectors.
//!
//! The reflections are those of `reflect`, one after the other, in double precision as well.

use super::Field;
use super::columns::ORDINARY;
use super::kernels::{Kernels, LANES};

/// Numbers of as many matrices.
type Lane<S> = [S; LANES];

/// Matrices side by side, row after row.
struct Lanes {
    cols: usize,
    elements: Vec<Lane<f64>>,
}

impl Lanes {
    #[inline(always)]
    fn new<S: Field<Wide = f64>, K: Kernels>(kernels: &K, cols: usize, size: usize, from: &[S]) -> Lanes {
        let mut narrow = vec![[S::ZERO; LANES]; size];
        kernels.interleave(from, &mut narrow);
        Lanes { cols, elements: narrow.iter().map(|x| x.map(S::widen)).collect() }
    }

    /// Writes the matrices one after the other, of each the first elements.
    #[inline(always)]
    fn write<S: Field<Wide = f64>, K: Kernels>(&self, kernels: &K, size: usize, to: &mut [S]) {
        let narrow: Vec<Lane<S>> = self.elements[..size].iter().map(|x| x.map(S::narrow)).collect();
        kernels.deinterleave(&narrow, to);
    }

    fn rows(&self) -> usize {
        self.elements.len() / self.cols.max(1)
    }

    /// A column from a row on.
    #[inline(always)]
    fn column(&self, row: usize, col: usize) -> Vec<Lane<f64>> {
        self.elements[row * self.cols..].iter().skip(col).step_by(self.cols).copied().collect()
    }

    /// Applies reflectors, whose tails begin at a row, to the columns from `first` on.
    #[inline(always)]
    fn reflect(&mut self, row: usize, tail: &[Lane<f64>], tau: &Lane<f64>, first: usize) {
        let cols = self.cols;
        let (head, below) = self.elements[(row - 1) * cols..].split_at_mut(cols);
        for j in first..cols {
            let mut factor = head[j];
            for (k, v) in tail.iter().enumerate() {
                let x = &below[k * cols + j];
                for lane in 0..LANES {
                    factor[lane] += v[lane] * x[lane];
                }
            }
            for lane in 0..LANES {
                factor[lane] *= tau[lane];
                head[j][lane] -= factor[lane];
            }
            for (k, v) in tail.iter().enumerate() {
                let x = &mut below[k * cols + j];
                for lane in 0..LANES {
                    x[lane] -= factor[lane] * v[lane];
                }
            }
        }
    }

    /// As `geqrf`; none if the squares of some matrix vanish, overflow or are NaN.
    #[inline(always)]
    fn factor(&mut self) -> Option<Vec<Lane<f64>>> {
        let (rows, cols) = (self.rows(), self.cols);
        let mut taus = Vec::with_capacity(rows.min(cols));
        for i in 0..rows.min(cols) {
            let mut tail = self.column(i + 1, i);
            let mut squares = [0.0; LANES];
            for v in &tail {
                (0..LANES).for_each(|lane| squares[lane] += v[lane] * v[lane]);
            }
            let head = self.elements[i * cols + i];
            let (mut tau, mut beta, mut scale) = ([0.0; LANES], head, [1.0; LANES]);
            for lane in 0..LANES {
                let (x, squares) = (head[lane], squares[lane]);
                if squares != 0.0 {
                    let all = x * x + squares;
                    if !ORDINARY.contains(&squares) || !ORDINARY.contains(&all) {
                        return None;
                    }
                    beta[lane] = -all.sqrt().copysign(x);
                    tau[lane] = (beta[lane] - x) / beta[lane];
                    scale[lane] = 1.0 / (x - beta[lane]);
                } else if !x.is_finite() {
                    return None;
                }
            }
            for (k, v) in tail.iter_mut().enumerate() {
                (0..LANES).for_each(|lane| v[lane] *= scale[lane]);
                self.elements[(i + 1 + k) * cols + i] = *v;
            }
            self.reflect(i + 1, &tail, &tau, i + 1);
            self.elements[i * cols + i] = beta;
            taus.push(tau);
        }
        Some(taus)
    }

    /// As `householder_product` of the reflectors that are below the diagonal.
    #[inline(always)]
    fn product(&self, taus: &[Lane<f64>], cols: usize) -> Lanes {
        let rows = self.rows();
        let mut q = Lanes { cols, elements: vec![[0.0; LANES]; rows * cols] };
        (0..rows.min(cols)).for_each(|i| q.elements[i * cols + i] = [1.0; LANES]);
        for (i, tau) in taus.iter().enumerate().rev() {
            q.reflect(i + 1, &self.column(i + 1, i), tau, i);
        }
        q
    }
}

/// As `geqrf` of m × n matrices; false, and nothing done, if they are out of the ordinary.
#[inline(always)]
pub fn geqrf_lanes<S: Field<Wide = f64>, K: Kernels>(
    kernels: &K,
    [m, n]: [usize; 2],
    a: &[S],
    factors: &mut [S],
    taus: &mut [S],
) -> bool {
    let mut lanes = Lanes::new(kernels, n, m * n, a);
    let Some(found) = lanes.factor() else { return false };
    lanes.write(kernels, m * n, factors);
    let count = found.len();
    Lanes { cols: count, elements: found }.write(kernels, count, taus);
    true
}

/// Both factors of m × n matrices, Q with k columns; false, and nothing done, if they are out of the ordinary.
#[inline(always)]
pub fn qr_lanes<S: Field<Wide = f64>, K: Kernels>(
    kernels: &K,
    [m, n, k]: [usize; 3],
    a: &[S],
    q: &mut [S],
    r: &mut [S],
) -> bool {
    let mut lanes = Lanes::new(kernels, n, m * n, a);
    let Some(taus) = lanes.factor() else { return false };
    lanes.product(&taus, k).write(kernels, m * k, q);
    for i in 1..k {
        lanes.elements[i * n..][..i.min(n)].fill([0.0; LANES]);
    }
    lanes.write(kernels, k * n, r);
    true
}

/// As `householder_product` of m × n matrices and k reflectors each.
#[inline(always)]
pub fn householder_product_lanes<S: Field<Wide = f64>, K: Kernels>(
    kernels: &K,
    [m, n, k]: [usize; 3],
    a: &[S],
    taus: &[S],
    q: &mut [S],
) {
    let lanes = Lanes::new(kernels, n, m * n, a);
    let taus = Lanes::new(kernels, k, k, taus);
    lanes.product(&taus.elements, n).write(kernels, m * n, q);
}
