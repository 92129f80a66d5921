//! Forward mode for reductions with a combining program: the combiner is differentiated, and values and tangents are
//! reduced together. There is no reverse mode: the combined combiner is not linear.

use std::sync::Arc;

use rjax_ir::{Atom, Builder, Op, Program, Result};

use crate::jvp::{Dual, Forward, Tangent, instantiate};

pub(crate) fn jvp(f: &mut Forward, op: &Op, body: &Arc<Program>, x: &[Atom], t: &[Tangent]) -> Result<Dual> {
    let n = x.len() / 2;
    let mut active: Vec<bool> = (0..n).map(|i| t[i].is_some() || t[n + i].is_some()).collect();
    // A tangent may spread from one accumulator to another.
    let derivative = loop {
        let (derivative, out) = f.inner(body, &[&active[..], &active].concat(), &active)?;
        if out == active {
            break derivative;
        }
        active = out;
    };
    // The combiner's inputs as reduce wants them: accumulators with tangents, then values with tangents.
    let actives: Vec<usize> = (0..n).filter(|&i| active[i]).collect();
    let mut b = Builder::new();
    let avals = body.in_avals();
    let half = |b: &mut Builder, avals: &[rjax_ir::Aval]| {
        let values: Vec<Atom> = avals.iter().map(|a| b.input(a.clone())).collect();
        let tangents: Vec<Atom> = actives.iter().map(|&i| b.input(avals[i].clone())).collect();
        (values, tangents)
    };
    let (accumulators, accumulator_tangents) = half(&mut b, &avals[..n]);
    let (values, value_tangents) = half(&mut b, &avals[n..]);
    let outputs = b.inline(&derivative, &[accumulators, values, accumulator_tangents, value_tangents].concat());
    let combiner = Arc::new(b.finish(outputs));

    let mut operands = Vec::new();
    for part in [0..n, n..2 * n] {
        operands.extend_from_slice(&x[part.clone()]);
        for &i in &actives {
            let i = part.start + i;
            let aval = f.b.aval(x[i]);
            operands.push(instantiate(&mut f.b, t[i], &aval));
        }
    }
    // The values are also reduced alone, so that they do not depend on the tangents.
    let y = f.b.emit(op.clone(), x);
    let mut tangents = f.b.emit(op.map_subprograms(|_| combiner.clone()), &operands).into_iter().skip(n);
    Ok((y, active.iter().map(|&active| if active { tangents.next() } else { None }).collect()))
}
