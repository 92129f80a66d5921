//! What the checks in `tests/` share: samples of every op, random programs, and how values are compared.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod calculus;
pub mod compare;
pub mod exported;
pub mod filetest;
pub mod programs;
pub mod random;
pub mod report;
pub mod samples;
