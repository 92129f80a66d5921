//! Planning takes time and stack that grow about linearly with the program.

use std::time::{Duration, Instant};

use rjax_ir::{Atom, Aval, Builder, DType, Program, Unary};
use rjax_kernel::{Options, plan};

/// Far more than it takes (some tenths of a second without optimisation), far less than anything quadratic would.
const LIMIT: Duration = Duration::from_secs(8);

fn timed(name: &str, program: &Program) {
    let start = Instant::now();
    let module = plan(program, &Options::default()).unwrap();
    let elapsed = start.elapsed();
    println!("{name}: {} equations, {} kernels, {elapsed:?}", program.eqns.len(), module.kernels.len());
    assert!(elapsed < LIMIT, "{name} took {elapsed:?}");
}

fn with_input(aval: Aval, write: impl FnOnce(&mut Builder, Atom) -> Vec<Atom>) -> Program {
    let mut b = Builder::new();
    let x = b.input(aval);
    let outputs = write(&mut b, x);
    b.finish(outputs)
}

#[test]
fn twenty_thousand_equations() {
    for shape in [vec![], vec![64]] {
        let aval = Aval::new(DType::F32, shape);
        timed(
            "chain",
            &with_input(aval.clone(), |b, x| {
                vec![(0..20_000).fold(x, |y, i| if i % 3 == 0 { b.unary(Unary::Sin, y) } else { b.add(y, x) })]
            }),
        );
        timed(
            "fan out",
            &with_input(aval.clone(), |b, x| {
                let y = b.unary(Unary::Sin, x);
                (0..10_000).map(|_| b.mul(y, x)).collect()
            }),
        );
        timed(
            "diamonds",
            &with_input(aval, |b, x| {
                vec![(0..10_000).fold(x, |y, _| {
                    let z = b.unary(Unary::Tanh, y);
                    b.add(z, y)
                })]
            }),
        );
    }
    timed(
        "layers",
        &with_input(Aval::new(DType::F32, [8, 8]), |b, x| {
            vec![(0..5_000).fold(x, |y, _| {
                let z = b.dot_general(y, x, (&[1], &[0]), (&[], &[]), DType::F32);
                let total = b.reduce_sum(z, &[1]);
                let total = b.broadcast_axis(total, 1, 8);
                let z = b.sub(z, total);
                b.unary(Unary::Tanh, z)
            })]
        }),
    );
}
