//! The value of a traced array, where it can be known: what makes a native `if` differentiable.
//!
//! A variable is computed on demand from the recorded equations it depends on, down to inputs that stand for arrays whose
//! values are known. What was computed is kept until the trace ends, so a loop that looks at its state in each step costs each
//! step once. An input without a source (under `jit`, in a batch, in the body of a loop) has no value, and the error names it.

use rjax_ir::{Atom, Error, ErrorKind, Op, Result, Var};

use super::frame::{Frame, Origin};
use super::{STACK, escaped};
use crate::array::{Array, Node};
use crate::device::{self, Value};

/// The value of an array that may be traced; `function` is what the user called to get it.
pub(crate) fn value_of(array: &Array, function: &str) -> Result<Value> {
    STACK.with_borrow_mut(|stack| value_in(stack, array, function))
}

fn value_in(stack: &mut [Frame], array: &Array, function: &str) -> Result<Value> {
    let tracer = match array.node() {
        Node::Literal(_) | Node::Constant { .. } | Node::Concrete(_) | Node::Spec(_) => return array.value(function),
        Node::Traced(tracer) => tracer,
    };
    match stack.iter().position(|frame| frame.id == tracer.trace) {
        Some(depth) => evaluate(&mut stack[..=depth], tracer.var, array, function),
        None => Err(escaped(tracer)),
    }
}

/// Computes a variable of the last frame. A list of what is still to do stands in for recursion: programs are long.
fn evaluate(stack: &mut [Frame], var: Var, asked: &Array, function: &str) -> Result<Value> {
    let (frame, outer) = stack.split_last_mut().expect("the tracer's own frame is last");
    let mut pending = vec![var];
    while let Some(&next) = pending.last() {
        if frame.values.contains_key(&next) {
            pending.pop();
            continue;
        }
        match frame.origins[next.index()] {
            Origin::Input(input) => {
                let Some(source) = &frame.sources[input] else { return Err(unknown(frame, asked, function)) };
                let value = value_in(outer, source, function)?;
                frame.values.insert(next, value);
            }
            Origin::Equation(index) => {
                let eqn = &frame.builder.program().eqns[index];
                let depth = pending.len();
                pending.extend(eqn.inputs.iter().filter_map(|x| x.var()).filter(|v| !frame.values.contains_key(v)));
                if pending.len() > depth {
                    continue;
                }
                if communicates(&eqn.op) {
                    return Err(unknown(frame, asked, function));
                }
                let inputs: Vec<Value> = eqn
                    .inputs
                    .iter()
                    .map(|x| match x {
                        Atom::Var(v) => frame.values[v].clone(),
                        Atom::Lit(value) => device::scalar(*value),
                    })
                    .collect();
                let outputs = device::run_op(&eqn.op, &inputs).map_err(|e| e.at(&eqn.location))?;
                frame.values.extend(eqn.outputs.iter().copied().zip(outputs));
            }
        }
    }
    Ok(frame.values[&var].clone())
}

/// Whether the op's value depends on the other elements of a batch.
fn communicates(op: &Op) -> bool {
    matches!(op, Op::Collective(_))
        || op.subprograms().iter().any(|program| program.eqns.iter().any(|eqn| communicates(&eqn.op)))
}

fn unknown(frame: &Frame, asked: &Array, function: &str) -> Error {
    let instead = if frame.scope.transform == "vmap" {
        "each element of the batch has its own: use select or cond"
    } else {
        "use cond, switch or select to branch and while_loop, fori_loop or scan to loop, or make it a static argument"
    };
    Error::new(
        ErrorKind::Concretization,
        format!(
            "{function}: a traced array of type {} has no value yet: `{}` is being traced under {}; {instead}",
            asked.aval(),
            frame.scope.function,
            frame.scope.transform,
        ),
    )
}
