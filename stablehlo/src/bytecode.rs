//! MLIR bytecode as StableHLO's portable artifacts use it: the `vhlo` and `builtin` dialects, bytecode versions 0 to 6.
//!
//! Source of the format: the MLIR bytecode specification and StableHLO's `VhloBytecode`.

mod cursor;
mod properties;
mod reader;

pub use reader::read;

/// The first bytes of every artifact.
pub const MAGIC: [u8; 4] = *b"ML\xefR";
