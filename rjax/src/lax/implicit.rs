//! Solutions of equations, differentiated by the implicit function theorem and not through the method that finds them.

use std::sync::Arc;

use rjax_ir::{LinearSolve, Op, Root};

use crate::trace::{self, Input, Scope, Traced, emit};
use crate::transform::signature::require_same_type;
use crate::transform::{jvp, linear_transpose, rebuild, union_of_captures, with_captures_first};
use crate::{Array, Tree, tree};

/// A function of a tree, handed to a solver.
pub type Operator<'a, T> = &'a dyn Fn(&T) -> T;

/// How [`custom_linear_solve`] solves with the transposed matrix, which reverse mode does.
pub enum TransposeSolve<'a, T: Tree> {
    /// The matrix is its own transpose.
    Symmetric,
    /// By this function of the transposed product and a right-hand side.
    By(&'a dyn Fn(Operator<'_, T>, &T) -> T),
    /// Not at all: reverse mode is an error.
    None,
}

/// The solution x of `matvec(x) = b`, which `solve(matvec, b)` finds in any way, loops of unknown length included. Derivatives, of
/// either mode and any order, are solutions of linear equations with the same matrix or its transpose. JAX: `lax.custom_linear_solve`.
///
/// ```
/// use rjax::prelude::*;
/// // Jacobi's method, whose number of steps depends on the values.
/// let jacobi = |a: &Array, b: &Array| {
///     let solve = |matvec: lax::Operator<'_, Array>, b: &Array| {
///         let diagonal = a.diagonal(0);
///         lax::while_loop(
///             |x: &Array| (matvec(x) - b).abs().max(..).gt(1e-6),
///             |x: &Array| x - (matvec(x) - b) / &diagonal,
///             jnp::zeros(b.shape(), b.dtype()),
///         )
///     };
///     lax::custom_linear_solve(|x: &Array| a.dot(x), b, solve, lax::TransposeSolve::Symmetric)
/// };
/// let (a, b) = (jnp::array([[4.0, 1.0], [1.0, 3.0]]), jnp::array([1.0, 2.0]));
/// let slope = grad(|b: &Array| jacobi(&a, b).sum(..))(&b);
/// assert!(jnp::allclose(&a.dot(&slope), &jnp::ones([2], DType::F32), 1e-4, 1e-4).item::<bool>());
/// ```
#[track_caller]
pub fn custom_linear_solve<T: Tree>(
    matvec: impl Fn(&T) -> T,
    b: &T,
    solve: impl Fn(Operator<'_, T>, &T) -> T,
    transpose_solve: TransposeSolve<'_, T>,
) -> T {
    if !trace::is_tracing() {
        return solve(&matvec, b);
    }
    let product = traced("the product of custom_linear_solve", b, &matvec);
    let solution = traced("the solver of custom_linear_solve", b, &|b| solve(&matvec, b));
    let transposed = match transpose_solve {
        TransposeSolve::Symmetric => Some(solution.clone()),
        TransposeSolve::By(solve) => {
            let transposed = linear_transpose(|x: &T| matvec(x), (b,));
            let product = |y: &T| transposed.apply((y,)).0;
            Some(traced("the transposed solver of custom_linear_solve", b, &|b| solve(&product, b)))
        }
        TransposeSolve::None => None,
    };
    let functions: Vec<&Traced> = [&product, &solution].into_iter().chain(&transposed).collect();
    let captures = union_of_captures(&functions);
    let program = |traced: Traced| Arc::new(with_captures_first(traced, &captures));
    let op = Op::LinearSolve(LinearSolve {
        matvec: program(product),
        solve: program(solution),
        transpose_solve: transposed.map(program),
        num_consts: captures.len(),
    });
    emit_like(op, &captures, b)
}

/// The root x of `f(x) = 0` that `solve(f, initial_guess)` finds in any way. It is differentiated with respect to the arrays that `f`
/// captures: from f(x, θ) = 0 follows ∂f/∂x ẋ = -∂f/∂θ θ̇, and `tangent_solve(g, y)` is the solution ẋ of `g(ẋ) = y` for a
/// linear g. For reverse mode it must be linear in y by itself, or use [`custom_linear_solve`]. Derivatives are right to any order. JAX:
/// `lax.custom_root`.
///
/// ```
/// use rjax::prelude::*;
/// let square_root = |a: &Array| {
///     let newton = |f: lax::Operator<'_, Array>, guess: &Array| {
///         let step = |x: &Array| x - f(x) / (x * 2.0);
///         lax::while_loop(|x: &Array| f(x).abs().gt(1e-5), step, guess.clone())
///     };
///     let tangent_solve = |g: lax::Operator<'_, Array>, y: &Array| y / g(&jnp::ones([], DType::F32));
///     lax::custom_root(|x: &Array| x * x - a, &jnp::ones([], DType::F32), newton, tangent_solve)
/// };
/// let (root, slope) = value_and_grad(square_root)(&Array::scalar(4.0f32));
/// assert!((root.item::<f32>() - 2.0).abs() < 1e-4 && (slope.item::<f32>() - 0.25).abs() < 1e-4);
/// ```
#[track_caller]
pub fn custom_root<T: Tree>(
    f: impl Fn(&T) -> T,
    initial_guess: &T,
    solve: impl Fn(Operator<'_, T>, &T) -> T,
    tangent_solve: impl Fn(Operator<'_, T>, &T) -> T,
) -> T {
    if !trace::is_tracing() {
        return solve(&f, initial_guess);
    }
    let function = traced("the function of custom_root", initial_guess, &f);
    let solution = traced("the solver of custom_root", initial_guess, &|x| solve(&f, x));
    let pair = (initial_guess.clone(), initial_guess.clone());
    let tangents = traced_as("the tangent solver of custom_root", &pair, initial_guess, &|(x, y): &(T, T)| {
        tangent_solve(&|v| jvp(|x: &T| f(x), (x,), (v,)).1, y)
    });
    let captures = union_of_captures(&[&function, &solution, &tangents]);
    let program = |traced: Traced| Arc::new(with_captures_first(traced, &captures));
    let op = Op::Root(Root {
        f: program(function),
        solve: program(solution),
        tangent_solve: program(tangents),
        num_consts: captures.len(),
    });
    emit_like(op, &captures, initial_guess)
}

/// Emits an op of captured arrays and a tree whose results have the tree's type.
#[track_caller]
fn emit_like<T: Tree>(op: Op, captures: &[Array], like: &T) -> T {
    let leaves = tree::leaves(like);
    let operands: Vec<&Array> = captures.iter().chain(&leaves).collect();
    let outputs = emit(op, &operands);
    rebuild(like, outputs.into_iter().zip(&leaves).map(|(x, like)| x.with_weak(like.is_weak())).collect())
}

/// A function of one tree that returns one of the same type, as a program.
#[track_caller]
fn traced<T: Tree>(role: &'static str, like: &T, f: Operator<'_, T>) -> Traced {
    traced_as(role, like, like, f)
}

/// A function of a tree that returns one of another's type, as a program.
#[track_caller]
fn traced_as<S: Tree, T: Tree>(role: &'static str, given: &S, like: &T, f: &dyn Fn(&S) -> T) -> Traced {
    let inputs = tree::leaves(given).iter().map(Input::unknown).collect();
    let (traced, out) = trace::trace(Scope::new(role, &role.into()), inputs, |arrays| {
        let out = f(&rebuild(given, arrays.to_vec()));
        (tree::leaves(&out), out)
    });
    require_same_type(role, "the unknown is", like, "the function returns", &out);
    traced
}
