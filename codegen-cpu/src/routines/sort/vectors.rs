//! Integers sorted by vectors of AVX-512: a quicksort that moves sixteen at a time.
//!
//! Counting digits costs several steps an element for each digit, one after the other where an element's place depends on the last one's.
//! Here a range is divided at a pivot by compressing vectors, from one of two buffers into the other; ranges of a few vectors are
//! sorted in registers by networks. Ranges of one level are divided by several threads. The result is the same whoever does it: entries that
//! are equal are the same.

use std::arch::x86_64::*;

use rjax_runtime::parallel_for;

use super::digits::Shared;
use crate::target::{Level, level};

/// Ranges of more entries are divided before threads share them: there should be many, for threads leave few to the one that calls.
const PART: usize = 1 << 13;
/// Vectors of a range that is sorted in registers.
const FEW: usize = 4;
/// Entries among which a pivot is the middle one.
const SAMPLE: usize = 16;

/// An unsigned integer with vectors of them.
pub(super) trait Entry: Copy + Ord + Default + Send + Sync {
    const LANES: usize;
    const MAX: Self;
    /// What [`Self::load`] reads from the first `count` lanes; the others are the greatest.
    unsafe fn load(from: *const Self, count: usize) -> __m512i;
    unsafe fn store(to: *mut Self, x: __m512i, count: usize);
    /// Lanes whose entries are below the pivot, or at most it.
    unsafe fn below<const OR_EQUAL: bool>(x: __m512i, pivot: Self) -> u16;
    unsafe fn compress(x: __m512i, lanes: u16) -> __m512i;
    unsafe fn least(x: __m512i, y: __m512i) -> __m512i;
    unsafe fn greatest(x: __m512i, y: __m512i) -> __m512i;
    /// Lane i from lane `i ^ distance`.
    unsafe fn exchanged<const DISTANCE: usize>(x: __m512i) -> __m512i;
    unsafe fn blend(lanes: u16, x: __m512i, y: __m512i) -> __m512i;
}

macro_rules! entry {
    ($T:ty, $lanes:literal, $Mask:ty, $load:ident, $store:ident, $set:ident, $lt:ident, $le:ident, $compress:ident, $min:ident, $max:ident, $permute:ident, $blend:ident) => {
        impl Entry for $T {
            const LANES: usize = $lanes;
            const MAX: $T = <$T>::MAX;

            #[inline(always)]
            unsafe fn load(from: *const $T, count: usize) -> __m512i {
                // SAFETY: the caller's promise: the processor has AVX-512, and these entries exist. So it is below.
                unsafe { $load(_mm512_set1_epi64(-1), first(count) as $Mask, from.cast()) }
            }

            #[inline(always)]
            unsafe fn store(to: *mut $T, x: __m512i, count: usize) {
                // SAFETY: as above.
                unsafe { $store(to.cast(), first(count) as $Mask, x) }
            }

            #[inline(always)]
            unsafe fn below<const OR_EQUAL: bool>(x: __m512i, pivot: $T) -> u16 {
                // SAFETY: as above.
                unsafe {
                    let pivot = $set(pivot as _);
                    (if OR_EQUAL { $le(x, pivot) } else { $lt(x, pivot) }) as u16
                }
            }

            #[inline(always)]
            unsafe fn compress(x: __m512i, lanes: u16) -> __m512i {
                // SAFETY: as above.
                unsafe { $compress(lanes as $Mask, x) }
            }

            #[inline(always)]
            unsafe fn least(x: __m512i, y: __m512i) -> __m512i {
                // SAFETY: as above.
                unsafe { $min(x, y) }
            }

            #[inline(always)]
            unsafe fn greatest(x: __m512i, y: __m512i) -> __m512i {
                // SAFETY: as above.
                unsafe { $max(x, y) }
            }

            #[inline(always)]
            unsafe fn exchanged<const DISTANCE: usize>(x: __m512i) -> __m512i {
                const { assert!(DISTANCE < $lanes) };
                let lanes: [$T; $lanes] = std::array::from_fn(|i| (i ^ DISTANCE) as $T);
                // SAFETY: as above; the array has the size of a vector.
                unsafe { $permute(std::mem::transmute::<[$T; $lanes], __m512i>(lanes), x) }
            }

            #[inline(always)]
            unsafe fn blend(lanes: u16, x: __m512i, y: __m512i) -> __m512i {
                // SAFETY: as above.
                unsafe { $blend(lanes as $Mask, x, y) }
            }
        }
    };
}

#[rustfmt::skip]
entry!(u32, 16, u16, _mm512_mask_loadu_epi32, _mm512_mask_storeu_epi32, _mm512_set1_epi32, _mm512_cmplt_epu32_mask, _mm512_cmple_epu32_mask, _mm512_maskz_compress_epi32, _mm512_min_epu32, _mm512_max_epu32, _mm512_permutexvar_epi32, _mm512_mask_blend_epi32);
#[rustfmt::skip]
entry!(u64, 8, u8, _mm512_mask_loadu_epi64, _mm512_mask_storeu_epi64, _mm512_set1_epi64, _mm512_cmplt_epu64_mask, _mm512_cmple_epu64_mask, _mm512_maskz_compress_epi64, _mm512_min_epu64, _mm512_max_epu64, _mm512_permutexvar_epi64, _mm512_mask_blend_epi64);

/// The mask of the first lanes.
#[inline(always)]
fn first(count: usize) -> u16 {
    ((1u32 << count.min(16)) - 1) as u16
}

/// The lanes of which a bit of the number is set.
const fn lanes_with(bit: usize) -> u16 {
    let (mut mask, mut lane) = (0, 0);
    while lane < 16 {
        if lane & bit != 0 {
            mask |= 1 << lane;
        }
        lane += 1;
    }
    mask
}

/// Puts pairs of lanes in order: ascending, except where `DOWN` says otherwise.
macro_rules! step {
    ($E:ident, $x:expr, $distance:literal, $down:expr) => {{
        let other = $E::exchanged::<$distance>($x);
        $E::blend(const { lanes_with($distance) } ^ $down, $E::least($x, other), $E::greatest($x, other))
    }};
}

/// Sorts the lanes of a vector that first rise and then fall, or the other way round.
#[inline(always)]
unsafe fn merge_lanes<E: Entry>(x: __m512i) -> __m512i {
    // SAFETY: the caller's promise: the processor has AVX-512.
    unsafe {
        let x = if E::LANES == 16 { wide_step::<E>(x, 0) } else { x };
        let x = step!(E, x, 4, 0);
        let x = step!(E, x, 2, 0);
        step!(E, x, 1, 0)
    }
}

/// A step over half of sixteen lanes.
#[inline(always)]
unsafe fn wide_step<E: Entry>(x: __m512i, down: u16) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe {
        let other = _mm512_shuffle_i64x2::<0b01_00_11_10>(x, x);
        E::blend(const { lanes_with(8) } ^ down, E::least(x, other), E::greatest(x, other))
    }
}

/// Sorts the lanes of a vector.
#[inline(always)]
unsafe fn sort_lanes<E: Entry>(x: __m512i) -> __m512i {
    // SAFETY: the caller's promise: the processor has AVX-512.
    unsafe {
        let x = step!(E, x, 1, const { lanes_with(2) });
        let x = step!(E, x, 2, const { lanes_with(4) });
        let x = step!(E, x, 1, const { lanes_with(4) });
        if E::LANES == 8 {
            return merge_lanes::<E>(x);
        }
        let x = step!(E, x, 4, const { lanes_with(8) });
        let x = step!(E, x, 2, const { lanes_with(8) });
        let x = step!(E, x, 1, const { lanes_with(8) });
        merge_lanes::<E>(x)
    }
}

/// The lanes from last to first.
#[inline(always)]
unsafe fn reversed<E: Entry>(x: __m512i) -> __m512i {
    // SAFETY: the caller's promise: the processor has AVX-512.
    unsafe {
        if E::LANES == 16 {
            let lanes: [i32; 16] = std::array::from_fn(|i| 15 - i as i32);
            _mm512_permutexvar_epi32(std::mem::transmute::<[i32; 16], __m512i>(lanes), x)
        } else {
            let lanes: [i64; 8] = std::array::from_fn(|i| 7 - i as i64);
            _mm512_permutexvar_epi64(std::mem::transmute::<[i64; 8], __m512i>(lanes), x)
        }
    }
}

/// Sorts at most [`FEW`] vectors of entries from one buffer into another.
#[inline(always)]
unsafe fn sort_few<E: Entry>(from: *const E, to: *mut E, len: usize) {
    let count = |i: usize| len.saturating_sub(i * E::LANES);
    // SAFETY: the caller's promise: these entries exist in both buffers.
    unsafe {
        if len <= E::LANES {
            return E::store(to, sort_lanes::<E>(E::load(from, len)), len);
        }
        let mut x = [_mm512_setzero_si512(); FEW];
        for i in 0..FEW {
            x[i] = sort_lanes::<E>(E::load(from.wrapping_add(i * E::LANES), count(i)));
        }
        for i in [0, 2] {
            let other = reversed::<E>(x[i + 1]);
            (x[i], x[i + 1]) = (E::least(x[i], other), E::greatest(x[i], other));
            (x[i], x[i + 1]) = (merge_lanes::<E>(x[i]), merge_lanes::<E>(x[i + 1]));
        }
        if len > 2 * E::LANES {
            let (last, third) = (reversed::<E>(x[3]), reversed::<E>(x[2]));
            let low = [E::least(x[0], last), E::least(x[1], third)];
            let high = [E::greatest(x[0], last), E::greatest(x[1], third)];
            x = [
                E::least(low[0], low[1]),
                E::greatest(low[0], low[1]),
                E::least(high[0], high[1]),
                E::greatest(high[0], high[1]),
            ];
            for i in 0..FEW {
                x[i] = merge_lanes::<E>(x[i]);
            }
        }
        for i in 0..FEW {
            E::store(to.wrapping_add(i * E::LANES), x[i], count(i));
        }
    }
}

/// An entry near the middle of a range.
#[inline(always)]
unsafe fn pivot<E: Entry>(from: *const E, len: usize) -> E {
    let mut sample = [E::MAX; SAMPLE];
    for (i, x) in sample.iter_mut().enumerate().take(E::LANES) {
        // SAFETY: the caller's promise: the range has this many entries.
        *x = unsafe { *from.add((2 * i + 1) * len / (2 * E::LANES)) };
    }
    // SAFETY: the sample has as many entries as a vector at least.
    unsafe { E::store(sample.as_mut_ptr(), sort_lanes::<E>(E::load(sample.as_ptr(), E::LANES)), E::LANES) };
    sample[E::LANES / 2]
}

/// Where the next entries go that are below the pivot, and behind which the others go.
struct Gap {
    low: usize,
    high: usize,
}

impl Gap {
    /// Moves the first `count` lanes.
    #[inline(always)]
    unsafe fn fill<E: Entry, const OR_EQUAL: bool>(&mut self, from: *const E, to: *mut E, count: usize, pivot: E) {
        // SAFETY: the caller's promise: these entries exist, and the gap is as long as what was not moved yet, so that there is room for
        // lanes that mean nothing.
        unsafe {
            let x = E::load(from, count);
            let lanes = first(count);
            let below = E::below::<OR_EQUAL>(x, pivot) & lanes;
            let front = below.count_ones() as usize;
            E::store(to.add(self.low), E::compress(x, below), count);
            self.low += front;
            self.high -= count - front;
            E::store(to.add(self.high), E::compress(x, lanes & !below), count - front);
        }
    }
}

/// Moves the entries below the pivot, or at most it, to the front of another buffer and the others behind them; gives how many are in front.
#[inline(always)]
unsafe fn divide<E: Entry, const OR_EQUAL: bool>(from: *const E, to: *mut E, len: usize, pivot: E) -> usize {
    let mut gap = Gap { low: 0, high: len };
    let whole = len / E::LANES * E::LANES;
    for done in (0..whole).step_by(E::LANES) {
        // SAFETY: the caller's promise: these entries exist in both buffers.
        unsafe { gap.fill::<E, OR_EQUAL>(from.add(done), to, E::LANES, pivot) };
    }
    if whole < len {
        // SAFETY: as above.
        unsafe { gap.fill::<E, OR_EQUAL>(from.add(whole), to, len - whole, pivot) };
    }
    gap.low
}

/// A range whose entries are in the buffer where they end up, or in the other one.
#[derive(Clone, Copy)]
struct Range {
    begin: usize,
    len: usize,
    home: bool,
    /// How often it may still be divided before something is wrong with the pivots.
    depth: u32,
}

/// Where entries end up, and room for as many.
#[derive(Clone, Copy)]
struct Buffers<E> {
    home: *mut E,
    other: *mut E,
}

// SAFETY: ranges do not overlap, and each is one thread's at a time.
unsafe impl<E: Send> Sync for Buffers<E> {}

impl<E: Entry> Buffers<E> {
    fn of(&self, range: Range) -> (*mut E, *mut E) {
        let (from, to) = if range.home { (self.home, self.other) } else { (self.other, self.home) };
        (from.wrapping_add(range.begin), to.wrapping_add(range.begin))
    }

    /// Divides a range in two, but for entries that are where they belong.
    ///
    /// # Safety
    /// The processor has AVX-512, and the range is in both buffers and this thread's alone.
    #[target_feature(enable = "avx512f,popcnt,bmi2")]
    unsafe fn divided(&self, range: Range) -> [Range; 2] {
        let (from, to) = self.of(range);
        let Range { begin, len, home, depth } = range;
        // SAFETY: the caller's promise.
        unsafe {
            let pivot = pivot(from, len);
            let mut front = divide::<E, false>(from, to, len, pivot);
            let mut same = 0;
            if front == 0 {
                // The pivot is the least: all that equal it are done.
                front = divide::<E, true>(from, to, len, pivot);
                if home {
                    std::ptr::copy_nonoverlapping(to, from, front);
                }
                same = front;
            }
            [
                Range { begin, len: front - same, home: !home, depth: depth.saturating_sub(1) },
                Range { begin: begin + front, len: len - front, home: !home, depth: depth.saturating_sub(1) },
            ]
        }
    }

    /// Sorts a range.
    ///
    /// # Safety
    /// As for `divided`.
    #[target_feature(enable = "avx512f,popcnt,bmi2")]
    unsafe fn sort(&self, range: Range) {
        let (from, to) = self.of(range);
        let home = if range.home { from } else { to };
        // SAFETY: the caller's promise.
        unsafe {
            if range.len <= FEW * E::LANES {
                sort_few(from, home, range.len);
            } else if range.depth == 0 {
                if !range.home {
                    std::ptr::copy_nonoverlapping(from, to, range.len);
                }
                std::slice::from_raw_parts_mut(home, range.len).sort_unstable();
            } else {
                let [front, back] = self.divided(range);
                self.sort(front);
                self.sort(back);
            }
        }
    }
}

/// Sorts entries, if the processor can; says whether it did. `other` is memory for as many.
pub(super) fn sort<E: Entry>(entries: &mut [E], other: &mut Vec<E>) -> bool {
    let can = level() == Level::Avx512 && is_x86_feature_detected!("popcnt") && is_x86_feature_detected!("bmi2");
    if can {
        // SAFETY: as was just seen.
        unsafe { sort_here(entries, other) };
    }
    can
}

/// # Safety
/// The processor has AVX-512 F, and counts and shifts bits.
unsafe fn sort_here<E: Entry>(entries: &mut [E], other: &mut Vec<E>) {
    let len = entries.len();
    // What is in it does not matter.
    other.resize(len, E::default());
    let buffers = Buffers { home: entries.as_mut_ptr(), other: other.as_mut_ptr() };
    let whole = Range { begin: 0, len, home: true, depth: 2 * len.max(1).ilog2() };
    if len <= PART {
        // SAFETY: the caller's promise.
        return unsafe { buffers.sort(whole) };
    }
    let mut ranges = vec![whole];
    let is_long = |range: &Range| range.len > PART && range.depth > 0;
    // One level after the other, as long as there are long ranges.
    while ranges.iter().any(is_long) {
        let mut halves: Vec<[Range; 2]> = ranges.iter().map(|&range| [range, Range { len: 0, ..range }]).collect();
        let divided = Shared(halves.as_mut_ptr());
        parallel_for(ranges.len(), 1, &|begin, end| {
            for i in (begin..end).filter(|&i| is_long(&ranges[i])) {
                // SAFETY: the caller's promise; ranges of one level do not overlap, and each has a place of its own.
                unsafe { divided.put(i, buffers.divided(ranges[i])) };
            }
        });
        ranges = halves.into_iter().flatten().filter(|range| range.len > 0).collect();
    }
    parallel_for(ranges.len(), 1, &|begin, end| {
        // SAFETY: as above.
        ranges[begin..end].iter().for_each(|&range| unsafe { buffers.sort(range) });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of less than a vector, of several, and of more than one thread's range, in orders that pivots and equal entries make hard.
    #[test]
    fn entries_are_sorted() {
        let lengths = (0..70).chain([100, 127, 128, 129, 500, 5000, 3 * PART + 1]);
        for len in lengths {
            let mut state = 88_172_645_463_325_252_u64;
            let mut random = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            let pipe = |i: usize| i.min(len - i);
            let orders: [&mut dyn FnMut(usize) -> u64; 7] = [
                &mut |_| random(),
                &mut |i| i as u64 * 7 % 3,
                &mut |i| i as u64,
                &mut |i| (len - i) as u64,
                &mut |_| u64::MAX,
                &mut |i| if i.is_multiple_of(2) { u64::MAX } else { (i as u64) << 40 },
                &mut |i| pipe(i) as u64,
            ];
            for (number, order) in orders.into_iter().enumerate() {
                let mut long: Vec<u64> = (0..len).map(&mut *order).collect();
                let mut short: Vec<u32> = long.iter().map(|&x| x as u32 ^ (x >> 32) as u32).collect();
                let (mut long_expected, mut short_expected) = (long.clone(), short.clone());
                if !sort(&mut long, &mut Vec::new()) {
                    println!("not sorted: this machine has no AVX-512");
                    return;
                }
                sort(&mut short, &mut Vec::new());
                long_expected.sort_unstable();
                short_expected.sort_unstable();
                assert!(long == long_expected && short == short_expected, "{len} entries in order {number}");
            }
        }
    }
}
