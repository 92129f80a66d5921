//! Reductions along axes, cumulative ops and windows.

use rjax_ir::{ArgReduce, Cumulative, CumulativeKind, DType, Op, Reducer, Window};

use super::shape::resolve_axis;
use crate::array::Operand;
use crate::error::check;
use crate::trace::{Input, Scope, emit, emit1, trace};
use crate::{Array, IntoFun};

#[track_caller]
fn reduce_with(reducer: Reducer, x: &Array, axes: &[usize]) -> Array {
    if axes.is_empty() {
        return x.clone();
    }
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    emit1(Op::Reduce { reducer, axes }, &[x])
}

macro_rules! reductions {
    ($($name:ident $reducer:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: &Array, axes: &[usize]) -> Array {
            reduce_with(Reducer::$reducer, x, axes)
        }
    )*};
}

reductions! {
    reduce_sum Sum "The sum over some axes.";
    reduce_prod Prod "The product over some axes.";
    reduce_max Max "The maximum over some axes; NaN wins.";
    reduce_min Min "The minimum over some axes; NaN wins.";
    reduce_and And "Bitwise and over some axes; logical for bool.";
    reduce_or Or "Bitwise or over some axes; logical for bool.";
    reduce_xor Xor "Bitwise exclusive or over some axes; logical for bool.";
}

/// Combines all elements along some axes with a function of two scalars that should be associative, starting from `init`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([3.0, 4.0]);
/// let norm = lax::reduce(&x, 0.0, |a: &Array, b: &Array| jnp::hypot(a, b), &[0]);
/// assert_eq!(norm.item::<f32>(), 5.0);
/// ```
#[track_caller]
pub fn reduce<'f, M>(
    x: &Array,
    init: impl Operand,
    combine: impl IntoFun<'f, (Array, Array), Array, M>,
    axes: &[usize],
) -> Array {
    let init = init.into_array().converted(x.dtype(), false);
    let fun = combine.into_fun();
    let scalar = || Input { aval: rjax_ir::Aval::scalar(x.dtype()), weak: false, source: None };
    let (traced, ()) = trace(Scope::new("reduce", fun.name()), vec![scalar(), scalar()], |operands| {
        (vec![fun(&operands[0], &operands[1])], ())
    });
    if !traced.captures.is_empty() {
        crate::error::fail_with(
            rjax_ir::ErrorKind::Structure,
            format!(
                "reduce: `{}` uses arrays from outside; a combiner may use its two operands and numbers",
                fun.name()
            ),
        )
    }
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    emit1(Op::GeneralReduce { body: traced.program.into(), axes }, &[x, &init])
}

macro_rules! cumulative {
    ($($name:ident $kind:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(x: &Array, axis: isize, reverse: bool) -> Array {
            let axis = check(resolve_axis(stringify!($name), axis, x.ndim()));
            emit1(Op::Cumulative(Cumulative { kind: CumulativeKind::$kind, axis, reverse }), &[x])
        }
    )*};
}

cumulative! {
    cumsum Sum "Running sums along an axis.";
    cumprod Prod "Running products along an axis.";
    cummax Max "Running maxima along an axis.";
    cummin Min "Running minima along an axis.";
    cumlogsumexp LogSumExp "Running `log(sum(exp(x)))` along an axis.";
}

#[track_caller]
fn arg_reduce(largest: bool, x: &Array, axis: isize, index_dtype: DType) -> Array {
    let axis = check(resolve_axis(if largest { "argmax" } else { "argmin" }, axis, x.ndim()));
    emit(Op::ArgReduce(ArgReduce { largest, axis, index_dtype }), &[x]).remove(0).with_weak(false)
}

/// The position of the maximum along an axis: the first one, or the first NaN.
#[track_caller]
pub fn argmax(x: &Array, axis: isize, index_dtype: DType) -> Array {
    arg_reduce(true, x, axis, index_dtype)
}

/// The position of the minimum along an axis: the first one, or the first NaN.
#[track_caller]
pub fn argmin(x: &Array, axis: isize, index_dtype: DType) -> Array {
    arg_reduce(false, x, axis, index_dtype)
}

/// A reduction over sliding windows; positions outside count as the reducer's identity.
#[track_caller]
pub fn reduce_window(x: &Array, reducer: Reducer, window: Window) -> Array {
    emit1(Op::ReduceWindow { reducer, window }, &[x])
}

/// The maximum over windows of these extents and steps, without padding.
#[track_caller]
pub fn max_pool(x: &Array, dimensions: &[usize], strides: &[usize]) -> Array {
    reduce_window(x, Reducer::Max, plain_window(dimensions, strides))
}

/// The mean over windows of these extents and steps, without padding.
#[track_caller]
pub fn avg_pool(x: &Array, dimensions: &[usize], strides: &[usize]) -> Array {
    let count: usize = dimensions.iter().product();
    reduce_window(x, Reducer::Sum, plain_window(dimensions, strides)) / count
}

fn plain_window(dimensions: &[usize], strides: &[usize]) -> Window {
    let rank = dimensions.len();
    Window {
        dimensions: dimensions.to_vec(),
        strides: strides.to_vec(),
        padding: vec![(0, 0); rank],
        base_dilation: vec![1; rank],
        window_dilation: vec![1; rank],
    }
}
