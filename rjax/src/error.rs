//! How errors leave an op: ops return plain arrays, so what a user got wrong is raised as a panic whose payload is the
//! [`Error`]. Callers that want a `Result` catch it at a boundary: [`Fun::try_call`](crate::Fun::try_call) and friends.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use rjax_ir::{Error, ErrorKind, Location, Result};

thread_local! {
    /// Where the user called the innermost transformation whose code is running, or made its function.
    static CALL_SITE: Cell<Option<&'static panic::Location<'static>>> = const { Cell::new(None) };
    /// How many `catch` calls are on this thread's stack; inside one the hook prints nothing.
    static CATCHING: Cell<usize> = const { Cell::new(0) };
}

/// Ends the op with an error at the user's line.
#[track_caller]
pub(crate) fn fail(error: Error) -> ! {
    install_hook();
    panic::panic_any(error.at(&Location::Rust(user_location(panic::Location::caller()))))
}

/// The caller's place; where that is in this library (closures do not track their callers), the place where the user called or
/// made the innermost transformation.
pub(crate) fn user_location(caller: &'static panic::Location<'static>) -> &'static panic::Location<'static> {
    if is_ours(caller) { CALL_SITE.get().unwrap_or(caller) } else { caller }
}

fn is_ours(location: &panic::Location<'_>) -> bool {
    let library = file!().trim_end_matches("error.rs");
    location.file().starts_with(library)
}

/// Runs the code of a transformation that the user called, or made, at this place.
pub(crate) fn at_call_site<R>(site: &'static panic::Location<'static>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<&'static panic::Location<'static>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CALL_SITE.set(self.0);
        }
    }
    if is_ours(site) {
        return f();
    }
    let _restore = Restore(CALL_SITE.replace(Some(site)));
    f()
}

/// Ends the op with an error of this kind at the user's line.
#[track_caller]
pub(crate) fn fail_with(kind: ErrorKind, message: impl Into<String>) -> ! {
    fail(Error::new(kind, message))
}

/// The value, or a panic with the error as payload.
#[track_caller]
pub(crate) fn check<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(error),
    }
}

/// Runs `f`; an [`Error`] raised inside comes back as `Err`, any other panic goes on.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R> {
    struct Depth;
    impl Drop for Depth {
        fn drop(&mut self) {
            CATCHING.set(CATCHING.get() - 1);
        }
    }
    CATCHING.set(CATCHING.get() + 1);
    let _depth = Depth;
    panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| match payload.downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => panic::resume_unwind(other),
    })
}

/// Errors of ours print as a message with its place; all other panics go to the hook that was there before.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| match info.payload().downcast_ref::<Error>() {
            Some(_) if CATCHING.get() > 0 => {}
            Some(error) => eprintln!("error: {error}"),
            None => previous(info),
        }));
    });
}
