//! Recycled scratch memory for packing.

use std::cell::RefCell;

use bytemuck::Pod;
use rjax_ir::{Aval, DType};
use rjax_runtime::{Buffer, guarded};

/// Blocks of more bytes are as large as the runtime needs them to be to take huge pages for them: packed operands are gone through again and
/// again, and with small pages the addresses are looked up as often.
const LARGE: usize = 256 << 10;
const HUGE: usize = 4 << 20;

thread_local! {
    /// Blocks that are not in use. Calls nest (a widened product packs inside), so there may be several.
    static FREE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with room for `count` elements of unspecified value, aligned to a cache line.
pub(crate) fn with_scratch<T, R>(count: usize, work: impl FnOnce(*mut T) -> R) -> R {
    let bytes = count * size_of::<T>();
    if guarded() {
        return work(Buffer::new(Aval::new(DType::U8, [bytes])).as_bytes_mut().as_mut_ptr().cast());
    }
    let bytes = if bytes > LARGE { bytes.next_multiple_of(HUGE) } else { bytes.next_multiple_of(4096) };
    // The smallest that is large enough, so that large ones are left for others.
    let fitting = FREE.with_borrow_mut(|free| {
        let fitting = (0..free.len()).filter(|&i| free[i].as_bytes().len() >= bytes);
        fitting.min_by_key(|&i| free[i].as_bytes().len()).map(|i| free.swap_remove(i))
    });
    let mut block = fitting.unwrap_or_else(|| Buffer::new(Aval::new(DType::U8, [bytes])));
    let result = work(block.as_bytes_mut().as_mut_ptr().cast());
    FREE.with_borrow_mut(|free| {
        free.push(block);
        if free.len() > KEPT {
            let smallest = (0..free.len()).min_by_key(|&i| free[i].as_bytes().len()).expect("there are some");
            free.swap_remove(smallest);
        }
    });
    result
}

/// Calls `work` with `count` numbers of unspecified value.
pub(crate) fn with_numbers<T: Pod>(count: usize, work: impl FnOnce(&mut [T])) {
    // SAFETY: the bytes of a buffer are initialised, aligned to a cache line, and in use here only; any bytes are a number.
    with_scratch(count, |start: *mut T| work(unsafe { std::slice::from_raw_parts_mut(start, count) }));
}

/// How many blocks a thread keeps.
const KEPT: usize = 6;
