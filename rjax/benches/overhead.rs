//! What a call costs beside its work, and what tracing and compiling cost: medians, printed one a line.
//!
//! `cargo bench -p rjax --bench overhead`

use std::hint::black_box;
use std::time::Instant;

use rjax::prelude::*;

/// The median time of one run in nanoseconds.
fn median(mut work: impl FnMut(), batch: usize, batches: usize) -> f64 {
    let mut times: Vec<f64> = (0..batches)
        .map(|_| {
            let start = Instant::now();
            (0..batch).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / batch as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report(name: &str, nanoseconds: f64) {
    println!("{name:<48} {:>12.3} µs", nanoseconds / 1000.0);
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

fn main() {
    let x = Array::scalar(1.0f32);
    let add = jit(|x: &Array| x + 1.0);
    add(&x);
    report("jitted x + 1 on a scalar", median(|| drop(black_box(add(&x))), 2000, 50));

    let compiled = jit(|x: &Array| x + 1.0).lower((&x,)).unwrap().compile().unwrap();
    report("the same compiled ahead of time", median(|| drop(black_box(compiled.call((&x,)).unwrap())), 2000, 50));

    let tree: Params = (0..5).map(|_| (x.clone(), x.clone())).collect();
    let step = jit(|p: &Params| p.iter().map(|(a, b)| (a + 1.0, b + 1.0)).collect::<Params>());
    step(&tree);
    report("jitted update of 10 scalars", median(|| drop(black_box(step(&tree))), 2000, 50));

    let y = &x + &x;
    report("eager x + y on scalars", median(|| drop(black_box(&x + &y)), 2000, 50));
    report("eager x + 1 on a scalar", median(|| drop(black_box(&x + 1.0)), 2000, 50));

    let layer = |i: usize, o: usize| (Array::spec(DType::F32, [i, o]), Array::spec(DType::F32, [o]));
    let params = vec![layer(784, 512), layer(512, 512), layer(512, 10)];
    let (inputs, targets) = (Array::spec(DType::F32, [128, 784]), Array::spec(DType::F32, [128, 10]));
    let gradient = || jit(grad(loss));
    let trace = || drop(black_box(gradient().lower((&params, &inputs, &targets)).unwrap()));
    report("tracing the gradient of a network of 3 layers", median(trace, 1, 15));
    let compile = || drop(black_box(gradient().lower((&params, &inputs, &targets)).unwrap().compile().unwrap()));
    report("tracing and compiling it", median(compile, 1, 15));

    for n in [2_500, 5_000, 10_000, 20_000] {
        let long = move |x: &Array| {
            let mut y = x.clone();
            for i in 0..n / 2 {
                y = &y * x + (i as f64).sin();
            }
            y
        };
        let spec = Array::spec(DType::F32, [16]);
        report(&format!("tracing {n} equations"), median(|| drop(black_box(make_jaxpr(long)(&spec))), 1, 5));
        let compile = || drop(black_box(jit(long).lower((&spec,)).unwrap().compile().unwrap()));
        report(&format!("tracing and compiling {n} equations"), median(compile, 1, 1));
    }
}
