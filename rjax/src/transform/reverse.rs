//! Reverse mode: `vjp`, and the transpose of linear functions.

use rjax_ir::ErrorKind;

use super::differentiate::{Split, fill_zeros, inexact, require_inexact, require_types};
use super::{derived_name, rebuild, trace_fun};
use crate::error::{check, fail_with};
use crate::fun::{argument_leaves, leaf_name};
use crate::trace::{self, Input, Scope};
use crate::tree::collect;
use crate::{Args, Array, Fun, IntoFun, Tree, tree};

/// The value of a function and its pullback: the function from a cotangent of the result to cotangents of the arguments.
/// The pullback may be called many times.
///
/// ```
/// use rjax::prelude::*;
/// let (x, y) = (Array::scalar(2.0f32), Array::scalar(5.0f32));
/// let (product, pullback) = vjp(|x: &Array, y: &Array| x * y, (&x, &y));
/// let (dx, dy) = pullback(&Array::scalar(1.0f32));
/// assert_eq!((product.item::<f32>(), dx.item::<f32>(), dy.item::<f32>()), (10.0, 5.0, 2.0));
/// ```
///
/// For integer arguments, which have no derivative, the pullback returns zeros.
#[track_caller]
pub fn vjp<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>, primals: I::Refs<'_>) -> (R, Fun<'static, (R,), I>) {
    let fun = f.into_fun();
    let with_aux: Fun<'f, I, (R, ())> =
        Fun::new(fun.name().clone(), move |arguments: I::Refs<'_>| (fun.apply(arguments), ()));
    let (value, pullback, ()) = vjp_with_aux(with_aux, primals);
    (value, pullback)
}

/// As [`vjp`] for a function that returns its result and something more that is not differentiated, which comes last.
#[track_caller]
pub fn vjp_with_aux<'f, I: Args, R: Tree, Aux: Tree, M>(
    f: impl IntoFun<'f, I, (R, Aux), M>,
    primals: I::Refs<'_>,
) -> (R, Fun<'static, (R,), I>, Aux) {
    let fun = f.into_fun();
    let leaves = argument_leaves::<I>(primals);
    let (traced, (out, aux)) = trace_fun(Scope::new("vjp", fun.name()), &fun, primals, |_, x| Input::known(x));
    let results = collect(|v| out.visit(v)).len();
    let active = inexact(&leaves);
    let mask: Vec<bool> = active.iter().copied().chain(traced.captures.iter().map(|_| false)).collect();
    let split = Split::reverse(&traced.program, &mask, results);
    let inputs: Vec<Array> = leaves.into_iter().cloned().chain(traced.captures).collect();
    let (mut outputs, residuals) = split.run(&inputs, &traced.weak);
    let extra = rebuild(&aux, outputs.split_off(results));
    let value = rebuild(&out, outputs);
    let (primals, like, name) = (I::owned(primals), value.clone(), fun.name().clone());
    let pullback = Fun::new(derived_name("vjp", fun.name()), move |(cotangent,): (&R,)| {
        let cotangents = collect(|v| cotangent.visit(v));
        require_types::<(R,)>("vjp", "cotangent", (&like,), &cotangents, &name);
        let given = cotangents.into_iter().zip(&split.out_active).filter(|(_, active)| **active);
        let present = split.apply(&residuals, given.map(|(ct, _)| ct.clone()));
        let like = argument_leaves::<I>(primals.refs());
        let gradients = fill_zeros(&like, &active, present);
        rebuild(&primals, gradients)
    });
    (value, pullback, extra)
}

/// The transpose of a function that is linear in its arguments. The example arguments give the types.
///
/// ```
/// use rjax::prelude::*;
/// let a = jnp::array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// let x = Array::spec(DType::F32, [2]);
/// let transpose = linear_transpose(|x: &Array| a.dot(x), (&x,));
/// let (y,) = transpose(&jnp::array([1.0, 0.0, 0.0]));
/// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0]);
/// ```
#[track_caller]
pub fn linear_transpose<'f, I: Args, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
    example: I::Refs<'_>,
) -> Fun<'static, (R,), I> {
    let fun = f.into_fun();
    let leaves = argument_leaves::<I>(example);
    let names = leaves.iter().enumerate().map(|(i, x)| (*x, leaf_name::<I>(example, i)));
    require_inexact("linear_transpose", names);
    let (traced, out) = trace_fun(Scope::new("linear_transpose", fun.name()), &fun, example, |_, x| Input::unknown(x));
    if let Some(i) = traced.program.out_avals().iter().position(|a| !a.dtype.is_inexact()) {
        fail_with(
            ErrorKind::DType,
            format!(
                "linear_transpose: result {i} of `{}` has type {}, which has no cotangent",
                fun.name(),
                traced.program.out_avals()[i]
            ),
        )
    }
    // Captures come first in what the transposed program takes.
    let mut program = traced.program;
    program.invars.rotate_left(leaves.len());
    let transposed = check(rjax_autodiff::transpose(&program, traced.captures.len()));
    let specs = rebuild(&out, program.out_avals().into_iter().map(|a| Array::spec(a.dtype, a.shape)).collect());
    let (captures, example, name) = (traced.captures, I::owned(example), fun.name().clone());
    Fun::new(derived_name("linear_transpose", fun.name()), move |(cotangent,): (&R,)| {
        let cotangents = tree::leaves(cotangent);
        require_types::<(R,)>(
            "linear_transpose",
            "cotangent",
            (&specs,),
            &cotangents.iter().collect::<Vec<_>>(),
            &name,
        );
        let inputs: Vec<Array> = captures.iter().cloned().chain(cotangents).collect();
        rebuild(&example, trace::bind(&transposed, &inputs, &vec![false; transposed.outvars.len()]))
    })
}
