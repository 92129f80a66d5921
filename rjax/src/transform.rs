//! Transformations: functions in, functions out.
//!
//! Each one traces the function it is given into a program, rewrites the program, and runs the result, or records it where
//! another transformation is tracing. So they compose in any order:
//!
//! ```
//! use rjax::prelude::*;
//! let third = grad(grad(grad(|x: &Array| x.tanh())));
//! let d3 = third(&Array::scalar(1.0f32)).item::<f32>();
//! assert!((d3 - 0.62162673).abs() < 1e-5);
//! ```

mod checkpoint;
mod custom_jvp;
mod custom_vjp;
mod differentiate;
mod forward;
mod grad;
mod jacobian;
mod jit;
mod reverse;
pub(crate) mod signature;
mod stages;
mod vmap;

use std::sync::Arc;

use rjax_ir::{Aval, ErrorKind, Op, Program};

pub use checkpoint::{checkpoint, checkpoint_name, checkpoint_with};
pub use custom_jvp::{CustomJvpFunction, custom_jvp};
pub use custom_vjp::{CustomVjpForward, CustomVjpFunction, custom_vjp};
pub use forward::{jvp, linearize};
pub use grad::{
    Arg, ArgAt, Wrt, grad, grad_argnums, grad_with_aux, value_and_grad, value_and_grad_argnums, value_and_grad_with_aux,
};
pub use jacobian::{hessian, jacfwd, jacobian, jacrev};
pub use jit::{Jit, jit};
pub use reverse::{linear_transpose, vjp, vjp_with_aux};
pub use rjax_ir::RematPolicy;
pub use rjax_rewrite::Cost;
pub use stages::{Compiled, Lowered};
pub use vmap::{VmapOptions, vmap, vmap_with};

use crate::error::fail_with;
use crate::fun::argument_leaves;
use crate::trace::{self, Input, Scope, Traced};
use crate::{Args, Array, Fun, IntoFun, Tree, tree};

/// Traces a function on its arguments with the inputs that `input` makes of their leaves. The second result is what the
/// function returned: a tree of variables of the trace, good for its structure.
#[track_caller]
pub(crate) fn trace_fun<'f, I: Args, R: Tree>(
    scope: Scope,
    fun: &Fun<'f, I, R>,
    arguments: I::Refs<'_>,
    input: impl Fn(usize, &Array) -> Input,
) -> (Traced, R) {
    let inputs = argument_leaves::<I>(arguments).into_iter().enumerate().map(|(i, x)| input(i, x)).collect();
    trace::trace(scope, inputs, |arrays| {
        let inner = I::owned(arguments).rebuild(&mut arrays.iter().cloned());
        let out = fun.apply(inner.refs());
        (tree::leaves(&out), out)
    })
}

/// A tree of `like`'s structure with these leaves.
pub(crate) fn rebuild<T: Tree>(like: &T, leaves: Vec<Array>) -> T {
    like.rebuild(&mut leaves.into_iter())
}

/// The function's program with captured arrays as constants.
pub(crate) fn closed_program<'f, I: Args, R: Tree>(fun: &Fun<'f, I, R>, arguments: I::Refs<'_>) -> Program {
    let (traced, _) = trace_fun(Scope::new("make_jaxpr", fun.name()), fun, arguments, |_, x| Input::unknown(x));
    close(traced)
}

/// Makes captured arrays constants of the program.
pub(crate) fn close(traced: Traced) -> Program {
    let Traced { mut program, captures, .. } = traced;
    let inputs = program.invars.len() - captures.len();
    for (var, array) in program.invars.split_off(inputs).into_iter().zip(&captures) {
        match array.value("make_jaxpr") {
            Ok(value) if !array.is_traced() => program.consts.push((var, crate::error::check(value.to_tensor()))),
            Ok(_) | Err(_) => fail_with(
                ErrorKind::Structure,
                format!(
                    "make_jaxpr: the function uses a variable of an outer trace (type {}), which no closed program can hold",
                    array.aval()
                ),
            ),
        }
    }
    program
}

/// The function that gives a function's program, for printing and for `rjax-opt`.
///
/// ```
/// use rjax::prelude::*;
/// let program = make_jaxpr(|x: &Array| x.sin() * 2.0)(&Array::spec(DType::F32, []));
/// assert_eq!(
///     program.to_string(),
///     "{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b 2.0:f32 in (c,) }"
/// );
/// ```
#[track_caller]
pub fn make_jaxpr<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>) -> Fun<'f, I, Program> {
    let fun = f.into_fun();
    Fun::new(fun.name().clone(), move |arguments| closed_program(&fun, arguments))
}

/// What a function returns on arguments of these types, without computing it: a tree of [`Array::spec`]s.
#[track_caller]
pub fn eval_shape<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>, arguments: I::Refs<'_>) -> R {
    let fun = f.into_fun();
    let scope = Scope::new("eval_shape", fun.name());
    let (traced, out) = trace_fun(scope, &fun, arguments, |_, x| Input::unknown(x));
    rebuild(&out, traced.program.out_avals().into_iter().map(|a| Array::spec(a.dtype, a.shape)).collect())
}

/// The same values, with a zero derivative.
#[track_caller]
pub fn stop_gradient<T: Tree>(tree: &T) -> T {
    let stopped = tree::leaves(tree).iter().map(|x| trace::emit1(Op::StopGradient, &[x])).collect();
    rebuild(tree, stopped)
}

/// Gives a traced function's program the captures of several functions, which come first. The inputs keep their order.
pub(crate) fn with_captures_first(traced: Traced, all: &[Array]) -> Program {
    let Traced { mut program, captures, .. } = traced;
    let inputs = program.invars.len() - captures.len();
    let own = program.invars.split_off(inputs);
    let mut invars: Vec<_> = all
        .iter()
        .map(|array| match captures.iter().position(|c| c.address() == array.address()) {
            Some(i) => own[i],
            None => fresh(&mut program, array.aval()),
        })
        .collect();
    invars.append(&mut program.invars);
    program.invars = invars;
    program
}

/// As [`with_captures_first`], with the captures after the inputs.
pub(crate) fn with_captures_last(traced: Traced, all: &[Array]) -> Program {
    let mut program = with_captures_first(traced, all);
    program.invars.rotate_left(all.len());
    program
}

fn fresh(program: &mut Program, aval: Aval) -> rjax_ir::Var {
    program.avals.push(aval);
    rjax_ir::Var(program.avals.len() as u32 - 1)
}

/// All captures of some functions, each once.
pub(crate) fn union_of_captures(functions: &[&Traced]) -> Vec<Array> {
    let mut all: Vec<Array> = Vec::new();
    for array in functions.iter().flat_map(|traced| &traced.captures) {
        if !all.iter().any(|known| known.address() == array.address()) {
            all.push(array.clone());
        }
    }
    all
}

/// A name for a function made of another: `grad(loss)`.
pub(crate) fn derived_name(transform: &str, name: &Arc<str>) -> String {
    format!("{transform}({name})")
}
