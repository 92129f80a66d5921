//! Linear algebra and Fourier transforms: the interpreter's own functions, on the arrays of compiled code.
//!
//! Problems are independent, so ranges of them run on all cores. Where the machine has them, the functions are compiled once more
//! with wider vectors.

use rjax_ir::Aval;
use rjax_ir::math::linalg::{LANES, Pieces};
use rjax_kernel::kir::{Library, LibraryOp};
use rjax_runtime::parallel_for;

use super::linalg;

/// Where empty arrays are: at an address that fits every dtype.
const NOWHERE: *mut u8 = std::ptr::without_provenance_mut(16);
/// How many elements one part of the work has at least.
const PART: usize = 4096;

/// Solves all problems of `task`; `pointers` are the addresses of all operands, then of all results.
///
/// # Safety
/// Each array has as many elements of the task's types as there are problems; no result overlaps another array.
pub(super) unsafe extern "C" fn library(task: &Library, pointers: *const *mut u8) {
    let pointers = pointers as usize;
    let range = |begin: usize, end: usize| {
        let all = |(_, aval): &(_, Aval)| aval.with_shape(aval.shape.with_axis(0, end - begin));
        let operands: Vec<Aval> = task.operands.iter().map(all).collect();
        let results: Vec<Aval> = task.results.iter().map(all).collect();
        let start = |slot: usize, aval: &Aval| {
            let bytes = aval.bytes() / (end - begin);
            // SAFETY: there is an address for every array, which has elements for every problem up to `begin`.
            unsafe { (*(pointers as *const *mut u8).add(slot)).add(begin * bytes) }
        };
        let inputs: Vec<(&Aval, &[u8])> = operands
            .iter()
            .enumerate()
            // SAFETY: the array has elements for every problem up to `end`, and nobody writes it meanwhile.
            .map(|(i, aval)| (aval, unsafe { bytes_at(start(i, aval), aval.bytes()) }))
            .collect();
        let mut outputs: Vec<(&Aval, &mut [u8])> = results
            .iter()
            .enumerate()
            .map(|(i, aval)| {
                let start = start(operands.len() + i, aval);
                // SAFETY: as above, and no other range has these problems.
                (aval, unsafe { bytes_at_mut(start, aval.bytes()) })
            })
            .collect();
        solve(&task.op, &inputs, &mut outputs);
    };
    let size = task.operands.iter().chain(&task.results).map(|(_, aval)| aval.size()).max().unwrap_or(1);
    // Small matrices are factored side by side.
    let grain = PART.div_ceil(size.max(1)).next_multiple_of(LANES);
    parallel_for(task.batch, if size >= PART { 1 } else { grain }, &range);
}

/// # Safety
/// `start` is the address of this many bytes, unless there are none.
unsafe fn bytes_at<'a>(start: *const u8, bytes: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(if bytes == 0 { NOWHERE } else { start }, bytes) }
}

/// # Safety
/// `start` is the address of this many bytes, which nobody else uses, unless there are none.
unsafe fn bytes_at_mut<'a>(start: *mut u8, bytes: usize) -> &'a mut [u8] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(if bytes == 0 { NOWHERE } else { start }, bytes) }
}

/// Pieces of one problem, on all threads unless these are at work on several problems.
pub(super) struct Threads;

impl Pieces for Threads {
    fn each<T: Send>(&self, values: &mut [T], size: usize, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
        let (len, size) = (values.len(), size.max(1));
        let start = values.as_mut_ptr() as usize;
        parallel_for(len.div_ceil(size), 1, &|first, end| {
            for i in first..end {
                let begin = i * size;
                let piece = (start as *mut T).wrapping_add(begin);
                // SAFETY: pieces are parts of `values` that do not overlap, each of which one thread gets.
                work(i, unsafe { std::slice::from_raw_parts_mut(piece, size.min(len - begin)) });
            }
        });
    }
}

fn solve(op: &LibraryOp, inputs: &[(&Aval, &[u8])], outputs: &mut [(&Aval, &mut [u8])]) {
    match op {
        LibraryOp::Linalg(op) => linalg::run(*op, inputs, outputs),
        LibraryOp::Fft(op) => op.run(inputs, outputs, &Threads),
    }
}
