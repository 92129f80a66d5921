//! Convolutions on matrix tile registers, from the image itself.
//!
//! A row of a tile of patches is a window position's features: neighbours in memory where features are innermost. So a part of the image is
//! written down once as sums of `bf16`, features innermost, with zeros around it; tiles of 16 window positions along the last axis are then loaded
//! from it for every element of the window, by their distance. Nothing is packed as often as there are elements in a window.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use rjax_kernel::kir::ConvAxis;
use rjax_runtime::parallel_for;

use super::split::{Lines, Side, split, split_lines};
use super::tiles::{BLOCK, HALF, Patches, STEP, Tiles, packed_len};
use super::{Packing, is_ordinary};
use crate::gemm::conv::Phase;
use crate::gemm::element::Element;
use crate::gemm::operand::{BOUNDS, inside};
use crate::gemm::scratch::with_scratch;

/// Bytes of the image that are written down at once: they stay in the second-level cache.
const IMAGE_BYTES: usize = 768 << 10;
/// Most elements of filters.
const FILTERS: usize = 1 << 21;
/// Multiplications from which on parts of the work go to other threads.
const SERIAL: usize = 1 << 19;
/// How many parts there should be.
const PARTS: usize = 16;

/// The same axes for every convolution: up to three, those that are not there of extent 1.
const AXES: usize = BOUNDS;

/// Where everything is, in elements.
struct Plan<'a, E, R> {
    phase: &'a Phase<E, R>,
    parts: usize,
    axes: [ConvAxis; AXES],
    features: usize,
    /// Result indices along the first axis that one part of the work computes.
    height: usize,
    /// Of the part of the image that is written down: extents, and distances along each axis.
    extents: [usize; AXES],
    strides: [usize; AXES],
    /// Elements of it, and how far its `bf16` parts are from each other.
    plane: usize,
    /// For each step the distance of its features from the window's first, in bytes.
    offsets: Vec<usize>,
}

/// Whether features can be rows of tiles.
pub(in crate::gemm) fn applies<E: Element<f32>, R: Element<f32>>(phase: &Phase<E, R>) -> bool {
    let positions: usize = phase.spatial.iter().map(|axis| axis.extent).product();
    let window: usize = phase.spatial.iter().map(|axis| axis.window).product();
    let last = phase.spatial.last().map_or(0, |axis| axis.extent);
    let (features, filters) = (phase.input.extent, phase.output.extent);
    E::PARTS.is_some()
        && features.is_multiple_of(STEP)
        && filters >= HALF
        && last >= HALF / 2
        && window > 0
        && window * features * filters <= FILTERS
        && phase.batch.extent * positions * window * features * filters >= SERIAL
}

impl<'a, E: Element<f32>, R: Element<f32>> Plan<'a, E, R> {
    fn new(phase: &'a Phase<E, R>) -> Plan<'a, E, R> {
        let axes = phase.axes();
        let parts = E::PARTS.expect("checked by `applies`");
        let features = phase.input.extent;
        let extent = |axis: &ConvAxis, count: usize| (count - 1) * axis.stride + (axis.window - 1) * axis.dilation + 1;
        // The first axis of several that is longer than 1 is cut into parts; rows are not.
        let mut plan = Plan {
            phase,
            parts,
            axes,
            features,
            height: axes[1].extent,
            extents: axes.map(|axis| extent(&axis, axis.extent)),
            strides: [0; AXES],
            plane: 0,
            offsets: Vec::new(),
        };
        plan.extents[0] = extent(&axes[0], 1);
        let row = plan.extents[0] * plan.extents[2] * features * parts * size_of::<u16>();
        let images = phase.batch.extent * axes[0].extent;
        let wanted = PARTS.div_ceil(images);
        let fitting =
            (IMAGE_BYTES / row.max(1)).saturating_sub((axes[1].window - 1) * axes[1].dilation) / axes[1].stride;
        plan.height = axes[1].extent.div_ceil(wanted).min(fitting.max(1)).max(axes[1].extent.min(4));
        plan.extents[1] = extent(&axes[1], plan.height);
        plan.strides[2] = features;
        plan.strides[1] = plan.extents[2] * plan.strides[2];
        plan.strides[0] = plan.extents[1] * plan.strides[1];
        // The last tile of a row may reach beyond the image.
        plan.plane = plan.extents[0] * plan.strides[0] + HALF * axes[2].stride * features;
        for w0 in 0..axes[0].window {
            for w1 in 0..axes[1].window {
                for w2 in 0..axes[2].window {
                    let at = [w0, w1, w2];
                    let place: usize = (0..AXES).map(|i| at[i] * axes[i].dilation * plan.strides[i]).sum();
                    plan.offsets.extend((0..features / STEP).map(|step| (place + step * STEP) * size_of::<u16>()));
                }
            }
        }
        plan
    }

    /// Writes down the part of an image for result indices from `[first0, first1]` on; says the bits of the greatest magnitude.
    ///
    /// # Safety
    /// The image is in memory, and `to` has room for the part.
    unsafe fn image(&self, image: usize, first: [usize; 2], to: *mut u16) -> u32 {
        let Plan { phase, axes, features, parts, .. } = *self;
        let mut greatest = 0;
        let begin = |i: usize, first: usize| (first * axes[i].stride) as isize - axes[i].low as isize;
        let some = inside(begin(2, 0), 1, axes[2].lhs_extent as isize, self.extents[2]);
        for q0 in 0..self.extents[0] {
            for q1 in 0..self.extents[1] {
                let row = to.wrapping_add(q0 * self.strides[0] + q1 * self.strides[1]);
                let at = [begin(0, first[0]) + q0 as isize, begin(1, first[1]) + q1 as isize];
                let outside = (0..2).any(|i| !(0..axes[i].lhs_extent as isize).contains(&at[i])) || some.is_empty();
                let valid = if outside { 0..0 } else { some.clone() };
                // SAFETY: rows are in the part, and `valid` positions in the image.
                unsafe {
                    for part in 0..parts {
                        let row = row.add(part * self.plane);
                        row.write_bytes(0, valid.start * features);
                        row.add(valid.end * features).write_bytes(0, (self.extents[2] - valid.end) * features);
                    }
                    if valid.is_empty() {
                        continue;
                    }
                    let from = phase.lhs.wrapping_offset(
                        image as isize * phase.batch.lhs
                            + at[0] * axes[0].lhs
                            + at[1] * axes[1].lhs
                            + (begin(2, 0) + valid.start as isize) * axes[2].lhs,
                    );
                    let to = row.add(valid.start * features);
                    let lines = Lines { count: valid.len(), depths: features, to, plane: self.plane };
                    let bits = match E::as_computed(from).filter(|_| phase.input.lhs == 1) {
                        Some(from) => split_lines(parts, from, axes[2].lhs, &lines),
                        None => with_scratch(valid.len() * features, |scratch: *mut f32| {
                            if phase.input.lhs == 1 {
                                E::copy_rows(from, axes[2].lhs, scratch, features, features, valid.len());
                            } else {
                                E::transpose(
                                    from,
                                    phase.input.lhs,
                                    axes[2].lhs,
                                    scratch,
                                    features,
                                    features,
                                    valid.len(),
                                );
                            }
                            split_lines(parts, scratch, features as isize, &lines)
                        }),
                    };
                    greatest = greatest.max(bits);
                }
            }
        }
        greatest
    }

    /// The results at indices from `first` on, `height` of them along the second axis, for an image that is written down.
    ///
    /// # Safety
    /// The results are in memory and nobody else's.
    unsafe fn results(&self, tiles: &Tiles, image: usize, first: [usize; 2], from: *const u16, filters: *const u16) {
        let Plan { phase, axes, parts, .. } = *self;
        let height = self.height.min(axes[1].extent - first[1]);
        let across = axes[2].extent.div_ceil(HALF);
        let count = height * across;
        let place = |tile: usize| (tile / across, tile % across * HALF);
        let start = |tile: usize| {
            let (y, x) = place(tile.min(count - 1));
            from.wrapping_add(y * axes[1].stride * self.strides[1] + x * axes[2].stride * self.strides[2])
        };
        let k = self.offsets.len() * STEP;
        let out = image as isize * phase.batch.out + first[0] as isize * axes[0].out;
        let mut block = Block([0.0; BLOCK * BLOCK]);
        for column in (0..phase.output.extent).step_by(BLOCK) {
            let columns = BLOCK.min(phase.output.extent - column);
            for pair in (0..count).step_by(2) {
                let patches = Patches {
                    starts: [start(pair), start(pair + 1)],
                    row: axes[2].stride * self.strides[2] * size_of::<u16>(),
                    plane: self.plane * size_of::<u16>(),
                    offsets: &self.offsets,
                };
                // SAFETY: the patches are in the part of the image, whose last tiles may reach as far as there is room.
                unsafe { tiles.convolve(parts, &patches, filters.add(packed_len(column, k, parts)), &mut block.0) };
                for (half, tile) in (pair..count.min(pair + 2)).enumerate() {
                    let (y, x) = place(tile);
                    let row = out + (first[1] + y) as isize * axes[1].out + column as isize * phase.output.out;
                    for i in 0..HALF.min(axes[2].extent - x) {
                        let to = phase.out.wrapping_offset(row + (x + i) as isize * axes[2].out);
                        let line = &block.0[(half * HALF + i) * BLOCK..][..columns];
                        // SAFETY: the position and its features are in the result.
                        unsafe { store(line, to, phase.output.out) };
                    }
                }
            }
        }
    }
}

#[repr(C, align(64))]
struct Block([f32; BLOCK * BLOCK]);

/// # Safety
/// The elements are in the result.
unsafe fn store<R: Element<f32>>(line: &[f32], to: *mut R, stride: isize) {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(to) = R::as_computed_mut(to).filter(|_| stride == 1) {
            std::ptr::copy_nonoverlapping(line.as_ptr(), to, line.len());
            return;
        }
        for (i, &value) in line.iter().enumerate() {
            *to.offset(i as isize * stride) = R::from_computed(value);
        }
    }
}

/// A plan whose addresses threads may use.
struct Work<'a, E, R> {
    plan: Plan<'a, E, R>,
    filters: *const u16,
}

// SAFETY: parts of the work write different results and only read the image and the filters.
unsafe impl<E, R> Sync for Work<'_, E, R> {}

impl<E: Element<f32>, R: Element<f32>> Work<'_, E, R> {
    /// Some parts of the work; says the bits of the greatest magnitude in the image.
    ///
    /// # Safety
    /// As for [`convolve`].
    unsafe fn run(&self, parts: Range<usize>) -> u32 {
        let (plan, filters) = (&self.plan, self.filters);
        let down = plan.axes[1].extent.div_ceil(plan.height);
        let mut greatest = 0;
        with_scratch(plan.plane * plan.parts, |scratch: *mut u16| {
            // SAFETY: the caller's promise; there is room for a part of the image.
            unsafe {
                let tiles = Tiles::configure();
                for part in parts {
                    let (image, rest) = (part / (plan.axes[0].extent * down), part % (plan.axes[0].extent * down));
                    let first = [rest / down, rest % down * plan.height];
                    greatest = greatest.max(plan.image(image, first, scratch));
                    plan.results(&tiles, image, first, scratch, filters);
                }
            }
        });
        greatest
    }
}

/// Computes a phase that [`applies`], or says that it did not, because operands are not ordinary.
///
/// # Safety
/// As for [`crate::gemm::conv::conv`]; the process may use tile registers.
pub(in crate::gemm) unsafe fn convolve<E: Element<f32>, R: Element<f32>>(phase: &Phase<E, R>) -> bool {
    (0..phase.group.extent as isize).all(|group| {
        let mut one = phase.clone();
        one.lhs = phase.lhs.wrapping_offset(group * phase.group.lhs);
        one.rhs = phase.rhs.wrapping_offset(group * phase.group.rhs);
        one.out = phase.out.wrapping_offset(group * phase.group.out);
        // SAFETY: the caller's promise.
        unsafe { one_group(&one) }
    })
}

/// [`convolve`] with the addresses of one group.
///
/// # Safety
/// As for [`convolve`].
unsafe fn one_group<E: Element<f32>, R: Element<f32>>(phase: &Phase<E, R>) -> bool {
    let plan = Plan::new(phase);
    let (k, filters) = (plan.offsets.len() * STEP, phase.output.extent);
    let source = phase.filters();
    with_scratch(packed_len(filters, k, plan.parts), |packed: *mut u16| {
        let packing = Packing { source: &source, side: Side::Right, lines: 0..filters, depths: 0..k };
        // SAFETY: there is room for the packed filters.
        let bits = unsafe { split(&packing, plan.parts, k / STEP, packed) };
        if !is_ordinary(bits) {
            return false;
        }
        let total = phase.batch.extent * plan.axes[0].extent * plan.axes[1].extent.div_ceil(plan.height);
        let work = Work { plan, filters: packed };
        let greatest = AtomicU32::new(0);
        parallel_for(total, 1, &|first, end| {
            // SAFETY: the caller's promise.
            greatest.fetch_max(unsafe { work.run(first..end) }, Ordering::Relaxed);
        });
        is_ordinary(greatest.load(Ordering::Relaxed))
    })
}
