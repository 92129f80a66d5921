//! Register tiles: the innermost loops of matrix products, one set for each instruction set.
//!
//! A tile keeps `rows × vectors` vector registers of the result, and for every step along k loads a row of `vectors`
//! vectors of the right operand and multiplies it by one broadcast element for each row of the left one. Full
//! tiles fill the register file: 6×2 vectors with AVX2, 14×2 with AVX-512.

use super::{Extents, Matrix};

/// One tile: `c[i, j] (+)= Σ_l a[i, l] · b[l, j]` for the tile's rows and `j < columns`.
pub(super) struct Tile<T> {
    /// Steps along the summed axis.
    pub(super) k: usize,
    pub(super) a: *const T,
    /// Stride between rows of `a`.
    pub(super) a_row: isize,
    /// Stride between steps of `a`.
    pub(super) a_k: isize,
    pub(super) b: *const T,
    /// Stride between steps of `b`; its columns are contiguous.
    pub(super) b_k: isize,
    pub(super) c: *mut T,
    /// Stride between rows of `c`; its columns are contiguous.
    pub(super) c_row: isize,
    /// How many columns there are; those beyond are neither written nor, in masked tiles, read.
    pub(super) columns: usize,
    /// Adds to what `c` holds instead of replacing it.
    pub(super) accumulate: bool,
}

/// The tiles of an instruction set for one element type.
pub(super) trait Isa {
    type Scalar: Real;
    /// Elements in a vector.
    const LANES: usize;
    /// Rows of a full tile.
    const ROWS: usize;
    /// Vectors in a row of a full tile.
    const ROW_VECTORS: usize;

    /// How many vectors wide a tile of few rows should be to keep enough sums in flight.
    fn vectors_for(rows: usize) -> usize;

    /// Computes a tile of `rows <= ROWS` rows; `vectors` is [`Isa::ROW_VECTORS`] or `vectors_for(rows)`. Unless
    /// `masked`, all `vectors` of `b` may be read whatever `columns` is.
    ///
    /// # Safety
    /// The tile's memory is valid as its fields say, and the machine has the instruction set.
    unsafe fn tile(rows: usize, vectors: usize, masked: bool, tile: &Tile<Self::Scalar>);

    /// A product of at most 4 rows whose operands are both contiguous along k.
    ///
    /// # Safety
    /// The matrices have these extents in valid memory, `lhs.column` and `rhs.row` are 1, `out` overlaps no operand, and the machine has the instruction set.
    unsafe fn dots(extents: Extents, lhs: Matrix<Self::Scalar>, rhs: Matrix<Self::Scalar>, out: Matrix<Self::Scalar>);
}

type Product<T> = unsafe fn(Extents, Matrix<T>, Matrix<T>, Matrix<T>);

/// An element type that products are computed in.
pub(super) trait Real: Copy + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> + 'static {
    const ZERO: Self;

    /// The fastest product for this machine, for results with contiguous rows and extents above 0.
    fn tuned() -> Product<Self>;

    /// Copies `k` elements of each of `width` columns, contiguous in memory and `stride` apart, to rows of `width` elements.
    ///
    /// # Safety
    /// The columns are valid memory, `to` has `k * width` elements, and they do not overlap.
    unsafe fn transpose_columns(k: usize, width: usize, from: *const Self, stride: isize, to: *mut Self);
}

/// Plain Rust in place of vector instructions.
pub(super) struct Portable<T>(std::marker::PhantomData<T>);

impl<T: Real> Isa for Portable<T> {
    type Scalar = T;
    const LANES: usize = 4;
    const ROWS: usize = 4;
    const ROW_VECTORS: usize = 2;

    fn vectors_for(_rows: usize) -> usize {
        2
    }

    unsafe fn tile(rows: usize, _vectors: usize, masked: bool, tile: &Tile<T>) {
        const WIDTH: usize = 8;
        let readable = if masked { tile.columns.min(WIDTH) } else { WIDTH };
        for row in 0..rows {
            let mut sums = [T::ZERO; WIDTH];
            for step in 0..tile.k {
                // SAFETY: row and step are in `a`, and the first `readable` columns of the step are in `b`.
                unsafe {
                    let a = *tile.a.offset(row as isize * tile.a_row + step as isize * tile.a_k);
                    let b = tile.b.offset(step as isize * tile.b_k);
                    for (column, sum) in sums.iter_mut().enumerate().take(readable) {
                        *sum = *sum + a * *b.add(column);
                    }
                }
            }
            for (column, &sum) in sums.iter().enumerate().take(tile.columns) {
                // SAFETY: row and column are in `c`.
                unsafe {
                    let c = tile.c.offset(row as isize * tile.c_row).add(column);
                    *c = if tile.accumulate { *c + sum } else { sum };
                }
            }
        }
    }

    unsafe fn dots(extents: Extents, lhs: Matrix<T>, rhs: Matrix<T>, out: Matrix<T>) {
        let Extents { m, n, k } = extents;
        for column in 0..n {
            for row in 0..m {
                // Four sums at once hide the latency of the addition.
                let mut sums = [T::ZERO; 4];
                for step in 0..k {
                    // SAFETY: row, step and column are in bounds.
                    let product = unsafe { *lhs.at(row, step) * *rhs.at(step, column) };
                    sums[step % 4] = sums[step % 4] + product;
                }
                // SAFETY: row and column are in bounds.
                unsafe { *out.at(row, column) = (sums[0] + sums[1]) + (sums[2] + sums[3]) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(in crate::gemm) mod x86;

#[cfg(not(target_arch = "x86_64"))]
mod portable {
    use super::super::pack::transpose_columns_portable;
    use super::{Product, Real};
    use crate::gemm::blocked;

    macro_rules! real {
        ($($T:ty),*) => {$(
            impl Real for $T {
                const ZERO: $T = 0.0;

                fn tuned() -> Product<$T> {
                    blocked::portable::<$T>
                }

                unsafe fn transpose_columns(k: usize, width: usize, from: *const $T, stride: isize, to: *mut $T) {
                    // SAFETY: the same contract.
                    unsafe { transpose_columns_portable(k, width, from, stride, to) }
                }
            }
        )*};
    }
    real!(f32, f64);
}
