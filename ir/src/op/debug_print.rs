//! Printing from inside a compiled program.

use std::sync::Arc;

use crate::{Aval, Result, bail, check, ensure};

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
