//! `jit`: a call of a named program.

use crate::{Aval, Program, Result, check};

pub(crate) fn infer(name: &str, program: &Program, inputs: &[Aval]) -> Result<Vec<Aval>> {
    check::signature("jit", &format!("program {name}"), program, inputs)
}
