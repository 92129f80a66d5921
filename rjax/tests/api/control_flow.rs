//! Rust's own control flow on values, differentiated; and the structured kind under every transformation.

use rjax::prelude::*;
use rjax::{ErrorKind, Result};

use crate::{assert_close, assert_values, scalar};

#[test]
fn the_path_taken_is_differentiated() {
    let f = |x: &Array| {
        let mut y = x.clone();
        let mut steps = 0;
        while y.item::<f32>() < 100.0 {
            y = &y * x;
            steps += 1;
            if steps > 50 {
                break;
            }
        }
        y
    };
    // 3^5 = 243 is the first power above 100.
    assert_values(&grad(f)(&scalar(3.0)), &[5.0 * 81.0], 1e-6);
    assert_values(&jvp(f, (&scalar(3.0),), (&scalar(1.0),)).1, &[405.0], 1e-6);
    let (y, pullback) = vjp(f, (&scalar(2.0),));
    assert_values(&y, &[128.0], 0.0);
    assert_values(&pullback(&scalar(1.0)).0, &[7.0 * 64.0], 1e-6);
    let (_, slope) = linearize(f, (&scalar(2.0),));
    assert_values(&slope(&scalar(1.0)), &[448.0], 1e-6);
}

#[test]
fn values_are_known_through_nested_transformations() {
    let cube = |x: &Array| if x.gt(0.0).item::<bool>() { x * x * x } else { -x };
    let second = grad(grad(cube));
    assert_values(&second(&scalar(2.0)), &[12.0], 1e-6);
    assert_values(&second(&scalar(-2.0)), &[0.0], 0.0);
    // The inner function decides by the outer variable.
    let outer = grad(|x: &Array| grad(|y: &Array| if *x > 1.0 { x * y * y } else { y.clone() })(&scalar(3.0)));
    assert_values(&outer(&scalar(2.0)), &[6.0], 0.0);
    assert_values(&outer(&scalar(0.5)), &[0.0], 0.0);
    // Through a jitted function inside, whose result is known.
    let square = jit(|x: &Array| x * x);
    let f = grad(|x: &Array| if square(x) > 4.0 { square(x) } else { x.clone() });
    assert_values(&f(&scalar(3.0)), &[6.0], 0.0);
    assert_values(&f(&scalar(1.0)), &[1.0], 0.0);
    // What all examples of a batch share is known.
    let f = vmap(|x: &Array, k: &Array| if *k > 0.0 { x * k } else { -x }, axes![0, _]);
    assert_values(&f(&jnp::array([1.0, 2.0]), &scalar(3.0)), &[3.0, 6.0], 0.0);
    assert_values(&f(&jnp::array([1.0, 2.0]), &scalar(-3.0)), &[-1.0, -2.0], 0.0);
}

#[test]
fn constants_are_known_under_jit() {
    let table = jnp::array([1.0, 2.0, 3.0]);
    let f = jit(|x: &Array| if table.sum(..) > 5.0 { x * 2.0 } else { x.clone() });
    assert_values(&f(&scalar(4.0)), &[8.0], 0.0);
}

#[test]
fn newton_with_native_loop() {
    let root = |a: &Array| {
        let mut x = a.clone();
        while (&x * &x - a).abs() > 1e-10 {
            x = 0.5 * (&x + a / &x);
        }
        x
    };
    let a = Array::scalar(2.0f64);
    assert_values(&root(&a), &[2f64.sqrt()], 1e-10);
    assert_values(&grad(root)(&a), &[0.5 / 2f64.sqrt()], 1e-9);
    assert_values(&hessian(root)(&a), &[-0.25 * 2f64.powf(-1.5)], 1e-6);
}

#[test]
fn a_long_native_loop_needs_no_deep_stack() {
    let f = |x: &Array| {
        let mut y = x.clone();
        for _ in 0..3000 {
            y = &y + x * 1e-3;
            y = &y * 1.0;
        }
        assert!(y.item::<f32>() > 0.0);
        y
    };
    assert_values(&grad(f)(&scalar(1.0)), &[4.0], 1e-3);
}

fn concretization(result: Result<Array>) -> String {
    let error = result.expect_err("the value must not be known");
    assert_eq!(error.kind, ErrorKind::Concretization);
    let text = error.to_string();
    assert!(text.contains("control_flow.rs:"), "{text}");
    text
}

#[test]
fn unknown_values_stop_with_advice() {
    let f = |x: &Array| if *x > 0.0 { x.clone() } else { -x };
    let text = concretization(jit(f).try_call((&scalar(1.0),)));
    assert!(text.contains("under jit") && text.contains("cond") && text.contains("while_loop"), "{text}");
    let text = concretization(jit(grad(f)).try_call((&scalar(1.0),)));
    assert!(text.contains("under jit"), "{text}");
    let text = concretization(grad(jit(f)).try_call((&scalar(1.0),)));
    assert!(text.contains("under jit"), "{text}");
    let text = concretization(vmap(f, axes![0]).try_call((&jnp::ones([2], DType::F32),)));
    assert!(text.contains("vmap") && text.contains("select"), "{text}");
    let text = concretization(vmap(grad(f), axes![0]).try_call((&jnp::ones([2], DType::F32),)));
    assert!(text.contains("vmap"), "{text}");
    let looped = |x: &Array| lax::scan(|c: &Array, _: &Array| (f(c), ()), x.clone(), &jnp::arange(3)).0;
    let text = concretization(grad(looped).try_call((&scalar(1.0),)));
    assert!(text.contains("scan"), "{text}");
    // The library works on.
    assert_values(&grad(f)(&scalar(-1.0)), &[-1.0], 0.0);
}

#[test]
fn scan_carries_trees_and_goes_backwards() {
    let xs = (jnp::array([1.0, 2.0, 3.0]), jnp::arange(3));
    let body = |(total, count): &(Array, Array), (x, i): &(Array, Array)| {
        ((total + x, count + 1), total * 10.0 + i.astype(DType::F32))
    };
    let ((total, count), ys) = lax::scan(body, (scalar(0.0), Array::scalar(0i32)), &xs);
    assert_values(&total, &[6.0], 0.0);
    assert_values(&count, &[3.0], 0.0);
    assert_values(&ys, &[0.0, 11.0, 32.0], 0.0);
    let options = lax::ScanOptions { reverse: true, length: None };
    let (_, ys) = lax::scan_with(options, body, (scalar(0.0), Array::scalar(0i32)), &xs);
    assert_values(&ys, &[50.0, 31.0, 2.0], 0.0);
}

#[test]
fn gradients_through_scan_match_an_unrolled_loop() {
    let w = random::normal(&Key::new(1), [3, 3], DType::F32) * 0.5;
    let xs = random::normal(&Key::new(2), [6, 3], DType::F32);
    let scanned = |w: &Array, xs: &Array| {
        let step = |h: &Array, x: &Array| {
            let h = (h.dot(w) + x).tanh();
            (h.clone(), h.square().sum(..))
        };
        lax::scan(step, jnp::zeros([3], DType::F32), xs).1.sum(..)
    };
    let unrolled = |w: &Array, xs: &Array| {
        let mut h = jnp::zeros([3], DType::F32);
        let mut total = scalar(0.0);
        for x in xs.iter() {
            h = (h.dot(w) + x).tanh();
            total = total + h.square().sum(..);
        }
        total
    };
    let (g, g_xs) = grad_argnums(scanned, (Arg::<0>, Arg::<1>))(&w, &xs);
    let (e, e_xs) = grad_argnums(unrolled, (Arg::<0>, Arg::<1>))(&w, &xs);
    assert_close(&g, &e, 1e-4);
    assert_close(&g_xs, &e_xs, 1e-4);
    let batched = jit(vmap(grad(scanned), axes![_, 1]))(&w, &xs.reshape([6, 1, 3]).broadcast_to([6, 2, 3]));
    assert_close(&batched.index(1), &e, 1e-4);
}

#[test]
fn cond_of_a_batch_selects_without_nan() {
    // sqrt has an infinite derivative at 0, which must not leak from the branch not taken.
    let f = |x: &Array| lax::cond(x.gt(0.0), |x: &Array| x.sqrt(), |_: &Array| scalar(0.0), x);
    assert_values(&vmap(grad(f), axes![0])(&jnp::array([0.0, 4.0])), &[0.0, 0.25], 1e-6);
}

#[test]
fn while_loops_batch_by_lane() {
    let halvings = |x: &Array| {
        lax::while_loop(
            |(x, _): &(Array, Array)| x.gt(1.0),
            |(x, n): &(Array, Array)| (x / 2.0, n + 1),
            (x.clone(), Array::scalar(0i32)),
        )
        .1
    };
    assert_values(&vmap(halvings, axes![0])(&jnp::array([1.0, 5.0, 100.0])), &[0.0, 3.0, 7.0], 0.0);
    // Weakly typed states take the dtype that the body gives them.
    let total = lax::fori_loop(0, 5, |i: &Array, s: &Array| s + i.astype(DType::F32), Array::from(0));
    assert_eq!((total.dtype(), total.item::<f32>()), (DType::F32, 10.0));
}

#[test]
fn fori_loop_with_computed_bounds() {
    let sum_below = jit(|n: &Array| lax::fori_loop(0, n, |i: &Array, s: &Array| s + i, Array::scalar(0i32)));
    assert_values(&sum_below(&Array::scalar(5i32)), &[10.0], 0.0);
    assert_values(&sum_below(&Array::scalar(-2i32)), &[0.0], 0.0);
    assert_eq!(sum_below.cache_misses(), 1);
}
