//! Packs arrays with known lifetimes into one block of memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::kir::ALIGNMENT;

/// Offsets for blocks of `(bytes, first step, last step)`, and the size of the whole. Blocks whose lives overlap do not
/// overlap in memory. The smallest free gap that is large enough is taken; the arena grows only where there is none.
pub(super) fn pack(blocks: impl Iterator<Item = (usize, usize, usize)>) -> (Vec<usize>, usize) {
    let blocks: Vec<(usize, usize, usize)> =
        blocks.map(|(bytes, first, last)| (bytes.next_multiple_of(ALIGNMENT), first, last)).collect();
    let mut order: Vec<usize> = (0..blocks.len()).filter(|&i| blocks[i].0 > 0).collect();
    order.sort_by_key(|&i| (blocks[i].1, Reverse(blocks[i].0), i));
    let mut offsets = vec![0; blocks.len()];
    let mut gaps = Gaps::default();
    let mut living: BinaryHeap<Reverse<(usize, usize)>> = BinaryHeap::new();
    let mut size = 0;
    for i in order {
        let (bytes, first, last) = blocks[i];
        while let Some(&Reverse((end, dead))) = living.peek() {
            if end >= first {
                break;
            }
            living.pop();
            gaps.add(offsets[dead], blocks[dead].0);
        }
        offsets[i] = gaps.take(bytes).unwrap_or_else(|| {
            // The gap at the end grows.
            let at = gaps.remove_ending_at(size).unwrap_or(size);
            size = at + bytes;
            at
        });
        living.push(Reverse((last, i)));
    }
    (offsets, size)
}

/// Free memory below the arena's current end.
#[derive(Default)]
struct Gaps {
    by_start: BTreeMap<usize, usize>,
    by_size: BTreeSet<(usize, usize)>,
}

impl Gaps {
    fn remove(&mut self, start: usize) -> Option<usize> {
        let size = self.by_start.remove(&start)?;
        self.by_size.remove(&(size, start));
        Some(size)
    }

    fn add(&mut self, mut start: usize, mut size: usize) {
        if let Some(next) = self.remove(start + size) {
            size += next;
        }
        let before = self.by_start.range(..start).next_back().map(|(&s, &n)| (s, n));
        if let Some((before, length)) = before
            && before + length == start
        {
            self.remove(before);
            start = before;
            size += length;
        }
        self.by_start.insert(start, size);
        self.by_size.insert((size, start));
    }

    fn take(&mut self, size: usize) -> Option<usize> {
        let &(found, start) = self.by_size.range((size, 0)..).next()?;
        self.remove(start);
        if found > size {
            self.add(start + size, found - size);
        }
        Some(start)
    }

    fn remove_ending_at(&mut self, end: usize) -> Option<usize> {
        let (&start, &size) = self.by_start.iter().next_back()?;
        if start + size != end {
            return None;
        }
        self.remove(start);
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn living_blocks_never_overlap() {
        let mut seed = 1u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let blocks: Vec<(usize, usize, usize)> = (0..300)
            .map(|_| {
                let first = random(100) as usize;
                (random(1000) as usize, first, first + random(20) as usize)
            })
            .collect();
        let (offsets, size) = pack(blocks.iter().copied());
        for (i, a) in blocks.iter().enumerate() {
            assert!(offsets[i] % ALIGNMENT == 0 && offsets[i] + a.0 <= size);
            for (j, b) in blocks.iter().enumerate().skip(i + 1) {
                let together = a.1 <= b.2 && b.1 <= a.2 && a.0 > 0 && b.0 > 0;
                let apart = offsets[i] + a.0 <= offsets[j] || offsets[j] + b.0 <= offsets[i];
                assert!(!together || apart, "{a:?} at {} and {b:?} at {}", offsets[i], offsets[j]);
            }
        }
        let total: usize = blocks.iter().map(|b| b.0.next_multiple_of(ALIGNMENT)).sum();
        assert!(size < total / 2, "memory is used again: {size} of {total}");
    }
}
