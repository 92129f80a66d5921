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

/// The elements in 16 bytes.
const fn lanes<T: Held>() -> usize {
    16 / size_of::<T::Register>()
}

/// Replaces the elements in 16 bytes by their images.
///
/// # Safety
/// `values` has 16 bytes of registers.
unsafe fn replace_lanes<T: Held>(values: *mut T::Register, function: impl Fn(T) -> T) {
    for lane in 0..lanes::<T>() {
        // SAFETY: the lane is in the 16 bytes.
        unsafe {
            let value = values.add(lane);
            *value = function(T::from_register(*value)).to_register();
        }
    }
}

/// Replaces the elements in 16 bytes by their images with those in 16 others.
///
/// # Safety
/// `xs` and `ys` have 16 bytes of registers.
unsafe fn combine_lanes<T: Held>(xs: *mut T::Register, ys: *const T::Register, function: impl Fn(T, T) -> T) {
    for lane in 0..lanes::<T>() {
        // SAFETY: the lane is in the 16 bytes.
        unsafe {
            let (x, y) = (xs.add(lane), T::from_register(*ys.add(lane)));
            *x = function(T::from_register(*x), y).to_register();
        }
    }
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

/// Expands `$form!` with the method that defines each row of the unary table. The tests compare all of them with
/// [`Unary::eval`]; a method is named here so that each function contains the code of one op only.
macro_rules! unary_rows {
    ($form:ident, $op:expr, $T:ty) => {
        $form!($op, $T;
            Neg neg, Sign sign, Abs abs, Floor floor, Ceil ceil, Round round_half_away, RoundEven round_half_even, Not not,
            PopulationCount population_count, Clz clz, Exp exp, Exp2 exp2, Expm1 expm1, Log log, Log1p log1p,
            Logistic logistic, Sqrt sqrt, Rsqrt rsqrt, Cbrt cbrt, Sin sin, Cos cos, Tan tan, Sinh sinh, Cosh cosh,
            Tanh tanh, Asin asin, Acos acos, Atan atan, Asinh asinh, Acosh acosh, Atanh atanh, Erf erf, Erfc erfc,
            ErfInv erf_inv, Lgamma lgamma, Digamma digamma, BesselI0e bessel_i0e, BesselI1e bessel_i1e, Conj conj;
            IsFinite, Real, Imag)
    };
}

/// As [`unary_rows!`], for the binary table.
macro_rules! binary_rows {
    ($form:ident, $op:expr, $T:ty) => {
        $form!($op, $T;
            Add add, Sub sub, Mul mul, Div div, Rem rem, Pow pow, Atan2 atan2, Max max, Min min, And and, Or or, Xor xor,
            ShiftLeft shift_left, ShiftRightArithmetic shift_right_arithmetic, ShiftRightLogical shift_right_logical,
            NextAfter nextafter, Igamma igamma, Igammac igammac, IgammaGradA igamma_grad_a, Polygamma polygamma,
            Zeta zeta;
            Complex)
    };
}

macro_rules! unary_one {
    ($op:expr, $T:ty; $($Row:ident $method:ident),*; $($Other:ident),*) => {
        match $op {
            $(Unary::$Row => {
                extern "C" fn one(x: <$T as Held>::Register) -> <$T as Held>::Register {
                    ScalarSemantics::$method(<$T>::from_register(x)).to_register()
                }
                one as *const u8
            })*
            $(Unary::$Other)|* => unreachable!("{} has another result type", $op.name()),
        }
    };
}

macro_rules! unary_many {
    ($op:expr, $T:ty; $($Row:ident $method:ident),*; $($Other:ident),*) => {
        match $op {
            $(Unary::$Row => {
                unsafe extern "C" fn many(values: *mut <$T as Held>::Register) {
                    // SAFETY: compiled code passes 16 bytes.
                    unsafe { replace_lanes::<$T>(values, <$T as ScalarSemantics>::$method) }
                }
                many as *const u8
            })*
            $(Unary::$Other)|* => unreachable!("{} has another result type", $op.name()),
        }
    };
}

macro_rules! unary_complex {
    ($op:expr, $T:ty; $($Row:ident $method:ident),*; $($Other:ident),*) => {
        match $op {
            $(Unary::$Row => {
                unsafe extern "C" fn complex(out: *mut $T, x: *const $T) {
                    // SAFETY: compiled code passes addresses of real and imaginary part, aligned to a part.
                    unsafe { *out = ScalarSemantics::$method(*x) }
                }
                complex as *const u8
            })*
            $(Unary::$Other)|* => unreachable!("{} has another result type", $op.name()),
        }
    };
}

macro_rules! binary_one {
    ($op:expr, $T:ty; $($Row:ident $method:ident),*; $($Other:ident),*) => {
        match $op {
            $(Binary::$Row => {
                extern "C" fn one(
                    x: <$T as Held>::Register,
                    y: <$T as Held>::Register,
                ) -> <$T as Held>::Register {
                    ScalarSemantics::$method(<$T>::from_register(x), <$T>::from_register(y)).to_register()
                }
                one as *const u8
            })*
            $(Binary::$Other)|* => unreachable!("{} has another result type", $op.name()),
        }
    };
}

macro_rules! binary_many {
    ($op:expr, $T:ty; $($Row:ident $method:ident),*; $($Other:ident),*) => {
        match $op {
            $(Binary::$Row => {
                unsafe extern "C" fn many(xs: *mut <$T as Held>::Register, ys: *const <$T as Held>::Register) {
                    // SAFETY: compiled code passes 16 bytes twice.
                    unsafe { combine_lanes::<$T>(xs, ys, <$T as ScalarSemantics>::$method) }
                }
                many as *const u8
            })*
            $(Binary::$Other)|* => unreachable!("{} has another result type", $op.name()),
        }
    };
}

macro_rules! binary_complex {
    ($op:expr, $T:ty; $($Row:ident $method:ident),*; $($Other:ident),*) => {
        match $op {
            $(Binary::$Row => {
                unsafe extern "C" fn complex(out: *mut $T, x: *const $T, y: *const $T) {
                    // SAFETY: compiled code passes addresses of real and imaginary part, aligned to a part.
                    unsafe { *out = ScalarSemantics::$method(*x, *y) }
                }
                complex as *const u8
            })*
            $(Binary::$Other)|* => unreachable!("{} has another result type", $op.name()),
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
            | DType::C128
            | DType::Narrow(_) => unreachable!("routines are for floating dtypes, not {}", $dtype),
        }
    };
}

pub(super) fn unary(op: Unary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => unary_rows!(unary_one, op, T))
}

pub(super) fn unary_lanes(op: Unary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => unary_rows!(unary_many, op, T))
}

pub(super) fn binary(op: Binary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => binary_rows!(binary_one, op, T))
}

pub(super) fn binary_lanes(op: Binary, dtype: DType) -> *const u8 {
    for_float!(dtype, T => binary_rows!(binary_many, op, T))
}

pub(super) fn complex_unary(op: Unary, dtype: DType) -> *const u8 {
    if dtype == DType::C64 {
        unary_rows!(unary_complex, op, Complex64)
    } else {
        unary_rows!(unary_complex, op, Complex128)
    }
}

pub(super) fn complex_binary(op: Binary, dtype: DType) -> *const u8 {
    if dtype == DType::C64 {
        binary_rows!(binary_complex, op, Complex64)
    } else {
        binary_rows!(binary_complex, op, Complex128)
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
