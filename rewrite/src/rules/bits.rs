//! Logic and shifts on `bool` and integers, and bits seen as another type.

use rjax_ir::{Binary, Compare, DTypeSet, Op, Scalar, Unary};

use super::Class::Exact;
use super::{Code, Rule, Term, rule};
use crate::term::{Match, when};

const AND: Code = Code::Binary(Binary::And);
const OR: Code = Code::Binary(Binary::Or);
const XOR: Code = Code::Binary(Binary::Xor);
const NOT: Code = Code::Unary(Unary::Not);
const EQ: Code = Code::Compare(Compare::Eq);
const NE: Code = Code::Compare(Compare::Ne);
const SHIFTS: &[Code] = &[
    Code::Binary(Binary::ShiftLeft),
    Code::Binary(Binary::ShiftRightArithmetic),
    Code::Binary(Binary::ShiftRightLogical),
];

/// Holds if all bits of all elements are one.
fn is_all_ones(m: &Match<'_>, x: egg::Id) -> Option<()> {
    let splat = m.splat(x)?;
    when(splat == Scalar::from_i64(splat.dtype(), -1))
}

pub(super) static RULES: &[Rule] = &[
    rule("not-not", Exact, DTypeSet::BITS, &[NOT], "not not x == x", |m| {
        let inner = m.definition(m.one(), NOT)?;
        Some(inner.inputs[0].into())
    }),
    // A NaN is different from everything, and "different" is the exact opposite of "equal".
    rule("not-eq", Exact, DTypeSet::BOOL, &[NOT], "not (x == y) == (x != y)", |m| {
        let inner = m.definition(m.one(), EQ)?;
        Some(Term::apply(Op::Compare(Compare::Ne), [inner.inputs[0].into(), inner.inputs[1].into()]))
    }),
    rule("not-ne", Exact, DTypeSet::BOOL, &[NOT], "not (x != y) == (x == y)", |m| {
        let inner = m.definition(m.one(), NE)?;
        Some(Term::apply(Op::Compare(Compare::Eq), [inner.inputs[0].into(), inner.inputs[1].into()]))
    }),
    rule("and-self", Exact, DTypeSet::BITS, &[AND, OR], "x and x == x, x or x == x", |m| {
        let [x, y] = m.two();
        when(x == y)?;
        Some(x.into())
    }),
    rule("xor-self", Exact, DTypeSet::BITS, &[XOR], "x xor x == 0", |m| {
        let [x, y] = m.two();
        when(x == y)?;
        Some(Term::full(Scalar::zero(m.aval.dtype), &m.aval.shape))
    }),
    rule("or-zero", Exact, DTypeSet::BITS, &[OR, XOR], "x or 0 == x, x xor 0 == x", |m| {
        let [x, y] = m.either_order();
        m.is_number(y, 0.0)?;
        Some(x.into())
    }),
    rule("and-ones", Exact, DTypeSet::BITS, &[AND], "x and -1 == x", |m| {
        let [x, y] = m.either_order();
        is_all_ones(m, y)?;
        Some(x.into())
    }),
    rule("and-zero", Exact, DTypeSet::BITS, &[AND], "x and 0 == 0", |m| {
        let [_, y] = m.either_order();
        m.is_number(y, 0.0)?;
        Some(y.into())
    }),
    rule("or-ones", Exact, DTypeSet::BITS, &[OR], "x or -1 == -1", |m| {
        let [_, y] = m.either_order();
        is_all_ones(m, y)?;
        Some(y.into())
    }),
    rule("xor-ones", Exact, DTypeSet::BITS, &[XOR], "x xor -1 == not x", |m| {
        let [x, y] = m.either_order();
        is_all_ones(m, y)?;
        Some(Term::unary(Unary::Not, x))
    }),
    rule("shift-zero", Exact, DTypeSet::INTEGER, SHIFTS, "x << 0 == x, x >> 0 == x", |m| {
        let [x, y] = m.two();
        m.is_number(y, 0.0)?;
        Some(x.into())
    }),
    rule("bitcast-same", Exact, DTypeSet::ANY, &[Code::Bitcast], "bitcast(x) to its own type == x", |m| {
        when(m.dtype_of(m.one()) == m.aval.dtype)?;
        Some(m.one().into())
    }),
    rule("bitcast-bitcast", Exact, DTypeSet::ANY, &[Code::Bitcast], "bitcast(bitcast(x)) == bitcast(x)", |m| {
        let inner = m.definition(m.one(), Code::Bitcast)?;
        let x = inner.inputs[0];
        // An axis that comes and goes between widths must come out the same.
        when(m.shape_of(x) == &m.aval.shape && m.dtype_of(x).size() == m.aval.dtype.size())?;
        Some(Term::apply(m.op.clone(), [x.into()]))
    }),
];
