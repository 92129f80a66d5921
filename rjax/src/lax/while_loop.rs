//! Loops whose number of steps depends on values.

use std::sync::Arc;

use rjax_ir::{Aval, DType, ErrorKind, Op, While};

use crate::error::fail_with;
use crate::trace::{self, Input, Scope, emit};
use crate::transform::signature::require_same_type;
use crate::transform::{rebuild, with_captures_first};
use crate::{Array, Tree, tree};

/// Repeats `body` while `condition` holds. The state is any tree; the body keeps its type. Forward-mode differentiation works;
/// reverse mode does not, since nobody knows how many steps to remember: use [`scan`](super::scan) there.
///
/// ```
/// use rjax::prelude::*;
/// let (steps, _) = lax::while_loop(
///     |(_, r): &(Array, Array)| r.gt(1e-3),
///     |(n, r): &(Array, Array)| (n + 1, r * 0.5),
///     (Array::scalar(0i32), Array::scalar(1.0f32)),
/// );
/// assert_eq!(steps.item::<i32>(), 10);
/// ```
#[track_caller]
pub fn while_loop<S: Tree>(condition: impl Fn(&S) -> Array, body: impl Fn(&S) -> S, init: S) -> S {
    let name = "while_loop".into();
    let (init, (body_traced, next)) = settle("while_loop", init, |state| {
        let inputs = tree::leaves(state).iter().map(Input::unknown).collect();
        trace::trace(Scope::new("the body of while_loop", &name), inputs, |arrays| {
            let next = body(&rebuild(state, arrays.to_vec()));
            (tree::leaves(&next), next)
        })
    });
    require_same_type("while_loop", "the state is", &init, "the body returns", &next);
    let leaves = tree::leaves(&init);
    let inputs = leaves.iter().map(Input::unknown).collect();
    let (cond_traced, ()) = trace::trace(Scope::new("the condition of while_loop", &name), inputs, |arrays| {
        (vec![condition(&rebuild(&init, arrays.to_vec()))], ())
    });
    let found = &cond_traced.program.out_avals()[0];
    if *found != Aval::scalar(DType::Bool) {
        fail_with(ErrorKind::DType, format!("while_loop: the condition returns {found}, expected bool[]"))
    }
    let (cond_captures, body_captures) = (cond_traced.captures.clone(), body_traced.captures.clone());
    let op = Op::While(While {
        cond: Arc::new(with_captures_first(cond_traced, &cond_captures)),
        body: Arc::new(with_captures_first(body_traced, &body_captures)),
        cond_nconsts: cond_captures.len(),
        body_nconsts: body_captures.len(),
    });
    let operands: Vec<&Array> = cond_captures.iter().chain(&body_captures).chain(&leaves).collect();
    let outputs = emit(op, &operands);
    rebuild(&init, outputs.into_iter().zip(&leaves).map(|(x, like)| x.with_weak(like.is_weak())).collect())
}

/// Lets weakly typed leaves of a loop's initial state take the dtype that the body gives them, and traces the body again until
/// nothing changes.
#[track_caller]
pub(super) fn settle<S: Tree, T>(function: &str, mut init: S, trace_body: impl Fn(&S) -> (T, S)) -> (S, (T, S)) {
    // Each round widens some leaf, and there are only so many dtypes.
    for _ in 0..DType::ALL.len() {
        let (traced, next) = trace_body(&init);
        if tree::structure(&init) != tree::structure(&next) {
            return (init, (traced, next));
        }
        let (before, after) = (tree::leaves(&init), tree::leaves(&next));
        let moves = |(x, y): (&Array, &Array)| x.is_weak() && (x.dtype() != y.dtype() || !y.is_weak());
        if !before.iter().zip(&after).any(moves) {
            return (init, (traced, next));
        }
        let moved = before
            .iter()
            .zip(&after)
            .map(|(x, y)| if moves((x, y)) { x.converted(y.dtype(), y.is_weak()) } else { x.clone() })
            .collect();
        init = rebuild(&init, moved);
    }
    fail_with(ErrorKind::DType, format!("{function}: the dtypes of the state change in every step"))
}
