//! Functions with a forward-mode rule of their own.

use std::sync::Arc;

use rjax_ir::{CustomJvp, ErrorKind, Op};

use super::signature::require_same_type;
use super::{rebuild, trace_fun, union_of_captures, with_captures_first};
use crate::error::fail_with;
use crate::fun::argument_leaves;
use crate::trace::{self, Input, Scope};
use crate::tree::collect;
use crate::{Args, Array, Fun, IntoFun, Tree, numpy};

/// A function that waits for its rule: see [`custom_jvp`].
pub struct CustomJvpFunction<'f, I: Args, R: Tree> {
    fun: Fun<'f, I, R>,
}

/// Gives a function a forward-mode derivative of your own, from which reverse mode follows.
///
/// The rule takes the arguments and their tangents, each as a tuple, and returns the value and its tangent, in which the
/// tangents must appear linearly.
///
/// ```
/// use rjax::prelude::*;
/// let log1pexp = custom_jvp(|x: &Array| x.exp().log1p())
///     .defjvp(|(x,): &(Array,), (dx,): &(Array,)| (x.exp().log1p(), dx * (1.0 - 1.0 / (1.0 + x.exp()))));
/// assert_eq!(grad(log1pexp)(&Array::scalar(100.0f32)).item::<f32>(), 1.0);
/// ```
#[track_caller]
pub fn custom_jvp<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>) -> CustomJvpFunction<'f, I, R> {
    CustomJvpFunction { fun: f.into_fun() }
}

impl<'f, I: Args, R: Tree> CustomJvpFunction<'f, I, R> {
    /// Sets the rule.
    #[track_caller]
    pub fn defjvp(self, rule: impl Fn(&I, &I) -> (R, R) + 'f) -> Fun<'f, I, R> {
        let fun = self.fun;
        let rule: Fun<'f, (I, I), (R, R)> = Fun::new(fun.name().clone(), move |(x, dx): (&I, &I)| rule(x, dx));
        Fun::new(fun.name().clone(), move |arguments: I::Refs<'_>| {
            if trace::is_tracing() { call(&fun, &rule, arguments) } else { fun.apply(arguments) }
        })
    }
}

fn call<'f, I: Args, R: Tree>(fun: &Fun<'f, I, R>, rule: &Fun<'f, (I, I), (R, R)>, arguments: I::Refs<'_>) -> R {
    let (traced, out) = trace_fun(Scope::new("custom_jvp", fun.name()), fun, arguments, |_, x| Input::known(x));
    let leaves = argument_leaves::<I>(arguments);
    let owned = I::owned(arguments);
    // Only inexact leaves have tangents; the rule sees zeros for the others.
    let tangents: Vec<Input> = leaves
        .iter()
        .filter(|x| x.dtype().is_inexact())
        .map(|x| Input { aval: x.aval(), weak: x.is_weak(), source: None })
        .collect();
    let inputs = leaves.iter().map(|x| Input::known(x)).chain(tangents).collect();
    let (rule_traced, ()) = trace::trace(Scope::new("a custom_jvp rule", fun.name()), inputs, |arrays| {
        let (primals, tangents) = arrays.split_at(leaves.len());
        let mut tangents = tangents.iter().cloned();
        let tangents: Vec<Array> = leaves
            .iter()
            .map(|x| {
                let own = if x.dtype().is_inexact() { tangents.next() } else { None };
                own.unwrap_or_else(|| numpy::zeros(x.shape(), x.dtype()))
            })
            .collect();
        let (value, tangent) = rule.apply((&rebuild(&owned, primals.to_vec()), &rebuild(&owned, tangents)));
        require_same_type("custom_jvp", "the function returns", &out, "the rule's value is", &value);
        require_same_type("custom_jvp", "the rule's value is", &value, "its tangent is", &tangent);
        let tangents = collect(|v| tangent.visit(v)).into_iter().filter(|x| x.dtype().is_inexact());
        (collect(|v| value.visit(v)).into_iter().chain(tangents).cloned().collect(), ())
    });
    let captures = union_of_captures(&[&traced, &rule_traced]);
    let weak = traced.weak.clone();
    let op = Op::CustomJvp(CustomJvp {
        call: Arc::new(with_captures_first(traced, &captures)),
        jvp: Arc::new(with_captures_first(rule_traced, &captures)),
        num_consts: captures.len(),
    });
    let operands: Vec<&Array> = captures.iter().chain(leaves).collect();
    let outputs = trace::emit(op, &operands);
    if outputs.len() != weak.len() {
        fail_with(
            ErrorKind::Structure,
            format!("custom_jvp: `{}` has {} results, the op {}", fun.name(), weak.len(), outputs.len()),
        )
    }
    rebuild(&out, outputs.into_iter().zip(weak).map(|(x, weak)| x.with_weak(weak)).collect())
}
