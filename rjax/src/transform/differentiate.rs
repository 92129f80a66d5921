//! The program side of differentiation, and the checks that all differentiating transformations share.

use std::collections::HashSet;
use std::sync::Arc;

use rjax_autodiff::{Linearized, Vjp};
use rjax_ir::{Atom, ErrorKind, Program, Var};

use crate::error::{check, fail_with};
use crate::{Args, Array, fun, numpy, trace};

/// A function split into what it computes and a linear map at that point.
pub(super) struct Split {
    /// `(inputs…) -> (outputs…, residuals…)`.
    forward: Program,
    /// `(residuals…, tangents of active inputs…) -> tangents of active outputs…`, or in reverse `(residuals…, cotangents of
    /// active outputs…) -> cotangents of active inputs…`.
    pub map: Program,
    /// The outputs that depend on an active input.
    pub out_active: Vec<bool>,
}

impl Split {
    /// With the map of tangents.
    #[track_caller]
    pub fn forward(program: &Program, active: &[bool]) -> Split {
        let Linearized { primal, linear, out_active, .. } = check(rjax_autodiff::linearize(program, active));
        Split { forward: primal, map: linear, out_active }
    }

    /// With the map of cotangents of the first `differentiated` outputs; the others are only computed.
    #[track_caller]
    pub fn reverse(program: &Program, active: &[bool], differentiated: usize) -> Split {
        if differentiated == program.outvars.len() {
            let Vjp { forward, backward, out_active, .. } = check(rjax_autodiff::vjp(program, active));
            return Split { forward, map: backward, out_active };
        }
        let Linearized { primal, mut linear, num_residuals, mut out_active } =
            check(rjax_autodiff::linearize(program, active));
        out_active.truncate(differentiated);
        linear.outvars.truncate(out_active.iter().filter(|&&active| active).count());
        let map = check(rjax_autodiff::transpose(&linear.dce(), num_residuals));
        Split { forward: primal, map, out_active }.without_unused_residuals(program.outvars.len())
    }

    /// Drops residuals that the map does not use.
    fn without_unused_residuals(mut self, outputs: usize) -> Split {
        let residuals = self.forward.outvars.split_off(outputs);
        let used: HashSet<Var> = self
            .map
            .eqns
            .iter()
            .flat_map(|eqn| &eqn.inputs)
            .chain(&self.map.outvars)
            .filter_map(|atom| atom.var())
            .collect();
        let directions = self.map.invars.split_off(residuals.len());
        let (kept, residuals): (Vec<Var>, Vec<Atom>) =
            self.map.invars.iter().copied().zip(residuals).filter(|(var, _)| used.contains(var)).unzip();
        self.map.invars = [kept, directions].concat();
        self.forward.outvars.extend(residuals);
        Split { forward: self.forward.dce(), map: self.map.dce(), out_active: self.out_active }
    }

    /// Runs the function: its outputs, and the residuals that the map needs.
    #[track_caller]
    pub fn run(&self, inputs: &[Array], weak: &[bool]) -> (Vec<Array>, Vec<Array>) {
        let flags: Vec<bool> =
            weak.iter().copied().chain(std::iter::repeat(false)).take(self.forward.outvars.len()).collect();
        let mut outputs = trace::bind(&self.forward, inputs, &flags);
        let residuals = outputs.split_off(weak.len());
        (outputs, residuals)
    }

    /// Applies the map.
    #[track_caller]
    pub fn apply(&self, residuals: &[Array], directions: impl IntoIterator<Item = Array>) -> Vec<Array> {
        let inputs: Vec<Array> = residuals.iter().cloned().chain(directions).collect();
        trace::bind(&self.map, &inputs, &vec![false; self.map.outvars.len()])
    }
}

/// Marks the inexact leaves; the others have no tangents.
pub(super) fn inexact(leaves: &[&Array]) -> Vec<bool> {
    leaves.iter().map(|x| x.dtype().is_inexact()).collect()
}

/// Refuses leaves that have no derivative, by name.
#[track_caller]
pub(super) fn require_inexact<'a>(transform: &str, leaves: impl IntoIterator<Item = (&'a Array, String)>) {
    for (leaf, name) in leaves {
        if !leaf.dtype().is_inexact() {
            fail_with(
                ErrorKind::DType,
                format!(
                    "{transform}: {name} has type {}, which has no derivative; differentiate with respect to f16, bf16, f32, \
                     f64, c64 or c128, or convert it with astype",
                    leaf.aval()
                ),
            )
        }
    }
}

/// Checks that tangents (or cotangents) have the types of what they belong to.
#[track_caller]
pub(super) fn require_types<'a, I: Args>(
    transform: &str,
    what: &str,
    primals: I::Refs<'a>,
    found: &[&Array],
    function: &Arc<str>,
) {
    let leaves = fun::argument_leaves::<I>(primals);
    if leaves.len() != found.len() {
        fail_with(
            ErrorKind::Structure,
            format!("{transform}: `{function}` has {} leaves, {} {what}s were given", leaves.len(), found.len()),
        )
    }
    for (i, (leaf, found)) in leaves.iter().zip(found).enumerate() {
        if leaf.dtype().is_inexact() && leaf.aval() != found.aval() {
            fail_with(
                if leaf.shape() == found.shape() { ErrorKind::DType } else { ErrorKind::Shape },
                format!(
                    "{transform}: the {what} of {} of `{function}` has type {}, expected {}",
                    fun::leaf_name::<I>(primals, i),
                    found.aval(),
                    leaf.aval()
                ),
            )
        }
    }
}

/// Zeros like an array; what stands for the derivative of an integer, which has none.
#[track_caller]
pub(super) fn zeros_like(x: &Array) -> Array {
    numpy::zeros(x.shape(), x.dtype()).with_weak(x.is_weak())
}

/// Puts an array from `present` where `active` is set and zeros like the others elsewhere.
#[track_caller]
pub(super) fn fill_zeros(like: &[&Array], active: &[bool], present: Vec<Array>) -> Vec<Array> {
    let mut present = present.into_iter();
    like.iter()
        .zip(active)
        .map(|(x, &active)| {
            if active {
                present.next().expect("one for each active leaf").with_weak(x.is_weak())
            } else {
                zeros_like(x)
            }
        })
        .collect()
}
