//! Convolutions as products of patches and filters.
//!
//! Row `(b, s…)` and column `(w…, i)` of the matrix of patches is the element of the left operand that window position `w` at `s` meets
//! in image `b` and feature `i`. It is never written down: [`Operand`] packs blocks of it from the image, with zeros
//! where the window leaves it. The gradients of a convolution are convolutions too, and products of the same kind.
//!
//! A dilated left operand has gaps; result positions that meet the same gaps form a *phase*, which is a convolution without gaps.
//! Groups are products of their own, or, with one feature on each side, sums along vectors ([`depthwise`]).

mod depthwise;
mod exact;
mod few_features;
mod few_results;
mod turn;

use half::{bf16, f16};
use rjax_ir::DType;
use rjax_kernel::kir::{self, ConvAxis, GemmAxis};
use rjax_runtime::parallel_for;

use super::contract::{Contraction, Shared, contract};
use super::element::Element;
use super::operand::{Axis, BOUNDS, Operand, join};
use super::output::Output;
use super::tile::{Kernels, Real};
use super::{Extents, GRAIN, WHOLE};

const _: () = assert!(BOUNDS == kir::Conv::MAX_SPATIAL);

/// Runs the convolution that `conv` describes; its views are replaced by the three addresses.
///
/// # Safety
/// As for [`super::gemm`].
pub(crate) unsafe fn conv(conv: &kir::Conv, lhs: *const u8, rhs: *const u8, out: *mut u8) {
    // SAFETY: the caller's promise is passed on; the dtypes are those of the arrays.
    unsafe {
        match (conv.dtype, conv.out_dtype) {
            (DType::F32, _) => conv_with::<f32, f32, f32>(f32::kernels(), conv, lhs, rhs, out),
            (DType::F64, _) => conv_with::<f64, f64, f64>(f64::kernels(), conv, lhs, rhs, out),
            (DType::F16, DType::F32) => conv_with::<f32, f16, f32>(f32::kernels(), conv, lhs, rhs, out),
            (DType::F16, _) => conv_with::<f32, f16, f16>(f32::kernels(), conv, lhs, rhs, out),
            (DType::BF16, DType::F32) => conv_with::<f32, bf16, f32>(f32::kernels(), conv, lhs, rhs, out),
            (DType::BF16, _) => conv_with::<f32, bf16, bf16>(f32::kernels(), conv, lhs, rhs, out),
            (
                DType::Bool
                | DType::I8
                | DType::I16
                | DType::I32
                | DType::I64
                | DType::U8
                | DType::U16
                | DType::U32
                | DType::U64
                | DType::C64
                | DType::C128
                | DType::Narrow(_),
                _,
            ) => unreachable!("checked when the module was compiled"),
        }
    }
}

/// A convolution whose left operand has no gaps, and the three addresses.
#[derive(Clone, Debug)]
pub(in crate::gemm) struct Phase<E, R> {
    pub(in crate::gemm) batch: GemmAxis,
    pub(in crate::gemm) group: GemmAxis,
    pub(in crate::gemm) input: GemmAxis,
    pub(in crate::gemm) output: GemmAxis,
    /// `base_dilation` is 1.
    pub(in crate::gemm) spatial: Vec<ConvAxis>,
    pub(in crate::gemm) lhs: *const E,
    pub(in crate::gemm) rhs: *const E,
    pub(in crate::gemm) out: *mut R,
}

// SAFETY: threads write different groups of the result and only read the operands.
unsafe impl<E, R> Sync for Phase<E, R> {}

impl<E: Copy, R> Phase<E, R> {
    /// The same spatial axes for every convolution: those that are not there have extent 1.
    pub(in crate::gemm) fn axes(&self) -> [ConvAxis; BOUNDS] {
        let absent = ConvAxis {
            extent: 1,
            window: 1,
            lhs_extent: 1,
            stride: 1,
            dilation: 1,
            base_dilation: 1,
            low: 0,
            lhs: 0,
            rhs: 0,
            out: 0,
        };
        let missing = BOUNDS - self.spatial.len();
        std::array::from_fn(|i| if i < missing { absent } else { self.spatial[i - missing] })
    }

    /// The filters of the first group as the right operand of a product.
    pub(in crate::gemm) fn filters(&self) -> Operand<E> {
        let axis = |(extent, stride): (usize, isize)| Axis { extent, stride, bound: None };
        let windows = self.spatial.iter().map(|axis| (axis.window, axis.rhs));
        let depths = windows.chain([(self.input.extent, self.input.rhs)]);
        Operand {
            start: self.rhs,
            lines: join([axis((self.output.extent, self.output.rhs))]),
            depths: join(depths.map(axis)),
            origin: [0; BOUNDS],
            extents: [1; BOUNDS],
        }
    }
}

fn product(axes: &[ConvAxis], extent: impl Fn(&ConvAxis) -> usize) -> usize {
    axes.iter().map(extent).product()
}

/// [`conv`] of elements `E`, computed with as `T`, to elements of `R`.
///
/// # Safety
/// As for [`conv`]; the machine has the kernels' instruction set.
pub(super) unsafe fn conv_with<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    conv: &kir::Conv,
    lhs: *const u8,
    rhs: *const u8,
    out: *mut u8,
) {
    let all = Phase {
        batch: conv.batch,
        group: conv.group,
        input: conv.input,
        output: conv.output,
        spatial: conv.spatial.clone(),
        lhs: lhs.cast::<E>(),
        rhs: rhs.cast::<E>(),
        out: out.cast::<R>(),
    };
    let all = turn::turned(all);
    // SAFETY: the caller's promise.
    if few_results::applies(&all) {
        return unsafe { few_results::scatter(kernels, &all) };
    }
    for phase in phases(all) {
        // SAFETY: a phase reads and writes elements of the whole.
        unsafe {
            if depthwise::applies(&phase) {
                depthwise::depthwise(kernels, &phase);
                continue;
            }
            if T::convolve(kernels, &phase) {
                continue;
            }
            if few_features::suits_patches(&phase) {
                few_features::patches(kernels, &phase);
            } else if few_features::suits_gradient(&phase) {
                few_features::gradient(kernels, &phase);
            } else {
                run(kernels, &phase, false);
            }
            if exact::is_spoilt::<T, E, R>(&phase) {
                exact::exact(kernels, &phase);
            }
        }
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Takes the gaps out of the left operand.
fn phases<E: Copy, R: Copy>(all: Phase<E, R>) -> Vec<Phase<E, R>>
where
    Phase<E, R>: Clone,
{
    let mut phases = vec![all];
    for i in 0..phases[0].spatial.len() {
        phases = phases.iter().flat_map(|phase| phases_along(phase, i)).collect();
    }
    phases
}

/// The phases along one axis: result positions `first + period * s`, for which the window positions `w0 + every * w` meet elements.
fn phases_along<E: Copy, R: Copy>(whole: &Phase<E, R>, i: usize) -> Vec<Phase<E, R>> {
    let axis = whole.spatial[i];
    let base = axis.base_dilation;
    if base == 1 {
        return vec![whole.clone()];
    }
    let period = base / greatest_common_divisor(axis.stride, base);
    let every = base / greatest_common_divisor(axis.dilation, base);
    let phase = |first: usize| {
        let start = (first * axis.stride) as i64 - axis.low;
        let met = |w: &usize| (start + (w * axis.dilation) as i64).rem_euclid(base as i64) == 0;
        let (window, w0) = match (0..every.min(axis.window)).find(met) {
            Some(w0) => ((axis.window - w0).div_ceil(every), w0),
            None => (0, 0),
        };
        let mut phase = whole.clone();
        phase.spatial[i] = ConvAxis {
            extent: (axis.extent - first).div_ceil(period),
            window,
            stride: period * axis.stride / base,
            dilation: every * axis.dilation / base,
            base_dilation: 1,
            low: -(start + (w0 * axis.dilation) as i64).div_euclid(base as i64),
            rhs: axis.rhs * every as isize,
            out: axis.out * period as isize,
            ..axis
        };
        phase.rhs = whole.rhs.wrapping_offset(axis.rhs * w0 as isize);
        phase.out = whole.out.wrapping_offset(axis.out * first as isize);
        phase
    };
    (0..period.min(axis.extent)).map(phase).collect()
}

/// Computes a phase as products, one for each group; or adds them to what is there.
///
/// # Safety
/// As for [`conv`].
unsafe fn run<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    phase: &Phase<E, R>,
    add: bool,
) {
    let window: usize = phase.spatial.iter().map(|axis| axis.window).product();
    let positions: usize = phase.spatial.iter().map(|axis| axis.extent).product();
    let work = phase.batch.extent * positions * phase.output.extent * window * phase.input.extent;
    let groups = phase.group.extent;
    // SAFETY: groups are different parts of the result.
    let group = |i: usize, parallel: bool| unsafe {
        let i = i as isize;
        let lhs = phase.lhs.wrapping_offset(i * phase.group.lhs);
        let rhs = phase.rhs.wrapping_offset(i * phase.group.rhs);
        let out = phase.out.wrapping_offset(i * phase.group.out);
        one_group(kernels, phase, lhs, rhs, out, parallel, add);
    };
    if groups >= WHOLE && groups * work >= 2 * GRAIN {
        parallel_for(groups, GRAIN.div_ceil(work.max(1)), &|first, end| (first..end).for_each(|i| group(i, false)));
    } else {
        (0..groups).for_each(|i| group(i, true));
    }
}

/// One group, as a product.
///
/// # Safety
/// As for [`conv`]; the addresses are those of a group.
unsafe fn one_group<T: Real + Element<T>, E: Element<T>, R: Element<T>>(
    kernels: &Kernels<T>,
    phase: &Phase<E, R>,
    lhs: *const E,
    rhs: *const E,
    out: *mut R,
    parallel: bool,
    add: bool,
) {
    // An axis of positions or of window positions, with its strides in all three arrays.
    #[derive(Clone, Copy)]
    struct Three {
        extent: usize,
        lhs: isize,
        rhs: isize,
        out: isize,
        bound: Option<(usize, isize)>,
    }
    let (mut origin, mut extents, mut start) = ([0; BOUNDS], [1; BOUNDS], lhs);
    let plain =
        |axis: GemmAxis| Three { extent: axis.extent, lhs: axis.lhs, rhs: axis.rhs, out: axis.out, bound: None };
    let (mut positions, mut terms) = (vec![plain(phase.batch)], vec![plain(phase.input)]);
    for (i, axis) in phase.spatial.iter().enumerate() {
        let last = axis.extent.saturating_sub(1) * axis.stride + axis.window.saturating_sub(1) * axis.dilation;
        let bounded = axis.low > 0 || last as i64 - axis.low >= axis.lhs_extent as i64;
        let bound = |step: usize| bounded.then_some((i, step as isize));
        if bounded {
            (origin[i], extents[i]) = (-axis.low as isize, axis.lhs_extent as isize);
        }
        start = start.wrapping_offset(-axis.low as isize * axis.lhs);
        let (stride, dilation) = (axis.stride as isize, axis.dilation as isize);
        let (bound_out, bound_window) = (bound(axis.stride), bound(axis.dilation));
        positions.push(Three { extent: axis.extent, lhs: axis.lhs * stride, rhs: 0, out: axis.out, bound: bound_out });
        terms.push(Three { extent: axis.window, lhs: axis.lhs * dilation, rhs: axis.rhs, out: 0, bound: bound_window });
    }
    positions.retain(|axis| axis.extent != 1);
    terms.retain(|axis| axis.extent != 1);
    positions.sort_by_key(|axis| std::cmp::Reverse(axis.out.abs()));
    // Whichever of patches and filters has neighbours in the result becomes the columns.
    let filters_are_columns = phase.output.out == 1 && phase.output.extent > 1;
    let along_positions = positions.last().is_some_and(|axis| axis.lhs == 1 && axis.bound.is_some());
    // Where windows leave the image along the axis that terms go along, neighbouring lines should leave it together.
    let term_is_bounded = terms.iter().min_by_key(|axis| axis.lhs.abs()).is_some_and(|axis| axis.bound.is_some());
    if !along_positions && term_is_bounded {
        positions.sort_by_key(|axis| (axis.bound.is_none(), std::cmp::Reverse(axis.out.abs())));
    }
    // Terms in the order of memory; where neighbouring positions are packed side by side and move along a bounded coordinate, with one
    // innermost that does not.
    terms.sort_by_key(|axis| (along_positions && axis.bound.is_none(), std::cmp::Reverse(axis.lhs.abs())));
    let axes = |axes: &[Three], stride: fn(&Three) -> isize, bounded: bool| {
        join(axes.iter().map(|axis| Axis {
            extent: axis.extent,
            stride: stride(axis),
            bound: axis.bound.filter(|_| bounded),
        }))
    };
    let features = [plain(phase.output)];
    let patches = Operand {
        start,
        lines: axes(&positions, |axis| axis.lhs, true),
        depths: axes(&terms, |axis| axis.lhs, true),
        origin,
        extents,
    };
    let filters = Operand {
        start: rhs,
        lines: axes(&features, |axis| axis.rhs, false),
        depths: axes(&terms, |axis| axis.rhs, false),
        origin: [0; BOUNDS],
        extents: [1; BOUNDS],
    };
    let position_axes = axes(&positions, |axis| axis.out, false);
    let feature_axes = axes(&features, |axis| axis.out, false);
    let count = |axes: &[Three]| axes.iter().map(|axis| axis.extent).product::<usize>();
    let (p, f, k) = (count(&positions), phase.output.extent, count(&terms));
    // SAFETY: the operands in bounds, and the result, are what the caller promised.
    unsafe {
        if filters_are_columns {
            let out = Output { start: out, rows: position_axes, columns: feature_axes };
            let extents = Extents { m: p, n: f, k };
            contract(
                kernels,
                &Contraction { extents, left: &patches, right: &filters, out: &out, add, symmetric: false, parallel },
            );
        } else {
            let out = Output { start: out, rows: feature_axes, columns: position_axes };
            let extents = Extents { m: f, n: p, k };
            contract(
                kernels,
                &Contraction { extents, left: &filters, right: &patches, out: &out, add, symmetric: false, parallel },
            );
        }
    }
}
