//! Dense matrices with contiguous columns, in which reflections and rotations run over consecutive memory.

use std::ops::Range;

use super::kernels::{Kernels, View, transpose};
use super::{Double, Field};

/// A matrix stored column after column.
#[derive(Clone, Debug)]
pub struct Columns<T> {
    rows: usize,
    cols: usize,
    data: Vec<T>,
}

impl<T: Double> Columns<T> {
    /// Zeros.
    pub fn zeros(rows: usize, cols: usize) -> Columns<T> {
        Columns { rows, cols, data: vec![T::ZERO; rows * cols] }
    }

    /// Ones on the main diagonal, zeros elsewhere.
    pub fn identity(rows: usize, cols: usize) -> Columns<T> {
        let mut identity = Columns::zeros(rows, cols);
        (0..rows.min(cols)).for_each(|i| identity.col_mut(i)[i] = T::ONE);
        identity
    }

    /// A row-major matrix of any precision.
    pub fn from_rows<S: Field<Wide = T>>(rows: usize, cols: usize, elements: &[S]) -> Columns<T> {
        let mut columns = Columns::zeros(rows, cols);
        transpose(cols, elements, rows, &mut columns.data, |x| x.widen());
        columns
    }

    /// The matrix with these elements.
    pub fn from_fn(rows: usize, cols: usize, element: impl Fn(usize, usize) -> T) -> Columns<T> {
        let mut data = Vec::with_capacity(rows * cols);
        for j in 0..cols {
            data.extend((0..rows).map(|i| element(i, j)));
        }
        Columns { rows, cols, data }
    }

    /// Writes the matrix row after row, rounded to the precision of the target.
    pub fn to_rows<S: Field<Wide = T>>(&self, elements: &mut [S]) {
        transpose(self.rows, &self.data, self.cols, elements, S::narrow);
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// A column.
    pub fn col(&self, j: usize) -> &[T] {
        &self.data[j * self.rows..][..self.rows]
    }

    /// A column, for writing.
    pub fn col_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.data[j * self.rows..][..self.rows]
    }

    /// Two columns, `i` before `j`.
    pub fn two_cols_mut(&mut self, i: usize, j: usize) -> (&mut [T], &mut [T]) {
        let (head, tail) = self.data.split_at_mut(j * self.rows);
        (&mut head[i * self.rows..][..self.rows], &mut tail[..self.rows])
    }

    /// An element.
    pub fn at(&self, i: usize, j: usize) -> T {
        self.data[j * self.rows + i]
    }

    /// An element, for writing.
    pub fn at_mut(&mut self, i: usize, j: usize) -> &mut T {
        &mut self.data[j * self.rows + i]
    }

    /// The conjugate transpose.
    pub fn adjoint(&self) -> Columns<T> {
        Columns::from_fn(self.cols, self.rows, |i, j| self.at(j, i).conj())
    }

    /// Some columns, in the order given.
    pub fn select(&self, cols: impl Iterator<Item = usize>) -> Columns<T> {
        let mut data = Vec::new();
        let mut count = 0;
        for j in cols {
            data.extend_from_slice(self.col(j));
            count += 1;
        }
        Columns { rows: self.rows, cols: count, data }
    }

    /// The product with another matrix.
    pub fn times<K: Kernels>(&self, kernels: &K, other: &Columns<T>) -> Columns<T> {
        let mut product = Columns::zeros(self.rows, other.cols);
        // Column after column, the transposes are matrices row after row.
        let negated: Vec<T> = self.data.iter().map(|&x| -x).collect();
        let (left, right) = (View::rows(&other.data, other.rows), View::rows(&negated, self.rows));
        kernels.subtract_product([other.cols, self.rows, self.cols], left, right, &mut product.data, self.rows);
        product
    }

    /// The transpose of the part from this row and column on: contiguous rows, [`Columns::rows`] apart.
    pub(super) fn transposed_part(&mut self, row: usize, col: usize) -> &mut [T] {
        let start = (col * self.rows + row).min(self.data.len());
        &mut self.data[start..]
    }

    /// A column from this row on, and, to be written, the columns after it from the same row on, [`Columns::rows`] apart.
    pub(super) fn column_and_later(&mut self, row: usize, col: usize) -> (&[T], &mut [T]) {
        let (head, later) = self.data.split_at_mut((col + 1) * self.rows);
        let start = row.min(later.len());
        (&head[col * self.rows + row..], &mut later[start..])
    }

    /// The greatest part of an element, without its sign.
    pub(super) fn greatest(&self) -> f64 {
        self.data.iter().fold(0.0, |greatest: f64, x| greatest.max(x.re().abs()).max(x.im().abs()))
    }

    /// Whether all elements are finite.
    pub fn is_finite(&self) -> bool {
        self.data.iter().all(|x| x.is_finite())
    }
}

/// Sums of squares in which neither a square that counts vanished nor one overflowed.
pub(super) const ORDINARY: Range<f64> = 1e-280..1e280;

/// The Euclidean norm, without overflow on the way.
pub(super) fn norm<T: Double, K: Kernels>(kernels: &K, x: &[T]) -> f64 {
    let squares = kernels.dot(x, x).re();
    if ORDINARY.contains(&squares) {
        return squares.sqrt();
    }
    let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.re().abs()).max(x.im().abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let squares: f64 = x.iter().map(|x| (x.re() / largest).powi(2) + (x.im() / largest).powi(2)).sum();
    largest * squares.sqrt()
}

/// The Euclidean norm of a vector of two elements.
pub(super) fn hypot(x: f64, y: f64) -> f64 {
    let squares = x * x + y * y;
    if ORDINARY.contains(&squares) { squares.sqrt() } else { x.hypot(y) }
}
