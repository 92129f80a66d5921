//! The IR of rjax: dtypes, shapes, ops, programs, their text form, verifier and reference interpreter.
//!
//! This crate knows no transformation, no device and no e-graph, does no I/O and has no unsafe code.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[macro_use]
mod tensor;

mod builder;
mod check;
mod dce;
mod dtype;
mod error;
pub mod eval;
pub mod infer;
pub mod math;
pub mod op;
mod program;
mod shape;
pub mod text;
mod verify;
mod widen;

pub use builder::Builder;
pub use dtype::{DType, DTypeSet, Narrow, NarrowFormat, Special};
pub use error::{Error, ErrorKind, Location, Result};
pub use eval::{Interpreter, eval, eval_op};
pub use half::{bf16, f16};
pub use op::{
    ArgReduce, Binary, Collective, Combiner, Compare, Conv, Cumulative, CumulativeKind, CustomJvp, CustomLinear,
    CustomVjp, DebugPrint, DotGeneral, Fft, FftKind, Gather, IndexMode, Linalg, LinearSolve, Op, PadDim, Precision,
    Reducer, Remat, RematPolicy, Root, Scan, Scatter, SelectAndGatherAdd, SelectAndScatterAdd, Slice, Sort, Unary,
    While, Window,
};
pub use program::{Atom, Eqn, Program, Var};
pub use shape::{Aval, Indices, Shape};
pub use tensor::{Complex64, Complex128, Data, Element, Scalar, Tensor};
pub use text::ParseError;
pub use verify::{verify, verify_with_axes};
