//! Checking derivatives against differences.

use rjax_ir::{DType, ErrorKind, Result, bail};

use crate::transform::{jvp, vjp};
use crate::{Args, Array, Fun, IntoFun, Tree, error, random, tree};

/// Compares derivatives with central differences and forward with reverse mode, up to some order, along random directions. The
/// tolerance is relative to the size of the derivative, or absolute where that is below 1.
///
/// ```
/// use rjax::prelude::*;
/// use rjax::test_util::check_grads;
/// let x = Array::from_vec([3], vec![0.3f64, -0.5, 0.9]);
/// check_grads(|x: &Array| (x.sin() * x).sum(..), (&x,), 2, 1e-5).unwrap();
/// ```
pub fn check_grads<'f, I: Args, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
    arguments: I::Refs<'_>,
    order: usize,
    tolerance: f64,
) -> Result<()> {
    let fun = f.into_fun();
    error::catch(|| check_order(&fun, &I::owned(arguments), order, tolerance, 0))?
}

fn check_order<'f, I: Args, R: Tree>(
    fun: &Fun<'f, I, R>,
    arguments: &I,
    order: usize,
    tolerance: f64,
    depth: u64,
) -> Result<()> {
    if order == 0 {
        return Ok(());
    }
    let direction = random_like(arguments, 2 * depth);
    let (value, tangent) = jvp(fun, arguments.refs(), direction.refs());
    let differences = difference(fun, arguments, &direction);
    for ((found, expected), path) in inexact(&tangent).into_iter().zip(differences).zip(tree::paths(&tangent)) {
        let found = doubles(&found);
        let scale = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
            if (a - b).abs() > tolerance * scale {
                bail!(
                    NotDifferentiable,
                    "check_grads: derivative {} of `{}`: element {i} of the result{path} is {a}, differences give {b}",
                    depth + 1,
                    fun.name()
                )
            }
        }
    }
    let cotangent = random_like(&value, 2 * depth + 1);
    let (_, pullback) = vjp(fun, arguments.refs());
    let gradient = pullback(&cotangent);
    let (forward, reverse) = (inner(&cotangent, &tangent), inner(&gradient, &direction));
    if (forward - reverse).abs() > tolerance * forward.abs().max(1.0) {
        bail!(
            NotDifferentiable,
            "check_grads: derivative {} of `{}`: forward mode gives {forward} along a direction, reverse mode {reverse}",
            depth + 1,
            fun.name()
        )
    }
    let derivative: Fun<'_, I, R> = Fun::new(fun.name().clone(), |x: I::Refs<'_>| jvp(fun, x, direction.refs()).1);
    check_order(&derivative, arguments, order - 1, tolerance, depth + 1)
}

fn inexact<T: Tree>(tree: &T) -> Vec<Array> {
    tree::leaves(tree).into_iter().filter(|x| x.dtype().is_inexact()).collect()
}

/// Real and imaginary parts, one after the other.
fn doubles(x: &Array) -> Vec<f64> {
    let value = x.to_tensor();
    let complex = (0..value.shape().size()).map(|i| value.get(i).to_c128());
    if x.dtype().is_complex() { complex.flat_map(|z| [z.re, z.im]).collect() } else { complex.map(|z| z.re).collect() }
}

/// Random directions for inexact leaves, zeros for the others.
fn random_like<T: Tree>(tree: &T, seed: u64) -> T {
    let key = random::Key::new(0x5EED + seed);
    let mut count = 0;
    tree::map(
        |x| {
            count += 1;
            if x.dtype().is_inexact() {
                let drawn = if matches!(x.dtype(), DType::F16 | DType::BF16) { DType::F32 } else { x.dtype() };
                random::normal(&key.fold_in(count), x.shape(), drawn).astype(x.dtype())
            } else {
                crate::numpy::zeros(x.shape(), x.dtype())
            }
        },
        tree,
    )
}

/// The sum of products, without conjugation.
fn inner<T: Tree>(a: &T, b: &T) -> f64 {
    let products = inexact(a).into_iter().zip(inexact(b)).map(|(x, y)| {
        let (x, y) = (x.to_tensor(), y.to_tensor());
        (0..x.shape().size()).map(|i| (x.get(i).to_c128() * y.get(i).to_c128()).re).sum::<f64>()
    });
    products.sum()
}

/// Central differences of the results along a direction.
fn difference<'f, I: Args, R: Tree>(fun: &Fun<'f, I, R>, arguments: &I, direction: &I) -> Vec<Vec<f64>> {
    let widest = inexact(arguments).iter().map(|x| x.dtype().real().size()).max();
    let step = match widest {
        Some(8) => 1e-5,
        Some(4) => 1e-2,
        Some(_) => 1e-1,
        None => error::fail_with(ErrorKind::DType, "check_grads: no argument has a derivative"),
    };
    let moved = |by: f64| {
        let shifted = tree::map2(
            |x, d| if x.dtype().is_inexact() { (x + d * by).astype(x.dtype()) } else { x.clone() },
            arguments,
            direction,
        );
        inexact(&fun.apply(shifted.refs()))
    };
    let pairs = moved(step).into_iter().zip(moved(-step));
    pairs
        .map(|(up, down)| doubles(&up).iter().zip(doubles(&down)).map(|(a, b)| (a - b) / (2.0 * step)).collect())
        .collect()
}
