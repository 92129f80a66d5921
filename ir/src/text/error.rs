//! Errors in program text.

use std::fmt;
use std::sync::Arc;

use crate::{Error, ErrorKind, Location};

/// What is wrong in a text, and where.
///
/// ```
/// use rjax_ir::Program;
/// let error = Program::parse("{ lambda ; a:f32[]. let b:f32[] = sine a in (b,) }", "wave.jaxpr").unwrap_err();
/// assert_eq!((error.line, error.column), (1, 35));
/// assert!(error.to_string().starts_with("wave.jaxpr:1:35: unknown op \"sine\"; did you mean \"sin\""));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// File name as given by the caller.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// How many characters are meant, at least 1.
    pub width: u32,
    /// What was found and what is accepted.
    pub message: String,
    /// The line itself.
    pub source: String,
}

/// How much of a long line is shown on either side of the mistake.
const CONTEXT: usize = 60;

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.column as usize - 1;
        let start = if self.source.chars().count() > 2 * CONTEXT { column.saturating_sub(CONTEXT) } else { 0 };
        let shown: String = self.source.chars().skip(start).take(2 * CONTEXT).collect();
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let spaces = " ".repeat(column - start);
        let carets = "^".repeat((self.width as usize).min(shown.chars().count().saturating_sub(column - start)).max(1));
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        writeln!(f, " {margin} |")?;
        writeln!(f, " {number} | {}", shown.trim_end())?;
        write!(f, " {margin} | {spaces}{carets}")
    }
}

impl std::error::Error for ParseError {}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Error {
        let location = Location::Text { file: error.file, line: error.line, column: error.column };
        Error::new(ErrorKind::Malformed, error.message).at(&location)
    }
}

/// The candidates that a misspelt word may have meant, nearest first, at most three.
pub(super) fn near<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Vec<&'c str> {
    let limit = 1 + word.chars().count() / 5;
    let mut scored: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= limit || (word.len() > 2 && candidate.starts_with(word)))
        .collect();
    scored.sort();
    scored.dedup();
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// `; did you mean "x"?` for near candidates, otherwise nothing.
pub(super) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    let names: Vec<String> = near(word, candidates).iter().map(|name| format!("{name:?}")).collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) }
}

/// The number of insertions, deletions, substitutions and swaps of neighbours between two words.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(64).collect(), to.chars().take(64).collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let substituted = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
                let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                let swapped = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                substituted.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(swapped)
            };
        }
    }
    rows[from.len()][to.len()]
}
