//! `custom_linear_solve`: the solution of linear equations by any method, with the derivatives of the solution.

use std::sync::Arc;

use crate::{Aval, Program, Result, check, ensure};

/// Parameters of `custom_linear_solve`: `(consts…, b…) -> x…`, the solution of `matvec(x) = b`. What `solve` does is never
/// differentiated: from `A x = b` follows `A ẋ = ḃ - Ȧ x`, which is solved in the same way, and the transpose solves with the
/// transpose of A.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LinearSolve {
    /// `(consts…, x…) -> b…`, linear in x.
    pub matvec: Arc<Program>,
    /// `(consts…, b…) -> x…`.
    pub solve: Arc<Program>,
    /// `(consts…, b…) -> x…` for the transpose of `matvec`; without it there is no reverse mode.
    pub transpose_solve: Option<Arc<Program>>,
    /// How many leading operands all programs take.
    pub num_consts: usize,
}

impl LinearSolve {
    /// The same op with each program replaced.
    pub fn map_programs(&self, mut f: impl FnMut(&Arc<Program>) -> Arc<Program>) -> LinearSolve {
        LinearSolve {
            matvec: f(&self.matvec),
            solve: f(&self.solve),
            transpose_solve: self.transpose_solve.as_ref().map(f),
            num_consts: self.num_consts,
        }
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "custom_linear_solve";
        check::constants(NAME, self.num_consts, inputs)?;
        let vectors = &inputs[self.num_consts..];
        for aval in vectors {
            ensure!(aval.dtype.is_inexact(), DType, "{NAME}: right-hand sides must be inexact, found {aval}");
        }
        let roles = [("matvec", Some(&self.matvec)), ("solve", Some(&self.solve))];
        for (role, program) in roles.into_iter().chain([("transpose_solve", self.transpose_solve.as_ref())]) {
            if let Some(program) = program {
                let found = check::signature(NAME, role, program, inputs)?;
                check::results(NAME, role, &found, vectors)?;
            }
        }
        Ok(vectors.to_vec())
    }
}
