//! Printing from inside a compiled program.

use std::sync::Arc;

use crate::op::convert;
use crate::{Aval, DType, Element, Result, Tensor, bail, check, ensure};

/// Parameters of `debug_print`: `(x…) -> ()`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DebugPrint {
    /// Text with one `{}` for each operand; `{{` and `}}` stand for braces.
    pub format: Arc<str>,
}

/// A part of a format text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    /// Printed as it is.
    Text(&'a str),
    /// The next operand.
    Operand,
}

impl DebugPrint {
    /// The format taken apart, or an error if a brace stands alone.
    pub(crate) fn pieces(&self) -> Result<Vec<Piece<'_>>> {
        let mut pieces = Vec::new();
        let mut rest: &str = &self.format;
        while let Some(at) = rest.find(['{', '}']) {
            let (text, braces) = rest.split_at(at);
            pieces.push(Piece::Text(text));
            match braces.get(..2) {
                Some("{}") => pieces.push(Piece::Operand),
                Some(pair @ ("{{" | "}}")) => pieces.push(Piece::Text(&pair[..1])),
                Some(_) | None => bail!(
                    Parameter,
                    "debug_print: the format may hold {{}}, {{{{ and }}}}, but no other brace, found {:?}",
                    self.format
                ),
            }
            rest = &braces[2..];
        }
        pieces.push(Piece::Text(rest));
        Ok(pieces)
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let places = self.pieces()?.iter().filter(|piece| **piece == Piece::Operand).count();
        ensure!(
            places == inputs.len(),
            Structure,
            "debug_print: the format has {} for {}: {:?}",
            check::count(places, "place"),
            check::count(inputs.len(), "operand"),
            self.format
        );
        Ok(vec![])
    }
}

impl DebugPrint {
    /// The text with each operand in its place: scalars as Rust writes them, arrays in nested brackets. Braces that are no
    /// place of an operand, and places without an operand, print as nothing.
    pub fn render(&self, operands: &[Tensor]) -> String {
        let mut operands = operands.iter();
        let mut text = String::new();
        for piece in self.pieces().unwrap_or_default() {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Operand => {
                    if let Some(operand) = operands.next() {
                        write_nested(&mut text, &convert::convert(operand, operand.dtype().wide()), 0, 0);
                    }
                }
            }
        }
        text
    }
}

/// Writes what lies under one index of the axes before `axis`, which begins at `position`.
fn write_nested(text: &mut String, x: &Tensor, axis: usize, position: usize) {
    if axis == x.shape().rank() {
        text.push_str(&with_element!(x.dtype(), T => display(x.as_slice::<T>()[position])));
        return;
    }
    let step: usize = x.shape()[axis + 1..].iter().product();
    text.push('[');
    for i in 0..x.shape()[axis] {
        if i > 0 {
            text.push_str(", ");
        }
        write_nested(text, x, axis + 1, position + i * step);
    }
    text.push(']');
}

fn display<T: Element>(value: T) -> String {
    if !T::DTYPE.is_complex() {
        return format!("{value:?}");
    }
    let z = value.to_c128();
    if T::DTYPE == DType::C64 {
        format!("{:?}{:+?}i", z.re as f32, z.im as f32)
    } else {
        format!("{:?}{:+?}i", z.re, z.im)
    }
}
