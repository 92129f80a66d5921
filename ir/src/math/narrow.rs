//! Values of the types that are only stored: the bits of a number, and the number that bits stand for.

use super::Wide;
use super::format::round_magnitude;
use crate::dtype::{Narrow, NarrowFormat, Special};

/// The bits of a value converted to a narrow type. Floats round once, to nearest even; 64-bit integers beyond 2^53 go
/// through f64. What is too large becomes infinity, or NaN where there is none. To an integer, floats truncate and
/// saturate, NaN gives 0, and integers wrap.
pub fn encode(dtype: Narrow, value: Wide) -> u8 {
    if let Some(format) = dtype.format() {
        return encode_float(format, value.to_f64());
    }
    let integer = match value {
        Wide::Int(v) => v,
        Wide::Float(_) | Wide::Complex(_) => {
            let least = if dtype.is_signed_integer() { -1i128 << (dtype.bits() - 1) } else { 0 };
            (value.to_f64() as i128).clamp(least, least + dtype.mask() as i128)
        }
    };
    integer as u8 & dtype.mask()
}

/// The value that the bits of a narrow type stand for.
pub fn decode(dtype: Narrow, bits: u8) -> Wide {
    if let Some(format) = dtype.format() {
        return Wide::Float(decode_float(format, bits));
    }
    let unused = 8 - dtype.bits() as u32;
    let shifted = bits << unused;
    Wide::Int(if dtype.is_signed_integer() { (shifted as i8 >> unused) as i128 } else { (shifted >> unused) as i128 })
}

impl NarrowFormat {
    /// The bits of NaN without a sign.
    pub fn nan(self) -> u8 {
        match self.special {
            Special::Ieee => self.infinity() | 1 << (self.mantissa_bits - 1),
            Special::Fn => 0x7f,
            Special::Fnuz => 0x80,
            Special::Fnu => 0xff,
        }
    }

    /// The bits of the greatest finite number.
    pub fn greatest(self) -> u8 {
        match self.special {
            Special::Ieee => self.infinity() - 1,
            Special::Fn => 0x7e,
            Special::Fnuz => 0x7f,
            Special::Fnu => 0xfe,
        }
    }

    /// In IEEE formats, the bits of infinity: the exponent all ones.
    pub fn infinity(self) -> u8 {
        0x7f & !((1u8 << self.mantissa_bits) - 1)
    }
}

fn encode_float(format: NarrowFormat, x: f64) -> u8 {
    if format.special == Special::Fnu {
        return encode_power(format, x);
    }
    let sign = if x.is_sign_negative() { 0x80 } else { 0 };
    let rounded = round_magnitude(x.abs().to_bits(), format.mantissa_bits, format.bias);
    if x.is_nan() || rounded > format.greatest() as u64 {
        let overflow = if x.is_nan() || format.special != Special::Ieee { format.nan() } else { format.infinity() };
        return sign | overflow;
    }
    // The formats without a negative zero have NaN in its place.
    if rounded == 0 && format.special == Special::Fnuz { 0 } else { sign | rounded as u8 }
}

/// The nearest power of two to the nearest f32. Of two as near as each other the greater is taken: the implicit bit is the
/// last one kept, and it is odd.
fn encode_power(format: NarrowFormat, x: f64) -> u8 {
    let x = x as f32 as f64;
    if x.is_nan() || x <= 0.0 {
        return format.nan();
    }
    // As in ml_dtypes, whatever is between the two least powers becomes the greater one, because f32 is subnormal there.
    let least = 2f64.powi(-format.bias);
    if x < 2.0 * least {
        return (x > least) as u8;
    }
    let exponent = (x.to_bits() >> 52) as i32 - 1023 + (x.to_bits() >> 51 & 1) as i32;
    (exponent + format.bias).clamp(0, format.nan() as i32) as u8
}

fn decode_float(format: NarrowFormat, bits: u8) -> f64 {
    let NarrowFormat { mantissa_bits, bias, special } = format;
    if special == Special::Fnu {
        return if bits == format.nan() { f64::NAN } else { 2f64.powi(bits as i32 - bias) };
    }
    let (negative, magnitude) = (bits & 0x80 != 0, bits & 0x7f);
    let exponent = (magnitude >> mantissa_bits) as i32;
    let mantissa = (magnitude & ((1 << mantissa_bits) - 1)) as f64 * 2f64.powi(-(mantissa_bits as i32));
    let absolute = if bits == format.nan() || magnitude > format.greatest() {
        if special == Special::Ieee && magnitude == format.infinity() { f64::INFINITY } else { f64::NAN }
    } else if exponent == 0 {
        mantissa * 2f64.powi(1 - bias)
    } else {
        (1.0 + mantissa) * 2f64.powi(exponent - bias)
    };
    if negative { -absolute } else { absolute }
}
