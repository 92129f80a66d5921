//! Memory for constants, and for the arguments of calls on host values.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use rjax_kernel::kir::ALIGNMENT;

/// A block of zeroed memory at the alignment that KIR asks for.
pub(crate) struct Block {
    start: NonNull<u8>,
    layout: Layout,
    len: usize,
}

// SAFETY: a block owns its memory.
unsafe impl Send for Block {}
// SAFETY: shared access only reads.
unsafe impl Sync for Block {}

impl Block {
    pub(crate) fn new(len: usize) -> Block {
        let layout = Layout::from_size_align(len.max(1), ALIGNMENT).expect("blocks are smaller than the address space");
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        Block { start, layout, len }
    }

    pub(crate) fn of(bytes: &[u8]) -> Block {
        let mut block = Block::new(bytes.len());
        block.as_bytes_mut().copy_from_slice(bytes);
        block
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        // SAFETY: the block has `len` bytes, initialised by the allocation.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
