//! The characters of a module, with their places.

use rjax_ir::{Error, ErrorKind, Location, Result};

/// A position in the text.
pub(super) struct Scanner<'a> {
    pub text: &'a str,
    pub position: usize,
    file: std::sync::Arc<str>,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str, file: &str) -> Scanner<'a> {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Scanner { text, position: 0, file: file.into(), lines }
    }

    pub fn location(&self) -> Location {
        let position = self.position.min(self.text.len());
        let line = self.lines.partition_point(|&start| start <= position);
        let column = self.text[self.lines[line - 1]..position].chars().count() as u32 + 1;
        let line = line as u32;
        Location::Text { file: self.file.clone(), line, column }
    }

    pub fn error(&self, what: impl Into<String>) -> Error {
        Error::new(ErrorKind::Malformed, what).at(&self.location())
    }

    /// An error that says what was expected and what stands here.
    pub fn expected<T>(&mut self, what: &str) -> Result<T> {
        self.skip_space();
        let found: String = self.rest().chars().take_while(|c| !c.is_whitespace()).take(24).collect();
        let found = if found.is_empty() { "the end".to_string() } else { format!("`{found}`") };
        Err(self.error(format!("expected {what}, found {found}")))
    }

    pub fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    /// Skips white space and comments.
    pub fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.position += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.position += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    /// Whether the next token begins with this text; for words use [`Scanner::eat_word`].
    pub fn peek(&mut self, token: &str) -> bool {
        self.skip_space();
        self.rest().starts_with(token)
    }

    pub fn eat(&mut self, token: &str) -> bool {
        let found = self.peek(token);
        if found {
            self.position += token.len();
        }
        found
    }

    pub fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { self.expected(&format!("`{token}`")) }
    }

    /// Letters, digits and `_ $ . -`, which names of operations and attributes are made of.
    pub fn peek_word(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.' | '-')))
            .unwrap_or(rest.len());
        // An arrow may follow a word directly.
        let word = &rest[..end];
        if rest[end..].starts_with('>') { word.strip_suffix('-').unwrap_or(word) } else { word }
    }

    pub fn word(&mut self) -> Result<&'a str> {
        let word = self.peek_word();
        if word.is_empty() {
            return self.expected("a name");
        }
        self.position += word.len();
        Ok(word)
    }

    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == word;
        if found {
            self.position += word.len();
        }
        found
    }

    pub fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { self.expected(&format!("`{word}`")) }
    }

    /// A quoted string with its escapes resolved.
    pub fn string(&mut self) -> Result<String> {
        self.expect("\"")?;
        let mut bytes = vec![];
        let mut rest = self.rest().bytes();
        let mut used = 0;
        let mut next = || {
            used += 1;
            rest.next()
        };
        loop {
            match next() {
                None => return Err(self.error("a string is not closed")),
                Some(b'"') => break,
                Some(b'\\') => {
                    let escape = next();
                    match escape {
                        Some(b'n') => bytes.push(b'\n'),
                        Some(b't') => bytes.push(b'\t'),
                        Some(c @ (b'"' | b'\\')) => bytes.push(c),
                        Some(high) if high.is_ascii_hexdigit() => {
                            let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
                            match (digit(high), next().and_then(digit)) {
                                (Some(high), Some(low)) => bytes.push(high << 4 | low),
                                _ => return Err(self.error("an escape in a string is malformed")),
                            }
                        }
                        _ => return Err(self.error("an escape in a string is malformed")),
                    }
                }
                Some(c) => bytes.push(c),
            }
        }
        self.position += used;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A symbol after `@`, bare or quoted.
    pub fn symbol(&mut self) -> Result<String> {
        self.expect("@")?;
        if self.rest().starts_with('"') { self.string() } else { Ok(self.word()?.to_string()) }
    }

    /// The name of a value after `%`.
    pub fn value_name(&mut self) -> Result<&'a str> {
        self.expect("%")?;
        self.word()
    }

    /// The characters of a number: sign, digits, point, exponent, or hexadecimal.
    pub fn number(&mut self) -> Result<&'a str> {
        self.skip_space();
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut end = usize::from(bytes.first().is_some_and(|c| matches!(c, b'-' | b'+')));
        let start = end;
        let hexadecimal = rest[end..].starts_with("0x") || rest[end..].starts_with("0X");
        if hexadecimal {
            end += 2;
        }
        while let Some(&c) = bytes.get(end) {
            let sign_of_exponent =
                matches!(c, b'-' | b'+') && !hexadecimal && end > start && matches!(bytes[end - 1], b'e' | b'E');
            let part =
                if hexadecimal { c.is_ascii_hexdigit() } else { c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E') };
            if !part && !sign_of_exponent {
                break;
            }
            end += 1;
        }
        if end == start {
            return self.expected("a number");
        }
        self.position += end;
        Ok(&rest[..end])
    }

    pub fn integer(&mut self) -> Result<i64> {
        let text = self.number()?;
        parse_integer(text).map(|v| v as i64).ok_or_else(|| self.error(format!("`{text}` is not an integer")))
    }

    /// `[1, 2, 3]`.
    pub fn integers(&mut self) -> Result<Vec<i64>> {
        self.expect("[")?;
        let mut values = vec![];
        while !self.eat("]") {
            if !values.is_empty() {
                self.expect(",")?;
            }
            values.push(self.integer()?);
        }
        Ok(values)
    }
}

/// An integer, decimal or hexadecimal, as 128 bits so that `u64` and `i64` both fit.
pub(super) fn parse_integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => i128::from_str_radix(hexadecimal, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { -value } else { value })
}
