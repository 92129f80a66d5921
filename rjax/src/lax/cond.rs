//! Branches that depend on values.

use std::sync::Arc;

use rjax_ir::{DType, ErrorKind, Op};

use crate::array::Operand;
use crate::error::fail_with;
use crate::trace::{self, Input, Scope, Traced, emit};
use crate::transform::signature::require_same_type;
use crate::transform::{rebuild, union_of_captures, with_captures_last};
use crate::{Array, Tree, tree};

/// Runs one of two functions on the operand, depending on a scalar. Unlike a Rust `if` this works on traced predicates. Both
/// branches must return the same type.
///
/// ```
/// use rjax::prelude::*;
/// let abs = jit(|x: &Array| lax::cond(x.lt(0.0), |x: &Array| -x, |x: &Array| x.clone(), x));
/// assert_eq!(abs(&Array::scalar(-3.0f32)).item::<f32>(), 3.0);
/// assert_eq!(grad(abs)(&Array::scalar(-3.0f32)).item::<f32>(), -1.0);
/// ```
#[track_caller]
pub fn cond<T: Tree, R: Tree>(
    predicate: impl Operand,
    on_true: impl Fn(&T) -> R,
    on_false: impl Fn(&T) -> R,
    operand: &T,
) -> R {
    let predicate = predicate.into_array();
    if predicate.ndim() != 0 || predicate.dtype().is_complex() {
        fail_with(
            ErrorKind::Shape,
            format!("cond: the predicate has type {}, expected a real scalar; use select for arrays", predicate.aval()),
        )
    }
    let truth = if predicate.dtype() == DType::Bool { predicate } else { predicate.ne(0) };
    let index = truth.converted(DType::I32, false);
    branch("cond", &index, &[&on_false, &on_true], operand)
}

/// Runs the branch with a computed number; numbers outside are clamped. All branches must return the same type.
///
/// ```
/// use rjax::prelude::*;
/// let f = |i: &Array, x: &Array| {
///     lax::switch(i, &[&|x: &Array| x * 2.0, &|x: &Array| x.sin(), &|x: &Array| -x], x)
/// };
/// assert_eq!(f(&Array::scalar(2i32), &Array::scalar(1.0f32)).item::<f32>(), -1.0);
/// ```
#[track_caller]
pub fn switch<T: Tree, R: Tree>(index: impl Operand, branches: &[&dyn Fn(&T) -> R], operand: &T) -> R {
    let index = index.into_array();
    if branches.is_empty() {
        fail_with(ErrorKind::Structure, "switch: no branches")
    }
    if index.ndim() != 0 || !index.dtype().is_integer() {
        fail_with(ErrorKind::DType, format!("switch: the index has type {}, expected an integer scalar", index.aval()))
    }
    // Clamped before it is narrowed, so that no large index wraps around.
    let last = branches.len() as i64 - 1;
    let fits = |value: i64| rjax_ir::Scalar::from_i64(index.dtype(), value);
    let low = Array::constant(fits(0), false);
    let high = Array::constant(fits(if index.dtype().size() == 1 { last.min(127) } else { last }), false);
    let index = crate::lax::clamp(low, &index, high).converted(DType::I32, false);
    branch("switch", &index, branches, operand)
}

#[track_caller]
fn branch<T: Tree, R: Tree>(function: &'static str, index: &Array, branches: &[&dyn Fn(&T) -> R], operand: &T) -> R {
    let leaves = tree::leaves(operand);
    let traced: Vec<(Traced, R)> = branches
        .iter()
        .map(|branch| {
            let inputs = leaves.iter().map(Input::unknown).collect();
            trace::trace(Scope::new("a branch of cond", &function.into()), inputs, |arrays| {
                let out = branch(&rebuild(operand, arrays.to_vec()));
                (tree::leaves(&out), out)
            })
        })
        .collect();
    let out = &traced[0].1;
    for (_, other) in &traced[1..] {
        require_same_type(function, "one branch returns", out, "another returns", other);
    }
    // A result is weak only if it is weak in every branch.
    let weak: Vec<bool> = (0..traced[0].0.weak.len()).map(|i| traced.iter().all(|(t, _)| t.weak[i])).collect();
    let captures = union_of_captures(&traced.iter().map(|(t, _)| t).collect::<Vec<_>>());
    let out = out.clone();
    let programs = traced.into_iter().map(|(t, _)| Arc::new(with_captures_last(t, &captures))).collect();
    let operands: Vec<&Array> = std::iter::once(index).chain(&leaves).chain(&captures).collect();
    let outputs = emit(Op::Cond { branches: programs }, &operands);
    rebuild(&out, outputs.into_iter().zip(weak).map(|(x, weak)| x.with_weak(weak)).collect())
}
