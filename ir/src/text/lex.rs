//! Words, numbers, strings and punctuation of program text.

use std::sync::Arc;

use super::ParseError;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A name, keyword, dtype or op: a letter or `_`, then letters, digits and `_`.
    Word,
    /// A sign or digit and what belongs to it: `2`, `-0.5e-3`, `+1.0j`, `-inf`, `0x7fc00001`.
    Number,
    /// Text between double quotes, escapes still in it.
    String,
    /// One character of `{ } ( ) [ ] : ; , . =`.
    Punctuation,
    /// The end of the text.
    End,
}

/// A token and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) line: u32,
    pub(super) column: u32,
    /// The first one on its line.
    pub(super) starts_line: bool,
}

impl Token<'_> {
    /// The token as an error message names it.
    pub(super) fn describe(&self) -> String {
        match self.kind {
            Kind::End => "the end of the text".to_string(),
            Kind::Word | Kind::Number | Kind::String | Kind::Punctuation => {
                let shown: String = self.text.chars().take(40).collect();
                format!("`{shown}`")
            }
        }
    }
}

/// The tokens of a text; the last one is [`Kind::End`]. Comments run from `#` to the end of the line.
pub(super) fn tokens<'t>(text: &'t str, file: &Arc<str>) -> Result<Vec<Token<'t>>, ParseError> {
    let mut tokens = Vec::new();
    let (mut line, mut column, mut starts_line) = (1, 1, true);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            '\n' => {
                (line, column, starts_line) = (line + 1, 1, true);
                rest = &rest[1..];
                continue;
            }
            c if c.is_whitespace() => {
                column += 1;
                rest = &rest[c.len_utf8()..];
                continue;
            }
            '#' => {
                let length = rest.find('\n').unwrap_or(rest.len());
                column += rest[..length].chars().count() as u32;
                rest = &rest[length..];
                continue;
            }
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | ';' | ',' | '.' | '=' => (Kind::Punctuation, 1),
            '"' => match string_length(rest) {
                Some(length) => (Kind::String, length),
                None => return Err(error(text, file, line, column, "this string has no closing quote")),
            },
            c if c.is_ascii_alphabetic() || c == '_' => (Kind::Word, word_length(rest)),
            c if c.is_ascii_digit() => (Kind::Number, number_length(rest)),
            '+' | '-' if rest[1..].starts_with(|c: char| c.is_ascii_alphanumeric()) => {
                (Kind::Number, number_length(rest))
            }
            c => return Err(error(text, file, line, column, format!("unexpected character {c:?}"))),
        };
        let token = &rest[..length];
        tokens.push(Token { kind, text: token, line, column, starts_line });
        column += token.chars().count() as u32;
        starts_line = false;
        rest = &rest[length..];
    }
    tokens.push(Token { kind: Kind::End, text: "", line, column, starts_line });
    Ok(tokens)
}

/// An error at a place of the text.
pub(super) fn error(text: &str, file: &Arc<str>, line: u32, column: u32, message: impl Into<String>) -> ParseError {
    let source = text.lines().nth(line as usize - 1).unwrap_or("").to_string();
    ParseError { file: file.clone(), line, column, width: 1, message: message.into(), source }
}

fn word_length(rest: &str) -> usize {
    let plain = |s: &str| s.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(s.len());
    let length = plain(rest);
    // JAX spells the combining scatters with a hyphen: scatter-add, scatter-mul, scatter-min, scatter-max.
    match &rest[..length] {
        "scatter" if rest[length..].starts_with('-') => length + 1 + plain(&rest[length + 1..]),
        _ => length,
    }
}

fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let unsigned = rest.trim_start_matches(['+', '-']);
    let hex = unsigned.starts_with("0x");
    let decimal = !hex && unsigned.starts_with(|c: char| c.is_ascii_digit());
    let mut length = 1;
    while let Some(&byte) = bytes.get(length) {
        let before = bytes[length - 1];
        let continues = match byte {
            b'.' => decimal && bytes.get(length + 1).is_some_and(u8::is_ascii_digit),
            b'+' | b'-' => decimal && matches!(before, b'e' | b'E'),
            _ => byte.is_ascii_alphanumeric() || byte == b'_',
        };
        if !continues {
            break;
        }
        length += 1;
    }
    length
}

/// The length of the string that `rest` begins with, quotes included; strings end on their line.
fn string_length(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (position, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return None,
            '"' if !escaped => return Some(position + 1),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

/// The text that a string token stands for.
pub(super) fn unescape(token: &str) -> Result<String, String> {
    let mut chars = token[1..token.len() - 1].chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('0') => text.push('\0'),
            Some(c @ ('"' | '\\' | '\'')) => text.push(c),
            Some('u') => {
                let digits: String = chars.by_ref().skip(1).take_while(|&c| c != '}').collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                text.push(code.ok_or_else(|| format!("\\u{{{digits}}} is not a character"))?);
            }
            other => return Err(format!("unknown escape \\{}", other.map(String::from).unwrap_or_default())),
        }
    }
    Ok(text)
}
