//! Convolutions of groups with one feature: every feature by itself, in lanes of vectors.
//!
//! Neighbouring lanes are neighbouring features where those are contiguous, or else neighbouring positions of an image. A result
//! element is the sum over a small window, kept in registers; or, in the gradient for the filter, over whole images, which
//! are then walked through once for all elements of the filter.

use rjax_kernel::kir::ConvAxis;
use rjax_runtime::parallel_for;

use super::{GRAIN, Phase, Shared};
use crate::gemm::element::Element;
use crate::gemm::operand::inside;
use crate::gemm::scratch::with_scratch;
use crate::gemm::tile::{Kernels, Real};
use crate::target::Level;

/// Windows of more elements are walked through row by row, for all positions of the result at once.
const SMALL_WINDOW: usize = 128;
/// How many sums each element of a result of such windows is made of.
const PARTS: usize = 16;
/// Lanes that are kept in registers together.
const LANES: usize = 32;

/// Whether [`depthwise`] computes a phase.
pub(super) fn applies<E, R>(phase: &Phase<E, R>) -> bool {
    if phase.output.extent != 1 || phase.spatial.is_empty() {
        return false;
    }
    let small = window(phase) <= SMALL_WINDOW && phase.input.extent == 1;
    let features_are_lanes = phase.group.extent >= 4 && phase.group.lhs == 1 && phase.group.out == 1;
    if features_are_lanes {
        return small || phase.batch.extent == 1 && phase.group.rhs == 1;
    }
    let last = phase.spatial[phase.spatial.len() - 1];
    small && last.lhs == 1 && last.out == 1 && last.stride == 1 && last.extent >= 8
}

fn window<E, R>(phase: &Phase<E, R>) -> usize {
    phase.spatial.iter().map(|axis| axis.window).product()
}

/// Computes a phase that [`applies`].
///
/// # Safety
/// As for [`super::conv`].
pub(super) unsafe fn depthwise<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    phase: &Phase<E, R>,
) {
    let features_are_lanes = phase.group.lhs == 1 && phase.group.out == 1;
    // SAFETY: the caller's promise.
    unsafe {
        if window(phase) > SMALL_WINDOW || phase.input.extent != 1 {
            whole_images(kernels.level, phase);
        } else if features_are_lanes && phase.group.extent >= 4 {
            small_windows::<T, E, R, false>(kernels.level, phase);
        } else {
            small_windows::<T, E, R, true>(kernels.level, phase);
        }
    }
}

/// One element of a window: where it is from the first lane on, and its weight or weights.
#[derive(Clone, Copy)]
struct Tap<T> {
    offset: isize,
    weights: *const T,
}

/// Lanes of neighbouring positions: `out[p, lane] = Σ over taps of lhs[p, lane + tap] · weights`.
struct Segment<'a, T, E, R> {
    taps: &'a [Tap<T>],
    lhs: *const E,
    /// From one position to the next.
    lhs_step: isize,
    out: *mut R,
    out_step: isize,
    positions: usize,
    lanes: usize,
}

/// The indices of a box of some axes, as coordinates.
fn unflatten(axes: &[ConvAxis], mut flat: usize, extent: fn(&ConvAxis) -> usize, at: &mut [usize]) {
    for (axis, at) in axes.iter().zip(at).rev() {
        *at = flat % extent(axis);
        flat /= extent(axis);
    }
}

/// Each result element at once. `ALONG`: lanes are positions along the last axis, and all have the same weight; else they are features.
///
/// # Safety
/// As for [`depthwise`].
unsafe fn small_windows<T: Real + Element<T>, E: Element<T>, R: Element<T>, const ALONG: bool>(
    level: Level,
    phase: &Phase<E, R>,
) {
    let groups = phase.group.extent;
    let (last, outer) = phase.spatial.split_last().expect("there is a spatial axis");
    let taps = window(phase);
    let rows: usize = outer.iter().map(|axis| axis.extent).product();
    let outer_window: usize = outer.iter().map(|axis| axis.window).product();
    let planes = if ALONG { groups } else { 1 };
    let total = phase.batch.extent * planes * rows;
    with_scratch(taps * groups, |weights: *mut T| {
        // SAFETY: the filter has these elements, and there is room for them.
        unsafe {
            let mut at = [0; 3];
            for tap in 0..taps {
                unflatten(&phase.spatial, tap, |axis| axis.window, &mut at);
                let offset: isize = phase.spatial.iter().zip(at).map(|(axis, i)| axis.rhs * i as isize).sum();
                E::copy(phase.rhs.wrapping_offset(offset), phase.group.rhs, weights.add(tap * groups), 1, groups);
            }
        }
        let weights = Shared(weights);
        let run = |first: usize, end: usize| {
            let mut list = Vec::with_capacity(taps);
            for flat in first..end {
                let (row, plane, image) = (flat % rows, flat / rows % planes, flat / rows / planes);
                let mut at = [0; 3];
                unflatten(outer, row, |axis| axis.extent, &mut at);
                let lhs = image as isize * phase.batch.lhs + plane as isize * phase.group.lhs;
                let mut out = image as isize * phase.batch.out + plane as isize * phase.group.out;
                for (axis, i) in outer.iter().zip(at) {
                    out += axis.out * i as isize;
                }
                // Positions along the last axis for which the same part of the window is inside go together.
                let mut next = 0;
                while next < last.extent {
                    let start = (next * last.stride) as isize - last.low as isize;
                    let columns = inside(start, last.dilation as isize, last.lhs_extent as isize, last.window);
                    let same = (next + 1..last.extent).take_while(|i| {
                        let start = (i * last.stride) as isize - last.low as isize;
                        inside(start, last.dilation as isize, last.lhs_extent as isize, last.window) == columns
                    });
                    let positions = 1 + same.count();
                    list.clear();
                    'rows: for tap_row in 0..outer_window {
                        let mut tap_at = [0; 3];
                        unflatten(outer, tap_row, |axis| axis.window, &mut tap_at);
                        let mut offset = lhs + start * last.lhs;
                        for ((axis, i), w) in outer.iter().zip(at).zip(tap_at) {
                            let place = (i * axis.stride + w * axis.dilation) as i64 - axis.low;
                            if !(0..axis.lhs_extent as i64).contains(&place) {
                                continue 'rows;
                            }
                            offset += place as isize * axis.lhs;
                        }
                        list.extend(columns.clone().map(|w| Tap {
                            offset: offset + (w * last.dilation) as isize * last.lhs,
                            weights: weights.at((tap_row * last.window + w) * groups + plane),
                        }));
                    }
                    let step = last.lhs * last.stride as isize;
                    let segment = Segment {
                        taps: &list,
                        lhs: phase.lhs,
                        lhs_step: step,
                        out: phase.out.wrapping_offset(out + next as isize * last.out),
                        out_step: last.out,
                        positions: if ALONG { 1 } else { positions },
                        lanes: if ALONG { positions } else { groups },
                    };
                    // SAFETY: all taps of all positions are inside the image, and the positions in the result.
                    unsafe { weigh::<T, E, R, ALONG>(level, &segment) };
                    next += positions;
                }
            }
        };
        let work = last.extent * taps * if ALONG { 1 } else { groups };
        parallel_for(total, (GRAIN / 4).div_ceil(work.max(1)), &run);
    });
}

/// Windows that are whole images: rows of them outside, positions of the result inside. The images are cut into parts, which do not depend
/// on the number of threads, with sums of their own.
///
/// # Safety
/// As for [`depthwise`]; features are contiguous in all three arrays, and there is one image of the result.
unsafe fn whole_images<T: Real + Element<T>, E: Element<T>, R: Element<T>>(level: Level, phase: &Phase<E, R>) {
    let groups = phase.group.extent;
    let (last, outer) = phase.spatial.split_last().expect("there is a spatial axis");
    let positions: usize = phase.spatial.iter().map(|axis| axis.extent).product();
    let outer_window: usize = outer.iter().map(|axis| axis.window).product();
    let rows = phase.input.extent * outer_window;
    let grain = rows.div_ceil(PARTS).max(1);
    let parts = rows.div_ceil(grain);
    let size = positions * groups;
    with_scratch(parts.max(1) * size, |sums: *mut T| {
        // SAFETY: there is room for the sums of all parts.
        unsafe { (0..parts.max(1) * size).for_each(|i| *sums.add(i) = T::ZERO) };
        let shared = Shared(sums);
        let run = |first: usize, end: usize| {
            let part = first / grain;
            for row in first..end {
                let (input, tap_row) = ((row / outer_window) as isize, row % outer_window);
                let mut tap_at = [0; 3];
                unflatten(outer, tap_row, |axis| axis.window, &mut tap_at);
                let mut rhs = input * phase.input.rhs;
                for (axis, w) in outer.iter().zip(tap_at) {
                    rhs += axis.rhs * w as isize;
                }
                'positions: for position in 0..positions {
                    let mut at = [0; 3];
                    unflatten(&phase.spatial, position, |axis| axis.extent, &mut at);
                    let mut lhs = input * phase.input.lhs;
                    for ((axis, i), w) in outer.iter().zip(at).zip(tap_at) {
                        let place = (i * axis.stride + w * axis.dilation) as i64 - axis.low;
                        if !(0..axis.lhs_extent as i64).contains(&place) {
                            continue 'positions;
                        }
                        lhs += place as isize * axis.lhs;
                    }
                    let start = (at[outer.len()] * last.stride) as isize - last.low as isize;
                    let columns = inside(start, last.dilation as isize, last.lhs_extent as isize, last.window);
                    let first = start + (columns.start * last.dilation) as isize;
                    let line = Line {
                        lhs: phase.lhs.wrapping_offset(lhs + first * last.lhs),
                        lhs_step: last.lhs * last.dilation as isize,
                        rhs: phase.rhs.wrapping_offset(rhs + columns.start as isize * last.rhs),
                        rhs_step: last.rhs,
                        steps: columns.len(),
                        sums: shared.at((part * positions + position) * groups),
                        lanes: groups,
                    };
                    // SAFETY: the steps are inside both images, and the sums are this part's.
                    unsafe { accumulate(level, &line) };
                }
            }
        };
        parallel_for(rows, grain, &run);
        for position in 0..positions {
            let mut at = [0; 3];
            unflatten(&phase.spatial, position, |axis| axis.extent, &mut at);
            let out: isize = phase.spatial.iter().zip(at).map(|(axis, i)| axis.out * i as isize).sum();
            for group in 0..groups {
                // SAFETY: the sums are those of all parts, and the element is in the result.
                unsafe {
                    let part = |part: usize| *sums.add((part * positions + position) * groups + group);
                    let total = (1..parts).fold(part(0), |total, i| total + part(i));
                    *phase.out.wrapping_offset(out + group as isize * phase.group.out) = R::from_computed(total);
                }
            }
        }
    });
}

/// A line of two images: `sums[lane] += Σ over steps of lhs[step, lane] · rhs[step, lane]`.
struct Line<T, E> {
    lhs: *const E,
    lhs_step: isize,
    rhs: *const E,
    rhs_step: isize,
    steps: usize,
    sums: *mut T,
    lanes: usize,
}

#[inline(always)]
fn multiply_add<T: Real, const FUSED: bool>(x: T, y: T, z: T) -> T {
    if FUSED { x.fused(y, z) } else { x * y + z }
}

/// `W` lanes of a segment from `lane` on.
///
/// # Safety
/// As for [`weigh`].
#[inline(always)]
unsafe fn weigh_lanes<T: Real, E: Element<T>, R: Element<T>, const ALONG: bool, const FUSED: bool, const W: usize>(
    segment: &Segment<'_, T, E, R>,
    lane: usize,
) {
    let (mut lhs, mut out) = (segment.lhs.wrapping_add(lane), segment.out.wrapping_add(lane));
    for _ in 0..segment.positions {
        let mut sums = [T::ZERO; W];
        for tap in segment.taps {
            // SAFETY: the lanes of the tap are in the image.
            unsafe {
                let x = lhs.wrapping_offset(tap.offset).cast::<[E; W]>().read_unaligned();
                if ALONG {
                    let weight = *tap.weights;
                    for i in 0..W {
                        sums[i] = multiply_add::<T, FUSED>(x[i].computed(), weight, sums[i]);
                    }
                } else {
                    let weights = tap.weights.add(lane).cast::<[T; W]>().read_unaligned();
                    for i in 0..W {
                        sums[i] = multiply_add::<T, FUSED>(x[i].computed(), weights[i], sums[i]);
                    }
                }
            }
        }
        // SAFETY: the lanes of the position are in the result.
        unsafe { out.cast::<[R; W]>().write_unaligned(sums.map(R::from_computed)) };
        lhs = lhs.wrapping_offset(segment.lhs_step);
        out = out.wrapping_offset(segment.out_step);
    }
}

#[inline(always)]
unsafe fn weigh_all<T: Real, E: Element<T>, R: Element<T>, const ALONG: bool, const FUSED: bool>(
    segment: &Segment<'_, T, E, R>,
) {
    let mut lane = 0;
    // SAFETY: the lanes are those of the segment.
    unsafe {
        while lane + LANES <= segment.lanes {
            weigh_lanes::<T, E, R, ALONG, FUSED, LANES>(segment, lane);
            lane += LANES;
        }
        while lane + 8 <= segment.lanes {
            weigh_lanes::<T, E, R, ALONG, FUSED, 8>(segment, lane);
            lane += 8;
        }
        while lane < segment.lanes {
            weigh_lanes::<T, E, R, ALONG, FUSED, 1>(segment, lane);
            lane += 1;
        }
    }
}

#[inline(always)]
unsafe fn accumulate_lanes<T: Real, E: Element<T>, const FUSED: bool, const W: usize>(line: &Line<T, E>, lane: usize) {
    let (mut lhs, mut rhs) = (line.lhs.wrapping_add(lane), line.rhs.wrapping_add(lane));
    // SAFETY: the lanes of all steps are in the images, and the sums are the caller's.
    unsafe {
        let place = line.sums.add(lane).cast::<[T; W]>();
        let mut sums = place.read_unaligned();
        for _ in 0..line.steps {
            let (x, y) = (lhs.cast::<[E; W]>().read_unaligned(), rhs.cast::<[E; W]>().read_unaligned());
            for i in 0..W {
                sums[i] = multiply_add::<T, FUSED>(x[i].computed(), y[i].computed(), sums[i]);
            }
            lhs = lhs.wrapping_offset(line.lhs_step);
            rhs = rhs.wrapping_offset(line.rhs_step);
        }
        place.write_unaligned(sums);
    }
}

#[inline(always)]
unsafe fn accumulate_all<T: Real, E: Element<T>, const FUSED: bool>(line: &Line<T, E>) {
    let mut lane = 0;
    // SAFETY: the lanes are those of the line.
    unsafe {
        while lane + LANES <= line.lanes {
            accumulate_lanes::<T, E, FUSED, LANES>(line, lane);
            lane += LANES;
        }
        while lane + 8 <= line.lanes {
            accumulate_lanes::<T, E, FUSED, 8>(line, lane);
            lane += 8;
        }
        while lane < line.lanes {
            accumulate_lanes::<T, E, FUSED, 1>(line, lane);
            lane += 1;
        }
    }
}

/// # Safety
/// All taps of all lanes and positions are valid memory, and so is the result, which nobody else uses; the machine has the level.
unsafe fn weigh<T: Real, E: Element<T>, R: Element<T>, const ALONG: bool>(
    level: Level,
    segment: &Segment<'_, T, E, R>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match level {
            Level::Portable => weigh_all::<T, E, R, ALONG, false>(segment),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::weigh_avx2::<T, E, R, ALONG>(segment),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::weigh_avx512::<T, E, R, ALONG>(segment),
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => unreachable!("no level of this architecture"),
        }
    }
}

/// # Safety
/// All steps of all lanes are valid memory, and so are the sums, which nobody else uses; the machine has the level.
unsafe fn accumulate<T: Real, E: Element<T>>(level: Level, line: &Line<T, E>) {
    // SAFETY: the caller's promise.
    unsafe {
        match level {
            Level::Portable => accumulate_all::<T, E, false>(line),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::accumulate_avx2(line),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::accumulate_avx512(line),
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => unreachable!("no level of this architecture"),
        }
    }
}

/// The same loops compiled for wider vectors.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;

    /// # Safety
    /// As for [`weigh`].
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn weigh_avx2<T: Real, E: Element<T>, R: Element<T>, const ALONG: bool>(
        segment: &Segment<'_, T, E, R>,
    ) {
        // SAFETY: the caller's promise.
        unsafe { weigh_all::<T, E, R, ALONG, true>(segment) }
    }

    /// # Safety
    /// As for [`weigh`].
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn weigh_avx512<T: Real, E: Element<T>, R: Element<T>, const ALONG: bool>(
        segment: &Segment<'_, T, E, R>,
    ) {
        // SAFETY: the caller's promise.
        unsafe { weigh_all::<T, E, R, ALONG, true>(segment) }
    }

    /// # Safety
    /// As for [`accumulate`].
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn accumulate_avx2<T: Real, E: Element<T>>(line: &Line<T, E>) {
        // SAFETY: the caller's promise.
        unsafe { accumulate_all::<T, E, true>(line) }
    }

    /// # Safety
    /// As for [`accumulate`].
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn accumulate_avx512<T: Real, E: Element<T>>(line: &Line<T, E>) {
        // SAFETY: the caller's promise.
        unsafe { accumulate_all::<T, E, true>(line) }
    }
}
