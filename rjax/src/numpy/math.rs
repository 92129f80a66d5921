//! Elementwise mathematics.

use rjax_ir::{Binary, DType, ErrorKind, Op, Unary};

use crate::array::{Array, Kind, Operand, binary, divide as quotient, promote_all, promote_inexact};
use crate::error::fail_with;
use crate::lax;
use crate::trace::emit1;
use crate::transform::custom_jvp;

/// Applies an op that needs a float: integers and bool become `f32`.
#[track_caller]
fn inexact(op: Unary, x: Array) -> Array {
    let x = promote_inexact(op.name(), &[&x]).remove(0);
    emit1(Op::Unary(op), &[&x])
}

macro_rules! inexact_unary {
    ($($name:ident $variant:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: impl Operand) -> Array {
            inexact(Unary::$variant, x.into_array())
        }
    )*};
}

inexact_unary! {
    exp Exp "The exponential.";
    exp2 Exp2 "2 to the power x.";
    expm1 Expm1 "`exp(x) - 1`, accurate near 0.";
    log Log "The natural logarithm.";
    log1p Log1p "`log(1 + x)`, accurate near 0.";
    sqrt Sqrt "The square root.";
    cbrt Cbrt "The cube root.";
    sin Sin "The sine.";
    cos Cos "The cosine.";
    tan Tan "The tangent.";
    sinh Sinh "The hyperbolic sine.";
    cosh Cosh "The hyperbolic cosine.";
    tanh Tanh "The hyperbolic tangent.";
    arcsin Asin "The inverse sine.";
    arccos Acos "The inverse cosine.";
    arctan Atan "The inverse tangent.";
    arcsinh Asinh "The inverse hyperbolic sine.";
    arccosh Acosh "The inverse hyperbolic cosine.";
    arctanh Atanh "The inverse hyperbolic tangent.";
    asin Asin "The inverse sine.";
    acos Acos "The inverse cosine.";
    atan Atan "The inverse tangent.";
    asinh Asinh "The inverse hyperbolic sine.";
    acosh Acosh "The inverse hyperbolic cosine.";
    atanh Atanh "The inverse hyperbolic tangent.";
}

/// Rounding leaves integers as they are.
#[track_caller]
fn rounding(op: Unary, x: Array) -> Array {
    if x.dtype().is_float() {
        emit1(Op::Unary(op), &[&x])
    } else if x.dtype().is_complex() {
        fail_with(ErrorKind::DType, format!("{}: found {}, which has no order; round its parts", op.name(), x.aval()))
    } else {
        x
    }
}

/// The largest integer not above.
#[track_caller]
pub fn floor(x: impl Operand) -> Array {
    rounding(Unary::Floor, x.into_array())
}

/// The smallest integer not below.
#[track_caller]
pub fn ceil(x: impl Operand) -> Array {
    rounding(Unary::Ceil, x.into_array())
}

/// The nearest integer, ties to even.
#[track_caller]
pub fn rint(x: impl Operand) -> Array {
    rounding(Unary::RoundEven, x.into_array())
}

/// Rounded to this many decimals, ties to even.
#[track_caller]
pub fn round(x: impl Operand, decimals: i32) -> Array {
    let x = x.into_array();
    if decimals == 0 || !x.dtype().is_float() {
        return rounding(Unary::RoundEven, x);
    }
    let factor = 10f64.powi(decimals);
    rint(&x * factor) / factor
}

/// Towards zero.
#[track_caller]
pub fn trunc(x: impl Operand) -> Array {
    let x = x.into_array();
    if !x.dtype().is_float() {
        return rounding(Unary::Floor, x);
    }
    lax::select(lax::lt(&x, 0), lax::ceil(&x), lax::floor(&x))
}

/// The absolute value; of complex numbers the modulus.
#[track_caller]
pub fn abs(x: impl Operand) -> Array {
    let x = x.into_array();
    if x.dtype() == DType::Bool || x.dtype().is_unsigned_integer() { x } else { lax::abs(x) }
}

/// The absolute value.
#[track_caller]
pub fn absolute(x: impl Operand) -> Array {
    abs(x)
}

/// `-x`.
#[track_caller]
pub fn negative(x: impl Operand) -> Array {
    lax::neg(x)
}

/// x.
pub fn positive(x: impl Operand) -> Array {
    x.into_array()
}

/// -1, 0 or 1.
#[track_caller]
pub fn sign(x: impl Operand) -> Array {
    lax::sign(x)
}

/// `x * x`.
#[track_caller]
pub fn square(x: impl Operand) -> Array {
    lax::square(x)
}

/// `1 / x`.
#[track_caller]
pub fn reciprocal(x: impl Operand) -> Array {
    let x = promote_inexact("reciprocal", &[&x.into_array()]).remove(0);
    quotient(&Array::from(1), &x)
}

macro_rules! binary_functions {
    ($($name:ident $variant:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: impl Operand, y: impl Operand) -> Array {
            binary(Binary::$variant, &x.into_array(), &y.into_array())
        }
    )*};
}

binary_functions! {
    add Add "`x + y`.";
    subtract Sub "`x - y`.";
    multiply Mul "`x * y`.";
    maximum Max "The greater; NaN wins.";
    minimum Min "The lesser; NaN wins.";
    bitwise_and And "Bitwise and.";
    bitwise_or Or "Bitwise or.";
    bitwise_xor Xor "Bitwise exclusive or.";
    left_shift ShiftLeft "Bits shifted left.";
}

/// Bits shifted right, filling with the sign of signed integers.
#[track_caller]
pub fn right_shift(x: impl Operand, y: impl Operand) -> Array {
    x.into_array() >> y.into_array()
}

/// The complement of all bits.
#[track_caller]
pub fn bitwise_not(x: impl Operand) -> Array {
    lax::bitwise_not(x)
}

/// `x / y` in floating point.
#[track_caller]
pub fn divide(x: impl Operand, y: impl Operand) -> Array {
    quotient(&x.into_array(), &y.into_array())
}

/// `x / y` in floating point.
#[track_caller]
pub fn true_divide(x: impl Operand, y: impl Operand) -> Array {
    quotient(&x.into_array(), &y.into_array())
}

/// The quotient rounded down.
#[track_caller]
pub fn floor_divide(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_all("floor_divide", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (&operands[0], &operands[1]);
    if x.dtype().is_unsigned_integer() {
        return lax::div(x, y);
    }
    if x.dtype().is_integer() {
        let quotient = lax::div(x, y);
        let inexact_and_negative = (lax::sign(x).ne(lax::sign(y))) & lax::rem(x, y).ne(0);
        return lax::select(inexact_and_negative, &quotient - 1, &quotient);
    }
    divmod(x, y).0
}

/// The remainder, with the sign of y; Rust's `%` on arrays.
#[track_caller]
pub fn remainder(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_all("remainder", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (&operands[0], &nonzero_divisor(&operands[1]));
    let remainder = lax::rem(x, y);
    if x.dtype().is_unsigned_integer() {
        return remainder;
    }
    let wrong_sign = lax::lt(&remainder, 0).ne(lax::lt(y, 0)) & remainder.ne(0);
    lax::select(wrong_sign, lax::add(&remainder, y), &remainder)
}

/// 1 in place of an integer divisor 0, so that the remainder is 0.
#[track_caller]
fn nonzero_divisor(y: &Array) -> Array {
    if y.dtype().is_integer() { lax::select(y.eq(0), lax::full_like(y, 1), y) } else { y.clone() }
}

/// The remainder, with the sign of y.
#[track_caller]
pub fn mod_(x: impl Operand, y: impl Operand) -> Array {
    remainder(x, y)
}

/// The remainder, with the sign of x.
#[track_caller]
pub fn fmod(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_all("fmod", &[&x.into_array(), &y.into_array()]);
    lax::rem(&operands[0], nonzero_divisor(&operands[1]))
}

/// Quotient rounded down, and remainder.
#[track_caller]
pub fn divmod(x: impl Operand, y: impl Operand) -> (Array, Array) {
    let operands = promote_all("divmod", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (&operands[0], &operands[1]);
    if !x.dtype().is_float() {
        return (floor_divide(x, y), remainder(x, y));
    }
    let remainder = lax::rem(x, y);
    // x - remainder is a multiple of y up to rounding, which `round` takes away. By zero, x itself is divided.
    let multiple = lax::select(y.eq(0.0), x, lax::sub(x, &remainder));
    let quotient = lax::div(multiple, y);
    let wrong_sign = remainder.ne(0.0) & lax::sign(y).ne(lax::sign(&remainder));
    let quotient = lax::select(&wrong_sign, lax::sub(&quotient, 1.0), &quotient);
    (lax::round(quotient), lax::select(wrong_sign, lax::add(&remainder, y), &remainder))
}

/// x to the power y. Rust's integers as exponents multiply repeatedly and differentiate everywhere.
#[track_caller]
pub fn power(x: impl Operand, y: impl Operand) -> Array {
    let (x, y) = (x.into_array(), y.into_array());
    if let crate::array::Node::Literal(crate::array::Literal::Int(exponent)) = y.node()
        && let Ok(exponent) = i32::try_from(*exponent)
    {
        if x.dtype().is_inexact() || exponent >= 0 {
            let x = if x.dtype() == DType::Bool { x.astype(DType::I32) } else { x };
            return lax::integer_pow(x, exponent);
        }
        fail_with(
            ErrorKind::DType,
            format!("power: {} to the negative power {exponent} is no integer; use a float", x.aval()),
        )
    }
    let operands = promote_all("power", &[&x, &y]);
    let (x, y) = (&operands[0], &operands[1]);
    match Kind::of(x.dtype()) {
        Kind::Float | Kind::Complex => lax::pow(x, y),
        Kind::Bool => power(x.astype(DType::I32), y.astype(DType::I32)),
        Kind::Int => integer_power(x, y),
    }
}

/// Exponentiation of integers by squaring, for exponents that are not negative.
#[track_caller]
fn integer_power(x: &Array, y: &Array) -> Array {
    let mut result = lax::full_like(x, 1);
    let mut square = x.clone();
    let mut rest = y.clone();
    // Higher bits of an exponent only matter for -1, 0 and 1, and overflow has wrapped everything else by then.
    for bit in 0..6 {
        let odd = lax::bitwise_and(&rest, 1).ne(0);
        result = lax::select(odd, lax::mul(&result, &square), &result);
        if bit < 5 {
            square = lax::mul(&square, &square);
            rest = lax::shift_right_logical(&rest, 1);
        }
    }
    result
}

/// x to the power y.
#[track_caller]
pub fn pow(x: impl Operand, y: impl Operand) -> Array {
    power(x, y)
}

/// The angle of the point (y, x).
#[track_caller]
pub fn arctan2(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_inexact("arctan2", &[&x.into_array(), &y.into_array()]);
    lax::atan2(&operands[0], &operands[1])
}

/// The angle of the point (y, x).
#[track_caller]
pub fn atan2(x: impl Operand, y: impl Operand) -> Array {
    arctan2(x, y)
}

/// `sqrt(x² + y²)` without overflow on the way.
#[track_caller]
pub fn hypot(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_inexact("hypot", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (lax::abs(&operands[0]), lax::abs(&operands[1]));
    let (large, small) = (lax::max(&x, &y), lax::min(&x, &y));
    let safe = lax::select(large.eq(0), 1, &large);
    let ratio = lax::div(&small, &safe);
    lax::select(large.eq(0), &large, lax::mul(&large, lax::sqrt(lax::add(lax::square(ratio), 1))))
}

/// The logarithm to base 2.
#[track_caller]
pub fn log2(x: impl Operand) -> Array {
    log(x) / std::f64::consts::LN_2
}

/// The logarithm to base 10.
#[track_caller]
pub fn log10(x: impl Operand) -> Array {
    log(x) / std::f64::consts::LN_10
}

/// `log(exp(x) + exp(y))` without overflow.
#[track_caller]
pub fn logaddexp(x: impl Operand, y: impl Operand) -> Array {
    fn value(x: &Array, y: &Array) -> Array {
        let (greatest, delta) = (lax::max(x, y), lax::sub(x, y));
        // Equal infinities have a difference of NaN; their sum is the answer.
        lax::select(delta.ne(&delta), lax::add(x, y), lax::add(&greatest, lax::log1p(lax::exp(-lax::abs(&delta)))))
    }
    // The derivatives exp(x - result) and exp(y - result) add up to 1, also where x = y.
    let logaddexp = custom_jvp(value).defjvp(|(x, y): &(Array, Array), (dx, dy): &(Array, Array)| {
        let result = value(x, y);
        let finite = |a: &Array| lax::select(a.eq(f64::INFINITY), 0.0, a);
        let share = |a: &Array| lax::exp(lax::sub(finite(a), finite(&result)));
        let tangent = lax::add(lax::mul(dx, share(x)), lax::mul(dy, share(y)));
        (result, tangent)
    });
    let operands = promote_inexact("logaddexp", &[&x.into_array(), &y.into_array()]);
    logaddexp(&operands[0], &operands[1])
}

/// `log2(2^x + 2^y)` without overflow.
#[track_caller]
pub fn logaddexp2(x: impl Operand, y: impl Operand) -> Array {
    let ln2 = std::f64::consts::LN_2;
    logaddexp(x.into_array() * ln2, y.into_array() * ln2) / ln2
}

/// Degrees as radians.
#[track_caller]
pub fn deg2rad(x: impl Operand) -> Array {
    x.into_array() * (std::f64::consts::PI / 180.0)
}

/// Degrees as radians.
#[track_caller]
pub fn radians(x: impl Operand) -> Array {
    deg2rad(x)
}

/// Radians as degrees.
#[track_caller]
pub fn rad2deg(x: impl Operand) -> Array {
    x.into_array() * (180.0 / std::f64::consts::PI)
}

/// Radians as degrees.
#[track_caller]
pub fn degrees(x: impl Operand) -> Array {
    rad2deg(x)
}

/// `sin(πx) / (πx)`, 1 at 0, with a derivative there.
#[track_caller]
pub fn sinc(x: impl Operand) -> Array {
    let x = promote_inexact("sinc", &[&x.into_array()]).remove(0) * std::f64::consts::PI;
    let at_zero = x.eq(0);
    let safe = lax::select(&at_zero, 1, &x);
    // The series keeps the derivatives at 0 right: sin(x)/x = 1 - x²/6 + x⁴/120 - ….
    let square = lax::square(&x);
    let series = 1.0 - &square * (1.0 / 6.0) + lax::square(&square) * (1.0 / 120.0);
    lax::select(at_zero, series, lax::sin(&safe) / &safe)
}

/// The greater; NaN loses.
#[track_caller]
pub fn fmax(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_all("fmax", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (&operands[0], &operands[1]);
    lax::select(lax::gt(x, y) | y.ne(y), x, y)
}

/// The lesser; NaN loses.
#[track_caller]
pub fn fmin(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_all("fmin", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (&operands[0], &operands[1]);
    lax::select(lax::lt(x, y) | y.ne(y), x, y)
}

/// Values below `low` become `low`, those above `high` become `high`.
#[track_caller]
pub fn clip(x: impl Operand, low: impl Operand, high: impl Operand) -> Array {
    minimum(maximum(x, low), high)
}

/// NaN as zero, infinities as the greatest and least finite numbers.
#[track_caller]
pub fn nan_to_num(x: impl Operand) -> Array {
    let x = x.into_array();
    if !x.dtype().is_float() {
        return x;
    }
    let greatest = match x.dtype() {
        DType::F16 => 65504.0,
        DType::BF16 => f64::from(rjax_ir::bf16::MAX),
        DType::F64 => f64::MAX,
        DType::F32
        | DType::Bool
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
        | DType::Narrow(_) => f64::from(f32::MAX),
    };
    let x = lax::select(x.ne(&x), 0.0, &x);
    let x = lax::select(x.eq(f64::INFINITY), greatest, &x);
    lax::select(x.eq(f64::NEG_INFINITY), -greatest, &x)
}

/// The real part.
#[track_caller]
pub fn real(x: impl Operand) -> Array {
    let x = x.into_array();
    if x.dtype().is_complex() { lax::real(x) } else { x }
}

/// The imaginary part; zero for real numbers.
#[track_caller]
pub fn imag(x: impl Operand) -> Array {
    let x = x.into_array();
    if x.dtype().is_complex() { lax::imag(x) } else { lax::full_like(&x, 0) }
}

/// The complex conjugate.
#[track_caller]
pub fn conj(x: impl Operand) -> Array {
    let x = x.into_array();
    if x.dtype().is_complex() { lax::conj(x) } else { x }
}

/// The angle of a complex number.
#[track_caller]
pub fn angle(x: impl Operand) -> Array {
    let x = x.into_array();
    arctan2(imag(&x), real(&x))
}

/// The magnitude of x with the sign of y.
#[track_caller]
pub fn copysign(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_inexact("copysign", &[&x.into_array(), &y.into_array()]);
    let magnitude = lax::abs(&operands[0]);
    lax::select(super::signbit(&operands[1]), -&magnitude, &magnitude)
}

/// 0 below zero, 1 above, and y at zero.
#[track_caller]
pub fn heaviside(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_inexact("heaviside", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (&operands[0], &operands[1]);
    let step = lax::select(lax::lt(x, 0), 0.0, lax::select(lax::gt(x, 0), 1.0, y));
    lax::select(x.ne(x), x, step)
}

/// The absolute value of real numbers. JAX: `numpy.fabs`.
#[track_caller]
pub fn fabs(x: impl Operand) -> Array {
    abs(promote_inexact("fabs", &[&x.into_array()]).remove(0))
}

/// x to the power y in floating point, also of integers. JAX: `numpy.float_power`.
#[track_caller]
pub fn float_power(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_inexact("float_power", &[&x.into_array(), &y.into_array()]);
    lax::pow(&operands[0], &operands[1])
}

/// The modified Bessel function of the first kind and order 0. JAX: `numpy.i0`.
#[track_caller]
pub fn i0(x: impl Operand) -> Array {
    let x = promote_inexact("i0", &[&x.into_array()]).remove(0);
    lax::mul(lax::exp(lax::abs(&x)), lax::bessel_i0e(&x))
}

/// Rounded to this many decimals, ties to even. JAX: `numpy.around`.
#[track_caller]
pub fn around(x: impl Operand, decimals: i32) -> Array {
    round(x, decimals)
}

/// The complex conjugate. JAX: `numpy.conjugate`.
#[track_caller]
pub fn conjugate(x: impl Operand) -> Array {
    conj(x)
}
