//! Functions of the gamma family that JAX writes out: digamma, and the regularised incomplete gamma functions as two loops.
//!
//! Loops of unknown length have no reverse derivative, and JAX does not differentiate these either but has a rule for the function. So
//! the whole expansion is recognised, by the names of its operations in order, and becomes the op it stands for.

use rjax_ir::{Atom, Binary, Eqn, Op, Program, Unary};

/// What `igamma` is written as, repetitions of constants left out.
const LOWER: &str = "\
    ne ne or eq eq eq lt lt and or or or ge gt and log mul sub lt neg sub select_n add div add add div \
    add add div add add div add add div add add div add add div add add div add add div log1p add div \
    add sub mul log add add abs floor sub lt sub select_n mul sin log sub sub is_finite neg select_n \
    select_n abs eq select_n sub log neg lt exp or or or not and sub add add add mul div neg mul sub div \
    while mul sub not and while mul div select_n select_n select_n select_n";

/// What `igammac` is written as.
const UPPER: &str = "\
    ne ne or eq eq eq lt lt and or or or lt lt or log mul sub lt neg sub select_n add div add add div \
    add add div add add div add add div add add div add add div add add div add add div log1p add div \
    add sub mul log add add abs floor sub lt sub select_n mul sin log sub sub is_finite neg select_n \
    select_n abs eq select_n sub log neg lt or or or not exp and while mul div not and sub add add add \
    mul div neg mul sub div while mul sub select_n or select_n select_n";

/// What `digamma` is written as. Differentiated as a whole its derivative is JAX's, and fewer steps.
const DIGAMMA: &str = "\
    lt neg sub select_n add mul div sub div add add mul div sub div add add mul div sub div add add mul div sub div add \
    add mul div sub div add add mul div sub div add add mul div sub div add add mul div sub div add add div log1p add div \
    div add sub add floor abs add mul cos sin mul div sub select_n le floor eq and select_n";

/// The values that the loops carry, in the order of the loops.
const LOWER_CARRIES: [usize; 2] = [15, 7];
const UPPER_CARRIES: [usize; 2] = [7, 15];

/// Replaces expansions by the ops; what only they need is left for dead code elimination.
pub(super) fn contract(mut program: Program) -> Program {
    // All but digamma have loops, and digamma takes one logarithm.
    let has_mark = |eqn: &Eqn| matches!(eqn.op, Op::While(_) | Op::Unary(Unary::Log1p));
    if !program.eqns.iter().any(has_mark) {
        return program;
    }
    let steps: Vec<usize> =
        (0..program.eqns.len()).filter(|&i| !matches!(program.eqns[i].op, Op::BroadcastInDim { .. })).collect();
    let names: Vec<&str> = steps.iter().map(|&i| program.eqns[i].op.name()).collect();
    let mut found = Vec::new();
    for (op, text, carries) in [(Binary::Igamma, LOWER, LOWER_CARRIES), (Binary::Igammac, UPPER, UPPER_CARRIES)] {
        let expansion: Vec<&str> = text.split(' ').collect();
        for (start, window) in names.windows(expansion.len()).enumerate() {
            if window != expansion {
                continue;
            }
            let eqns: Vec<&Eqn> = steps[start..start + expansion.len()].iter().map(|&i| &program.eqns[i]).collect();
            if let Some(operands) = operands(&eqns, carries) {
                found.push((steps[start + expansion.len() - 1], op, operands));
            }
        }
    }
    let expansion: Vec<&str> = DIGAMMA.split(' ').collect();
    let mut digammas = Vec::new();
    for (start, window) in names.windows(expansion.len()).enumerate() {
        // The first step asks whether the operand is less than one half, the last but three takes its floor.
        let [first, floor, last] = [0, expansion.len() - 4, expansion.len() - 1].map(|step| steps[start + step]);
        if window == expansion && program.eqns[first].inputs[0] == program.eqns[floor].inputs[0] {
            digammas.push((last, program.eqns[first].inputs[0]));
        }
    }
    for (last, x) in digammas {
        let eqn = &mut program.eqns[last];
        (eqn.op, eqn.inputs) = (Op::Unary(Unary::Digamma), vec![x]);
    }
    for (last, op, operands) in found {
        let eqn = &mut program.eqns[last];
        (eqn.op, eqn.inputs) = (Op::Binary(op), operands.to_vec());
    }
    program
}

/// The operands of an expansion: the first two steps ask each of them whether it is NaN.
fn operands(eqns: &[&Eqn], carries: [usize; 2]) -> Option<[Atom; 2]> {
    let loops: Vec<usize> =
        eqns.iter().filter(|eqn| matches!(eqn.op, Op::While(_))).map(|eqn| eqn.outputs.len()).collect();
    let compared = |eqn: &Eqn| (eqn.inputs[0] == eqn.inputs[1]).then_some(eqn.inputs[0]);
    let (a, x) = (compared(eqns[0])?, compared(eqns[1])?);
    (loops == carries && eqns.last()?.outputs.len() == 1).then_some([a, x])
}
