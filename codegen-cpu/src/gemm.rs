//! Matrix products: `out[b…, i, j] = Σ_l lhs[b…, i, l] · rhs[b…, l, j]` with any strides.
//!
//! The inner loops are tiles of vector registers written for each instruction set and chosen when the program runs
//! ([`tile`]). Around them, operands are read where they are if their layout allows it and packed otherwise
//! ([`contract`]), which also widens 16-bit floats. Convolutions are products of the same kind with operands that are packed in another way
//! ([`operand`]). Each element of the result is summed in an order that depends on extents and strides alone, so results do not
//! depend on the machine's load or on the number of threads.

mod contract;
pub(crate) mod conv;
mod element;
#[cfg(target_arch = "x86_64")]
mod matrix;
mod operand;
mod output;
mod scattered;
pub(crate) mod scratch;
mod strided;
mod tile;

use std::ops::Neg;

use half::{bf16, f16};
use rjax_ir::DType;
use rjax_ir::math::linalg::View;
use rjax_kernel::kir;
use rjax_runtime::parallel_for;

use contract::{Contraction, contract};
use element::Element;
use scattered::Scattered;
use scratch::with_scratch;
use strided::{Dense, Strided};
pub(crate) use tile::Kept;
use tile::{Kernels, MatrixTiles, Real, Tile};

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
#[derive(Clone, Copy, Debug)]
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
            (DType::F32, _) => batches::<f32, f32, f32>(f32::kernels(), gemm, lhs, rhs, out),
            (DType::F64, _) => batches::<f64, f64, f64>(f64::kernels(), gemm, lhs, rhs, out),
            (DType::F16, DType::F32) => batches::<f32, f16, f32>(f32::kernels(), gemm, lhs, rhs, out),
            (DType::F16, _) => batches::<f32, f16, f16>(f32::kernels(), gemm, lhs, rhs, out),
            (DType::BF16, DType::F32) => batches::<f32, bf16, f32>(f32::kernels(), gemm, lhs, rhs, out),
            (DType::BF16, _) => batches::<f32, bf16, bf16>(f32::kernels(), gemm, lhs, rhs, out),
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
                | DType::C128
                | DType::Narrow(_),
                _,
            ) => unreachable!("checked when the module was compiled"),
        }
    }
}

/// Some rows of one product of the batch that `gemm` describes.
fn part(gemm: &kir::Gemm, rows: usize) -> kir::Gemm {
    let mut part = gemm.clone();
    part.batch.clear();
    part.m.extent = rows;
    part
}

/// Runs some rows of one product of the batch that `gemm` describes, with the right operand that [`keep_rows`] kept.
///
/// # Safety
/// As for [`gemm()`], for so many rows from the addresses on; what is kept is this right operand.
pub(crate) unsafe fn rows(
    gemm: &kir::Gemm,
    rows: usize,
    lhs: *const u8,
    rhs: *const u8,
    out: *mut u8,
    kept: Option<&Kept>,
) {
    let part = part(gemm, rows);
    // SAFETY: the caller's promise.
    unsafe {
        if !kept.is_some_and(|kept| with_kept(&part, lhs, rhs, out, kept)) {
            self::gemm(&part, lhs, rhs, out);
        }
    }
}

/// Packs the right operand of products of so many rows, if that helps.
///
/// # Safety
/// As for [`gemm()`], of the right operand.
pub(crate) unsafe fn keep_rows(gemm: &kir::Gemm, rows: usize, rhs: *const u8) -> Option<Box<Kept>> {
    // SAFETY: the caller's promise.
    unsafe { keep(&part(gemm, rows), rhs) }
}

/// As [`gemm()`], of a right operand that is the same until `kept` is forgotten: it is packed there the first time, if that helps.
///
/// # Safety
/// As for [`gemm()`]; elements of the right operand are those of the first call.
pub(crate) unsafe fn gemm_kept(
    gemm: &kir::Gemm,
    lhs: *const u8,
    rhs: *const u8,
    out: *mut u8,
    kept: &mut Option<Box<Kept>>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if kept.is_none() {
            *kept = keep(gemm, rhs);
        }
        if !kept.as_ref().is_some_and(|kept| with_kept(gemm, lhs, rhs, out, kept)) {
            self::gemm(gemm, lhs, rhs, out);
        }
    }
}

/// # Safety
/// As for [`keep_rows`].
unsafe fn keep(gemm: &kir::Gemm, rhs: *const u8) -> Option<Box<Kept>> {
    let mut kept = None;
    on_tiles(gemm, [std::ptr::null(), rhs], std::ptr::null_mut(), &mut |tiles, contraction| {
        // SAFETY: the caller's promise; the left operand and the result are not looked at.
        kept = unsafe { (tiles.keep)(contraction) }.map(Box::new);
    });
    kept
}

/// Whether the product was computed with a kept operand.
///
/// # Safety
/// As for [`gemm()`]; what is kept is this right operand.
unsafe fn with_kept(gemm: &kir::Gemm, lhs: *const u8, rhs: *const u8, out: *mut u8, kept: &Kept) -> bool {
    let mut done = false;
    on_tiles(gemm, [lhs, rhs], out, &mut |tiles, contraction| {
        // SAFETY: the caller's promise.
        done = unsafe { (tiles.contract_kept)(contraction, kept) };
    });
    done
}

/// Calls `run` with a product, if it is one that matrix tile registers may compute.
///
fn on_tiles(
    gemm: &kir::Gemm,
    operands: [*const u8; 2],
    out: *mut u8,
    run: &mut dyn FnMut(&MatrixTiles<f32>, &Contraction<'_, f32>),
) {
    match (gemm.dtype, gemm.out_dtype) {
        (DType::F32, _) => on_tiles_of::<f32, f32>(gemm, operands, out, run),
        (DType::F16, DType::F32) => on_tiles_of::<f16, f32>(gemm, operands, out, run),
        (DType::F16, _) => on_tiles_of::<f16, f16>(gemm, operands, out, run),
        (DType::BF16, DType::F32) => on_tiles_of::<bf16, f32>(gemm, operands, out, run),
        (DType::BF16, _) => on_tiles_of::<bf16, bf16>(gemm, operands, out, run),
        (
            DType::F64
            | DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::C64
            | DType::C128
            | DType::Narrow(_),
            _,
        ) => {}
    }
}

fn on_tiles_of<E: Element<f32>, R: Element<f32>>(
    gemm: &kir::Gemm,
    [lhs, rhs]: [*const u8; 2],
    out: *mut u8,
    run: &mut dyn FnMut(&MatrixTiles<f32>, &Contraction<'_, f32>),
) {
    let Some(tiles) = &f32::kernels().matrix else { return };
    if !gemm.batch.is_empty() || !gemm.outer_k.is_empty() || gemm.n.out != 1 {
        return;
    }
    let contraction = Contraction {
        extents: Extents { m: gemm.m.extent, n: gemm.n.extent, k: gemm.k.extent },
        left: &Strided { start: lhs.cast::<E>(), line: gemm.m.lhs, depth: gemm.k.lhs },
        right: &Strided { start: rhs.cast::<E>(), line: gemm.n.rhs, depth: gemm.k.rhs },
        out: &Dense(Matrix { start: out.cast::<R>(), row: gemm.m.out, column: gemm.n.out }),
        add: gemm.add,
        symmetric: false,
        parallel: true,
    };
    run(tiles, &contraction);
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
        | DType::C128
        | DType::Narrow(_) => false,
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

/// How many products of a batch at least are shared among threads whole; fewer are cut themselves.
const WHOLE: usize = 8;
/// Multiplications that are worth handing to another thread.
const GRAIN: usize = 1 << 18;

/// Computes the product for every index of the batch axes: elements of `E`, computed with as `T`, to elements of `R`.
///
/// # Safety
/// As for [`gemm`].
unsafe fn batches<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    gemm: &kir::Gemm,
    lhs: *const u8,
    rhs: *const u8,
    out: *mut u8,
) {
    struct Batch<'a> {
        gemm: &'a kir::Gemm,
        scattered: Option<Scattered>,
        axes: Vec<kir::GemmAxis>,
        lhs: *const u8,
        rhs: *const u8,
        out: *mut u8,
    }
    // SAFETY: threads write different products of the batch and only read the operands.
    unsafe impl Sync for Batch<'_> {}
    impl Batch<'_> {
        /// # Safety
        /// As for [`gemm`]; `flat` is below the number of products.
        unsafe fn one<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
            &self,
            kernels: &Kernels<T>,
            flat: usize,
            extents: Extents,
            parallel: bool,
        ) {
            let gemm = self.gemm;
            let (mut rest, mut offsets) = (flat, [0isize; 3]);
            for axis in self.axes.iter().rev() {
                let index = (rest % axis.extent) as isize;
                rest /= axis.extent;
                offsets = [offsets[0] + index * axis.lhs, offsets[1] + index * axis.rhs, offsets[2] + index * axis.out];
            }
            let lhs = self.lhs.cast::<E>().cast_mut().wrapping_offset(offsets[0]);
            let rhs = self.rhs.cast::<E>().cast_mut().wrapping_offset(offsets[1]);
            let out = self.out.cast::<R>().wrapping_offset(offsets[2]);
            // SAFETY: the batch index is in bounds, so the three matrices are what the caller promised.
            unsafe {
                if let Some(scattered) = &self.scattered {
                    return scattered.run(kernels, [lhs.cast_const(), rhs.cast_const()], out, parallel);
                }
                let lhs = Matrix { start: lhs, row: gemm.m.lhs, column: gemm.k.lhs };
                let rhs = Matrix { start: rhs, row: gemm.k.rhs, column: gemm.n.rhs };
                let out = Matrix { start: out, row: gemm.m.out, column: gemm.n.out };
                product::<T, E, R>(kernels, extents, lhs, rhs, out, gemm.add, parallel);
            }
        }
    }
    let extents = Extents { m: gemm.m.extent, n: gemm.n.extent, k: gemm.k.extent };
    let (extents, scattered, axes) = match Scattered::of(gemm) {
        Some((scattered, axes)) => (scattered.extents(), Some(scattered), axes),
        None => (extents, None, gemm.batch.clone()),
    };
    let count: usize = axes.iter().map(|axis| axis.extent).product();
    let work = extents.m * extents.n * extents.k;
    let batch = Batch { gemm, scattered, axes, lhs, rhs, out };
    if count >= WHOLE && count * work >= 2 * GRAIN {
        parallel_for(count, GRAIN.div_ceil(work.max(1)), &|first, end| {
            // SAFETY: the caller's promise.
            (first..end).for_each(|flat| unsafe { batch.one::<T, E, R>(kernels, flat, extents, false) });
        });
    } else {
        // SAFETY: the caller's promise.
        (0..count).for_each(|flat| unsafe { batch.one::<T, E, R>(kernels, flat, extents, true) });
    }
}

/// One product, with the result's rows made contiguous.
///
/// # Safety
/// The matrices have these extents in valid memory, and `out` overlaps no operand; the machine has the kernels' instruction set.
unsafe fn product<T: Real, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    extents: Extents,
    lhs: Matrix<E>,
    rhs: Matrix<E>,
    out: Matrix<R>,
    add: bool,
    parallel: bool,
) {
    let Extents { m, n, k } = extents;
    let symmetric = !add && is_symmetric(extents, lhs, rhs);
    let rows_are_contiguous = out.column == 1 || n == 1;
    let columns_are_contiguous = out.row == 1 || m == 1;
    let upright = !columns_are_contiguous || rows_are_contiguous && n > 1;
    let (extents, lhs, rhs, out) = if upright {
        (extents, lhs, rhs, out)
    } else {
        (Extents { m: n, n: m, k }, rhs.transposed(), lhs.transposed(), out.transposed())
    };
    // SAFETY: the matrices are valid by this function's contract, and so are their transposes.
    unsafe {
        if add
            || !few_dots(kernels, extents, lhs, rhs, out, parallel)
                && !few_dots(
                    kernels,
                    Extents { m: extents.n, n: extents.m, k },
                    rhs.transposed(),
                    lhs.transposed(),
                    out.transposed(),
                    parallel,
                )
        {
            let contraction = Contraction {
                extents,
                left: &Strided { start: lhs.start.cast_const(), line: lhs.row, depth: lhs.column },
                right: &Strided { start: rhs.start.cast_const(), line: rhs.column, depth: rhs.row },
                out: &Dense(out),
                add,
                symmetric,
                parallel,
            };
            contract(kernels, &contraction);
            if symmetric {
                mirror(out, extents.m, parallel);
            }
        }
    }
}

/// Rows of a product of an operand with itself from which on it pays to compute half of it.
const SYMMETRIC: usize = 128;

/// Whether the operands are one, so that the product is symmetric.
fn is_symmetric<E>(Extents { m, n, .. }: Extents, lhs: Matrix<E>, rhs: Matrix<E>) -> bool {
    m == n && m >= SYMMETRIC && lhs.start == rhs.start && lhs.row == rhs.column && lhs.column == rhs.row
}

/// Copies what is below the diagonal to above it.
///
/// # Safety
/// The square matrix has so many rows in valid memory, which nobody else uses.
unsafe fn mirror<R: Copy>(out: Matrix<R>, rows: usize, parallel: bool) {
    const BLOCK: usize = 32;
    struct Square<R>(Matrix<R>);
    // SAFETY: threads read below the diagonal and write different columns above it.
    unsafe impl<R> Sync for Square<R> {}
    impl<R: Copy> Square<R> {
        /// # Safety
        /// The element is in the matrix.
        unsafe fn copy(&self, row: usize, column: usize) {
            // SAFETY: the caller's promise.
            unsafe { *self.0.at(column, row) = *self.0.at(row, column) }
        }
    }
    let square = Square(out);
    let run = |first: usize, end: usize| {
        for columns in (0..end).step_by(BLOCK) {
            for column in columns..end.min(columns + BLOCK) {
                // SAFETY: the elements are below the diagonal.
                (first.max(column + 1)..end).for_each(|row| unsafe { square.copy(row, column) });
            }
        }
    };
    if parallel && rows * rows >= GRAIN {
        parallel_for(rows, BLOCK, &run);
    } else {
        (0..rows).step_by(BLOCK).for_each(|first| run(first, rows.min(first + BLOCK)));
    }
}

/// `c -= a b` in single precision; the extents are m, n and k, and the rows of `c` are contiguous and `stride` apart.
pub(crate) fn subtract_product_f32(
    extents: [usize; 3],
    a: View<'_, f32>,
    b: View<'_, f32>,
    c: &mut [f32],
    stride: usize,
) {
    subtract_product(extents, a, b, c, stride);
}

/// [`subtract_product_f32`] in double precision.
pub(crate) fn subtract_product_f64(
    extents: [usize; 3],
    a: View<'_, f64>,
    b: View<'_, f64>,
    c: &mut [f64],
    stride: usize,
) {
    subtract_product(extents, a, b, c, stride);
}

fn subtract_product<T: Real + Element<T> + Neg<Output = T>>(
    [m, n, k]: [usize; 3],
    a: View<'_, T>,
    b: View<'_, T>,
    c: &mut [T],
    stride: usize,
) {
    let holds = |view: &View<'_, T>, rows: usize, cols: usize| {
        rows * cols == 0 || (rows - 1) * view.row + (cols - 1) * view.column < view.elements.len()
    };
    assert!(holds(&a, m, k) && holds(&b, k, n) && (m * n == 0 || (m - 1) * stride + n <= c.len() && n <= stride));
    // The smaller operand changes its sign.
    let (flipped, rows, cols) = if m <= n { (&a, m, k) } else { (&b, k, n) };
    let mut negated = Vec::with_capacity(rows * cols);
    for i in 0..rows {
        negated.extend((0..cols).map(|j| -flipped.elements[i * flipped.row + j * flipped.column]));
    }
    let negated = View::rows(&negated, cols);
    let (a, b) = if m <= n { (negated, b) } else { (a, negated) };
    let contraction = Contraction {
        extents: Extents { m, n, k },
        left: &Strided { start: a.elements.as_ptr(), line: a.row as isize, depth: a.column as isize },
        right: &Strided { start: b.elements.as_ptr(), line: b.column as isize, depth: b.row as isize },
        out: &Dense(Matrix { start: c.as_mut_ptr(), row: stride as isize, column: 1 }),
        add: true,
        symmetric: false,
        parallel: true,
    };
    // SAFETY: the operands hold these extents, and the result is another slice; the kernels are this machine's.
    unsafe { contract(T::kernels(), &contraction) };
}

/// Rows of such operands that stay in the first-level cache.
const TRANSPOSED_STEPS: usize = 128;

/// The product of the transpose of `a` with `b`, both of rows of `width` elements, in single precision.
pub(crate) fn transposed_product_f32(width: usize, a: &[f32], b: &[f32], out: &mut [f32]) {
    transposed_product(width, a, b, out);
}

/// [`transposed_product_f32`] in double precision.
pub(crate) fn transposed_product_f64(width: usize, a: &[f64], b: &[f64], out: &mut [f64]) {
    transposed_product(width, a, b, out);
}

fn transposed_product<T: Real>(width: usize, a: &[T], b: &[T], out: &mut [T]) {
    let kernels = T::kernels();
    let columns = kernels.width();
    let k = a.len() / width;
    assert!(a.len() == k * width && b.len() == a.len() && out.len() == width * width && width.is_multiple_of(columns));
    if k == 0 {
        out.fill(T::ZERO);
    }
    for first in (0..k).step_by(TRANSPOSED_STEPS) {
        for row in (0..width).step_by(kernels.rows) {
            for column in (0..width).step_by(columns) {
                let tile = Tile {
                    k: TRANSPOSED_STEPS.min(k - first),
                    a: a.as_ptr().wrapping_add(first * width + row),
                    a_row: 1,
                    a_k: width as isize,
                    b: b.as_ptr().wrapping_add(first * width + column),
                    b_k: width as isize,
                    c: out.as_mut_ptr().wrapping_add(row * width + column),
                    c_row: width as isize,
                    columns,
                    accumulate: first > 0,
                };
                // SAFETY: the rows and columns are in the operands, which have k rows, and in the result; the kernels are this machine's.
                unsafe { (kernels.tile)(kernels.rows.min(width - row), kernels.row_vectors, false, &tile) };
            }
        }
    }
}

/// Rows of which every element may be a sum of its own.
const FEW_DOTS: usize = 8;
/// Columns for which it pays to write such rows down.
const MANY_DOTS: usize = 32;

/// A product of few rows whose operands are, or can be made, both contiguous along the summed axis: every element is a sum of its own. Says
/// whether this was one.
///
/// # Safety
/// As for [`product`].
unsafe fn few_dots<T: Real, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    extents: Extents,
    lhs: Matrix<E>,
    rhs: Matrix<E>,
    out: Matrix<R>,
    parallel: bool,
) -> bool {
    struct Dots<T> {
        lhs: Matrix<T>,
        rhs: Matrix<T>,
        out: Matrix<T>,
    }
    // SAFETY: threads write different columns of the result and only read the operands.
    unsafe impl<T> Sync for Dots<T> {}
    impl<T: Copy> Dots<T> {
        fn columns(&self, first: usize) -> (Matrix<T>, Matrix<T>, Matrix<T>) {
            let start = |matrix: Matrix<T>| Matrix { start: matrix.at(0, first), ..matrix };
            (self.lhs, start(self.rhs), start(self.out))
        }
    }
    let Extents { m, n, k } = extents;
    let (left, right) = (E::as_computed(lhs.start), E::as_computed(rhs.start));
    let (Some(left), Some(right), Some(result)) = (left, right, R::as_computed_mut(out.start)) else { return false };
    if m > FEW_DOTS || m == 0 || n == 0 || k == 0 || rhs.row != 1 || rhs.column == 1 && n > 1 {
        return false;
    }
    if lhs.column != 1 {
        // Rows that are not contiguous are written down if many columns need them.
        if n < MANY_DOTS {
            return false;
        }
        return with_scratch(m * k, |rows: *mut T| {
            // SAFETY: there is room for the rows; the rest is the caller's promise, of an operand of the type that is computed in.
            unsafe {
                (0..m).for_each(|row| E::copy(lhs.at(row, 0), lhs.column, rows.add(row * k), 1, k));
                let lhs = Matrix { start: rows.cast::<E>(), row: k as isize, column: 1 };
                few_dots(kernels, extents, lhs, rhs, out, parallel)
            }
        });
    }
    let with =
        |matrix: Matrix<E>, start: *const T| Matrix { start: start.cast_mut(), row: matrix.row, column: matrix.column };
    let dots = Dots {
        lhs: with(lhs, left),
        rhs: with(rhs, right),
        out: Matrix { start: result, row: out.row, column: out.column },
    };
    let run = |first: usize, end: usize| {
        let (lhs, rhs, out) = dots.columns(first);
        for row in (0..m).step_by(4) {
            let (lhs, out) = (Matrix { start: lhs.at(row, 0), ..lhs }, Matrix { start: out.at(row, 0), ..out });
            // SAFETY: the rows and columns are in the matrices.
            unsafe { (kernels.dots)(Extents { m: 4.min(m - row), n: end - first, k }, lhs, rhs, out) };
        }
    };
    // All rows go through so many columns while these are in the first-level cache.
    let columns = GRAIN.div_ceil(4 * m * k).next_multiple_of(4);
    if parallel && m * n * k >= 2 * GRAIN {
        parallel_for(n, columns, &run);
    } else {
        (0..n).step_by(columns).for_each(|first| run(first, n.min(first + columns)));
    }
    true
}

#[cfg(test)]
mod tests;
