//! Recycled scratch memory for packing.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ptr::NonNull;

/// Scratch begins at a cache line.
const ALIGN: usize = 64;

/// A growing block of uninitialised memory.
struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

impl Block {
    const EMPTY: Block = Block { start: NonNull::dangling(), bytes: 0 };

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, ALIGN).expect("scratch is smaller than the address space")
    }

    fn grow(&mut self, bytes: usize) {
        if bytes <= self.bytes {
            return;
        }
        let layout = Block::layout(bytes.next_multiple_of(4096));
        // SAFETY: the layout is not empty, because `bytes` is above 0.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        *self = Block { start, bytes: layout.size() };
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: a block that is not empty was allocated with this layout in `grow`.
            unsafe { dealloc(self.start.as_ptr(), Block::layout(self.bytes)) };
        }
    }
}

thread_local! {
    /// Blocks that are not in use. Calls nest (a widened product packs inside), so there may be several.
    static FREE: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with room for `count` uninitialised elements, aligned to a cache line.
pub(super) fn with_scratch<T, R>(count: usize, work: impl FnOnce(*mut T) -> R) -> R {
    let mut block = FREE.with_borrow_mut(|free| free.pop()).unwrap_or(Block::EMPTY);
    block.grow(count * size_of::<T>());
    let result = work(if block.bytes == 0 { ALIGN as *mut T } else { block.start.as_ptr().cast() });
    FREE.with_borrow_mut(|free| free.push(block));
    result
}
