//! Programs of many equations are transformed in time that grows with their length, without deep recursion.

use std::time::{Duration, Instant};

use rjax_autodiff::{grad, jvp, linearize};
use rjax_ir::{Aval, Builder, DType, Program, Tensor, Unary, eval};

/// x becomes sin(x) * x + x, again and again.
fn chain(length: usize) -> Program {
    let mut b = Builder::new();
    let x = b.input(Aval::scalar(DType::F64));
    let mut y = x;
    for _ in 0..length / 3 {
        let sine = b.unary(Unary::Sin, y);
        let product = b.mul(sine, x);
        y = b.add(product, x);
    }
    b.finish(vec![y])
}

#[test]
fn twenty_thousand_equations() {
    let program = chain(20_000);
    let started = Instant::now();
    let gradient = grad(&program, None).unwrap();
    jvp(&program).unwrap();
    linearize(&program, &[true]).unwrap();
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
    assert!(gradient.eqns.len() < 8 * program.eqns.len(), "{} equations", gradient.eqns.len());
    assert!(eval(&gradient, &[Tensor::scalar(0.1f64)]).unwrap()[0].get(0).to_f64().is_finite());
}

#[test]
fn second_order_stays_linear_in_size() {
    let sizes = [600, 1200].map(|length| grad(&grad(&chain(length), None).unwrap(), None).unwrap().eqns.len());
    assert!(sizes[1] < 3 * sizes[0], "{sizes:?}");
}
