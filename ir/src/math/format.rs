//! IEEE 754 binary formats as bits: rounding into a narrower one, neighbours, reduced precision.

use half::{bf16, f16};

use crate::Element;

/// A binary floating-point format: one sign bit, then the exponent, then the mantissa.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// Bits of the exponent field.
    pub exponent_bits: u32,
    /// Bits of the mantissa field.
    pub mantissa_bits: u32,
}

impl Format {
    /// The format of f64.
    pub const F64: Format = Format { exponent_bits: 11, mantissa_bits: 52 };

    const fn sign(self) -> u64 {
        1 << (self.exponent_bits + self.mantissa_bits)
    }

    /// The bits of infinity; greater magnitudes are NaN.
    const fn infinity(self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.mantissa_bits
    }

    const fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    /// The bits of the nearest value of this format, ties to even; NaN stays a quiet NaN. For formats narrower than
    /// f64.
    pub fn round(self, x: f64) -> u64 {
        let bits = x.to_bits();
        let sign = if x.is_sign_negative() { self.sign() } else { 0 };
        let magnitude = bits & !Format::F64.sign();
        let dropped = Format::F64.mantissa_bits - self.mantissa_bits;
        if x.is_nan() {
            let payload = (magnitude >> dropped) & (self.sign() - 1);
            return sign | self.infinity() | (1 << (self.mantissa_bits - 1)) | (payload & !self.infinity());
        }
        let rounded = round_magnitude(magnitude, self.mantissa_bits, self.bias());
        sign | rounded.min(self.infinity())
    }
}

/// Exponent and mantissa fields of the nearest value, ties to even, of a format narrower than f64 to the magnitude of an
/// f64, as if the exponent field had no end.
pub(super) fn round_magnitude(magnitude: u64, mantissa_bits: u32, bias: i32) -> u64 {
    let dropped = Format::F64.mantissa_bits - mantissa_bits;
    let exponent = (magnitude >> Format::F64.mantissa_bits) as i32 - Format::F64.bias() + bias;
    if exponent > 0 {
        // Exponent and mantissa are one integer, so that a carry out of the mantissa is right by itself.
        let rebias = ((Format::F64.bias() - bias) as u64) << Format::F64.mantissa_bits;
        shift_to_even(magnitude - rebias, dropped)
    } else {
        let implicit = 1 << Format::F64.mantissa_bits;
        let mantissa = if magnitude < implicit { 0 } else { magnitude & (implicit - 1) | implicit };
        shift_to_even(mantissa, dropped + (1 - exponent) as u32)
    }
}

/// `value / 2^shift` rounded to the nearest integer, ties to even.
fn shift_to_even(value: u64, shift: u32) -> u64 {
    if shift > 63 {
        return 0;
    }
    let (kept, half) = (value >> shift, 1 << (shift - 1));
    let rest = value & ((1 << shift) - 1);
    kept + (rest > half || rest == half && kept & 1 == 1) as u64
}

/// The real floating-point element types.
pub trait Float: Element {
    /// The layout of its bits.
    const FORMAT: Format;
    /// The value as a double, exactly.
    fn to_f64(self) -> f64;
    /// The nearest value, ties to even.
    fn from_f64(x: f64) -> Self;
}

impl Float for f64 {
    const FORMAT: Format = Format::F64;
    fn to_f64(self) -> f64 {
        self
    }
    fn from_f64(x: f64) -> f64 {
        x
    }
}

impl Float for f32 {
    const FORMAT: Format = Format { exponent_bits: 8, mantissa_bits: 23 };
    fn to_f64(self) -> f64 {
        self as f64
    }
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
}

impl Float for f16 {
    const FORMAT: Format = Format { exponent_bits: 5, mantissa_bits: 10 };
    fn to_f64(self) -> f64 {
        f16::to_f64(self)
    }
    fn from_f64(x: f64) -> f16 {
        // Not `f16::from_f64`, which rounds twice.
        f16::from_bits(Self::FORMAT.round(x) as u16)
    }
}

impl Float for bf16 {
    const FORMAT: Format = Format { exponent_bits: 8, mantissa_bits: 7 };
    fn to_f64(self) -> f64 {
        bf16::to_f64(self)
    }
    fn from_f64(x: f64) -> bf16 {
        bf16::from_bits(Self::FORMAT.round(x) as u16)
    }
}

/// The next representable value after `x` towards `y`, subnormals included; `y` where they are equal, NaN if either is.
pub fn nextafter<T: Float>(x: T, y: T) -> T {
    let (from, to) = (x.to_f64(), y.to_f64());
    if from.is_nan() || to.is_nan() {
        return T::from_f64(f64::NAN);
    }
    if from == to {
        return y;
    }
    if from == 0.0 {
        return T::from_bits([if to < 0.0 { T::FORMAT.sign() | 1 } else { 1 }, 0]);
    }
    let bits = x.to_bits()[0];
    T::from_bits([if (from < to) == (from > 0.0) { bits + 1 } else { bits - 1 }, 0])
}

/// Rounds to the precision and range of a format with these field widths, as XLA defines it: mantissa to nearest
/// even, then overflow to infinity and, below the format's least normal value, to a zero of the same sign. NaN stays
/// NaN, unless the format has no mantissa bits, where it becomes infinity.
pub fn reduce_precision<T: Float>(x: T, exponent_bits: u32, mantissa_bits: u32) -> T {
    let format = T::FORMAT;
    let bits = x.to_bits()[0];
    let sign = bits & format.sign();
    let mut magnitude = bits & !format.sign();
    if magnitude > format.infinity() {
        return if mantissa_bits > 0 { x } else { T::from_bits([sign | format.infinity(), 0]) };
    }
    if mantissa_bits < format.mantissa_bits {
        let dropped = format.mantissa_bits - mantissa_bits;
        magnitude = shift_to_even(magnitude, dropped) << dropped;
    }
    if exponent_bits < format.exponent_bits {
        let reduced = Format { exponent_bits, mantissa_bits: 0 };
        let exponent = (magnitude >> format.mantissa_bits) as i32 - format.bias();
        if exponent > reduced.bias() {
            magnitude = format.infinity();
        } else if exponent <= -reduced.bias() {
            magnitude = 0;
        }
    }
    T::from_bits([sign | magnitude, 0])
}
