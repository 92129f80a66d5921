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

/// Vectors wider than those of Cranelift, for which there is a code generator here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Wide {
    /// 256 bits, 16 registers: AVX2, FMA and F16C.
    Avx2,
    /// 512 bits, 32 registers and masks: AVX-512 F, BW, CD, DQ and VL.
    Avx512,
}

impl Wide {
    /// Bytes of a register.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Wide::Avx2 => 32,
            Wide::Avx512 => 64,
        }
    }
}

/// What inner loops become code for. `RJAX_CPU` lowers it: `portable` to none, `avx2` to vectors of 256 bits.
pub(crate) fn wide_vectors() -> Option<Wide> {
    static WIDE: OnceLock<Option<Wide>> = OnceLock::new();
    *WIDE.get_or_init(|| match std::env::var("RJAX_CPU").as_deref() {
        Ok("portable") => None,
        Ok("avx2") => detected().map(|wide| wide.min(Wide::Avx2)),
        Ok(_) | Err(_) => detected(),
    })
}

#[cfg(all(target_arch = "x86_64", unix))]
fn detected() -> Option<Wide> {
    macro_rules! has {
        ($($feature:tt)*) => { $(is_x86_feature_detected!($feature))&&* };
    }
    if !has!("avx2" "fma" "f16c") {
        None
    } else if has!("avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl") {
        Some(Wide::Avx512)
    } else {
        Some(Wide::Avx2)
    }
}

#[cfg(not(all(target_arch = "x86_64", unix)))]
fn detected() -> Option<Wide> {
    None
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
