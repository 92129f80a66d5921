//! Copying blocks of operands into the order in which tiles read them.

use super::Matrix;
use super::tile::Real;

/// Packs `k` rows of `columns` columns: groups of `width` columns, in each group row after row, the last group filled with zeros.
/// `to` needs `k * columns.next_multiple_of(width)` elements.
///
/// # Safety
/// `from` has these extents in valid memory, `to` has the room, and they do not overlap.
pub(super) unsafe fn pack_columns<T: Real>(k: usize, columns: usize, width: usize, from: Matrix<T>, to: *mut T) {
    let mut group = to;
    for first in (0..columns).step_by(width) {
        let valid = width.min(columns - first);
        let source = Matrix { start: from.at(0, first), ..from };
        // SAFETY: the group's columns are in `from`, and `to` has k * width elements for each group.
        unsafe {
            if from.column == 1 && valid == width {
                for row in 0..k {
                    std::ptr::copy_nonoverlapping(source.at(row, 0), group.add(row * width), width);
                }
            } else if from.row == 1 && valid == width {
                T::transpose_columns(k, width, source.start, from.column, group);
            } else {
                for row in 0..k {
                    for column in 0..valid {
                        *group.add(row * width + column) = *source.at(row, column);
                    }
                    for column in valid..width {
                        *group.add(row * width + column) = T::ZERO;
                    }
                }
            }
            group = group.add(k * width);
        }
    }
}

/// Copies `k` elements of each of `width` columns, contiguous in memory and `stride` apart, to rows of `width` elements.
///
/// # Safety
/// The columns are valid memory, `to` has `k * width` elements, and they do not overlap.
pub(super) unsafe fn transpose_columns_portable<T: Real>(
    k: usize,
    width: usize,
    from: *const T,
    stride: isize,
    to: *mut T,
) {
    // Four rows at a time, so that each cache line of the target is written in one go more often.
    let mut row = 0;
    while row < k {
        let rows = (k - row).min(4);
        for column in 0..width {
            // SAFETY: `row + r < k` and `column < width`.
            unsafe {
                let source = from.offset(column as isize * stride).add(row);
                for r in 0..rows {
                    *to.add((row + r) * width + column) = *source.add(r);
                }
            }
        }
        row += rows;
    }
}
