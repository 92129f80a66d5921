//! Comparisons, maximum and minimum.

use egg::Id;
use rjax_ir::{Binary, Compare, DTypeSet, Op, Scalar, Unary};

use super::Class::Exact;
use super::{Code, Match, Rule, Term, rule};
use crate::known::Known;
use crate::term::when;

const MAX: Code = Code::Binary(Binary::Max);
const MIN: Code = Code::Binary(Binary::Min);
const NOT: Code = Code::Unary(Unary::Not);
const REFLEXIVE: &[Code] = &[Code::Compare(Compare::Eq), Code::Compare(Compare::Le), Code::Compare(Compare::Ge)];
const IRREFLEXIVE: &[Code] = &[Code::Compare(Compare::Lt), Code::Compare(Compare::Gt), Code::Compare(Compare::LtTo)];

fn truth(m: &Match<'_>, value: bool) -> Term {
    Term::full(Scalar::new(value), &m.aval.shape)
}

/// Whether `x` has one of these dtypes.
fn has_dtype(m: &Match<'_>, x: Id, dtypes: DTypeSet) -> Option<()> {
    when(dtypes.contains(m.dtype_of(x)))
}

pub(super) static RULES: &[Rule] = &[
    // Of a NaN all of these are false.
    rule("compare-self", Exact, DTypeSet::BOOL, REFLEXIVE, "x == x, x <= x, x >= x for integers and bool", |m| {
        let [x, y] = m.two();
        when(x == y)?;
        has_dtype(m, x, DTypeSet::BITS)?;
        Some(truth(m, true))
    }),
    rule(
        "compare-self-number",
        Exact,
        DTypeSet::BOOL,
        REFLEXIVE,
        "x == x, x <= x, x >= x for x known not to be NaN",
        |m| {
            let [x, y] = m.two();
            when(x == y && m.known(x).contains(Known::NUMBER))?;
            Some(truth(m, true))
        },
    ),
    rule(
        "negative-of-nonnegative",
        Exact,
        DTypeSet::BOOL,
        &[Code::Compare(Compare::Lt)],
        "not (x < 0) for x known not to be negative",
        |m| {
            let [x, y] = m.two();
            m.is_number(y, 0.0)?;
            when(m.known(x).contains(Known::NONNEGATIVE))?;
            Some(truth(m, false))
        },
    ),
    rule(
        "total-order-self",
        Exact,
        DTypeSet::BOOL,
        &[Code::Compare(Compare::EqTo), Code::Compare(Compare::LeTo)],
        "x == x and x <= x in the total order",
        |m| {
            let [x, y] = m.two();
            when(x == y)?;
            Some(truth(m, true))
        },
    ),
    rule("less-self", Exact, DTypeSet::BOOL, IRREFLEXIVE, "not (x < x)", |m| {
        let [x, y] = m.two();
        when(x == y)?;
        Some(truth(m, false))
    }),
    rule("ne-self", Exact, DTypeSet::BOOL, &[Code::Compare(Compare::Ne)], "not (x != x) for integers and bool", |m| {
        let [x, y] = m.two();
        when(x == y)?;
        has_dtype(m, x, DTypeSet::BITS)?;
        Some(truth(m, false))
    }),
    // With a NaN both x < y and x >= y are false.
    rule("not-less", Exact, DTypeSet::BOOL, &[NOT], "not (x < y) == (x >= y) for integers and bool", |m| {
        let opposites = [
            (Compare::Lt, Compare::Ge),
            (Compare::Ge, Compare::Lt),
            (Compare::Gt, Compare::Le),
            (Compare::Le, Compare::Gt),
        ];
        let (found, opposite) = opposites[m.any(opposites.len())?];
        let inner = m.definition(m.one(), Code::Compare(found))?;
        has_dtype(m, inner.inputs[0], DTypeSet::BITS)?;
        Some(Term::apply(Op::Compare(opposite), inner.inputs.iter().map(|&x| x.into())))
    }),
    // x - 1 does not pass the least integer where x is known not to be negative. Triangles below or above a diagonal meet like this.
    rule(
        "compare-before",
        Exact,
        DTypeSet::BOOL,
        &[Code::Compare(Compare::Ge), Code::Compare(Compare::Lt)],
        "(x - 1 >= y) == (x > y), (x - 1 < y) == (x <= y) for integers x known not to be negative",
        |m| {
            let [before, y] = m.two();
            let one = m.any(2)?;
            let sum = m.definition(before, Code::Binary(Binary::Add))?;
            let (x, step) = (sum.inputs[1 - one], sum.inputs[one]);
            has_dtype(m, x, DTypeSet::SIGNED)?;
            m.is_number(step, -1.0)?;
            when(m.known(x).contains(Known::NONNEGATIVE))?;
            let compare = if *m.op == Op::Compare(Compare::Ge) { Compare::Gt } else { Compare::Le };
            Some(Term::apply(Op::Compare(compare), [x.into(), y.into()]))
        },
    ),
    rule("max-self", Exact, DTypeSet::ANY, &[MAX, MIN], "max(x, x) == x, min(x, x) == x", |m| {
        let [x, y] = m.two();
        when(x == y)?;
        Some(x.into())
    }),
    // Also of NaN: a maximum passes it on.
    // The maximum of +0 and 0 is +0; of a NaN and 0 NaN.
    rule(
        "max-zero-of-nonnegative",
        Exact,
        DTypeSet::FLOAT,
        &[MAX],
        "max(x, 0) == x for x known not to be negative",
        |m| {
            let [x, y] = m.either_order();
            m.is_number(y, 0.0)?;
            when(m.known(x).contains(Known::NONNEGATIVE))?;
            Some(x.into())
        },
    ),
    rule("max-least", Exact, DTypeSet::ORDERED, &[MAX], "max(x, -inf) == x", |m| {
        let [x, y] = m.either_order();
        when(m.splat(y)? == Scalar::least(m.aval.dtype))?;
        Some(x.into())
    }),
    rule("min-greatest", Exact, DTypeSet::ORDERED, &[MIN], "min(x, inf) == x", |m| {
        let [x, y] = m.either_order();
        when(m.splat(y)? == Scalar::greatest(m.aval.dtype))?;
        Some(x.into())
    }),
    rule("max-greatest", Exact, DTypeSet::BITS, &[MAX], "max(x, greatest) == greatest", |m| {
        let [_, y] = m.either_order();
        when(m.splat(y)? == Scalar::greatest(m.aval.dtype))?;
        Some(y.into())
    }),
    rule("min-least", Exact, DTypeSet::BITS, &[MIN], "min(x, least) == least", |m| {
        let [_, y] = m.either_order();
        when(m.splat(y)? == Scalar::least(m.aval.dtype))?;
        Some(y.into())
    }),
    // max(max(x, y), y) keeps y's NaN and zeros: the maximum is idempotent, and with equal operands of one sign order
    // is moot.
    rule("max-of-max", Exact, DTypeSet::ORDERED, &[MAX, MIN], "max(max(x, y), y) == max(x, y)", |m| {
        let [inner, y] = m.either_order();
        let definition = m.definition(inner, Code::of(m.op))?;
        when(definition.inputs.contains(&y))?;
        Some(inner.into())
    }),
];
