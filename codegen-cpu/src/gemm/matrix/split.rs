//! Lines of an operand as sums of `bf16`, in the order in which tiles are loaded.
//!
//! A group of [`BLOCK`] lines is packed step after step; a step is for each `bf16` of the sums two tiles of 16 lines. A tile of the left
//! operand has a line in each row, one of the right operand two depths in each row, with those of one line beside each other.

use std::arch::x86_64::*;
use std::ops::Range;

use half::bf16;

use super::Packing;
use super::tiles::{BLOCK, HALF, STEP, TILE, packed_len};
use crate::gemm::operand::InPlace;
use crate::gemm::scratch::with_scratch;

/// Which operand, and so which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Left,
    Right,
}

/// One group of lines in memory, or a part of its depths.
struct Group<E> {
    from: *const E,
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
    let side = *side;
    let to = to.wrapping_add(packed_len(BLOCK, depths.start, parts));
    let count = depths.len();
    let group_len = packed_len(BLOCK, steps * STEP, parts);
    if let Some(place) = source.bf16_in_place().filter(|place| is_natural(side, place)) {
        // SAFETY: the caller's promise; the part is in the operand.
        return each_group(side, place, lines, depths, |first, group| unsafe {
            let group = Group { to: to.wrapping_add(first / BLOCK * group_len), ..group };
            match side {
                Side::Left => copy_left(&group),
                Side::Right => copy_right(&group),
            }
        });
    }
    // SAFETY: the caller's promise; the part is in the operand, or in the scratch.
    let split = |first: usize, group: Group<f32>| unsafe {
        split_group(side, parts, &Group { to: to.wrapping_add(first / BLOCK * group_len), ..group })
    };
    if let Some(place) = source.in_place().filter(|place| is_natural(side, place)) {
        return each_group(side, place, lines, depths, split);
    }
    with_scratch(lines.len().next_multiple_of(BLOCK) * count, |scratch: *mut f32| {
        // SAFETY: there is room for whole groups.
        unsafe {
            match side {
                Side::Left => source.pack_lines(lines.clone(), depths.clone(), scratch),
                Side::Right => source.pack_groups(lines.clone(), depths.clone(), BLOCK, scratch),
            }
        }
        // What was packed begins with the first line and depth.
        let (line, depth) = match side {
            Side::Left => (count as isize, 1),
            Side::Right => (1, BLOCK as isize),
        };
        let mut greatest = 0;
        for first in (0..lines.len()).step_by(BLOCK) {
            let place = InPlace { start: scratch.cast_const().wrapping_add(first * count), line, depth };
            let group = first..lines.len().min(first + BLOCK);
            let bits = each_group(side, place, &(0..group.len()), &(0..count), |_, group| split(first, group));
            greatest = greatest.max(bits);
        }
        greatest
    })
}

/// Whether a group is read along memory.
fn is_natural<E>(side: Side, place: &InPlace<E>) -> bool {
    match side {
        Side::Left => place.depth == 1,
        Side::Right => place.line == 1,
    }
}

/// Calls `each` with the first line of every group and the group, which has no target yet, and says the greatest of what it says.
fn each_group<E>(
    side: Side,
    place: InPlace<E>,
    lines: &Range<usize>,
    depths: &Range<usize>,
    each: impl Fn(usize, Group<E>) -> u32,
) -> u32 {
    let start = place.start.wrapping_offset(lines.start as isize * place.line + depths.start as isize * place.depth);
    let groups = (0..lines.len()).step_by(BLOCK).map(|first| {
        let group = Group {
            from: start.wrapping_offset(first as isize * place.line),
            stride: match side {
                Side::Left => place.line,
                Side::Right => place.depth,
            },
            lines: BLOCK.min(lines.len() - first),
            depths: depths.len(),
            to: std::ptr::null_mut(),
        };
        each(first, group)
    });
    groups.max().unwrap_or(0)
}

/// # Safety
/// As for [`split`].
unsafe fn split_group(side: Side, parts: usize, group: &Group<f32>) -> u32 {
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

/// Asks for what a step later is in the place of two depths: neighbouring depths are in different pages, which the processor does not foresee.
#[inline]
#[target_feature(enable = "avx512f")]
fn fetch<T>(from: *const T, stride: isize) {
    for depth in [STEP as isize, STEP as isize + 1] {
        _mm_prefetch::<_MM_HINT_T0>(from.wrapping_offset(depth * stride).cast());
    }
}

/// The first `count` lanes.
fn mask(count: usize) -> u16 {
    ((1u32 << count.min(16)) - 1) as u16
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn split_left<const PARTS: usize>(group: &Group<f32>) -> u32 {
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
unsafe fn split_right<const PARTS: usize>(group: &Group<f32>) -> u32 {
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
                    fetch(from, group.stride);
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

/// The bits of the greatest magnitude of 32 `bf16`, as an `f32`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn greatest_bf16(x: __m512i) -> u32 {
    let (low, high) = (_mm512_slli_epi32::<16>(x), _mm512_and_si512(x, _mm512_set1_epi32(0xffff_0000_u32 as i32)));
    _mm512_reduce_max_epu32(_mm512_max_epu32(low, high))
}

/// The first `count` lanes of 32.
fn mask_bf16(count: usize) -> u32 {
    ((1u64 << count.min(32)) - 1) as u32
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn copy_left(group: &Group<bf16>) -> u32 {
    // SAFETY: the lanes that are on are in the group, and there is room for its steps.
    unsafe {
        let magnitude = _mm512_set1_epi16(0x7fff);
        let mut greatest = _mm512_setzero_si512();
        for step in 0..group.depths.div_ceil(STEP) {
            let on = mask_bf16(group.depths - step * STEP);
            let to = group.to.add(step * 2 * TILE);
            for line in 0..BLOCK {
                let from = group.from.wrapping_offset(line as isize * group.stride).wrapping_add(step * STEP);
                let x = _mm512_maskz_loadu_epi16(if line < group.lines { on } else { 0 }, from.cast());
                greatest = _mm512_max_epu16(greatest, _mm512_and_si512(x, magnitude));
                _mm512_storeu_si512(to.add(line * STEP).cast(), x);
            }
        }
        greatest_bf16(greatest)
    }
}

/// Lanes of two depths in turn, of the first and of the second 16 lines.
static TURNS: [[u16; 32]; 2] = {
    let mut turns = [[0; 32]; 2];
    let mut i = 0;
    while i < 64 {
        turns[i / 32][i % 32] = (i / 2 + i % 2 * 32) as u16;
        i += 1;
    }
    turns
};

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn copy_right(group: &Group<bf16>) -> u32 {
    // SAFETY: the lanes that are on are in the group, and there is room for its steps.
    unsafe {
        let order = [_mm512_loadu_si512(TURNS[0].as_ptr().cast()), _mm512_loadu_si512(TURNS[1].as_ptr().cast())];
        let magnitude = _mm512_set1_epi16(0x7fff);
        let mut greatest = _mm512_setzero_si512();
        let lines = mask_bf16(group.lines);
        for step in 0..group.depths.div_ceil(STEP) {
            let rest = group.depths - step * STEP;
            let to = group.to.add(step * 2 * TILE);
            for pair in 0..HALF {
                let on = |depth: usize| if depth < rest { lines } else { 0 };
                let from = group.from.wrapping_offset((step * STEP + 2 * pair) as isize * group.stride);
                fetch(from, group.stride);
                let low = _mm512_maskz_loadu_epi16(on(2 * pair), from.cast());
                let high = _mm512_maskz_loadu_epi16(on(2 * pair + 1), from.wrapping_offset(group.stride).cast());
                let both = _mm512_max_epu16(_mm512_and_si512(low, magnitude), _mm512_and_si512(high, magnitude));
                greatest = _mm512_max_epu16(greatest, both);
                for half in 0..2 {
                    let turn = _mm512_permutex2var_epi16(low, order[half], high);
                    _mm512_storeu_si512(to.add(half * TILE + pair * STEP).cast(), turn);
                }
            }
        }
        greatest_bf16(greatest)
    }
}

/// Lines that are written down one after the other, each `bf16` of the sums in a plane of its own.
pub(super) struct Lines {
    pub(super) count: usize,
    /// A multiple of [`STEP`].
    pub(super) depths: usize,
    pub(super) to: *mut u16,
    pub(super) plane: usize,
}

/// Splits lines whose depths are neighbours, and says the bits of the greatest magnitude.
///
/// # Safety
/// The lines are valid memory, `stride` elements apart, and there is room for them in each plane; the machine has AVX-512.
pub(super) unsafe fn split_lines(parts: usize, from: *const f32, stride: isize, lines: &Lines) -> u32 {
    // SAFETY: the caller's promise.
    unsafe {
        match parts {
            1 => split_planes::<1>(from, stride, lines),
            2 => split_planes::<2>(from, stride, lines),
            _ => split_planes::<3>(from, stride, lines),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn split_planes<const PARTS: usize>(from: *const f32, stride: isize, lines: &Lines) -> u32 {
    let upper: [u16; 32] = std::array::from_fn(|i| 2 * i as u16 + 1);
    // SAFETY: the caller's promise.
    unsafe {
        let upper = _mm512_loadu_si512(upper.as_ptr().cast());
        let mut greatest = _mm512_setzero_si512();
        for line in 0..lines.count {
            let from = from.wrapping_offset(line as isize * stride);
            for depth in (0..lines.depths).step_by(STEP) {
                let (mut low, mut high) = (_mm512_loadu_ps(from.add(depth)), _mm512_loadu_ps(from.add(depth + HALF)));
                greatest = _mm512_max_epu32(greatest, _mm512_max_epu32(magnitude(low), magnitude(high)));
                for i in 0..PARTS {
                    let ((x, low_rest), (y, high_rest)) = (part(low), part(high));
                    (low, high) = (low_rest, high_rest);
                    let to = lines.to.add(i * lines.plane + line * lines.depths + depth);
                    _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi16(x, upper, y));
                }
            }
        }
        _mm512_reduce_max_epu32(greatest)
    }
}
