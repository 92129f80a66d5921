//! Types.

use rjax_ir::{DType, Result};

use super::scanner::Scanner;
use crate::mlir::{Attributes, ElementType, Type};

const DEPTH_LIMIT: usize = 32;

/// A type: `tensor<2x?xf32>`, `!stablehlo.token`, `tuple<…>`, `(…) -> …`, or an element type by itself.
pub(super) fn parse(s: &mut Scanner) -> Result<Type> {
    parse_nested(s, 0)
}

fn parse_nested(s: &mut Scanner, depth: usize) -> Result<Type> {
    if depth > DEPTH_LIMIT {
        return Err(s.error("types nest too deeply"));
    }
    if s.peek("(") {
        let inputs = list_nested(s, depth)?;
        s.expect("->")?;
        return Ok(Type::Function(inputs, results_nested(s, depth)?));
    }
    if s.eat("!stablehlo.token") {
        return Ok(Type::Token);
    }
    if s.eat("!") {
        let name = s.word()?.to_string();
        skip_angles(s)?;
        return Ok(Type::Other(format!("!{name}")));
    }
    if s.eat_word("tuple") {
        s.expect("<")?;
        let mut types = vec![];
        while !s.eat(">") {
            if !types.is_empty() {
                s.expect(",")?;
            }
            types.push(parse_nested(s, depth + 1)?);
        }
        return Ok(Type::Tuple(types));
    }
    if s.eat_word("tensor") {
        s.expect("<")?;
        let mut shape = vec![];
        while let Some(extent) = extent(s)? {
            shape.push(extent);
        }
        let element = element(s, depth)?;
        if s.eat(",") {
            // An encoding such as bounds of dynamic extents.
            skip_to_close(s)?;
        }
        s.expect(">")?;
        return Ok(Type::Tensor { shape, element });
    }
    Ok(Type::Tensor { shape: vec![], element: element(s, depth)? })
}

/// `2x` or `?x` before the element type.
fn extent(s: &mut Scanner) -> Result<Option<Option<usize>>> {
    s.skip_space();
    let rest = s.rest();
    if rest.starts_with("?x") {
        s.position += 2;
        return Ok(Some(None));
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || !rest[digits..].starts_with('x') {
        return Ok(None);
    }
    let extent = rest[..digits].parse().map_err(|_| s.error(format!("extent {} is too large", &rest[..digits])))?;
    s.position += digits + 1;
    Ok(Some(Some(extent)))
}

fn element(s: &mut Scanner, depth: usize) -> Result<ElementType> {
    if s.eat("!") {
        let name = s.word()?.to_string();
        skip_angles(s)?;
        return Ok(ElementType::Other(format!("!{name}")));
    }
    let name = s.word()?;
    let dtype = match name {
        "i1" => DType::Bool,
        "complex" => {
            s.expect("<")?;
            let part = parse_nested(s, depth + 1)?;
            s.expect(">")?;
            return Ok(match part {
                Type::Tensor { element: ElementType::DType(DType::F32), .. } => ElementType::DType(DType::C64),
                Type::Tensor { element: ElementType::DType(DType::F64), .. } => ElementType::DType(DType::C128),
                part => ElementType::Other(format!("complex<{part}>")),
            });
        }
        "index" => return Ok(ElementType::Index),
        _ => match name.strip_prefix("ui").or_else(|| name.strip_prefix("si")) {
            Some(width) => {
                let prefix = if name.starts_with("ui") { "u" } else { "i" };
                match DType::parse(&format!("{prefix}{width}")) {
                    Some(dtype) => dtype,
                    None => return Ok(ElementType::Other(name.into())),
                }
            }
            None => match DType::parse(&name.to_lowercase()) {
                // rjax's own short names `u8`, `c64`, `bool` are no MLIR types.
                Some(dtype) if crate::mlir::element_name(dtype) == name => dtype,
                _ => return Ok(ElementType::Other(name.into())),
            },
        },
    };
    Ok(ElementType::DType(dtype))
}

/// `(T, T)`, with attributes of results skipped.
pub(super) fn list(s: &mut Scanner) -> Result<Vec<Type>> {
    list_nested(s, 0)
}

fn list_nested(s: &mut Scanner, depth: usize) -> Result<Vec<Type>> {
    list_with_attributes(s, depth).map(|(types, _)| types)
}

fn list_with_attributes(s: &mut Scanner, depth: usize) -> Result<(Vec<Type>, Vec<Attributes>)> {
    s.expect("(")?;
    let (mut types, mut attributes) = (vec![], vec![]);
    while !s.eat(")") {
        if !types.is_empty() {
            s.expect(",")?;
        }
        types.push(parse_nested(s, depth + 1)?);
        attributes.push(if s.peek("{") { super::attribute::dictionary(s)? } else { Attributes::new() });
    }
    Ok((types, attributes))
}

/// The results of a function, each with its attributes.
pub(super) fn results_with_attributes(s: &mut Scanner) -> Result<(Vec<Type>, Vec<Attributes>)> {
    if s.peek("(") { list_with_attributes(s, 0) } else { Ok((vec![parse_nested(s, 1)?], vec![Attributes::new()])) }
}

/// The types after an arrow: one, or several in parentheses.
pub(super) fn results(s: &mut Scanner) -> Result<Vec<Type>> {
    results_nested(s, 0)
}

fn results_nested(s: &mut Scanner, depth: usize) -> Result<Vec<Type>> {
    if s.peek("(") { list_nested(s, depth) } else { Ok(vec![parse_nested(s, depth + 1)?]) }
}

/// Skips `<…>` with nesting, if it follows.
pub(super) fn skip_angles(s: &mut Scanner) -> Result<()> {
    if s.rest().starts_with('<') {
        s.position += 1;
        skip_to_close(s)?;
        s.expect(">")?;
    }
    Ok(())
}

/// Skips to the `>` that closes the bracket this stands in.
pub(super) fn skip_to_close(s: &mut Scanner) -> Result<()> {
    let mut depth = 0usize;
    loop {
        let rest = s.rest();
        let Some(at) = rest.find(['<', '>', '"', '-']) else { return Err(s.error("a bracket is not closed")) };
        s.position += at;
        if s.rest().starts_with("->") {
            s.position += 2;
        } else if s.rest().starts_with('"') {
            s.string()?;
        } else if s.rest().starts_with('<') {
            depth += 1;
            s.position += 1;
        } else if s.rest().starts_with('>') {
            if depth == 0 {
                return Ok(());
            }
            depth -= 1;
            s.position += 1;
        } else {
            s.position += 1;
        }
    }
}
