//! Machine code for CPUs from KIR.
//!
//! A whole [`Module`](rjax_kernel::kir::Module), control flow included, becomes one native function: kernels and
//! schedule go through Cranelift, matrix products, sorts and functions without an instruction are Rust routines
//! that the code calls. [`compile`] makes an [`Executable`], which is called with plain bytes ([`compile_observed`] one whose calls can be profiled); [`clif_text`] and [`asm_text`] show the
//! code, the same from run to run.

#![warn(missing_docs)]
// Calls of compiled code, and micro-kernels on raw memory, are what this crate is for.
#![allow(unsafe_code)]

mod block;
mod callees;
mod compile;
mod executable;
mod expand;
mod gemm;
mod kernel;
mod labels;
mod ops;
mod report;
mod routines;
mod schedule;
mod target;

pub use compile::{Options, asm_text, clif_text, compile, compile_observed};
pub use executable::{Executable, Input, ResultPlace};
pub use report::schedule_text;
pub use routines::capture_prints;

#[cfg(test)]
mod tests;
