//! Fits the parameters of a differential equation to a trajectory, by gradients through a compiled integrator.
//!
//! Hares and lynxes after Lotka and Volterra: x' = a x - b x y, y' = -c y + d x y. The integrator is the classical Runge-Kutta method in
//! a `scan`; its gradient is a scan backwards, in native code as well.

use rjax::prelude::*;

/// The number of steps and their length in time.
const STEPS: usize = 200;
const DT: f64 = 0.1;

/// The rates a, b, c, d and the populations x, y.
fn slope(rates: &Array, state: &Array) -> Array {
    let rate = |i: i64| rates.index(i);
    let (x, y) = (state.index(0), state.index(1));
    let meetings = &x * &y;
    jnp::stack(&[&(rate(0) * &x - rate(1) * &meetings), &(rate(3) * &meetings - rate(2) * &y)], 0)
}

/// One step of the Runge-Kutta method of order 4.
fn step(rates: &Array, state: &Array) -> Array {
    let k1 = slope(rates, state);
    let k2 = slope(rates, &(state + 0.5 * DT * &k1));
    let k3 = slope(rates, &(state + 0.5 * DT * &k2));
    let k4 = slope(rates, &(state + DT * &k3));
    state + DT / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
}

/// The populations after every step, `f64[STEPS, 2]`.
fn trajectory(rates: &Array, start: &Array) -> Array {
    let times = jnp::arange(STEPS);
    let (_, states) = lax::scan(
        |state: &Array, _: &Array| {
            let next = step(rates, state);
            (next.clone(), next)
        },
        start.clone(),
        &times,
    );
    states
}

/// The mean square of the difference of logarithms: rates and populations are positive, and of any size.
fn loss(log_rates: &Array, start: &Array, observed: &Array) -> Array {
    (trajectory(&log_rates.exp(), start).log() - observed.log()).square().mean(..)
}

fn main() {
    let start = Array::from_vec([2], vec![3.0f64, 1.5]);
    let truth = Array::from_vec([4], vec![0.8f64, 0.4, 0.6, 0.2]);
    let noise = random::normal(&Key::new(2), [STEPS, 2], DType::F64);
    let observed = trajectory(&truth, &start) * (0.02 * noise).exp();

    let gradient = jit(value_and_grad(loss));
    // Gradient descent with the adaptive step lengths of RMSprop, from rates that are off by up to a half.
    let mut log_rates = Array::from_vec([4], vec![1.0f64, 0.5, 0.5, 0.25]).log();
    let mut square = jnp::zeros([4], DType::F64);
    for epoch in 0..=1500 {
        let (value, g) = gradient(&log_rates, &start, &observed);
        if epoch % 300 == 0 {
            println!(
                "after {epoch:4} steps: loss {:.6}, rates {:.3?}",
                value.item::<f64>(),
                log_rates.exp().to_vec::<f64>()
            );
        }
        square = 0.95 * square + 0.05 * g.square();
        let rate = 0.01 * (1.0 - epoch as f64 / 1500.0);
        log_rates = log_rates - rate * g / (square.sqrt() + 1e-8);
    }
    let error = (log_rates.exp() / truth - 1.0).abs().max(..).item::<f64>();
    println!("the rates are found to {:.1} %", 100.0 * error);
}
