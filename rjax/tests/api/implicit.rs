//! Solutions of equations by loops of unknown length, whose derivatives are compared with those of the direct solution.

use rjax::ErrorKind;
use rjax::lax::{Operator, TransposeSolve, custom_linear_solve, custom_root};
use rjax::prelude::*;
use rjax::test_util::check_grads;

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

fn by_root(a: &Array, b: &Array) -> Array {
    let diagonal = a.diagonal(0);
    custom_root(
        |x: &Array| a.dot(x) - b,
        &jnp::zeros([3], DType::F64),
        |f, guess| {
            let step = |x: &Array| x - f(x) / &diagonal;
            lax::while_loop(|x: &Array| f(x).abs().max(..).gt(1e-13), step, guess.clone())
        },
        |g, y| jnp::linalg::solve(&jacobian(|x: &Array| g(x))(y), y),
    )
}

/// A root whose tangents are solved for by a loop as well.
fn by_root_and_jacobi(a: &Array, b: &Array) -> Array {
    let diagonal = a.diagonal(0);
    let solve = |product: Operator<'_, Array>, b: &Array| iterate(product, &diagonal, b);
    custom_root(
        |x: &Array| a.dot(x) - b,
        &jnp::ones([3], DType::F64),
        |_, _| jnp::linalg::solve(a, b),
        |g, y| custom_linear_solve(g, y, solve, TransposeSolve::By(&solve)),
    )
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
    let solvers: [(&str, Solver); 4] = [
        ("Jacobi", by_jacobi),
        ("normal equations", by_normal_equations),
        ("root", by_root),
        ("root and Jacobi", by_root_and_jacobi),
    ];
    for (transformation, apply) in transformations {
        let expected = apply(direct);
        for (solver, solve) in solvers {
            println!("{transformation} of {solver}");
            assert_close(&apply(solve), &expected, 1e-10);
        }
    }
}

/// Newton's method for x³ + p x = q, whose solution of two unknowns is a tree.
fn cubics(p: &Array, q: &Array) -> (Array, Array) {
    let f = |(x, y): &(Array, Array)| (x * x * x + p * x - q, y * y * y + y * x - p);
    let solve = |f: Operator<'_, (Array, Array)>, guess: &(Array, Array)| {
        let step = |(x, y): &(Array, Array)| {
            let (u, v) = f(&(x.clone(), y.clone()));
            let du = x * x * 3.0 + p;
            let dx = u / du;
            let dy = (v - y * &dx) / (y * y * 3.0 + x);
            (x - dx, y - dy)
        };
        lax::fori_loop(0, 40, |_, state: &(Array, Array)| step(state), guess.clone())
    };
    let one = jnp::ones([], DType::F64);
    // The second unknown does not take part in the first equation.
    let tangent_solve = |g: Operator<'_, (Array, Array)>, (u, v): &(Array, Array)| {
        let zero = jnp::zeros_like(&one);
        let (a, c) = g(&(one.clone(), zero.clone()));
        let (_, d) = g(&(zero, one.clone()));
        let x = u / a;
        let y = (v - c * &x) / d;
        (x, y)
    };
    custom_root(f, &(one.clone(), one.clone()), solve, tangent_solve)
}

#[test]
fn roots_of_several_unknowns_have_the_derivatives_that_differences_say() {
    let (p, q) = (Array::scalar(1.3f64), Array::scalar(2.1f64));
    check_grads(|p: &Array, q: &Array| cubics(p, q), (&p, &q), 2, 1e-5).expect("differentiable");
    let (x, y) = cubics(&p, &q);
    assert_close(&(&x * &x * &x + &p * &x), &q, 1e-12);
    assert_close(&(&y * &y * &y + &y * &x), &p, 1e-12);
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

    let of_integers = jit(|x: &Array| custom_root(|x: &Array| x - 1, x, |_, x| x.clone(), |_, y| y.clone()));
    let error = of_integers.try_call((&Array::scalar(1),)).expect_err("integers have no tangents");
    assert_eq!(error.kind, ErrorKind::DType);
    assert!(error.message.contains("custom_root: the unknown must be inexact, found i32[]"), "{error}");

    let changes_shape =
        jit(|x: &Array| custom_linear_solve(|x: &Array| x.sum(..), x, |_, x| x.clone(), TransposeSolve::None));
    let error = changes_shape.try_call((&jnp::ones([2], DType::F32),)).expect_err("a vector becomes a scalar");
    assert_eq!(error.kind, ErrorKind::Shape);
}
