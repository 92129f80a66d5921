//! Compilation: caching, donation, stages, calls inside other transformations.

use rjax::prelude::*;

use crate::{assert_values, scalar};

#[test]
fn one_trace_for_each_kind_of_arguments() {
    let f = jit(|x: &Array, k: &Array| x * k);
    let (x, k) = (jnp::ones([3], DType::F32), scalar(2.0));
    f(&x, &k);
    f(&(&x + 1.0), &k);
    assert_eq!(f.cache_misses(), 1);
    f(&x, &Array::from(2.0));
    assert_eq!(f.cache_misses(), 2, "a weak argument is another kind");
    f(&jnp::ones([4], DType::F32), &k);
    f(&x.astype(DType::BF16), &k);
    assert_eq!(f.cache_misses(), 4);
    assert!(f.explain_cache_misses()[2].contains("f32[4]"), "{:?}", f.explain_cache_misses());
    assert_eq!(f(&x.astype(DType::BF16), &Array::from(2.0)).dtype(), DType::BF16);
}

#[test]
fn captured_arrays_are_inputs_of_the_program() {
    let table = jnp::arange(4);
    let f = jit(|i: &Array| table.index(i));
    assert_values(&f(&Array::scalar(2i32)), &[2.0], 0.0);
    let program = f.trace((&Array::scalar(2i32),)).unwrap();
    assert_eq!(program.consts.len(), 1, "{program}");
    // A captured variable of an outer trace.
    let g = grad(|x: &Array| {
        let inner = jit(|y: &Array| y * x);
        inner(&scalar(2.0)) + inner(&scalar(3.0))
    });
    assert_values(&g(&scalar(1.0)), &[5.0], 0.0);
}

#[test]
fn jit_inside_records_a_call() {
    let f = jit(|x: &Array| x.sin());
    let program = make_jaxpr(|x: &Array| f(x) + f(x))(&Array::spec(DType::F32, []));
    assert_eq!(program.eqns.iter().filter(|e| e.op.name() == "jit").count(), 2, "{program}");
    assert_eq!(f.cache_misses(), 1);
}

#[test]
fn donation_takes_buffers() {
    let step = jit(|(a, b): &(Array, Array), x: &Array| (a + x, b * x)).donate(axes![[0, _], _]);
    let state = (jnp::ones([2], DType::F32), jnp::ones([2], DType::F32));
    let next = step(&state, &scalar(3.0));
    assert!(state.0.is_deleted() && !state.1.is_deleted());
    assert_values(&next.0, &[4.0, 4.0], 0.0);
}

#[test]
fn stages() {
    let f = jit(|x: &Array, y: &(Array, Array)| (x + &y.0, y.1.clone()));
    let pair = (Array::spec(DType::F32, [2]), Array::spec(DType::I32, []));
    let lowered = f.lower((&Array::spec(DType::F32, []), &pair)).unwrap();
    assert!(lowered.as_text().starts_with("{ lambda ; a:f32[] b:f32[2] c:i32[]."), "{}", lowered.as_text());
    let compiled = lowered.compile().unwrap();
    let call = || {
        let (sum, n) = compiled.call((&scalar(1.0), &(jnp::ones([2], DType::F32), Array::scalar(7i32)))).unwrap();
        (sum.to_vec::<f32>(), n.item::<i32>())
    };
    fn shared<T: Send + Sync>(value: &T) -> &T {
        value
    }
    shared(&compiled);
    let there = std::thread::scope(|scope| scope.spawn(call).join().unwrap());
    assert_eq!(there, (vec![2.0, 2.0], 7));
    assert_eq!(there, call());
    let error = compiled.call((&scalar(1.0), &(jnp::ones([3], DType::F32), Array::scalar(7i32)))).err().unwrap();
    assert!(error.to_string().contains("argument 1 at [0]"), "{error}");
}

#[test]
fn shapes_without_values() {
    let out = eval_shape(|x: &Array| (x.sum(0), x.astype(DType::I8)), (&Array::spec(DType::F64, [3, 2]),));
    assert_eq!((out.0.aval().to_string(), out.1.aval().to_string()), ("f64[2]".into(), "i8[3,2]".into()));
}

#[test]
fn static_arguments_and_stored_functions() {
    struct Trainer {
        step: Jit<'static, (Array, Array), (Array, Array)>,
        slope: Fun<'static, (Array, Array), Array>,
    }
    let loss = |w: &Array, x: &Array| (w * x - 1.0).square();
    let trainer = Trainer {
        step: jit(move |w: &Array, x: &Array| {
            let (l, g) = value_and_grad(loss)(w, x);
            (w - 0.1 * g, l)
        }),
        slope: grad(loss),
    };
    let mut w = scalar(0.0);
    for _ in 0..100 {
        (w, _) = (trainer.step)(&w, &scalar(2.0));
    }
    assert_values(&w, &[0.5], 1e-5);
    assert_values(&(trainer.slope)(&w, &scalar(2.0)), &[0.0], 1e-4);
}

#[test]
fn auxiliary_results() {
    let f = |x: &Array| (x.square(), (x + 1.0, Array::scalar(5i32)));
    let ((value, (next, five)), slope) = value_and_grad_with_aux(f)(&scalar(3.0));
    assert_values(&value, &[9.0], 0.0);
    assert_values(&next, &[4.0], 0.0);
    assert_values(&five, &[5.0], 0.0);
    assert_values(&slope, &[6.0], 0.0);
    let (slope, (next, _)) = jit(grad_with_aux(f))(&scalar(3.0));
    assert_values(&slope, &[6.0], 0.0);
    assert_values(&next, &[4.0], 0.0);
    // What is returned on the side can be differentiated by an outer transformation.
    let outer = grad(|x: &Array| grad_with_aux(f)(x).1.0.clone());
    assert_values(&outer(&scalar(3.0)), &[1.0], 0.0);
    let (y, pullback, (next, _)) = vjp_with_aux(f, (&scalar(3.0),));
    assert_values(&y, &[9.0], 0.0);
    assert_values(&next, &[4.0], 0.0);
    assert_values(&pullback(&scalar(1.0)).0, &[6.0], 0.0);
}

#[test]
fn checkpoint_computes_again() {
    let layer = |x: &Array| x.sin().sin().sin();
    let plain = grad(layer)(&scalar(0.5));
    let saved = grad(checkpoint(layer))(&scalar(0.5));
    crate::assert_close(&saved, &plain, 1e-6);
    let spec = Array::spec(DType::F32, []);
    let count = |f: &Fun<'_, (Array,), Array>| {
        fn sines(program: &rjax::Program) -> usize {
            program
                .eqns
                .iter()
                .map(|e| usize::from(e.op.name() == "sin") + e.op.subprograms().iter().map(|p| sines(p)).sum::<usize>())
                .sum()
        }
        sines(&make_jaxpr(f)(&spec))
    };
    let (kept, again) = (count(&grad(layer)), count(&grad(checkpoint(layer))));
    assert!(again > kept, "{again} sines with checkpoint, {kept} without");
}

#[test]
fn stop_gradient_stops() {
    let f = |x: &Array| x * stop_gradient(x);
    assert_values(&grad(f)(&scalar(3.0)), &[3.0], 0.0);
}

#[test]
fn gradients_at_ties_and_edges_are_jaxs() {
    let slope = |f: fn(&Array) -> Array, x: f32| grad(f)(&scalar(x)).item::<f32>();
    assert_eq!(slope(|x| x.abs(), 0.0), 1.0);
    assert_eq!(slope(|x| x.maximum(0.0), 0.0), 0.5);
    assert_eq!(slope(|x| x.relu(), 0.0), 0.0);
    assert_eq!(slope(|x| x.clip(0.0, 1.0), 0.0), 0.5);
    assert_eq!(slope(|x| x.clip(0.0, 1.0), 1.0), 0.5);
    assert_eq!(slope(|x| lax::clamp(0.0, x, 1.0), 0.0), 0.0);
    assert_eq!(slope(|x| nn::relu6(x), 6.0), 0.0);
    assert_eq!(slope(|x| nn::leaky_relu(x, 0.01), 0.0), 1.0);
    assert_eq!(slope(|x| nn::softplus(x), 0.0), 0.5);
    assert_eq!(slope(|x| jnp::where_(x.gt(0), x, 0.0), 0.0), 0.0);
    assert_eq!(slope(|x| x.powi(0), 0.0), 0.0);
    assert_eq!(slope(|x| x.pow(2.0), 0.0), 0.0);
    assert_eq!(slope(|x| x.sqrt(), 0.0), f32::INFINITY);
    assert!(slope(|x| (x * x).sqrt(), 0.0).is_nan());
    assert_eq!(slope(|x| x.log(), 0.0), f32::INFINITY);
    assert_eq!(slope(|x| jnp::hypot(x, x), 0.0), 1.0);
    assert!(slope(|x| x.atan2(x), 0.0).is_nan());
    assert_eq!(slope(|x| x.floor(), 0.5), 0.0);
    assert_eq!(slope(|x| x % 2, 0.5), 1.0);
    assert_eq!(slope(|x| jnp::sinc(x), 0.0), 0.0);
}

#[test]
fn functions_are_traced_anew_for_another_precision_of_products() {
    use rjax::lax::Precision;
    let f = jit(|x: &Array| x.dot(x));
    let x = jnp::ones([2, 2], DType::F32);
    let usual = f(&x);
    let exact = rjax::default_matmul_precision(Precision::Highest, || f(&x));
    assert_eq!((f.cache_misses(), usual.to_vec::<f32>()), (2, exact.to_vec::<f32>()));
    f(&x);
    assert_eq!(f.cache_misses(), 2);
    assert!(f.explain_cache_misses()[1].contains(", products at Highest;"), "{:?}", f.explain_cache_misses());
    // What asks for a precision of its own gets it.
    let own = |x: &Array| lax::dot_general(x, x, (&[1], &[0]), (&[], &[]), Precision::High, None);
    let text =
        rjax::default_matmul_precision(Precision::Highest, || jit(own).lower((&x,)).unwrap().stablehlo().unwrap());
    assert!(text.contains("precision = [HIGH, HIGH]"), "{text}");
}
