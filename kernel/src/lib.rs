//! From programs to kernels: fusion into nests, the loop IR (KIR) with its interpreter, lowering, and the buffer plan.
//!
//! Fusion is decided here once for all native backends. Code generators read a [`kir::Module`]: kernels (structured loops over
//! typed registers) and a host-side schedule of launches, loops and routines over planned buffers.
//!
//! This crate has no unsafe code and does no I/O.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod kir;
