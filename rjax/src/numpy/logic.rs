//! Comparisons, logic and tests of floats.

use rjax_ir::{Compare, DType, Op, Scalar};

use crate::array::{Array, Operand, promote_all};
use crate::lax;
use crate::trace::emit1;

macro_rules! comparisons {
    ($($name:ident $variant:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: impl Operand, y: impl Operand) -> Array {
            let operands = promote_all(stringify!($name), &[&x.into_array(), &y.into_array()]);
            emit1(Op::Compare(Compare::$variant), &[&operands[0], &operands[1]]).with_weak(false)
        }
    )*};
}

comparisons! {
    equal Eq "Whether equal; false for NaN.";
    not_equal Ne "Whether not equal; true for NaN.";
    less Lt "Whether less.";
    less_equal Le "Whether less or equal.";
    greater Gt "Whether greater.";
    greater_equal Ge "Whether greater or equal.";
}

/// The truth of each element: whether it is not zero.
#[track_caller]
pub(crate) fn truth(x: Array) -> Array {
    if x.dtype() == DType::Bool { x } else { x.ne(0) }
}

/// Whether both are true.
#[track_caller]
pub fn logical_and(x: impl Operand, y: impl Operand) -> Array {
    truth(x.into_array()) & truth(y.into_array())
}

/// Whether one or both are true.
#[track_caller]
pub fn logical_or(x: impl Operand, y: impl Operand) -> Array {
    truth(x.into_array()) | truth(y.into_array())
}

/// Whether exactly one is true.
#[track_caller]
pub fn logical_xor(x: impl Operand, y: impl Operand) -> Array {
    truth(x.into_array()) ^ truth(y.into_array())
}

/// Whether false.
#[track_caller]
pub fn logical_not(x: impl Operand) -> Array {
    !truth(x.into_array())
}

/// Whether NaN; of a complex number, whether a part is.
#[track_caller]
pub fn isnan(x: impl Operand) -> Array {
    let x = x.into_array();
    x.ne(&x)
}

/// Whether neither NaN nor infinite.
#[track_caller]
pub fn isfinite(x: impl Operand) -> Array {
    let x = x.into_array();
    if x.dtype().is_float() {
        lax::is_finite(x).with_weak(false)
    } else if x.dtype().is_complex() {
        isfinite(lax::real(&x)) & isfinite(lax::imag(&x))
    } else {
        lax::full(x.shape(), true, DType::Bool)
    }
}

/// Whether infinite.
#[track_caller]
pub fn isinf(x: impl Operand) -> Array {
    let x = x.into_array();
    if x.dtype().is_float() {
        lax::abs(&x).eq(f64::INFINITY)
    } else if x.dtype().is_complex() {
        isinf(lax::real(&x)) | isinf(lax::imag(&x))
    } else {
        lax::full(x.shape(), false, DType::Bool)
    }
}

/// Whether plus infinity.
#[track_caller]
pub fn isposinf(x: impl Operand) -> Array {
    x.into_array().eq(f64::INFINITY)
}

/// Whether minus infinity.
#[track_caller]
pub fn isneginf(x: impl Operand) -> Array {
    x.into_array().eq(f64::NEG_INFINITY)
}

/// Whether the sign bit of a float is set, that of zero and NaN included.
#[track_caller]
pub fn signbit(x: impl Operand) -> Array {
    let x = x.into_array();
    if !x.dtype().is_float() {
        return x.lt(0);
    }
    let bits = match x.dtype().size() {
        2 => DType::I16,
        4 => DType::I32,
        _ => DType::I64,
    };
    lax::lt(lax::bitcast_convert_type(&x, bits), 0)
}

/// Whether `|x - y| <= atol + rtol |y|`, elementwise.
#[track_caller]
pub fn isclose(x: impl Operand, y: impl Operand, rtol: f64, atol: f64) -> Array {
    let operands = promote_all("isclose", &[&x.into_array(), &y.into_array()]);
    let (x, y) = (&operands[0], &operands[1]);
    if !x.dtype().is_inexact() {
        return isclose(x.astype(DType::F64), y.astype(DType::F64), rtol, atol);
    }
    let near = lax::abs(x - y).le(lax::abs(y) * rtol + atol);
    (near & isfinite(x) & isfinite(y)) | x.eq(y)
}

/// Whether all elements are close.
#[track_caller]
pub fn allclose(x: impl Operand, y: impl Operand, rtol: f64, atol: f64) -> Array {
    isclose(x, y, rtol, atol).all(..)
}

/// Whether shapes and all elements are equal.
#[track_caller]
pub fn array_equal(x: &Array, y: &Array) -> Array {
    if x.shape() != y.shape() {
        return Array::constant(Scalar::new(false), false);
    }
    x.eq(y).all(..)
}

/// Whether each element of x occurs in y.
#[track_caller]
pub fn isin(x: &Array, y: &Array) -> Array {
    x.reshape(x.shape().with_axis(x.ndim(), 1)).eq(y.ravel()).any(-1)
}
