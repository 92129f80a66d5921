//! Matrix products: `out[b…, i, j] = Σ_l lhs[b…, i, l] · rhs[b…, l, j]` with any strides.
//!
//! The inner loops are tiles of vector registers written for each instruction set and chosen when the program runs
//! ([`tile`]). Around them, operands are read where they are if their layout allows it and packed otherwise
//! ([`blocked`]). Each element of the result is summed in an order that depends on extents and strides alone, so results do not
//! depend on the machine's load or on the number of threads.

mod blocked;
mod pack;
mod scratch;
mod tile;

use half::{bf16, f16};
use rjax_ir::DType;
use rjax_kernel::kir;

use scratch::with_scratch;
use tile::Real;

/// An operand or result in memory: the first element and the strides, in elements, of its rows and columns.
#[derive(Clone, Copy)]
struct Matrix<T> {
    start: *mut T,
    row: isize,
    column: isize,
}

impl<T> Matrix<T> {
    /// The address of an element.
    fn at(self, row: usize, column: usize) -> *mut T {
        self.start.wrapping_offset(row as isize * self.row + column as isize * self.column)
    }

    fn transposed(self) -> Matrix<T> {
        Matrix { start: self.start, row: self.column, column: self.row }
    }
}

/// Extents of one product: `(m, k) · (k, n)`.
#[derive(Clone, Copy)]
struct Extents {
    m: usize,
    n: usize,
    k: usize,
}

/// Runs the product that `gemm` describes; its views are replaced by the three addresses.
///
/// # Safety
/// All elements that the extents and strides reach from the three addresses are valid, aligned for their dtype, and those of `out`
/// overlap no operand; nobody else writes them meanwhile.
pub(crate) unsafe fn gemm(gemm: &kir::Gemm, lhs: *const u8, rhs: *const u8, out: *mut u8) {
    // SAFETY: the caller's promise is passed on; the dtypes are those of the arrays.
    unsafe {
        match (gemm.dtype, gemm.out_dtype) {
            (DType::F32, _) => batches(gemm, lhs.cast::<f32>(), rhs.cast::<f32>(), out.cast::<f32>(), product::<f32>),
            (DType::F64, _) => batches(gemm, lhs.cast::<f64>(), rhs.cast::<f64>(), out.cast::<f64>(), product::<f64>),
            (DType::F16, DType::F32) => {
                batches(gemm, lhs.cast::<f16>(), rhs.cast::<f16>(), out.cast::<f32>(), widened::<f16, f32>)
            }
            (DType::F16, _) => {
                batches(gemm, lhs.cast::<f16>(), rhs.cast::<f16>(), out.cast::<f16>(), widened::<f16, f16>)
            }
            (DType::BF16, DType::F32) => {
                batches(gemm, lhs.cast::<bf16>(), rhs.cast::<bf16>(), out.cast::<f32>(), widened::<bf16, f32>)
            }
            (DType::BF16, _) => {
                batches(gemm, lhs.cast::<bf16>(), rhs.cast::<bf16>(), out.cast::<bf16>(), widened::<bf16, bf16>)
            }
            (
                DType::Bool
                | DType::I8
                | DType::I16
                | DType::I32
                | DType::I64
                | DType::U8
                | DType::U16
                | DType::U32
                | DType::U64
                | DType::C64
                | DType::C128,
                _,
            ) => unreachable!("checked when the module was compiled"),
        }
    }
}

/// Whether [`gemm`] has a routine for these dtypes.
pub(crate) fn supports(dtype: DType, out_dtype: DType) -> bool {
    match dtype {
        DType::F32 | DType::F64 => out_dtype == dtype,
        DType::F16 | DType::BF16 => out_dtype == dtype || out_dtype == DType::F32,
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::C64
        | DType::C128 => false,
    }
}

/// Merges batch axes into rows or columns where the strides allow it: fewer, larger products.
pub(crate) fn merge_batches(gemm: &mut kir::Gemm) {
    gemm.batch.retain(|axis| axis.extent != 1);
    while let Some(&axis) = gemm.batch.last() {
        let continues = |inner: &kir::GemmAxis| {
            let extent = inner.extent as isize;
            inner.extent > 1
                && axis.lhs == inner.lhs * extent
                && axis.rhs == inner.rhs * extent
                && axis.out == inner.out * extent
        };
        let grown = if axis.rhs == 0 && continues(&gemm.m) {
            &mut gemm.m
        } else if axis.lhs == 0 && continues(&gemm.n) {
            &mut gemm.n
        } else {
            return;
        };
        grown.extent *= axis.extent;
        gemm.batch.pop();
    }
}

/// Calls `product` for every index of the batch axes.
///
/// # Safety
/// As for [`gemm`].
unsafe fn batches<T, R>(
    gemm: &kir::Gemm,
    lhs: *const T,
    rhs: *const T,
    out: *mut R,
    product: unsafe fn(Extents, Matrix<T>, Matrix<T>, Matrix<R>),
) {
    let extents = Extents { m: gemm.m.extent, n: gemm.n.extent, k: gemm.k.extent };
    let count: usize = gemm.batch.iter().map(|axis| axis.extent).product();
    for flat in 0..count {
        let (mut rest, mut offsets) = (flat, [0isize; 3]);
        for axis in gemm.batch.iter().rev() {
            let index = (rest % axis.extent) as isize;
            rest /= axis.extent;
            offsets = [offsets[0] + index * axis.lhs, offsets[1] + index * axis.rhs, offsets[2] + index * axis.out];
        }
        let lhs = Matrix { start: lhs.cast_mut().wrapping_offset(offsets[0]), row: gemm.m.lhs, column: gemm.k.lhs };
        let rhs = Matrix { start: rhs.cast_mut().wrapping_offset(offsets[1]), row: gemm.k.rhs, column: gemm.n.rhs };
        let out = Matrix { start: out.wrapping_offset(offsets[2]), row: gemm.m.out, column: gemm.n.out };
        // SAFETY: the batch index is in bounds, so the three matrices are what the caller promised.
        unsafe { product(extents, lhs, rhs, out) };
    }
}

/// A product of `f32` or `f64`, with the result's rows made contiguous.
///
/// # Safety
/// The matrices have these extents in valid memory, and `out` overlaps no operand.
unsafe fn product<T: Real>(extents: Extents, lhs: Matrix<T>, rhs: Matrix<T>, out: Matrix<T>) {
    let Extents { m, n, k } = extents;
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the matrices are valid by this function's contract, and so are their transposes; the dense
    // result has m * n elements.
    unsafe {
        if k == 0 {
            return fill_zero(m, n, out);
        }
        let rows_are_contiguous = out.column == 1 || n == 1;
        let columns_are_contiguous = out.row == 1 || m == 1;
        if rows_are_contiguous && (n > 1 || !columns_are_contiguous) {
            T::tuned()(extents, lhs, rhs, out)
        } else if columns_are_contiguous {
            T::tuned()(Extents { m: n, n: m, k }, rhs.transposed(), lhs.transposed(), out.transposed())
        } else {
            with_scratch(m * n, |dense: *mut T| {
                let dense = Matrix { start: dense, row: n as isize, column: 1 };
                T::tuned()(extents, lhs, rhs, dense);
                copy(m, n, dense, out, |x| x);
            })
        }
    }
}

/// A product of 16-bit floats, computed in `f32` and rounded once.
///
/// # Safety
/// As for [`product`].
unsafe fn widened<T: Half, R: FromF32>(extents: Extents, lhs: Matrix<T>, rhs: Matrix<T>, out: Matrix<R>) {
    let Extents { m, n, k } = extents;
    with_scratch(m * k + k * n + m * n, |scratch: *mut f32| {
        let wide_lhs = Matrix { start: scratch, row: k as isize, column: 1 };
        let wide_rhs = Matrix { start: scratch.wrapping_add(m * k), row: n as isize, column: 1 };
        let wide_out = Matrix { start: scratch.wrapping_add(m * k + k * n), row: n as isize, column: 1 };
        // SAFETY: the operands and the result are valid by this function's contract; the scratch has room for all three.
        unsafe {
            copy(m, k, lhs, wide_lhs, T::widen);
            copy(k, n, rhs, wide_rhs, T::widen);
            product::<f32>(extents, wide_lhs, wide_rhs, wide_out);
            copy(m, n, wide_out, out, R::from_f32);
        }
    });
}

/// # Safety
/// The matrix has these extents in valid memory.
unsafe fn fill_zero<T: Real>(m: usize, n: usize, out: Matrix<T>) {
    for i in 0..m {
        for j in 0..n {
            // SAFETY: the element is in the matrix.
            unsafe { *out.at(i, j) = T::ZERO };
        }
    }
}

/// Copies a matrix elementwise; the inner loop runs along whichever axis of the source is contiguous.
///
/// # Safety
/// Both matrices have these extents in valid memory and do not overlap.
unsafe fn copy<A: Copy, B: Copy>(m: usize, n: usize, from: Matrix<A>, to: Matrix<B>, convert: impl Fn(A) -> B) {
    let (m, n, from, to) =
        if from.row == 1 && from.column != 1 { (n, m, from.transposed(), to.transposed()) } else { (m, n, from, to) };
    for i in 0..m {
        let (source, target) = (from.at(i, 0), to.at(i, 0));
        // SAFETY: row i and columns 0..n are in both matrices.
        unsafe {
            if from.column == 1 && to.column == 1 {
                for j in 0..n {
                    target.add(j).write(convert(*source.add(j)));
                }
            } else {
                for j in 0..n {
                    to.at(i, j).write(convert(*from.at(i, j)));
                }
            }
        }
    }
}

trait Half: Copy {
    fn widen(self) -> f32;
}

impl Half for f16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

impl Half for bf16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

trait FromF32: Copy {
    fn from_f32(value: f32) -> Self;
}

impl FromF32 for f32 {
    fn from_f32(value: f32) -> f32 {
        value
    }
}

impl FromF32 for f16 {
    fn from_f32(value: f32) -> f16 {
        f16::from_f32(value)
    }
}

impl FromF32 for bf16 {
    fn from_f32(value: f32) -> bf16 {
        bf16::from_f32(value)
    }
}

#[cfg(test)]
mod tests;
