//! The instructions: blocks of the result as tiles of sums.
//!
//! The intrinsics are not stable yet, so this is assembly. It uses few of the eight registers: on a virtual machine whose cores are shared, there
//! are periods in which products take 24 ns with all eight in use and 15 ns with four, as if there were hardly more registers behind the names.
//! One register holds lines of the left operand, one those of the right, and the small products come first.
//! Where each operand is several `bf16`, a load serves a product each and two registers hold sums, for 32 rows and 16 columns; a product of
//! single `bf16` needs more from each load, and four hold sums.

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
use std::marker::PhantomData;

/// Lines of a packed group, and rows and columns of a block of the result.
pub(super) const BLOCK: usize = 32;
/// Depths of a step, and elements in a row of a tile.
pub(super) const STEP: usize = 32;
/// Rows of a tile.
pub(super) const HALF: usize = 16;
/// Elements of a tile.
pub(super) const TILE: usize = HALF * STEP;

/// How many elements some lines take, packed in whole groups and steps.
pub(super) fn packed_len(lines: usize, depths: usize, parts: usize) -> usize {
    lines.next_multiple_of(BLOCK) * depths.next_multiple_of(STEP) * parts
}

/// The registers of this thread, configured as eight tiles of 16 rows of 64 bytes for as long as this lives.
pub(super) struct Tiles(PhantomData<*mut ()>);

#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the registers were configured, so they are there.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}

/// Loads a tile of part `i` of the left operand, of its first or second 16 lines, and of the right one.
macro_rules! left {
    ($part:literal, $half:literal) => {
        concat!("tileloadd tmm4, [{a} + {row} + 2048*", $part, " + 1024*", $half, "]")
    };
}
macro_rules! right {
    ($part:literal, $half:literal) => {
        concat!("tileloadd tmm5, [{b} + {row} + 2048*", $part, " + 1024*", $half, "]")
    };
}
/// Adds the product of what is loaded to the sums of the first or second 16 rows.
macro_rules! add {
    ($sums:literal) => {
        concat!("tdpbf16ps tmm", $sums, ", tmm4, tmm5")
    };
}

/// A loop over the steps of two tiles of sums, one below the other, around what it does in each. The right operand begins with the columns.
/// Each step asks for a row of the result, which is far away when it is stored otherwise.
macro_rules! steps {
    ($block:ident, $bytes:literal, $($step:expr),*) => {
        asm!(
            "test {first}, {first}",
            "jz 3f",
            "tilezero tmm0",
            "tilezero tmm1",
            "jmp 2f",
            "3:",
            "tileloadd tmm0, [{c} + {stride}]",
            "tileloadd tmm1, [{d} + {stride}]",
            "2:",
            "prefetchw [{later}]",
            "add {later}, {stride}",
            $($step,)*
            concat!("add {a}, ", $bytes),
            concat!("add {b}, ", $bytes),
            "dec {steps}",
            "jnz 2b",
            "tilestored [{c} + {stride}], tmm0",
            "tilestored [{d} + {stride}], tmm1",
            a = inout(reg) $block.a => _,
            b = inout(reg) $block.b => _,
            c = in(reg) $block.c,
            d = in(reg) $block.c.wrapping_byte_offset(HALF as isize * $block.stride),
            later = inout(reg) $block.c => _,
            stride = in(reg) $block.stride,
            row = in(reg) 64_usize,
            steps = inout(reg) $block.steps => _,
            first = in(reg) usize::from($block.first),
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm5") _,
            options(nostack),
        )
    };
}

/// The same for four tiles of sums, of single `bf16`.
macro_rules! single_steps {
    ($block:ident) => {
        asm!(
            "test {first}, {first}",
            "jz 3f",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "jmp 2f",
            "3:",
            "tileloadd tmm0, [{c} + {stride}]",
            "tileloadd tmm1, [{d} + {stride}]",
            "tileloadd tmm2, [{c} + {stride} + 64]",
            "tileloadd tmm3, [{d} + {stride} + 64]",
            "2:",
            "prefetchw [{later}]",
            "prefetchw [{later} + 64]",
            "add {later}, {stride}",
            left!(0, 0),
            right!(0, 0),
            add!(0),
            left!(0, 1),
            add!(1),
            right!(0, 1),
            add!(3),
            left!(0, 0),
            add!(2),
            "add {a}, 2048",
            "add {b}, 2048",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{c} + {stride}], tmm0",
            "tilestored [{d} + {stride}], tmm1",
            "tilestored [{c} + {stride} + 64], tmm2",
            "tilestored [{d} + {stride} + 64], tmm3",
            a = inout(reg) $block.a => _,
            b = inout(reg) $block.b => _,
            c = in(reg) $block.c,
            d = in(reg) $block.c.wrapping_byte_offset(HALF as isize * $block.stride),
            later = inout(reg) $block.c => _,
            stride = in(reg) $block.stride,
            row = in(reg) 64_usize,
            steps = inout(reg) $block.steps => _,
            first = in(reg) usize::from($block.first),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _,
            options(nostack),
        )
    };
}

/// Steps of two tiles of patches, whose places are looked up, and 16 columns.
macro_rules! patches {
    ($patches:ident, $b:ident, $c:ident, $bytes:literal, $($step:expr),*) => {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "mov {second}, [{offsets}]",
            "lea {first}, [{a0} + {second}]",
            "add {second}, {a1}",
            "add {offsets}, 8",
            // An image of one plane has no next one.
            "/* {plane} */",
            $($step,)*
            concat!("add {b}, ", $bytes),
            "dec {steps}",
            "jnz 2b",
            "mov {steps:e}, 128",
            "tilestored [{c} + {steps}], tmm0",
            "tilestored [{c} + {steps} + 2048], tmm1",
            a0 = in(reg) $patches.starts[0],
            a1 = in(reg) $patches.starts[1],
            offsets = inout(reg) $patches.offsets.as_ptr() => _,
            steps = inout(reg) $patches.offsets.len() => _,
            patch = in(reg) $patches.row,
            plane = in(reg) $patches.plane,
            b = inout(reg) $b => _,
            c = in(reg) $c,
            row = in(reg) 64_usize,
            first = out(reg) _,
            second = out(reg) _,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm5") _,
            options(nostack),
        )
    };
}
macro_rules! patch {
    (0) => {
        "tileloadd tmm4, [{first} + {patch}]"
    };
    (1) => {
        "tileloadd tmm4, [{second} + {patch}]"
    };
}
macro_rules! next_plane {
    () => {
        "add {first}, {plane}\n add {second}, {plane}"
    };
}

/// Two tiles of patches in an image of several planes.
pub(super) struct Patches<'a> {
    /// The first position of each tile.
    pub(super) starts: [*const u16; 2],
    /// From one position to the next, and from one plane to the next, in bytes.
    pub(super) row: usize,
    pub(super) plane: usize,
    /// For each step the distance of what it reads, in bytes.
    pub(super) offsets: &'a [usize],
}

struct Block {
    steps: usize,
    a: *const u16,
    b: *const u16,
    c: *mut f32,
    /// Between rows of `c`, in bytes.
    stride: isize,
    first: bool,
}

impl Tiles {
    /// # Safety
    /// The machine has the registers, and the process may use them.
    pub(super) unsafe fn configure() -> Tiles {
        // SAFETY: the caller's promise; the configuration is a valid one.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &CONFIGURATION, options(nostack, readonly)) }
        Tiles(PhantomData)
    }

    /// Multiplies a group of the left operand and one of the right one over some steps, into a block whose rows are `stride` elements apart, or
    /// adds to it unless this is the first time.
    ///
    /// # Safety
    /// The groups have the steps, of so many parts, and the block is valid memory.
    pub(super) unsafe fn multiply(
        &self,
        parts: usize,
        steps: usize,
        a: *const u16,
        b: *const u16,
        c: *mut f32,
        stride: isize,
        first: bool,
    ) {
        debug_assert!(steps > 0);
        let stride = stride * size_of::<f32>() as isize;
        // A step asks for the row of the result with its number; here are those that no step asks for.
        for row in steps..BLOCK {
            let row = c.wrapping_byte_offset(row as isize * stride);
            for half in [row, row.wrapping_add(HALF)] {
                // SAFETY: every machine with tiles has the hint, which touches nothing.
                unsafe { _mm_prefetch::<_MM_HINT_ET0>(half.cast()) };
            }
        }
        // SAFETY: the caller's promise; nothing else is touched.
        unsafe {
            if parts == 1 {
                let block = Block { steps, a, b, c, stride, first };
                return single_steps!(block);
            }
            for half in 0..2 {
                let (b, c) = (b.wrapping_add(half * TILE), c.wrapping_add(half * HALF));
                let block = Block { steps, a, b, c, stride, first };
                if parts == 2 {
                    steps!(
                        block,
                        "4096",
                        left!(1, 0),
                        right!(1, 0),
                        add!(0),
                        left!(1, 1),
                        add!(1),
                        right!(0, 0),
                        add!(1),
                        left!(1, 0),
                        add!(0),
                        left!(0, 0),
                        add!(0),
                        left!(0, 1),
                        add!(1),
                        right!(1, 0),
                        add!(1),
                        left!(0, 0),
                        add!(0)
                    );
                } else {
                    steps!(
                        block,
                        "6144",
                        left!(0, 0),
                        right!(2, 0),
                        add!(0),
                        left!(0, 1),
                        add!(1),
                        right!(1, 0),
                        add!(1),
                        left!(0, 0),
                        add!(0),
                        left!(1, 0),
                        add!(0),
                        left!(1, 1),
                        add!(1),
                        right!(0, 0),
                        add!(1),
                        left!(1, 0),
                        add!(0),
                        left!(2, 0),
                        add!(0),
                        left!(2, 1),
                        add!(1),
                        left!(0, 1),
                        add!(1),
                        left!(0, 0),
                        add!(0)
                    );
                }
            }
        }
    }

    /// Multiplies patches and a group of packed filters into a block of the result.
    ///
    /// # Safety
    /// All steps of the patches are valid memory, and `b` has as many.
    pub(super) unsafe fn convolve(
        &self,
        parts: usize,
        patches: &Patches<'_>,
        b: *const u16,
        c: &mut [f32; BLOCK * BLOCK],
    ) {
        debug_assert!(!patches.offsets.is_empty());
        let (b, c) = ([b, b.wrapping_add(TILE)], c.as_mut_ptr());
        for (half, b) in b.into_iter().enumerate() {
            let c = c.wrapping_add(half * HALF);
            // SAFETY: the caller's promise; nothing else is touched.
            unsafe {
                match parts {
                    1 => patches!(patches, b, c, "2048", right!(0, 0), patch!(0), add!(0), patch!(1), add!(1)),
                    2 => patches!(
                        patches,
                        b,
                        c,
                        "4096",
                        right!(1, 0),
                        patch!(0),
                        add!(0),
                        patch!(1),
                        add!(1),
                        right!(0, 0),
                        add!(1),
                        patch!(0),
                        add!(0),
                        next_plane!(),
                        patch!(0),
                        add!(0),
                        patch!(1),
                        add!(1),
                        right!(1, 0),
                        add!(1),
                        patch!(0),
                        add!(0)
                    ),
                    _ => patches!(
                        patches,
                        b,
                        c,
                        "6144",
                        right!(2, 0),
                        patch!(0),
                        add!(0),
                        patch!(1),
                        add!(1),
                        right!(1, 0),
                        add!(1),
                        patch!(0),
                        add!(0),
                        right!(0, 0),
                        add!(0),
                        patch!(1),
                        add!(1),
                        next_plane!(),
                        right!(1, 0),
                        patch!(0),
                        add!(0),
                        patch!(1),
                        add!(1),
                        right!(0, 0),
                        add!(1),
                        patch!(0),
                        add!(0),
                        next_plane!(),
                        patch!(0),
                        add!(0),
                        patch!(1),
                        add!(1)
                    ),
                }
            }
        }
    }
}
