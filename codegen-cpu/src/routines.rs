//! Rust functions that compiled code calls.
//!
//! What the machine has no instruction for is computed by the interpreter's own functions, monomorphised for each
//! dtype, so that compiled code and interpreter agree to the bit. 16-bit floats travel as `f32`.

mod library;
mod linalg;
mod parallel;
mod print;
mod rows;
mod scalar;
mod sort;
mod top_k;
mod transpose;

use std::sync::Arc;

use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{AbiParam, Signature, Type};
use cranelift_codegen::isa::CallConv;
use rjax_ir::{Binary, DType, Unary};
use rjax_kernel::kir;
use rjax_runtime::profile::{self, Label};

use crate::gemm;

pub(crate) use parallel::{grain, launches};
pub(crate) use print::PrintTask;
pub use print::capture_prints;
pub(crate) use rows::RowsTask;

/// A function that compiled code calls by address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Routine {
    /// `(x) -> y` of a floating dtype.
    Unary(Unary, DType),
    /// `(lanes)`: replaces each of the elements in 16 bytes of registers.
    UnaryLanes(Unary, DType),
    /// `(x, y) -> z` of a floating dtype.
    Binary(Binary, DType),
    /// `(lanes, lanes)`: as [`Routine::UnaryLanes`]; the result replaces the first operand.
    BinaryLanes(Binary, DType),
    /// `(out, z)`: pointers to real and imaginary part.
    ComplexUnary(Unary, DType),
    /// `(out, z, w)`.
    ComplexBinary(Binary, DType),
    /// `(a, b, x) -> y`: the regularised incomplete beta function.
    Beta(DType),
    /// `(x) -> y`, where rounding once takes more than a few instructions.
    Convert(DType, DType),
    /// `(x, exponent bits, mantissa bits) -> y`.
    ReducePrecision(DType),
    /// `(kernel, arguments, extent, grain)`: a kernel's whole range, in parts on several threads.
    Launch,
    /// `(to, from, bytes)`.
    Copy,
    /// `(task, lhs, rhs, out)`.
    Gemm,
    /// `(task, lhs, rhs, out, slot)`: the right operand is kept in the slot.
    GemmKept,
    /// `(slot)`: what is kept there.
    Forget,
    /// `(task, lhs, rhs, out)`.
    Conv,
    /// `(task, source, out)`.
    Transpose,
    /// `(task, pointers)`: all sources, then all destinations.
    Sort,
    /// `(task, source, values, indices)`.
    TopK,
    /// `(task, pointers)`: all operands, then all results.
    Library,
    /// `(task, pointers)`.
    Print,
    /// `(task, addresses)`: of all kernels, then of all arrays.
    Rows,
    /// `(label)`: a span of a profile begins.
    OpenSpan,
    /// `()`: and ends.
    CloseSpan,
}

impl Routine {
    /// A name for listings; unique.
    pub(crate) fn name(self) -> String {
        match self {
            Routine::Unary(op, dtype) => format!("{}_{dtype}", op.name()),
            Routine::UnaryLanes(op, dtype) => format!("{}_{dtype}_lanes", op.name()),
            Routine::Binary(op, dtype) => format!("{}_{dtype}", op.name()),
            Routine::BinaryLanes(op, dtype) => format!("{}_{dtype}_lanes", op.name()),
            Routine::ComplexUnary(op, dtype) => format!("{}_{dtype}", op.name()),
            Routine::ComplexBinary(op, dtype) => format!("{}_{dtype}", op.name()),
            Routine::Beta(dtype) => format!("regularized_incomplete_beta_{dtype}"),
            Routine::Convert(from, to) => format!("convert_{from}_{to}"),
            Routine::ReducePrecision(dtype) => format!("reduce_precision_{dtype}"),
            Routine::Launch => "launch".into(),
            Routine::Copy => "copy".into(),
            Routine::Gemm => "gemm".into(),
            Routine::GemmKept => "gemm_kept".into(),
            Routine::Forget => "forget".into(),
            Routine::Conv => "conv".into(),
            Routine::Transpose => "transpose".into(),
            Routine::Sort => "sort".into(),
            Routine::TopK => "top_k".into(),
            Routine::Library => "library".into(),
            Routine::Print => "print".into(),
            Routine::Rows => "rows".into(),
            Routine::OpenSpan => "open_span".into(),
            Routine::CloseSpan => "close_span".into(),
        }
    }

    pub(crate) fn signature(self, convention: CallConv) -> Signature {
        let held = |dtype: DType| -> Type {
            match dtype {
                DType::F16 | DType::BF16 | DType::F32 => F32,
                DType::F64 => F64,
                DType::I32 | DType::U32 => I32,
                DType::I64 | DType::U64 => I64,
                DType::Bool
                | DType::I8
                | DType::I16
                | DType::U8
                | DType::U16
                | DType::C64
                | DType::C128
                | DType::Narrow(_) => {
                    unreachable!("no routine takes a {dtype} in a register")
                }
            }
        };
        let (params, results): (Vec<Type>, Vec<Type>) = match self {
            Routine::Unary(_, dtype) => (vec![held(dtype)], vec![held(dtype)]),
            Routine::UnaryLanes(..) => (vec![I64], vec![]),
            Routine::Binary(_, dtype) => (vec![held(dtype); 2], vec![held(dtype)]),
            Routine::BinaryLanes(..) | Routine::ComplexUnary(..) => (vec![I64; 2], vec![]),
            Routine::ComplexBinary(..) => (vec![I64; 3], vec![]),
            Routine::Beta(dtype) => (vec![held(dtype); 3], vec![held(dtype)]),
            Routine::Convert(from, to) => (vec![held(from)], vec![held(to)]),
            Routine::ReducePrecision(dtype) => (vec![held(dtype), I32, I32], vec![held(dtype)]),
            Routine::Copy | Routine::Transpose => (vec![I64; 3], vec![]),
            Routine::Launch | Routine::Gemm | Routine::Conv | Routine::TopK => (vec![I64; 4], vec![]),
            Routine::GemmKept => (vec![I64; 5], vec![]),
            Routine::Forget | Routine::OpenSpan => (vec![I64], vec![]),
            Routine::CloseSpan => (vec![], vec![]),
            Routine::Sort | Routine::Library | Routine::Print | Routine::Rows => (vec![I64; 2], vec![]),
        };
        let mut signature = Signature::new(convention);
        signature.params.extend(params.into_iter().map(AbiParam::new));
        signature.returns.extend(results.into_iter().map(AbiParam::new));
        signature
    }

    /// Where the function is in this process.
    pub(crate) fn address(self) -> *const u8 {
        match self {
            Routine::Unary(op, dtype) => scalar::unary(op, dtype),
            Routine::UnaryLanes(op, dtype) => scalar::unary_lanes(op, dtype),
            Routine::Binary(op, dtype) => scalar::binary(op, dtype),
            Routine::BinaryLanes(op, dtype) => scalar::binary_lanes(op, dtype),
            Routine::ComplexUnary(op, dtype) => scalar::complex_unary(op, dtype),
            Routine::ComplexBinary(op, dtype) => scalar::complex_binary(op, dtype),
            Routine::Beta(dtype) => scalar::beta(dtype),
            Routine::Convert(from, to) => scalar::convert(from, to),
            Routine::ReducePrecision(dtype) => scalar::reduce_precision(dtype),
            Routine::Launch => parallel::launch as *const u8,
            Routine::Copy => parallel::copy as *const u8,
            Routine::Gemm => gemm_task as *const u8,
            Routine::GemmKept => gemm_kept_task as *const u8,
            Routine::Forget => forget as *const u8,
            Routine::Conv => conv_task as *const u8,
            Routine::Transpose => transpose::transpose as *const u8,
            Routine::Sort => sort::sort as *const u8,
            Routine::TopK => top_k::top_k as *const u8,
            Routine::Library => library::library as *const u8,
            Routine::Print => print::print as *const u8,
            Routine::Rows => rows::rows as *const u8,
            Routine::OpenSpan => open_span as *const u8,
            Routine::CloseSpan => close_span as *const u8,
        }
    }
}

/// # Safety
/// As for [`gemm::gemm`].
unsafe extern "C" fn gemm_task(task: &kir::Gemm, lhs: *const u8, rhs: *const u8, out: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { gemm::gemm(task, lhs, rhs, out) }
}

/// # Safety
/// As for [`gemm::gemm_kept`].
unsafe extern "C" fn gemm_kept_task(
    task: &kir::Gemm,
    lhs: *const u8,
    rhs: *const u8,
    out: *mut u8,
    slot: &mut Option<Box<gemm::Kept>>,
) {
    // SAFETY: the caller's promise.
    unsafe { gemm::gemm_kept(task, lhs, rhs, out, slot) }
}

/// Slots are words of the frame, which are 0 at first: none of a box.
extern "C" fn forget(slot: &mut Option<Box<gemm::Kept>>) {
    *slot = None;
}

/// # Safety
/// The label is in an `Arc`.
unsafe extern "C" fn open_span(label: *const Label) {
    // SAFETY: the caller's promise; the count is raised for the one that is made here.
    let label = unsafe {
        Arc::increment_strong_count(label);
        Arc::from_raw(label)
    };
    profile::open(label);
}

extern "C" fn close_span() {
    profile::close();
}

/// # Safety
/// As for [`gemm::conv::conv`].
unsafe extern "C" fn conv_task(task: &kir::Conv, lhs: *const u8, rhs: *const u8, out: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { gemm::conv::conv(task, lhs, rhs, out) }
}

/// What Cranelift calls where the machine has no instruction for it, by the names that it uses.
pub(crate) fn library_functions() -> [(&'static str, *const u8); 10] {
    macro_rules! function {
        ($name:literal, |$($x:ident),*| $T:ty: $value:expr) => {{
            extern "C" fn function($($x: $T),*) -> $T {
                $value
            }
            ($name, function as *const u8)
        }};
    }
    [
        function!("fmaf", |x, y, z| f32: x.mul_add(y, z)),
        function!("fma", |x, y, z| f64: x.mul_add(y, z)),
        function!("floorf", |x| f32: x.floor()),
        function!("floor", |x| f64: x.floor()),
        function!("ceilf", |x| f32: x.ceil()),
        function!("ceil", |x| f64: x.ceil()),
        function!("truncf", |x| f32: x.trunc()),
        function!("trunc", |x| f64: x.trunc()),
        function!("nearbyintf", |x| f32: x.round_ties_even()),
        function!("nearbyint", |x| f64: x.round_ties_even()),
    ]
}
