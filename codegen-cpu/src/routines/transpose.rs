//! Arrays in another order.
//!
//! Of the axes of the result, the last one and the one along which the source is contiguous span planes. A plane is done in square tiles, so
//! that every cache line that is read or written is used as a whole. With AVX-512 a tile of 16 x 16 words is transposed in registers.

use rjax_kernel::kir::{self, TransposeAxis};
use rjax_runtime::parallel_for;

use crate::target::{Level, level};

/// Tiles in each direction of the block of a plane that one thread does at a time.
const BLOCK: usize = 128;
/// The side of a tile.
const TILE: usize = 16;
/// How many elements one part of the work has at least.
const PART: usize = 1 << 15;
/// Results from this size on are written past the caches: they would not be there any more when they are read.
const STREAMING_BYTES: usize = 32 << 20;

/// Writes the elements of the source in the order that `task` says.
///
/// # Safety
/// The result has as many elements as the task's axes, the source those that their strides reach; they do not overlap.
pub(super) unsafe extern "C" fn transpose(task: &kir::Transpose, source: *const u8, out: *mut u8) {
    // SAFETY: the caller's promise; elements are moved as integers of their size.
    unsafe {
        match task.dtype.size() {
            1 => planes(&task.axes, source, out),
            2 => planes(&task.axes, source.cast::<u16>(), out.cast()),
            4 => planes(&task.axes, source.cast::<u32>(), out.cast()),
            _ => planes(&task.axes, source.cast::<u64>(), out.cast()),
        }
    }
}

/// # Safety
/// As for [`transpose`].
unsafe fn planes<T: Copy>(axes: &[TransposeAxis], source: *const T, out: *mut T) {
    let Some((&columns, others)) = axes.split_last() else {
        // SAFETY: there is one element.
        unsafe { *out = *source };
        return;
    };
    // The strides of the result.
    let stride_of = |axis: usize| axes[axis + 1..].iter().map(|a| a.extent).product::<usize>();
    let Some(along) = others.iter().rposition(|axis| axis.stride == 1) else {
        let (source, out) = (source as usize, out as usize);
        let rows: usize = others.iter().map(|a| a.extent).product();
        parallel_for(rows, PART.div_ceil(columns.extent), &|begin, end| {
            for row in begin..end {
                let from = offset(others, row, |axis| others[axis].stride);
                for column in 0..columns.extent {
                    // SAFETY: the element is one of the caller's.
                    unsafe {
                        let value = *(source as *const T).add(from + column * columns.stride);
                        *(out as *mut T).add(row * columns.extent + column) = value;
                    }
                }
            }
        });
        return;
    };
    let rows = others[along];
    let outer: Vec<usize> = (0..others.len()).filter(|&axis| axis != along).collect();
    let row_stride = stride_of(along);
    let tall = rows.extent.div_ceil(BLOCK);
    let wide = columns.extent.div_ceil(BLOCK);
    let count: usize = outer.iter().map(|&axis| axes[axis].extent).product::<usize>() * tall * wide;
    let each = rows.extent.min(BLOCK) * columns.extent.min(BLOCK);
    let bytes = axes.iter().map(|axis| axis.extent).product::<usize>() * size_of::<T>();
    // Rows of whole tiles are cache lines.
    let streams = bytes >= STREAMING_BYTES && out.cast::<u8>().align_offset(64) == 0 && row_stride.is_multiple_of(TILE);
    let (source, out) = (source as usize, out as usize);
    parallel_for(count, PART.div_ceil(each), &|begin, end| {
        for block in begin..end {
            let (plane, place) = (block / (tall * wide), block % (tall * wide));
            // Down the rows first: there the source goes on.
            let (row, column) = (place % tall * BLOCK, place / tall * BLOCK);
            let mut rest = plane;
            let (mut from, mut to) = (row + column * columns.stride, row * row_stride + column);
            for &axis in outer.iter().rev() {
                let i = rest % axes[axis].extent;
                rest /= axes[axis].extent;
                from += i * axes[axis].stride;
                to += i * stride_of(axis);
            }
            let (height, width) = ((rows.extent - row).min(BLOCK), (columns.extent - column).min(BLOCK));
            // SAFETY: the block lies in both arrays.
            unsafe {
                let (source, out) = ((source as *const T).add(from), (out as *mut T).add(to));
                tiles(source, columns.stride, out, row_stride, (height, width), streams && to.is_multiple_of(TILE));
            }
        }
        #[cfg(target_arch = "x86_64")]
        if streams {
            x86::finish_streams();
        }
    });
}

/// The transpose of a matrix whose rows have `columns` words, of which `out` has `rows` in a row.
pub(super) fn words(source: &[u32], columns: usize, out: &mut [u32], rows: usize) {
    assert!(source.len() == rows * columns && out.len() == source.len());
    // SAFETY: both matrices have this many rows and columns.
    unsafe { tiles(source.as_ptr(), columns, out.as_mut_ptr(), rows, (columns, rows), false) };
}

/// The offset of a multi-index, given by its place in row-major order.
fn offset(axes: &[TransposeAxis], mut place: usize, stride: impl Fn(usize) -> usize) -> usize {
    let mut sum = 0;
    for axis in (0..axes.len()).rev() {
        sum += place % axes[axis].extent * stride(axis);
        place /= axes[axis].extent;
    }
    sum
}

/// `out[i * out_stride + j] = source[i + j * source_stride]` for `i < height`, `j < width`, where `streams` says that whole tiles had better be
/// written past the caches.
///
/// # Safety
/// All these elements are valid, and rows of whole tiles are aligned to their size where `streams`.
unsafe fn tiles<T: Copy>(
    source: *const T,
    source_stride: usize,
    out: *mut T,
    out_stride: usize,
    (height, width): (usize, usize),
    streams: bool,
) {
    for i in (0..height).step_by(TILE) {
        for j in (0..width).step_by(TILE) {
            let (rows, columns) = ((height - i).min(TILE), (width - j).min(TILE));
            // SAFETY: the tile lies in the block.
            unsafe {
                let (from, to) = (source.add(i + j * source_stride), out.add(i * out_stride + j));
                #[cfg(target_arch = "x86_64")]
                if size_of::<T>() == 4 && rows == TILE && columns == TILE && level() == Level::Avx512 {
                    if streams {
                        x86::tile::<true>(from.cast(), source_stride, to.cast(), out_stride);
                    } else {
                        x86::tile::<false>(from.cast(), source_stride, to.cast(), out_stride);
                    }
                    continue;
                }
                for row in 0..rows {
                    for column in 0..columns {
                        *to.add(row * out_stride + column) = *from.add(row + column * source_stride);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Waits until what was written past the caches can be seen by other threads.
    pub(super) fn finish_streams() {
        // SAFETY: every x86-64 processor has SSE.
        unsafe { _mm_sfence() };
    }

    /// Transposes 16 x 16 words: pairs, fours, and quarters of registers trade places in turn.
    ///
    /// # Safety
    /// The processor has AVX-512F, and all elements are valid; where `STREAMS`, rows of the result are aligned to 64 bytes.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn tile<const STREAMS: bool>(
        source: *const f32,
        source_stride: usize,
        out: *mut f32,
        out_stride: usize,
    ) {
        // SAFETY: rows of the tile are valid for 16 elements.
        let rows: [__m512; 16] = std::array::from_fn(|i| unsafe { _mm512_loadu_ps(source.add(i * source_stride)) });
        let pairs: [__m512; 16] = std::array::from_fn(|i| {
            let (a, b) = (rows[i / 2 * 2], rows[i / 2 * 2 + 1]);
            if i % 2 == 0 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) }
        });
        // Of rows 4k to 4k + 3, column i % 4 of each quarter.
        let fours: [__m512; 16] = std::array::from_fn(|i| {
            let (a, b) = (pairs[i / 4 * 4 + i % 4 / 2], pairs[i / 4 * 4 + 2 + i % 4 / 2]);
            let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
            _mm512_castpd_ps(if i % 2 == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) })
        });
        for column in 0..4 {
            let [a, b, c, d] = [fours[column], fours[4 + column], fours[8 + column], fours[12 + column]];
            // Even and odd quarters of two registers.
            let (even_ab, odd_ab) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
            let (even_cd, odd_cd) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
            let quarters = [
                _mm512_shuffle_f32x4::<0x88>(even_ab, even_cd),
                _mm512_shuffle_f32x4::<0x88>(odd_ab, odd_cd),
                _mm512_shuffle_f32x4::<0xdd>(even_ab, even_cd),
                _mm512_shuffle_f32x4::<0xdd>(odd_ab, odd_cd),
            ];
            for (quarter, row) in quarters.into_iter().enumerate() {
                // SAFETY: the row is valid for 16 elements, and aligned where that is asked for.
                unsafe {
                    let to = out.add((4 * quarter + column) * out_stride);
                    if STREAMS { _mm512_stream_ps(to, row) } else { _mm512_storeu_ps(to, row) }
                }
            }
        }
    }
}
