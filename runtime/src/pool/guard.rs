//! Guard pages: with `RJAX_GUARD` set, every block has a mapping of its own with protected pages around it, so that an access out
//! of bounds ends the process at the instruction that makes it.
//!
//! `RJAX_GUARD=after` (or `1`) lets blocks end where a protected page begins, `RJAX_GUARD=before` lets them begin where one ends.
//! Blocks are aligned as ever, so up to 63 bytes may lie between the end of a block and the page after it: these are filled, and
//! checked when the block is freed. Nothing is recycled, so that freed memory is protected as well, and new memory is filled
//! with ones (NaN, for floats), so that a result shows what it was computed from before it was written.
//!
//! `RJAX_GUARD=heap` takes every block from the allocator, as large as it was asked for, and gives it back: AddressSanitizer and its like
//! then know where each begins and ends.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::sync::LazyLock;

use super::ALIGN;

/// Where blocks touch protected memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Before,
    After,
}

/// What separates blocks from each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Guard {
    Pages(Side),
    /// Whatever the allocator puts between them.
    Heap,
}

static GUARD: LazyLock<Option<Guard>> = LazyLock::new(|| match std::env::var("RJAX_GUARD").as_deref() {
    Ok("before") => Some(Guard::Pages(Side::Before)),
    Ok("heap") => Some(Guard::Heap),
    Ok("" | "0") | Err(_) => None,
    Ok(_) => Some(Guard::Pages(Side::After)),
});

/// Whether every block is by itself, so that accesses out of bounds are found: then memory should not be shared, rounded up or kept.
pub fn guarded() -> bool {
    GUARD.is_some()
}

const FILL: u8 = 0xff;

/// A block by itself.
pub(super) struct Guarded {
    /// Address and extent of its mapping, which has a protected page at each end, unless it is of the heap.
    mapping: Option<(usize, usize)>,
    start: usize,
    bytes: usize,
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes.max(1), ALIGN).expect("a block is smaller than the address space")
}

impl Guarded {
    /// Memory for so many bytes, if the environment asks for guards.
    pub(super) fn new(bytes: usize) -> Option<Guarded> {
        (*GUARD).map(|guard| Guarded::with(guard, bytes))
    }

    fn with(guard: Guard, bytes: usize) -> Guarded {
        match guard {
            Guard::Pages(side) => Guarded::mapped(side, bytes),
            Guard::Heap => Guarded::on_heap(bytes),
        }
    }

    fn on_heap(bytes: usize) -> Guarded {
        let layout = layout(bytes);
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: the memory was allocated with this size.
        unsafe { std::ptr::write_bytes(start, FILL, layout.size()) };
        Guarded { mapping: None, start: start as usize, bytes }
    }

    fn mapped(side: Side, bytes: usize) -> Guarded {
        // SAFETY: asking for a number has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let inner = bytes.max(1).next_multiple_of(page);
        let total = inner + 2 * page;
        // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no other memory.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), total, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        assert!(base != libc::MAP_FAILED, "RJAX_GUARD: no memory for a block of {bytes} bytes");
        let first = base as usize + page;
        // SAFETY: the pages lie within the mapping; filling them is writing to memory that nobody else has.
        unsafe {
            let opened = libc::mprotect(first as *mut _, inner, libc::PROT_READ | libc::PROT_WRITE);
            assert!(opened == 0, "RJAX_GUARD: cannot open a block of {bytes} bytes");
            std::ptr::write_bytes(first as *mut u8, FILL, inner);
        }
        let start = match side {
            Side::Before => first,
            Side::After => first + inner - bytes.next_multiple_of(ALIGN),
        };
        Guarded { mapping: Some((base as usize, total)), start, bytes }
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.start as *mut u8
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let Some((base, total)) = self.mapping else {
            // SAFETY: the memory came from the allocator with this layout, and the block is not used any more.
            unsafe { dealloc(self.start as *mut u8, layout(self.bytes)) };
            return;
        };
        let end = self.start + self.bytes;
        // SAFETY: up to the next multiple of the alignment the memory is the block's.
        let slack = unsafe { std::slice::from_raw_parts(end as *const u8, end.next_multiple_of(ALIGN) - end) };
        let intact = slack.iter().all(|&byte| byte == FILL) || self.bytes == 0;
        // SAFETY: the mapping was made with this extent, and the block is not used any more.
        unsafe { libc::munmap(base as *mut _, total) };
        if !intact {
            eprintln!("RJAX_GUARD: something wrote behind a block of {} bytes", self.bytes);
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_writable_and_touch_protected_pages() {
        // SAFETY: asking for a number has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        for bytes in [0, 1, 63, 64, 4096, 5000] {
            for guard in [Guard::Pages(Side::Before), Guard::Pages(Side::After), Guard::Heap] {
                let block = Guarded::with(guard, bytes);
                assert!(block.start.is_multiple_of(ALIGN));
                // SAFETY: the block has so many bytes.
                unsafe { std::slice::from_raw_parts_mut(block.start(), bytes) }.fill(7);
                let edge = match guard {
                    Guard::Pages(Side::Before) => block.start,
                    Guard::Pages(Side::After) => block.start + bytes.next_multiple_of(ALIGN),
                    Guard::Heap => continue,
                };
                assert!(edge.is_multiple_of(page), "{guard:?}, {bytes} bytes");
            }
        }
    }
}
