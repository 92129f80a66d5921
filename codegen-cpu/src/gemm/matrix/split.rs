//! Lines of an operand as sums of `bf16`, in the order in which tiles are loaded.
//!
//! A group of [`BLOCK`] lines is packed step after step; a step is for each `bf16` of the sums two tiles of 16 lines. A tile of the left
//! operand has a line in each row, one of the right operand two depths in each row, with those of one line beside each other.

use std::arch::x86_64::*;

use super::Packing;
use super::tiles::{BLOCK, HALF, STEP, TILE, packed_len};
use crate::gemm::scratch::with_scratch;

/// Which operand, and so which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Left,
    Right,
}

/// One group of lines in memory, or a part of its depths.
struct Group {
    from: *const f32,
    /// From one line to the next on the left, from one depth to the next on the right; the others are neighbours.
    stride: isize,
    lines: usize,
    depths: usize,
    /// The first step.
    to: *mut u16,
}

/// Packs a part of an operand whose groups have `steps` steps, where `to` is the beginning of its first group. Says the bits of the greatest
/// magnitude.
///
/// # Safety
/// The part is in the operand, and there is room for it; the machine has AVX-512.
pub(super) unsafe fn split(packing: &Packing<'_>, parts: usize, steps: usize, to: *mut u16) -> u32 {
    let Packing { source, side, lines, depths } = packing;
    let place = source.in_place().filter(|place| match side {
        Side::Left => place.depth == 1,
        Side::Right => place.line == 1,
    });
    let to = to.wrapping_add(packed_len(BLOCK, depths.start, parts));
    let count = depths.len();
    let mut greatest = 0;
    let mut groups = |start: *const f32, line: isize, stride: isize| {
        for (group, first) in (0..lines.len()).step_by(BLOCK).enumerate() {
            let group = Group {
                from: start.wrapping_offset(first as isize * line),
                stride,
                lines: BLOCK.min(lines.len() - first),
                depths: count,
                to: to.wrapping_add(group * packed_len(BLOCK, steps * STEP, parts)),
            };
            // SAFETY: the group is in the operand or in the scratch, and there is room for it.
            greatest = greatest.max(unsafe { split_group(*side, parts, &group) });
        }
    };
    if let Some(place) = place {
        let start =
            place.start.wrapping_offset(lines.start as isize * place.line + depths.start as isize * place.depth);
        groups(start, place.line, if *side == Side::Left { place.line } else { place.depth });
        return greatest;
    }
    with_scratch(lines.len().next_multiple_of(BLOCK) * count, |scratch: *mut f32| {
        // SAFETY: there is room for whole groups.
        unsafe {
            match side {
                Side::Left => source.pack_lines(lines.clone(), depths.clone(), scratch),
                Side::Right => source.pack_groups(lines.clone(), depths.clone(), BLOCK, scratch),
            }
        }
        match side {
            Side::Left => groups(scratch, count as isize, count as isize),
            Side::Right => groups(scratch, count as isize, BLOCK as isize),
        }
    });
    greatest
}

/// # Safety
/// As for [`split`].
unsafe fn split_group(side: Side, parts: usize, group: &Group) -> u32 {
    // SAFETY: the caller's promise.
    unsafe {
        match (side, parts) {
            (Side::Left, 1) => split_left::<1>(group),
            (Side::Left, 2) => split_left::<2>(group),
            (Side::Left, _) => split_left::<3>(group),
            (Side::Right, 1) => split_right::<1>(group),
            (Side::Right, 2) => split_right::<2>(group),
            (Side::Right, _) => split_right::<3>(group),
        }
    }
}

/// The nearest `bf16`, as `f32` with zeros below, and what is left.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn part(x: __m512) -> (__m512i, __m512) {
    let bits = _mm512_castps_si512(x);
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    let part = _mm512_and_si512(rounded, _mm512_set1_epi32(0xffff_0000_u32 as i32));
    (part, _mm512_sub_ps(x, _mm512_castsi512_ps(part)))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn magnitude(x: __m512) -> __m512i {
    _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fff_ffff))
}

/// The first `count` lanes.
fn mask(count: usize) -> u16 {
    ((1u32 << count.min(16)) - 1) as u16
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn split_left<const PARTS: usize>(group: &Group) -> u32 {
    let upper: [u16; 32] = std::array::from_fn(|i| 2 * i as u16 + 1);
    // SAFETY: the lanes that are on are in the group, and there is room for its steps.
    unsafe {
        let upper = _mm512_loadu_si512(upper.as_ptr().cast());
        let mut greatest = _mm512_setzero_si512();
        for step in 0..group.depths.div_ceil(STEP) {
            let rest = group.depths - step * STEP;
            let masks = [mask(rest), mask(rest.saturating_sub(HALF))];
            let to = group.to.add(step * PARTS * 2 * TILE);
            for line in 0..BLOCK {
                let from = group.from.wrapping_offset(line as isize * group.stride).wrapping_add(step * STEP);
                let on = if line < group.lines { masks } else { [0; 2] };
                let mut low = _mm512_maskz_loadu_ps(on[0], from);
                let mut high = _mm512_maskz_loadu_ps(on[1], from.wrapping_add(HALF));
                greatest = _mm512_max_epu32(greatest, _mm512_max_epu32(magnitude(low), magnitude(high)));
                for i in 0..PARTS {
                    let ((x, low_rest), (y, high_rest)) = (part(low), part(high));
                    (low, high) = (low_rest, high_rest);
                    let both = _mm512_permutex2var_epi16(x, upper, y);
                    _mm512_storeu_si512(to.add(i * 2 * TILE + line * STEP).cast(), both);
                }
            }
        }
        _mm512_reduce_max_epu32(greatest)
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn split_right<const PARTS: usize>(group: &Group) -> u32 {
    // SAFETY: the lanes that are on are in the group, and there is room for its steps.
    unsafe {
        let mut greatest = _mm512_setzero_si512();
        for step in 0..group.depths.div_ceil(STEP) {
            let rest = group.depths - step * STEP;
            let to = group.to.add(step * PARTS * 2 * TILE);
            for pair in 0..HALF {
                let from = group.from.wrapping_offset((step * STEP + 2 * pair) as isize * group.stride);
                for half in 0..2 {
                    let lines = mask(group.lines.saturating_sub(half * HALF));
                    let on = |depth: usize| if depth < rest { lines } else { 0 };
                    let from = from.wrapping_add(half * HALF);
                    let mut low = _mm512_maskz_loadu_ps(on(2 * pair), from);
                    let mut high = _mm512_maskz_loadu_ps(on(2 * pair + 1), from.wrapping_offset(group.stride));
                    greatest = _mm512_max_epu32(greatest, _mm512_max_epu32(magnitude(low), magnitude(high)));
                    for i in 0..PARTS {
                        let ((x, low_rest), (y, high_rest)) = (part(low), part(high));
                        (low, high) = (low_rest, high_rest);
                        let both = _mm512_or_si512(_mm512_srli_epi32::<16>(x), y);
                        _mm512_storeu_si512(to.add(i * 2 * TILE + half * TILE + pair * STEP).cast(), both);
                    }
                }
            }
        }
        _mm512_reduce_max_epu32(greatest)
    }
}
