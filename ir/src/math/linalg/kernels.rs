//! The inner loops of linear algebra.
//!
//! Factorisations spend their time in products of blocks and in passes over columns. The interpreter has these as [`Plain`] loops;
//! compiled code brings its own for the machine at hand. What is inlined here becomes part of its caller, so that a caller compiled for a
//! machine with wider vectors gets them.

use super::fourier::Pieces;
use super::passes::{axpy, dot, hermitian_product, hermitian_update, reflect_columns, reflect_rows};
use super::rotations::{Rotations, rotate, rotate_rows};
use super::secular::secular;
use super::strips::{STRIP, adjoint_product, factor, substitute};
use super::{Double, Field};

/// Rows or columns that a factorisation takes at a time before it brings the rest of a panel up to date.
pub(super) const BLOCK: usize = 32;

/// A matrix in memory: element (i, j) is at `i * row + j * column`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    /// The elements, from (0, 0) on.
    pub elements: &'a [T],
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

impl<'a, T: Copy> View<'a, T> {
    /// A matrix whose rows are contiguous and `stride` apart.
    pub fn rows(elements: &'a [T], stride: usize) -> View<'a, T> {
        View { elements, row: stride, column: 1 }
    }

    /// A matrix whose columns are contiguous and `stride` apart.
    pub fn columns(elements: &'a [T], stride: usize) -> View<'a, T> {
        View { elements, row: 1, column: stride }
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> T {
        self.elements[i * self.row + j * self.column]
    }
}

/// Side of the squares in which matrices are transposed, so that both sides stay in the first level of cache.
const SQUARE: usize = 16;

/// The transpose, row after row, of a matrix whose rows are `stride` apart.
#[inline(always)]
pub(super) fn transposed<T: Field>(rows: usize, cols: usize, from: &[T], stride: usize) -> Vec<T> {
    let mut to = vec![T::ZERO; rows * cols];
    transpose_strided([rows, cols], from, stride, &mut to, rows);
    to
}

/// Writes the transpose of a matrix of so many rows and columns; the rows of both are so far apart.
#[inline(always)]
pub(super) fn transpose_strided<T: Field>(
    [rows, cols]: [usize; 2],
    from: &[T],
    stride: usize,
    to: &mut [T],
    to_stride: usize,
) {
    for top in (0..rows).step_by(SQUARE) {
        for left in (0..cols).step_by(SQUARE) {
            for i in top..rows.min(top + SQUARE) {
                for (j, &x) in (left..cols.min(left + SQUARE)).zip(&from[i * stride + left..]) {
                    to[j * to_stride + i] = x;
                }
            }
        }
    }
}

/// Fills rows of `rows` elements with the columns, `cols` in each row, of a matrix of another type.
#[inline(always)]
pub(super) fn transpose<S: Copy, T>(cols: usize, from: &[S], rows: usize, to: &mut [T], element: impl Fn(S) -> T) {
    for left in (0..cols).step_by(SQUARE) {
        for top in (0..rows).step_by(SQUARE) {
            for j in left..cols.min(left + SQUARE) {
                let to = &mut to[j * rows..][top..rows.min(top + SQUARE)];
                to.iter_mut().zip(top..).for_each(|(to, i)| *to = element(from[i * cols + j]));
            }
        }
    }
}

/// How many small matrices are factored side by side, which is how many sums a dot product has: one for each lane of a vector.
pub const LANES: usize = 16;

/// The loops that take the time, by default [`Plain`] ones.
pub trait Kernels: Pieces + Sync {
    /// `c -= a b`; the extents are m, n and k for a of m × k, b of k × n and c of m × n, whose rows are contiguous and `stride` apart.
    fn subtract_product<T: Field>(
        &self,
        extents: [usize; 3],
        a: View<'_, T>,
        b: View<'_, T>,
        c: &mut [T],
        stride: usize,
    ) {
        subtract_product(extents, a, b, c, stride);
    }

    /// Calls `work` with memory for so many numbers, whatever they are.
    fn with_scratch<T: Field>(&self, count: usize, work: impl FnOnce(&mut [T])) {
        work(&mut vec![T::ZERO; count]);
    }

    /// The product of the adjoint of `a` with `b`, both of the same number of rows of [`STRIP`] elements, row after row.
    fn adjoint_product<T: Field>(&self, a: &[T], b: &[T], product: &mut [T; STRIP * STRIP]) {
        adjoint_product(a, b, product);
    }

    /// Replaces rows of [`STRIP`] elements by the solutions of a triangular system for what remains of them without `sums`. The
    /// triangle is the adjoint of the first columns of rows of `triangle`: of the upper triangle there, or `upwards`, of the lower one.
    fn substitute<T: Field>(&self, upwards: bool, triangle: &[T], sums: &[T; STRIP * STRIP], rows: &mut [T]) {
        substitute(upwards, triangle, sums, rows);
    }

    /// Takes `sums` from rows of [`STRIP`] elements and replaces the upper triangle of the first columns by its Cholesky factor, of which the
    /// adjoint is on the left; says whether it is positive definite.
    fn factor<T: Field>(&self, sums: &[T; STRIP * STRIP], rows: &mut [T]) -> bool {
        factor(sums, rows)
    }

    /// `y += factor * x`.
    fn axpy<T: Double>(&self, factor: T, x: &[T], y: &mut [T]) {
        axpy(factor, x, y);
    }

    /// The sum of the products of the conjugates of x with y.
    fn dot<T: Double>(&self, x: &[T], y: &[T]) -> T {
        dot(x, y)
    }

    /// Replaces the pair (x, y) by (c x + conj(s) y, c y - s x): a unitary transformation if c² + |s|² = 1.
    fn rotate<T: Double>(&self, x: &mut [T], y: &mut [T], c: f64, s: T) {
        rotate(x, y, c, s);
    }

    /// `(I - tau v vᴴ) X` of `count` columns, `stride` apart, where v begins with 1 and goes on with `tail`.
    fn reflect_columns<T: Double>(&self, tau: T, tail: &[T], x: &mut [T], stride: usize, count: usize) {
        reflect_columns(tau, tail, x, stride, count);
    }

    /// `X (I - tau v vᴴ)ᴴ` of columns of so many rows, `stride` apart.
    fn reflect_rows<T: Double>(&self, tau: T, v: &[T], x: &mut [T], stride: usize, rows: usize) {
        reflect_rows(tau, v, x, stride, rows);
    }

    /// The product of a Hermitian matrix with x. Of the matrix the lower triangle is read, whose columns are `stride` apart.
    fn hermitian_product<T: Double>(&self, a: &[T], stride: usize, x: &[T], y: &mut [T]) {
        hermitian_product(a, stride, x, y);
    }

    /// `A -= v wᴴ + w vᴴ` of such a matrix.
    fn hermitian_update<T: Double>(&self, a: &mut [T], stride: usize, v: &[T], w: &[T]) {
        hermitian_update(a, stride, v, w);
    }

    /// The eigenvalues of `D + rho z zᵀ` with rho above zero and the elements of D, `poles`, in ascending order, no two the same, and the
    /// eigenvectors, one after the other.
    fn secular(&self, poles: &[f64], z: &[f64], rho: f64, roots: &mut [f64], vectors: &mut [f64]) {
        secular(poles, z, rho, roots, vectors);
    }

    /// Applies rotations to rows of [`STRIP`] elements.
    fn rotate_rows<T: Double>(&self, rotations: &Rotations, rows: &mut [T]) {
        rotate_rows(rotations, rows);
    }

    /// Puts at most [`LANES`] matrices of `lanes.len()` elements side by side: `lanes[i][m]` is element i of matrix m, and a zero where there is
    /// none.
    fn interleave<T: Field>(&self, matrices: &[T], lanes: &mut [[T; LANES]]) {
        interleave(matrices, lanes);
    }

    /// Takes such matrices apart again.
    fn deinterleave<T: Field>(&self, lanes: &[[T; LANES]], matrices: &mut [T]) {
        deinterleave(lanes, matrices);
    }
}

/// The loops as they are written here.
pub struct Plain;

impl Pieces for Plain {}

impl Kernels for Plain {}

/// Columns of a packed panel of the right operand: one tile's width.
const WIDTH: usize = 16;
/// Rows of a tile.
const HEIGHT: usize = 4;

/// See [`Kernels::subtract_product`].
#[inline(always)]
pub fn subtract_product<T: Field>([m, n, k]: [usize; 3], a: View<'_, T>, b: View<'_, T>, c: &mut [T], stride: usize) {
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    let mut left = Vec::with_capacity(m * k);
    for i in 0..m {
        left.extend((0..k).map(|l| a.at(i, l)));
    }
    let mut panel = vec![T::ZERO; k * WIDTH];
    for first in (0..n).step_by(WIDTH) {
        let width = WIDTH.min(n - first);
        for (l, row) in panel.chunks_exact_mut(WIDTH).enumerate() {
            (0..width).for_each(|j| row[j] = b.at(l, first + j));
        }
        for top in (0..m).step_by(HEIGHT) {
            let height = HEIGHT.min(m - top);
            // Rows beyond the last one repeat it; their sums are not used.
            let row = |r: usize| &left[(top + r.min(height - 1)) * k..][..k];
            let (a0, a1, a2, a3) = (row(0), row(1), row(2), row(3));
            let mut sums = [[T::ZERO; WIDTH]; HEIGHT];
            for (l, b) in panel.chunks_exact(WIDTH).enumerate() {
                let factors = [a0[l], a1[l], a2[l], a3[l]];
                for r in 0..HEIGHT {
                    for j in 0..WIDTH {
                        sums[r][j] += factors[r] * b[j];
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate().take(height) {
                let out = &mut c[(top + r) * stride + first..][..width];
                for (out, &sum) in out.iter_mut().zip(sums) {
                    *out -= sum;
                }
            }
        }
    }
}

/// See [`Kernels::interleave`].
#[inline(always)]
pub fn interleave<T: Field>(matrices: &[T], lanes: &mut [[T; LANES]]) {
    lanes.fill([T::ZERO; LANES]);
    for (m, matrix) in matrices.chunks_exact(lanes.len()).enumerate() {
        lanes.iter_mut().zip(matrix).for_each(|(lane, &x)| lane[m] = x);
    }
}

/// See [`Kernels::deinterleave`].
#[inline(always)]
pub fn deinterleave<T: Field>(lanes: &[[T; LANES]], matrices: &mut [T]) {
    for (m, matrix) in matrices.chunks_exact_mut(lanes.len()).enumerate() {
        matrix.iter_mut().zip(lanes).for_each(|(x, lane)| *x = lane[m]);
    }
}
