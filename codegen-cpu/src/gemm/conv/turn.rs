//! Gradients for the filters of a convolution with one or few results.
//!
//! A convolution with stride 1 is symmetric: `out[s] = Σ lhs[q] · rhs[w]` over `base q = s + dilation w - low`, and counted backwards from the last `s`,
//! the filters are an image whose window is the image. The features of the result are then what the images were.

use rjax_kernel::kir::{ConvAxis, GemmAxis};

use super::{Phase, product};

/// The same convolution, the other way around where that makes results with more features and needs no more phases.
pub(super) fn turned<E: Copy, R: Copy>(phase: Phase<E, R>) -> Phase<E, R> {
    let positions = product(&phase.spatial, |axis| axis.extent);
    let window = product(&phase.spatial, |axis| axis.window);
    let turns = phase.output.extent < phase.batch.extent
        && window > positions
        && phase.spatial.iter().all(|axis| axis.stride == 1 && axis.dilation == 1);
    if turns { turn(phase) } else { phase }
}

fn turn<E: Copy, R: Copy>(phase: Phase<E, R>) -> Phase<E, R> {
    let swapped = |axis: GemmAxis| GemmAxis { lhs: axis.rhs, rhs: axis.lhs, ..axis };
    let mut out = phase.out;
    let spatial = phase.spatial.iter().map(|axis| {
        let last = axis.extent - 1;
        out = out.wrapping_offset(last as isize * axis.out);
        ConvAxis {
            window: axis.lhs_extent,
            lhs_extent: axis.window,
            dilation: axis.base_dilation,
            base_dilation: axis.dilation,
            low: last as i64 - axis.low,
            lhs: axis.rhs,
            rhs: axis.lhs,
            out: -axis.out,
            ..*axis
        }
    });
    let spatial = spatial.collect();
    Phase {
        batch: swapped(phase.output),
        group: swapped(phase.group),
        input: swapped(phase.input),
        output: swapped(phase.batch),
        spatial,
        lhs: phase.rhs,
        rhs: phase.lhs,
        out,
    }
}
