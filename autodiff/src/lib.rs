//! Derivatives and batching of programs: every transformation takes a [`rjax_ir::Program`] and gives another.
//!
//! Nothing here traces: a rule reads an equation and writes equations. Forward mode pushes tangents along ([`jvp()`]);
//! [`linearize()`] splits it into what depends on the point and what depends on the tangents; [`transpose()`] turns the
//! linear part around; [`vjp()`] and [`grad`] put these together. [`vmap`] batches.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod batch;
mod jvp;
mod linearize;
mod ops;
mod partial_eval;
mod prune;
mod transpose;
mod vjp;

pub use batch::{BatchAxis, batch, vmap};
pub use jvp::{jvp, jvp_active};
pub use linearize::{Linearized, linearize, linearize_program};
pub use transpose::transpose;
pub use vjp::{Vjp, grad, value_and_grad, vjp, vjp_program};
