//! Integers sorted digit by digit, the lowest first, keeping the order of equals.
//!
//! For each digit the entries are counted and then moved to where their value begins. Long lines are cut into parts that are counted
//! and moved at the same time: an entry's place depends on the values and on what is before it, not on who moves it.

use rjax_runtime::parallel_for;

/// Lines of at least this many entries have longer digits, of which there are fewer.
const LONG_LINE: usize = 1 << 14;
const SHORT_DIGIT: u32 = 8;
const LONG_DIGIT: u32 = 11;
/// How many entries a part of a line has.
const PART: usize = 1 << 17;

/// An integer with digits.
pub(super) trait Entry: Copy + Default + Send + Sync {
    fn shifted(self, bits: u32) -> usize;
}

impl Entry for u32 {
    fn shifted(self, bits: u32) -> usize {
        (self >> bits) as usize
    }
}

impl Entry for u64 {
    fn shifted(self, bits: u32) -> usize {
        (self >> bits) as usize
    }
}

/// A pointer that parts of the work, which write different elements, may share.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(pub(super) *mut T);

// SAFETY: whoever makes one sees to it that no two threads write the same element.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// The element exists and no other thread has it.
    pub(super) unsafe fn put(&self, at: usize, value: T) {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(at).write(value) };
    }
}

/// Sorts entries by `bits` bits from bit `first` on. `other` is memory for as many.
pub(super) fn sort<E: Entry>(entries: &mut Vec<E>, other: &mut Vec<E>, first: u32, bits: u32) {
    let len = entries.len();
    let digit = if len < LONG_LINE { SHORT_DIGIT } else { LONG_DIGIT };
    let passes = bits.div_ceil(digit);
    let digit = bits.div_ceil(passes);
    let values = 1usize << digit;
    let parts = len.div_ceil(PART).max(1);
    // What is in it does not matter.
    other.resize(len, E::default());
    let mut places = vec![0u32; parts * values];
    for pass in 0..passes {
        let shift = first + pass * digit;
        let of = |entry: E| entry.shifted(shift) & (values - 1);
        places.fill(0);
        let counts = Shared(places.as_mut_ptr());
        let source = &entries[..];
        let part_of = |part: usize| &source[part * PART..len.min((part + 1) * PART)];
        parallel_for(parts, 1, &|begin, end| {
            for part in begin..end {
                let mut own = vec![0u32; values];
                part_of(part).iter().for_each(|&entry| own[of(entry)] += 1);
                for (value, count) in own.into_iter().enumerate() {
                    // SAFETY: the counts of a part are its own.
                    unsafe { counts.put(part * values + value, count) };
                }
            }
        });
        if !begin_values(&mut places, values, len) {
            continue;
        }
        let target = Shared(other.as_mut_ptr());
        let places = &places;
        parallel_for(parts, 1, &|begin, end| {
            for part in begin..end {
                let mut next = places[part * values..][..values].to_vec();
                for &entry in part_of(part) {
                    let place = &mut next[of(entry)];
                    // SAFETY: places are counted, so that each of the `len` elements belongs to one entry.
                    unsafe { target.put(*place as usize, entry) };
                    *place += 1;
                }
            }
        });
        std::mem::swap(entries, other);
    }
}

/// Turns how often each part has each value into where its entries of that value begin. Says whether there are several values.
fn begin_values(counts: &mut [u32], values: usize, len: usize) -> bool {
    let mut begin = 0;
    let mut several = true;
    for value in 0..values {
        let before = begin;
        for count in counts[value..].iter_mut().step_by(values) {
            let own = *count;
            *count = begin;
            begin += own;
        }
        several &= (begin - before) as usize != len;
    }
    several
}
