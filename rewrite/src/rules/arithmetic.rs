//! Sums, differences, products, quotients, powers.

use rjax_ir::{Binary, DType, DTypeSet, Op, Scalar, Unary};

use super::Class::{Domain, Exact, Rounding, ZeroSign};
use super::{Code, Rule, Term, rule};
use crate::known::Known;
use crate::term::when;

const ADD: Code = Code::Binary(Binary::Add);
const SUB: Code = Code::Binary(Binary::Sub);
const MUL: Code = Code::Binary(Binary::Mul);
const DIV: Code = Code::Binary(Binary::Div);
const POW: Code = Code::Binary(Binary::Pow);
const NEG: Code = Code::Unary(Unary::Neg);
const ABS: Code = Code::Unary(Unary::Abs);
const LOG: Code = Code::Unary(Unary::Log);
const EXP: Code = Code::Unary(Unary::Exp);
const SQRT: Code = Code::Unary(Unary::Sqrt);

/// Numbers without an imaginary part, in whose product with 1 a zero or infinity would meet it.
const REAL: DTypeSet = DTypeSet::REAL;
const REAL_OR_BOOL: DTypeSet = DTypeSet::ORDERED;

pub(super) static RULES: &[Rule] = &[
    rule("add-negative-zero", Exact, DTypeSet::ANY, &[ADD], "x + -0 == x", |m| {
        let [x, y] = m.either_order();
        m.is_negative_zero(y)?;
        Some(x.into())
    }),
    // -0 + 0 is +0.
    rule("add-zero", ZeroSign, DTypeSet::INEXACT, &[ADD], "x + 0 == x", |m| {
        let [x, y] = m.either_order();
        m.is_number(y, 0.0)?;
        Some(x.into())
    }),
    rule("sub-zero", Exact, DTypeSet::NUMBER, &[SUB], "x - 0 == x", |m| {
        let [x, y] = m.two();
        m.is_number(y, 0.0)?;
        Some(x.into())
    }),
    rule("sub-negative-zero", ZeroSign, DTypeSet::INEXACT, &[SUB], "x - -0 == x", |m| {
        let [x, y] = m.two();
        m.is_negative_zero(y)?;
        Some(x.into())
    }),
    rule("negative-zero-sub", Exact, DTypeSet::NUMBER, &[SUB], "-0 - x == -x", |m| {
        let [x, y] = m.two();
        m.is_negative_zero(x)?;
        Some(Term::unary(Unary::Neg, y))
    }),
    // 0 - 0 is +0.
    rule("zero-sub", ZeroSign, DTypeSet::INEXACT, &[SUB], "0 - x == -x", |m| {
        let [x, y] = m.two();
        m.is_number(x, 0.0)?;
        Some(Term::unary(Unary::Neg, y))
    }),
    // inf - inf is NaN, so not for floats.
    rule("sub-self", Exact, DTypeSet::INTEGER, &[SUB], "x - x == 0", |m| {
        let [x, y] = m.two();
        when(x == y)?;
        Some(Term::full(Scalar::zero(m.aval.dtype), &m.aval.shape))
    }),
    rule("sub-self-finite", Exact, DTypeSet::FLOAT, &[SUB], "x - x == 0 for x known to be finite", |m| {
        let [x, y] = m.two();
        when(x == y && m.known(x).contains(Known::FINITE))?;
        Some(Term::full(Scalar::zero(m.aval.dtype), &m.aval.shape))
    }),
    rule("neg-neg", Exact, DTypeSet::NUMBER, &[NEG], "-(-x) == x", |m| {
        let inner = m.definition(m.one(), NEG)?;
        Some(inner.inputs[0].into())
    }),
    rule("add-neg", Exact, DTypeSet::NUMBER, &[ADD], "x + -y == x - y", |m| {
        let [x, y] = m.either_order();
        let negated = m.definition(y, NEG)?;
        Some(Term::binary(Binary::Sub, x, negated.inputs[0]))
    }),
    rule("sub-neg", Exact, DTypeSet::NUMBER, &[SUB], "x - -y == x + y", |m| {
        let [x, y] = m.two();
        let negated = m.definition(y, NEG)?;
        Some(Term::binary(Binary::Add, x, negated.inputs[0]))
    }),
    // x - x is +0, and so is its reverse.
    rule("neg-sub", ZeroSign, DTypeSet::NUMBER, &[NEG], "-(x - y) == y - x", |m| {
        let inner = m.definition(m.one(), SUB)?;
        Some(Term::binary(Binary::Sub, inner.inputs[1], inner.inputs[0]))
    }),
    rule("mul-one", Exact, REAL_OR_BOOL, &[MUL], "x * 1 == x", |m| {
        let [x, y] = m.either_order();
        m.is_number(y, 1.0)?;
        Some(x.into())
    }),
    rule("mul-negative-one", Exact, DTypeSet::SIGNED.or(DTypeSet::FLOAT), &[MUL], "x * -1 == -x", |m| {
        let [x, y] = m.either_order();
        m.is_number(y, -1.0)?;
        Some(Term::unary(Unary::Neg, x))
    }),
    // inf * 0 is NaN and -1 * 0 is -0, so not for floats.
    rule("mul-zero", Exact, DTypeSet::BITS, &[MUL], "x * 0 == 0", |m| {
        let [_, y] = m.either_order();
        m.is_number(y, 0.0)?;
        Some(y.into())
    }),
    // -1 * 0 is -0.
    rule("mul-zero-of-finite", ZeroSign, DTypeSet::FLOAT, &[MUL], "x * 0 == 0 for x known to be finite", |m| {
        let [x, y] = m.either_order();
        m.is_number(y, 0.0)?;
        when(m.known(x).contains(Known::FINITE))?;
        Some(y.into())
    }),
    rule("mul-zero-finite", Domain, DTypeSet::INEXACT, &[MUL], "x * 0 == 0 for finite x", |m| {
        let [_, y] = m.either_order();
        m.is_number(y, 0.0)?;
        Some(y.into())
    }),
    rule("mul-neg-neg", Exact, DTypeSet::NUMBER, &[MUL], "-x * -y == x * y", |m| {
        let [x, y] = m.two();
        let (x, y) = (m.definition(x, NEG)?, m.definition(y, NEG)?);
        Some(Term::binary(Binary::Mul, x.inputs[0], y.inputs[0]))
    }),
    rule("div-one", Exact, REAL, &[DIV], "x / 1 == x", |m| {
        let [x, y] = m.two();
        m.is_number(y, 1.0)?;
        Some(x.into())
    }),
    // The least integer divided by -1 is itself, as is its negation.
    rule("div-negative-one", Exact, DTypeSet::SIGNED.or(DTypeSet::FLOAT), &[DIV], "x / -1 == -x", |m| {
        let [x, y] = m.two();
        m.is_number(y, -1.0)?;
        Some(Term::unary(Unary::Neg, x))
    }),
    rule("div-neg-neg", Exact, DTypeSet::FLOAT, &[DIV], "-x / -y == x / y", |m| {
        let [x, y] = m.two();
        let (x, y) = (m.definition(x, NEG)?, m.definition(y, NEG)?);
        Some(Term::binary(Binary::Div, x.inputs[0], y.inputs[0]))
    }),
    // Both round x 2^-k once; 1/c must be a normal number and so exact.
    rule("div-power-of-two", Exact, DTypeSet::FLOAT, &[DIV], "x / 2^k == x * 2^-k", |m| {
        let [x, y] = m.two();
        let divisor = m.splat(y)?;
        let inverse = 1.0 / divisor.to_f64();
        let smallest = if m.aval.dtype == DType::F16 {
            -14
        } else if m.aval.dtype == DType::F64 {
            -1022
        } else {
            -126
        };
        let power_of_two = inverse.is_finite() && inverse.to_bits() << 12 == 0;
        when(power_of_two && inverse.abs() >= 2f64.powi(smallest))?;
        let inverse = Scalar::from_f64(m.aval.dtype, inverse);
        when(inverse.to_f64().is_finite())?;
        Some(Term::binary(Binary::Mul, x, Term::full(inverse, &m.aval.shape)))
    }),
    rule("add-constants", Exact, DTypeSet::INTEGER, &[ADD], "(x + c) + d == x + (c + d)", |m| {
        let [sum, d] = m.either_order();
        m.splat(d)?;
        let inner = m.definition(sum, ADD)?;
        let [x, c] = m.either_order_of(inner);
        m.splat(c)?;
        Some(Term::binary(Binary::Add, x, Term::binary(Binary::Add, c, d)))
    }),
    rule("mul-constants", Exact, DTypeSet::INTEGER, &[MUL], "(x * c) * d == x * (c * d)", |m| {
        let [product, d] = m.either_order();
        m.splat(d)?;
        let inner = m.definition(product, MUL)?;
        let [x, c] = m.either_order_of(inner);
        m.splat(c)?;
        Some(Term::binary(Binary::Mul, x, Term::binary(Binary::Mul, c, d)))
    }),
    rule("abs-neg", Exact, DTypeSet::SIGNED.or(DTypeSet::INEXACT), &[ABS], "|-x| == |x|", |m| {
        let inner = m.definition(m.one(), NEG)?;
        Some(Term::unary(Unary::Abs, inner.inputs[0]))
    }),
    rule("abs-abs", Exact, DTypeSet::REAL, &[ABS], "||x|| == |x|", |m| {
        m.definition(m.one(), ABS)?;
        Some(m.one().into())
    }),
    rule("abs-of-nonnegative", Exact, DTypeSet::FLOAT, &[ABS], "|x| == x for x known not to be negative", |m| {
        when(m.known(m.one()).contains(Known::NONNEGATIVE))?;
        Some(m.one().into())
    }),
    rule("integer-pow-one", Exact, DTypeSet::NUMBER, &[Code::IntegerPow], "x^1 == x", |m| {
        let Op::IntegerPow { exponent: 1 } = m.op else { return None };
        Some(m.one().into())
    }),
    rule("integer-pow-zero", Exact, DTypeSet::NUMBER, &[Code::IntegerPow], "x^0 == 1", |m| {
        let Op::IntegerPow { exponent: 0 } = m.op else { return None };
        Some(Term::full(Scalar::one(m.aval.dtype), &m.aval.shape))
    }),
    rule("pow-one", Exact, DTypeSet::FLOAT, &[POW], "pow(x, 1) == x", |m| {
        let [x, y] = m.two();
        m.is_number(y, 1.0)?;
        Some(x.into())
    }),
    rule("pow-zero", Exact, DTypeSet::INEXACT, &[POW], "pow(x, 0) == 1", |m| {
        let [_, y] = m.two();
        m.is_number(y, 0.0)?;
        Some(Term::full(Scalar::one(m.aval.dtype), &m.aval.shape))
    }),
    rule("pow-two", Rounding, DTypeSet::FLOAT, &[POW], "pow(x, 2) == x * x", |m| {
        let [x, y] = m.two();
        m.is_number(y, 2.0)?;
        Some(Term::binary(Binary::Mul, x, x))
    }),
    rule("one-over-sqrt", Rounding, DTypeSet::FLOAT, &[DIV], "1 / sqrt(x) == rsqrt(x)", |m| {
        let [one, root] = m.two();
        m.is_number(one, 1.0)?;
        let inner = m.definition(root, SQRT)?;
        Some(Term::unary(Unary::Rsqrt, inner.inputs[0]))
    }),
    // The inverse of a root neither overflows nor vanishes, so that the product is as good as the quotient.
    rule(
        "quotient-by-repeated-sqrt",
        Rounding,
        DTypeSet::FLOAT,
        &[DIV],
        "x / broadcast(sqrt(y)) == x * broadcast(rsqrt(y)), with fewer divisions",
        |m| {
            let [x, divisor] = m.two();
            let broadcast = m.definition(divisor, Code::Broadcast)?;
            let root = m.definition(broadcast.inputs[0], SQRT)?;
            when(m.aval_of(root.inputs[0]).size() < m.aval.size())?;
            let inverse = Term::unary(Unary::Rsqrt, root.inputs[0]);
            Some(Term::binary(Binary::Mul, x, Term::apply(broadcast.op.clone(), [inverse])))
        },
    ),
    // exp overflows, and the logarithm is that of a rounded number.
    rule("log-exp", Domain, DTypeSet::FLOAT, &[LOG], "log(exp(x)) == x", |m| {
        let inner = m.definition(m.one(), EXP)?;
        Some(inner.inputs[0].into())
    }),
    rule("factor-product", Rounding, DTypeSet::NUMBER, &[ADD], "a * b + a * c == a * (b + c)", |m| {
        let [x, y] = m.two();
        let (x, y) = (m.definition(x, MUL)?, m.definition(y, MUL)?);
        let ([a, b], [other, c]) = (m.either_order_of(x), m.either_order_of(y));
        when(a == other)?;
        Some(Term::binary(Binary::Mul, a, Term::binary(Binary::Add, b, c)))
    })
    .growing(),
    rule("regroup-products", Rounding, DTypeSet::NUMBER, &[ADD], "(x + a * b) + a * c == x + a * (b + c)", |m| {
        let [sum, y] = m.either_order();
        let inner = m.definition(sum, ADD)?;
        let [rest, x] = m.either_order_of(inner);
        let (x, y) = (m.definition(x, MUL)?, m.definition(y, MUL)?);
        let ([a, b], [other, c]) = (m.either_order_of(x), m.either_order_of(y));
        when(a == other)?;
        let product = Term::binary(Binary::Mul, a, Term::binary(Binary::Add, b, c));
        Some(Term::binary(Binary::Add, rest, product))
    })
    .growing(),
    rule("factor-quotient", Rounding, DTypeSet::FLOAT, &[ADD], "a / c + b / c == (a + b) / c", |m| {
        let [x, y] = m.two();
        let (x, y) = (m.definition(x, DIV)?, m.definition(y, DIV)?);
        when(x.inputs[1] == y.inputs[1])?;
        let sum = Term::binary(Binary::Add, x.inputs[0], y.inputs[0]);
        Some(Term::binary(Binary::Div, sum, x.inputs[1]))
    })
    .growing(),
];
