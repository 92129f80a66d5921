//! Convolutions of images with few features, such as three colours, and the gradients for their filters.
//!
//! Where features are few, packing patches costs as much as multiplying them. But with features innermost and zeros around the image, a row of the window
//! with its features is one run of memory. So a part of the image is written down like that, and tiles read patches from it where they are:
//! a product for each row of the window, added up in the result.
//!
//! The gradient for the filters is a convolution whose window is as large as the image and whose result is small. There the run is that of a row of the
//! result, and terms are positions of the image, whose rows are added up by several parts of the work in sums of their own.

use std::ops::Range;

use rjax_kernel::kir::{ConvAxis, GemmAxis};
use rjax_runtime::parallel_for;

use super::{GRAIN, Phase, Shared, product};
use crate::gemm::contract::{Panel, packed_panel, tiles};
use crate::gemm::element::Element;
use crate::gemm::operand::{BOUNDS, Source, inside};
use crate::gemm::scratch::with_scratch;
use crate::gemm::tile::{Kernels, Real};
use crate::gemm::{Extents, Matrix};

/// Features from which on patches are worth packing.
const FEW: usize = 32;
/// Features of a result that fill vectors well enough, and positions that make tiles.
const MANY: usize = 8;
/// How many parts there should be.
const PARTS: usize = 16;
/// Positions of a row that are computed at once.
const WIDTH: usize = 512;
/// Most elements of a gradient: its sums stay in the second-level cache.
const SUMS: usize = 1 << 16;

/// Whether [`patches`] computes a phase.
pub(super) fn suits_patches<E: Copy, R>(phase: &Phase<E, R>) -> bool {
    let last = phase.axes()[BOUNDS - 1];
    let window = product(&phase.spatial, |axis| axis.window);
    phase.group.extent == 1
        && phase.input.extent < FEW
        && phase.output.extent >= MANY
        && last.extent >= MANY
        && (last.dilation == 1 || last.window == 1)
        && (1..=product(&phase.spatial, |axis| axis.extent)).contains(&window)
}

/// Whether [`gradient`] computes a phase.
pub(super) fn suits_gradient<E: Copy, R>(phase: &Phase<E, R>) -> bool {
    let last = phase.axes()[BOUNDS - 1];
    let positions = product(&phase.spatial, |axis| axis.extent);
    phase.group.extent == 1
        && phase.batch.extent < FEW
        && phase.output.extent >= MANY
        && last.window >= MANY
        && (last.stride == 1 || last.extent == 1)
        && (1..product(&phase.spatial, |axis| axis.window)).contains(&positions)
        && positions * phase.batch.extent * phase.output.extent <= SUMS
}

/// A part of an image: coordinates along each axis.
struct Region {
    first: [isize; BOUNDS],
    extents: [usize; BOUNDS],
}

impl Region {
    fn len(&self, features: usize) -> usize {
        self.extents.iter().product::<usize>() * features
    }

    /// Writes it down row after row, the features of each position beside each other, with zeros where there is no image.
    ///
    /// # Safety
    /// `image` is that of the axes, with features `feature` apart; there is room for the region.
    unsafe fn write<T: Real, E: Element<T>>(
        &self,
        axes: &[ConvAxis; BOUNDS],
        image: *const E,
        (features, feature): (usize, isize),
        to: *mut T,
    ) {
        let [planes, rows, columns] = self.extents;
        let some = inside(self.first[2], 1, axes[2].lhs_extent as isize, columns);
        for row in 0..planes * rows {
            let at = [self.first[0] + (row / rows) as isize, self.first[1] + (row % rows) as isize];
            let outside = (0..2).any(|i| !(0..axes[i].lhs_extent as isize).contains(&at[i])) || some.is_empty();
            let valid = if outside { 0..0 } else { some.clone() };
            let to = to.wrapping_add(row * columns * features);
            // SAFETY: the row is in the region, and `valid` positions are in the image.
            unsafe {
                (0..valid.start * features).for_each(|i| *to.add(i) = T::ZERO);
                (valid.end * features..columns * features).for_each(|i| *to.add(i) = T::ZERO);
                let from = at[0] * axes[0].lhs + at[1] * axes[1].lhs;
                let from = from + (self.first[2] + valid.start as isize) * axes[2].lhs;
                let (from, to) = (image.wrapping_offset(from), to.add(valid.start * features));
                write_row(from, axes[2].lhs, valid.len(), (features, feature), to);
            }
        }
    }
}

/// Writes `count` positions, `step` apart, the features of each beside each other.
///
/// # Safety
/// They are valid memory, and there is room for them.
unsafe fn write_row<T: Real, E: Element<T>>(
    from: *const E,
    step: isize,
    count: usize,
    (features, feature): (usize, isize),
    to: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if feature == 1 && step == features as isize || features == 1 && step == 1 {
            E::copy_line(from, to, count * features);
        } else if feature == 1 && features > 1 {
            E::copy_rows(from, step, to, features, features, count);
        } else {
            E::transpose(from, feature, step, to, features, features, count);
        }
    }
}

/// How a phase is cut into parts, for each of which a region of the image is written down.
struct Plan<'a, T: Real, E, R> {
    kernels: &'a Kernels<T>,
    phase: &'a Phase<E, R>,
    axes: [ConvAxis; BOUNDS],
    filters: *const T,
    height: usize,
}

// SAFETY: parts write different results, and only read the image and the filters.
unsafe impl<T: Real, E, R> Sync for Plan<'_, T, E, R> {}

/// Computes a phase that [`suits_patches`].
///
/// # Safety
/// As for [`super::conv`].
pub(super) unsafe fn patches<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    phase: &Phase<E, R>,
) {
    let axes = phase.axes();
    let images = phase.batch.extent * axes[0].extent;
    let across = axes[2].extent.div_ceil(WIDTH);
    let height = axes[1].extent.div_ceil(PARTS.div_ceil((images * across).max(1))).max(4).min(axes[1].extent);
    let down = axes[1].extent.div_ceil(height);
    let terms = product(&axes, |axis| axis.window) * phase.input.extent;
    let work = height * axes[2].extent.min(WIDTH) * phase.output.extent * terms;
    let run = axes[2].window * phase.input.extent;
    let (width, padded) = (kernels.width(), phase.output.extent.next_multiple_of(kernels.width()));
    with_scratch(padded * terms, |packed: *mut T| {
        let source = phase.filters();
        for row in 0..terms / run {
            let to = packed.wrapping_add(row * run * padded);
            // SAFETY: there is room for all rows of the window.
            unsafe { source.pack_groups(0..phase.output.extent, row * run..(row + 1) * run, width, to) };
        }
        let plan = Plan { kernels, phase, axes, filters: packed, height };
        parallel_for(images * down * across, GRAIN.div_ceil(work.max(1)), &|begin, end| {
            for part in begin..end {
                let (image, rest) = (part / across / down, part / across % down);
                let first = [image % axes[0].extent, rest * height, part % across * WIDTH];
                // SAFETY: the caller's promise.
                unsafe { plan.patches(image / axes[0].extent, first) };
            }
        });
    });
}

impl<T: Real + Element<T>, E: Element<T>, R: Element<T>> Plan<'_, T, E, R> {
    /// The results of an image from `first` on.
    ///
    /// # Safety
    /// As for [`patches`].
    unsafe fn patches(&self, image: usize, first: [usize; BOUNDS]) {
        let Plan { kernels, phase, axes, .. } = self;
        let extents = [1, self.height.min(axes[1].extent - first[1]), WIDTH.min(axes[2].extent - first[2])];
        let region = Region {
            first: std::array::from_fn(|i| (first[i] * axes[i].stride) as isize - axes[i].low as isize),
            extents: std::array::from_fn(|i| {
                (extents[i] - 1) * axes[i].stride + (axes[i].window - 1) * axes[i].dilation + 1
            }),
        };
        let (features, outputs) = (phase.input.extent, phase.output.extent);
        let (run, padded) = (axes[2].window * features, outputs.next_multiple_of(kernels.width()));
        let row = region.extents[2] * features;
        let offset = |at: [usize; BOUNDS]| (0..BOUNDS).map(|i| at[i] as isize * axes[i].out).sum::<isize>();
        let direct = R::as_computed_mut(phase.out).filter(|_| phase.output.out == 1);
        let gathered = if direct.is_some() { 0 } else { extents[2] * outputs };
        with_scratch(gathered + region.len(features), |scratch: *mut T| {
            let pixels = scratch.wrapping_add(gathered);
            let from = phase.lhs.wrapping_offset(image as isize * phase.batch.lhs);
            // SAFETY: the region reaches as far as the windows do; the results are this part's.
            unsafe {
                region.write(axes, from, (features, phase.input.lhs), pixels);
                for y in 0..extents[1] {
                    let to = image as isize * phase.batch.out + offset([first[0], first[1] + y, first[2]]);
                    let out = match direct {
                        Some(out) => Matrix { start: out.wrapping_offset(to), row: axes[2].out, column: 1 },
                        None => Matrix { start: scratch, row: outputs as isize, column: 1 },
                    };
                    for w in 0..axes[0].window * axes[1].window {
                        let (w0, w1) = (w / axes[1].window, w % axes[1].window);
                        let line =
                            w0 * axes[0].dilation * region.extents[1] + y * axes[1].stride + w1 * axes[1].dilation;
                        let step = (axes[2].stride * features) as isize;
                        let left = Panel {
                            start: pixels.add(line * row).cast_const(),
                            line: step,
                            depth: 1,
                            group_line: step,
                        };
                        let right = packed_panel(self.filters.add(w * run * padded), run, kernels.width());
                        let extents = Extents { m: extents[2], n: outputs, k: run };
                        tiles(kernels, extents, left, right, false, out, w > 0);
                    }
                    if direct.is_none() {
                        let to =
                            Matrix { start: phase.out.wrapping_offset(to), row: axes[2].out, column: phase.output.out };
                        store(scratch, extents[2], outputs, to);
                    }
                }
            }
        });
    }

    /// Adds what some rows of an image contribute to a gradient to its sums, or begins with it.
    ///
    /// # Safety
    /// As for [`gradient`]; there is room for the sums.
    unsafe fn gradient(&self, unit: Unit, sums: *mut T, mut accumulate: bool) {
        let Plan { kernels, phase, axes, .. } = self;
        let first = [unit.plane, unit.rows.start, 0];
        let windows = [1, unit.rows.len(), axes[2].window];
        let region = Region {
            first: std::array::from_fn(|i| (first[i] * axes[i].dilation) as isize - axes[i].low as isize),
            extents: std::array::from_fn(|i| {
                (windows[i] - 1) * axes[i].dilation + (axes[i].extent - 1) * axes[i].stride + 1
            }),
        };
        let (images, outputs) = (phase.batch.extent, phase.output.extent);
        let (row, lines) = (region.extents[2] * images, axes[2].extent * images);
        let direct = E::as_computed(phase.rhs).filter(|_| phase.output.rhs == 1);
        let gathered = if direct.is_some() { 0 } else { axes[2].window * outputs };
        with_scratch(gathered + region.len(images), |scratch: *mut T| {
            let pixels = scratch.wrapping_add(gathered);
            let image = unit.image as isize;
            let from = phase.lhs.wrapping_offset(image * phase.input.lhs);
            // SAFETY: the region reaches as far as the windows do; the rows are those of the right operand.
            unsafe {
                region.write(axes, from, (images, phase.batch.lhs), pixels);
                for (y, w) in unit.rows.clone().enumerate() {
                    let at = image * phase.input.rhs + unit.plane as isize * axes[0].rhs + w as isize * axes[1].rhs;
                    let right = match direct {
                        Some(start) => {
                            let start = start.wrapping_offset(at);
                            Panel { start, line: 1, depth: axes[2].rhs, group_line: 1 }
                        }
                        None => {
                            let from = phase.rhs.wrapping_offset(at);
                            write_row(from, axes[2].rhs, axes[2].window, (outputs, phase.output.rhs), scratch);
                            Panel { start: scratch.cast_const(), line: 1, depth: outputs as isize, group_line: 1 }
                        }
                    };
                    for s in 0..axes[0].extent * axes[1].extent {
                        let (s0, s1) = (s / axes[1].extent, s % axes[1].extent);
                        let line = s0 * axes[0].stride * region.extents[1] + y * axes[1].dilation + s1 * axes[1].stride;
                        let left = Panel {
                            start: pixels.add(line * row).cast_const(),
                            line: 1,
                            depth: (axes[2].dilation * images) as isize,
                            group_line: 1,
                        };
                        let start = sums.add(s * lines * outputs);
                        let out = Matrix { start, row: outputs as isize, column: 1 };
                        let extents = Extents { m: lines, n: outputs, k: axes[2].window };
                        tiles(kernels, extents, left, right, true, out, accumulate);
                    }
                    accumulate = true;
                }
            }
        });
    }
}

/// Rows of an image that contribute to a gradient together.
struct Unit {
    image: usize,
    /// Window index along the first axis.
    plane: usize,
    /// And along the second.
    rows: Range<usize>,
}

/// Computes a phase that [`suits_gradient`].
///
/// # Safety
/// As for [`super::conv`].
pub(super) unsafe fn gradient<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    phase: &Phase<E, R>,
) {
    let axes = phase.axes();
    let planes = phase.input.extent * axes[0].window;
    let height = axes[1].window.div_ceil(PARTS.div_ceil(planes)).max(4).min(axes[1].window);
    let down = axes[1].window.div_ceil(height);
    let units = planes * down;
    let parts = units.min(PARTS);
    let lines = product(&axes, |axis| axis.extent) * phase.batch.extent;
    let len = lines * phase.output.extent;
    let work = units.div_ceil(parts) * height * axes[2].window * len;
    let plan = Plan { kernels, phase, axes, filters: std::ptr::null(), height };
    with_scratch(parts * len, |sums: *mut T| {
        let shared = Shared(sums);
        parallel_for(parts, GRAIN.div_ceil(work.max(1)), &|begin, end| {
            for part in begin..end {
                for unit in part * units / parts..(part + 1) * units / parts {
                    let (plane, row) = (unit / down, unit % down * plan.height);
                    let accumulate = unit > part * units / parts;
                    let rows = row..axes[1].window.min(row + plan.height);
                    let unit = Unit { image: plane / axes[0].window, plane: plane % axes[0].window, rows };
                    // SAFETY: parts have sums of their own.
                    unsafe { plan.gradient(unit, shared.at(part * len), accumulate) };
                }
            }
        });
        // SAFETY: all parts have written their sums; a line is a row of the result.
        unsafe {
            for part in 1..parts {
                (0..len).for_each(|i| *sums.add(i) = *sums.add(i) + *sums.add(part * len + i));
            }
            let rows = len / (axes[2].extent * phase.batch.extent * phase.output.extent);
            let GemmAxis { extent: images, out, .. } = phase.batch;
            for s in 0..rows * axes[2].extent {
                let (row, s2) = (s / axes[2].extent, s % axes[2].extent);
                let at = (row / axes[1].extent) as isize * axes[0].out
                    + (row % axes[1].extent) as isize * axes[1].out
                    + s2 as isize * axes[2].out;
                let to = Matrix { start: phase.out.wrapping_offset(at), row: out, column: phase.output.out };
                store(sums.add(s * images * phase.output.extent), images, phase.output.extent, to);
            }
        }
    });
}

/// Writes dense rows to the result.
///
/// # Safety
/// The rows are valid memory, and nobody else uses their place in the result.
unsafe fn store<T: Real + Element<T>, R: Element<T>>(from: *const T, rows: usize, columns: usize, to: Matrix<R>) {
    // SAFETY: the caller's promise.
    unsafe {
        if let (Some(start), Ok(stride)) = (R::as_computed_mut(to.start), usize::try_from(to.column))
            && to.row == 1
        {
            return T::transpose(from, columns as isize, 1, start, stride, rows, columns);
        }
        for row in 0..rows {
            for column in 0..columns {
                *to.at(row, column) = R::from_computed(*from.add(row * columns + column));
            }
        }
    }
}
