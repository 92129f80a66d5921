//! Derivatives and batching of programs: every transformation takes a [`rjax_ir::Program`] and gives another.
//!
//! Nothing here traces: a rule reads an equation and writes equations.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod batch;

pub use batch::{BatchAxis, batch, vmap};
