//! Lists, names, numbers and constants.

use std::fmt::Write as _;

use rjax_ir::{DType, Scalar, Tensor};

use super::{GROWS, LIST_LIMIT};
use crate::mlir::element_name;

pub(super) fn list(values: &[i64]) -> String {
    format!("[{}]", values.iter().map(i64::to_string).collect::<Vec<_>>().join(", "))
}

/// `@name`, quoted where the name is no plain word.
pub(super) fn symbol(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.'))
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if plain { format!("@{name}") } else { format!("@{}", quoted(name)) }
}

pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' => quoted.push_str("\\22"),
            b'\\' => quoted.push_str("\\\\"),
            b' '..=b'~' => quoted.push(byte as char),
            byte => write!(quoted, "\\{byte:02X}").expect(GROWS),
        }
    }
    quoted.push('"');
    quoted
}

/// A finite number as MLIR's lexer takes it, with a point; others as their bits.
pub(super) fn float(value: f64) -> String {
    if value.is_finite() { with_point(format!("{value:?}")) } else { format!("0x{:016X}", value.to_bits()) }
}

/// `1e-7` becomes `1.0e-7`.
pub(super) fn with_point(text: String) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => text,
    }
}

/// `dense<…> : tensor<…>`.
pub(super) fn dense(tensor: &Tensor) -> String {
    let shape: String = tensor.shape().iter().map(|extent| format!("{extent}x")).collect();
    let ty = format!("tensor<{shape}{}>", element_name(tensor.dtype()));
    let size = tensor.shape().size();
    if size == 0 {
        return format!("dense<> : {ty}");
    }
    let first = tensor.get(0);
    if (1..size).all(|i| tensor.get(i) == first) {
        return format!("dense<{}> : {ty}", element(first));
    }
    if size > LIST_LIMIT && tensor.dtype() != DType::Bool {
        let mut bytes = tensor.to_bytes();
        if cfg!(target_endian = "big") {
            bytes.chunks_mut(tensor.dtype().real().size()).for_each(<[u8]>::reverse);
        }
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        return format!("dense<\"0x{digits}\"> : {ty}");
    }
    let mut text = String::from("dense<");
    nested(tensor, 0, 0, &mut text);
    format!("{text}> : {ty}")
}

/// What lies under one index of the axes before `axis`, which begins at `position`.
pub(super) fn nested(tensor: &Tensor, axis: usize, position: usize, text: &mut String) {
    if axis == tensor.shape().rank() {
        text.push_str(&element(tensor.get(position)));
        return;
    }
    let step: usize = tensor.shape()[axis + 1..].iter().product();
    text.push('[');
    for i in 0..tensor.shape()[axis] {
        if i > 0 {
            text.push_str(", ");
        }
        nested(tensor, axis + 1, position + i * step, text);
    }
    text.push(']');
}

pub(super) fn element(value: Scalar) -> String {
    let dtype = value.dtype();
    let part = |bits: u64, dtype: DType| {
        let value = Scalar::from_bits(dtype, [bits, 0]);
        if !value.to_f64().is_finite() {
            let digits = dtype.bits() / 4;
            return format!("0x{bits:0digits$X}");
        }
        // The shortest digits that round to the value; narrow types have few.
        let text =
            if dtype == DType::F64 { format!("{:?}", value.to_f64()) } else { format!("{:?}", value.to_f64() as f32) };
        with_point(text)
    };
    let bits = value.bits();
    if dtype == DType::Bool {
        (bits[0] != 0).to_string()
    } else if dtype.is_complex() {
        format!("({}, {})", part(bits[0], dtype.real()), part(bits[1], dtype.real()))
    } else if dtype.is_float() {
        part(bits[0], dtype)
    } else if dtype.is_signed_integer() {
        let unused = 64 - dtype.bits() as u32;
        (((bits[0] << unused) as i64) >> unused).to_string()
    } else {
        bits[0].to_string()
    }
}
