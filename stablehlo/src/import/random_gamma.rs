//! The derivative of gamma samples, which JAX leaves out of what it exports.
//!
//! `jax.random.gamma` is a function `_gamma` of the module that draws by rejection. Differentiating its loops would give the
//! derivative of one way of drawing; JAX differentiates the distribution, with the quantile held fixed, and so does the function here.

use std::sync::Arc;

use rjax_ir::{Atom, Binary, Builder, Compare, CustomJvp, Eqn, Op, Program, Scalar, Unary};

/// The space that samples are drawn in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Linear,
    Logarithmic,
}

/// A function of a module with the derivative that JAX gives it, if it is JAX's sampler of gamma variates: `_gamma` takes words
/// of a key and one array of parameters, and returns an array of samples drawn in a loop inside a loop.
pub(super) fn with_derivative(name: &str, program: Program) -> Program {
    match space(name, &program) {
        Some(space) => attach(program, space),
        None => program,
    }
}

fn space(name: &str, program: &Program) -> Option<Space> {
    let number = name.strip_prefix("_gamma")?;
    let is_copy = number.strip_prefix('_').is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit()));
    let inputs = program.in_avals();
    let parameters: Vec<_> = inputs.iter().filter(|aval| aval.dtype.is_inexact()).collect();
    let outputs = program.out_avals();
    let ([parameter], [samples]) = (&parameters[..], &outputs[..]) else { return None };
    let fits = parameter.shape == samples.shape && parameter.dtype.is_float() && samples.dtype.is_float();
    if !(number.is_empty() || is_copy) || !fits || !loops_in_loop(program) {
        return None;
    }
    // The last step scales the sample, or, of logarithms, adds to it.
    let mut atom = program.outvars[0];
    loop {
        let eqn = producer(program, atom)?;
        if matches!(eqn.op, Op::Reshape { .. } | Op::Convert { .. }) {
            atom = eqn.inputs[0];
        } else if eqn.op == Op::Binary(Binary::Mul) {
            return Some(Space::Linear);
        } else if eqn.op == Op::Binary(Binary::Add) {
            return Some(Space::Logarithmic);
        } else {
            return None;
        }
    }
}

fn producer(program: &Program, atom: Atom) -> Option<&Eqn> {
    let v = atom.var()?;
    program.eqns.iter().find(|eqn| eqn.outputs.contains(&v))
}

fn loops_in_loop(program: &Program) -> bool {
    let has_loop = |program: &Program| program.eqns.iter().any(|eqn| matches!(eqn.op, Op::While(_)));
    program.eqns.iter().any(|eqn| matches!(&eqn.op, Op::While(outer) if has_loop(&outer.body)))
}

fn attach(program: Program, space: Space) -> Program {
    let (avals, call) = (program.in_avals(), Arc::new(program));
    let mut b = Builder::new();
    let inputs: Vec<Atom> = avals.iter().map(|aval| b.input(aval.clone())).collect();
    let position = avals.iter().position(|aval| aval.dtype.is_inexact()).expect("there is one parameter");
    let tangent = b.input(avals[position].clone());
    let drawn = b.emit1(Op::Call { name: "_gamma".into(), program: call.clone() }, &inputs);
    let dtype = b.dtype(drawn);
    let (a, tangent) = (b.convert(inputs[position], dtype), b.convert(tangent, dtype));
    let derivative = match space {
        Space::Linear => derivative(&mut b, a, drawn),
        Space::Logarithmic => {
            // d log(x) = dx / x, with the least positive number for samples that underflow.
            let x = b.unary(Unary::Exp, drawn);
            let zero = b.compare(Compare::Eq, x, Scalar::zero(dtype).into());
            let shape = b.shape(x);
            let tiny = b.full(&shape, Scalar::from_bits(dtype, [1, 0]));
            let x = b.select(zero, tiny, x);
            let slope = derivative(&mut b, a, x);
            b.div(slope, x)
        }
    };
    let tangent = b.mul(tangent, derivative);
    let jvp = Arc::new(b.finish(vec![drawn, tangent]));

    let mut b = Builder::new();
    let inputs: Vec<Atom> = avals.into_iter().map(|aval| b.input(aval)).collect();
    let outputs = b.emit(Op::CustomJvp(CustomJvp { call, jvp, num_consts: 0 }), &inputs);
    b.finish(outputs)
}

/// The derivative of a sample x in the parameter a. With the quantile u = P(a, x) held fixed, 0 = dP/da + dP/dx dx/da, and dP/dx is
/// the density `x^(a-1) exp(-x) / gamma(a)`.
fn derivative(b: &mut Builder, a: Atom, x: Atom) -> Atom {
    let power = b.add_scalar(a, -1.0);
    let log = b.unary(Unary::Log, x);
    let log = b.mul(power, log);
    let log = b.sub(log, x);
    let normaliser = b.unary(Unary::Lgamma, a);
    let log = b.sub(log, normaliser);
    let density = b.unary(Unary::Exp, log);
    let slope = b.binary(Binary::IgammaGradA, a, x);
    let slope = b.neg(slope);
    b.div(slope, density)
}
