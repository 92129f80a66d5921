//! The machine that code is made for: this one.

use std::sync::OnceLock;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use rjax_ir::{Result, bail};

/// How much work the compiler puts into a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effort {
    /// Optimised: for loops.
    Full,
    /// Compiled in a third of the time: for long code that runs once.
    Quick,
}

/// The instruction set of this machine with the compiler's settings.
pub(crate) fn target(effort: Effort) -> Result<&'static OwnedTargetIsa> {
    static TARGETS: [OnceLock<Result<OwnedTargetIsa, String>>; 2] = [OnceLock::new(), OnceLock::new()];
    match TARGETS[effort as usize].get_or_init(|| build(effort)) {
        Ok(isa) => Ok(isa),
        Err(why) => bail!(Unsupported, "cpu: no code generator for this machine: {why}"),
    }
}

/// Whether loops become code for vectors of 256 bits. `RJAX_CPU=portable` says no.
pub(crate) fn has_wide_vectors() -> bool {
    #[cfg(all(target_arch = "x86_64", unix))]
    {
        static WIDE: OnceLock<bool> = OnceLock::new();
        *WIDE.get_or_init(|| {
            let here =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            here && std::env::var("RJAX_CPU").as_deref() != Ok("portable")
        })
    }
    #[cfg(not(all(target_arch = "x86_64", unix)))]
    {
        false
    }
}

fn build(effort: Effort) -> Result<OwnedTargetIsa, String> {
    let (opt_level, allocator) = match effort {
        Effort::Full => ("speed", "backtracking"),
        Effort::Quick => ("none", "single_pass"),
    };
    let verifier = if cfg!(debug_assertions) { "true" } else { "false" };
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", opt_level),
        ("regalloc_algorithm", allocator),
        ("enable_verifier", verifier),
        ("is_pic", "false"),
        ("unwind_info", "false"),
        ("enable_probestack", "false"),
    ] {
        flags.set(name, value).map_err(|error| format!("{name}={value}: {error}"))?;
    }
    // The baseline of the architecture, for tests of the code that old machines get.
    let baseline = std::env::var("RJAX_CPU").is_ok_and(|level| level == "portable");
    let builder = cranelift_native::builder_with_options(!baseline)?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| error.to_string())
}
