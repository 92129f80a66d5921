//! `cond`: one of several programs, chosen by an index.

use std::sync::Arc;

use crate::{Aval, DType, Program, Result, check, ensure};

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
