//! Conversions between element types.

use crate::Complex128;
use crate::op::ScalarSemantics;

/// An element of any type without loss: the common ground of conversions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Wide {
    /// A `bool` or integer.
    Int(i128),
    /// A real floating-point number.
    Float(f64),
    /// A complex number.
    Complex(Complex128),
}

impl Wide {
    /// Whether the value differs from zero; true for NaN.
    pub fn is_nonzero(self) -> bool {
        match self {
            Wide::Int(v) => v != 0,
            Wide::Float(v) => v != 0.0,
            Wide::Complex(z) => z.re != 0.0 || z.im != 0.0,
        }
    }

    /// The real part for a float type of at most 24 bits of precision to round: exact, or, for integers beyond 2^53,
    /// rounded to odd, which leaves the later rounding to nearest correct.
    pub(super) fn to_f64_for_narrowing(self) -> f64 {
        match self {
            Wide::Int(v) => {
                let excess = (128 - v.unsigned_abs().leading_zeros()).saturating_sub(53);
                let kept = (v.unsigned_abs() >> excess) | (v.unsigned_abs() & ((1 << excess) - 1) != 0) as u128;
                let magnitude = kept as f64 * (1u128 << excess) as f64;
                if v < 0 { -magnitude } else { magnitude }
            }
            Wide::Float(v) => v,
            Wide::Complex(z) => z.re,
        }
    }

    /// The nearest double to the real part.
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Wide::Int(v) => v as f64,
            Wide::Float(v) => v,
            Wide::Complex(z) => z.re,
        }
    }

    /// The imaginary part.
    pub(super) fn imaginary(self) -> f64 {
        match self {
            Wide::Int(_) | Wide::Float(_) => 0.0,
            Wide::Complex(z) => z.im,
        }
    }
}

/// `convert_element_type` of one element: see [`Op::Convert`](crate::Op::Convert). Rounds once, whatever the two types.
pub fn convert<S: ScalarSemantics, D: ScalarSemantics>(x: S) -> D {
    D::narrow(x.widen())
}

/// The same bits as another type of the same width.
pub fn bitcast<S: ScalarSemantics, D: ScalarSemantics>(x: S) -> D {
    assert_eq!(S::DTYPE.bits(), D::DTYPE.bits(), "verified: equal widths");
    D::from_bits(x.to_bits())
}
