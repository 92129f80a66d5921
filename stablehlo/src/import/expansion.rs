//! Functions that JAX writes out: `lgamma`, `digamma`, `erf_inv`, and the regularised incomplete gamma functions as two loops.
//!
//! Loops of unknown length have no reverse derivative, and what stands in branches that were not taken makes the cotangent NaN.
//! JAX does not differentiate these expansions but has a rule for the function. So the whole is recognised, by the names of its
//! operations in order, and becomes the op it stands for.

use rjax_ir::{Atom, Binary, DType, Eqn, Op, Program, Unary};

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

/// A function of one operand: the op, what it is written as, and how far from the end the step stands whose first operand is,
/// like that of the first step, the operand of the function.
const UNARY: [(Unary, &str, usize); 4] = [
    (
        Unary::Digamma,
        "lt neg sub select_n add mul div sub div add add mul div sub div add add mul div sub div add add mul div sub div add \
         add mul div sub div add add mul div sub div add add mul div sub div add add mul div sub div add add div log1p add div \
         div add sub add floor abs add mul cos sin mul div sub select_n le floor eq and select_n",
        4,
    ),
    (
        Unary::Lgamma,
        "lt neg sub select_n add div add add div add add div add add div add add div add add div add add div add add div add \
         add div log1p add div add sub mul log add add abs floor sub lt sub select_n mul sin log sub sub is_finite neg select_n \
         select_n abs eq select_n",
        3,
    ),
    // Of 32 bits, and of 64 bits with two more polynomials.
    (
        Unary::ErfInv,
        "neg mul log1p neg lt sub sqrt sub select_n select_n select_n mul add select_n mul add select_n mul add select_n mul \
         add select_n mul add select_n mul add select_n mul add select_n mul add mul abs eq mul select_n",
        4,
    ),
    (
        Unary::ErfInv,
        "neg mul log1p neg lt lt sqrt sub select_n sub select_n select_n select_n select_n select_n mul add select_n select_n \
         mul add select_n select_n mul add select_n select_n mul add select_n select_n mul add select_n select_n mul add \
         select_n select_n mul add select_n select_n mul add select_n select_n mul add select_n select_n mul add select_n \
         select_n mul add select_n select_n mul add select_n select_n mul add select_n select_n mul add select_n select_n mul \
         add select_n select_n mul add select_n mul add select_n select_n mul add select_n mul add select_n mul add select_n \
         mul add select_n mul add select_n mul abs eq mul select_n",
        4,
    ),
];

/// The values that the loops carry, in the order of the loops.
const LOWER_CARRIES: [usize; 2] = [15, 7];
const UPPER_CARRIES: [usize; 2] = [7, 15];

/// Replaces expansions by the ops; what only they need is left for dead code elimination.
pub(super) fn contract(mut program: Program) -> Program {
    // Each of them takes a logarithm.
    let has_mark = |eqn: &Eqn| matches!(eqn.op, Op::Unary(Unary::Log1p));
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
            let last = steps[start + expansion.len() - 1];
            if let Some(operands) = operands(&eqns, carries)
                && operands.iter().all(|&x| is_of(&program, last, x))
            {
                found.push((last, op, operands));
            }
        }
    }
    let mut functions = Vec::new();
    for (op, text, from_end) in UNARY {
        let expansion: Vec<&str> = text.split(' ').collect();
        for (start, window) in names.windows(expansion.len()).enumerate() {
            let [first, check, last] =
                [0, expansion.len() - from_end, expansion.len() - 1].map(|step| steps[start + step]);
            if window != expansion {
                continue;
            }
            let x = program.eqns[first].inputs[0];
            if x == program.eqns[check].inputs[0] && is_of(&program, last, x) {
                functions.push((last, op, x));
            }
        }
    }
    for (last, op, x) in functions {
        let eqn = &mut program.eqns[last];
        (eqn.op, eqn.inputs) = (Op::Unary(op), vec![x]);
    }
    for (last, op, operands) in found {
        let eqn = &mut program.eqns[last];
        (eqn.op, eqn.inputs) = (Op::Binary(op), operands.to_vec());
    }
    narrow(&mut program);
    program
}

/// Whether the result of an equation has the type of a value.
fn is_of(program: &Program, eqn: usize, x: Atom) -> bool {
    program.eqns[eqn].outputs.iter().all(|&v| program.avals[v.index()] == program.aval(x))
}

/// Half-precision operands are converted to f32 around an expansion. Their derivative is rounded, and overflows, in half
/// precision where the function is one of half precision.
fn narrow(program: &mut Program) {
    let mut producers: Vec<Option<usize>> = vec![None; program.avals.len()];
    for (i, eqn) in program.eqns.iter().enumerate() {
        eqn.outputs.iter().for_each(|v| producers[v.index()] = Some(i));
    }
    let producer = |atom: Atom| atom.var().and_then(|v| producers[v.index()]);
    let mut narrowed = Vec::new();
    for (i, eqn) in program.eqns.iter().enumerate() {
        let Op::Convert { dtype: DType::F16 | DType::BF16 } = eqn.op else { continue };
        let Some(function) = producer(eqn.inputs[0]).map(|at| &program.eqns[at]) else { continue };
        let Op::Unary(op @ (Unary::Digamma | Unary::Lgamma | Unary::ErfInv)) = function.op else { continue };
        let Some(widening) = producer(function.inputs[0]).map(|at| &program.eqns[at]) else { continue };
        let Op::Convert { .. } = widening.op else { continue };
        if program.aval(widening.inputs[0]) == program.avals[eqn.outputs[0].index()] {
            narrowed.push((i, op, widening.inputs[0]));
        }
    }
    for (i, op, x) in narrowed {
        let eqn = &mut program.eqns[i];
        (eqn.op, eqn.inputs) = (Op::Unary(op), vec![x]);
    }
}

/// The operands of an expansion: the first two steps ask each of them whether it is NaN.
fn operands(eqns: &[&Eqn], carries: [usize; 2]) -> Option<[Atom; 2]> {
    let loops: Vec<usize> =
        eqns.iter().filter(|eqn| matches!(eqn.op, Op::While(_))).map(|eqn| eqn.outputs.len()).collect();
    let compared = |eqn: &Eqn| (eqn.inputs[0] == eqn.inputs[1]).then_some(eqn.inputs[0]);
    let (a, x) = (compared(eqns[0])?, compared(eqns[1])?);
    (loops == carries && eqns.last()?.outputs.len() == 1).then_some([a, x])
}
