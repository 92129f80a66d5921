//! StableHLO for rjax: readers and writers of the portable bytecode and of the text form, and import to [`rjax_ir::Program`].
//!
//! Reading is in two steps. A reader turns bytes or text into a [`mlir::Module`], a tree of generic operations that knows the
//! syntax and nothing of what the operations mean. [`import()`] then gives the operations their meaning. Writing goes the
//! other way: `rjax_codegen_tpu::export` makes a module of a program, and [`bytecode::write`] or [`text::print`] puts it down.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "types and attributes are what the format says: the unexpected is refused"
)]
pub mod bytecode;

pub mod import;
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "types and attributes are what the format says: the unexpected is refused"
)]
pub mod mlir;
mod selection;
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "types and attributes are what the format says: the unexpected is refused"
)]
pub mod text;

pub use import::{CheckKind, Imported, import, import_function};
pub use selection::scatter_selected;
