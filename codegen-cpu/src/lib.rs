//! Machine code for CPUs.

#![warn(missing_docs)]
#![allow(unsafe_code)]
mod gemm;
