//! Formulas that overflow or divide by a vanishing number, and those that do not: logistic, softplus, log-softmax, and what
//! their derivatives leave over.
//!
//! These rules are applied wherever they match, though what they build may cost a little more. Sums of exponentials are the
//! matter of the module `shift`.

use egg::Id;
use rjax_ir::{Binary, Compare, DTypeSet, Op, Scalar, Unary};

use super::Class::Stable;
use super::{Code, Match, Rule, Term, rule};
use crate::known::Known;
use crate::term::when;

const ADD: Code = Code::Binary(Binary::Add);
const MUL: Code = Code::Binary(Binary::Mul);
const DIV: Code = Code::Binary(Binary::Div);
const EXP: Code = Code::Unary(Unary::Exp);
const LOG: Code = Code::Unary(Unary::Log);
const LOGISTIC: Code = Code::Unary(Unary::Logistic);
const NEG: Code = Code::Unary(Unary::Neg);

/// How deep to look into products and quotients of products and quotients.
const DEPTH: usize = 3;

/// A product and quotient by its factors and its sign.
#[derive(Default)]
struct Factors {
    above: Vec<Id>,
    below: Vec<Id>,
    negative: bool,
}

impl Factors {
    fn of(m: &Match<'_>, x: Id) -> Factors {
        let mut factors = Factors::default();
        factors.add(m, x, false, DEPTH);
        factors
    }

    fn of_root(m: &Match<'_>) -> Factors {
        let mut factors = Factors::default();
        factors.add(m, m.inputs[0], false, DEPTH);
        factors.add(m, m.inputs[1], matches!(m.op, Op::Binary(Binary::Div)), DEPTH);
        factors
    }

    fn add(&mut self, m: &Match<'_>, x: Id, inverted: bool, depth: usize) {
        let inner = if depth > 0 { m.definition_among(x, &[MUL, DIV, NEG]) } else { None };
        match inner {
            Some(inner) if inner.inputs.len() == 1 => {
                self.negative = !self.negative;
                self.add(m, inner.inputs[0], inverted, depth - 1);
            }
            Some(inner) => {
                self.add(m, inner.inputs[0], inverted, depth - 1);
                let divides = matches!(inner.op, Op::Binary(Binary::Div));
                self.add(m, inner.inputs[1], inverted ^ divides, depth - 1);
            }
            None if inverted => self.below.push(x),
            None => self.above.push(x),
        }
    }

    /// Leaves out positive factors that stand on both sides; nothing if there are none.
    fn cancelled(mut self, m: &Match<'_>) -> Option<Factors> {
        let before = self.above.len();
        let below = &mut self.below;
        self.above.retain(|&x| {
            let place = below.iter().position(|&y| x == y && m.known(x).contains(Known::POSITIVE));
            place.map(|place| below.remove(place)).is_none()
        });
        (self.above.len() < before).then_some(self)
    }

    /// The product with one more factor.
    fn times(self, m: &Match<'_>, factor: Term) -> Term {
        if self.above.is_empty() && self.below.is_empty() && !self.negative {
            return factor;
        }
        Term::binary(Binary::Mul, self.term(m), factor)
    }

    fn term(self, m: &Match<'_>) -> Term {
        let product =
            |factors: Vec<Id>| factors.into_iter().map(Term::from).reduce(|x, y| Term::binary(Binary::Mul, x, y));
        let one = || Term::full(Scalar::one(m.aval.dtype), &m.aval.shape);
        let above = product(self.above).unwrap_or_else(one);
        let magnitude = match product(self.below) {
            Some(below) => Term::binary(Binary::Div, above, below),
            None => above,
        };
        if self.negative { Term::unary(Unary::Neg, magnitude) } else { magnitude }
    }
}

/// The exponent of 1 + exp(x).
fn one_plus_exp(m: &Match<'_>, x: Id) -> Option<Id> {
    let [one, e] = m.either_order_of(m.definition(x, ADD)?);
    m.is_number(one, 1.0)?;
    Some(m.definition(e, EXP)?.inputs[0])
}

/// Whether one value is the negative of the other.
fn opposite(m: &Match<'_>, x: Id, y: Id) -> bool {
    let negates = |x: Id, y: Id| m.definition(x, NEG).is_some_and(|inner| inner.inputs[0] == y);
    negates(x, y) || negates(y, x)
}

/// max(x, 0) + log(1 + exp(-|x|)), in which nothing overflows.
fn softplus(m: &Match<'_>, x: Id) -> Option<Term> {
    // A number that is negative anyway needs no such care, and the result has one.
    when(!m.known(x).contains(Known::AT_MOST_ZERO))?;
    let zero = Term::full(Scalar::zero(m.aval.dtype), &m.aval.shape);
    let small = Term::unary(Unary::Exp, Term::unary(Unary::Neg, Term::unary(Unary::Abs, x)));
    Some(Term::binary(Binary::Add, Term::binary(Binary::Max, x, zero), Term::unary(Unary::Log1p, small)))
}

pub(super) static RULES: &[Rule] = &[
    rule("log-of-quotient", Stable, DTypeSet::FLOAT, &[LOG], "log(exp(x) / y) == x - log(y)", |m| {
        let quotient = m.definition(m.one(), DIV)?;
        let exponential = m.definition(quotient.inputs[0], EXP)?;
        let log = Term::unary(Unary::Log, quotient.inputs[1]);
        Some(Term::binary(Binary::Sub, exponential.inputs[0], log))
    }),
    rule(
        "softplus",
        Stable,
        DTypeSet::FLOAT,
        &[LOG, Code::Unary(Unary::Log1p)],
        "log(1 + exp(x)) == max(x, 0) + log(1 + exp(-|x|))",
        |m| {
            let is_log = matches!(m.op, Op::Unary(Unary::Log));
            let x = if is_log { one_plus_exp(m, m.one())? } else { m.definition(m.one(), EXP)?.inputs[0] };
            softplus(m, x)
        },
    ),
    // Where both are infinite their difference is NaN, and their sum what the maximum should be.
    rule(
        "log-add-exp",
        Stable,
        DTypeSet::FLOAT,
        &[LOG],
        "log(exp(x) + exp(y)) == max(x, y) + log(1 + exp(-|x - y|))",
        |m| {
            let sum = m.definition(m.one(), ADD)?;
            let [x, y] = [sum.inputs[0], sum.inputs[1]];
            let [x, y] = [m.definition(x, EXP)?.inputs[0], m.definition(y, EXP)?.inputs[0]];
            let difference = || Term::binary(Binary::Sub, x, y);
            let small = Term::unary(Unary::Exp, Term::unary(Unary::Neg, Term::unary(Unary::Abs, difference())));
            let large = Term::binary(Binary::Max, x, y);
            let result = Term::binary(Binary::Add, large, Term::unary(Unary::Log1p, small));
            let is_nan = Term::apply(Op::Compare(Compare::Ne), [difference(), difference()]);
            Some(Term::apply(Op::Select, [is_nan, result, Term::binary(Binary::Add, x, y)]))
        },
    ),
    rule("quotient-by-one-plus-exp", Stable, DTypeSet::FLOAT, &[DIV], "y / (1 + exp(x)) == y * logistic(-x)", |m| {
        let exponent = one_plus_exp(m, m.inputs[1])?;
        let logistic = Term::unary(Unary::Logistic, Term::unary(Unary::Neg, exponent));
        if m.is_number(m.inputs[0], 1.0).is_some() {
            return Some(logistic);
        }
        Some(Term::binary(Binary::Mul, m.inputs[0], logistic))
    }),
    rule(
        "quotient-by-sum-of-exps",
        Stable,
        DTypeSet::FLOAT,
        &[MUL, DIV],
        "z exp(x) / (exp(x) + exp(y)) == z logistic(x - y)",
        |m| {
            let mut factors = Factors::of_root(m);
            let place = m.any(factors.below.len())?;
            let [own, other] = m.either_order_of(m.definition(factors.below[place], ADD)?);
            let above = factors.above.iter().position(|&x| x == own)?;
            let [x, y] = [m.definition(own, EXP)?.inputs[0], m.definition(other, EXP)?.inputs[0]];
            factors.below.remove(place);
            factors.above.remove(above);
            Some(factors.times(m, Term::unary(Unary::Logistic, Term::binary(Binary::Sub, x, y))))
        },
    ),
    rule("exp-times-logistic", Stable, DTypeSet::FLOAT, &[MUL], "exp(x) * y * logistic(-x) == y * logistic(x)", |m| {
        let mut factors = Factors::of_root(m);
        let exponential = m.any(factors.above.len())?;
        let x = m.definition(factors.above[exponential], EXP)?.inputs[0];
        let logistic = factors
            .above
            .iter()
            .position(|&factor| m.definition(factor, LOGISTIC).is_some_and(|inner| opposite(m, inner.inputs[0], x)))?;
        factors.above = (0..factors.above.len())
            .filter(|i| ![exponential, logistic].contains(i))
            .map(|i| factors.above[i])
            .collect();
        Some(factors.times(m, Term::unary(Unary::Logistic, x)))
    }),
    rule(
        "cancel-positive",
        Stable,
        DTypeSet::FLOAT,
        &[MUL, DIV],
        "(x / p) * p == x for p that is made to be positive, such as exp(y)",
        |m| Some(Factors::of_root(m).cancelled(m)?.term(m)),
    ),
    rule(
        "cancel-positive-in-sum",
        Stable,
        DTypeSet::FLOAT,
        &[MUL],
        "(x / p + y) * p == x + y * p for p that is made to be positive",
        |m| {
            let [sum, factor] = m.either_order();
            when(m.known(factor).contains(Known::POSITIVE))?;
            let [x, y] = m.either_order_of(m.definition(sum, ADD)?);
            let mut factors = Factors::of(m, x);
            factors.above.push(factor);
            Some(Term::binary(Binary::Add, factors.cancelled(m)?.term(m), Term::binary(Binary::Mul, y, factor)))
        },
    ),
];
