//! The greatest elements of rows.
//!
//! A row is read once, and what is less than the least of the k greatest so far is not kept. A few greatest are kept in order; otherwise
//! the least is known whenever twice as many have been kept.

use std::cell::RefCell;
use std::cmp::Reverse;

use rjax_kernel::kir;
use rjax_runtime::parallel_for;

use super::sort::ranks;

/// How many elements one part of the work has at least.
const PART: usize = 4096;
/// So many are kept in order.
const FEW: usize = 8;
/// At least so many elements are kept between two looks at what is least.
const KEPT: usize = 64;

thread_local! {
    /// Ranks and positions of a row, kept from one call to the next.
    static ROW: RefCell<Vec<(u64, Reverse<u32>)>> = const { RefCell::new(Vec::new()) };
}

/// Writes the `k` greatest elements of each row and their positions.
///
/// # Safety
/// The arrays have the extents that the task says, and the results do not overlap the source.
pub(super) unsafe extern "C" fn top_k(task: &kir::TopK, source: *const u8, values: *mut u8, indices: *mut i32) {
    let &kir::TopK { dtype, rows, extent, k, .. } = task;
    if k == 0 {
        return;
    }
    let size = dtype.size();
    let (source, values, indices) = (source as usize, values as usize, indices as usize);
    let rows_between = |begin: usize, end: usize| {
        ROW.with_borrow_mut(|entries| {
            for row in begin..end {
                entries.clear();
                // SAFETY: the row is one of the source's, and the results have k elements for it.
                unsafe {
                    let elements = (source as *const u8).add(row * extent * size);
                    if k <= FEW {
                        first_few(task, elements, entries);
                    } else {
                        first_many(task, elements, entries);
                    }
                    for (i, &(_, Reverse(position))) in entries.iter().enumerate() {
                        let place = row * k + i;
                        let element = elements.add(position as usize * size);
                        (values as *mut u8).add(place * size).copy_from_nonoverlapping(element, size);
                        *(indices as *mut i32).add(place) = position as i32;
                    }
                }
            }
        });
    };
    parallel_for(rows, PART.div_ceil(extent.max(1)), &rows_between);
}

/// The greatest elements of a row in order, each new one put in its place.
///
/// # Safety
/// The elements of the row are valid memory.
unsafe fn first_few(task: &kir::TopK, elements: *const u8, entries: &mut Vec<(u64, Reverse<u32>)>) {
    let &kir::TopK { dtype, extent, k, .. } = task;
    let (mut position, mut needed) = (0, 0);
    // SAFETY: the caller's promise.
    unsafe {
        ranks::<true>(dtype, elements, 1, extent, |rank| {
            if rank >= needed {
                // Behind its equals: of these the first one counts.
                let place = entries.iter().take_while(|entry| entry.0 >= rank).count();
                if place < k {
                    entries.truncate(k - 1);
                    entries.insert(place, (rank, Reverse(position)));
                }
                if entries.len() == k {
                    needed = entries[k - 1].0.saturating_add(1);
                }
            }
            position += 1;
        });
    }
}

/// The greatest elements of a row in order, sorted at last.
///
/// # Safety
/// As for [`first_few`].
unsafe fn first_many(task: &kir::TopK, elements: *const u8, entries: &mut Vec<(u64, Reverse<u32>)>) {
    let &kir::TopK { dtype, extent, k, .. } = task;
    let (mut position, mut needed) = (0, 0);
    let kept = (2 * k).max(KEPT);
    // SAFETY: the caller's promise.
    unsafe {
        ranks::<true>(dtype, elements, 1, extent, |rank| {
            if rank >= needed {
                entries.push((rank, Reverse(position)));
                if entries.len() == kept {
                    greatest(entries, k);
                    // Of equal elements the first one counts.
                    needed = entries[k - 1].0.saturating_add(1);
                }
            }
            position += 1;
        });
    }
    greatest(entries, k);
    entries.sort_unstable_by(|a, b| b.cmp(a));
}

/// Leaves the k greatest entries, of which the last one is the least.
fn greatest(entries: &mut Vec<(u64, Reverse<u32>)>, k: usize) {
    if k < entries.len() {
        entries.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
        entries.truncate(k);
    }
}
