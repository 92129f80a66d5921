//! Element types in memory, and how blocks of them are brought to the type that is computed in.

use half::{bf16, f16};

use super::tile::Real;

/// A type of elements in memory that are computed with as `T`.
pub(super) trait Element<T: Real>: Copy + 'static {
    /// How many `bf16` an element is the exact sum of, if it is.
    const PARTS: Option<usize> = None;

    /// The value, rounded to nearest.
    fn from_computed(value: T) -> Self;

    /// The exact value.
    fn computed(self) -> T;

    /// The same address, if the types are the same.
    fn as_computed(_pointer: *const Self) -> Option<*const T> {
        None
    }

    /// The same address, if this is `bf16`.
    fn as_bf16(_pointer: *const Self) -> Option<*const bf16> {
        None
    }

    /// The same address, if the types are the same.
    fn as_computed_mut(_pointer: *mut Self) -> Option<*mut T> {
        None
    }

    /// `to[i] = from[i]` for `i < count`.
    ///
    /// # Safety
    /// Both are valid memory and do not overlap.
    unsafe fn copy_line(from: *const Self, to: *mut T, count: usize) {
        for i in 0..count {
            // SAFETY: the caller's promise.
            unsafe { *to.add(i) = (*from.add(i)).computed() };
        }
    }

    /// `to[i * to_step] = from[i * step]` for `i < count`.
    ///
    /// # Safety
    /// Both are valid memory and do not overlap.
    unsafe fn copy(from: *const Self, step: isize, to: *mut T, to_step: usize, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if step == 1 && to_step == 1 {
                return Self::copy_line(from, to, count);
            }
            for i in 0..count {
                *to.add(i * to_step) = (*from.offset(i as isize * step)).computed();
            }
        }
    }

    /// Copies `rows` rows of `columns` neighbours.
    ///
    /// # Safety
    /// Both are valid memory and do not overlap.
    unsafe fn copy_rows(from: *const Self, stride: isize, to: *mut T, to_stride: usize, columns: usize, rows: usize) {
        for row in 0..rows {
            // SAFETY: the row is in both blocks.
            unsafe { Self::copy_line(from.wrapping_offset(row as isize * stride), to.add(row * to_stride), columns) };
        }
    }

    /// `to[c + r * to_row] = from[c * column + r * row]` for `c < columns` and `r < rows`.
    ///
    /// # Safety
    /// Both are valid memory and do not overlap.
    unsafe fn transpose(
        from: *const Self,
        column: isize,
        row: isize,
        to: *mut T,
        to_row: usize,
        columns: usize,
        rows: usize,
    ) {
        for r in 0..rows {
            // SAFETY: the row is in both blocks.
            unsafe { Self::copy(from.wrapping_offset(r as isize * row), column, to.add(r * to_row), 1, columns) };
        }
    }
}

macro_rules! plain {
    ($($T:ty, $parts:expr);*) => {$(
        impl Element<$T> for $T {
            const PARTS: Option<usize> = $parts;

            #[inline(always)]
            fn from_computed(value: $T) -> $T {
                value
            }

            #[inline(always)]
            fn computed(self) -> $T {
                self
            }

            fn as_computed(pointer: *const $T) -> Option<*const $T> {
                Some(pointer)
            }

            fn as_computed_mut(pointer: *mut $T) -> Option<*mut $T> {
                Some(pointer)
            }

            unsafe fn copy_rows(
                from: *const $T,
                stride: isize,
                to: *mut $T,
                to_stride: usize,
                columns: usize,
                rows: usize,
            ) {
                /// A row of known length is a few vector moves.
                ///
                /// # Safety
                /// As for [`Element::copy_rows`].
                unsafe fn fixed<const N: usize>(from: *const $T, stride: isize, to: *mut $T, to_stride: usize, rows: usize) {
                    for row in 0..rows {
                        // SAFETY: the row is in both blocks.
                        unsafe {
                            let line = from.wrapping_offset(row as isize * stride).cast::<[$T; N]>().read_unaligned();
                            to.add(row * to_stride).cast::<[$T; N]>().write_unaligned(line);
                        }
                    }
                }
                // SAFETY: the caller's promise.
                unsafe {
                    match columns {
                        32 => fixed::<32>(from, stride, to, to_stride, rows),
                        16 => fixed::<16>(from, stride, to, to_stride, rows),
                        14 => fixed::<14>(from, stride, to, to_stride, rows),
                        8 => fixed::<8>(from, stride, to, to_stride, rows),
                        6 => fixed::<6>(from, stride, to, to_stride, rows),
                        n if n % 16 == 0 => {
                            for chunk in (0..n).step_by(16) {
                                fixed::<16>(from.wrapping_add(chunk), stride, to.add(chunk), to_stride, rows);
                            }
                        }
                        _ => {
                            for row in 0..rows {
                                let from = from.wrapping_offset(row as isize * stride);
                                std::ptr::copy_nonoverlapping(from, to.add(row * to_stride), columns);
                            }
                        }
                    }
                }
            }

            unsafe fn transpose(
                from: *const $T,
                column: isize,
                row: isize,
                to: *mut $T,
                to_row: usize,
                columns: usize,
                rows: usize,
            ) {
                let block = <$T>::TRANSPOSED;
                let (whole_columns, whole_rows) =
                    if row == 1 { (columns - columns % block, rows - rows % block) } else { (0, 0) };
                // SAFETY: the blocks and the rests tile the area.
                unsafe {
                    for c in (0..whole_columns).step_by(block) {
                        let from = from.wrapping_offset(c as isize * column);
                        for r in (0..whole_rows).step_by(block) {
                            <$T>::transpose_block(from.wrapping_add(r), column, to.add(r * to_row + c), to_row);
                        }
                    }
                    let scattered = |rows: std::ops::Range<usize>, first: usize| {
                        for r in rows {
                            for c in first..columns {
                                *to.add(r * to_row + c) = *from.wrapping_offset(r as isize * row + c as isize * column);
                            }
                        }
                    };
                    scattered(0..whole_rows, whole_columns);
                    scattered(whole_rows..rows, 0);
                }
            }
        }
    )*};
}
plain!(f32, Some(3); f64, None);

impl Element<f32> for bf16 {
    const PARTS: Option<usize> = Some(1);

    fn as_bf16(pointer: *const bf16) -> Option<*const bf16> {
        Some(pointer)
    }

    #[inline(always)]
    fn from_computed(value: f32) -> bf16 {
        bf16::from_f32(value)
    }

    #[inline(always)]
    fn computed(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Element<f32> for f16 {
    const PARTS: Option<usize> = Some(2);

    #[inline(always)]
    fn from_computed(value: f32) -> f16 {
        f16::from_f32(value)
    }

    #[inline(always)]
    fn computed(self) -> f32 {
        self.to_f32()
    }

    unsafe fn copy_line(from: *const f16, to: *mut f32, count: usize) {
        use half::slice::HalfFloatSliceExt;
        // SAFETY: both have `count` elements by the caller's promise, and scratch written by this is plain memory.
        unsafe {
            let to = std::slice::from_raw_parts_mut(to, count);
            std::slice::from_raw_parts(from, count).convert_to_f32_slice(to);
        }
    }
}
