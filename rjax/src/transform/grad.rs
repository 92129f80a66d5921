//! `grad` and its relatives.

use rjax_ir::{ErrorKind, Scalar};

use super::differentiate::{Split, fill_zeros, require_inexact};
use super::{derived_name, rebuild};
use crate::error::fail_with;
use crate::trace::{self, Input, Scope};
use crate::tree::collect;
use crate::{Args, Array, Fun, IntoFun, Tree, tree};

/// Names an argument by its position: `Arg::<1>`. See [`grad_argnums`].
#[derive(Clone, Copy, Debug)]
pub struct Arg<const POSITION: usize>;

/// Arguments that have a position `N`.
#[diagnostic::on_unimplemented(message = "a function of `{Self}` has no argument {N}", note = "positions count from 0")]
pub trait ArgAt<const N: usize>: Args {
    /// The argument's type.
    type At: Tree;
    /// The argument.
    fn at(&self) -> &Self::At;
    /// Replaces the argument.
    fn set(&mut self, value: Self::At);
}

/// What to differentiate by: one argument (`Arg::<1>`) or several (`(Arg::<0>, Arg::<2>)`).
pub trait Wrt<I: Args> {
    /// The type of the gradient: the argument's, or a tuple of the arguments'.
    type Out: Tree;
    /// The arguments.
    fn get(arguments: &I) -> Self::Out;
    /// Replaces the arguments.
    fn set(arguments: &mut I, value: Self::Out);
    /// The positions, for messages.
    fn positions() -> Vec<usize>;
}

impl<const N: usize, I: ArgAt<N>> Wrt<I> for Arg<N> {
    type Out = I::At;

    fn get(arguments: &I) -> I::At {
        arguments.at().clone()
    }

    fn set(arguments: &mut I, value: I::At) {
        ArgAt::<N>::set(arguments, value);
    }

    fn positions() -> Vec<usize> {
        vec![N]
    }
}

macro_rules! several {
    ($($($name:ident $index:tt),*;)*) => {$(
        impl<I: Args, $($name: Wrt<I>),*> Wrt<I> for ($($name,)*) {
            type Out = ($($name::Out,)*);

            fn get(arguments: &I) -> Self::Out {
                ($($name::get(arguments),)*)
            }

            fn set(arguments: &mut I, value: Self::Out) {
                $($name::set(arguments, value.$index);)*
            }

            fn positions() -> Vec<usize> {
                [$($name::positions()),*].concat()
            }
        }
    )*};
}

several! {
    P 0;
    P 0, Q 1;
    P 0, Q 1, R 2;
    P 0, Q 1, R 2, S 3;
    P 0, Q 1, R 2, S 3, T 4;
    P 0, Q 1, R 2, S 3, T 4, U 5;
    P 0, Q 1, R 2, S 3, T 4, U 5, V 6;
    P 0, Q 1, R 2, S 3, T 4, U 5, V 6, W 7;
}

macro_rules! positions {
    ($($N:tt $At:ident of $($name:ident)*;)*) => {$(
        impl<$($name: Tree),*> ArgAt<$N> for ($($name,)*) {
            type At = $At;

            fn at(&self) -> &$At {
                &self.$N
            }

            fn set(&mut self, value: $At) {
                self.$N = value;
            }
        }
    )*};
}

positions! {
    0 A of A;
    0 A of A B; 1 B of A B;
    0 A of A B C; 1 B of A B C; 2 C of A B C;
    0 A of A B C D; 1 B of A B C D; 2 C of A B C D; 3 D of A B C D;
    0 A of A B C D E; 1 B of A B C D E; 2 C of A B C D E; 3 D of A B C D E; 4 E of A B C D E;
    0 A of A B C D E F; 1 B of A B C D E F; 2 C of A B C D E F; 3 D of A B C D E F; 4 E of A B C D E F; 5 F of A B C D E F;
    0 A of A B C D E F G; 1 B of A B C D E F G; 2 C of A B C D E F G; 3 D of A B C D E F G; 4 E of A B C D E F G;
    5 F of A B C D E F G; 6 G of A B C D E F G;
    0 A of A B C D E F G H; 1 B of A B C D E F G H; 2 C of A B C D E F G H; 3 D of A B C D E F G H;
    4 E of A B C D E F G H; 5 F of A B C D E F G H; 6 G of A B C D E F G H; 7 H of A B C D E F G H;
}

/// The names of the leaves of the arguments chosen by `S`: `argument 0 at .w`.
pub(super) fn wrt_names<I: Args, S: Wrt<I>>(wrt: &S::Out) -> Vec<String> {
    let paths = tree::paths(wrt);
    let positions = S::positions();
    let whole = |position: usize, rest: &str| {
        if rest.is_empty() { format!("argument {position}") } else { format!("argument {position} at {rest}") }
    };
    match positions[..] {
        [only] => paths.iter().map(|path| whole(only, path)).collect(),
        _ => paths
            .iter()
            .map(|path| {
                let (index, rest) = path[1..].split_once(']').expect("paths in a tuple begin with an index");
                whole(positions[index.parse::<usize>().expect("an index")], rest)
            })
            .collect(),
    }
}

/// Value, auxiliary value and gradient. `split` takes apart what the function returns.
#[track_caller]
fn differentiate<'f, I: Args, R: 'f, Aux: Tree, S: Wrt<I>>(
    transform: &'static str,
    fun: &Fun<'f, I, R>,
    arguments: I::Refs<'_>,
    split: impl Fn(R) -> (Array, Aux),
) -> (Array, Aux, S::Out) {
    let mut arguments = I::owned(arguments);
    let wrt = S::get(&arguments);
    let leaves = collect(|v| wrt.visit(v));
    if leaves.iter().any(|x| !x.dtype().is_inexact()) {
        require_inexact(transform, leaves.iter().copied().zip(wrt_names::<I, S>(&wrt)));
    }
    let inputs = leaves.iter().map(|x| Input::known(x)).collect();
    let (traced, aux) = trace::trace(Scope::new(transform, fun.name()), inputs, |arrays| {
        S::set(&mut arguments, wrt.rebuild(&mut arrays.iter().cloned()));
        let (loss, aux) = split(fun.apply(arguments.refs()));
        require_scalar(transform, fun, &loss);
        (std::iter::once(loss).chain(tree::leaves(&aux)).collect(), aux)
    });
    let active: Vec<bool> = (0..traced.program.invars.len()).map(|i| i < leaves.len()).collect();
    let reverse = Split::reverse(&traced.program, &active, 1);
    let inputs: Vec<Array> = leaves.iter().map(|x| (*x).clone()).chain(traced.captures).collect();
    let (mut outputs, residuals) = reverse.run(&inputs, &traced.weak);
    let gradients = if reverse.out_active[0] {
        let seed = Array::constant(Scalar::one(outputs[0].dtype()), false);
        let present = reverse.apply(&residuals, [seed]);
        fill_zeros(&leaves, &vec![true; leaves.len()], present)
    } else {
        fill_zeros(&leaves, &vec![false; leaves.len()], Vec::new())
    };
    let extra = rebuild(&aux, outputs.split_off(1));
    (outputs.remove(0), extra, rebuild(&wrt, gradients))
}

/// Gradients are of real scalars.
fn require_scalar<'f, I: Args, R>(transform: &str, fun: &Fun<'f, I, R>, loss: &Array) {
    let aval = loss.aval();
    let advice = if aval.rank() != 0 {
        Some((ErrorKind::Shape, "expected a scalar; sum it, or use jacrev or vjp"))
    } else if aval.dtype.is_complex() {
        Some((ErrorKind::DType, "expected a real scalar; take its real part or absolute value, or use vjp"))
    } else if !aval.dtype.is_float() {
        Some((ErrorKind::DType, "expected a real floating-point scalar"))
    } else {
        None
    };
    if let Some((kind, advice)) = advice {
        fail_with(kind, format!("{transform}: `{}` returned an array of type {aval}, {advice}", fun.name()))
    }
}

/// The gradient of a function that returns a scalar, by its first argument; it has that argument's type.
///
/// ```
/// use rjax::prelude::*;
/// let slope = grad(|x: &Array| x.tanh());
/// assert!((slope(&Array::scalar(1.0f32)).item::<f32>() - 0.4199743).abs() < 1e-6);
/// ```
///
/// Native control flow on values is differentiated along the path that is taken:
///
/// ```
/// # use rjax::prelude::*;
/// let abs = |x: &Array| if *x > 0.0 { x.clone() } else { -x };
/// assert_eq!(grad(abs)(&Array::scalar(-3.0f32)).item::<f32>(), -1.0);
/// ```
#[track_caller]
pub fn grad<'f, I: Args + ArgAt<0>, M>(f: impl IntoFun<'f, I, Array, M>) -> Fun<'f, I, <I as ArgAt<0>>::At> {
    grad_argnums(f, Arg::<0>)
}

/// The gradient by other arguments than the first, or by several: `grad_argnums(f, (Arg::<0>, Arg::<2>))`.
///
/// ```
/// use rjax::prelude::*;
/// let f = |x: &Array, y: &Array| x * y * y;
/// let (x, y) = (Array::scalar(3.0f32), Array::scalar(5.0f32));
/// assert_eq!(grad_argnums(f, Arg::<1>)(&x, &y).item::<f32>(), 30.0);
/// let (dx, dy) = grad_argnums(f, (Arg::<0>, Arg::<1>))(&x, &y);
/// assert_eq!((dx.item::<f32>(), dy.item::<f32>()), (25.0, 30.0));
/// ```
#[track_caller]
pub fn grad_argnums<'f, I: Args, S: Wrt<I>, M>(f: impl IntoFun<'f, I, Array, M>, wrt: S) -> Fun<'f, I, S::Out> {
    let _ = wrt;
    let fun = f.into_fun();
    Fun::new(derived_name("grad", fun.name()), move |arguments: I::Refs<'_>| {
        differentiate::<I, Array, (), S>("grad", &fun, arguments, |loss| (loss, ())).2
    })
}

/// The value and the gradient by the first argument.
#[track_caller]
pub fn value_and_grad<'f, I: Args + ArgAt<0>, M>(
    f: impl IntoFun<'f, I, Array, M>,
) -> Fun<'f, I, (Array, <I as ArgAt<0>>::At)> {
    value_and_grad_argnums(f, Arg::<0>)
}

/// The value and the gradient by the arguments named.
#[track_caller]
pub fn value_and_grad_argnums<'f, I: Args, S: Wrt<I>, M>(
    f: impl IntoFun<'f, I, Array, M>,
    wrt: S,
) -> Fun<'f, I, (Array, S::Out)> {
    let _ = wrt;
    let fun = f.into_fun();
    Fun::new(derived_name("value_and_grad", fun.name()), move |arguments: I::Refs<'_>| {
        let (value, (), gradient) =
            differentiate::<I, Array, (), S>("value_and_grad", &fun, arguments, |loss| (loss, ()));
        (value, gradient)
    })
}

/// The gradient of a function that returns a scalar and something more, which is returned beside the gradient.
#[track_caller]
pub fn grad_with_aux<'f, I: Args + ArgAt<0>, Aux: Tree, M>(
    f: impl IntoFun<'f, I, (Array, Aux), M>,
) -> Fun<'f, I, (<I as ArgAt<0>>::At, Aux)> {
    let fun = f.into_fun();
    Fun::new(derived_name("grad", fun.name()), move |arguments: I::Refs<'_>| {
        let (_, aux, gradient) = differentiate::<I, _, Aux, Arg<0>>("grad", &fun, arguments, |out| out);
        (gradient, aux)
    })
}

/// The value, something more, and the gradient: `((value, aux), gradient)`.
#[track_caller]
pub fn value_and_grad_with_aux<'f, I: Args + ArgAt<0>, Aux: Tree, M>(
    f: impl IntoFun<'f, I, (Array, Aux), M>,
) -> Fun<'f, I, ((Array, Aux), <I as ArgAt<0>>::At)> {
    let fun = f.into_fun();
    Fun::new(derived_name("value_and_grad", fun.name()), move |arguments: I::Refs<'_>| {
        let (value, aux, gradient) = differentiate::<I, _, Aux, Arg<0>>("value_and_grad", &fun, arguments, |out| out);
        ((value, aux), gradient)
    })
}
