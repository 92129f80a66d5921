//! Attributes, constants among them.

use rjax_ir::{Aval, DType, Result, Scalar, Tensor};

use super::scanner::{Scanner, parse_integer};
use super::types;
use crate::mlir::{Attribute, Attributes, ElementType, Type};

const DEPTH_LIMIT: usize = 32;
/// The largest number of elements that a splat constant may stand for.
const SPLAT_LIMIT: usize = 1 << 28;

/// `{name = attribute, flag, …}`.
pub(super) fn dictionary(s: &mut Scanner) -> Result<Attributes> {
    nested_dictionary(s, "{", "}", 0)
}

/// Properties `<{…}>` of the generic form.
pub(super) fn properties(s: &mut Scanner) -> Result<Attributes> {
    nested_dictionary(s, "<{", "}>", 0)
}

fn nested_dictionary(s: &mut Scanner, open: &str, close: &str, depth: usize) -> Result<Attributes> {
    s.expect(open)?;
    let mut entries = Attributes::new();
    while !s.eat(close) {
        if !entries.is_empty() {
            s.expect(",")?;
        }
        let name = if s.peek("\"") { s.string()? } else { s.word()?.to_string() };
        let value = if s.eat("=") { nested(s, depth + 1)? } else { Attribute::Unit };
        insert(&mut entries, name, value);
    }
    Ok(entries)
}

/// The composite attributes are spread into the flat names that the bytecode uses.
fn insert(entries: &mut Attributes, name: String, value: Attribute) {
    match (name.as_str(), value) {
        ("dimension_numbers" | "scatter_dimension_numbers" | "dot_dimension_numbers", Attribute::Dict(fields)) => {
            entries.extend(fields);
        }
        (_, value) => {
            entries.insert(name, value);
        }
    }
}

/// Any attribute.
pub(super) fn parse(s: &mut Scanner) -> Result<Attribute> {
    nested(s, 0)
}

fn nested(s: &mut Scanner, depth: usize) -> Result<Attribute> {
    if depth > DEPTH_LIMIT {
        return Err(s.error("attributes nest too deeply"));
    }
    s.skip_space();
    let attribute = match s.rest().chars().next() {
        Some('"') => Attribute::String(s.string()?),
        Some('@') => Attribute::String(s.symbol()?),
        Some('[') => {
            s.expect("[")?;
            let mut items = vec![];
            while !s.eat("]") {
                if !items.is_empty() {
                    s.expect(",")?;
                }
                items.push(nested(s, depth + 1)?);
            }
            Attribute::Array(items)
        }
        Some('{') => Attribute::Dict(nested_dictionary(s, "{", "}", depth)?),
        Some('#') => return dialect_attribute(s, depth),
        Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => {
            let text = s.number()?;
            let ty = if s.eat(":") { Some(types::parse(s)?) } else { None };
            return number(s, text, ty);
        }
        Some('(' | '!') => Attribute::Type(types::parse(s)?),
        _ => match s.peek_word() {
            "dense" => dense(s)?,
            "array" => array(s)?,
            "true" | "false" => Attribute::Bool(s.word()? == "true"),
            "unit" => {
                s.word()?;
                Attribute::Unit
            }
            "tensor" | "tuple" | "complex" | "none" => Attribute::Type(types::parse(s)?),
            "" => return s.expected("an attribute"),
            word => {
                let is_type = DType::parse(word).is_some() || matches!(word, "i1" | "index") || word.starts_with("ui");
                if is_type {
                    Attribute::Type(types::parse(s)?)
                } else {
                    s.word()?;
                    Attribute::String(word.to_string())
                }
            }
        },
    };
    if matches!(attribute, Attribute::String(_) | Attribute::Bool(_)) && s.eat(":") {
        types::parse(s)?;
    }
    Ok(attribute)
}

fn number(s: &mut Scanner, text: &str, ty: Option<Type>) -> Result<Attribute> {
    let float = match &ty {
        Some(Type::Tensor { element: ElementType::DType(dtype), .. }) => dtype.is_float(),
        Some(_) => false,
        None => parse_integer(text).is_none(),
    };
    if float {
        let dtype = match ty {
            Some(Type::Tensor { element: ElementType::DType(dtype), .. }) => dtype,
            _ => DType::F64,
        };
        return Ok(Attribute::Float(scalar(s, text, dtype)?.to_f64()));
    }
    match parse_integer(text) {
        Some(value) => Ok(Attribute::Int(value as i64)),
        None => Err(s.error(format!("`{text}` is not an integer"))),
    }
}

/// `#stablehlo<kind VALUE>`, `#stablehlo.gather<name = …, …>` and those of other dialects.
fn dialect_attribute(s: &mut Scanner, depth: usize) -> Result<Attribute> {
    s.expect("#")?;
    let name = s.word()?;
    if !s.rest().starts_with('<') {
        return Ok(Attribute::Opaque);
    }
    if !name.starts_with("stablehlo") && !name.starts_with("chlo") {
        types::skip_angles(s)?;
        return Ok(Attribute::Opaque);
    }
    s.expect("<")?;
    match name {
        "stablehlo" | "chlo" => {
            // One enumerant after its kind: `comparison_direction EQ`, `precision DEFAULT`.
            s.word()?;
            if s.peek("<") {
                types::skip_angles(s)?;
                s.expect(">")?;
                return Ok(Attribute::Opaque);
            }
            let value = s.word()?.to_string();
            s.expect(">")?;
            Ok(Attribute::String(value))
        }
        "stablehlo.gather" | "stablehlo.scatter" | "stablehlo.dot" | "stablehlo.channel_handle" => {
            let mut fields = Attributes::new();
            while !s.eat(">") {
                if !fields.is_empty() {
                    s.expect(",")?;
                }
                let field = s.word()?.to_string();
                s.expect("=")?;
                fields.insert(field, nested(s, depth + 1)?);
            }
            // The printer leaves out empty lists and zeros.
            let lists: &[&str] = match name {
                "stablehlo.gather" => &["offset_dims", "collapsed_slice_dims", "start_index_map"],
                "stablehlo.scatter" => &["update_window_dims", "inserted_window_dims", "scatter_dims_to_operand_dims"],
                _ => &[],
            };
            for list in lists {
                fields.entry(list.to_string()).or_insert(Attribute::Array(vec![]));
            }
            if !lists.is_empty() {
                fields.entry("index_vector_dim".into()).or_insert(Attribute::Int(0));
            }
            Ok(Attribute::Dict(fields))
        }
        "stablehlo.conv" => {
            let fields = convolution_dimensions(s)?;
            s.expect(">")?;
            Ok(Attribute::Dict(fields))
        }
        _ => {
            types::skip_to_close(s)?;
            s.expect(">")?;
            Ok(Attribute::Opaque)
        }
    }
}

/// `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`.
pub(super) fn convolution_dimensions(s: &mut Scanner) -> Result<Attributes> {
    let mut fields = Attributes::new();
    let mut part = |s: &mut Scanner, first: (&str, &str), second: (&str, &str), spatial: &str| -> Result<()> {
        s.expect("[")?;
        let mut axes: Vec<Option<i64>> = vec![];
        let mut position = 0;
        while !s.eat("]") {
            if position > 0 {
                s.expect(",")?;
            }
            let entry = s.word()?;
            if entry == first.0 {
                fields.insert(first.1.to_string(), Attribute::Int(position));
            } else if entry == second.0 {
                fields.insert(second.1.to_string(), Attribute::Int(position));
            } else {
                let index: usize = entry.parse().map_err(|_| s.error(format!("`{entry}` is no axis")))?;
                if index > 64 {
                    return Err(s.error(format!("spatial axis {index} is out of range")));
                }
                if axes.len() <= index {
                    axes.resize(index + 1, None);
                }
                axes[index] = Some(position);
            }
            position += 1;
        }
        let axes: Option<Vec<i64>> = axes.into_iter().collect();
        let axes = axes.ok_or_else(|| s.error("a spatial axis is missing"))?;
        fields.insert(spatial.to_string(), Attribute::Array(axes.into_iter().map(Attribute::Int).collect()));
        Ok(())
    };
    part(s, ("b", "input_batch_dimension"), ("f", "input_feature_dimension"), "input_spatial_dimensions")?;
    s.expect("x")?;
    part(
        s,
        ("i", "kernel_input_feature_dimension"),
        ("o", "kernel_output_feature_dimension"),
        "kernel_spatial_dimensions",
    )?;
    s.expect("->")?;
    part(s, ("b", "output_batch_dimension"), ("f", "output_feature_dimension"), "output_spatial_dimensions")?;
    Ok(fields)
}

/// `array<i64: 1, 2>`.
fn array(s: &mut Scanner) -> Result<Attribute> {
    s.expect_word("array")?;
    s.expect("<")?;
    types::parse(s)?;
    let mut items = vec![];
    if s.eat(":") {
        while !s.peek(">") {
            if !items.is_empty() {
                s.expect(",")?;
            }
            items.push(match s.peek_word() {
                "true" | "false" => Attribute::Bool(s.word()? == "true"),
                _ => {
                    let text = s.number()?;
                    number(s, text, None)?
                }
            });
        }
    }
    s.expect(">")?;
    Ok(Attribute::Array(items))
}

/// An element of a constant as written.
enum Element<'a> {
    Bool(bool),
    Number(&'a str),
    Complex(&'a str, &'a str),
    /// Raw bytes in hexadecimal, for the whole constant.
    Bytes(Vec<u8>),
}

/// `dense<…> : type`.
pub(super) fn dense(s: &mut Scanner) -> Result<Attribute> {
    s.expect_word("dense")?;
    s.expect("<")?;
    let mut elements = vec![];
    let mut depth = 0;
    loop {
        if s.eat("[") {
            depth += 1;
        } else if s.eat("]") {
            depth -= 1;
        } else if s.eat(",") {
        } else if s.eat(">") {
            break;
        } else if s.eat("(") {
            let re = s.number()?;
            s.expect(",")?;
            let im = s.number()?;
            s.expect(")")?;
            elements.push(Element::Complex(re, im));
        } else if s.peek("\"") {
            let text = s.string()?;
            elements.push(Element::Bytes(hexadecimal(&text).ok_or_else(|| s.error("malformed hexadecimal constant"))?));
        } else if s.eat_word("true") {
            elements.push(Element::Bool(true));
        } else if s.eat_word("false") {
            elements.push(Element::Bool(false));
        } else {
            elements.push(Element::Number(s.number()?));
        }
        if depth < 0 {
            return Err(s.error("a bracket too many in a constant"));
        }
    }
    s.expect(":")?;
    let ty = types::parse(s)?;
    let aval = match &ty {
        Type::Tensor { shape, element: ElementType::Index } => {
            Aval::new(DType::I64, shape.iter().map(|e| e.unwrap_or(0)).collect::<Vec<_>>())
        }
        _ => match ty.aval() {
            Ok(aval) => aval,
            Err(_) => return Ok(Attribute::DenseOther(ty)),
        },
    };
    let Some(size) = aval.shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).filter(|&n| n <= SPLAT_LIMIT) else {
        return Err(s.error(format!("a constant of type {ty} is too large")));
    };
    if let [Element::Bytes(bytes)] = &elements[..] {
        return from_bytes(s, &aval, size, bytes).map(Attribute::Dense);
    }
    let scalars = elements
        .iter()
        .map(|element| match element {
            Element::Bool(value) => Ok(Scalar::from_i64(aval.dtype, *value as i64)),
            Element::Number(text) => scalar(s, text, aval.dtype),
            Element::Complex(re, im) => {
                let part = aval.dtype.real();
                let (re, im) = (scalar(s, re, part)?, scalar(s, im, part)?);
                Ok(Scalar::from_bits(aval.dtype, [re.bits()[0], im.bits()[0]]))
            }
            Element::Bytes(_) => Err(s.error("a string among the elements of a constant")),
        })
        .collect::<Result<Vec<_>>>()?;
    let tensor = match scalars[..] {
        [one] => Tensor::full(aval.shape, one),
        _ if scalars.len() == size => Tensor::from_scalars(&aval, &scalars),
        _ if size == 0 => Tensor::zeros(&aval),
        _ => return Err(s.error(format!("a constant of type {ty} has {} elements", scalars.len()))),
    };
    Ok(Attribute::Dense(tensor))
}

fn from_bytes(s: &Scanner, aval: &Aval, size: usize, bytes: &[u8]) -> Result<Tensor> {
    if aval.dtype == DType::Bool {
        if bytes.len() == size.div_ceil(8) && bytes.len() != size {
            let bits = (0..size).map(|i| bytes[i / 8] >> (i % 8) & 1 != 0).collect();
            return Ok(Tensor::from_vec(aval.shape.clone(), bits));
        }
    } else if bytes.len() == aval.dtype.size() {
        let one = Tensor::from_bytes(&Aval::scalar(aval.dtype), bytes);
        return Ok(Tensor::full(aval.shape.clone(), one.get(0)));
    }
    if bytes.len() != aval.bytes() {
        return Err(s.error(format!("a constant of type {aval} has {} bytes", bytes.len())));
    }
    Ok(Tensor::from_bytes(aval, bytes))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// A number as written, of a dtype. Hexadecimal floats are their bits.
fn scalar(s: &Scanner, text: &str, dtype: DType) -> Result<Scalar> {
    let wrong = || s.error(format!("`{text}` is not a value of type {dtype}"));
    if dtype.is_integer() {
        let value = parse_integer(text).ok_or_else(wrong)?;
        return Ok(Scalar::from_i64(dtype, value as i64));
    }
    if text.starts_with("0x") || text.starts_with("0X") {
        let bits = parse_integer(text).ok_or_else(wrong)? as u64;
        return Ok(Scalar::from_bits(dtype, [bits, 0]));
    }
    let value: f64 = text.parse().map_err(|_| wrong())?;
    if dtype == DType::F32 {
        return Ok(Scalar::new(text.parse::<f32>().map_err(|_| wrong())?));
    }
    Ok(Scalar::from_f64(dtype, value))
}
