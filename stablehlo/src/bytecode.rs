//! MLIR bytecode as StableHLO's portable artifacts use it: the `vhlo` and `builtin` dialects. The reader takes bytecode versions 0
//! to 6, the writer writes 6.
//!
//! Source of the format: the MLIR bytecode specification and StableHLO's `VhloBytecode`.
//!
//! ```
//! use rjax_stablehlo::{bytecode, text};
//! let module = text::read("func.func @main(%a: tensor<f32>) -> tensor<f32> { return %a : tensor<f32> }", "example").unwrap();
//! let bytes = bytecode::write(&module, bytecode::Version::DEFAULT).unwrap();
//! assert_eq!(bytecode::read(&bytes).unwrap().functions[0].name, "main");
//! ```

mod cursor;
mod encoder;
pub(crate) mod properties;
mod reader;
mod writer;

pub use reader::read;
pub use writer::write;

/// The first bytes of every artifact.
pub const MAGIC: [u8; 4] = *b"ML\xefR";

/// A version of VHLO: major, minor, patch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The oldest version that is written.
    pub const OLDEST: Version = Version(1, 0, 0);
    /// What is written unless something else is asked for: everything that programs need, and old enough for every
    /// consumer of the last two years.
    pub const DEFAULT: Version = Version(1, 10, 0);
    /// The newest version that is written.
    pub const NEWEST: Version = Version(1, 20, 0);

    /// `1.10.0` or `1.10`.
    pub fn parse(text: &str) -> Option<Version> {
        let parts: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        match parts[..] {
            [major, minor] => Some(Version(major, minor, 0)),
            [major, minor, patch] => Some(Version(major, minor, patch)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}
