//! What a call spends its time on, kernel by kernel and thread by thread.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

use rjax_runtime::profile::Recording;

/// Runs `f` and writes what it spent its time on to a file that `chrome://tracing` and <https://ui.perfetto.dev> open: a span for every call of
/// a compiled program on the CPU, with one for each kernel and library routine in it, on the threads that ran them, and for the stages of
/// compilation. Spans of kernels name the equations that they compute, where these are in the source, and the memory and arithmetic that it takes.
///
/// A program that runs for the first time while it is recorded is compiled once more for that; call functions once before those that
/// are to be looked at. Outside of recordings, programs run as if this function were not there. There can be one recording at a time.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::profiler;
///
/// let f = jit(|x: &Array| (x.tanh() * 2.0).sum(..));
/// let x = jnp::ones([1000], DType::F32);
/// let path = std::env::temp_dir().join("rjax-profiler.json");
/// let total = profiler::trace(&path, || {
///     f(&x); // Compiles.
///     f(&x).item::<f32>()
/// })?;
/// assert!(std::fs::read_to_string(&path)?.contains("tanh f32[1000]"));
/// # assert!((total - 1523.19).abs() < 0.1);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn trace<R>(path: impl AsRef<Path>, f: impl FnOnce() -> R) -> Result<R> {
    let mut file = File::create(path)?;
    let recording = Recording::start()
        .ok_or_else(|| Error::new(ErrorKind::AlreadyExists, "profiler::trace: another recording is under way"))?;
    let result = f();
    file.write_all(recording.finish().chrome_trace().as_bytes())?;
    Ok(result)
}
