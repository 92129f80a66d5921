//! Solutions of equations, differentiated by the implicit function theorem and not through the method that finds them.

use std::sync::Arc;

use rjax_ir::{LinearSolve, Op};

use crate::trace::{self, Input, Scope, Traced, emit};
use crate::transform::signature::require_same_type;
use crate::transform::{linear_transpose, rebuild, union_of_captures, with_captures_first};
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
    let leaves = tree::leaves(b);
    let operands: Vec<&Array> = captures.iter().chain(&leaves).collect();
    let outputs = emit(op, &operands);
    rebuild(b, outputs.into_iter().zip(&leaves).map(|(x, like)| x.with_weak(like.is_weak())).collect())
}

/// A function of one tree that returns one of the same type, as a program.
#[track_caller]
fn traced<T: Tree>(role: &'static str, like: &T, f: Operator<'_, T>) -> Traced {
    let inputs = tree::leaves(like).iter().map(Input::unknown).collect();
    let (traced, out) = trace::trace(Scope::new(role, &role.into()), inputs, |arrays| {
        let out = f(&rebuild(like, arrays.to_vec()));
        (tree::leaves(&out), out)
    });
    require_same_type(role, "the unknown is", like, "the function returns", &out);
    traced
}
