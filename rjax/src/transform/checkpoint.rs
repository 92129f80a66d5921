//! `checkpoint`: trade memory for time in the backward pass.

use std::sync::Arc;

use rjax_ir::{Op, Remat, RematPolicy};

use super::{derived_name, rebuild, trace_fun};
use crate::fun::argument_leaves;
use crate::trace::{self, Input, Scope};
use crate::{Args, Array, Fun, IntoFun, Tree};

/// The same function; when it is differentiated, values inside are computed again in the backward pass instead of kept.
///
/// ```
/// use rjax::prelude::*;
/// let layer = checkpoint(|x: &Array| x.sin().sin());
/// let slope = grad(|x: &Array| layer(x))(&Array::scalar(1.0f32));
/// assert!((slope.item::<f32>() - 0.36003).abs() < 1e-4);
/// ```
#[track_caller]
pub fn checkpoint<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>) -> Fun<'f, I, R> {
    checkpoint_with(f, RematPolicy::default())
}

/// As [`checkpoint`], with a policy saying what may be kept.
#[track_caller]
pub fn checkpoint_with<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>, policy: RematPolicy) -> Fun<'f, I, R> {
    let fun = f.into_fun();
    Fun::new(derived_name("checkpoint", fun.name()), move |arguments: I::Refs<'_>| {
        if !trace::is_tracing() {
            return fun.apply(arguments);
        }
        let (traced, out) = trace_fun(Scope::new("checkpoint", fun.name()), &fun, arguments, |_, x| Input::known(x));
        let operands: Vec<&Array> = argument_leaves::<I>(arguments).into_iter().chain(&traced.captures).collect();
        let op = Op::Remat(Remat { program: Arc::new(traced.program), policy: policy.clone(), differentiated: false });
        let outputs = trace::emit(op, &operands);
        rebuild(&out, outputs.into_iter().zip(traced.weak).map(|(x, weak)| x.with_weak(weak)).collect())
    })
}

/// The same value under a name that [`RematPolicy::SaveOnlyTheseNames`] can refer to.
#[track_caller]
pub fn checkpoint_name(x: &Array, name: &str) -> Array {
    trace::emit1(Op::Name { name: name.into() }, &[x])
}
