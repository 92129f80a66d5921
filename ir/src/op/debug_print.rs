//! Printing from inside a compiled program.

use std::sync::Arc;

/// Parameters of `debug_print`: `(x…) -> ()`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DebugPrint {
    /// Text with one `{}` for each operand; `{{` and `}}` stand for braces.
    pub format: Arc<str>,
}
