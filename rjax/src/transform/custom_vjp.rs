//! Functions with a reverse-mode rule of their own.

use std::sync::Arc;

use rjax_ir::{CustomVjp, Op};

use super::signature::require_same_type;
use super::{rebuild, trace_fun, union_of_captures, with_captures_first};
use crate::fun::argument_leaves;
use crate::trace::{self, Input, Scope};
use crate::tree::collect;
use crate::{Args, Array, Fun, IntoFun, Tree, tree};

/// A function that waits for its forward rule: see [`custom_vjp`].
pub struct CustomVjpFunction<'f, I: Args, R: Tree> {
    fun: Fun<'f, I, R>,
}

/// A function that waits for its backward rule: see [`custom_vjp`].
pub struct CustomVjpForward<'f, I: Args, R: Tree, Residuals: Tree> {
    fun: Fun<'f, I, R>,
    fwd: Fun<'f, I, (R, Residuals)>,
}

/// Gives a function a reverse-mode derivative of your own.
///
/// The forward rule returns the value and whatever the backward rule needs; the backward rule takes that and the cotangent
/// of the value, and returns a cotangent for each argument, as a tuple.
///
/// ```
/// use rjax::prelude::*;
/// let clip_gradient = custom_vjp(|x: &Array| x.clone())
///     .fwd(|x: &Array| (x.clone(), ()))
///     .bwd(|_: &(), ct: &Array| (ct.clip(-1.0, 1.0),));
/// let slope = grad(|x: &Array| clip_gradient(&(x * 5.0)));
/// assert_eq!(slope(&Array::scalar(2.0f32)).item::<f32>(), 5.0);
/// ```
#[track_caller]
pub fn custom_vjp<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>) -> CustomVjpFunction<'f, I, R> {
    CustomVjpFunction { fun: f.into_fun() }
}

impl<'f, I: Args, R: Tree> CustomVjpFunction<'f, I, R> {
    /// Sets the forward rule.
    #[track_caller]
    pub fn fwd<Residuals: Tree, M>(
        self,
        fwd: impl IntoFun<'f, I, (R, Residuals), M>,
    ) -> CustomVjpForward<'f, I, R, Residuals> {
        CustomVjpForward { fun: self.fun, fwd: fwd.into_fun() }
    }
}

impl<'f, I: Args, R: Tree, Residuals: Tree> CustomVjpForward<'f, I, R, Residuals> {
    /// Sets the backward rule.
    #[track_caller]
    pub fn bwd(self, bwd: impl Fn(&Residuals, &R) -> I + 'f) -> Fun<'f, I, R> {
        let CustomVjpForward { fun, fwd } = self;
        let bwd: Fun<'f, (Residuals, R), I> =
            Fun::new(fun.name().clone(), move |(residuals, ct): (&Residuals, &R)| bwd(residuals, ct));
        Fun::new(fun.name().clone(), move |arguments: I::Refs<'_>| {
            if trace::is_tracing() { call(&fun, &fwd, &bwd, arguments) } else { fun.apply(arguments) }
        })
    }
}

fn call<'f, I: Args, R: Tree, Residuals: Tree>(
    fun: &Fun<'f, I, R>,
    fwd: &Fun<'f, I, (R, Residuals)>,
    bwd: &Fun<'f, (Residuals, R), I>,
    arguments: I::Refs<'_>,
) -> R {
    let leaves = argument_leaves::<I>(arguments);
    let (traced, out) = trace_fun(Scope::new("custom_vjp", fun.name()), fun, arguments, |_, x| Input::known(x));
    let (fwd_traced, (value, residuals)) =
        trace_fun(Scope::new("a custom_vjp forward rule", fun.name()), fwd, arguments, |_, x| Input::known(x));
    require_same_type("custom_vjp", "the function returns", &out, "the forward rule returns", &value);

    let outputs = collect(|v| out.visit(v));
    let kept = collect(|v| residuals.visit(v));
    let inputs =
        kept.iter().chain(outputs.iter().filter(|x| x.dtype().is_inexact())).map(|x| Input::unknown(x)).collect();
    let owned = I::owned(arguments);
    let (bwd_traced, ()) = trace::trace(Scope::new("a custom_vjp backward rule", fun.name()), inputs, |arrays| {
        let (kept, given) = arrays.split_at(kept.len());
        let mut given = given.iter().cloned();
        // Integer results have no cotangent; the rule sees zeros.
        let cotangents = outputs
            .iter()
            .map(|x| {
                let own = if x.dtype().is_inexact() { given.next() } else { None };
                own.unwrap_or_else(|| crate::numpy::zeros(x.shape(), x.dtype()))
            })
            .collect();
        let gradients = bwd.apply((&rebuild(&residuals, kept.to_vec()), &rebuild(&out, cotangents)));
        require_same_type("custom_vjp", "the arguments are", &owned, "the backward rule returns", &gradients);
        (tree::leaves(&gradients).into_iter().filter(|x| x.dtype().is_inexact()).collect(), ())
    });

    let captures = union_of_captures(&[&traced, &fwd_traced, &bwd_traced]);
    let weak = traced.weak.clone();
    let op = Op::CustomVjp(CustomVjp {
        call: Arc::new(with_captures_first(traced, &captures)),
        fwd: Arc::new(with_captures_first(fwd_traced, &captures)),
        bwd: Arc::new(with_captures_first(bwd_traced, &captures)),
        num_consts: captures.len(),
    });
    let operands: Vec<&Array> = captures.iter().chain(leaves).collect();
    let outputs = trace::emit(op, &operands);
    rebuild(&out, outputs.into_iter().zip(weak).map(|(x, weak)| x.with_weak(weak)).collect())
}
