//! Plain matrices as operands and results.

use std::ops::Range;

use half::bf16;

use super::Matrix;
use super::element::Element;
use super::operand::{InPlace, Source};
use super::output::Sink;
use super::tile::Real;

/// An operand whose lines and depths are evenly spaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strided<E> {
    pub(super) start: *const E,
    pub(super) line: isize,
    pub(super) depth: isize,
}

impl<E> Strided<E> {
    fn at(&self, line: usize, depth: usize) -> *const E {
        self.start.wrapping_offset(line as isize * self.line + depth as isize * self.depth)
    }
}

impl<T: Real, E: Element<T>> Source<T> for Strided<E> {
    fn parts(&self) -> Option<usize> {
        E::PARTS
    }

    fn in_place(&self) -> Option<InPlace<T>> {
        E::as_computed(self.start).map(|start| InPlace { start, line: self.line, depth: self.depth })
    }

    fn bf16_in_place(&self) -> Option<InPlace<bf16>> {
        E::as_bf16(self.start).map(|start| InPlace { start, line: self.line, depth: self.depth })
    }

    fn lines_are_contiguous(&self) -> bool {
        self.line == 1
    }

    unsafe fn pack_groups(&self, lines: Range<usize>, depths: Range<usize>, width: usize, to: *mut T) {
        let count = depths.len();
        let whole = lines.len() - lines.len() % width;
        if self.line == 1 && whole > width {
            // Row after row in memory, for the sake of pages.
            // SAFETY: the groups are in the operand, and `to` has room for them.
            unsafe {
                for depth in 0..count {
                    let from = self.at(lines.start, depths.start + depth);
                    E::copy_rows(from, width as isize, to.add(depth * width), width * count, width, whole / width);
                }
                if whole < lines.len() {
                    self.pack_groups(lines.start + whole..lines.end, depths, width, to.add(whole * count));
                }
            }
            return;
        }
        for (group, first) in lines.clone().step_by(width).enumerate() {
            let valid = width.min(lines.end - first);
            let (from, to) = (self.at(first, depths.start), to.wrapping_add(group * width * count));
            // SAFETY: the group is in the operand, and `to` has room for it.
            unsafe {
                if self.line == 1 {
                    E::copy_rows(from, self.depth, to, width, valid, count);
                } else {
                    E::transpose(from, self.line, self.depth, to, width, valid, count);
                }
                if valid < width {
                    for depth in 0..count {
                        (valid..width).for_each(|line| *to.add(depth * width + line) = T::ZERO);
                    }
                }
            }
        }
    }

    unsafe fn pack_lines(&self, lines: Range<usize>, depths: Range<usize>, to: *mut T) {
        let from = self.at(lines.start, depths.start);
        // SAFETY: the lines are in the operand, and `to` has room for them.
        unsafe {
            if self.depth == 1 {
                E::copy_rows(from, self.line, to, depths.len(), depths.len(), lines.len());
            } else {
                E::transpose(from, self.depth, self.line, to, depths.len(), depths.len(), lines.len());
            }
        }
    }
}

/// A result whose rows and columns are evenly spaced.
pub(super) struct Dense<R>(pub(super) Matrix<R>);

impl<T: Real, R: Element<T>> Sink<T> for Dense<R> {
    fn direct(&self, rows: &Range<usize>, columns: &Range<usize>) -> Option<(*mut T, isize)> {
        let start = R::as_computed_mut(self.0.at(rows.start, columns.start))?;
        (self.0.column == 1 || columns.len() <= 1).then_some((start, self.0.row))
    }

    unsafe fn store(&self, rows: Range<usize>, columns: Range<usize>, block: *const T, stride: usize, add: bool) {
        for (i, row) in rows.enumerate() {
            for (j, column) in columns.clone().enumerate() {
                // SAFETY: the element is in the block and in the result.
                unsafe {
                    let (value, to) = (*block.add(i * stride + j), self.0.at(row, column));
                    *to = R::from_computed(if add { (*to).computed() + value } else { value });
                }
            }
        }
    }
}
