//! The named axes that the transformations around the code being traced have bound, with their sizes.

use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static BOUND: RefCell<Vec<(Arc<str>, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with an axis of this name and size, if it has a name.
pub(crate) fn with_axis<R>(name: Option<&Arc<str>>, size: usize, f: impl FnOnce() -> R) -> R {
    /// Takes the axis away, also when the function panics.
    struct Unbind;
    impl Drop for Unbind {
        fn drop(&mut self) {
            BOUND.with_borrow_mut(|bound| bound.pop());
        }
    }
    let Some(name) = name else { return f() };
    BOUND.with_borrow_mut(|bound| bound.push((name.clone(), size)));
    let _unbind = Unbind;
    f()
}

/// The size of the innermost axis of this name.
pub(crate) fn axis_size(name: &str) -> Option<usize> {
    BOUND.with_borrow(|bound| bound.iter().rev().find(|(axis, _)| **axis == *name).map(|(_, size)| *size))
}

/// All bound axes, outermost first.
pub(crate) fn bound_axes() -> Vec<(Arc<str>, usize)> {
    BOUND.with_borrow(|bound| bound.clone())
}
