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

/// The instruction sets that routines and loops are written for, each contained in the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// Whatever the architecture's oldest machines have.
    Portable,
    /// 256 bits: AVX2, FMA and F16C.
    Avx2,
    /// 512 bits: the parts F, BW, CD, DQ and VL of AVX-512.
    Avx512,
}

impl Level {
    const ALL: [(&'static str, Level); 3] =
        [("portable", Level::Portable), ("avx2", Level::Avx2), ("avx512", Level::Avx512)];

    /// The highest level of this machine.
    fn of_machine() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512cd")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (avx2, avx512) {
                (true, true) => Level::Avx512,
                (true, false) => Level::Avx2,
                (false, _) => Level::Portable,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            Level::Portable
        }
    }

    /// The level that `wanted`, the value of `RJAX_CPU`, asks for on a machine of a level.
    fn parse(wanted: &str, machine: Level) -> Result<Level, String> {
        let Some(&(_, level)) = Level::ALL.iter().find(|(name, _)| *name == wanted) else {
            return Err(format!("RJAX_CPU={wanted}: one of portable, avx2, avx512 is accepted"));
        };
        if level > machine {
            return Err(format!("RJAX_CPU={wanted}: this machine does not have it"));
        }
        Ok(level)
    }
}

fn chosen() -> &'static Result<Level, String> {
    static LEVEL: OnceLock<Result<Level, String>> = OnceLock::new();
    LEVEL.get_or_init(|| match std::env::var("RJAX_CPU") {
        Ok(wanted) => Level::parse(&wanted, Level::of_machine()),
        Err(_) => Ok(Level::of_machine()),
    })
}

/// The level that code is made for: that of this machine, or a lower one that the environment variable `RJAX_CPU` names. Where it names
/// none, nothing is compiled ([`target`] says why).
pub(crate) fn level() -> Level {
    *chosen().as_ref().unwrap_or(&Level::Portable)
}

/// Whether products may use matrix tile registers: where the machine has them and `RJAX_CPU` names no level.
pub(crate) fn has_matrix_tiles() -> bool {
    static TILES: OnceLock<bool> = OnceLock::new();
    *TILES.get_or_init(|| {
        level() == Level::Avx512 && std::env::var_os("RJAX_CPU").is_none() && rjax_runtime::matrix_tiles()
    })
}

/// Vectors wider than those of Cranelift, for which there is a code generator here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Wide {
    /// 256 bits, 16 registers.
    Avx2,
    /// 512 bits, 32 registers and masks.
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

/// What inner loops become code for.
pub(crate) fn wide_vectors() -> Option<Wide> {
    if cfg!(not(all(target_arch = "x86_64", unix))) {
        return None;
    }
    match level() {
        Level::Portable => None,
        Level::Avx2 => Some(Wide::Avx2),
        Level::Avx512 => Some(Wide::Avx512),
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
    // The baseline of the architecture where a test asks for the code that old machines get.
    let baseline = chosen().clone()? < Level::of_machine().min(Level::Avx2);
    let builder = cranelift_native::builder_with_options(!baseline)?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_parsed_and_never_above_the_machine() {
        for (name, level) in Level::ALL {
            assert_eq!(Level::parse(name, Level::Avx512), Ok(level));
            assert_eq!(Level::parse(name, Level::Portable).is_ok(), level == Level::Portable, "{name}");
        }
        let unknown = Level::parse("sse9", Level::Avx512).unwrap_err();
        assert_eq!(unknown, "RJAX_CPU=sse9: one of portable, avx2, avx512 is accepted");
        let missing = Level::parse("avx512", Level::Avx2).unwrap_err();
        assert_eq!(missing, "RJAX_CPU=avx512: this machine does not have it");
    }
}
