//! Guard pages: with `RJAX_GUARD` set, every block has a mapping of its own with protected pages around it, so that an access out
//! of bounds ends the process at the instruction that makes it.
//!
//! `RJAX_GUARD=after` (or `1`) lets blocks end where a protected page begins, `RJAX_GUARD=before` lets them begin where one ends.
//! Blocks are aligned as ever, so up to 63 bytes may lie between the end of a block and the page after it: these are filled, and
//! checked when the block is freed. Nothing is recycled, so that freed memory is protected as well, and new memory is filled
//! with ones (NaN, for floats), so that a result shows what it was computed from before it was written.

use std::sync::LazyLock;

use super::ALIGN;

/// Where blocks touch protected memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Before,
    After,
}

static SIDE: LazyLock<Option<Side>> = LazyLock::new(|| match std::env::var("RJAX_GUARD").as_deref() {
    Ok("before") => Some(Side::Before),
    Ok("" | "0") | Err(_) => None,
    Ok(_) => Some(Side::After),
});

const FILL: u8 = 0xff;

/// A mapping with a protected page at each end.
pub(super) struct Guarded {
    base: usize,
    total: usize,
    start: usize,
    bytes: usize,
}

impl Guarded {
    /// Memory for so many bytes, if the environment asks for guard pages.
    pub(super) fn new(bytes: usize) -> Option<Guarded> {
        (*SIDE).map(|side| Guarded::at(side, bytes))
    }

    fn at(side: Side, bytes: usize) -> Guarded {
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
        Guarded { base: base as usize, total, start, bytes }
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.start as *mut u8
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let end = self.start + self.bytes;
        // SAFETY: up to the next multiple of the alignment the memory is the block's.
        let slack = unsafe { std::slice::from_raw_parts(end as *const u8, end.next_multiple_of(ALIGN) - end) };
        let intact = slack.iter().all(|&byte| byte == FILL) || self.bytes == 0;
        // SAFETY: the mapping was made with this extent, and the block is not used any more.
        unsafe { libc::munmap(self.base as *mut _, self.total) };
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
    fn blocks_touch_protected_pages() {
        for bytes in [0, 1, 63, 64, 4096, 5000] {
            for side in [Side::Before, Side::After] {
                let block = Guarded::at(side, bytes);
                assert!(block.start.is_multiple_of(ALIGN));
                // SAFETY: the block has so many bytes.
                unsafe { std::slice::from_raw_parts_mut(block.start(), bytes) }.fill(7);
                // SAFETY: as above.
                let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
                let edge = match side {
                    Side::Before => block.start,
                    Side::After => block.start + bytes.next_multiple_of(ALIGN),
                };
                assert!(edge.is_multiple_of(page), "{side:?}, {bytes} bytes");
            }
        }
    }
}
