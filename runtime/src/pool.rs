//! Blocks of host memory, recycled.
//!
//! Asking the system for a large block costs a page fault for every 4 KiB that is touched, which for big arrays takes longer
//! than computing them. Freed blocks are therefore kept by size class and handed out again, and large ones are
//! advised to use huge pages. All memory handed out is initialised (with zeros or with stale values), so that
//! reading a block as bytes is always defined.

#![allow(unsafe_code)]

#[cfg(unix)]
mod guard;

#[cfg(unix)]
pub use guard::guarded;

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::sync::Mutex;

/// Alignment of every block: a cache line, and the widest vector register.
pub(crate) const ALIGN: usize = 64;
/// Blocks from this size on are mapped by themselves, aligned to and advised to use huge pages.
const HUGE: usize = 4 << 20;
#[cfg(unix)]
const HUGE_PAGE: usize = 2 << 20;
/// Freed blocks are kept up to this total; what comes beyond goes back to the system.
const KEEP_BYTES: usize = 4 << 30;

/// A block of initialised memory of its size class, aligned to [`ALIGN`]; returns to the pool on drop.
pub(crate) struct Block {
    start: NonNull<u8>,
    class: usize,
    /// The mapping, for blocks between guard pages.
    #[cfg(unix)]
    guarded: Option<guard::Guarded>,
}

// SAFETY: a block owns its memory; nothing else points into it.
unsafe impl Send for Block {}
// SAFETY: shared access to a block only reads.
unsafe impl Sync for Block {}

impl Block {
    /// A block of at least `bytes` bytes, from the pool if one is free. Contents are unspecified but initialised.
    pub(crate) fn new(bytes: usize) -> Block {
        let class = size_class(bytes);
        #[cfg(unix)]
        if let Some(guarded) = guard::Guarded::new(bytes) {
            let start = NonNull::new(guarded.start()).expect("mmap succeeded");
            return Block { start, class, guarded: Some(guarded) };
        }
        let mut pool = POOL.lock();
        pool.stats.live_bytes += class;
        pool.stats.peak_bytes = pool.stats.peak_bytes.max(pool.stats.live_bytes);
        let recycled = pool.free.iter_mut().find(|(c, _)| *c == class).and_then(|(_, blocks)| blocks.pop());
        let start = match recycled {
            Some(Free(start)) => {
                pool.stats.kept_bytes -= class;
                start
            }
            None => {
                drop(pool);
                allocate(class)
            }
        };
        Block {
            start,
            class,
            #[cfg(unix)]
            guarded: None,
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        #[cfg(unix)]
        if self.guarded.is_some() {
            return;
        }
        let mut pool = POOL.lock();
        pool.stats.live_bytes -= self.class;
        if pool.stats.kept_bytes + self.class > KEEP_BYTES {
            drop(pool);
            // SAFETY: the block came from `allocate` with this class and is not used any more.
            unsafe { deallocate(self.start, self.class) };
            return;
        }
        pool.stats.kept_bytes += self.class;
        match pool.free.iter_mut().find(|(c, _)| *c == self.class) {
            Some((_, blocks)) => blocks.push(Free(self.start)),
            None => pool.free.push((self.class, vec![Free(self.start)])),
        }
    }
}

/// Whether every block is by itself; only where there are protected pages.
#[cfg(not(unix))]
pub fn guarded() -> bool {
    false
}

/// How many bytes the pool holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// In buffers that are alive.
    pub live_bytes: usize,
    /// The greatest value of `live_bytes` so far.
    pub peak_bytes: usize,
    /// In freed blocks kept for reuse.
    pub kept_bytes: usize,
}

/// What the buffer pool holds now.
pub fn pool_stats() -> PoolStats {
    POOL.lock().stats
}

/// Gives the blocks that no buffer uses back to the system.
pub fn release_unused() {
    let free = {
        let mut pool = POOL.lock();
        pool.stats.kept_bytes = 0;
        std::mem::take(&mut pool.free)
    };
    for (class, blocks) in free {
        for Free(start) in blocks {
            // SAFETY: free blocks came from `allocate` with their class, and nobody else has them any more.
            unsafe { deallocate(start, class) };
        }
    }
}

struct Free(NonNull<u8>);

// SAFETY: a free block is owned by the pool alone.
unsafe impl Send for Free {}

/// The free blocks by class. Programs use few classes, so that a linear search beats a map.
struct Pool {
    free: Vec<(usize, Vec<Free>)>,
    stats: PoolStats,
}

static POOL: Mutex<Pool> =
    Mutex::new(Pool { free: Vec::new(), stats: PoolStats { live_bytes: 0, peak_bytes: 0, kept_bytes: 0 } });

/// The size of the block that serves `bytes`: four classes to every doubling, so at most a quarter is wasted.
fn size_class(bytes: usize) -> usize {
    if bytes <= ALIGN {
        return ALIGN;
    }
    let step = (bytes.next_power_of_two() / 8).max(ALIGN);
    bytes.div_ceil(step) * step
}

#[cfg(unix)]
fn allocate(class: usize) -> NonNull<u8> {
    if class < HUGE {
        return allocate_small(class);
    }
    let total = class + HUGE_PAGE;
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no other memory.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            total,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        handle_alloc_error(Layout::from_size_align(class, ALIGN).expect("a class is a multiple of the alignment"));
    }
    let base = base as usize;
    let start = base.next_multiple_of(HUGE_PAGE);
    let end = start + class.next_multiple_of(PAGE);
    // SAFETY: both ranges lie in the mapping made above, on page boundaries, outside the block.
    unsafe {
        if start > base {
            libc::munmap(base as *mut _, start - base);
        }
        if base + total > end {
            libc::munmap(end as *mut _, base + total - end);
        }
        #[cfg(target_os = "linux")]
        libc::madvise(start as *mut _, end - start, libc::MADV_HUGEPAGE);
    }
    NonNull::new(start as *mut u8).expect("mmap succeeded")
}

/// Mappings are trimmed to this; every page size in use divides it.
#[cfg(unix)]
const PAGE: usize = 64 << 10;

/// # Safety
/// `start` came from `allocate(class)` and is not used any more.
#[cfg(unix)]
unsafe fn deallocate(start: NonNull<u8>, class: usize) {
    if class < HUGE {
        // SAFETY: as this function's contract says.
        unsafe { deallocate_small(start, class) };
    } else {
        // SAFETY: the mapping has exactly this extent since `allocate` trimmed it.
        unsafe { libc::munmap(start.as_ptr().cast(), class.next_multiple_of(PAGE)) };
    }
}

#[cfg(not(unix))]
fn allocate(class: usize) -> NonNull<u8> {
    allocate_small(class)
}

/// # Safety
/// `start` came from `allocate(class)` and is not used any more.
#[cfg(not(unix))]
unsafe fn deallocate(start: NonNull<u8>, class: usize) {
    // SAFETY: as this function's contract says.
    unsafe { deallocate_small(start, class) }
}

fn allocate_small(class: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(class, ALIGN).expect("a class is a multiple of the alignment");
    // SAFETY: a class is never 0.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// # Safety
/// `start` came from `allocate_small(class)` and is not used any more.
unsafe fn deallocate_small(start: NonNull<u8>, class: usize) {
    let layout = Layout::from_size_align(class, ALIGN).expect("a class is a multiple of the alignment");
    // SAFETY: this is the layout it was allocated with.
    unsafe { dealloc(start.as_ptr(), layout) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_sizes_with_little_waste() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, (5 << 20) + 12345]) {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(ALIGN));
            assert!(class <= ALIGN.max(bytes + bytes / 4 + ALIGN), "{bytes} -> {class}");
            assert_eq!(size_class(class), class);
        }
    }

    #[test]
    fn blocks_are_aligned_writable_and_recycled() {
        for bytes in [1, 64, 1000, HUGE, 3 * HUGE + 5] {
            let block = Block::new(bytes);
            assert_eq!(block.as_ptr() as usize % ALIGN, 0);
            // SAFETY: the block has at least `bytes` bytes.
            unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), bytes) }.fill(7);
        }
        // A class that no other test uses, so that its one free block must come back.
        let first = Block::new(11 * HUGE).as_ptr() as usize;
        assert_eq!(Block::new(11 * HUGE - 1).as_ptr() as usize, first);
        release_unused();
    }
}
