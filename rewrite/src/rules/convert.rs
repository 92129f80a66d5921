//! Conversions between element types.

use rjax_ir::{DType, DTypeSet, Op};

use super::Class::Exact;
use super::{Code, Rule, Term, rule};
use crate::term::when;

/// Whether every value of `narrow` is a value of `wide`, and converting there and on is converting at once wherever
/// it ends.
fn holds(wide: DType, narrow: DType) -> bool {
    if wide == narrow {
        return true;
    }
    if wide.narrow().is_some() || narrow.narrow().is_some() {
        return false;
    }
    // The width of the integers that a type holds exactly; a sign is one bit more.
    let precision = |dtype: DType| match dtype {
        DType::Bool => 1,
        DType::U8 => 8,
        DType::U16 => 16,
        DType::U32 => 32,
        DType::U64 => 64,
        DType::I8 => 7,
        DType::I16 => 15,
        DType::I32 => 31,
        DType::I64 => 63,
        DType::F16 => 11,
        DType::BF16 => 8,
        DType::F32 | DType::C64 => 24,
        DType::F64 | DType::C128 => 53,
        DType::Narrow(_) => unreachable!("answered above"),
    };
    if narrow == DType::Bool {
        return true;
    }
    if wide.is_complex() {
        return holds(wide.real(), narrow.real());
    }
    if narrow.is_complex() || wide == DType::Bool {
        return false;
    }
    if narrow.is_integer() {
        let signs = wide.is_float() || wide.is_signed_integer() || narrow.is_unsigned_integer();
        return signs && precision(wide) >= precision(narrow);
    }
    // Floats: exponents too must fit, which f16 and bf16 do to each other in neither direction.
    wide.is_float() && matches!((wide, narrow), (DType::F64, _) | (DType::F32, DType::F16 | DType::BF16))
}

pub(super) static RULES: &[Rule] = &[
    rule("convert-same", Exact, DTypeSet::ANY, &[Code::Convert], "convert(x) to its own type == x", |m| {
        when(m.dtype_of(m.one()) == m.aval.dtype)?;
        Some(m.one().into())
    }),
    // Not from an integer through a float to another integer: there a value out of range saturates, where the direct
    // conversion wraps.
    rule(
        "convert-convert",
        Exact,
        DTypeSet::ANY,
        &[Code::Convert],
        "convert(convert(x)) == convert(x) through a type that holds x's",
        |m| {
            let inner = m.definition(m.one(), Code::Convert)?;
            let x = inner.inputs[0];
            let (from, middle, to) = (m.dtype_of(x), m.dtype_of(m.one()), m.aval.dtype);
            let saturates = from.is_integer() && middle.is_inexact() && to.is_integer() && !holds(to, from);
            when(holds(middle, from) && !saturates)?;
            Some(Term::apply(Op::Convert { dtype: to }, [x.into()]))
        },
    ),
    rule(
        "reduce-precision-same",
        Exact,
        DTypeSet::FLOAT,
        &[Code::ReducePrecision],
        "reduce_precision is idempotent",
        |m| {
            let inner = m.definition(m.one(), Code::ReducePrecision)?;
            when(inner.op == m.op)?;
            Some(m.one().into())
        },
    ),
];
