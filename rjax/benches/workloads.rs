//! Programs written in Rust beside the same programs written in JAX, which `jax.export` put into `benches/modules`.
//!
//! `cargo bench -p rjax --bench workloads [NAME…]` runs both on the same inputs and prints a line for each: the median time of the Rust program
//! and of the imported one, and the largest difference of their results relative to the size of each result. A difference above
//! the tolerance ends the bench with an error.

use std::time::{Duration, Instant};

use rjax::lax::linalg::TriangularSolve;
use rjax::prelude::*;
use rjax::scipy;

/// The largest accepted difference. Sums of a million products in `f32` may differ by this much when added in another order.
const TOLERANCE: f64 = 1e-3;
const SECONDS: f64 = 0.5;

struct Workload {
    name: &'static str,
    module: &'static [u8],
    program: fn(&[Array]) -> Vec<Array>,
    /// For each input the ends of the interval that its elements are drawn from.
    ranges: &'static [(f64, f64)],
}

macro_rules! workloads {
    ($($program:ident $ranges:expr;)*) => {
        &[$(Workload {
            name: stringify!($program),
            module: include_bytes!(concat!("modules/", stringify!($program), ".mlirbc")),
            program: $program,
            ranges: &$ranges,
        }),*]
    };
}

/// A standard deviation of about 1.
const UNIT: (f64, f64) = (-1.7, 1.7);
const SMALL: (f64, f64) = (-0.06, 0.06);
const POSITIVE: (f64, f64) = (0.5, 1.5);

const WORKLOADS: &[Workload] = workloads! {
    mlp_grad [SMALL, SMALL, SMALL, SMALL, SMALL, SMALL, UNIT, UNIT];
    mlp_perex_grads [SMALL, SMALL, SMALL, SMALL, UNIT, UNIT];
    elementwise_chain [UNIT];
    softmax [UNIT];
    layernorm_grad [UNIT, UNIT, UNIT];
    attention_fwd [UNIT, UNIT, UNIT];
    lstm_grad [SMALL, SMALL, SMALL, UNIT];
    nbody [UNIT, UNIT, POSITIVE];
    black_scholes_greeks [(50.0, 150.0), (50.0, 150.0), (0.1, 2.0), (0.01, 0.05), (0.1, 0.5)];
    rk4_scan_grad [(0.9, 1.1), (0.9, 1.1), (0.9, 1.1), UNIT];
    logreg_newton [SMALL, UNIT, (0.0, 1.0)];
    gp_loglik_grad [SMALL, UNIT, UNIT];
    cumsum_4m [UNIT];
};

type Layers = Vec<(Array, Array)>;

fn predict(layers: &Layers, inputs: &Array) -> Array {
    let (mut inputs, mut outputs) = (inputs.clone(), inputs.clone());
    for (w, b) in layers {
        outputs = inputs.dot(w) + b;
        inputs = outputs.tanh();
    }
    outputs
}

fn network_loss(layers: &Layers, inputs: &Array, targets: &Array) -> Array {
    (predict(layers, inputs) - targets).square().sum(..)
}

fn layers(arrays: &[Array]) -> Layers {
    arrays.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

fn flat(layers: Layers) -> Vec<Array> {
    layers.into_iter().flat_map(|(w, b)| [w, b]).collect()
}

fn mlp_grad(x: &[Array]) -> Vec<Array> {
    flat(grad(network_loss)(&layers(&x[..6]), &x[6], &x[7]))
}

fn mlp_perex_grads(x: &[Array]) -> Vec<Array> {
    flat(vmap(grad(network_loss), axes![_, 0, 0])(&layers(&x[..4]), &x[4], &x[5]))
}

fn elementwise_chain(x: &[Array]) -> Vec<Array> {
    let x = &x[0];
    let y = x.sin() * x.cos() + (-(x * x)).exp();
    let y = y.tanh() * nn::sigmoid(x);
    vec![jnp::where_(y.gt(0.0), y.log1p(), y.abs().sqrt()) + y.powi(3)]
}

fn softmax(x: &[Array]) -> Vec<Array> {
    vec![nn::softmax(&x[0], -1)]
}

fn layernorm(x: &Array, gain: &Array, bias: &Array) -> Array {
    let mean = x.mean(keepdims(-1));
    let centred = x - mean;
    let variance = centred.square().mean(keepdims(-1));
    centred * (variance + 1e-5).rsqrt() * gain + bias
}

fn layernorm_grad(x: &[Array]) -> Vec<Array> {
    let loss = |x: &Array, gain: &Array, bias: &Array| layernorm(x, gain, bias).sin().sum(..);
    let (x, gain, bias) = grad_argnums(loss, (Arg::<0>, Arg::<1>, Arg::<2>))(&x[0], &x[1], &x[2]);
    vec![x, gain, bias]
}

fn attention_fwd(x: &[Array]) -> Vec<Array> {
    let [q, k, v] = x else { panic!("three inputs") };
    let [_, _, length, depth] = q.dims();
    let scores = jnp::einsum("bhqd,bhkd->bhqk", &[q, k]) * (depth as f64).powf(-0.5);
    let mask = jnp::tril(&jnp::ones([length, length], DType::Bool), 0);
    let weights = nn::softmax(&jnp::where_(mask, scores, f64::NEG_INFINITY), -1);
    vec![jnp::einsum("bhqk,bhkd->bhqd", &[&weights, v])]
}

fn lstm_grad(x: &[Array]) -> Vec<Array> {
    type Weights = (Array, Array, Array);
    let loss = |(input, recurrent, bias): &Weights, xs: &Array| {
        let cell = |(h, c): &(Array, Array), x: &Array| {
            let gates = jnp::split(&(x.dot(input) + h.dot(recurrent) + bias), 4, -1);
            let c = nn::sigmoid(&gates[1]) * c + nn::sigmoid(&gates[0]) * gates[2].tanh();
            let h = nn::sigmoid(&gates[3]) * c.tanh();
            ((h.clone(), c), h)
        };
        let zero = jnp::zeros([32, 256], DType::F32);
        let (_, hidden) = lax::scan(cell, (zero.clone(), zero), xs);
        hidden.square().mean(..)
    };
    let weights = (x[0].clone(), x[1].clone(), x[2].clone());
    let (input, recurrent, bias) = grad(loss)(&weights, &x[3]);
    vec![input, recurrent, bias]
}

fn nbody(x: &[Array]) -> Vec<Array> {
    let mass = &x[2];
    let acceleration = |x: &Array| {
        let d = x.expand_dims(0) - x.expand_dims(1);
        let square = (&d * &d).sum(-1) + 1e-3;
        (d * (mass.expand_dims(0) * square.pow(-1.5)).expand_dims(-1)).sum(1)
    };
    let step = |_: &Array, (x, v): &(Array, Array)| {
        let v = v + 0.005 * acceleration(x);
        let x = x + 0.01 * &v;
        let kick = 0.005 * acceleration(&x);
        (x, v + kick)
    };
    let (x, v) = lax::fori_loop(0, 10, step, (x[0].clone(), x[1].clone()));
    vec![x, v]
}

fn black_scholes(spot: &Array, strike: &Array, time: &Array, rate: &Array, sigma: &Array) -> Array {
    let root = sigma * time.sqrt();
    let d1 = ((spot / strike).log() + (rate + 0.5 * sigma * sigma) * time) / &root;
    let d2 = &d1 - root;
    let normal = |x: Array| 0.5 * (1.0 + (x * 0.5f64.sqrt()).erf());
    spot * normal(d1) - strike * (-rate * time).exp() * normal(d2)
}

fn black_scholes_greeks(x: &[Array]) -> Vec<Array> {
    let all = (Arg::<0>, Arg::<1>, Arg::<2>, Arg::<3>, Arg::<4>);
    let greeks = vmap(value_and_grad_argnums(black_scholes, all), axes![0, 0, 0, 0, 0]);
    let (price, (a, b, c, d, e)) = greeks(&x[0], &x[1], &x[2], &x[3], &x[4]);
    vec![price, a, b, c, d, e]
}

fn rk4_scan_grad(x: &[Array]) -> Vec<Array> {
    type Rates = (Array, Array, Array);
    const DT: f64 = 0.005;
    let slope = |(s, r, b): &Rates, y: &Array| {
        let (y0, y1, y2) = (&y.index(0), &y.index(1), &y.index(2));
        jnp::stack(&[&(s * (y1 - y0)), &(y0 * (r - y2) - y1), &(y0 * y1 - b * y2)], 0)
    };
    let solve = |y: &Array, rates: &Rates| {
        let step = |_: &Array, y: &Array| {
            let k1 = slope(rates, y);
            let k2 = slope(rates, &(y + DT / 2.0 * &k1));
            let k3 = slope(rates, &(y + DT / 2.0 * &k2));
            let k4 = slope(rates, &(y + DT * &k3));
            y + DT / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        };
        lax::fori_loop(0, 1000, step, y.clone())
    };
    let loss = |rates: &Rates, y: &Array| vmap(solve, axes![0, _])(y, rates).square().mean(..);
    let (s, r, b) = grad(loss)(&(x[0].clone(), x[1].clone(), x[2].clone()), &x[3]);
    vec![s, r, b]
}

fn logreg_newton(x: &[Array]) -> Vec<Array> {
    let loss = |w: &Array, x: &Array, y: &Array| {
        let z = x.dot(w);
        (jnp::logaddexp(0.0, &z) - y * &z).mean(..) + 1e-3 * w.dot(w)
    };
    let [w, x, y] = x else { panic!("three inputs") };
    vec![w - jnp::linalg::solve(&hessian(loss)(w, x, y), &grad(loss)(w, x, y))]
}

fn gp_loglik_grad(x: &[Array]) -> Vec<Array> {
    let loss = |t: &Array, x: &Array, y: &Array| {
        let square = (x.expand_dims(1) - x.expand_dims(0)).square().sum(-1);
        let noise = t.index(2).exp() * jnp::eye(y.len(), DType::F32);
        let kernel = t.index(0).exp() * (-0.5 * square / t.index(1).exp()).exp() + noise;
        let factor = jnp::linalg::cholesky(&kernel);
        let lower = TriangularSolve { lower: true, ..Default::default() };
        let a = scipy::linalg::solve_triangular(&factor, y, lower);
        0.5 * a.dot(&a) + jnp::diag(&factor, 0).log().sum(..)
    };
    vec![grad(loss)(&x[0], &x[1], &x[2])]
}

fn cumsum_4m(x: &[Array]) -> Vec<Array> {
    vec![x[0].cumsum(0)]
}

/// Runs a function over and over for a while: its first results and the median time in milliseconds.
fn timed(mut run: impl FnMut() -> Vec<Array>) -> (Vec<Array>, f64) {
    let results = run();
    let (begin, mut times) = (Instant::now(), vec![]);
    while times.len() < 3 || begin.elapsed() < Duration::from_secs_f64(SECONDS) {
        let start = Instant::now();
        for result in &run() {
            result.block_until_ready();
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    (results, median)
}

/// The largest difference of two lists of results, relative to the largest element of each expected one.
fn difference(found: &[Array], expected: &[Array]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let of_one = |(found, expected): (&Array, &Array)| {
        assert_eq!(found.aval(), expected.aval());
        let (found, expected) = (found.to_vec::<f32>(), expected.to_vec::<f32>());
        let largest = expected.iter().fold(f32::MIN_POSITIVE, |largest, y| largest.max(y.abs()));
        // `fold` with `max` would lose a NaN.
        let off = found.iter().zip(&expected).map(|(x, y)| f64::from((x - y).abs() / largest));
        off.fold(0.0, |worst: f64, off| if off <= worst { worst } else { off })
    };
    found.iter().zip(expected).map(of_one).fold(0.0, |worst, off| if off <= worst { worst } else { off })
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("{:24} {:>10} {:>12}  difference", "workload", "Rust ms", "imported ms");
    let mut disagree = vec![];
    for workload in WORKLOADS {
        if !wanted.is_empty() && !wanted.iter().any(|name| workload.name.contains(name)) {
            continue;
        }
        let model = rjax::import::stablehlo(workload.module).expect("the modules are StableHLO that rjax imports");
        let key = Key::new(0);
        let keys = random::split(&key, workload.ranges.len());
        let draw = |(i, (aval, &(low, high)))| {
            let aval: &rjax::Aval = aval;
            random::uniform(&keys.at(i), aval.shape.clone(), aval.dtype, low, high)
        };
        let inputs: Vec<Array> = model.inputs().iter().zip(workload.ranges).enumerate().map(draw).collect();
        let (program, imported) = (workload.program, jit(model.into_fun()));
        let ours = jit(move |inputs: &Vec<Array>| program(inputs));
        let (found, ours_ms) = timed(|| ours(&inputs));
        let (expected, imported_ms) = timed(|| imported(&inputs));
        let off = difference(&found, &expected);
        println!("{:24} {ours_ms:10.3} {imported_ms:12.3}  {off:.1e}", workload.name);
        // Not `>`, which a NaN would pass.
        if !matches!(off.partial_cmp(&TOLERANCE), Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)) {
            disagree.push(workload.name);
        }
    }
    assert!(disagree.is_empty(), "the Rust programs and the imported ones disagree: {disagree:?}");
}
