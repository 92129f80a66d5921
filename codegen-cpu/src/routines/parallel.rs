//! Work that several threads share: the ranges of kernels, and long copies.
//!
//! Parts are cut by cost, never by the number of threads, and every element is computed by the same instructions whichever part it
//! falls in: results are the same for any number of threads.

use rjax_kernel::kir::{Kernel, KernelId, Module, Stmt};
use rjax_runtime::parallel_for;

/// Kernels that take less than this many nanoseconds run on the calling thread.
const SERIAL_BELOW: f64 = 10_000.0;
/// What a part takes at least, in nanoseconds, and how many parts a long kernel has.
const PART: f64 = 4000.0;
const PARTS: f64 = 64.0;
/// Loops whose bodies take less than this many nanoseconds keep to one thread: their arrays are in the cache of its core, from where it takes as
/// long to fetch them as to go through them.
const SERIAL_BODY: u64 = 100_000;
/// Parts begin at multiples of this many elements where the range is a vector loop: a multiple of what any generator does
/// in one pass.
const VECTORS: usize = 64;
/// Bytes that one part copies.
const COPY: usize = 256 << 10;

/// How many indices of its range a kernel takes in one part, if it is worth splitting.
pub(crate) fn grain(kernel: &Kernel) -> Option<usize> {
    let extent = kernel.range.extent;
    let total = kernel.nanoseconds();
    if extent < 2 || total < SERIAL_BELOW {
        return None;
    }
    let each = total / extent as f64;
    let mut grain = ((total / PARTS).max(PART) / each).ceil() as usize;
    if kernel.is_flat() || each < PART / VECTORS as f64 {
        grain = grain.next_multiple_of(VECTORS);
    }
    (grain < extent).then_some(grain)
}

/// A statement that launches a kernel.
pub(crate) struct Launch<'m> {
    pub(crate) stmt: &'m Stmt,
    pub(crate) kernel: KernelId,
    /// Whether it is in a loop that keeps to one thread.
    pub(crate) serial: bool,
}

/// The launches of a module, those in blocks of rows left out.
pub(crate) fn launches(module: &Module) -> Vec<Launch<'_>> {
    fn visit<'m>(module: &'m Module, stmts: &'m [Stmt], serial: bool, found: &mut Vec<Launch<'m>>) {
        let is_short = |body: &[Stmt]| serial || module.nanoseconds_of(body) < SERIAL_BODY;
        for stmt in stmts {
            match stmt {
                Stmt::Launch { kernel, .. } => found.push(Launch { stmt, kernel: *kernel, serial }),
                Stmt::While { condition, body, .. } => {
                    let serial = is_short(body);
                    visit(module, condition, serial, found);
                    visit(module, body, serial, found);
                }
                Stmt::For { body, .. } => visit(module, body, is_short(body), found),
                Stmt::Switch { branches, .. } => {
                    branches.iter().for_each(|branch| visit(module, branch, serial, found));
                }
                Stmt::Copy { .. }
                | Stmt::Print { .. }
                | Stmt::Gemm(_)
                | Stmt::Conv(_)
                | Stmt::Transpose(_)
                | Stmt::Sort(_)
                | Stmt::TopK(_)
                | Stmt::Library(_)
                | Stmt::Rows(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    visit(module, &module.body, false, &mut found);
    found
}

pub(super) type Code = unsafe extern "C" fn(arguments: *const *mut u8, begin: usize, end: usize);

/// Runs a kernel over `0..extent`, `grain` indices at a time.
///
/// # Safety
/// `kernel` is a kernel's code and `arguments` what it takes; iterations of its range are independent.
pub(super) unsafe extern "C" fn launch(kernel: Code, arguments: *const *mut u8, extent: usize, grain: usize) {
    let arguments = arguments as usize;
    parallel_for(extent, grain, &|begin, end| {
        // SAFETY: the caller's promise.
        unsafe { kernel(arguments as *const *mut u8, begin, end) }
    });
}

/// # Safety
/// Both blocks have this many bytes and do not overlap.
pub(super) unsafe extern "C" fn copy(to: *mut u8, from: *const u8, bytes: usize) {
    let (target, source) = (to as usize, from as usize);
    parallel_for(bytes, COPY, &|begin, end| {
        // SAFETY: the part lies in both blocks, by the caller's promise.
        unsafe {
            let (to, from) = ((target as *mut u8).add(begin), (source as *const u8).add(begin));
            std::ptr::copy_nonoverlapping(from, to, end - begin);
        }
    });
}
