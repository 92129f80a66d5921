//! Schur forms by the QR algorithm: complex with one shift at a time, real with conjugate pairs of them.

use super::Double;
use super::columns::Columns;
use super::kernels::Kernels;
use super::reflect::{hessenberg, reflect, reflector, subdiagonal_product};
use crate::Complex128;

/// `A = Z T Z^H` with unitary Z.
pub struct Schur<T> {
    /// Upper triangular; for real matrices with 2 × 2 blocks of equal diagonal for each conjugate pair of eigenvalues.
    pub form: Columns<T>,
    /// The Schur vectors.
    pub vectors: Columns<T>,
}

/// Steps of the QR algorithm per eigenvalue before it is given up.
const STEPS: usize = 60;

/// Numbers whose matrices have a Schur form.
pub trait SchurForm: Double {
    /// Brings an upper Hessenberg matrix to Schur form.
    fn iterate<K: Kernels>(kernels: &K, h: &mut Columns<Self>, z: &mut Columns<Self>) -> Option<()>;

    /// The Schur form of a square matrix; `None` where the matrix is not finite or the iteration does not converge.
    fn schur<K: Kernels>(kernels: &K, mut a: Columns<Self>) -> Option<Schur<Self>> {
        if !a.is_finite() {
            return None;
        }
        let n = a.cols();
        let taus = hessenberg(kernels, &mut a);
        let mut vectors = subdiagonal_product(kernels, &a, &taus);
        for j in 0..n {
            let end = (j + 2).min(n);
            a.col_mut(j)[end..].fill(Self::ZERO);
        }
        Self::iterate(kernels, &mut a, &mut vectors)?;
        Some(Schur { form: a, vectors })
    }
}

/// The first row of the active block that ends in row `high`; the subdiagonal element above it is set to zero.
fn block_start<T: Double>(h: &mut Columns<T>, high: usize) -> usize {
    let mut low = high;
    while low > 0 {
        let (a, b) = (h.at(low - 1, low - 1).modulus(), h.at(low, low).modulus());
        let mut scale = a + b;
        if scale == 0.0 {
            scale = (0..=high).map(|j| h.at(low, j).modulus() + h.at(low - 1, j).modulus()).sum();
        }
        if h.at(low, low - 1).modulus() <= f64::EPSILON * scale {
            *h.at_mut(low, low - 1) = T::ZERO;
            break;
        }
        low -= 1;
    }
    low
}

/// Applies `[[c, s], [-conj(s), c]]` to rows k and k + 1 from a column on.
fn rotate_rows<T: Double>(h: &mut Columns<T>, k: usize, from: usize, c: f64, s: T) {
    for j in from..h.cols() {
        let (x, y) = (h.at(k, j), h.at(k + 1, j));
        *h.at_mut(k, j) = x.scale(c) + s * y;
        *h.at_mut(k + 1, j) = y.scale(c) - s.conj() * x;
    }
}

/// Applies the adjoint of the rotation of [`rotate_rows`] to columns k and k + 1 up to a row.
fn rotate_columns<T: Double, K: Kernels>(kernels: &K, h: &mut Columns<T>, k: usize, to: usize, c: f64, s: T) {
    let (x, y) = h.two_cols_mut(k, k + 1);
    kernels.rotate(&mut x[..to], &mut y[..to], c, s);
}

impl SchurForm for Complex128 {
    fn iterate<K: Kernels>(kernels: &K, h: &mut Columns<Complex128>, z: &mut Columns<Complex128>) -> Option<()> {
        let n = h.cols();
        let (mut high, mut steps) = (n.saturating_sub(1), 0);
        while high > 0 {
            let low = block_start(h, high);
            if low == high {
                (high, steps) = (high - 1, 0);
                continue;
            }
            steps += 1;
            if steps > STEPS {
                return None;
            }
            let shift = if steps % 10 == 0 {
                h.at(high, high) + Complex128::new(h.at(high, high - 1).modulus(), 0.0)
            } else {
                let (a, b) = (h.at(high - 1, high - 1), h.at(high - 1, high));
                let (c, d) = (h.at(high, high - 1), h.at(high, high));
                let half = (a - d).scale(0.5);
                let root = (half * half + b * c).sqrt();
                // Of the eigenvalues of the trailing block the one closer to its last element.
                let sum = if half.re * root.re + half.im * root.im >= 0.0 { half + root } else { half - root };
                if sum == Complex128::ZERO { d } else { d - b * c / sum }
            };
            let (mut x, mut y) = (h.at(low, low) - shift, h.at(low + 1, low));
            for k in low..high {
                let (c, s) = givens(x, y);
                rotate_rows(h, k, if k > low { k - 1 } else { low }, c, s);
                if k > low {
                    *h.at_mut(k + 1, k - 1) = Complex128::ZERO;
                }
                rotate_columns(kernels, h, k, (k + 3).min(high + 1), c, s);
                rotate_columns(kernels, z, k, n, c, s);
                if k + 2 <= high {
                    (x, y) = (h.at(k + 1, k), h.at(k + 2, k));
                }
            }
        }
        for j in 0..n {
            h.col_mut(j)[j + 1..].fill(Complex128::ZERO);
        }
        Some(())
    }
}

/// The rotation that takes (x, y) to a multiple of (1, 0).
pub(super) fn givens(x: Complex128, y: Complex128) -> (f64, Complex128) {
    let (a, b) = (x.modulus(), y.modulus());
    if b == 0.0 {
        return (1.0, Complex128::ZERO);
    }
    if a == 0.0 {
        return (0.0, y.conj().scale(1.0 / b));
    }
    let length = a.hypot(b);
    (a / length, (x.scale(1.0 / a) * y.conj()).scale(1.0 / length))
}

impl SchurForm for f64 {
    fn iterate<K: Kernels>(kernels: &K, h: &mut Columns<f64>, z: &mut Columns<f64>) -> Option<()> {
        let n = h.cols();
        let (mut end, mut steps) = (n, 0);
        while end > 0 {
            let high = end - 1;
            let low = block_start(h, high);
            if low + 1 >= high {
                if low < high {
                    standardise(kernels, h, z, low);
                }
                (end, steps) = (low, 0);
                continue;
            }
            steps += 1;
            if steps > STEPS {
                return None;
            }
            let (sum, product) = if steps % 10 == 0 {
                let s = h.at(high, high - 1).abs() + h.at(high - 1, high - 2).abs();
                (1.5 * s + 2.0 * h.at(high, high), s * s + h.at(high, high) * (1.5 * s + h.at(high, high)))
            } else {
                let (a, d) = (h.at(high - 1, high - 1), h.at(high, high));
                (a + d, a * d - h.at(high - 1, high) * h.at(high, high - 1))
            };
            double_step(kernels, h, z, low, high, sum, product);
        }
        for j in 0..n {
            let from = (j + 2).min(n);
            h.col_mut(j)[from..].fill(0.0);
        }
        Some(())
    }
}

/// One step with the two shifts of this sum and product on rows `low..=high`, at least three of them.
fn double_step<K: Kernels>(
    kernels: &K,
    h: &mut Columns<f64>,
    z: &mut Columns<f64>,
    low: usize,
    high: usize,
    sum: f64,
    product: f64,
) {
    let n = h.cols();
    let (a, b, c, d) = (h.at(low, low), h.at(low, low + 1), h.at(low + 1, low), h.at(low + 1, low + 1));
    let mut x = [a * a + b * c - sum * a + product, c * (a + d - sum), c * h.at(low + 2, low + 1)];
    for k in low..high {
        let size = 3.min(high - k + 1);
        if k > low {
            (0..size).for_each(|i| x[i] = h.at(k + i, k - 1));
        }
        let (tau, beta) = reflector(kernels, &mut x[..size]);
        let tail = [x[1], x[2]];
        let tail = &tail[..size - 1];
        if k > low {
            *h.at_mut(k, k - 1) = beta;
            (1..size).for_each(|i| *h.at_mut(k + i, k - 1) = 0.0);
        }
        for j in k..n {
            reflect(kernels, tau, tail, &mut h.col_mut(j)[k..k + size]);
        }
        for i in 0..(k + size + 1).min(high + 1) {
            reflect_row(h, i, k, tau, tail);
        }
        for i in 0..n {
            reflect_row(z, i, k, tau, tail);
        }
    }
}

/// Applies a real reflector from the right to the elements of a row from column k on.
fn reflect_row(h: &mut Columns<f64>, i: usize, k: usize, tau: f64, tail: &[f64]) {
    let products = tail.iter().enumerate().map(|(l, v)| v * h.at(i, k + 1 + l));
    let factor = tau * (h.at(i, k) + products.sum::<f64>());
    *h.at_mut(i, k) -= factor;
    for (l, v) in tail.iter().enumerate() {
        *h.at_mut(i, k + 1 + l) -= factor * v;
    }
}

/// Rotates the block of rows k and k + 1 into a triangle if its eigenvalues are real, else until its diagonal is constant.
fn standardise<K: Kernels>(kernels: &K, h: &mut Columns<f64>, z: &mut Columns<f64>, k: usize) {
    let (a, b, c, d) = (h.at(k, k), h.at(k, k + 1), h.at(k + 1, k), h.at(k + 1, k + 1));
    let half = 0.5 * (a - d);
    let discriminant = half * half + b * c;
    let real = discriminant >= 0.0;
    let (cos, sin) = if real {
        let root = half + discriminant.sqrt().copysign(half);
        let length = c.hypot(root);
        if length == 0.0 { (1.0, 0.0) } else { (root / length, c / length) }
    } else {
        let (sigma, difference) = (b + c, a - d);
        let length = sigma.hypot(difference);
        if length == 0.0 {
            (1.0, 0.0)
        } else {
            let cos = (0.5 * (1.0 + sigma.abs() / length)).sqrt();
            (cos, -(half / (length * cos)) * 1f64.copysign(sigma))
        }
    };
    rotate_rows(h, k, k, cos, sin);
    rotate_columns(kernels, h, k, k + 2, cos, sin);
    rotate_columns(kernels, z, k, z.rows(), cos, sin);
    if real {
        *h.at_mut(k + 1, k) = 0.0;
    } else {
        let mean = 0.5 * (h.at(k, k) + h.at(k + 1, k + 1));
        (*h.at_mut(k, k), *h.at_mut(k + 1, k + 1)) = (mean, mean);
    }
}
