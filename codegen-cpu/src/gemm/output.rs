//! Where the blocks of a product's result go.

use std::ops::Range;

use super::element::Element;
use super::operand::{Axis, offset_of};
use super::tile::Real;

/// The result in memory.
#[derive(Clone, Debug)]
pub(crate) struct Output<R> {
    pub(crate) start: *mut R,
    /// Outermost first; the flat index has the same meaning as that of the left operand's lines.
    pub(crate) rows: Vec<Axis>,
    /// Outermost first; the flat index has the same meaning as that of the right operand's lines.
    pub(crate) columns: Vec<Axis>,
}

/// What the loops around the tiles know of a result that is computed as `T`.
pub(super) trait Sink<T> {
    /// The first element and the distance of rows of a block that tiles can write themselves: its columns are neighbours.
    fn direct(&self, rows: &Range<usize>, columns: &Range<usize>) -> Option<(*mut T, isize)>;

    /// Writes a block, or adds it to what is there.
    ///
    /// # Safety
    /// The block is in the result, `block` has its rows `stride` apart, and nobody else uses that part of the result.
    unsafe fn store(&self, rows: Range<usize>, columns: Range<usize>, block: *const T, stride: usize, add: bool);
}

/// The offset of a range's first index, and the distance of its indices if they are evenly spaced.
fn spacing(axes: &[Axis], range: &Range<usize>) -> (isize, Option<isize>) {
    let Some((inner, outer)) = axes.split_last() else { return (0, Some(0)) };
    let first = offset_of(axes, range.start);
    let alone = outer.is_empty() || range.start % inner.extent + range.len() <= inner.extent;
    (first, alone.then_some(inner.stride))
}

impl<T: Real, R: Element<T>> Sink<T> for Output<R> {
    fn direct(&self, rows: &Range<usize>, columns: &Range<usize>) -> Option<(*mut T, isize)> {
        let start = R::as_computed_mut(self.start)?;
        let (first_row, row) = spacing(&self.rows, rows);
        let (first_column, column) = spacing(&self.columns, columns);
        if columns.len() > 1 && column? != 1 {
            return None;
        }
        Some((start.wrapping_offset(first_row + first_column), row?))
    }

    unsafe fn store(&self, rows: Range<usize>, columns: Range<usize>, block: *const T, stride: usize, add: bool) {
        let first_row = rows.start;
        let inner = self.columns.last().map_or((1, 0), |axis| (axis.extent, axis.stride));
        for row in rows {
            let line = self.start.wrapping_offset(offset_of(&self.rows, row));
            let source = block.wrapping_add((row - first_row) * stride);
            let mut next = columns.start;
            while next < columns.end {
                let len = (inner.0 - next % inner.0).min(columns.end - next);
                let to = line.wrapping_offset(offset_of(&self.columns, next));
                let from = source.wrapping_add(next - columns.start);
                // SAFETY: the elements are in the block and in the result.
                unsafe {
                    for i in 0..len {
                        let (value, to) = (*from.add(i), to.offset(i as isize * inner.1));
                        *to = R::from_computed(if add { (*to).computed() + value } else { value });
                    }
                }
                next += len;
            }
        }
    }
}
