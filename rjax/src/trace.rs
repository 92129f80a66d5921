//! Tracing: recording what a Rust function does to arrays as a [`Program`].
//!
//! Each thread has a stack of traces. While it is empty, ops run at once. Otherwise the innermost trace records them; a
//! concrete array or a variable of an outer trace that it meets becomes an extra input, a *capture*. When the function has
//! returned, its program is transformed and then run, or inlined into the next outer trace: see [`bind`].
//!
//! Inputs of a trace may have a *source*: the array they stand for. Then values can be known while tracing, see [`value_of`].

mod axes;
mod frame;
mod value;

use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;

use rjax_ir::{Atom, Aval, Error, ErrorKind, Op, Program, Result, Var};

use crate::array::{Array, Node, valueless};
use crate::device;
use crate::error::{check, fail, user_location};
use frame::Frame;

pub(crate) use axes::{axis_size, bound_axes, with_axis};
pub(crate) use value::value_of;

/// A variable of a trace.
#[derive(Clone, Debug)]
pub(crate) struct Tracer {
    pub trace: u64,
    pub var: Var,
    pub aval: Aval,
    pub weak: bool,
    /// The user's line that made it.
    pub made_at: &'static Location<'static>,
    pub scope: Scope,
}

/// What is being traced, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The transformation: `jit`, `grad`, `the body of scan`.
    pub transform: &'static str,
    /// The user's function.
    pub function: Arc<str>,
}

impl Scope {
    pub fn new(transform: &'static str, function: &Arc<str>) -> Scope {
        Scope { transform, function: function.clone() }
    }
}

/// An input of a function to be traced.
pub(crate) struct Input {
    pub aval: Aval,
    pub weak: bool,
    /// The array it stands for, where its value may be looked at while tracing.
    pub source: Option<Array>,
}

impl Input {
    /// An input whose value cannot be looked at.
    pub fn unknown(array: &Array) -> Input {
        Input { aval: array.aval(), weak: array.is_weak(), source: None }
    }

    /// An input whose value may be looked at.
    pub fn known(array: &Array) -> Input {
        Input { aval: array.aval(), weak: array.is_weak(), source: Some(array.clone()) }
    }
}

/// A function that was traced. The program's inputs are the function's, then the captures.
#[derive(Clone)]
pub(crate) struct Traced {
    pub program: Program,
    /// Concrete arrays and variables of outer traces that the function used.
    pub captures: Vec<Array>,
    /// For each output whether it is weakly typed.
    pub weak: Vec<bool>,
}

thread_local! {
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Whether a trace is recording on this thread.
pub(crate) fn is_tracing() -> bool {
    STACK.with_borrow(|stack| !stack.is_empty())
}

/// Traces `f`, which gets the inputs as arrays and returns its outputs and something to hand on.
#[track_caller]
pub(crate) fn trace<T>(scope: Scope, inputs: Vec<Input>, f: impl FnOnce(&[Array]) -> (Vec<Array>, T)) -> (Traced, T) {
    /// Takes the trace off the stack, also when the function panics.
    struct Depth(usize);
    impl Drop for Depth {
        fn drop(&mut self) {
            // Dropped outside the borrow: captured arrays may own anything.
            let ended: Vec<Frame> = STACK.with_borrow_mut(|stack| stack.drain(self.0.min(stack.len())..).collect());
            drop(ended);
        }
    }

    let made_at = user_location(Location::caller());
    let depth = Depth(STACK.with_borrow(Vec::len));
    let (frame, arguments) = Frame::new(scope, inputs, made_at);
    STACK.with_borrow_mut(|stack| stack.push(frame));
    let (outputs, extra) = f(&arguments);
    let weak = outputs.iter().map(Array::is_weak).collect();
    let ended = STACK.with_borrow_mut(|stack| {
        let atoms: Result<Vec<Atom>> = outputs.iter().map(|x| atom(stack, x)).collect();
        atoms.map(|atoms| (stack.pop().expect("pushed above"), atoms))
    });
    let (frame, atoms) = check(ended);
    drop(depth);
    let (program, captures) = frame.finish(atoms);
    (Traced { program, captures, weak }, extra)
}

/// The operand that stands for an array in the innermost trace.
fn atom(stack: &mut [Frame], array: &Array) -> Result<Atom> {
    let (frame, outer) = stack.split_last_mut().expect("called while tracing");
    match array.node() {
        Node::Literal(value) => Ok(value.scalar().into()),
        Node::Constant { value, .. } => Ok((*value).into()),
        Node::Concrete(_) => Ok(frame.capture(array)),
        Node::Traced(tracer) if tracer.trace == frame.id => Ok(tracer.var.into()),
        Node::Traced(tracer) if outer.iter().any(|f| f.id == tracer.trace) => Ok(frame.capture(array)),
        Node::Traced(tracer) => Err(escaped(tracer)),
        Node::Spec(aval) => Err(valueless(aval, "trace")),
    }
}

/// Whether the array can be used now: it is no variable of a trace that has ended.
pub(crate) fn is_alive(array: &Array) -> bool {
    match array.node() {
        Node::Traced(tracer) => STACK.with_borrow(|stack| stack.iter().any(|f| f.id == tracer.trace)),
        Node::Literal(_) | Node::Constant { .. } | Node::Spec(_) => true,
        Node::Concrete(_) => !array.is_deleted(),
    }
}

fn escaped(tracer: &Tracer) -> Error {
    Error::new(
        ErrorKind::EscapedTracer,
        format!(
            "a traced value of type {} was used after its trace had ended, or on another thread: it was made at {}:{}:{} \
             while tracing `{}` under {}; return it from the function instead of storing it elsewhere",
            tracer.aval,
            tracer.made_at.file(),
            tracer.made_at.line(),
            tracer.made_at.column(),
            tracer.scope.function,
            tracer.scope.transform,
        ),
    )
}

/// Applies an op: records it if a trace is active, runs it otherwise. The results are weak if all operands are.
#[track_caller]
pub(crate) fn emit(op: Op, inputs: &[&Array]) -> Vec<Array> {
    let weak = !inputs.is_empty() && inputs.iter().all(|x| x.is_weak());
    check(try_emit(op, inputs, weak, user_location(Location::caller())))
}

/// Applies an op with one result.
#[track_caller]
pub(crate) fn emit1(op: Op, inputs: &[&Array]) -> Array {
    emit(op, inputs).pop().expect("an op with one result")
}

fn try_emit(op: Op, inputs: &[&Array], weak: bool, at: &'static Location<'static>) -> Result<Vec<Array>> {
    if !is_tracing() {
        let location = rjax_ir::Location::Rust(at);
        let values: Vec<_> =
            inputs.iter().map(|x| x.value(op.name())).collect::<Result<_>>().map_err(|e| e.at(&location))?;
        let outputs = device::run_op(&op, &values).map_err(|e| e.at(&location))?;
        return Ok(outputs.into_iter().map(|value| Array::concrete(value, weak)).collect());
    }
    STACK.with_borrow_mut(|stack| {
        let atoms: Vec<Atom> = inputs.iter().map(|x| atom(stack, x)).collect::<Result<_>>()?;
        let frame = stack.last_mut().expect("a trace is active");
        let outputs = frame.emit(op, &atoms, at)?;
        Ok(outputs.into_iter().map(|x| frame.array(x, weak, at)).collect())
    })
}

/// Applies a program: inlines it if a trace is active, runs it otherwise.
#[track_caller]
pub(crate) fn bind(program: &Program, inputs: &[Array], weak: &[bool]) -> Vec<Array> {
    let at = user_location(Location::caller());
    if !is_tracing() {
        let values: Vec<_> = inputs.iter().map(|x| check(x.value("the call"))).collect();
        let outputs = check(device::run(program, &values));
        return outputs.into_iter().zip(weak).map(|(value, &weak)| Array::concrete(value, weak)).collect();
    }
    let outputs = STACK.with_borrow_mut(|stack| {
        let atoms: Vec<Atom> = inputs.iter().map(|x| atom(stack, x)).collect::<Result<_>>()?;
        let frame = stack.last_mut().expect("a trace is active");
        let outputs = frame.inline(program, &atoms);
        Ok(outputs.into_iter().zip(weak).map(|(x, &weak)| frame.array(x, weak, at)).collect())
    });
    match outputs {
        Ok(outputs) => outputs,
        Err(error) => fail(error),
    }
}
