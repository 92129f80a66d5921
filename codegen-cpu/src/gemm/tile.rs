//! Register tiles: the innermost loops of matrix products, one set for each instruction set.
//!
//! A tile keeps `rows × vectors` vector registers of the result, and for every step along k loads a row of `vectors`
//! vectors of the right operand and multiplies it by one broadcast element for each row of the left one. Full
//! tiles fill the register file: 6×2 vectors with AVX2, 14×2 with AVX-512.

use rjax_runtime::Buffer;

use super::contract::Contraction;
use super::conv::Phase;
use super::element::Element;
use super::{Extents, Matrix};
use crate::target::Level;

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

    /// Computes a tile of `rows <= ROWS` rows; `vectors` is [`Isa::ROW_VECTORS`], 1 or `vectors_for(rows)`. Unless
    /// `masked`, all `vectors` of `b` may be read whatever `columns` is.
    ///
    /// # Safety
    /// The tile's memory is valid as its fields say, and the machine has the instruction set.
    unsafe fn tile(rows: usize, vectors: usize, masked: bool, tile: &Tile<Self::Scalar>);

    /// As [`Isa::tile`] for 1 or 2 rows and any number of columns, with sums in memory: goes through `b` as it lies there.
    ///
    /// # Safety
    /// As for [`Isa::tile`].
    unsafe fn stream(rows: usize, tile: &Tile<Self::Scalar>);

    /// A product of at most 4 rows whose operands are both contiguous along k.
    ///
    /// # Safety
    /// The matrices have these extents in valid memory, `lhs.column` and `rhs.row` are 1, `out` overlaps no operand, and the machine has the instruction set.
    unsafe fn dots(extents: Extents, lhs: Matrix<Self::Scalar>, rhs: Matrix<Self::Scalar>, out: Matrix<Self::Scalar>);
}

/// A right operand that is packed for several products on matrix tile registers.
pub(crate) struct Kept {
    pub(super) packed: Buffer,
    /// How many `bf16` an element is.
    pub(super) parts: usize,
    /// The bits of the greatest magnitude.
    pub(super) greatest: u32,
}

/// Products on matrix tile registers; what each function says is in `matrix`.
pub(super) struct MatrixTiles<T> {
    pub(super) contract: unsafe fn(&Contraction<'_, T>) -> bool,
    pub(super) keep: unsafe fn(&Contraction<'_, T>) -> Option<Kept>,
    pub(super) contract_kept: unsafe fn(&Contraction<'_, T>, &Kept) -> bool,
}

/// The tiles of one instruction set as functions.
pub(super) struct Kernels<T> {
    pub(super) level: Level,
    pub(super) lanes: usize,
    /// Rows of a full tile.
    pub(super) rows: usize,
    /// Vectors in a row of a full tile.
    pub(super) row_vectors: usize,
    /// [`Isa::vectors_for`].
    pub(super) narrow: fn(usize) -> usize,
    /// [`Isa::tile`].
    pub(super) tile: unsafe fn(usize, usize, bool, &Tile<T>),
    /// [`Isa::stream`].
    pub(super) stream: unsafe fn(usize, &Tile<T>),
    /// [`Isa::dots`].
    pub(super) dots: unsafe fn(Extents, Matrix<T>, Matrix<T>, Matrix<T>),
    /// The same products on matrix tile registers, for those it says it computes.
    pub(super) matrix: Option<MatrixTiles<T>>,
}

impl<T: Real> Kernels<T> {
    pub(super) const fn of<I: Isa<Scalar = T>>(level: Level) -> Kernels<T> {
        Kernels {
            level,
            lanes: I::LANES,
            rows: I::ROWS,
            row_vectors: I::ROW_VECTORS,
            narrow: I::vectors_for,
            tile: I::tile,
            stream: I::stream,
            dots: I::dots,
            matrix: None,
        }
    }

    /// Columns of a full tile.
    pub(super) fn width(&self) -> usize {
        self.row_vectors * self.lanes
    }
}

/// An element type that products are computed in.
pub(super) trait Real: Copy + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> + 'static {
    const ZERO: Self;
    /// Rows and columns of the blocks that [`Real::transpose_block`] handles.
    const TRANSPOSED: usize;

    /// Whether it is neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// `self * factor + term`, rounded once.
    fn fused(self, factor: Self, term: Self) -> Self;

    /// The fastest tiles for this machine.
    fn kernels() -> &'static Kernels<Self>;

    /// Computes a convolution on matrix tile registers, if they are there and suit it, and says whether it did; if not, what it has written is no
    /// result.
    ///
    /// # Safety
    /// As for [`super::conv::conv`].
    unsafe fn convolve<E: Element<Self>, R: Element<Self>>(_kernels: &Kernels<Self>, _phase: &Phase<E, R>) -> bool {
        false
    }

    /// Transposes a square block: lines `from_stride` apart become columns of lines `to_stride` apart.
    ///
    /// # Safety
    /// Both blocks are valid memory and do not overlap.
    unsafe fn transpose_block(from: *const Self, from_stride: isize, to: *mut Self, to_stride: usize);
}

/// [`Real::transpose_block`] in plain Rust.
///
/// # Safety
/// As for [`Real::transpose_block`].
pub(super) unsafe fn transpose_portable<T: Real>(from: *const T, from_stride: isize, to: *mut T, to_stride: usize) {
    for row in 0..T::TRANSPOSED {
        for column in 0..T::TRANSPOSED {
            // SAFETY: the element is in both blocks.
            unsafe { *to.add(row * to_stride + column) = *from.offset(column as isize * from_stride).add(row) };
        }
    }
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

    unsafe fn stream(rows: usize, tile: &Tile<T>) {
        for row in 0..rows {
            let c = tile.c.wrapping_offset(row as isize * tile.c_row);
            // SAFETY: row, steps and columns are those of the tile.
            unsafe {
                if !tile.accumulate {
                    (0..tile.columns).for_each(|column| *c.add(column) = T::ZERO);
                }
                for step in 0..tile.k as isize {
                    let a = *tile.a.offset(row as isize * tile.a_row + step * tile.a_k);
                    let b = tile.b.offset(step * tile.b_k);
                    (0..tile.columns).for_each(|column| *c.add(column) = *c.add(column) + a * *b.add(column));
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
    use super::{Kernels, Portable, Real, transpose_portable};
    use crate::target::Level;

    macro_rules! real {
        ($($T:ty),*) => {$(
            impl Real for $T {
                const ZERO: $T = 0.0;
                const TRANSPOSED: usize = 4;

                fn is_finite(self) -> bool {
                    self.is_finite()
                }

                fn fused(self, factor: $T, term: $T) -> $T {
                    self.mul_add(factor, term)
                }

                fn kernels() -> &'static Kernels<$T> {
                    static KERNELS: Kernels<$T> = Kernels::of::<Portable<$T>>(Level::Portable);
                    &KERNELS
                }

                unsafe fn transpose_block(from: *const $T, from_stride: isize, to: *mut $T, to_stride: usize) {
                    // SAFETY: the same contract.
                    unsafe { transpose_portable(from, from_stride, to, to_stride) }
                }
            }
        )*};
    }
    real!(f32, f64);
}
