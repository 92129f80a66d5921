//! The parts of floating-point numbers.

use rjax_ir::{DType, ErrorKind, Scalar};

use crate::array::{Array, Operand, promote_inexact};
use crate::error::fail_with;
use crate::lax;

#[track_caller]
fn float(function: &str, x: impl Operand) -> Array {
    let x = promote_inexact(function, &[&x.into_array()]).remove(0);
    if x.dtype().is_complex() {
        fail_with(ErrorKind::DType, format!("{function}: found {}, expected real numbers", x.aval()))
    }
    x
}

/// The format in which parts are taken: f16 and bf16 numbers are f32 numbers.
struct Format {
    dtype: DType,
    bits: DType,
    mantissa: i64,
    bias: i64,
}

fn format(dtype: DType) -> Format {
    if dtype == DType::F64 {
        Format { dtype, bits: DType::I64, mantissa: 52, bias: 1023 }
    } else {
        Format { dtype: DType::F32, bits: DType::I32, mantissa: 23, bias: 127 }
    }
}

/// 2 to the power of integers within the range of normal numbers.
#[track_caller]
fn power_of_two(exponent: &Array, format: &Format) -> Array {
    let bits = lax::shift_left(lax::add(exponent, format.bias), format.mantissa);
    lax::bitcast_convert_type(bits, format.dtype)
}

/// Mantissa and exponent: `x = mantissa * 2^exponent` with the mantissa's magnitude in 0.5..1. Zero, NaN and infinities are
/// their own mantissas, with exponent 0. JAX: `numpy.frexp`.
#[track_caller]
pub fn frexp(x: impl Operand) -> (Array, Array) {
    let x = float("frexp", x);
    let dtype = x.dtype();
    let format = format(dtype);
    let wide = x.converted(format.dtype, false);
    // Subnormal numbers are first made normal.
    let scale = format.mantissa + 2;
    let small = lax::abs(&wide).lt(2f64.powi(1 - format.bias as i32));
    let factor = Array::constant(Scalar::from_f64(format.dtype, 2f64.powi(scale as i32)), false);
    let normal = lax::select(&small, lax::mul(&wide, factor.broadcasted(&wide.shape())), &wide);
    let bits = lax::bitcast_convert_type(&normal, format.bits);
    let mask = (1i64 << (format.bits.bits() as i64 - 1 - format.mantissa)) - 1;
    let raised = lax::bitwise_and(lax::shift_right_logical(&bits, format.mantissa), mask);
    let exponent = lax::sub(&raised, format.bias - 1);
    let exponent = lax::select(&small, lax::sub(&exponent, scale), &exponent);
    // The exponent field of 0.5 in place of the number's own.
    let kept = lax::bitwise_and(&bits, !(mask << format.mantissa));
    let mantissa = lax::bitcast_convert_type(lax::bitwise_or(kept, (format.bias - 1) << format.mantissa), format.dtype);
    let special = wide.eq(0.0) | !super::isfinite(&wide);
    let mantissa = lax::select(&special, &wide, mantissa).converted(dtype, false);
    (mantissa, lax::select(special, 0, exponent).astype(DType::I32))
}

/// `x * 2^n`. JAX: `numpy.ldexp`.
#[track_caller]
pub fn ldexp(x: impl Operand, n: impl Operand) -> Array {
    let x = float("ldexp", x);
    let n = n.into_array();
    if !n.dtype().is_integer() {
        fail_with(ErrorKind::DType, format!("ldexp: the exponent has type {}, expected integers", n.aval()))
    }
    let format = format(x.dtype());
    let shape = super::broadcast_shapes(&[&x.shape(), &n.shape()]);
    let mut product = x.converted(format.dtype, false).broadcasted(&shape);
    let mut rest = n.converted(format.bits, false).broadcasted(&shape);
    // Three factors reach from the least subnormal to the greatest number.
    for _ in 0..3 {
        let step = super::clip(&rest, 1 - format.bias, format.bias);
        rest = lax::sub(&rest, &step);
        product = lax::mul(product, power_of_two(&step, &format));
    }
    product.converted(x.dtype(), false)
}

/// Fractional and whole part, both with the sign of x; of an infinity, as in JAX, NaN and itself. JAX: `numpy.modf`.
#[track_caller]
pub fn modf(x: impl Operand) -> (Array, Array) {
    let x = float("modf", x);
    let whole = super::trunc(&x);
    let fraction = lax::sub(&x, &whole);
    (fraction, whole)
}

/// The next representable value after x in the direction of y. JAX: `numpy.nextafter`.
#[track_caller]
pub fn nextafter(x: impl Operand, y: impl Operand) -> Array {
    let operands = promote_inexact("nextafter", &[&x.into_array(), &y.into_array()]);
    lax::nextafter(&operands[0], &operands[1])
}

/// The distance to the next number away from zero, with the sign of x; NaN where there is none. JAX: `numpy.spacing`.
#[track_caller]
pub fn spacing(x: impl Operand) -> Array {
    let x = float("spacing", x);
    let magnitude = lax::abs(&x);
    let gap = lax::sub(lax::nextafter(&magnitude, lax::full_like(&x, f64::INFINITY)), &magnitude);
    let signed = super::where_(super::signbit(&x), -&gap, &gap);
    super::where_(super::isfinite(&x), signed, f64::NAN)
}
