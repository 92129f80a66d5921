//! Looking into programs while they run.

use rjax_ir::{DebugPrint, ErrorKind, Op};

use crate::Array;
use crate::error::fail_with;

/// Prints when the program runs, also in compiled, batched and differentiated functions: see [`debug::print!`](crate::debug_print!).
#[track_caller]
pub fn print_values(format: &str, values: &[&Array]) {
    let holes = format.replace("{{", "").replace("}}", "").matches("{}").count();
    if holes != values.len() {
        fail_with(
            ErrorKind::Structure,
            format!("debug::print: {format:?} has {holes} places for {} values", values.len()),
        )
    }
    crate::trace::emit(Op::DebugPrint(DebugPrint { format: format.into() }), values);
}

/// Prints when the program runs: `debug::print!("loss = {}", loss)`. A plain `println!` in a traced function prints once, while
/// it is traced.
///
/// ```
/// use rjax::prelude::*;
/// let f = jit(|x: &Array| {
///     debug::print!("x = {}", x);
///     x * 2.0
/// });
/// f(&Array::scalar(1.0f32));
/// ```
#[macro_export]
macro_rules! debug_print {
    ($format:literal $(, $value:expr)* $(,)?) => {
        $crate::debug::print_values($format, &[$(&$crate::array::Operand::into_array($value.clone())),*])
    };
}

pub use crate::debug_print as print;
