//! Numbers in text: shortest decimal form that gives the same bits back, hexadecimal bits where no decimal form does.
//!
//! Floats print as `1.0`, `1e-10`, `inf`, `nan`; a NaN with another payload prints as its bits, `0x7fc00001`. The text of an
//! element does not say its dtype; [`Scalar`] adds it: `1.0:f32`.

use std::fmt;

use crate::{Aval, DType, Scalar, Shape, Tensor, bf16, f16};

/// Up to this many elements a tensor is written number by number, beyond as the hexadecimal bytes of its elements.
const READABLE: usize = 64;

/// The element without its dtype.
pub(super) fn element(value: Scalar) -> String {
    let [re, im] = value.bits();
    let dtype = value.dtype();
    match dtype {
        DType::Bool => if value.get::<bool>() { "True" } else { "False" }.to_string(),
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => signed(value).to_string(),
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => re.to_string(),
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => float(dtype, re),
        DType::Narrow(narrow) if narrow.is_float() => float(dtype, re),
        DType::Narrow(narrow) if narrow.is_signed_integer() => signed(value).to_string(),
        DType::Narrow(_) => re.to_string(),
        DType::C64 | DType::C128 => {
            let (re, im) = (float(dtype.real(), re), float(dtype.real(), im));
            let sign = if im.starts_with('-') { "" } else { "+" };
            format!("({re}{sign}{im}j)")
        }
    }
}

fn signed(value: Scalar) -> i64 {
    let unused = 64 - value.dtype().bits() as u32;
    ((value.bits()[0] << unused) as i64) >> unused
}

/// A real float from its bits.
fn float(dtype: DType, bits: u64) -> String {
    let value = Scalar::from_bits(dtype, [bits, 0]);
    let number = value.to_f64();
    let text = if number.is_nan() {
        if number.is_sign_negative() { "-nan".to_string() } else { "nan".to_string() }
    } else {
        match dtype {
            DType::F32 => format!("{:?}", f32::from_bits(bits as u32)),
            DType::F64 => format!("{number:?}"),
            DType::F16 | DType::BF16 | DType::Narrow(_) => shortest(dtype, number, bits),
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
            | DType::C128 => unreachable!("{dtype} is not a real float"),
        }
    };
    if float_bits(dtype, &text) == Ok(bits) { text } else { format!("{bits:#0width$x}", width = 2 + dtype.size() * 2) }
}

/// The decimal form with the fewest digits that rounds to `bits` in a float of at most 16 bits.
fn shortest(dtype: DType, number: f64, bits: u64) -> String {
    let exact = format!("{number:?}");
    (0..9)
        .map(|digits| format!("{:?}", format!("{number:.digits$e}").parse::<f64>().expect("a formatted float parses")))
        .find(|text| float_bits(dtype, text) == Ok(bits))
        .unwrap_or(exact)
}

/// The bits of a real float written in decimal, as `inf`, `nan`, or in hexadecimal.
fn float_bits(dtype: DType, text: &str) -> Result<u64, String> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // Not every narrow type has a sign bit; their sign is part of the number.
    let sign = if dtype.narrow().is_some() { 0 } else { u64::from(negative) << (dtype.bits() - 1) };
    if let Some(digits) = magnitude.strip_prefix("0x") {
        return hex_bits(dtype, digits).map(|bits| bits ^ sign);
    }
    let malformed = || format!("expected a number of dtype {dtype}, found `{text}`");
    let number: f64 = match magnitude {
        "inf" => f64::INFINITY,
        "nan" => f64::NAN,
        _ if !magnitude.starts_with(|c: char| c.is_ascii_digit()) => return Err(malformed()),
        _ => magnitude.parse().map_err(|_| malformed())?,
    };
    let bits = match dtype {
        DType::F16 => f16::from_f64(number).to_bits() as u64,
        DType::BF16 => bf16::from_f64(number).to_bits() as u64,
        // Decimal to binary32 in one rounding; a detour over binary64 would round twice.
        DType::F32 => magnitude.parse::<f32>().map_err(|_| malformed())?.to_bits() as u64,
        DType::F64 => number.to_bits(),
        DType::Narrow(_) => Scalar::from_f64(dtype, if negative { -number } else { number }).bits()[0],
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
        | DType::C128 => return Err(malformed()),
    };
    let value = Scalar::from_bits(dtype, [bits, 0]).to_f64();
    if magnitude != "inf" && value.is_infinite() || magnitude != "nan" && value.is_nan() {
        return Err(format!("{text} is out of range for {dtype}"));
    }
    Ok(bits | sign)
}

fn hex_bits(dtype: DType, digits: &str) -> Result<u64, String> {
    match u64::from_str_radix(digits, 16) {
        Ok(bits) if dtype.bits() >= 64 || bits >> dtype.bits() == 0 => Ok(bits),
        Ok(_) => Err(format!("0x{digits} has more than the {} bits of {dtype}", dtype.bits())),
        Err(_) => Err(format!("`0x{digits}` is not a hexadecimal number")),
    }
}

/// A real value of `dtype` from a word or number token.
pub(super) fn parse_real(dtype: DType, text: &str) -> Result<Scalar, String> {
    let bits = if dtype.is_float() {
        float_bits(dtype, text)?
    } else if dtype == DType::Bool {
        match text {
            "True" => 1,
            "False" => 0,
            _ => return Err(format!("expected True or False, found `{text}`")),
        }
    } else if dtype.is_integer() {
        if let Some(digits) = text.strip_prefix("0x") {
            hex_bits(dtype, digits)?
        } else {
            let value: i128 =
                text.parse().map_err(|_| format!("expected an integer of dtype {dtype}, found `{text}`"))?;
            let least = if dtype.is_signed_integer() { -1i128 << (dtype.bits() - 1) } else { 0 };
            if !(least..least + (1i128 << dtype.bits())).contains(&value) {
                return Err(format!("{value} is out of range for {dtype}"));
            }
            Scalar::from_i64(dtype, value as i64).bits()[0]
        }
    } else {
        return Err(format!("expected a complex number as (1.0+2.0j), found `{text}`"));
    };
    Ok(Scalar::from_bits(dtype, [bits, 0]))
}

/// A complex value of `dtype` from its real and imaginary part.
pub(super) fn parse_complex(dtype: DType, re: &str, im: &str) -> Result<Scalar, String> {
    if !dtype.is_complex() {
        return Err(format!("({re}{im}j) is complex, but the dtype is {dtype}"));
    }
    Ok(Scalar::from_bits(dtype, [float_bits(dtype.real(), re)?, float_bits(dtype.real(), im)?]))
}

/// Whether a tensor of this size is written number by number.
pub(super) fn is_readable(shape: &Shape) -> bool {
    shape.size() <= READABLE
}

/// The little-endian bytes of a tensor's elements, as hexadecimal digits after `0x`.
pub(super) fn hex(tensor: &Tensor) -> String {
    let mut text = String::with_capacity(2 + 2 * tensor.aval().bytes());
    text.push_str("0x");
    for position in 0..tensor.shape().size() {
        let value = tensor.get(position);
        let parts = if value.dtype().is_complex() { 2 } else { 1 };
        for bits in &value.bits()[..parts] {
            for byte in &bits.to_le_bytes()[..value.dtype().size() / parts] {
                text.push_str(&format!("{byte:02x}"));
            }
        }
    }
    text
}

/// A tensor from the bytes that [`hex`] writes.
pub(super) fn parse_hex(dtype: DType, shape: &Shape, text: &str) -> Result<Tensor, String> {
    let digits = text.strip_prefix("0x").ok_or_else(|| format!("expected {{ or 0x…, found `{text:.20}`"))?;
    let wanted = shape.size().checked_mul(2 * dtype.size());
    if wanted != Some(digits.len()) {
        return Err(format!(
            "{dtype}{shape} needs {} hexadecimal digits, found {}",
            shape.size() * 2 * dtype.size(),
            digits.len()
        ));
    }
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.as_bytes().chunks(2) {
        let pair = std::str::from_utf8(pair).expect("a number token is ASCII");
        bytes.push(u8::from_str_radix(pair, 16).map_err(|_| format!("`{pair}` is not a hexadecimal byte"))?);
    }
    let parts = if dtype.is_complex() { 2 } else { 1 };
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |bits, &byte| bits << 8 | byte as u64);
    let scalars = bytes.chunks(dtype.size().max(1)).map(|bytes| {
        let (re, im) = bytes.split_at(dtype.size() / parts);
        Scalar::from_bits(dtype, [word(re), word(im)])
    });
    Ok(Tensor::from_scalars(&Aval::new(dtype, shape.clone()), &scalars.collect::<Vec<_>>()))
}

/// A literal: `1.0:f32`, `-3:i8`, `True`, `(0.0+1.0j):c64`.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&element(*self))?;
        if self.dtype() == DType::Bool { Ok(()) } else { write!(f, ":{}", self.dtype()) }
    }
}

/// A value: `1.0:f32` for a scalar, otherwise `f32[2,2]={1.0 2.0 3.0 4.0}`; beyond 64 elements `f32[100]=0x…`.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shape().rank() == 0 {
            return self.get(0).fmt(f);
        }
        write!(f, "{}={}", self.aval(), contents(self))
    }
}

/// The elements of a tensor: `{1.0 2.0}` or `0x…`.
pub(super) fn contents(tensor: &Tensor) -> String {
    if !is_readable(tensor.shape()) {
        return hex(tensor);
    }
    let elements: Vec<String> = (0..tensor.shape().size()).map(|position| element(tensor.get(position))).collect();
    format!("{{{}}}", elements.join(" "))
}
