//! The promises of JAX's README, one test each, by number.

use rjax::prelude::*;
use rjax::test_util::check_grads;

use crate::{assert_close, assert_values, scalar};

fn tanh(x: &Array) -> Array {
    let y = (-2.0 * x).exp();
    (1.0 - &y) / (1.0 + y)
}

#[test]
fn promise_1_grad_of_a_scalar_function() {
    assert_values(&grad(tanh)(&scalar(1.0)), &[0.4199743], 1e-6);
}

#[test]
fn promise_2_derivatives_of_derivatives() {
    assert_values(&grad(grad(tanh))(&scalar(1.0)), &[-0.6397], 1e-4);
    assert_values(&grad(grad(grad(tanh)))(&scalar(1.0)), &[0.62162673], 1e-4);
    // d⁵/dx⁵ tanh = 16 s² (2 s⁴ - 11 s² t² + 2 t⁴), with t = tanh x and s² = 1 - t².
    let fifth = grad(grad(grad(grad(grad(|x: &Array| x.tanh())))));
    let t = 0.3f64.tanh();
    let s = 1.0 - t * t;
    let expected = 8.0 * s * (2.0 * s * s - 11.0 * s * t * t + 2.0 * t * t * t * t);
    assert_values(&fifth(&Array::scalar(0.3f64)), &[expected], 1e-9);
}

#[test]
fn promise_3_differentiate_through_loops() {
    // x ↦ sin applied four times.
    let host_for = |x: &Array| (0..4).fold(x.clone(), |y, _| y.sin());
    let host_while = |x: &Array| {
        let (mut y, mut n) = (x.clone(), Array::scalar(0i32));
        while n < 4 {
            y = y.sin();
            n = n + 1;
        }
        y
    };
    let scan = |x: &Array| {
        let options = lax::ScanOptions { length: Some(4), reverse: false };
        lax::scan_with(options, |c: &Array, _: &()| (c.sin(), ()), x.clone(), &()).0
    };
    let fori = |x: &Array| lax::fori_loop(0, 4, |_: &Array, y: &Array| y.sin(), x.clone());
    let while_loop = |x: &Array| {
        lax::while_loop(
            |(n, _): &(Array, Array)| n.lt(4),
            |(n, y): &(Array, Array)| (n + 1, y.sin()),
            (Array::scalar(0i32), x.clone()),
        )
        .1
    };
    let x = scalar(0.7);
    let expected = grad(host_for)(&x);
    assert_close(&grad(host_while)(&x), &expected, 1e-6);
    assert_close(&grad(scan)(&x), &expected, 1e-6);
    assert_close(&jit(grad(scan))(&x), &expected, 1e-6);
    assert_close(&grad(fori)(&x), &expected, 1e-6);
    assert_close(&jvp(while_loop, (&x,), (&scalar(1.0),)).1, &expected, 1e-6);
}

#[test]
fn promise_4_differentiate_through_branches() {
    let host_if = |x: &Array| if *x > 0.0 { x.clone() } else { -x };
    let cond = |x: &Array| lax::cond(x.gt(0.0), |x: &Array| x.clone(), |x: &Array| -x, x);
    let switch = |x: &Array| lax::switch(x.gt(0.0).astype(DType::I32), &[&|x: &Array| -x, &|x: &Array| x.clone()], x);
    let select = |x: &Array| lax::select(x.gt(0.0), x, -x);
    for (x, slope) in [(1.0, 1.0), (-1.0, -1.0)] {
        let x = scalar(x);
        assert_values(&grad(host_if)(&x), &[slope], 0.0);
        assert_values(&grad(cond)(&x), &[slope], 0.0);
        assert_values(&jit(grad(cond))(&x), &[slope], 0.0);
        assert_values(&jit(grad(switch))(&x), &[slope], 0.0);
        assert_values(&jit(grad(select))(&x), &[slope], 0.0);
    }
}

#[test]
fn promise_5_differentiate_through_recursion() {
    fn power(x: &Array, n: usize) -> Array {
        if n == 0 { jnp::ones_like(x) } else { x * power(x, n - 1) }
    }
    assert_values(&grad(|x: &Array| power(x, 5))(&scalar(2.0)), &[80.0], 1e-6);

    #[derive(Clone, Tree)]
    enum Expression {
        Leaf(Array),
        Sum(Box<Expression>, Box<Expression>),
    }
    fn total(e: &Expression) -> Array {
        match e {
            Expression::Leaf(x) => x * x,
            Expression::Sum(a, b) => total(a) + total(b),
        }
    }
    let leaf = |x: f32| Box::new(Expression::Leaf(scalar(x)));
    let e = Expression::Sum(leaf(1.0), Box::new(Expression::Sum(leaf(2.0), leaf(3.0))));
    let g = grad(total)(&e);
    assert_eq!(tree::leaves(&g).iter().map(|x| x.item::<f32>()).collect::<Vec<_>>(), [2.0, 4.0, 6.0]);
}

#[test]
fn promise_6_differentiate_through_closures() {
    // d/dx of the derivative by y of x y² at y = 3: d/dx 6x = 6.
    let nested = |x: &Array| grad(|y: &Array| x * y * y)(&scalar(3.0));
    assert_values(&grad(nested)(&scalar(1.0)), &[6.0], 0.0);
    // Perturbation confusion: the inner derivative is 1, so the outer is that of x.
    let confusing = grad(|x: &Array| x * grad(|y: &Array| x + y)(&scalar(1.0)));
    assert_values(&confusing(&scalar(5.0)), &[1.0], 0.0);
    // The same in forward mode.
    let inner = |x: &Array| jvp(|y: &Array| x * y, (&scalar(2.0),), (&scalar(1.0),)).1;
    assert_values(&jvp(inner, (&scalar(7.0),), (&scalar(1.0),)).1, &[1.0], 0.0);
}

#[test]
fn promise_7_reverse_and_forward_agree() {
    let functions: [(&str, fn(&Array) -> Array); 12] = [
        ("sin cos", |x| x.sin() * x.cos()),
        ("exp log", |x| (x.exp() + 1.0).log()),
        ("tanh", |x| x.tanh()),
        ("division", |x| 1.0 / (1.0 + x * x)),
        ("power", |x| (x * x + 1.0).pow(1.5)),
        ("max", |x| x.maximum(0.2)),
        ("cumsum", |x| x.cumsum(0) * x),
        ("sort", |x| x.sort(0) * jnp::arange(4).astype(DType::F64)),
        ("dot", |x| x.dot(x) * x),
        ("softmax", |x| nn::softmax(x, 0)),
        ("index", |x| x.index((1..3,)) * x.index(0)),
        ("logsumexp", |x| nn::logsumexp(x, ..)),
    ];
    let x = Array::from_vec([4], vec![0.3f64, -0.7, 1.1, 0.5]);
    for (name, f) in functions {
        if let Err(error) = check_grads(f, (&x,), 2, 1e-4) {
            panic!("{name}: {error}");
        }
    }
    let (_, pullback) = vjp(|x: &Array| x * x, (&x,));
    for ct in [1.0, 2.0] {
        let ct = jnp::full([4], ct, DType::F64);
        assert_close(&pullback(&ct).0, &(2.0 * &x * &ct), 1e-12);
    }
}

#[test]
fn promise_8_forward_and_reverse_in_any_order() {
    let f = |x: &Array| (x.sin() * jnp::roll(x, 1, 0)).sum(..) + x.index(0) * x.index(1).exp();
    let x = Array::from_vec([3], vec![0.2f64, -0.4, 0.9]);
    let reference = jacfwd(jacrev(f))(&x);
    assert_close(&jacrev(jacfwd(f))(&x), &reference, 1e-12);
    assert_close(&jacfwd(jacfwd(f))(&x), &reference, 1e-12);
    assert_close(&jacrev(jacrev(f))(&x), &reference, 1e-12);
    assert_close(&hessian(f)(&x), &reference, 1e-12);
    let v = Array::from_vec([3], vec![1.0f64, 2.0, -1.0]);
    let forward_over_reverse = jvp(grad(f), (&x,), (&v,)).1;
    let reverse_over_forward = grad(|x: &Array| jvp(f, (x,), (&v,)).1)(&x);
    let reverse_over_reverse = grad(|x: &Array| grad(f)(x).dot(&v))(&x);
    assert_close(&forward_over_reverse, &reference.dot(&v), 1e-12);
    assert_close(&reverse_over_forward, &reference.dot(&v), 1e-12);
    assert_close(&reverse_over_reverse, &reference.dot(&v), 1e-12);
}

#[test]
fn promise_9_jit_end_to_end() {
    let slow_f = |x: &Array| x * x + x * 2.0;
    let x = jnp::ones([50, 50], DType::F32);
    let fast_f = jit(slow_f);
    assert_close(&fast_f(&x), &slow_f(&x), 0.0);
    assert_eq!(fast_f(&x).to_vec::<f32>(), vec![3.0; 2500]);
    assert_eq!(fast_f.cache_misses(), 1);
}

#[test]
fn promise_10_transformations_compose_in_any_order() {
    type F = Fun<'static, (Array,), Array>;
    let w = Array::from_vec([3, 3], (0..9).map(|i| (i as f64 * 0.37).sin()).collect::<Vec<_>>());
    let base = move |x: &Array| w.dot(x).sin().sum(..);
    let xs = Array::from_vec([2, 3], vec![0.1f64, -0.2, 0.3, 0.5, 0.4, -0.6]);
    let steps: [(&str, fn(F) -> F); 4] = [
        ("jit", |f| jit(f).into()),
        ("checkpoint", |f| checkpoint(f)),
        ("jvp of zero added", |f| {
            let name = f.name().to_string();
            let both: F = (move |x: &Array| {
                let (y, dy) = jvp(&f, (x,), (&jnp::zeros_like(x),));
                y + dy
            })
            .into_fun();
            both.named(&name)
        }),
        ("linearize", |f| {
            (move |x: &Array| {
                let (y, slope) = linearize(&f, (x,));
                y + slope(&jnp::zeros_like(x))
            })
            .into_fun()
        }),
    ];
    let reference = vmap(grad(base.clone()), axes![0])(&xs);
    let mut orders = 0;
    for a in 0..4 {
        for b in (0..4).filter(|&b| b != a) {
            for c in (0..4).filter(|&c| c != a && c != b) {
                let d = 6 - a - b - c;
                let inner = steps[b].1(steps[a].1(base.clone().into_fun()));
                let outer = steps[d].1(steps[c].1(grad(inner)));
                assert_close(&vmap(outer, axes![0])(&xs), &reference, 1e-12);
                orders += 1;
            }
        }
    }
    assert_eq!(orders, 24);
    assert_close(&jit(vmap(jit(grad(jit(base.clone()))), axes![0]))(&xs), &reference, 1e-12);
    let summed = grad(|xs: &Array| vmap(base.clone(), axes![0])(xs).sum(..))(&xs);
    assert_close(&summed, &reference, 1e-12);
}

#[test]
fn promise_11_vmap_pushes_the_loop_into_the_ops() {
    let matvec = |m: &Array, v: &Array| m.dot(v);
    let (m, vs) = (Array::spec(DType::F32, [3, 4]), Array::spec(DType::F32, [5, 4]));
    let program = make_jaxpr(vmap(matvec, axes![_, 0]))(&m, &vs);
    let names: Vec<_> = program.eqns.iter().map(|eqn| eqn.op.name()).collect();
    assert_eq!(names.iter().filter(|n| **n == "dot_general").count(), 1, "{program}");
    assert!(!names.iter().any(|n| ["scan", "while"].contains(n)), "{program}");

    let distance = |x: &Array, y: &Array| (x - y).abs().sum(..);
    let pairs = vmap(vmap(distance, axes![_, 0]), axes![0, _]);
    let points = random::normal(&Key::new(3), [10, 4], DType::F32);
    let d = pairs(&points, &points);
    assert_eq!(d.shape()[..], [10, 10]);
    assert_close(&d.index((2, 7)), &distance(&points.index(2), &points.index(7)), 1e-6);

    let swap = VmapOptions { out_axes: axis!([1, _]), ..VmapOptions::default() };
    let f = |x: &Array, k: &Array| (x * 2.0, k + 1.0);
    let (doubled, shared) = vmap_with(f, axes![0, _], swap)(&jnp::ones([5, 3], DType::F32), &scalar(1.0));
    assert_eq!((doubled.shape()[..].to_vec(), shared.shape()[..].to_vec()), (vec![3, 5], vec![]));
}

type Params = Vec<(Array, Array)>;

fn predict(params: &Params, inputs: &Array) -> Array {
    let (mut inputs, mut outputs) = (inputs.clone(), inputs.clone());
    for (w, b) in params {
        outputs = inputs.dot(w) + b;
        inputs = outputs.tanh();
    }
    outputs
}

fn loss(params: &Params, inputs: &Array, targets: &Array) -> Array {
    (predict(params, inputs) - targets).square().sum(..)
}

fn network() -> (Params, Array, Array) {
    let key = Key::new(0);
    let layer = |i: i32, rows: usize, columns: usize| {
        let [kw, kb] = key.fold_in(i).split();
        (random::normal(&kw, [rows, columns], DType::F32), random::normal(&kb, [columns], DType::F32))
    };
    let [kx, ky] = key.fold_in(100).split();
    let inputs = random::normal(&kx, [5, 3], DType::F32);
    (vec![layer(0, 3, 4), layer(1, 4, 2)], inputs, random::normal(&ky, [5, 2], DType::F32))
}

#[test]
fn promise_12_per_example_gradients() {
    let (params, inputs, targets) = network();
    let per_example = jit(vmap(grad(loss), axes![_, 0, 0]))(&params, &inputs, &targets);
    assert_eq!(per_example[1].0.shape()[..], [5, 4, 2]);
    for i in 0..5 {
        let one = grad(loss)(&params, &inputs.index(i), &targets.index(i));
        for ((w, b), (w1, b1)) in per_example.iter().zip(&one) {
            assert_close(&w.index(i), w1, 1e-4);
            assert_close(&b.index(i), b1, 1e-4);
        }
    }
    let total = jit(grad(loss))(&params, &inputs, &targets);
    assert_close(&per_example[0].0.sum(0), &total[0].0, 1e-4);
}

#[test]
fn promise_13_jacobians() {
    let a = Array::from_vec([7, 5], (0..35).map(|i| (i as f64).cos()).collect::<Vec<_>>());
    let f = |x: &Array| a.dot(x).sin();
    let x = Array::from_vec([5], vec![0.1f64, 0.2, -0.3, 0.4, 0.5]);
    let expected = a.dot(&x).cos().expand_dims(-1) * &a;
    assert_eq!(jacfwd(f)(&x).shape()[..], [7, 5]);
    assert_close(&jacfwd(f)(&x), &expected, 1e-12);
    assert_close(&jacrev(f)(&x), &expected, 1e-12);
    // Of a tree by a tree: blocks in both trees' types.
    let (p, q): ((Array, Array), Array) =
        jacrev(|(x, y): &(Array, Array)| ((x * y, x + y), x.sum(..)))(&(x.clone(), x.clone())).into_blocks();
    assert_eq!((p.0.shape()[..].to_vec(), q.shape()[..].to_vec()), (vec![5, 5], vec![5]));
}

trait IntoBlocks {
    fn into_blocks(self) -> ((Array, Array), Array);
}

impl IntoBlocks for (((Array, Array), (Array, Array)), (Array, Array)) {
    fn into_blocks(self) -> ((Array, Array), Array) {
        (self.0.0, self.1.0)
    }
}

#[test]
fn promise_19_updates_do_not_change_the_array() {
    let x = jnp::zeros([3], DType::F32);
    let y = x.at(1).set(5.0);
    assert_values(&x, &[0.0; 3], 0.0);
    assert_values(&y, &[0.0, 5.0, 0.0], 0.0);
    let filled = jit(|x: &Array| lax::fori_loop(0, 3, |i: &Array, x: &Array| x.at(i).set(i * 2), x.clone()));
    assert_values(&filled(&x), &[0.0, 2.0, 4.0], 0.0);
}

#[test]
fn promise_22_numbers_are_32_bit_unless_asked() {
    assert_eq!(jnp::array([1.0, 2.0]).dtype(), DType::F32);
    assert_eq!(jnp::array([1, 2]).dtype(), DType::I32);
    assert_eq!(jnp::arange(3).dtype(), DType::I32);
    assert_eq!((Array::from_vec([1], vec![1.0f64]) * 2.0).dtype(), DType::F64);
    assert_eq!((jnp::ones([1], DType::BF16) * 2.0).dtype(), DType::BF16);
}

#[test]
fn promise_23_custom_rules() {
    let log1pexp = custom_jvp(|x: &Array| (1.0 + x.exp()).log())
        .defjvp(|(x,): &(Array,), (dx,): &(Array,)| ((1.0 + x.exp()).log(), (1.0 - 1.0 / (1.0 + x.exp())) * dx));
    assert_values(&grad(&log1pexp)(&scalar(100.0)), &[1.0], 0.0);
    assert_values(&jit(vmap(grad(&log1pexp), axes![0]))(&jnp::array([0.0, 100.0])), &[0.5, 1.0], 1e-6);
    assert!(grad(|x: &Array| (1.0 + x.exp()).log())(&scalar(100.0)).item::<f32>().is_nan());

    let clip = custom_vjp(|x: &Array, _: &Array| x.clone())
        .fwd(|x: &Array, bound: &Array| (x.clone(), bound.clone()))
        .bwd(|bound: &Array, ct: &Array| (ct.clip(-bound, bound), jnp::zeros_like(bound)));
    let slope = |x: &Array| clip(&(x * 5.0), &scalar(0.5));
    assert_values(&grad(slope)(&scalar(1.0)), &[2.5], 0.0);
    assert_values(&jit(grad(slope))(&scalar(1.0)), &[2.5], 0.0);
    assert_values(&vmap(grad(slope), axes![0])(&jnp::ones([2], DType::F32)), &[2.5, 2.5], 0.0);
    // A rule may use what its closure captures, traced values included.
    let outer = grad(|k: &Array| {
        let scaled = custom_jvp(|x: &Array| x * 1.0).defjvp(|(x,): &(Array,), (dx,): &(Array,)| (x * 1.0, dx * k));
        grad(scaled)(&scalar(1.0))
    });
    assert_values(&outer(&scalar(3.0)), &[1.0], 0.0);
}

#[test]
fn promise_24_printing_programs_and_waiting() {
    let program = make_jaxpr(|x: &Array| x.sin().sum(..))(&Array::spec(DType::F32, [3]));
    assert_eq!(
        program.to_string(),
        "{ lambda ; a:f32[3]. let b:f32[3] = sin a; c:f32[] = reduce_sum[axes=(0,)] b in (c,) }"
    );
    let f = |x: &Array| {
        debug::print!("x = {}", x);
        x * 2.0
    };
    let x = scalar(1.0);
    assert_values(jit(f)(&x).block_until_ready(), &[2.0], 0.0);
    assert_values(&jit(grad(f))(&x), &[2.0], 0.0);
    assert_values(&vmap(f, axes![0])(&jnp::ones([2], DType::F32)), &[2.0, 2.0], 0.0);
}
