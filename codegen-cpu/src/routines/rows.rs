//! Launches and matrix products over blocks of rows, with what is between them in scratch memory of the thread.

use std::sync::Arc;

use rjax_ir::{Result, bail, ensure};
use rjax_kernel::kir::{Gemm, Module, Rows, Space, Stmt, View};
use rjax_runtime::{parallel_for, profile};

use super::parallel::Code;
use crate::gemm::scratch::with_scratch;
use crate::gemm::{self, Kept};
use crate::labels::Labels;

/// How many groups of rows at least are shared among threads whole: the blocks of one use the same right operands, packed once.
const WHOLE_GROUPS: usize = 8;
/// Arrays in scratch begin at multiples of this many bytes.
const ALIGN: usize = 64;

/// The steps, without addresses.
pub(crate) struct RowsTask {
    rows: usize,
    block: usize,
    /// Rows that blocks of one thread follow each other in.
    group: usize,
    steps: Vec<Step>,
    /// Bytes of scratch.
    scratch: usize,
    /// One for each step, in programs that are compiled to be observed.
    labels: Vec<Arc<profile::Label>>,
}

enum Step {
    /// The number of indices of a row, and the arrays.
    Launch(usize, Vec<Array>),
    Gemm(Box<Gemm>, [Array; 3]),
}

/// Where an array of a step is.
#[derive(Clone, Copy)]
enum Array {
    /// In memory: a position in the table of addresses.
    Whole(usize),
    /// In scratch: the offset of the block's first row, and bytes of a row.
    Local(usize, usize),
}

impl RowsTask {
    pub(crate) fn new(module: &Module, rows: &Rows, labels: &Labels) -> Result<RowsTask> {
        let kernels = rows.body.iter().filter(|stmt| matches!(stmt, Stmt::Launch { .. })).count();
        ensure!(rows.block > 0, Malformed, "cpu: rows: blocks of no rows");
        let labels = rows.body.iter().filter_map(|stmt| labels.get(&(&raw const *stmt)).cloned()).collect();
        let mut task =
            RowsTask { rows: rows.rows, block: rows.block, group: rows.rows, steps: vec![], scratch: 0, labels };
        let mut next = kernels;
        let mut places: Vec<(usize, Array)> = Vec::new();
        let mut array = |view: &View, scratch: &mut usize| {
            next += 1;
            let buffer = &module.buffers[view.buffer.index()];
            let Space::Local(start) = buffer.space else { return Array::Whole(next - 1) };
            if let Some((_, place)) = places.iter().find(|(at, _)| *at == start) {
                return *place;
            }
            let row = buffer.len * buffer.dtype.size() / rows.rows.max(1);
            let place = Array::Local(*scratch, row);
            *scratch = (*scratch + row * rows.block).next_multiple_of(ALIGN);
            places.push((start, place));
            place
        };
        for stmt in &rows.body {
            if let Stmt::Launch { kernel, args } = stmt {
                let extent = module.kernels[kernel.index()].range.extent;
                ensure!(
                    extent.is_multiple_of(rows.rows),
                    Malformed,
                    "cpu: rows: kernel {kernel} has a range of {extent}, for {} rows",
                    rows.rows
                );
                let args = args.iter().map(|view| array(view, &mut task.scratch)).collect();
                task.steps.push(Step::Launch(extent / rows.rows, args));
            } else if let Stmt::Gemm(gemm) = stmt {
                ensure!(
                    gemm.rows() == rows.rows && gemm.m.extent.is_multiple_of(rows.block),
                    Malformed,
                    "cpu: rows: {gemm} for {} rows by {}",
                    rows.rows,
                    rows.block
                );
                task.group = task.group.min(gemm.m.extent);
                let arrays = [&gemm.lhs, &gemm.rhs, &gemm.out].map(|view| array(view, &mut task.scratch));
                task.steps.push(Step::Gemm(Box::new(gemm.clone()), arrays));
            } else {
                bail!(Malformed, "cpu: rows: a step that is neither a launch nor a product");
            }
        }
        Ok(task)
    }

    /// For each step the right operand of the group from `first` on, packed if that helps.
    ///
    /// # Safety
    /// As for [`rows`].
    unsafe fn keep(&self, addresses: *const *mut u8, first: usize) -> Vec<Option<Box<Kept>>> {
        let kept = self.steps.iter().map(|step| match step {
            Step::Gemm(gemm, [_, Array::Whole(at), _]) if self.group > self.block => {
                let [_, offset, _] = offsets(gemm, first);
                // SAFETY: the table has an address for each array, and the group is in it.
                unsafe { gemm::keep_rows(gemm, self.block, (*addresses.add(*at)).wrapping_offset(offset)) }
            }
            Step::Gemm(..) | Step::Launch(..) => None,
        });
        kept.collect()
    }

    /// All steps for the rows from `first` on.
    ///
    /// # Safety
    /// As for [`rows`]; `scratch` has the task's bytes, and `kept` is of the group.
    unsafe fn block(
        &self,
        addresses: *const *mut u8,
        first: usize,
        scratch: *mut u8,
        table: &mut Vec<*mut u8>,
        kept: &[Option<Box<Kept>>],
    ) {
        let end = self.rows.min(first + self.block);
        // Of an array in scratch the address of row 0, which is not there.
        let address = |array: Array| match array {
            // SAFETY: the table has an address for each array.
            Array::Whole(at) => unsafe { *addresses.add(at) },
            Array::Local(offset, row) => scratch.wrapping_add(offset).wrapping_sub(first * row),
        };
        let mut kernel = 0;
        for (i, (step, kept)) in self.steps.iter().zip(kept).enumerate() {
            let label = self.labels.get(i);
            label.cloned().into_iter().for_each(profile::open);
            match step {
                Step::Launch(each, arrays) => {
                    table.clear();
                    table.extend(arrays.iter().map(|&array| address(array)));
                    // SAFETY: the table begins with the kernels' addresses; the kernel touches the rows of the block only of what is in
                    // scratch.
                    unsafe {
                        let code = std::mem::transmute::<*mut u8, Code>(*addresses.add(kernel));
                        code(table.as_ptr(), first * each, end * each);
                    }
                    kernel += 1;
                }
                Step::Gemm(gemm, arrays) => {
                    let offsets = offsets(gemm, first);
                    let [lhs, rhs, out] = std::array::from_fn(|i| address(arrays[i]).wrapping_offset(offsets[i]));
                    // SAFETY: the rows of the block are in the arrays; no step writes an array in memory that others read in other rows.
                    unsafe { gemm::rows(gemm, end - first, lhs, rhs, out, kept.as_deref()) };
                }
            }
            label.into_iter().for_each(|_| profile::close());
        }
    }
}

/// Of both operands and the result of a product, how far the rows from `first` on, or their product of the batch, are from the beginning, in
/// bytes.
fn offsets(gemm: &Gemm, first: usize) -> [isize; 3] {
    let (mut rest, row) = (first / gemm.m.extent, (first % gemm.m.extent) as isize);
    let mut offsets = [row * gemm.m.lhs, 0, row * gemm.m.out];
    for axis in gemm.batch.iter().rev() {
        let i = (rest % axis.extent) as isize;
        rest /= axis.extent;
        offsets = [offsets[0] + i * axis.lhs, offsets[1] + i * axis.rhs, offsets[2] + i * axis.out];
    }
    let sizes = [gemm.dtype, gemm.dtype, gemm.out_dtype].map(|dtype| dtype.size() as isize);
    std::array::from_fn(|i| offsets[i] * sizes[i])
}

/// Runs the steps for all blocks.
///
/// # Safety
/// `addresses` holds the code of all launched kernels and then the addresses of all arrays in the order of the steps, those in scratch left
/// out; all is as the module that was compiled says.
pub(super) unsafe extern "C" fn rows(task: &RowsTask, addresses: *const *mut u8) {
    let addresses = addresses as usize;
    let groups = task.rows / task.group.max(1);
    // SAFETY: the caller's promise.
    let keep = |first: usize| unsafe { task.keep(addresses as *const *mut u8, first) };
    let run = |begin: usize, end: usize, kept: &[Option<Box<Kept>>]| {
        with_scratch(task.scratch, |scratch: *mut u8| {
            let mut table = Vec::with_capacity(16);
            for first in (begin..end).step_by(task.block) {
                // SAFETY: the caller's promise; blocks are different rows.
                unsafe { task.block(addresses as *const *mut u8, first, scratch, &mut table, kept) };
            }
        });
    };
    if groups >= WHOLE_GROUPS {
        parallel_for(task.rows, task.group, &|begin, end| run(begin, end, &keep(begin)));
    } else {
        let kept: Vec<_> = (0..task.rows).step_by(task.group.max(1)).map(keep).collect();
        parallel_for(task.rows, task.block, &|begin, end| run(begin, end, &kept[begin / task.group]));
    }
}
