//! `cond`: one of several programs, chosen by an index.

use std::sync::Arc;

use crate::eval::Interpreter;
use crate::eval::strided::index_values;
use crate::{Aval, DType, Program, Result, Tensor, check, ensure};

const NAME: &str = "cond";

pub(crate) fn infer(branches: &[Arc<Program>], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [index, operands @ ..] = inputs else {
        crate::bail!(Structure, "{NAME}: expected an index and operands, found no operands");
    };
    ensure!(
        *index == Aval::scalar(DType::I32),
        DType,
        "{NAME}: the index must be a scalar of dtype i32, found {index}"
    );
    let [first, others @ ..] = branches else {
        crate::bail!(Structure, "{NAME}: expected at least 1 branch, found 0");
    };
    let results = check::signature(NAME, "branch 0", first, operands)?;
    for (i, branch) in others.iter().enumerate() {
        let role = format!("branch {}", i + 1);
        let found = check::signature(NAME, &role, branch, operands)?;
        check::results(NAME, &role, &found, &results)?;
    }
    Ok(results)
}

pub(crate) fn eval(interpreter: &mut Interpreter, branches: &[Arc<Program>], inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let last = branches.len() as i64 - 1;
    let index = index_values(&inputs[0])[0].clamp(0, last) as usize;
    interpreter.call(&branches[index], &inputs[1..])
}
