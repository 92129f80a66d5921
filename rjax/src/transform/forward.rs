//! Forward mode: `jvp` and `linearize`.

use super::differentiate::{Split, fill_zeros, inexact, require_types};
use super::{derived_name, rebuild, trace_fun};
use crate::error::check;
use crate::fun::argument_leaves;
use crate::trace::{self, Input, Scope};
use crate::tree::collect;
use crate::{Args, Array, Fun, IntoFun, Tree};

/// The value of a function and its derivative in the direction of `tangents`.
///
/// ```
/// use rjax::prelude::*;
/// let x = Array::scalar(2.0f32);
/// let (y, dy) = jvp(|x: &Array| x * x, (&x,), (&Array::scalar(1.0f32),));
/// assert_eq!((y.item::<f32>(), dy.item::<f32>()), (4.0, 4.0));
/// ```
///
/// Integer arguments have no tangents; what is given for them is not looked at.
#[track_caller]
pub fn jvp<'f, I: Args, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
    primals: I::Refs<'_>,
    tangents: I::Refs<'_>,
) -> (R, R) {
    let fun = f.into_fun();
    let leaves = argument_leaves::<I>(primals);
    let tangents = argument_leaves::<I>(tangents);
    require_types::<I>("jvp", "tangent", primals, &tangents, fun.name());
    let (traced, out) = trace_fun(Scope::new("jvp", fun.name()), &fun, primals, |_, x| Input::known(x));
    let active = inexact(&leaves);
    let mask: Vec<bool> = active.iter().copied().chain(traced.captures.iter().map(|_| false)).collect();
    let (program, out_active) = check(rjax_autodiff::jvp_active(&traced.program, &mask));
    let directions = tangents.into_iter().zip(&active).filter(|(_, active)| **active).map(|(t, _)| t.clone());
    let inputs: Vec<Array> = leaves.into_iter().cloned().chain(traced.captures).chain(directions).collect();
    let flags: Vec<bool> =
        traced.weak.iter().copied().chain(std::iter::repeat(false)).take(program.outvars.len()).collect();
    let mut outputs = trace::bind(&program, &inputs, &flags);
    let present = outputs.split_off(out_active.len());
    let derivatives = fill_zeros(&outputs.iter().collect::<Vec<_>>(), &out_active, present);
    (rebuild(&out, outputs), rebuild(&out, derivatives))
}

/// The value of a function and its derivative there as a linear function, which may be called many times without computing
/// the function again.
///
/// ```
/// use rjax::prelude::*;
/// let x = Array::scalar(0.0f32);
/// let (y, slope) = linearize(|x: &Array| x.sin(), (&x,));
/// assert_eq!(y.item::<f32>(), 0.0);
/// assert_eq!(slope(&Array::scalar(3.0f32)).item::<f32>(), 3.0);
/// ```
#[track_caller]
pub fn linearize<'f, I: Args, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
    primals: I::Refs<'_>,
) -> (R, Fun<'static, I, R>) {
    let fun = f.into_fun();
    let leaves = argument_leaves::<I>(primals);
    let (traced, out) = trace_fun(Scope::new("linearize", fun.name()), &fun, primals, |_, x| Input::known(x));
    let active = inexact(&leaves);
    let mask: Vec<bool> = active.iter().copied().chain(traced.captures.iter().map(|_| false)).collect();
    let split = Split::forward(&traced.program, &mask);
    let inputs: Vec<Array> = leaves.into_iter().cloned().chain(traced.captures).collect();
    let (outputs, residuals) = split.run(&inputs, &traced.weak);
    let value = rebuild(&out, outputs);
    let (primals, like) = (I::owned(primals), value.clone());
    let name = fun.name().clone();
    let linear = Fun::new(derived_name("linearize", fun.name()), move |tangents: I::Refs<'_>| {
        let tangents = argument_leaves::<I>(tangents);
        require_types::<I>("linearize", "tangent", primals.refs(), &tangents, &name);
        let directions = tangents.into_iter().zip(&active).filter(|(_, active)| **active).map(|(t, _)| t.clone());
        let present = split.apply(&residuals, directions);
        let derivatives = fill_zeros(&collect(|v| like.visit(v)), &split.out_active, present);
        rebuild(&like, derivatives)
    });
    (value, linear)
}
