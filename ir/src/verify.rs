//! The verifier: what every program in the system may be relied on to be.
//!
//! Every variable is defined once and before it is used, has the type that the shape rules give, and programs inside ops
//! hold no constants and refer to no named axis that is not bound.
//!
//! ```
//! use rjax_ir::{Aval, Builder, DType, Unary, verify};
//! let mut b = Builder::new();
//! let x = b.input(Aval::scalar(DType::F32));
//! let y = b.unary(Unary::Sin, x);
//! let mut program = b.finish(vec![y]);
//! assert!(verify(&program).is_ok());
//! program.avals[1] = Aval::scalar(DType::F64);
//! let error = verify(&program).unwrap_err();
//! assert_eq!(error.message, "equation 0 (sin): result 0 has type f32[], but is declared as f64[]");
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use crate::infer::infer;
use crate::{Atom, Aval, Eqn, Error, Op, Program, Result, Var, check, ensure};

/// Checks a program in which no named axis is bound from outside.
pub fn verify(program: &Program) -> Result<()> {
    verify_with_axes(program, &[])
}

/// Checks a program that may refer to these named axes, as programs inside a `vmap` with an axis name do.
pub fn verify_with_axes(program: &Program, axes: &[Arc<str>]) -> Result<()> {
    Verifier { axes, seen: HashSet::new() }.program(program, true)
}

struct Verifier<'a> {
    axes: &'a [Arc<str>],
    /// Programs inside ops that are known to be good; several ops may share one.
    seen: HashSet<*const Program>,
}

impl Verifier<'_> {
    fn program(&mut self, program: &Program, top_level: bool) -> Result<()> {
        let mut defined = vec![false; program.avals.len()];
        for &v in &program.invars {
            define(&mut defined, v).map_err(|e| e.within("inputs"))?;
        }
        for aval in program.avals.iter() {
            check::addressable("variable", aval)?;
        }
        ensure!(
            top_level || program.consts.is_empty(),
            Malformed,
            "constants may stand only at top level; programs inside ops take them as operands"
        );
        for (v, value) in &program.consts {
            define(&mut defined, *v).map_err(|e| e.within("constants"))?;
            let declared = &program.avals[v.index()];
            ensure!(
                value.aval() == *declared,
                Malformed,
                "constants: variable {} is declared as {declared}, but its value has type {}",
                v.0,
                value.aval()
            );
        }
        for (number, eqn) in program.eqns.iter().enumerate() {
            self.equation(program, eqn, &mut defined)
                .map_err(|e| e.within(&format!("equation {number} ({})", eqn.op.name())).at(&eqn.location))?;
        }
        for atom in &program.outvars {
            is_defined(&defined, atom).map_err(|e| e.within("outputs"))?;
        }
        Ok(())
    }

    fn equation(&mut self, program: &Program, eqn: &Eqn, defined: &mut [bool]) -> Result<()> {
        for atom in &eqn.inputs {
            is_defined(defined, atom)?;
        }
        for inner in eqn.op.subprograms() {
            if self.seen.insert(Arc::as_ptr(inner)) {
                self.program(inner, false)?;
            }
        }
        if let Op::Collective(collective) = &eqn.op {
            for axis in collective.axes() {
                ensure!(self.axes.contains(axis), Unsupported, "axis {axis} is not bound by any vmap around it");
            }
        }
        let inputs: Vec<Aval> = eqn.inputs.iter().map(|&atom| program.aval(atom)).collect();
        let outputs = infer(&eqn.op, &inputs).map_err(|mut e| {
            // The equation's number and op come before it.
            if let Some(rest) = e.message.strip_prefix(&format!("{}: ", eqn.op.name())) {
                e.message = rest.to_string();
            }
            e
        })?;
        ensure!(
            outputs.len() == eqn.outputs.len(),
            Malformed,
            "the op has {}, but {} declared",
            check::count(outputs.len(), "result"),
            if eqn.outputs.len() == 1 { "1 is".into() } else { format!("{} are", eqn.outputs.len()) }
        );
        for (i, (&v, aval)) in eqn.outputs.iter().zip(&outputs).enumerate() {
            define(defined, v)?;
            let declared = &program.avals[v.index()];
            ensure!(aval == declared, Malformed, "result {i} has type {aval}, but is declared as {declared}");
        }
        Ok(())
    }
}

fn define(defined: &mut [bool], v: Var) -> Result<()> {
    match defined.get_mut(v.index()) {
        None => crate::bail!(Malformed, "variable {} has no type", v.0),
        Some(true) => crate::bail!(Malformed, "variable {} is defined twice", v.0),
        Some(flag) => *flag = true,
    }
    Ok(())
}

fn is_defined(defined: &[bool], atom: &Atom) -> Result<()> {
    if let Atom::Var(v) = atom {
        ensure!(
            defined.get(v.index()) == Some(&true),
            Malformed,
            "variable {} is used before it is defined, or never defined",
            v.0
        );
    }
    Ok(())
}

impl Error {
    /// The same error with the place in the program before its message.
    fn within(mut self, place: &str) -> Error {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

#[cfg(test)]
mod tests;
