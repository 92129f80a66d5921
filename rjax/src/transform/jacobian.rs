//! Jacobians and Hessians: the linear map of a function, batched over a basis.

use rjax_autodiff::BatchAxis;
use rjax_ir::{Aval, Program, Shape};

use super::differentiate::{Split, require_inexact};
use super::grad::{Arg, ArgAt, Wrt, wrt_names};
use super::{derived_name, rebuild};
use crate::error::check;
use crate::trace::{self, Input, Scope};
use crate::tree::collect;
use crate::{Args, Array, Fun, IntoFun, Tree, numpy, tree};

/// A linearized function with everything the two modes need.
struct Parts<R, W> {
    out: R,
    wrt: W,
    /// The arguments' leaves.
    leaves: Vec<Array>,
    outputs: Vec<Aval>,
    residuals: Vec<Array>,
    split: Split,
}

#[track_caller]
fn parts<'f, I: Args, R: Tree, S: Wrt<I>>(
    transform: &'static str,
    fun: &Fun<'f, I, R>,
    arguments: I::Refs<'_>,
    linearize: fn(&Program, &[bool]) -> Split,
) -> Parts<R, S::Out> {
    let mut arguments = I::owned(arguments);
    let wrt = S::get(&arguments);
    let leaves = tree::leaves(&wrt);
    require_inexact(transform, leaves.iter().zip(wrt_names::<I, S>(&wrt)));
    let inputs = leaves.iter().map(Input::known).collect();
    let (traced, out) = trace::trace(Scope::new(transform, fun.name()), inputs, |arrays| {
        S::set(&mut arguments, wrt.rebuild(&mut arrays.iter().cloned()));
        let out = fun.apply(arguments.refs());
        (tree::leaves(&out), out)
    });
    require_inexact(
        transform,
        collect(|v| out.visit(v)).into_iter().map(|x| (x, format!("a result of `{}`", fun.name()))),
    );
    let active: Vec<bool> = (0..traced.program.invars.len()).map(|i| i < leaves.len()).collect();
    let split = linearize(&traced.program, &active);
    let inputs: Vec<Array> = leaves.iter().cloned().chain(traced.captures).collect();
    let (_, residuals) = split.run(&inputs, &traced.weak);
    let outputs = traced.program.out_avals();
    Parts { out, wrt, leaves, outputs, residuals, split }
}

/// The unit vectors of a type, stacked along a new leading axis.
#[track_caller]
fn basis(aval: &Aval) -> Array {
    let n = aval.size();
    let shape: Shape = std::iter::once(n).chain(aval.shape.iter().copied()).collect();
    numpy::eye(n, aval.dtype).reshape(shape)
}

/// Batches a linear program over its input `at`, and applies it to that input's basis with zeros for the other linear inputs.
/// Outputs have the basis's axis in front.
#[track_caller]
fn apply_to_basis(program: &Program, residuals: &[Array], at: usize) -> Vec<Array> {
    let avals = program.in_avals();
    let position = residuals.len() + at;
    let axes: Vec<Option<usize>> = (0..avals.len()).map(|i| (i == position).then_some(0)).collect();
    let out_axes = vec![Some(0); program.outvars.len()];
    let batched = check(rjax_autodiff::vmap(program, &BatchAxis::new(avals[position].size()), &axes, &out_axes));
    let linear = avals
        .iter()
        .enumerate()
        .skip(residuals.len())
        .map(|(i, aval)| if i == position { basis(aval) } else { numpy::zeros(aval.shape.clone(), aval.dtype) });
    let inputs: Vec<Array> = residuals.iter().cloned().chain(linear).collect();
    trace::bind(&batched, &inputs, &vec![false; batched.outvars.len()])
}

fn block_shape(output: &Aval, input: &Shape) -> Shape {
    output.shape.iter().chain(input.iter()).copied().collect()
}

/// `blocks[k][l]` is the derivative of output k by leaf l.
fn assemble<R: Tree, W: Tree>(out: &R, wrt: &W, blocks: Vec<Vec<Array>>) -> R::Jacobian<W> {
    out.jacobian(&mut blocks.into_iter().map(|row| rebuild(wrt, row)))
}

/// A block of zeros, for an output that does not depend on the arguments.
#[track_caller]
fn zero_block(output: &Aval, leaf: &Array) -> Array {
    numpy::zeros(block_shape(output, &leaf.shape()), output.dtype)
}

/// The Jacobian by the first argument, one column at a time (forward mode): best where there are more results than
/// arguments. For each leaf of the result there is a tree of the argument's type; each of its leaves has the axes of the
/// result's leaf, then those of the argument's.
///
/// ```
/// use rjax::prelude::*;
/// let j = jacfwd(|x: &Array| x * x)(&jnp::array([1.0, 2.0]));
/// assert_eq!(j.to_vec::<f32>(), [2.0, 0.0, 0.0, 4.0]);
/// ```
#[track_caller]
pub fn jacfwd<'f, I: Args + ArgAt<0>, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
) -> Fun<'f, I, R::Jacobian<<I as ArgAt<0>>::At>> {
    let fun = f.into_fun();
    Fun::new(derived_name("jacfwd", fun.name()), move |arguments: I::Refs<'_>| {
        let Parts { out, wrt, leaves, outputs, residuals, split } =
            parts::<I, R, Arg<0>>("jacfwd", &fun, arguments, Split::forward);
        let mut blocks: Vec<Vec<Array>> = outputs.iter().map(|_| Vec::new()).collect();
        for (l, leaf) in leaves.iter().enumerate() {
            let mut columns = apply_to_basis(&split.map, &residuals, l).into_iter();
            for ((row, output), &active) in blocks.iter_mut().zip(&outputs).zip(&split.out_active) {
                row.push(if active {
                    let column = columns.next().expect("a result for each active output");
                    numpy::moveaxis(&column, 0, -1).reshape(block_shape(output, &leaf.shape()))
                } else {
                    zero_block(output, leaf)
                });
            }
        }
        assemble(&out, &wrt, blocks)
    })
}

/// The Jacobian by the first argument, one row at a time (reverse mode): best where there are more arguments than results.
/// The result is as for [`jacfwd`].
#[track_caller]
pub fn jacrev<'f, I: Args + ArgAt<0>, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
) -> Fun<'f, I, R::Jacobian<<I as ArgAt<0>>::At>> {
    let fun = f.into_fun();
    Fun::new(derived_name("jacrev", fun.name()), move |arguments: I::Refs<'_>| {
        let Parts { out, wrt, leaves, outputs, residuals, split } =
            parts::<I, R, Arg<0>>("jacrev", &fun, arguments, |program, active| {
                Split::reverse(program, active, program.outvars.len())
            });
        let mut position = 0;
        let rows = outputs.iter().zip(&split.out_active).map(|(output, &active)| {
            if !active {
                return leaves.iter().map(|leaf| zero_block(output, leaf)).collect();
            }
            let rows = apply_to_basis(&split.map, &residuals, position);
            position += 1;
            rows.iter().zip(&leaves).map(|(row, leaf)| row.reshape(block_shape(output, &leaf.shape()))).collect()
        });
        let blocks = rows.collect();
        assemble(&out, &wrt, blocks)
    })
}

/// The same as [`jacrev`].
#[track_caller]
pub fn jacobian<'f, I: Args + ArgAt<0>, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
) -> Fun<'f, I, R::Jacobian<<I as ArgAt<0>>::At>> {
    jacrev(f)
}

/// The Hessian by the first argument: forward over reverse.
///
/// ```
/// use rjax::prelude::*;
/// let h = hessian(|x: &Array| (x * x * x).sum(..))(&jnp::array([1.0, 2.0]));
/// assert_eq!(h.to_vec::<f32>(), [6.0, 0.0, 0.0, 12.0]);
/// ```
#[track_caller]
pub fn hessian<'f, I: Args + ArgAt<0>, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
) -> Fun<'f, I, <R::Jacobian<<I as ArgAt<0>>::At> as Tree>::Jacobian<<I as ArgAt<0>>::At>> {
    let fun = f.into_fun();
    let name = derived_name("hessian", fun.name());
    jacfwd(jacrev(fun)).named(&name)
}
