//! The array: a cheap handle to a value, or to a variable of a trace.
//!
//! One type stands for both, so the same Rust function runs on values and can be traced. Cloning copies a pointer. An
//! array has a dtype, a shape and a *weak* flag: Rust numbers and what is computed from nothing but them are weakly typed and
//! adapt to the arrays they meet.
//!
//! ```
//! use rjax::prelude::*;
//! let x = Array::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0]);
//! let y = (&x * 2.0 + 1).sum(0);
//! assert_eq!(y.to_vec::<f32>(), [10.0, 14.0]);
//! assert_eq!(y.dtype(), DType::F32);
//! ```

mod at;
mod display;
mod index;
mod literal;
mod methods;
mod operators;
mod promote;
mod reductions;

use std::sync::{Arc, Mutex, MutexGuard};

use rjax_ir::{Aval, DType, Element, ErrorKind, Scalar, Shape, Tensor};
use rjax_runtime::Buffer;

pub use at::At;
pub use index::{Ellipsis, Indexer, IntoIndexer, NewAxis, Span};
pub use literal::{Literal, Operand};
pub use methods::IntoShape;
pub(crate) use operators::{binary, divide};
pub(crate) use promote::{
    Kind, broadcast_shapes, promote, promote_all, promote_dtypes, promote_inexact, promote_inexact_dtypes, result_type,
};
pub use reductions::{Axes, KeepDims, keepdims};

use crate::device::{self, Device, Value};
use crate::error::{check, fail_with};
use crate::trace::{self, Tracer};

/// An array: a value on a device, or a variable of the function being traced. See the [module](self).
#[derive(Clone)]
pub struct Array(Arc<Node>);

#[derive(Debug)]
pub(crate) enum Node {
    /// A Rust number: weakly typed, rank 0, written into programs as it stands.
    Literal(Literal),
    /// A rank-0 constant with a settled dtype, written into programs as it stands.
    Constant {
        /// The value.
        value: Scalar,
        /// Whether its dtype gives way.
        weak: bool,
    },
    /// A value.
    Concrete(Concrete),
    /// A variable of a trace.
    Traced(Tracer),
    /// A type without a value.
    Spec(Aval),
}

#[derive(Debug)]
pub(crate) struct Concrete {
    pub aval: Aval,
    pub weak: bool,
    /// Where the value is.
    device: Device,
    /// `None` after the array was donated.
    buffer: Mutex<Option<Value>>,
}

impl Concrete {
    fn lock(&self) -> MutexGuard<'_, Option<Value>> {
        self.buffer.lock().expect("no code that can panic runs under this lock")
    }
}

impl Array {
    /// An array from its elements, row-major, with exactly the dtype of `T`.
    #[track_caller]
    pub fn from_vec<T: Element>(shape: impl Into<Shape>, values: Vec<T>) -> Array {
        let shape = shape.into();
        if shape.size() != values.len() {
            fail_with(
                ErrorKind::Shape,
                format!("from_vec: shape {shape} needs {} values, found {}", shape.size(), values.len()),
            )
        }
        Array::from_tensor(Tensor::from_vec(shape, values))
    }

    /// An array of rank 1 from a slice, with exactly the dtype of `T`.
    pub fn from_slice<T: Element>(values: &[T]) -> Array {
        Array::from_tensor(Tensor::from_vec([values.len()], values.to_vec()))
    }

    /// A rank-0 array with exactly the dtype of `T`; unlike a plain Rust number it is not weakly typed.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array::from_tensor(Tensor::scalar(value))
    }

    /// A type without a value, for tracing and compiling ahead of time; JAX's `ShapeDtypeStruct`.
    pub fn spec(dtype: DType, shape: impl Into<Shape>) -> Array {
        Array(Arc::new(Node::Spec(Aval::new(dtype, shape))))
    }

    /// An array from a host tensor.
    pub fn from_tensor(value: Tensor) -> Array {
        Array::concrete(Value::host(Buffer::from_tensor(&value)), false)
    }

    pub(crate) fn concrete(value: Value, weak: bool) -> Array {
        Array(Arc::new(Node::Concrete(Concrete {
            aval: value.aval().clone(),
            weak,
            device: value.device(),
            buffer: Mutex::new(Some(value)),
        })))
    }

    pub(crate) fn traced(tracer: Tracer) -> Array {
        Array(Arc::new(Node::Traced(tracer)))
    }

    pub(crate) fn literal(value: Literal) -> Array {
        Array(Arc::new(Node::Literal(value)))
    }

    pub(crate) fn constant(value: Scalar, weak: bool) -> Array {
        Array(Arc::new(Node::Constant { value, weak }))
    }

    /// The same value with another weak flag.
    pub(crate) fn with_weak(&self, weak: bool) -> Array {
        if self.is_weak() == weak {
            return self.clone();
        }
        match self.node() {
            Node::Literal(value) => Array::constant(value.scalar(), weak),
            Node::Constant { value, .. } => Array::constant(*value, weak),
            Node::Concrete(concrete) => Array(Arc::new(Node::Concrete(Concrete {
                aval: concrete.aval.clone(),
                weak,
                device: concrete.device,
                buffer: Mutex::new(concrete.lock().clone()),
            }))),
            Node::Traced(tracer) => Array::traced(Tracer { weak, ..tracer.clone() }),
            Node::Spec(_) => self.clone(),
        }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0
    }

    /// Identifies the node while it is alive.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self.node() {
            Node::Literal(value) => value.dtype(),
            Node::Constant { value, .. } => value.dtype(),
            Node::Concrete(concrete) => concrete.aval.dtype,
            Node::Traced(tracer) => tracer.aval.dtype,
            Node::Spec(aval) => aval.dtype,
        }
    }

    /// The extents.
    pub fn shape(&self) -> Shape {
        match self.node() {
            Node::Literal(_) | Node::Constant { .. } => Shape::scalar(),
            Node::Concrete(concrete) => concrete.aval.shape.clone(),
            Node::Traced(tracer) => tracer.aval.shape.clone(),
            Node::Spec(aval) => aval.shape.clone(),
        }
    }

    /// Dtype, extents and weak flag, without copying.
    pub(crate) fn with_type<R>(&self, f: impl FnOnce(DType, &[usize], bool) -> R) -> R {
        match self.node() {
            Node::Literal(value) => f(value.dtype(), &[], value.is_weak()),
            Node::Constant { value, weak } => f(value.dtype(), &[], *weak),
            Node::Concrete(concrete) => f(concrete.aval.dtype, &concrete.aval.shape, concrete.weak),
            Node::Traced(tracer) => f(tracer.aval.dtype, &tracer.aval.shape, tracer.weak),
            Node::Spec(aval) => f(aval.dtype, &aval.shape, false),
        }
    }

    /// The extents as an array of known length, for destructuring: `let [rows, columns] = x.dims();`.
    #[track_caller]
    pub fn dims<const N: usize>(&self) -> [usize; N] {
        let shape = self.shape();
        match (*shape).try_into() {
            Ok(dims) => dims,
            Err(_) => fail_with(ErrorKind::Shape, format!("dims: found shape {shape}, expected {N} axes")),
        }
    }

    /// Dtype and shape.
    pub fn aval(&self) -> Aval {
        match self.node() {
            Node::Literal(value) => Aval::scalar(value.dtype()),
            Node::Constant { value, .. } => Aval::scalar(value.dtype()),
            Node::Concrete(concrete) => concrete.aval.clone(),
            Node::Traced(tracer) => tracer.aval.clone(),
            Node::Spec(aval) => aval.clone(),
        }
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        match self.node() {
            Node::Literal(_) | Node::Constant { .. } => 0,
            Node::Concrete(concrete) => concrete.aval.rank(),
            Node::Traced(tracer) => tracer.aval.rank(),
            Node::Spec(aval) => aval.rank(),
        }
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        match self.node() {
            Node::Literal(_) | Node::Constant { .. } => 1,
            Node::Concrete(concrete) => concrete.aval.size(),
            Node::Traced(tracer) => tracer.aval.size(),
            Node::Spec(aval) => aval.size(),
        }
    }

    /// The extent of the first axis.
    #[track_caller]
    pub fn len(&self) -> usize {
        match self.shape().first() {
            Some(&extent) => extent,
            None => fail_with(ErrorKind::Shape, "len: an array of rank 0 has no first axis"),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// Whether the dtype gives way to that of the arrays this one meets.
    pub fn is_weak(&self) -> bool {
        match self.node() {
            Node::Literal(value) => value.is_weak(),
            Node::Constant { weak, .. } => *weak,
            Node::Concrete(concrete) => concrete.weak,
            Node::Traced(tracer) => tracer.weak,
            Node::Spec(_) => false,
        }
    }

    /// Whether this stands for a variable of a trace rather than a value.
    pub fn is_traced(&self) -> bool {
        matches!(self.node(), Node::Traced(_))
    }

    /// The value, on the host. Under `jit` and on batched values there is none, and this is an error that says so.
    #[track_caller]
    pub fn to_tensor(&self) -> Tensor {
        check(self.host("to_tensor"))
    }

    /// The value, or why there is none; `function` is what the user called.
    pub(crate) fn value(&self, function: &str) -> rjax_ir::Result<Value> {
        match self.node() {
            Node::Literal(value) => Ok(device::scalar(value.scalar())),
            Node::Constant { value, .. } => Ok(device::scalar(*value)),
            Node::Concrete(concrete) => concrete.lock().clone().ok_or_else(deleted),
            Node::Traced(_) => trace::value_of(self, function),
            Node::Spec(aval) => Err(valueless(aval, function)),
        }
    }

    /// The value on the host, or why there is none; `function` is what the user called.
    pub(crate) fn host(&self, function: &str) -> rjax_ir::Result<Tensor> {
        self.value(function)?.to_tensor()
    }

    /// The device that the value is on. Variables of a trace and types without a value are on none.
    pub fn device(&self) -> Option<Device> {
        match self.node() {
            Node::Literal(_) | Node::Constant { .. } => Some(Device::Cpu),
            Node::Concrete(concrete) => Some(concrete.device),
            Node::Traced(_) | Node::Spec(_) => None,
        }
    }

    /// The plugin's device that the value is on, which draws computations with it there.
    pub(crate) fn placed(&self) -> Option<Device> {
        match self.node() {
            Node::Concrete(Concrete { device: device @ Device::Pjrt(_), .. }) => Some(*device),
            Node::Concrete(_) | Node::Literal(_) | Node::Constant { .. } | Node::Traced(_) | Node::Spec(_) => None,
        }
    }

    /// The same values on another device. Arrays in host memory serve both the CPU and the interpreter.
    #[track_caller]
    pub fn to_device(&self, device: Device) -> Array {
        Array::concrete(check(self.value("to_device").and_then(|value| value.on(device))), self.is_weak())
    }

    /// Takes the buffer out: the array cannot be used any more.
    pub(crate) fn donate(&self) -> rjax_ir::Result<Value> {
        match self.node() {
            Node::Concrete(concrete) => concrete.lock().take().ok_or_else(deleted),
            Node::Literal(_) | Node::Constant { .. } | Node::Traced(_) | Node::Spec(_) => self.value("donate"),
        }
    }

    /// Whether the buffer was given away by donation.
    pub fn is_deleted(&self) -> bool {
        match self.node() {
            Node::Concrete(concrete) => concrete.lock().is_none(),
            Node::Literal(_) | Node::Constant { .. } | Node::Traced(_) | Node::Spec(_) => false,
        }
    }

    /// The only element, as a `T`. Widening (`f32` as `f64`, `i32` as `i64`) is allowed, anything else must be the dtype's type.
    ///
    /// Outside `jit` this also works while differentiating: the traced computation up to here is run. See also
    /// [`lax::cond`](crate::lax::cond) for what to do under `jit`.
    #[track_caller]
    pub fn item<T: Element>(&self) -> T {
        let value = check(self.host("item"));
        if value.shape().size() != 1 {
            fail_with(
                ErrorKind::Shape,
                format!("item: found an array of type {}, expected exactly one element", value.aval()),
            )
        }
        check(element(value.get(0), "item"))
    }

    /// The elements, row-major. The dtype must be that of `T`, or narrower of the same kind.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        let value = check(self.host("to_vec"));
        if value.dtype() == T::DTYPE {
            return value.to_vec();
        }
        (0..value.shape().size()).map(|i| check(element(value.get(i), "to_vec"))).collect()
    }

    /// Waits until the value is there, on whatever device it is. Reading an array waits too.
    #[track_caller]
    pub fn block_until_ready(&self) -> &Array {
        check(self.value("block_until_ready").and_then(|value| value.wait()));
        self
    }
}

pub(crate) fn valueless(aval: &Aval, function: &str) -> rjax_ir::Error {
    rjax_ir::Error::new(
        ErrorKind::Structure,
        format!("{function}: an array made by `Array::spec` ({aval}) is a type without a value"),
    )
}

fn deleted() -> rjax_ir::Error {
    rjax_ir::Error::new(
        ErrorKind::Structure,
        "the array was donated to a jitted function and has no value any more; use what the function returned",
    )
}

/// A scalar as a Rust number whose type holds every value of the scalar's dtype.
fn element<T: Element>(value: Scalar, function: &str) -> rjax_ir::Result<T> {
    let (from, to) = (value.dtype(), T::DTYPE);
    if from == to {
        return Ok(value.get());
    }
    let widens = from.size() < to.size()
        && ((from.is_float() && (to.is_float() || to.is_complex()))
            || (from.is_complex() && to.is_complex())
            || (from.is_unsigned_integer() && to.is_integer())
            || (from.is_signed_integer() && to.is_signed_integer()));
    rjax_ir::ensure!(widens, DType, "{function}: the array holds {from}, asked for {to}; convert it with astype first");
    Ok(T::from_c128(value.to_c128()))
}
