//! The text form of programs: printing, parsing, comparing and drawing them.
//!
//! It looks like a jaxpr and round-trips exactly: parsing what [`Display`](std::fmt::Display) prints gives the same program
//! with its variables numbered in the order of their definitions ([`crate::Program::renumbered`]), and printing it again the same text.
//!
//! ```
//! use rjax_ir::Program;
//! let text = "{ lambda ; a:f32[2,3]. let b:f32[2] = reduce_sum[axes=(1,)] a; c:f32[2] = neg b in (c,) }";
//! let program = Program::parse(text, "example").unwrap();
//! assert_eq!(program.to_string(), text);
//! assert_eq!(program.renumbered(), program);
//! ```

mod diff;
mod dot;
mod error;
mod example;
mod lex;
mod literal;
mod ops;
mod param;
mod parse;
mod print;
mod read;
mod renumber;

#[cfg(test)]
mod tests;

pub use diff::diff;
pub use dot::dot;
pub use error::ParseError;
pub use example::example;
pub use ops::{doc, names, params};
pub use param::Param;

/// Words that are not names of variables.
fn is_reserved(name: &str) -> bool {
    matches!(name, "in" | "let" | "lambda" | "nan" | "inf" | "True" | "False" | "None")
}

/// Whether the lexer reads this as one word.
fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
