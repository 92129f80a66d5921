//! `debug_print` from compiled code.

use std::cell::RefCell;

use rjax_ir::{Aval, DebugPrint, Tensor};

/// What a print statement prints.
pub(crate) struct PrintTask {
    pub(crate) print: DebugPrint,
    pub(crate) operands: Vec<Aval>,
}

thread_local! {
    /// Where this thread's prints go, if not to the standard output.
    static CAPTURED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs `work` and returns its result with the lines that compiled code printed on this thread meanwhile, which do not
/// go to the standard output.
///
/// ```
/// let (result, lines) = rjax_codegen_cpu::capture_prints(|| 1 + 1);
/// assert_eq!((result, lines.len()), (2, 0));
/// ```
pub fn capture_prints<R>(work: impl FnOnce() -> R) -> (R, Vec<String>) {
    /// Puts the outer capture back, also when `work` panics.
    struct Restore(Option<Vec<String>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CAPTURED.set(self.0.take());
        }
    }
    let outer = Restore(CAPTURED.replace(Some(Vec::new())));
    let result = work();
    let lines = CAPTURED.take().unwrap_or_default();
    drop(outer);
    (result, lines)
}

/// # Safety
/// `pointers` has one address for each operand, of memory that holds it.
pub(super) unsafe extern "C" fn print(task: &PrintTask, pointers: *const *const u8) {
    let operands: Vec<Tensor> = task
        .operands
        .iter()
        .enumerate()
        .map(|(i, aval)| {
            // SAFETY: the caller's promise.
            let bytes = unsafe { std::slice::from_raw_parts(*pointers.add(i), aval.bytes()) };
            Tensor::from_bytes(aval, bytes)
        })
        .collect();
    let line = task.print.render(&operands);
    let kept = CAPTURED.with_borrow_mut(|captured| captured.as_mut().map(|lines| lines.push(line.clone())).is_some());
    if !kept {
        println!("{line}");
    }
}
