//! The loops around the tiles: what is packed when, and what threads share.
//!
//! The result is cut into blocks, which threads compute in any order. A block goes through the summed axis in parts that
//! fit the caches. An operand that tiles cannot read where it is is packed: once for all blocks, if several need the same
//! part of it, or else by each block for itself, part by part. How all this is cut depends on extents and strides alone, and so
//! does the order in which the terms of an element are added: results are the same for any number of threads.

use std::ops::Range;

use rjax_runtime::parallel_for;

use super::operand::{InPlace, Source};
use super::output::Sink;
use super::scratch::with_scratch;
use super::tile::{Kernels, Real, Tile};
use super::{Extents, Matrix};

/// Steps along the summed axis at once: the right operand's lines of a tile then stay in the first-level cache.
const K_BLOCK: usize = 256;
/// Rows at once: with as many steps, such a block of the left operand stays in the second-level cache.
const M_BLOCK: usize = 96;
/// Columns at once: with as many steps, such a block of the right operand stays in the second-level cache.
const N_BLOCK: usize = 128;
/// A right operand of at most this many bytes is in the first-level cache after its first use, packed or not.
const SMALL_BYTES: usize = 24 << 10;
/// A right operand of at most this many bytes is in the second-level cache after its first use.
const CACHED_BYTES: usize = 256 << 10;
/// An operand of at most this many elements may be packed as a whole.
const SHARED: usize = 1 << 23;
/// Products of at most so many rows go through the right operand as it lies in memory, so many steps for all rows, in so many parts.
const STREAMED_ROWS: usize = 4;
const STREAMED_STEPS: usize = 32;
const STREAMED_PARTS: usize = 8;
/// Products of fewer multiplications are not worth a second thread.
pub(super) const SERIAL: usize = 1 << 19;
/// How many blocks there should be, so that threads finish together whatever else their cores do.
const BLOCKS: usize = 16;
/// The most elements of a result that is gathered before it is stored.
const GATHERED: usize = 1 << 18;

/// `out[i, j] = Σ_l left[i, l] · right[j, l]`; `i` and `j` are the operands' lines, `l` their depths.
pub(super) struct Contraction<'a, T> {
    pub(super) extents: Extents,
    pub(super) left: &'a dyn Source<T>,
    pub(super) right: &'a dyn Source<T>,
    pub(super) out: &'a dyn Sink<T>,
    /// Adds to what is there.
    pub(super) add: bool,
    /// Whether both operands are one, so that the result is symmetric and may have anything above its diagonal for now.
    pub(super) symmetric: bool,
    /// Whether to use several threads.
    pub(super) parallel: bool,
}

/// How blocks get an operand.
#[derive(Clone, Copy)]
enum Access<T> {
    /// It is read where it is.
    InPlace(InPlace<T>),
    /// It was packed for all blocks.
    Shared(*const T),
    /// Each block packs its part.
    Own,
}

/// A part of an operand as tiles read it.
#[derive(Clone, Copy)]
pub(super) struct Panel<T> {
    pub(super) start: *const T,
    /// From one line to the next in a tile.
    pub(super) line: isize,
    pub(super) depth: isize,
    /// From one line to the next for lines at the beginning of a tile.
    pub(super) group_line: isize,
}

struct Work<'a, T: Real> {
    contraction: &'a Contraction<'a, T>,
    kernels: &'a Kernels<T>,
    left: Access<T>,
    right: Access<T>,
    depths: usize,
    block: [usize; 2],
}

// SAFETY: blocks read the operands, which nobody writes meanwhile, and write different parts of the result.
unsafe impl<T: Real> Sync for Work<'_, T> {}

/// Computes a product.
///
/// # Safety
/// The operands have these extents in valid memory, the result overlaps none of them and is used by nobody else meanwhile; the machine has the
/// kernels' instruction set.
pub(super) unsafe fn contract<T: Real>(kernels: &Kernels<T>, contraction: &Contraction<'_, T>) {
    let Extents { m, n, k } = contraction.extents;
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the caller's promise.
    if kernels.matrix.as_ref().is_some_and(|tiles| unsafe { (tiles.contract)(contraction) }) {
        return;
    }
    let parallel = contraction.parallel && m * n * k >= SERIAL;
    let size = size_of::<T>();
    let (height, width) = (m_block(kernels), kernels.width());
    let left = contraction.left.in_place().filter(|place| {
        // Lines that are a power of two apart share few sets of the caches.
        let crowded = n > 4 * width && (place.line.unsigned_abs() * size).is_multiple_of(1 << 10);
        place.depth == 1 && !crowded || place.line == 1 && n <= width || m == 1
    });
    let right = contraction.right.in_place().filter(|place| {
        let small = k * n * size <= SMALL_BYTES && place.depth.unsigned_abs() <= 2 * n;
        let few = m <= 2 * kernels.rows && k * n * size <= CACHED_BYTES;
        (place.line == 1 || n == 1) && (m <= STREAMED_ROWS || few || small)
    });
    let place = (left, right, contraction.out.direct(&(0..m), &(0..n)));
    if let (Some(left), Some(right), Some((start, row))) = place
        && m <= STREAMED_ROWS
        && n >= 4 * width
        && k * n * size > SMALL_BYTES
    {
        let out = Matrix { start, row, column: 1 };
        // SAFETY: the operands and the result are what the caller promised.
        return unsafe { stream(kernels, contraction, left, right, out, parallel) };
    }
    if let (Some(left), Some(right), false, true, Some((start, row))) =
        (left, right, parallel, k > 0, contraction.out.direct(&(0..m), &(0..n)))
    {
        let out = Matrix { start, row, column: 1 };
        // SAFETY: the panels are the whole operands.
        return unsafe { in_place(kernels, contraction.extents, left, right, out, contraction.add) };
    }
    // Rows and columns of a block, and which operands are packed in advance.
    let rows = |count: usize| m.div_ceil(count).next_multiple_of(kernels.rows).max(2 * kernels.rows);
    let columns = |count: usize| n.div_ceil(count).next_multiple_of(width).max(2 * width);
    let many = if parallel { BLOCKS } else { 1 };
    let (by_rows, by_columns) = (rows(many).min(height), columns(many).min(N_BLOCK));
    // An operand that is packed by each block is packed again for each block beside it.
    let (share_left, share_right) = (m * k <= SHARED, n * k <= SHARED);
    let (share_left, share_right, block) = match (left, right) {
        (Some(_), Some(_)) if m > 2 * kernels.rows => (false, false, [by_rows, n]),
        (Some(_), Some(_)) => (false, false, [m, if parallel { by_columns } else { n }]),
        (Some(_), None) if n >= BLOCKS * 2 * width || m <= 2 * height => (false, false, [m, by_columns]),
        (Some(_), None) => (false, share_right, [by_rows, n]),
        (None, Some(_)) if m >= BLOCKS * kernels.rows || n <= 2 * N_BLOCK => (false, false, [by_rows, n]),
        (None, Some(_)) => (share_left, false, [by_rows, columns(BLOCKS)]),
        (None, None) if n <= m => (false, share_right, [by_rows, n]),
        (None, None) => (share_left, false, [m, by_columns]),
    };
    // What is gathered before it is stored must fit the caches.
    let direct = contraction.out.direct(&(0..m), &(0..n)).is_some();
    let block = if direct || block[0] * block[1] <= GATHERED {
        block
    } else if share_left || block[1] < n {
        [(GATHERED / block[1]).next_multiple_of(kernels.rows), block[1]]
    } else {
        [block[0], (GATHERED / block[0]).next_multiple_of(width)]
    };
    let depths = if k == 0 { 0 } else { k.div_ceil(k.div_ceil(K_BLOCK)) };
    let room = |lines: usize, width: usize, share: bool| if share { lines.next_multiple_of(width) * k } else { 0 };
    with_scratch(room(m, kernels.rows, share_left), |packed_left: *mut T| {
        with_scratch(room(n, width, share_right), |packed_right: *mut T| {
            // SAFETY: there is room for the packed operands; blocks tile the result.
            unsafe {
                if share_left {
                    let pack = |lines: Range<usize>, depths: Range<usize>, to: *mut T| {
                        pack_left(contraction.left, kernels, lines, depths, to);
                    };
                    pack_shared(m, k, depths, kernels.rows, parallel, packed_left, &pack);
                }
                if share_right {
                    let pack = |lines: Range<usize>, depths: Range<usize>, to: *mut T| {
                        contraction.right.pack_groups(lines, depths, width, to);
                    };
                    pack_shared(n, k, depths, width, parallel, packed_right, &pack);
                }
                let access = |place: Option<InPlace<T>>, share: bool, packed: *mut T| match place {
                    Some(place) => Access::InPlace(place),
                    None if share => Access::Shared(packed),
                    None => Access::Own,
                };
                let work = Work {
                    contraction,
                    kernels,
                    left: access(left, share_left, packed_left),
                    right: access(right, share_right, packed_right),
                    depths,
                    block,
                };
                let [down, across] = [m.div_ceil(block[0]), n.div_ceil(block[1])];
                let run = |first: usize, end: usize| (first..end).for_each(|i| work.block(i / across, i % across));
                if parallel { parallel_for(down * across, 1, &run) } else { run(0, down * across) }
            }
        });
    });
}

/// A product of few rows with a right operand that is read as it lies in memory.
///
/// # Safety
/// As for [`contract`]; the right operand's lines are contiguous.
unsafe fn stream<T: Real>(
    kernels: &Kernels<T>,
    contraction: &Contraction<'_, T>,
    left: InPlace<T>,
    right: InPlace<T>,
    out: Matrix<T>,
    parallel: bool,
) {
    struct Stream<T>(InPlace<T>, InPlace<T>, Matrix<T>);
    // SAFETY: threads write different columns of the result and only read the operands.
    unsafe impl<T> Sync for Stream<T> {}
    impl<T: Copy> Stream<T> {
        fn parts(&self) -> (InPlace<T>, InPlace<T>, Matrix<T>) {
            (self.0, self.1, self.2)
        }
    }
    let Extents { m, n, k } = contraction.extents;
    let add = contraction.add;
    let all = Stream(left, right, out);
    let run = |first: usize, end: usize| {
        let (left, right, out) = all.parts();
        for depth in (0..k).step_by(STREAMED_STEPS) {
            for row in (0..m).step_by(2) {
                let tile = Tile {
                    k: STREAMED_STEPS.min(k - depth),
                    a: left.start.wrapping_offset(row as isize * left.line + depth as isize * left.depth),
                    a_row: left.line,
                    a_k: left.depth,
                    b: right.start.wrapping_offset(first as isize + depth as isize * right.depth),
                    b_k: right.depth,
                    c: out.at(row, first),
                    c_row: out.row,
                    columns: end - first,
                    accumulate: depth > 0 || add,
                };
                // SAFETY: the rows, steps and columns are in the operands and the result.
                unsafe { (kernels.stream)((m - row).min(2), &tile) };
            }
        }
    };
    let columns = if parallel { n.div_ceil(STREAMED_PARTS).next_multiple_of(64).clamp(256, 2048) } else { 2048 };
    if parallel {
        parallel_for(n, columns, &run);
    } else {
        (0..n).step_by(columns).for_each(|first| run(first, n.min(first + columns)));
    }
}

/// A product of operands that tiles read where they are, on this thread.
///
/// # Safety
/// As for [`contract`].
unsafe fn in_place<T: Real>(
    kernels: &Kernels<T>,
    extents: Extents,
    left: InPlace<T>,
    right: InPlace<T>,
    out: Matrix<T>,
    add: bool,
) {
    for depth in (0..extents.k).step_by(K_BLOCK) {
        let panel = |place: InPlace<T>, group_line: isize| Panel {
            start: place.start.wrapping_offset(depth as isize * place.depth),
            line: place.line,
            depth: place.depth,
            group_line,
        };
        let part = Extents { k: K_BLOCK.min(extents.k - depth), ..extents };
        // SAFETY: the part is in the operands.
        unsafe { tiles(kernels, part, panel(left, left.line), panel(right, 1), true, out, add || depth > 0) };
    }
}

/// [`M_BLOCK`] in whole tiles.
fn m_block<T>(kernels: &Kernels<T>) -> usize {
    M_BLOCK - M_BLOCK % kernels.rows
}

/// Packs a part of the left operand in whichever order is natural: line after line, or groups.
///
/// # Safety
/// As for [`Source::pack_groups`].
unsafe fn pack_left<T: Real>(
    left: &dyn Source<T>,
    kernels: &Kernels<T>,
    lines: Range<usize>,
    depths: Range<usize>,
    to: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if left.lines_are_contiguous() {
            left.pack_groups(lines, depths, kernels.rows, to);
        } else {
            left.pack_lines(lines, depths, to);
        }
    }
}

/// A pointer that threads write different parts of.
pub(super) struct Shared<T>(pub(super) *mut T);
// SAFETY: as the type says.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(super) fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// Packs a whole operand: parts of `depths` steps one after the other, in each all lines.
///
/// # Safety
/// `pack` may write lines times depths, lines rounded up to groups of `width`, to its last argument, and `to` has room for all.
unsafe fn pack_shared<T: Real>(
    lines: usize,
    k: usize,
    depths: usize,
    width: usize,
    parallel: bool,
    to: *mut T,
    pack: &dyn Fn(Range<usize>, Range<usize>, *mut T),
) {
    struct Packing<'a, T>(&'a dyn Fn(Range<usize>, Range<usize>, *mut T));
    // SAFETY: the operand is only read, and the parts that are written are different.
    unsafe impl<T> Sync for Packing<'_, T> {}
    impl<T> Packing<'_, T> {
        fn run(&self, lines: Range<usize>, depths: Range<usize>, to: *mut T) {
            (self.0)(lines, depths, to);
        }
    }
    let padded = lines.next_multiple_of(width);
    let (to, pack) = (Shared(to), Packing(pack));
    let groups = 32768_usize.div_ceil(depths.max(1) * width).max(1) * width;
    let (parts, pieces) = (k.div_ceil(depths.max(1)), lines.div_ceil(groups));
    let run = |first: usize, end: usize| {
        for i in first..end {
            let (depth, line) = (i / pieces * depths, i % pieces * groups);
            let steps = depths.min(k - depth);
            pack.run(line..(line + groups).min(lines), depth..depth + steps, to.at(depth * padded + line * steps));
        }
    };
    if parallel { parallel_for(parts * pieces, 1, &run) } else { run(0, parts * pieces) }
}

impl<T: Real> Work<'_, T> {
    /// Computes one block of the result.
    ///
    /// # Safety
    /// As for [`contract`].
    unsafe fn block_in(&self, rows: Range<usize>, columns: Range<usize>) {
        let Contraction { extents, left, right, out, add, symmetric, .. } = *self.contraction;
        if symmetric && columns.start >= rows.end {
            return;
        }
        let (kernels, width, height) = (self.kernels, self.kernels.width(), m_block(self.kernels));
        let direct = out.direct(&rows, &columns);
        let in_place = matches!(self.right, Access::InPlace(_));
        let gathered = if direct.is_some() { 0 } else { rows.len() * columns.len() };
        let left_room = if matches!(self.left, Access::Own) {
            height.min(rows.len()).next_multiple_of(kernels.rows) * self.depths
        } else {
            0
        };
        let right_room =
            if matches!(self.right, Access::Own) { columns.len().next_multiple_of(width) * self.depths } else { 0 };
        with_scratch(gathered + left_room + right_room, |scratch: *mut T| {
            let (c, c_row) = direct.unwrap_or((scratch, columns.len() as isize));
            let own_left = scratch.wrapping_add(gathered);
            let own_right = own_left.wrapping_add(left_room);
            // SAFETY: the ranges are in the operands and the result, and the scratch has room for each part.
            unsafe {
                if extents.k == 0 && !(add && direct.is_some()) {
                    for i in 0..rows.len() {
                        for j in 0..columns.len() {
                            *c.wrapping_offset(i as isize * c_row).add(j) = T::ZERO;
                        }
                    }
                }
                let mut depth = 0;
                while depth < extents.k {
                    let steps = self.depths.min(extents.k - depth);
                    let depths = depth..depth + steps;
                    let right_panel = match self.right {
                        Access::InPlace(place) => Panel {
                            start: place
                                .start
                                .wrapping_offset(columns.start as isize * place.line + depth as isize * place.depth),
                            line: place.line,
                            depth: place.depth,
                            group_line: 1,
                        },
                        Access::Shared(packed) => {
                            let padded = extents.n.next_multiple_of(width);
                            packed_panel(packed.wrapping_add(depth * padded + columns.start * steps), steps, width)
                        }
                        Access::Own => {
                            right.pack_groups(columns.clone(), depths.clone(), width, own_right);
                            packed_panel(own_right, steps, width)
                        }
                    };
                    for first in rows.clone().step_by(height) {
                        let lines = first..(first + height).min(rows.end);
                        let left_panel = match self.left {
                            Access::InPlace(place) => Panel {
                                start: place
                                    .start
                                    .wrapping_offset(first as isize * place.line + depth as isize * place.depth),
                                line: place.line,
                                depth: place.depth,
                                group_line: place.line,
                            },
                            Access::Shared(packed) => {
                                let padded = extents.m.next_multiple_of(kernels.rows);
                                self.left_panel(packed.wrapping_add(depth * padded + first * steps), steps)
                            }
                            Access::Own => {
                                pack_left(left, kernels, lines.clone(), depths.clone(), own_left);
                                self.left_panel(own_left, steps)
                            }
                        };
                        let accumulate = depth > 0 || add && direct.is_some();
                        let to = Matrix {
                            start: c.wrapping_offset((first - rows.start) as isize * c_row),
                            row: c_row,
                            column: 1,
                        };
                        let needed = if symmetric { lines.end.saturating_sub(columns.start) } else { columns.len() };
                        let extents = Extents { m: lines.len(), n: columns.len().min(needed), k: steps };
                        tiles(kernels, extents, left_panel, right_panel, in_place, to, accumulate);
                    }
                    depth += steps;
                }
                if direct.is_none() {
                    let stride = columns.len();
                    out.store(rows, columns, c, stride, add);
                }
            }
        });
    }

    fn left_panel(&self, start: *const T, steps: usize) -> Panel<T> {
        let rows = self.kernels.rows;
        if self.contraction.left.lines_are_contiguous() {
            Panel { start, line: 1, depth: rows as isize, group_line: steps as isize }
        } else {
            Panel { start, line: steps as isize, depth: 1, group_line: steps as isize }
        }
    }

    fn block(&self, down: usize, across: usize) {
        let Extents { m, n, .. } = self.contraction.extents;
        let [height, width] = self.block;
        let rows = down * height..((down + 1) * height).min(m);
        let columns = across * width..((across + 1) * width).min(n);
        // SAFETY: the block is in the result, and [`contract`]'s contract covers the rest.
        unsafe { self.block_in(rows, columns) }
    }
}

/// Multiplies two panels, of which the right one may be `in_place`.
///
/// # Safety
/// The panels and the result have these extents in valid memory.
pub(super) unsafe fn tiles<T: Real>(
    kernels: &Kernels<T>,
    extents: Extents,
    left: Panel<T>,
    right: Panel<T>,
    in_place: bool,
    out: Matrix<T>,
    accumulate: bool,
) {
    let Extents { m, n, k } = extents;
    // A few rows have room for wide tiles.
    let vectors = if in_place && m < kernels.rows { (kernels.narrow)(m) } else { kernels.row_vectors };
    let width = vectors * kernels.lanes;
    for column in (0..n).step_by(width) {
        let columns = width.min(n - column);
        let vectors = if columns <= kernels.lanes && m >= kernels.rows { 1 } else { vectors };
        let mut row = 0;
        while row < m {
            let rows = kernels.rows.min(m - row);
            let tile = Tile {
                k,
                a: left.start.wrapping_offset(row as isize * left.group_line),
                a_row: left.line,
                a_k: left.depth,
                b: right.start.wrapping_offset(column as isize * right.group_line),
                b_k: right.depth,
                c: out.at(row, column),
                c_row: out.row,
                columns,
                accumulate,
            };
            // SAFETY: the tile lies in the panels, of which packed ones are padded to whole tiles, and in the result, of which columns
            // beyond `tile.columns` are not touched.
            unsafe { (kernels.tile)(rows, vectors, in_place, &tile) };
            row += rows;
        }
    }
}
/// A right operand packed in groups.
pub(super) fn packed_panel<T>(start: *const T, steps: usize, width: usize) -> Panel<T> {
    Panel { start, line: 1, depth: width as isize, group_line: steps as isize }
}
