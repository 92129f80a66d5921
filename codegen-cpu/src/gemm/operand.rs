//! Operands of products as tables of axes, and how blocks of them are packed.
//!
//! An operand is *lines* (rows of the left one, columns of the right one) by *depths* (the summed axis). Both may run over
//! several axes of an array. Some axes move along a bounded coordinate: an element whose coordinates are out of bounds is
//! 0 and not in memory. That is all a convolution needs to be a product: its left operand is the matrix of all patches, which is
//! never written down, only packed block by block.

use std::ops::Range;

use half::bf16;

use super::element::Element;
use super::scratch::with_scratch;
use super::tile::Real;

/// How many bounded coordinates there are.
pub(crate) const BOUNDS: usize = 3;
/// Depths of contiguous lines that are gathered before they are cut into groups: with the lines of a block they stay in the
/// first-level cache.
const GATHERED_DEPTHS: usize = 32;

/// One axis of lines or depths.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Axis {
    pub(crate) extent: usize,
    pub(crate) stride: isize,
    /// The coordinate that it moves along, and how far with each step.
    pub(crate) bound: Option<(usize, isize)>,
}

/// Where an element is: its offset and coordinates relative to the first element's.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Place {
    offset: isize,
    at: [isize; BOUNDS],
}

impl Place {
    const ORIGIN: Place = Place { offset: 0, at: [0; BOUNDS] };

    fn step(&mut self, axis: &Axis, count: isize) {
        self.offset += axis.stride * count;
        if let Some((bound, step)) = axis.bound {
            self.at[bound] += step * count;
        }
    }
}

/// Consecutive lines or depths along one axis.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Position of the first, relative to the range that was asked for.
    first: usize,
    len: usize,
    place: Place,
}

/// One operand.
#[derive(Clone, Debug)]
pub(crate) struct Operand<E> {
    /// The element of line 0 and depth 0, be it in memory or not.
    pub(crate) start: *const E,
    /// Outermost first.
    pub(crate) lines: Vec<Axis>,
    /// Outermost first; the flat index has the same meaning as in the other operand.
    pub(crate) depths: Vec<Axis>,
    /// The coordinates of that first element.
    pub(crate) origin: [isize; BOUNDS],
    /// Coordinates are in `0..extents`.
    pub(crate) extents: [isize; BOUNDS],
}

/// An operand that tiles can read without packing.
#[derive(Clone, Copy, Debug)]
pub(super) struct InPlace<T> {
    pub(super) start: *const T,
    pub(super) line: isize,
    pub(super) depth: isize,
}

/// What the loops around the tiles know of an operand with elements that are computed with as `T`.
pub(super) trait Source<T> {
    /// [`Element::PARTS`].
    fn parts(&self) -> Option<usize>;

    /// Where it is, if tiles can read it there.
    fn in_place(&self) -> Option<InPlace<T>>;

    /// Where it is, if it is of evenly spaced `bf16`.
    fn bf16_in_place(&self) -> Option<InPlace<bf16>> {
        None
    }

    /// Whether neighbouring lines are neighbours in memory, so that groups of lines are the natural order.
    fn lines_are_contiguous(&self) -> bool;

    /// Packs groups of `width` lines; in each group, depth after depth, the lines beside each other. The last group is filled with zeros.
    ///
    /// # Safety
    /// The ranges are inside the operand's, whose elements in bounds are valid memory; `to` has room for whole groups.
    unsafe fn pack_groups(&self, lines: Range<usize>, depths: Range<usize>, width: usize, to: *mut T);

    /// Packs line after line.
    ///
    /// # Safety
    /// As for [`Source::pack_groups`], with room for the lines.
    unsafe fn pack_lines(&self, lines: Range<usize>, depths: Range<usize>, to: *mut T);
}

/// Joins neighbouring unbounded axes that are one, and drops those of extent 1.
pub(crate) fn join(axes: impl IntoIterator<Item = Axis>) -> Vec<Axis> {
    let mut joined: Vec<Axis> = Vec::new();
    for axis in axes.into_iter().filter(|axis| axis.extent != 1) {
        match joined.last_mut() {
            Some(outer)
                if outer.bound.is_none()
                    && axis.bound.is_none()
                    && outer.stride == axis.stride * axis.extent as isize =>
            {
                *outer = Axis { extent: outer.extent * axis.extent, ..axis };
            }
            Some(_) | None => joined.push(axis),
        }
    }
    joined
}

/// The offset of a flat index.
pub(super) fn offset_of(axes: &[Axis], mut flat: usize) -> isize {
    let mut offset = 0;
    for axis in axes.iter().rev() {
        offset += (flat % axis.extent) as isize * axis.stride;
        flat /= axis.extent;
    }
    offset
}

/// Calls `each` for the runs of a range of flat indices.
fn runs(axes: &[Axis], range: Range<usize>, mut each: impl FnMut(Run)) {
    let Some((inner, outer)) = axes.split_last() else {
        if !range.is_empty() {
            each(Run { first: 0, len: range.len(), place: Place::ORIGIN });
        }
        return;
    };
    let mut next = range.start;
    while next < range.end {
        let (row, column) = (next / inner.extent, next % inner.extent);
        let len = (inner.extent - column).min(range.end - next);
        let mut place = Place::ORIGIN;
        place.step(inner, column as isize);
        let mut rest = row;
        for axis in outer.iter().rev() {
            place.step(axis, (rest % axis.extent) as isize);
            rest /= axis.extent;
        }
        each(Run { first: next - range.start, len, place });
        next += len;
    }
}

fn collect(axes: &[Axis], range: &Range<usize>) -> Vec<Run> {
    let mut found = Vec::new();
    runs(axes, range.clone(), |run| found.push(run));
    found
}

/// The steps `i` of `0..len` with `0 <= start + i * step < extent`.
pub(super) fn inside(start: isize, step: isize, extent: isize, len: usize) -> Range<usize> {
    let len = len as isize;
    let (low, high) = match step {
        0 if (0..extent).contains(&start) => (0, len),
        0 => (0, 0),
        1 => ((-start).max(0), (extent - start).min(len)),
        step if step > 0 => {
            let up = |x: isize| x.div_euclid(step) + isize::from(x.rem_euclid(step) != 0);
            (up(-start).max(0), up(extent - start).min(len))
        }
        step => {
            let up = |x: isize| x.div_euclid(-step) + isize::from(x.rem_euclid(-step) != 0);
            (up(start - extent + 1).max(0), (start.div_euclid(-step) + 1).min(len))
        }
    };
    low.min(len) as usize..high.max(low).min(len).max(0) as usize
}

impl<E> Operand<E> {
    fn step(axes: &[Axis]) -> (isize, Option<(usize, isize)>) {
        axes.last().map_or((0, None), |axis| (axis.stride, axis.bound))
    }

    /// Whether all coordinates but `free` are in bounds.
    fn contains(&self, at: &[isize; BOUNDS], free: Option<usize>) -> bool {
        (0..BOUNDS).all(|bound| Some(bound) == free || (0..self.extents[bound]).contains(&at[bound]))
    }

    fn at(&self, line: &Place, depth: &Place) -> [isize; BOUNDS] {
        std::array::from_fn(|bound| self.origin[bound] + line.at[bound] + depth.at[bound])
    }

    /// The part of a run of depths in a range, counted from the beginning of that.
    fn clipped(&self, depth: &Run, range: Range<usize>) -> Option<Run> {
        let (first, end) = (depth.first.max(range.start), (depth.first + depth.len).min(range.end));
        if first >= end {
            return None;
        }
        let mut place = depth.place;
        if let Some(axis) = self.depths.last() {
            place.step(axis, (first - depth.first) as isize);
        }
        Some(Run { first: first - range.start, len: end - first, place })
    }

    /// Packs one run of lines by one run of depths: element `(line, depth)` of the operand's part goes to `to[line * to_line + depth * to_depth]`.
    /// One of the two target strides is 1.
    ///
    /// # Safety
    /// As for [`Source::pack_groups`].
    unsafe fn pack_run<T: Real>(&self, run: &Run, depth: &Run, to: *mut T, to_line: usize, to_depth: usize)
    where
        E: Element<T>,
    {
        let (line_stride, line_bound) = Self::step(&self.lines);
        let (depth_stride, depth_bound) = Self::step(&self.depths);
        let at = self.at(&run.place, &depth.place);
        let start = self.start.wrapping_offset(run.place.offset + depth.place.offset);
        let to = to.wrapping_add(run.first * to_line + depth.first * to_depth);
        // SAFETY: all that is read is in bounds, and all that is written is in the box of lines and depths.
        unsafe {
            let all = |range: Range<usize>| (range, 0..depth.len);
            let (some_lines, some_depths) = match (line_bound, depth_bound) {
                (None, None) if self.contains(&at, None) => all(0..run.len),
                (Some((bound, step)), None) if self.contains(&at, Some(bound)) => {
                    all(inside(at[bound], step, self.extents[bound], run.len))
                }
                (None, Some((bound, step))) if self.contains(&at, Some(bound)) => {
                    (0..run.len, inside(at[bound], step, self.extents[bound], depth.len))
                }
                (Some((b, line_step)), Some((d, depth_step))) if b != d => {
                    let others = (0..BOUNDS).all(|i| i == b || i == d || (0..self.extents[i]).contains(&at[i]));
                    if others {
                        (
                            inside(at[b], line_step, self.extents[b], run.len),
                            inside(at[d], depth_step, self.extents[d], depth.len),
                        )
                    } else {
                        (0..0, 0..0)
                    }
                }
                // One coordinate moves along both ways: each depth has its own lines.
                (Some((bound, line_step)), Some((_, depth_step))) if self.contains(&at, Some(bound)) => {
                    for j in 0..depth.len {
                        let first = at[bound] + j as isize * depth_step;
                        let some = inside(first, line_step, self.extents[bound], run.len);
                        let start = start.wrapping_offset(j as isize * depth_stride);
                        let to = to.wrapping_add(j * to_depth);
                        fill_box(to, to_line, to_depth, (run.len, 1), (some.clone(), 0..1));
                        let from = start.wrapping_offset(some.start as isize * line_stride);
                        E::copy(from, line_stride, to.wrapping_add(some.start * to_line), to_line, some.len());
                    }
                    return;
                }
                (None | Some(_), None | Some(_)) => (0..0, 0..0),
            };
            fill_box(to, to_line, to_depth, (run.len, depth.len), (some_lines.clone(), some_depths.clone()));
            let from = start
                .wrapping_offset(some_lines.start as isize * line_stride + some_depths.start as isize * depth_stride);
            let to = to.wrapping_add(some_lines.start * to_line + some_depths.start * to_depth);
            let (lines, depths) = (some_lines.len(), some_depths.len());
            if to_line == 1 && line_stride == 1 {
                E::copy_rows(from, depth_stride, to, to_depth, lines, depths);
            } else if to_depth == 1 && depth_stride == 1 {
                E::copy_rows(from, line_stride, to, to_line, depths, lines);
            } else if to_line == 1 {
                E::transpose(from, line_stride, depth_stride, to, to_depth, lines, depths);
            } else {
                E::transpose(from, depth_stride, line_stride, to, to_line, depths, lines);
            }
        }
    }
}

/// Writes zeros to a box `(lines, depths)` outside of an inner box.
///
/// # Safety
/// The box is valid memory.
unsafe fn fill_box<T: Real>(
    to: *mut T,
    to_line: usize,
    to_depth: usize,
    (lines, depths): (usize, usize),
    (inner_lines, inner_depths): (Range<usize>, Range<usize>),
) {
    if inner_lines == (0..lines) && inner_depths == (0..depths) {
        return;
    }
    let full_lines = inner_lines == (0..lines);
    for depth in 0..depths {
        let touched = inner_depths.contains(&depth);
        if touched && full_lines {
            continue;
        }
        for line in 0..lines {
            if !(touched && inner_lines.contains(&line)) {
                // SAFETY: the element is in the box.
                unsafe { *to.add(line * to_line + depth * to_depth) = T::ZERO };
            }
        }
    }
}

impl<T: Real + Element<T>, E: Element<T>> Source<T> for Operand<E> {
    fn parts(&self) -> Option<usize> {
        E::PARTS
    }

    fn in_place(&self) -> Option<InPlace<T>> {
        let single = |axes: &[Axis]| match axes {
            [] => Some(0),
            [axis] if axis.bound.is_none() => Some(axis.stride),
            [_] | [_, ..] => None,
        };
        let start = E::as_computed(self.start)?;
        Some(InPlace { start, line: single(&self.lines)?, depth: single(&self.depths)? })
    }

    fn lines_are_contiguous(&self) -> bool {
        self.lines.last().is_some_and(|axis| axis.stride == 1)
    }

    unsafe fn pack_groups(&self, lines: Range<usize>, depths: Range<usize>, width: usize, to: *mut T) {
        let count = depths.len();
        let groups = lines.len().div_ceil(width);
        // SAFETY: all runs are inside the ranges, which `to` has room for.
        unsafe {
            let valid = lines.len() - (groups - 1) * width;
            if valid < width {
                let last = to.add((groups - 1) * width * count);
                fill_box(last, 1, width, (width, count), (0..valid, 0..count));
            }
            let depth_runs = collect(&self.depths, &depths);
            if !Source::<T>::lines_are_contiguous(self) {
                for group in 0..groups {
                    let first = lines.start + group * width;
                    let group_lines = first..lines.end.min(first + width);
                    runs(&self.lines, group_lines, |run| {
                        let to = to.add(group * width * count);
                        depth_runs.iter().for_each(|depth| self.pack_run(&run, depth, to, 1, width));
                    });
                }
                return;
            }
            let line_runs = collect(&self.lines, &lines);
            let stride = lines.len();
            let whole = stride / width;
            with_scratch(stride * GATHERED_DEPTHS, |gathered: *mut T| {
                for first in (0..count).step_by(GATHERED_DEPTHS) {
                    let end = count.min(first + GATHERED_DEPTHS);
                    for depth in depth_runs.iter().filter_map(|depth| self.clipped(depth, first..end)) {
                        line_runs.iter().for_each(|run| self.pack_run(run, &depth, gathered, 1, stride));
                    }
                    for depth in first..end {
                        let from = gathered.add((depth - first) * stride);
                        let to = to.add(depth * width);
                        T::copy_rows(from, width as isize, to, width * count, width, whole);
                        if valid < width {
                            let to = to.add(whole * width * count);
                            std::ptr::copy_nonoverlapping(from.add(whole * width), to, valid);
                        }
                    }
                }
            });
        }
    }

    unsafe fn pack_lines(&self, lines: Range<usize>, depths: Range<usize>, to: *mut T) {
        let depth_runs = collect(&self.depths, &depths);
        runs(&self.lines, lines, |run| {
            // SAFETY: the runs are inside what `to` has room for.
            depth_runs.iter().for_each(|depth| unsafe { self.pack_run(&run, depth, to, depths.len(), 1) });
        });
    }
}
