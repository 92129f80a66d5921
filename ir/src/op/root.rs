//! `custom_root`: a root of a function by any method, with the derivatives of the root.

use std::sync::Arc;

use crate::{Aval, Program, Result, check, ensure};

/// Parameters of `custom_root`: `(consts…, guess…) -> x…`, the solution of `f(x) = 0`. What `solve` does is never differentiated: from
/// `f(θ, x) = 0` follows `∂f/∂x ẋ = -∂f/∂θ θ̇`, which `tangent_solve` solves.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Root {
    /// `(consts…, x…) -> y…`, of the types of x.
    pub f: Arc<Program>,
    /// `(consts…, guess…) -> x…`.
    pub solve: Arc<Program>,
    /// `(consts…, x…, y…) -> ẋ…` with `∂f/∂x ẋ = y` at x, linear in y.
    pub tangent_solve: Arc<Program>,
    /// How many leading operands all programs take.
    pub num_consts: usize,
}

impl Root {
    /// The same op with each program replaced.
    pub fn map_programs(&self, mut f: impl FnMut(&Arc<Program>) -> Arc<Program>) -> Root {
        Root {
            f: f(&self.f),
            solve: f(&self.solve),
            tangent_solve: f(&self.tangent_solve),
            num_consts: self.num_consts,
        }
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "custom_root";
        check::constants(NAME, self.num_consts, inputs)?;
        let unknowns = &inputs[self.num_consts..];
        for aval in unknowns {
            ensure!(aval.dtype.is_inexact(), DType, "{NAME}: the unknown must be inexact, found {aval}");
        }
        let with_tangents = [inputs, unknowns].concat();
        let roles = [("f", &self.f, inputs), ("solve", &self.solve, inputs)];
        for (role, program, inputs) in
            roles.into_iter().chain([("tangent_solve", &self.tangent_solve, &with_tangents[..])])
        {
            let found = check::signature(NAME, role, program, inputs)?;
            check::results(NAME, role, &found, unknowns)?;
        }
        Ok(unknowns.to_vec())
    }
}
