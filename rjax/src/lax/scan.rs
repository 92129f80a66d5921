//! Loops with a known number of steps.

use std::sync::Arc;

use rjax_ir::{Aval, ErrorKind, Op, Scan};

use super::while_loop::settle;
use crate::array::{Literal, Node, Operand};
use crate::error::{check, fail_with};
use crate::trace::{self, Input, Scope, emit};
use crate::transform::signature::require_same_type;
use crate::transform::{rebuild, with_captures_first};
use crate::{Array, Tree, tree};

/// What [`scan_with`] can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScanOptions {
    /// The number of steps, where no xs tell.
    pub length: Option<usize>,
    /// From the last element to the first; results are stacked in the elements' order.
    pub reverse: bool,
}

/// A loop over the leading axis of `xs` that carries a state and stacks results: `f(carry, x) -> (carry, y)`.
///
/// ```
/// use rjax::prelude::*;
/// let xs = jnp::array([1.0, 2.0, 3.0]);
/// let (total, sums) = lax::scan(|c: &Array, x: &Array| (c + x, c + x), Array::scalar(0.0f32), &xs);
/// assert_eq!(total.item::<f32>(), 6.0);
/// assert_eq!(sums.to_vec::<f32>(), [1.0, 3.0, 6.0]);
/// ```
#[track_caller]
pub fn scan<C: Tree, X: Tree, Y: Tree>(f: impl Fn(&C, &X) -> (C, Y), init: C, xs: &X) -> (C, Y) {
    scan_with(ScanOptions::default(), f, init, xs)
}

/// As [`scan`] with options.
#[track_caller]
pub fn scan_with<C: Tree, X: Tree, Y: Tree>(
    options: ScanOptions,
    f: impl Fn(&C, &X) -> (C, Y),
    init: C,
    xs: &X,
) -> (C, Y) {
    let slices = tree::leaves(xs);
    let length = scan_length(&slices, &tree::paths(xs), options.length);
    let name = "scan".into();
    let (init, ((traced, ys), next)) = settle("scan", init, |carry| {
        let element =
            |x: &Array| Input { aval: Aval::new(x.dtype(), x.shape().without(&[0])), weak: x.is_weak(), source: None };
        let carries = tree::leaves(carry);
        let inputs = carries.iter().map(Input::unknown).chain(slices.iter().map(element)).collect();
        let (traced, (next, y)) = trace::trace(Scope::new("the body of scan", &name), inputs, |arrays| {
            let (carried, x) = arrays.split_at(carries.len());
            let (next, y) = f(&rebuild(carry, carried.to_vec()), &rebuild(xs, x.to_vec()));
            (tree::leaves(&next).into_iter().chain(tree::leaves(&y)).collect(), (next, y))
        });
        ((traced, y), next)
    });
    require_same_type("scan", "the carry is", &init, "the body returns", &next);
    let carries = tree::leaves(&init);
    let (captures, weak) = (traced.captures.clone(), traced.weak.clone());
    let op = Op::Scan(Scan {
        body: Arc::new(with_captures_first(traced, &captures)),
        length,
        reverse: options.reverse,
        num_consts: captures.len(),
        num_carry: carries.len(),
    });
    let operands: Vec<&Array> = captures.iter().chain(&carries).chain(&slices).collect();
    let mut outputs: Vec<Array> =
        emit(op, &operands).into_iter().zip(weak).map(|(x, weak)| x.with_weak(weak)).collect();
    let stacked = outputs.split_off(carries.len());
    let last = outputs.into_iter().zip(&carries).map(|(x, like)| x.with_weak(like.is_weak())).collect();
    (rebuild(&init, last), rebuild(&ys, stacked))
}

#[track_caller]
fn scan_length(slices: &[Array], paths: &[String], given: Option<usize>) -> usize {
    let mut length = given.map(|n| ("length".to_string(), n));
    for (x, path) in slices.iter().zip(paths) {
        let shape = x.shape();
        let Some(&extent) = shape.first() else {
            fail_with(
                ErrorKind::Shape,
                format!("scan: xs{path} has type {}, expected a leading axis to loop over", x.aval()),
            )
        };
        match &length {
            None => length = Some((format!("xs{path}"), extent)),
            Some((name, n)) if *n != extent => {
                fail_with(ErrorKind::Shape, format!("scan: the lengths differ: {name} has {n}, xs{path} has {extent}"))
            }
            Some(_) => {}
        }
    }
    match length {
        Some((_, n)) => n,
        None => fail_with(ErrorKind::Structure, "scan: there are no xs to tell the number of steps; set length"),
    }
}

/// A loop over the numbers from `lower` to below `upper`: `state = body(i, state)`. With bounds that are Rust numbers it is a
/// [`scan`] and can be differentiated in reverse; with computed bounds it is a [`while_loop`](super::while_loop).
///
/// ```
/// use rjax::prelude::*;
/// let factorial = lax::fori_loop(1, 6, |i: &Array, x: &Array| x * i.astype(DType::F32), Array::scalar(1.0f32));
/// assert_eq!(factorial.item::<f32>(), 120.0);
/// ```
#[track_caller]
pub fn fori_loop<S: Tree>(lower: impl Operand, upper: impl Operand, body: impl Fn(&Array, &S) -> S, init: S) -> S {
    let (lower, upper) = (lower.into_array(), upper.into_array());
    if let (Node::Literal(Literal::Int(from)), Node::Literal(Literal::Int(to))) = (lower.node(), upper.node()) {
        let length = usize::try_from(to - from).unwrap_or(0);
        let start = lower.converted(rjax_ir::DType::I32, false);
        let step = |(i, state): &(Array, S), (): &()| ((i + 1, body(i, state)), ());
        let options = ScanOptions { length: Some(length), reverse: false };
        let ((_, state), ()) = scan_with(options, step, (start, init), &());
        return state;
    }
    for bound in [&lower, &upper] {
        if bound.ndim() != 0 || !bound.dtype().is_integer() {
            fail_with(
                ErrorKind::DType,
                format!("fori_loop: a bound has type {}, expected an integer scalar", bound.aval()),
            )
        }
    }
    let (dtype, _) = crate::array::promote((lower.dtype(), lower.is_weak()), (upper.dtype(), upper.is_weak()));
    let (lower, upper) = (lower.converted(dtype, false), upper.converted(dtype, false));
    let (_, _, state) = super::while_loop(
        |(i, upper, _): &(Array, Array, S)| super::lt(i, upper),
        |(i, upper, state): &(Array, Array, S)| (i + 1, upper.clone(), body(i, state)),
        (lower, upper, init),
    );
    state
}

/// Applies a function to each element along the leading axis, one after the other, and stacks the results. `vmap` does the
/// same at once.
#[track_caller]
pub fn map<X: Tree, Y: Tree>(f: impl Fn(&X) -> Y, xs: &X) -> Y {
    scan(|(): &(), x: &X| ((), f(x)), (), xs).1
}

/// All prefixes of `xs` along an axis combined with an associative function, in logarithmically many steps.
///
/// ```
/// use rjax::prelude::*;
/// let sums = lax::associative_scan(|a: &Array, b: &Array| a + b, &jnp::array([1.0, 2.0, 3.0]), 0, false);
/// assert_eq!(sums.to_vec::<f32>(), [1.0, 3.0, 6.0]);
/// ```
#[track_caller]
pub fn associative_scan<T: Tree>(f: impl Fn(&T, &T) -> T, xs: &T, axis: isize, reverse: bool) -> T {
    let leaves = tree::leaves(xs);
    let Some(first) = leaves.first() else { return xs.clone() };
    let axis = check(super::shape::resolve_axis("associative_scan", axis, first.ndim()));
    let extent = first.shape()[axis];
    if let Some(other) = leaves.iter().find(|x| x.shape().get(axis) != Some(&extent)) {
        fail_with(
            ErrorKind::Shape,
            format!(
                "associative_scan: leaves of type {} and {} differ in size along axis {axis}",
                first.aval(),
                other.aval()
            ),
        )
    }
    let flip = |t: &T| if reverse { tree::map(|x| super::rev(x, &[axis]), t) } else { t.clone() };
    flip(&prefixes(&f, &flip(xs), axis))
}

/// Combines neighbours, solves the problem of half the size, which gives the odd positions, and fills in the even ones.
#[track_caller]
fn prefixes<T: Tree>(f: &impl Fn(&T, &T) -> T, xs: &T, axis: usize) -> T {
    let extent = tree::leaves(xs)[0].shape()[axis];
    if extent < 2 {
        return xs.clone();
    }
    let every_other = |t: &T, start: usize, limit: usize| {
        tree::map(
            |x| {
                let shape = x.shape();
                let (mut starts, mut limits, mut strides) =
                    (vec![0; shape.rank()], shape.to_vec(), vec![1; shape.rank()]);
                (starts[axis], limits[axis], strides[axis]) = (start, limit, 2);
                super::slice(x, &starts, &limits, &strides)
            },
            t,
        )
    };
    let pairs = f(&every_other(xs, 0, extent - 1), &every_other(xs, 1, extent));
    let odd = prefixes(f, &pairs, axis);
    let known = extent.div_ceil(2) - 1;
    let cut = tree::map(|x| super::slice_in_dim(x, 0, known, axis as isize), &odd);
    let rest = f(&cut, &every_other(xs, 2, extent.max(2)));
    let head = tree::map(|x| super::slice_in_dim(x, 0, 1, axis as isize), xs);
    let even = tree::map2(|a, b| super::concatenate(&[a, b], axis), &head, &rest);
    tree::map2(|a, b| interleave(a, b, axis), &even, &odd)
}

/// a0 b0 a1 b1 …; a has as many elements as b, or one more.
#[track_caller]
fn interleave(a: &Array, b: &Array, axis: usize) -> Array {
    let spread = |x: &Array, low: i64, high: i64| {
        let mut padding = vec![rjax_ir::PadDim::default(); x.ndim()];
        padding[axis] = rjax_ir::PadDim { low, high, interior: 1 };
        super::pad(x, Array::constant(rjax_ir::Scalar::zero(x.dtype()), false), &padding)
    };
    let (na, nb) = (a.shape()[axis], b.shape()[axis]);
    let longer = i64::from(na > nb);
    let a = spread(a, 0, 1 - longer);
    let b = spread(b, 1, longer);
    // Elsewhere both are zero, so that `or` and `+` put them together.
    super::add(&a, &b)
}
