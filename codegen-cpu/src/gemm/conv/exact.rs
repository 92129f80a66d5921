//! Convolutions with infinite or undefined filters.
//!
//! Packed patches hold zeros where a window leaves the image. That is what leaving the terms out gives, unless a
//! weight is infinite or NaN: 0 times that is NaN. Such filters are rare, and found by looking at whichever of filter and result is smaller;
//! then each window position becomes a product of its own, over those result positions for which it is inside.

use rjax_kernel::kir::{self, ConvAxis};

use super::{Phase, run};
use crate::gemm::element::Element;
use crate::gemm::operand::inside;
use crate::gemm::scratch::with_scratch;
use crate::gemm::tile::{Kernels, Real};

/// An axis of an array: extent and stride.
type Line = (usize, isize);

/// Whether `holds` for some element of an array.
///
/// # Safety
/// All elements are valid memory.
unsafe fn any<E: Copy>(start: *const E, lines: &[Line], holds: &dyn Fn(E) -> bool) -> bool {
    let Some((&(extent, stride), outer)) = lines.split_first() else {
        // SAFETY: the caller's promise.
        return holds(unsafe { *start });
    };
    // SAFETY: the caller's promise.
    (0..extent as isize).any(|i| unsafe { any(start.wrapping_offset(i * stride), outer, holds) })
}

/// Calls `each` with the offsets in two arrays of every element.
fn pairs(lines: &[(usize, isize, isize)], offsets: (isize, isize), each: &mut dyn FnMut(isize, isize)) {
    let Some((&(extent, x, y), inner)) = lines.split_first() else { return each(offsets.0, offsets.1) };
    for i in 0..extent as isize {
        pairs(inner, (offsets.0 + i * x, offsets.1 + i * y), each);
    }
}

fn is_bounded(axis: &ConvAxis) -> bool {
    let last = axis.extent.saturating_sub(1) * axis.stride + axis.window.saturating_sub(1) * axis.dilation;
    axis.low > 0 || last as i64 - axis.low >= axis.lhs_extent as i64
}

/// Whether zeros in patches may have met a weight that is not finite; `phase` has been computed.
///
/// # Safety
/// As for [`super::conv`].
pub(super) unsafe fn is_spoilt<T: Real, E: Element<T>, R: Element<T>>(phase: &Phase<E, R>) -> bool {
    if !phase.spatial.iter().any(is_bounded) {
        return false;
    }
    let features = [(phase.group.extent, phase.group.rhs), (phase.output.extent, phase.output.rhs)];
    let filter: Vec<Line> = features
        .into_iter()
        .chain([(phase.input.extent, phase.input.rhs)])
        .chain(phase.spatial.iter().map(|axis| (axis.window, axis.rhs)))
        .collect();
    let result: Vec<Line> = [phase.batch, phase.group, phase.output]
        .iter()
        .map(|axis| (axis.extent, axis.out))
        .chain(phase.spatial.iter().map(|axis| (axis.extent, axis.out)))
        .collect();
    let size = |lines: &[Line]| lines.iter().map(|line| line.0).product::<usize>();
    // SAFETY: filter and result are valid memory.
    unsafe {
        let spoilt_result = || any(phase.out.cast_const(), &result, &|x: R| !x.computed().is_finite());
        let spoilt_filter = || any(phase.rhs, &filter, &|x: E| !x.computed().is_finite());
        if size(&filter) <= size(&result) { spoilt_filter() } else { spoilt_result() && spoilt_filter() }
    }
}

/// Computes a phase without zeros in the place of what is outside.
///
/// # Safety
/// As for [`super::conv`].
pub(super) unsafe fn exact<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    phase: &Phase<E, R>,
) {
    // The sums in a dense array.
    let mut size = 1;
    let mut next = |extent: usize| {
        let stride = size as isize;
        size *= extent;
        stride
    };
    let mut sums = Phase {
        batch: phase.batch,
        group: phase.group,
        input: phase.input,
        output: phase.output,
        spatial: phase.spatial.clone(),
        lhs: phase.lhs,
        rhs: phase.rhs,
        out: std::ptr::null_mut::<T>(),
    };
    sums.output.out = next(phase.output.extent);
    sums.group.out = next(phase.group.extent);
    for axis in sums.spatial.iter_mut().rev() {
        axis.out = next(axis.extent);
    }
    sums.batch.out = next(phase.batch.extent);
    let taps: usize = phase.spatial.iter().map(|axis| axis.window).product();
    with_scratch(size, |start: *mut T| {
        // SAFETY: there is room for the sums, and each part lies in the whole.
        unsafe {
            (0..size).for_each(|i| *start.add(i) = T::ZERO);
            'taps: for tap in 0..taps {
                let mut part = sums.clone();
                (part.out, part.rhs) = (start, phase.rhs);
                let mut flat = tap;
                for axis in part.spatial.iter_mut().rev() {
                    let w = flat % axis.window;
                    flat /= axis.window;
                    let first = (w * axis.dilation) as isize - axis.low as isize;
                    let some = inside(first, axis.stride as isize, axis.lhs_extent as isize, axis.extent);
                    if some.is_empty() {
                        continue 'taps;
                    }
                    part.rhs = part.rhs.wrapping_offset(w as isize * axis.rhs);
                    part.out = part.out.wrapping_offset(some.start as isize * axis.out);
                    *axis = ConvAxis {
                        extent: some.len(),
                        window: 1,
                        low: -(first as i64 + (some.start * axis.stride) as i64),
                        ..*axis
                    };
                }
                run(kernels, &part, true);
            }
            let axes = |one: &[kir::GemmAxis; 3], two: &[kir::GemmAxis; 3]| -> Vec<(usize, isize, isize)> {
                one.iter().zip(two).map(|(x, y)| (x.extent, x.out, y.out)).collect()
            };
            let mut lines = axes(&[sums.batch, sums.group, sums.output], &[phase.batch, phase.group, phase.output]);
            lines.extend(sums.spatial.iter().zip(&phase.spatial).map(|(x, y)| (x.extent, x.out, y.out)));
            pairs(&lines, (0, 0), &mut |from, to| {
                *phase.out.wrapping_offset(to) = R::from_computed(*start.wrapping_offset(from));
            });
        }
    });
}
