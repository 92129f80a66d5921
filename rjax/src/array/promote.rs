//! Type promotion: the dtype in which operands of different dtypes meet.
//!
//! JAX's lattice, with its weak types: `bool < int < float < complex`; within a kind the wider type wins; a weak operand
//! never widens a strong one of the same or a higher kind. 64-bit types are honoured (there is no 32-bit mode), while weak
//! results default to 32 bits.

use rjax_ir::{DType, ErrorKind, Op, Shape};

use super::{Array, Node};
use crate::error::{check, fail_with};
use crate::trace;

/// The kinds of numbers, in the order of promotion.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Bool,
    Int,
    Float,
    Complex,
}

impl Kind {
    pub fn of(dtype: DType) -> Kind {
        match dtype {
            DType::Bool => Kind::Bool,
            DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::U8 | DType::U16 | DType::U32 | DType::U64 => {
                Kind::Int
            }
            DType::F16 | DType::BF16 | DType::F32 | DType::F64 => Kind::Float,
            DType::C64 | DType::C128 => Kind::Complex,
            DType::Narrow(narrow) if narrow.is_float() => Kind::Float,
            DType::Narrow(_) => Kind::Int,
        }
    }

    pub fn default_dtype(self) -> DType {
        match self {
            Kind::Bool => DType::Bool,
            Kind::Int => DType::I32,
            Kind::Float => DType::F32,
            Kind::Complex => DType::C64,
        }
    }
}

/// A dtype and whether it is weak.
pub(crate) type Weak = (DType, bool);

/// The dtype in which two operands meet.
#[track_caller]
pub(crate) fn promote((a, a_weak): Weak, (b, b_weak): Weak) -> Weak {
    match (a_weak, b_weak) {
        (true, true) => (Kind::of(a).max(Kind::of(b)).default_dtype(), true),
        (true, false) => weak_and_strong(a, b),
        (false, true) => weak_and_strong(b, a),
        (false, false) => strong(a, b),
    }
}

fn weak_and_strong(weak: DType, strong: DType) -> Weak {
    let (weak, kind) = (Kind::of(weak), Kind::of(strong));
    if weak <= kind {
        (strong, false)
    } else if weak == Kind::Complex && kind == Kind::Float {
        (if strong == DType::F64 { DType::C128 } else { DType::C64 }, false)
    } else {
        (weak.default_dtype(), true)
    }
}

#[track_caller]
fn strong(a: DType, b: DType) -> Weak {
    let (a, b) = if Kind::of(a) <= Kind::of(b) { (a, b) } else { (b, a) };
    let is_narrow = |dtype: DType| dtype.narrow().is_some();
    if a != b && (is_narrow(a) || is_narrow(b) && Kind::of(a) == Kind::of(b)) {
        fail_with(
            ErrorKind::DType,
            format!("{a} and {b} do not promote to one dtype; convert one of them with astype"),
        );
    }
    let dtype = match (Kind::of(a), Kind::of(b)) {
        (Kind::Int, Kind::Int) => return integers(a, b),
        (Kind::Float, Kind::Float) if a.size() == 2 && b.size() == 2 && a != b => DType::F32,
        (Kind::Float, Kind::Complex) if a == DType::F64 => DType::C128,
        (low, high) if low == high && a.size() > b.size() => a,
        (
            Kind::Bool | Kind::Int | Kind::Float | Kind::Complex,
            Kind::Bool | Kind::Int | Kind::Float | Kind::Complex,
        ) => b,
    };
    (dtype, false)
}

fn integers(a: DType, b: DType) -> Weak {
    if a.is_signed_integer() == b.is_signed_integer() {
        return (if a.size() >= b.size() { a } else { b }, false);
    }
    let (unsigned, signed) = if a.is_unsigned_integer() { (a, b) } else { (b, a) };
    if signed.size() > unsigned.size() {
        return (signed, false);
    }
    match unsigned {
        DType::U8 => (DType::I16, false),
        DType::U16 => (DType::I32, false),
        DType::U32 => (DType::I64, false),
        // No integer holds both u64 and a signed type; JAX goes to a weak float.
        DType::U64
        | DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::F16
        | DType::BF16
        | DType::F32
        | DType::F64
        | DType::C64
        | DType::C128
        | DType::Narrow(_) => (DType::F32, true),
    }
}

/// The shape to which shapes broadcast together by numpy's rule: aligned at the last axis, extents equal or 1.
pub(crate) fn broadcast_shapes(function: &str, shapes: &[Shape]) -> rjax_ir::Result<Shape> {
    let rank = shapes.iter().map(Shape::rank).max().unwrap_or(0);
    let mut result = vec![1; rank];
    for shape in shapes {
        for (axis, &extent) in shape.iter().enumerate() {
            let slot = &mut result[rank - shape.rank() + axis];
            if *slot == 1 {
                *slot = extent;
            } else if extent != 1 && extent != *slot {
                let listed: Vec<_> = shapes.iter().map(Shape::to_string).collect();
                rjax_ir::bail!(Shape, "{function}: shapes {} do not broadcast together", listed.join(" and "));
            }
        }
    }
    Ok(result.into())
}

impl Array {
    fn weak_dtype(&self) -> Weak {
        (self.dtype(), self.is_weak())
    }

    /// The same elements as another dtype, keeping or setting the weak flag; a number takes the dtype exactly.
    #[track_caller]
    pub(crate) fn converted(&self, dtype: DType, weak: bool) -> Array {
        if let Node::Literal(value) = self.node() {
            if weak && dtype == value.dtype() {
                return self.clone();
            }
            return Array::constant(check(value.to_dtype(dtype)), weak);
        }
        if self.dtype() == dtype {
            return self.with_weak(weak);
        }
        trace::emit1(Op::Convert { dtype }, &[self]).with_weak(weak)
    }

    /// The same elements repeated to a shape that this one broadcasts to.
    #[track_caller]
    pub(crate) fn broadcasted(&self, shape: &Shape) -> Array {
        let own = self.shape();
        if own == *shape {
            return self.clone();
        }
        let dims: Vec<usize> = (shape.rank() - own.rank()..shape.rank()).collect();
        trace::emit1(Op::BroadcastInDim { shape: shape.clone(), dims }, &[self])
    }
}

/// The operands in a common dtype; every result is weak exactly if all operands are.
#[track_caller]
pub(crate) fn promote_dtypes(operands: &[&Array]) -> Vec<Array> {
    let Some((dtype, weak)) = operands.iter().map(|x| x.weak_dtype()).reduce(promote) else { return Vec::new() };
    // A loop, unlike a closure, reports errors at the caller's line.
    let mut converted = Vec::with_capacity(operands.len());
    for x in operands {
        converted.push(x.converted(dtype, weak));
    }
    converted
}

/// The operands in a common dtype and shape.
#[track_caller]
pub(crate) fn promote_all(function: &str, operands: &[&Array]) -> Vec<Array> {
    let shapes: Vec<Shape> = operands.iter().map(|x| x.shape()).collect();
    let shape = check(broadcast_shapes(function, &shapes));
    let mut promoted = promote_dtypes(operands);
    for x in &mut promoted {
        *x = x.broadcasted(&shape);
    }
    promoted
}

/// The operands in a common inexact dtype and a common shape: integers and `bool` become weak-default floats.
#[track_caller]
pub(crate) fn promote_inexact(function: &str, operands: &[&Array]) -> Vec<Array> {
    let shapes: Vec<Shape> = operands.iter().map(|x| x.shape()).collect();
    let shape = check(broadcast_shapes(function, &shapes));
    let mut promoted = promote_inexact_dtypes(operands);
    for x in &mut promoted {
        *x = x.broadcasted(&shape);
    }
    promoted
}

/// The operands in a common inexact dtype, each in its own shape.
#[track_caller]
pub(crate) fn promote_inexact_dtypes(operands: &[&Array]) -> Vec<Array> {
    let (dtype, weak) = result_type(operands);
    let dtype = if dtype.is_inexact() { dtype } else { DType::F32 };
    let mut promoted = Vec::with_capacity(operands.len());
    for x in operands {
        promoted.push(x.converted(dtype, weak));
    }
    promoted
}

/// What [`result_type`](crate::numpy::result_type) tells of some operands.
pub(crate) fn result_type(operands: &[&Array]) -> Weak {
    operands.iter().map(|x| x.weak_dtype()).reduce(promote).unwrap_or((DType::F32, true))
}
