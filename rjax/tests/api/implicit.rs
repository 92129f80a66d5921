//! Solutions of equations by loops of unknown length, whose derivatives are compared with those of the direct solution.

use rjax::ErrorKind;
use rjax::lax::{Operator, TransposeSolve, custom_linear_solve};
use rjax::prelude::*;

use crate::assert_close;

type Solver = fn(&Array, &Array) -> Array;

/// Matrices that Jacobi's method converges for, and that are not symmetric.
fn matrices() -> Array {
    let a = [5.0, 1.0, -0.5, 0.3, 4.0, 1.5, 0.2, -1.0, 6.0, -4.0, 0.7, 0.1, 1.2, 3.0, -0.4, 0.9, 0.6, 5.0];
    Array::from_vec([2, 3, 3], a.to_vec())
}

fn vectors() -> Array {
    Array::from_vec([2, 3], vec![1.0f64, -2.0, 0.5, 0.3, 0.8, -1.1])
}

fn iterate(product: Operator<'_, Array>, diagonal: &Array, b: &Array) -> Array {
    let residual = |x: &Array| product(x) - b;
    lax::while_loop(
        |x: &Array| residual(x).abs().max(..).gt(1e-13),
        |x: &Array| x - residual(x) / diagonal,
        jnp::zeros(b.shape(), b.dtype()),
    )
}

fn by_jacobi(a: &Array, b: &Array) -> Array {
    let diagonal = a.diagonal(0);
    let solve = |product: Operator<'_, Array>, b: &Array| iterate(product, &diagonal, b);
    custom_linear_solve(|x: &Array| a.dot(x), b, solve, TransposeSolve::By(&solve))
}

/// The normal equations, whose matrix is symmetric.
fn by_normal_equations(a: &Array, b: &Array) -> Array {
    let normal = a.t().dot(a);
    let solve = |product: Operator<'_, Array>, b: &Array| {
        let columns = vmap(|x: &Array| product(x), axes![1])(&jnp::eye(3, DType::F64));
        jnp::linalg::solve(&columns.t(), b)
    };
    custom_linear_solve(|x: &Array| normal.dot(x), &a.t().dot(b), solve, TransposeSolve::Symmetric)
}

#[test]
fn every_transformation_gives_what_it_gives_of_the_direct_solution() {
    let transformations: [(&str, fn(Solver) -> Array); 12] = [
        ("value", |f| f(&matrices().index(0), &vectors().index(0))),
        ("jit", |f| jit(f)(&matrices().index(0), &vectors().index(0))),
        ("grad by the matrix", |f| {
            grad(move |a: &Array| f(a, &vectors().index(0)).sin().sum(..))(&matrices().index(1))
        }),
        ("grad by the vector", |f| {
            grad(move |b: &Array| f(&matrices().index(1), b).sin().sum(..))(&vectors().index(1))
        }),
        ("jacfwd", |f| jacfwd(move |a: &Array| f(a, &vectors().index(1)))(&matrices().index(0))),
        ("jacrev of jit", |f| {
            jacrev(jit(move |a: &Array| f(&(a * a), &vectors().index(1))))(&matrices().index(0).abs().sqrt())
        }),
        ("hessian", |f| hessian(jit(move |a: &Array| f(a, &a.index(0)).cos().sum(..)))(&matrices().index(0))),
        ("grad of grad", |f| {
            let inner = grad(move |b: &Array| f(&(matrices().index(0) + jnp::outer(b, b)), b).sin().sum(..));
            grad(move |b: &Array| inner(b).sum(..))(&vectors().index(1))
        }),
        ("vmap", |f| vmap(f, axes![0, 0])(&matrices(), &vectors())),
        ("jit of vmap by the matrix", |f| jit(vmap(f, axes![0, _]))(&matrices(), &vectors().index(0))),
        ("vmap of jit by the vector", |f| vmap(jit(f), axes![_, 0])(&matrices().index(0), &vectors())),
        ("vmap of grad of vmap", |f| {
            let all = move |a: &Array| vmap(f, axes![0, 0])(a, &vectors()).sin().sum(..);
            vmap(grad(all), axes![0])(&jnp::stack(&[&matrices(), &(matrices() * 1.5)], 0))
        }),
    ];
    let direct: Solver = |a, b| jnp::linalg::solve(a, b);
    let solvers: [(&str, Solver); 2] = [("Jacobi", by_jacobi), ("normal equations", by_normal_equations)];
    for (transformation, apply) in transformations {
        let expected = apply(direct);
        for (solver, solve) in solvers {
            println!("{transformation} of {solver}");
            assert_close(&apply(solve), &expected, 1e-10);
        }
    }
}

#[test]
fn refusals_name_what_is_missing() {
    let forward_only =
        |b: &Array| custom_linear_solve(|x: &Array| x * 2.0, b, |_, b: &Array| b / 2.0, TransposeSolve::None);
    let b = Array::scalar(3.0f64);
    assert_close(&jvp(forward_only, (&b,), (&b,)).1, &Array::scalar(1.5f64), 0.0);
    let error = grad(forward_only).try_call((&b,)).expect_err("no transpose");
    assert_eq!(error.kind, ErrorKind::NotDifferentiable);
    assert!(error.message.contains("custom_linear_solve: reverse mode needs transpose_solve"), "{error}");

    let changes_shape =
        jit(|x: &Array| custom_linear_solve(|x: &Array| x.sum(..), x, |_, x| x.clone(), TransposeSolve::None));
    let error = changes_shape.try_call((&jnp::ones([2], DType::F32),)).expect_err("a vector becomes a scalar");
    assert_eq!(error.kind, ErrorKind::Shape);
}
