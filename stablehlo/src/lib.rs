//! StableHLO for rjax: readers of the portable bytecode and of the text form, and the import to [`rjax_ir::Program`].
//!
//! Reading is in two steps. A reader turns bytes or text into a [`mlir::Module`], a tree of generic operations that knows the
//! syntax and nothing of what the operations mean. [`import()`] then gives the operations their meaning.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod bytecode;

pub mod import;
pub mod mlir;
pub mod text;

pub use import::{CheckKind, Imported, import, import_function};
