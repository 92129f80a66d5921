//! Printing arrays as NumPy does.
//!
//! ```
//! use rjax::prelude::*;
//! let x = jnp::array([[1.0, 2.5], [-3.0, 4.0]]);
//! assert_eq!(x.to_string(), "[[ 1.   2.5]\n [-3.   4. ]]");
//! assert_eq!(format!("{x:?}"), "Array([[ 1. ,  2.5],\n       [-3. ,  4. ]], f32)");
//! ```

use std::fmt;

use rjax_ir::{Scalar, Tensor};

use super::{Array, Node};

/// Longer arrays are shown by their first and last elements.
const SUMMARIZE_ABOVE: usize = 1000;
/// How many elements at each end.
const EDGE: usize = 3;
const PRECISION: usize = 8;

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(value) => f.write_str(&layout(&value, " ", " ")),
            None => write!(f, "{}", self.placeholder()),
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(value) => {
                let weak = if self.is_weak() { ", weak" } else { "" };
                write!(f, "Array({}, {}{weak})", layout(&value, ", ", "       "), self.dtype())
            }
            None => write!(f, "{}", self.placeholder()),
        }
    }
}

impl Array {
    /// The value, where no trace would have to be run for it.
    fn known(&self) -> Option<Tensor> {
        if matches!(self.node(), Node::Traced(_)) { None } else { self.host("print").ok() }
    }

    fn placeholder(&self) -> String {
        match self.node() {
            Node::Traced(tracer) => format!("Traced<{}> under {}", tracer.aval, tracer.scope.transform),
            Node::Spec(aval) => format!("Spec<{aval}>"),
            Node::Literal(_) | Node::Constant { .. } | Node::Concrete(_) => format!("Deleted<{}>", self.aval()),
        }
    }
}

/// The text of an array: rows on lines, columns aligned.
fn layout(value: &Tensor, separator: &str, indent: &str) -> String {
    let shape = value.shape().to_vec();
    let summarize = shape.iter().product::<usize>() > SUMMARIZE_ABOVE;
    let shown: Vec<Vec<usize>> = shape.iter().map(|&extent| shown_indices(extent, summarize)).collect();
    let mut positions = vec![0];
    for (axis, indices) in shown.iter().enumerate() {
        let stride: usize = shape[axis + 1..].iter().product();
        positions = positions.iter().flat_map(|base| indices.iter().map(move |i| base + i * stride)).collect();
    }
    let scalars: Vec<Scalar> = positions.into_iter().map(|p| value.get(p)).collect();
    let texts = align(&scalars, shape.is_empty());
    if shape.is_empty() {
        return texts[0].clone();
    }
    if value.shape().size() == 0 {
        return "[]".to_string();
    }
    // The opening bracket of `indent` lines rows up under each other.
    let mut out = String::new();
    write_rows(&mut out, &shape, &shown, &texts, 0, separator, indent);
    out
}

fn shown_indices(extent: usize, summarize: bool) -> Vec<usize> {
    if summarize && extent > 2 * EDGE {
        (0..EDGE).chain(extent - EDGE..extent).collect()
    } else {
        (0..extent).collect()
    }
}

fn write_rows(
    out: &mut String,
    shape: &[usize],
    shown: &[Vec<usize>],
    texts: &[String],
    depth: usize,
    separator: &str,
    indent: &str,
) {
    let (indices, last) = (&shown[depth], depth + 1 == shape.len());
    let each = texts.len() / indices.len();
    let elided = indices.len() < shape[depth];
    out.push('[');
    for (i, part) in texts.chunks(each.max(1)).enumerate() {
        if i > 0 {
            if last {
                out.push_str(separator);
            } else {
                out.push_str(separator.trim_end());
                out.push_str(&"\n".repeat(shape.len() - depth - 1));
                out.push_str(if separator.starts_with(',') { indent } else { "" });
                out.push_str(&" ".repeat(depth + usize::from(!separator.starts_with(','))));
            }
        }
        if elided && i == EDGE {
            out.push_str("...");
            if last {
                out.push_str(separator);
            } else {
                out.push_str(&"\n".repeat(shape.len() - depth - 1));
                out.push_str(if separator.starts_with(',') { indent } else { "" });
                out.push_str(&" ".repeat(depth + usize::from(!separator.starts_with(','))));
            }
        }
        if last {
            out.push_str(&part[0]);
        } else {
            write_rows(out, shape, shown, part, depth + 1, separator, indent);
        }
    }
    out.push(']');
}

/// The texts of scalars, padded to one width.
fn align(scalars: &[Scalar], alone: bool) -> Vec<String> {
    let Some(first) = scalars.first() else { return Vec::new() };
    let dtype = first.dtype();
    let texts: Vec<String> = if dtype.is_float() {
        floats(&scalars.iter().map(|s| (s.to_f64(), *s)).collect::<Vec<_>>())
    } else if dtype.is_complex() {
        let parts: Vec<_> = scalars.iter().map(|s| s.to_c128()).collect();
        let re = floats(&parts.iter().map(|z| (z.re, Scalar::new(z.re))).collect::<Vec<_>>());
        let im = floats(&parts.iter().map(|z| (z.im.abs(), Scalar::new(z.im.abs()))).collect::<Vec<_>>());
        let sign = |z: f64| if z.is_sign_negative() { '-' } else { '+' };
        parts.iter().zip(re).zip(im).map(|((z, re), im)| format!("{re}{}{}j", sign(z.im), im.trim_start())).collect()
    } else {
        scalars.iter().map(|s| rjax_ir::with_element!(dtype, T => format!("{:?}", s.get::<T>()))).collect()
    };
    if alone {
        return texts.into_iter().map(|text| text.trim().to_string()).collect();
    }
    let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    texts.into_iter().map(|text| format!("{text:>width$}")).collect()
}

/// Floats with as many digits as tell them apart (at most eight), aligned at the point; in scientific notation where they span
/// many orders of magnitude.
fn floats(values: &[(f64, Scalar)]) -> Vec<String> {
    let finite: Vec<f64> = values.iter().map(|(v, _)| v.abs()).filter(|v| v.is_finite() && *v != 0.0).collect();
    let greatest = finite.iter().copied().fold(0.0, f64::max);
    let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
    let scientific = !finite.is_empty() && (greatest >= 1e8 || least < 1e-4 || greatest / least > 1e3);
    let scientific = scientific && (greatest >= 1e16 || least < 1e-4 || greatest / least > 1e3 && greatest >= 1e8);
    let texts: Vec<String> = values
        .iter()
        .map(|(value, scalar)| match value {
            v if v.is_nan() => "nan".to_string(),
            v if v.is_infinite() => if *v > 0.0 { "inf" } else { "-inf" }.to_string(),
            _ if scientific => exponential(*scalar),
            _ => fixed(*scalar),
        })
        .collect();
    if scientific {
        let mantissa =
            |text: &str| text.split_once('e').and_then(|(m, _)| m.split_once('.')).map_or(0, |(_, d)| d.len());
        let digits = texts.iter().map(|text| mantissa(text)).max().unwrap_or(0);
        return texts
            .into_iter()
            .map(|text| match text.split_once('e') {
                Some((m, e)) => {
                    let pad = digits - m.split_once('.').map_or(0, |(_, d)| d.len());
                    format!("{m}{}e{e}", "0".repeat(pad))
                }
                None => text,
            })
            .collect();
    }
    let decimals = texts.iter().filter_map(|text| text.split_once('.')).map(|(_, d)| d.len()).max().unwrap_or(0);
    texts
        .into_iter()
        .map(|text| match text.split_once('.') {
            Some((_, d)) => format!("{text}{}", " ".repeat(decimals - d.len())),
            None => text,
        })
        .collect()
}

/// The shortest decimal text that reads back as the same value, of the scalar's own precision.
fn shortest(scalar: Scalar) -> String {
    match scalar.dtype() {
        rjax_ir::DType::F32 => format!("{:?}", scalar.get::<f32>()),
        rjax_ir::DType::F16 | rjax_ir::DType::BF16 | rjax_ir::DType::Narrow(_) => {
            // Few digits: the first count that reads back as the same value.
            let value = scalar.to_f64();
            (0..12)
                .map(|digits| format!("{value:.digits$}"))
                .find(|text| text.parse().is_ok_and(|v| Scalar::from_f64(scalar.dtype(), v) == scalar))
                .unwrap_or_else(|| format!("{value:?}"))
        }
        rjax_ir::DType::F64
        | rjax_ir::DType::Bool
        | rjax_ir::DType::I8
        | rjax_ir::DType::I16
        | rjax_ir::DType::I32
        | rjax_ir::DType::I64
        | rjax_ir::DType::U8
        | rjax_ir::DType::U16
        | rjax_ir::DType::U32
        | rjax_ir::DType::U64
        | rjax_ir::DType::C64
        | rjax_ir::DType::C128 => format!("{:?}", scalar.to_f64()),
    }
}

/// At most eight decimals, no trailing zeros, but always a point.
fn fixed(scalar: Scalar) -> String {
    let short = shortest(scalar);
    let decimals = short.split_once('.').map_or(0, |(_, d)| d.len());
    let text =
        if short.contains('e') || decimals > PRECISION { format!("{:.PRECISION$}", scalar.to_f64()) } else { short };
    let text = if text.contains('.') { text.trim_end_matches('0').to_string() } else { text };
    if text.contains('.') { text } else { format!("{text}.") }
}

/// `1.5e+20`.
fn exponential(scalar: Scalar) -> String {
    let value = scalar.to_f64();
    let digits = shortest(scalar).chars().filter(char::is_ascii_digit).count().clamp(1, PRECISION + 1) - 1;
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').expect("scientific notation has an exponent");
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0') } else { mantissa };
    let mantissa = if mantissa.contains('.') { mantissa.to_string() } else { format!("{mantissa}.") };
    let exponent: i32 = exponent.parse().expect("an integer exponent");
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
