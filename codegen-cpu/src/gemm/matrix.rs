//! Products on matrix tile registers (AMX), which multiply `bf16` and add up in `f32`.
//!
//! Any `f32` is the sum of three `bf16`, rounded to nearest one after the other: `a = a0 + a1 + a2` with `|a1| <= 2^-8 |a|` and
//! `|a2| <= 2^-16 |a|`. Of the nine products of two such sums, six are computed; those left out are below `2^-23 |a b|`
//! together and of either sign, as much as one rounding of a fused multiply-add, of which fewer are made here. An `f16` is the sum of two
//! `bf16`, and all four products are computed; a `bf16` is one itself. Six products of a tile take two thirds of the time that one product of vectors takes.
//!
//! The registers take numbers below the normal ones for 0. That is far below the error of a sum as long as operands are of ordinary
//! size, so both are looked at while they are packed, and products of huge, tiny or infinite operands are left to vectors.

pub(super) mod direct;
mod split;
mod tiles;

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use rjax_ir::{Aval, DType};
use rjax_runtime::{Buffer, parallel_for, threads};

use super::Extents;
use super::contract::{Contraction, SERIAL, Shared};
use super::operand::Source;
use super::scratch::with_scratch;
use super::tile::Kept;
use split::{Side, split};
use tiles::{BLOCK, HALF, STEP, Tiles, packed_len};

/// Most elements of an operand that are packed at once.
const PACKED: usize = 1 << 22;
/// Steps along the summed axis that are packed by one part of the work.
const PACKED_STEPS: usize = 4;
/// Rows of a part of the result: their packed lines stay in the second-level cache.
const ROWS: usize = 256;
/// Bytes of such lines at most.
const ROW_BYTES: usize = 768 << 10;
/// Columns of a part of the result, if there are parts enough.
const COLUMNS: usize = 256;
/// Steps along the summed axis between which sums go through memory.
const DEPTHS: usize = 1024;
/// What is kept for fewer rows than this stays in the second-level cache.
const MANY_ROWS: usize = 96;
const CACHED_BYTES: usize = 2 << 20;
/// How many parts there should be.
const PARTS: usize = 32;
/// The least and the greatest number that the greatest magnitude of an operand may be: `2^-30` and `2^50`.
const ORDINARY: Range<u32> = (127 - 30) << 23..(127 + 50) << 23;

/// Computes a product if tiles suit it, and says whether they did; if not, what it has written is no result, and nothing was added to.
///
/// # Safety
/// As for [`super::contract::contract`]; the machine has AVX-512, and the process may use tile registers.
pub(super) unsafe fn contract(contraction: &Contraction<'_, f32>) -> bool {
    let Some(parts) = contraction.left.parts().filter(|&parts| contraction.right.parts() == Some(parts)) else {
        return false;
    };
    if !pays(contraction.extents, parts) {
        return false;
    }
    // SAFETY: the caller's promise.
    unsafe { multiply(contraction, parts) }
}

/// Whether tiles are faster than vectors, by nanoseconds measured on one core.
fn pays(Extents { m, n, k }: Extents, parts: usize) -> bool {
    if m < 8 || n < 8 || k < 8 || n.div_ceil(BLOCK) * BLOCK * k > 16 * PACKED {
        return false;
    }
    let padded = [m, n, k].map(|extent| (extent.next_multiple_of(BLOCK)) as f64);
    let products = [0.0, 1.0, 4.0, 6.0][parts];
    let elements = (m * k + n * k) as f64;
    let tiles = padded.iter().product::<f64>() * products * 0.001 + elements * 0.35;
    let vectors = (m * n * k) as f64 * 0.0125 + elements * 0.1;
    tiles < 0.9 * vectors
}

/// What parts of the work share.
struct Work<'a> {
    contraction: &'a Contraction<'a, f32>,
    parts: usize,
    /// Of both operands the bits of the greatest magnitude so far.
    greatest: [AtomicU32; 2],
}

/// [`contract`], whether it pays or not.
///
/// # Safety
/// As for [`contract`].
pub(super) unsafe fn multiply(contraction: &Contraction<'_, f32>, parts: usize) -> bool {
    let Extents { n, k, .. } = contraction.extents;
    let work = Work::new(contraction, parts);
    if contraction.extents.m <= ROWS && fits(contraction.extents.m, k) && !contraction.add {
        // No other rows need the same columns.
        // SAFETY: the caller's promise.
        return unsafe {
            work.with_left(true, |left| {
                if work.is_ordinary() {
                    work.product(0..n, left, None);
                }
                work.is_ordinary()
            })
        };
    }
    // Columns whose packed lines are there at once.
    let chunk = if fits(n, k) { n } else { (PACKED / k / BLOCK).max(1) * BLOCK };
    // Both must be known to be ordinary before anything is added to. Rows that no other thread needs are packed when they are used, in its cache.
    let shared = chunk < n || work.is_parallel() && threads() > 1;
    let share_left = fits(contraction.extents.m, k) && (contraction.add || n > ROWS && shared);
    if contraction.add && !(share_left && chunk == n) {
        return false;
    }
    with_scratch(packed_len(chunk, k, parts), |right: *mut u16| {
        // SAFETY: there is room for the packed lines.
        unsafe {
            work.with_left(share_left, |left| {
                for first in (0..n).step_by(chunk) {
                    let columns = first..n.min(first + chunk);
                    work.pack(Side::Right, columns.clone(), right, work.is_parallel());
                    if !work.is_ordinary() {
                        return false;
                    }
                    work.product(columns, left, Some(right));
                }
                work.is_ordinary()
            })
        }
    })
}

/// Whether an operand of this greatest magnitude suits the tiles.
fn is_ordinary(bits: u32) -> bool {
    bits == 0 || ORDINARY.contains(&bits)
}

/// Whether so many packed lines may be there at once.
fn fits(lines: usize, k: usize) -> bool {
    (PACKED / k / BLOCK).max(1) * BLOCK >= lines
}

/// Packs the right operand of products like this one, if tiles suit them then.
///
/// # Safety
/// As for [`contract`]; the left operand and the result are not looked at.
pub(super) unsafe fn keep(contraction: &Contraction<'_, f32>) -> Option<Kept> {
    let Extents { m, n, k } = contraction.extents;
    let parts = contraction.right.parts()?;
    if m < HALF || n < BLOCK || k < STEP || !fits(m, k) || !fits(n, k) {
        return None;
    }
    let work = Work::new(contraction, parts);
    let bytes = packed_len(n, k, parts) * size_of::<u16>();
    // Few rows are done before more than a cache holds has been read, of which there is less before it is packed.
    if m < MANY_ROWS && bytes > CACHED_BYTES {
        return None;
    }
    let mut packed = Buffer::new(Aval::new(DType::U8, [bytes]));
    // SAFETY: there is room for the packed lines; buffers are aligned to more than an element.
    unsafe { work.pack(Side::Right, 0..n, packed.as_bytes_mut().as_mut_ptr().cast(), work.is_parallel()) };
    let [_, greatest] = work.greatest;
    Some(Kept { packed, parts, greatest: greatest.into_inner() })
}

/// Computes a product whose right operand is kept, and says whether it did, as [`contract`].
///
/// # Safety
/// As for [`contract`]; `kept` is the right operand of this product.
pub(super) unsafe fn contract_kept(contraction: &Contraction<'_, f32>, kept: &Kept) -> bool {
    let work = Work::new(contraction, kept.parts);
    work.greatest[Side::Right as usize].store(kept.greatest, Ordering::Relaxed);
    // SAFETY: the caller's promise.
    unsafe {
        work.is_ordinary()
            && work.with_left(true, |left| {
                let ordinary = work.is_ordinary();
                if ordinary {
                    let right = kept.packed.as_bytes().as_ptr().cast();
                    work.product(0..contraction.extents.n, left, Some(right));
                }
                ordinary
            })
    }
}

/// What packing one part of the lines needs.
struct Packing<'a> {
    source: &'a dyn Source<f32>,
    side: Side,
    lines: Range<usize>,
    depths: Range<usize>,
}

// SAFETY: parts write different blocks of the result and of packed lines, and only read the operands.
unsafe impl Sync for Work<'_> {}

impl<'a> Work<'a> {
    fn new(contraction: &'a Contraction<'a, f32>, parts: usize) -> Work<'a> {
        Work { contraction, parts, greatest: [AtomicU32::new(0), AtomicU32::new(0)] }
    }

    fn is_parallel(&self) -> bool {
        let Extents { m, n, k } = self.contraction.extents;
        self.contraction.parallel && m * n * k >= SERIAL
    }

    /// Calls `then` with the packed left operand, if it is to be packed for all parts of the result.
    ///
    /// # Safety
    /// As for [`contract`].
    unsafe fn with_left(&self, share: bool, then: impl FnOnce(Option<*const u16>) -> bool) -> bool {
        let Extents { m, k, .. } = self.contraction.extents;
        if !share {
            return then(None);
        }
        with_scratch(packed_len(m, k, self.parts), |left: *mut u16| {
            // SAFETY: there is room for all rows.
            unsafe { self.pack(Side::Left, 0..m, left, self.is_parallel()) };
            then(Some(left))
        })
    }

    fn is_ordinary(&self) -> bool {
        self.greatest.iter().all(|bits| is_ordinary(bits.load(Ordering::Relaxed)))
    }

    /// Packs some depths of lines, as if there were no others.
    ///
    /// # Safety
    /// The part is in the operand, and `to` has room for it.
    unsafe fn pack_depths(&self, side: Side, lines: Range<usize>, depths: Range<usize>, to: *mut u16) {
        let to = to.wrapping_sub(packed_len(BLOCK, depths.start, self.parts));
        let steps = depths.len().div_ceil(STEP);
        for depth in depths.clone().step_by(PACKED_STEPS * STEP) {
            let some = depth..depths.end.min(depth + PACKED_STEPS * STEP);
            let packing = Packing { source: self.source(side), side, lines: lines.clone(), depths: some };
            // SAFETY: the caller's promise.
            let bits = unsafe { split(&packing, self.parts, steps, to) };
            self.greatest[side as usize].fetch_max(bits, Ordering::Relaxed);
        }
    }

    fn source(&self, side: Side) -> &'a dyn Source<f32> {
        match side {
            Side::Left => self.contraction.left,
            Side::Right => self.contraction.right,
        }
    }

    /// Packs lines of one operand, all depths.
    ///
    /// # Safety
    /// The lines are in the operand, and `to` has room for them.
    unsafe fn pack(&self, side: Side, lines: Range<usize>, to: *mut u16, parallel: bool) {
        let k = self.contraction.extents.k;
        let steps = k.div_ceil(STEP);
        // Several groups at once where neighbouring lines are neighbours in memory, for the sake of pages.
        let groups = match side {
            Side::Left => 1,
            Side::Right => 8,
        };
        let (down, across) = (lines.len().div_ceil(groups * BLOCK), steps.div_ceil(PACKED_STEPS));
        let to = Shared(to);
        let run = |first: usize, end: usize| {
            for i in first..end {
                let (group, step) = (i / across * groups, i % across * PACKED_STEPS);
                let begin = lines.start + group * BLOCK;
                let packing = Packing {
                    source: self.source(side),
                    side,
                    lines: begin..lines.end.min(begin + groups * BLOCK),
                    depths: step * STEP..k.min((step + PACKED_STEPS) * STEP),
                };
                let to = to.at(packed_len(group * BLOCK, k, self.parts));
                // SAFETY: the part is in the operand, and there is room for it.
                let bits = unsafe { split(&packing, self.parts, steps, to) };
                self.greatest[side as usize].fetch_max(bits, Ordering::Relaxed);
            }
        };
        let grain = (1usize << 14).div_ceil(groups * BLOCK * PACKED_STEPS * STEP);
        if parallel { parallel_for(down * across, grain, &run) } else { run(0, down * across) }
    }

    /// Some columns of the result, from packed lines. Those that are not there are packed by each part of the work for itself.
    ///
    /// # Safety
    /// As for [`contract`]; `right` holds the columns, `left` all rows.
    unsafe fn product(&self, columns: Range<usize>, left: Option<*const u16>, right: Option<*const u16>) {
        let parallel = self.is_parallel();
        let Extents { m, k, .. } = self.contraction.extents;
        let fitting = ROW_BYTES / (k.next_multiple_of(STEP) * self.parts * size_of::<u16>());
        let height = match right {
            Some(_) => (fitting / BLOCK * BLOCK).clamp(BLOCK, ROWS),
            None => m,
        };
        let down = m.div_ceil(height);
        let mut width = columns.len().next_multiple_of(BLOCK);
        if left.is_some() {
            width = width.min(COLUMNS);
            while parallel && width > BLOCK && down * columns.len().div_ceil(width) < PARTS {
                width = (width / 2).next_multiple_of(BLOCK);
            }
        }
        let across = columns.len().div_ceil(width);
        let share = |lines: *const u16| Shared(lines.cast_mut());
        let (left, right) = (left.map(share), right.map(share));
        let run = |first: usize, end: usize| {
            // SAFETY: the caller's promise.
            let tiles = unsafe { Tiles::configure() };
            for i in first..end {
                let row = i / across * height;
                let rows = row..m.min(row + height);
                let column = i % across * width;
                let these = columns.start + column..columns.end.min(columns.start + column + width);
                if self.contraction.symmetric && these.start >= rows.end {
                    continue;
                }
                let right = right.as_ref().map(|right| right.at(packed_len(column, k, self.parts)).cast_const());
                // SAFETY: the block is in the result, and the packed lines are there.
                unsafe {
                    match &left {
                        Some(left) => {
                            let left = left.at(packed_len(row, k, self.parts));
                            self.block(&tiles, rows, these, left, right);
                        }
                        None => with_scratch(packed_len(rows.len(), k, self.parts), |left: *mut u16| {
                            self.pack(Side::Left, rows.clone(), left, false);
                            self.block(&tiles, rows, these, left, right);
                        }),
                    }
                }
            }
        };
        if parallel { parallel_for(down * across, 1, &run) } else { run(0, down * across) }
    }

    /// One block of the result.
    ///
    /// # Safety
    /// As for [`Work::product`], of the lines of this block.
    unsafe fn block(
        &self,
        tiles: &Tiles,
        rows: Range<usize>,
        columns: Range<usize>,
        left: *const u16,
        right: Option<*const u16>,
    ) {
        let k = self.contraction.extents.k;
        let (m, n) = (rows.len(), columns.len());
        let whole = m.is_multiple_of(BLOCK) && n.is_multiple_of(BLOCK);
        let direct = self.contraction.out.direct(&rows, &columns).filter(|_| whole);
        let (padded_rows, padded) = (m.next_multiple_of(BLOCK), n.next_multiple_of(BLOCK));
        let into = self.contraction.add && direct.is_some();
        let own = if right.is_some() { 0 } else { packed_len(n, DEPTHS.min(k), self.parts) };
        let gathered = if direct.is_some() { 0 } else { padded_rows * padded };
        with_scratch(own, |packed: *mut u16| {
            with_scratch(gathered, |scratch: *mut f32| {
                let (to, stride) = direct.unwrap_or((scratch, padded as isize));
                for depth in (0..k).step_by(DEPTHS) {
                    let depths = depth..k.min(depth + DEPTHS);
                    let steps = depths.len().div_ceil(STEP);
                    let panel = |line: usize| packed_len(line, k, self.parts) + packed_len(BLOCK, depth, self.parts);
                    if right.is_none() {
                        // SAFETY: the part is in the operand, and there is room for it.
                        unsafe { self.pack_depths(Side::Right, columns.clone(), depths, packed) };
                    }
                    for column in (0..n).step_by(BLOCK) {
                        let b = match right {
                            Some(right) => right.wrapping_add(panel(column)),
                            None => packed.cast_const().wrapping_add(packed_len(column, steps * STEP, self.parts)),
                        };
                        for row in (0..m).step_by(BLOCK) {
                            let above = columns.start + column >= rows.start + row + BLOCK;
                            if self.contraction.symmetric && above {
                                continue;
                            }
                            let a = left.wrapping_add(panel(row));
                            let c = to.wrapping_offset(row as isize * stride).wrapping_add(column);
                            // SAFETY: the panels have the steps, and there is room for the block.
                            unsafe { tiles.multiply(self.parts, steps, a, b, c, stride, depth == 0 && !into) };
                        }
                    }
                }
                if direct.is_none() {
                    // SAFETY: the block is in the result.
                    unsafe { self.contraction.out.store(rows, columns, scratch, padded, self.contraction.add) };
                }
            });
        });
    }
}
