//! The interpreter's scalar functions with the calling convention of compiled code.

use half::{bf16, f16};
use rjax_ir::op::ScalarSemantics;
use rjax_ir::{Binary, Complex64, Complex128, DType, Unary, math};

/// How a scalar travels in a register.
trait Held: ScalarSemantics {
    type Register: Copy;
    fn from_register(register: Self::Register) -> Self;
    fn to_register(self) -> Self::Register;
}

macro_rules! held {
    ($($T:ty)*) => {$(
        impl Held for $T {
            type Register = $T;
            fn from_register(register: $T) -> $T {
                register
            }
            fn to_register(self) -> $T {
                self
            }
        }
    )*};
}
held!(f32 f64 i32 i64 u32 u64);

macro_rules! held_wide {
    ($($T:ty)*) => {$(
        impl Held for $T {
            type Register = f32;
            fn from_register(register: f32) -> $T {
                // Exact: registers hold values that were rounded to the narrow type.
                <$T>::from_f32(register)
            }
            fn to_register(self) -> f32 {
                self.to_f32()
            }
        }
    )*};
}
held_wide!(f16 bf16);

/// A row of the unary table as a type, so that each function is compiled for one op.
trait UnaryRow {
    const OP: Unary;
}

/// A row of the binary table as a type.
trait BinaryRow {
    const OP: Binary;
}

extern "C" fn unary_one<T: Held, R: UnaryRow>(x: T::Register) -> T::Register {
    R::OP.eval([T::from_register(x)]).to_register()
}

extern "C" fn binary_one<T: Held, R: BinaryRow>(x: T::Register, y: T::Register) -> T::Register {
    R::OP.eval([T::from_register(x), T::from_register(y)]).to_register()
}

/// The elements in 16 bytes.
const fn lanes<T: Held>() -> usize {
    16 / size_of::<T::Register>()
}

/// # Safety
/// `values` has 16 bytes of registers.
unsafe extern "C" fn unary_many<T: Held, R: UnaryRow>(values: *mut T::Register) {
    for lane in 0..lanes::<T>() {
        // SAFETY: the lane is in the 16 bytes.
        unsafe {
            let value = values.add(lane);
            *value = R::OP.eval([T::from_register(*value)]).to_register();
        }
    }
}

/// # Safety
/// `xs` and `ys` have 16 bytes of registers.
unsafe extern "C" fn binary_many<T: Held, R: BinaryRow>(xs: *mut T::Register, ys: *const T::Register) {
    for lane in 0..lanes::<T>() {
        // SAFETY: the lane is in the 16 bytes.
        unsafe {
            let (x, y) = (xs.add(lane), *ys.add(lane));
            *x = R::OP.eval([T::from_register(*x), T::from_register(y)]).to_register();
        }
    }
}

/// # Safety
/// Both pointers are to real and imaginary part.
unsafe extern "C" fn unary_complex<T: ScalarSemantics, R: UnaryRow>(out: *mut T, x: *const T) {
    // SAFETY: the caller's promise; a complex number has the alignment of its parts.
    unsafe { *out = R::OP.eval([*x]) }
}

/// # Safety
/// The pointers are to real and imaginary part.
unsafe extern "C" fn binary_complex<T: ScalarSemantics, R: BinaryRow>(out: *mut T, x: *const T, y: *const T) {
    // SAFETY: the caller's promise; a complex number has the alignment of its parts.
    unsafe { *out = R::OP.eval([*x, *y]) }
}

extern "C" fn beta_one<T: Held>(a: T::Register, b: T::Register, x: T::Register) -> T::Register {
    T::from_register(a).regularized_incomplete_beta(T::from_register(b), T::from_register(x)).to_register()
}

extern "C" fn convert_one<S: Held, D: Held>(x: S::Register) -> D::Register {
    math::convert::<S, D>(S::from_register(x)).to_register()
}

extern "C" fn reduce_precision_one<T: Held>(x: T::Register, exponent_bits: u32, mantissa_bits: u32) -> T::Register {
    ScalarSemantics::reduce_precision(T::from_register(x), exponent_bits, mantissa_bits).to_register()
}

/// The address of `$function::<$T, Row>` with the row of the op. All rows are listed, so that a new one is not forgotten.
macro_rules! unary_row {
    ($op:expr, $function:ident, $T:ty) => {
        unary_row!($op, $function, $T;
            Neg Sign Abs Floor Ceil Round RoundEven IsFinite Not PopulationCount Clz Exp Exp2 Expm1 Log Log1p Logistic
            Sqrt Rsqrt Cbrt Sin Cos Tan Sinh Cosh Tanh Asin Acos Atan Asinh Acosh Atanh Erf Erfc ErfInv Lgamma Digamma
            BesselI0e BesselI1e Real Imag Conj)
    };
    ($op:expr, $function:ident, $T:ty; $($Variant:ident)*) => {
        match $op {
            $(Unary::$Variant => {
                struct Row;
                impl UnaryRow for Row {
                    const OP: Unary = Unary::$Variant;
                }
                $function::<$T, Row> as *const u8
            })*
        }
    };
}

macro_rules! binary_row {
    ($op:expr, $function:ident, $T:ty) => {
        binary_row!($op, $function, $T;
            Add Sub Mul Div Rem Pow Atan2 Max Min And Or Xor ShiftLeft ShiftRightArithmetic ShiftRightLogical NextAfter
            Complex Igamma Igammac IgammaGradA Polygamma Zeta)
    };
    ($op:expr, $function:ident, $T:ty; $($Variant:ident)*) => {
        match $op {
            $(Binary::$Variant => {
                struct Row;
                impl BinaryRow for Row {
                    const OP: Binary = Binary::$Variant;
                }
                $function::<$T, Row> as *const u8
            })*
        }
    };
}

/// The address of the function for a floating dtype.
macro_rules! for_float {
    ($dtype:expr, $T:ident => $address:expr) => {
        match $dtype {
            DType::F16 => {
                type $T = f16;
                $address
            }
            DType::BF16 => {
                type $T = bf16;
                $address
            }
            DType::F32 => {
                type $T = f32;
                $address
            }
            DType::F64 => {
                type $T = f64;
                $address
            }
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::C64
            | DType::C128 => unreachable!("routines are for floating dtypes, not {}", $dtype),
        }
    };
}

pub(super) fn unary(op: Unary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => unary_row!(op, unary_one, T))
}

pub(super) fn unary_lanes(op: Unary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => unary_row!(op, unary_many, T))
}

pub(super) fn binary(op: Binary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => binary_row!(op, binary_one, T))
}

pub(super) fn binary_lanes(op: Binary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => binary_row!(op, binary_many, T))
}

pub(super) fn complex_unary(op: Unary, dtype: DType) -> *const u8 {
    if dtype == DType::C64 { unary_row!(op, unary_complex, Complex64) } else { unary_row!(op, unary_complex, Complex128) }
}

pub(super) fn complex_binary(op: Binary, dtype: DType) -> *const u8 {
    if dtype == DType::C64 {
        binary_row!(op, binary_complex, Complex64)
    } else {
        binary_row!(op, binary_complex, Complex128)
    }
}

pub(super) fn beta(dtype: DType) -> *const u8 {
    for_float!(dtype, T => beta_one::<T> as *const u8)
}

pub(super) fn reduce_precision(dtype: DType) -> *const u8 {
    for_float!(dtype, T => reduce_precision_one::<T> as *const u8)
}

pub(super) fn convert(from: DType, to: DType) -> *const u8 {
    match (from, to) {
        (DType::I32, DType::F16) => convert_one::<i32, f16> as *const u8,
        (DType::I64, DType::F16) => convert_one::<i64, f16> as *const u8,
        (DType::U32, DType::F16) => convert_one::<u32, f16> as *const u8,
        (DType::U64, DType::F16) => convert_one::<u64, f16> as *const u8,
        (DType::F64, DType::F16) => convert_one::<f64, f16> as *const u8,
        (DType::I32, DType::BF16) => convert_one::<i32, bf16> as *const u8,
        (DType::I64, DType::BF16) => convert_one::<i64, bf16> as *const u8,
        (DType::U32, DType::BF16) => convert_one::<u32, bf16> as *const u8,
        (DType::U64, DType::BF16) => convert_one::<u64, bf16> as *const u8,
        (DType::F64, DType::BF16) => convert_one::<f64, bf16> as *const u8,
        _ => unreachable!("{from} to {to} is a few instructions"),
    }
}
