//! Where the time of compilation goes: with `RJAX_TIMINGS=1` each stage writes a line to standard error.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use crate::profile::{self, Label};

static WANTED: LazyLock<bool> = LazyLock::new(|| std::env::var_os("RJAX_TIMINGS").is_some_and(|value| value != "0"));

/// Runs a stage of compilation, as a span if somebody records; says how long it took if the environment variable `RJAX_TIMINGS` is
/// set and not `0`.
pub fn timed<T>(stage: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = if profile::recording() {
        let label = Label { name: stage.to_string(), category: "compile", ..Label::default() };
        profile::spanned(&Arc::new(label), run)
    } else {
        run()
    };
    if *WANTED {
        eprintln!("rjax: {stage} {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    }
    result
}
