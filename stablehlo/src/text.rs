//! StableHLO's text form: the pretty and the generic syntax, as `jax.jit(f).lower(x).as_text()` and the StableHLO tools print them.

mod attribute;
mod operation;
mod print;
mod scanner;
mod types;

pub use print::print;
use rjax_ir::Result;

use crate::mlir::Module;

/// Reads a module. `file` names the source in errors, which carry line and column.
pub fn read(text: &str, file: &str) -> Result<Module> {
    operation::read(text, file)
}

/// Splits a file into its modules at lines `// -----`, each with the number of the line it begins on.
pub fn split(text: &str) -> Vec<(u32, &str)> {
    let mut parts = vec![];
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_start().starts_with("// -----") {
            parts.push((first_line, &text[start..offset]));
            start = offset + line.len();
            first_line = number as u32 + 2;
        }
        offset += line.len();
    }
    parts.push((first_line, &text[start..]));
    parts.retain(|(_, part)| part.lines().any(|l| !l.trim().is_empty() && !l.trim_start().starts_with("//")));
    parts
}
