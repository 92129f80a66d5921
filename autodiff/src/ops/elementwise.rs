//! Derivatives of elementwise ops.
//!
//! Each rule takes the operands, the result and the operands' tangents and gives the result's tangent, or `None` for a
//! derivative that is zero everywhere. Values at ties and singular points are JAX's.

use std::f64::consts::{LN_2, PI};

use rjax_ir::{Atom, Binary, Builder, Compare, DType, Op, Result, Scalar, Shape, Unary, bail};

use crate::jvp::{Tangent, add_tangents};

/// The tangent of `y = op(x)`.
pub(crate) fn unary(b: &mut Builder, op: Unary, x: Atom, y: Atom, t: Atom) -> Tangent {
    let slope = match op {
        Unary::Sign
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::RoundEven
        | Unary::IsFinite
        | Unary::Not
        | Unary::PopulationCount
        | Unary::Clz => return None,
        Unary::Neg | Unary::Real | Unary::Imag | Unary::Conj => return Some(b.unary(op, t)),
        Unary::Abs => return Some(abs(b, x, y, t)),
        Unary::Exp => y,
        Unary::Exp2 => b.mul_scalar(y, LN_2),
        Unary::Expm1 => b.add_scalar(y, 1.0),
        Unary::Log => return Some(b.div(t, x)),
        Unary::Log1p => {
            let x1 = b.add_scalar(x, 1.0);
            return Some(b.div(t, x1));
        }
        Unary::Logistic => {
            let rest = one_minus(b, y);
            b.mul(y, rest)
        }
        // 1 / (2 sqrt x)
        Unary::Sqrt => scalar_over(b, 0.5, y),
        // -1/2 x^(-3/2)
        Unary::Rsqrt => {
            let quotient = b.div(y, x);
            b.mul_scalar(quotient, -0.5)
        }
        // 1/3 x^(-2/3)
        Unary::Cbrt => {
            let square = b.mul(y, y);
            scalar_over(b, 1.0 / 3.0, square)
        }
        Unary::Sin => b.unary(Unary::Cos, x),
        Unary::Cos => {
            let sin = b.unary(Unary::Sin, x);
            b.neg(sin)
        }
        Unary::Tan => {
            let square = b.mul(y, y);
            b.add_scalar(square, 1.0)
        }
        Unary::Sinh => b.unary(Unary::Cosh, x),
        Unary::Cosh => b.unary(Unary::Sinh, x),
        // (1 + y)(1 - y) keeps its accuracy where y is close to 1.
        Unary::Tanh => {
            let (above, below) = (b.add_scalar(y, 1.0), one_minus(b, y));
            b.mul(above, below)
        }
        Unary::Asin => asin_slope(b, x),
        Unary::Acos => {
            let slope = asin_slope(b, x);
            b.neg(slope)
        }
        Unary::Atan => {
            let square = b.mul(x, x);
            let sum = b.add_scalar(square, 1.0);
            scalar_over(b, 1.0, sum)
        }
        Unary::Asinh => {
            let square = b.mul(x, x);
            let sum = b.add_scalar(square, 1.0);
            b.unary(Unary::Rsqrt, sum)
        }
        Unary::Acosh => {
            // As in JAX, one root of x^2 - 1: left of the imaginary axis it has the other sign than the values imply.
            let square = b.mul(x, x);
            let below = b.add_scalar(square, -1.0);
            b.unary(Unary::Rsqrt, below)
        }
        Unary::Atanh => {
            let (above, below) = (b.add_scalar(x, 1.0), one_minus(b, x));
            let product = b.mul(above, below);
            scalar_over(b, 1.0, product)
        }
        Unary::Erf => gaussian(b, x, 2.0 / PI.sqrt(), -1.0),
        Unary::Erfc => gaussian(b, x, -2.0 / PI.sqrt(), -1.0),
        Unary::ErfInv => gaussian(b, y, PI.sqrt() / 2.0, 1.0),
        Unary::Lgamma => b.unary(Unary::Digamma, x),
        Unary::Digamma => {
            let one = like(b, x, 1.0);
            b.binary(Binary::Polygamma, one, x)
        }
        Unary::BesselI0e => {
            // (e^-|x| I0)' = e^-|x| I1 - sign(x) e^-|x| I0
            let (i1e, sign) = (b.unary(Unary::BesselI1e, x), b.unary(Unary::Sign, x));
            let decay = b.mul(sign, y);
            b.sub(i1e, decay)
        }
        Unary::BesselI1e => bessel_i1e_slope(b, x, y),
    };
    Some(b.mul(t, slope))
}

/// `value` in the type of x.
fn like(b: &mut Builder, x: Atom, value: f64) -> Atom {
    let aval = b.aval(x);
    b.full(&aval.shape, Scalar::from_f64(aval.dtype, value))
}

/// `value / x`.
fn scalar_over(b: &mut Builder, value: f64, x: Atom) -> Atom {
    let value = Scalar::from_f64(b.dtype(x), value);
    b.div(value.into(), x)
}

/// `1 - x`.
fn one_minus(b: &mut Builder, x: Atom) -> Atom {
    let one = Scalar::one(b.dtype(x));
    b.sub(one.into(), x)
}

/// Re(conj(x) t) / |x| for complex x, and 0 at 0; the right-hand derivative at 0 for real x.
fn abs(b: &mut Builder, x: Atom, y: Atom, t: Atom) -> Atom {
    let zero: Atom = Scalar::zero(b.dtype(y)).into();
    if b.dtype(x).is_complex() {
        let at_zero = b.compare(Compare::Eq, y, zero);
        let modulus = b.select(at_zero, Scalar::one(b.dtype(y)).into(), y);
        let conjugate = b.unary(Unary::Conj, x);
        let product = b.mul(conjugate, t);
        let real = b.unary(Unary::Real, product);
        b.div(real, modulus)
    } else {
        let ascending = b.compare(Compare::Ge, x, zero);
        let negative = b.neg(t);
        b.select(ascending, t, negative)
    }
}

/// 1 / sqrt(1 - x²)
fn asin_slope(b: &mut Builder, x: Atom) -> Atom {
    let square = b.mul(x, x);
    let rest = one_minus(b, square);
    b.unary(Unary::Rsqrt, rest)
}

/// `factor * exp(sign x²)`.
fn gaussian(b: &mut Builder, x: Atom, factor: f64, sign: f64) -> Atom {
    let square = b.mul(x, x);
    let exponent = b.mul_scalar(square, sign);
    let exp = b.unary(Unary::Exp, exponent);
    b.mul_scalar(exp, factor)
}

/// (e^-|x| I1)' = e^-|x| I0 - y (sign(x) + 1/x), whose limit at 0 is 1/2.
fn bessel_i1e_slope(b: &mut Builder, x: Atom, y: Atom) -> Atom {
    let dtype = b.dtype(x);
    let epsilon = Scalar::from_f64(dtype, epsilon(dtype));
    let size = b.unary(Unary::Abs, x);
    let regular = b.compare(Compare::Gt, size, epsilon.into());
    let x = b.select(regular, x, epsilon.into());
    let (i0e, sign, inverse) = (b.unary(Unary::BesselI0e, x), b.unary(Unary::Sign, x), scalar_over(b, 1.0, x));
    let factor = b.add(sign, inverse);
    let product = b.mul(y, factor);
    let slope = b.sub(i0e, product);
    b.select(regular, slope, Scalar::from_f64(dtype, 0.5).into())
}

/// The distance from 1 to the next number.
fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        DType::F32 | DType::C64 => 2f64.powi(-23),
        DType::F64 | DType::C128 => 2f64.powi(-52),
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::Narrow(_) => unreachable!("only inexact values have tangents"),
    }
}

/// The tangent of `z = op(x, y)`.
pub(crate) fn binary(
    b: &mut Builder,
    op: Binary,
    [x, y]: [Atom; 2],
    z: Atom,
    [tx, ty]: [Tangent; 2],
) -> Result<Tangent> {
    let (from_x, from_y) = match op {
        Binary::Add => (tx, ty),
        Binary::Sub => match (tx, ty) {
            (Some(tx), Some(ty)) => (Some(b.sub(tx, ty)), None),
            (tx, ty) => (tx, ty.map(|t| b.neg(t))),
        },
        Binary::Mul => (tx.map(|t| b.mul(t, y)), ty.map(|t| b.mul(x, t))),
        Binary::Div => {
            let from_y = ty.map(|t| {
                // (x / y)' = -(x / y) / y; the quotient of quotients neither overflows nor underflows early.
                let slope = b.div(z, y);
                let product = b.mul(t, slope);
                b.neg(product)
            });
            (tx.map(|t| b.div(t, y)), from_y)
        }
        Binary::Rem => {
            let from_y = ty.map(|t| {
                // x rem y = x - y trunc(x / y)
                let quotient = b.div(x, y);
                let (sign, size) = (b.unary(Unary::Sign, quotient), b.unary(Unary::Abs, quotient));
                let whole = b.unary(Unary::Floor, size);
                let truncated = b.mul(sign, whole);
                let product = b.mul(t, truncated);
                b.neg(product)
            });
            (tx, from_y)
        }
        Binary::Pow => (tx.map(|t| pow_in_base(b, x, y, t)), ty.map(|t| pow_in_exponent(b, x, z, t))),
        Binary::Atan2 => {
            let squares = [b.mul(x, x), b.mul(y, y)];
            let sum = b.add(squares[0], squares[1]);
            let from_x = tx.map(|t| {
                let slope = b.div(y, sum);
                b.mul(t, slope)
            });
            let from_y = ty.map(|t| {
                let slope = b.div(x, sum);
                let product = b.mul(t, slope);
                b.neg(product)
            });
            (from_x, from_y)
        }
        Binary::Max | Binary::Min => {
            (tx.map(|t| share_of_extreme(b, t, [x, y], z)), ty.map(|t| share_of_extreme(b, t, [y, x], z)))
        }
        Binary::Complex => {
            if tx.is_none() && ty.is_none() {
                return Ok(None);
            }
            let zero = |b: &mut Builder| like(b, x, 0.0);
            let (re, im) = (tx.unwrap_or_else(|| zero(b)), ty.unwrap_or_else(|| zero(b)));
            return Ok(Some(b.binary(Binary::Complex, re, im)));
        }
        Binary::Igamma => (grad_of_order(b, [x, y], tx), gamma_density(b, [x, y], ty)),
        Binary::Igammac => {
            let (from_x, from_y) = (grad_of_order(b, [x, y], tx), gamma_density(b, [x, y], ty));
            (from_x.map(|t| b.neg(t)), from_y.map(|t| b.neg(t)))
        }
        Binary::Polygamma => {
            if tx.is_some() {
                bail!(NotDifferentiable, "polygamma: not differentiable in its first argument, the order");
            }
            let from_y = ty.map(|t| {
                let next = b.add_scalar(x, 1.0);
                let slope = b.binary(Binary::Polygamma, next, y);
                b.mul(t, slope)
            });
            (None, from_y)
        }
        Binary::Zeta => {
            if tx.is_some() {
                bail!(NotDifferentiable, "zeta: not differentiable in its first argument");
            }
            // zeta(x, y) is the sum of (k + y)^-x.
            let from_y = ty.map(|t| {
                let next = b.add_scalar(x, 1.0);
                let steeper = b.binary(Binary::Zeta, next, y);
                let slope = b.mul(x, steeper);
                let product = b.mul(t, slope);
                b.neg(product)
            });
            (None, from_y)
        }
        Binary::NextAfter | Binary::IgammaGradA => {
            if tx.is_some() || ty.is_some() {
                bail!(NotDifferentiable, "{}: has no derivative", op.name());
            }
            (None, None)
        }
        Binary::And
        | Binary::Or
        | Binary::Xor
        | Binary::ShiftLeft
        | Binary::ShiftRightArithmetic
        | Binary::ShiftRightLogical => (None, None),
    };
    Ok(add_tangents(b, from_x, from_y))
}

/// x where it is not 0, else 1.
fn replace_zero(b: &mut Builder, x: Atom) -> Atom {
    let dtype = b.dtype(x);
    let is_zero = b.compare(Compare::Eq, x, Scalar::zero(dtype).into());
    b.select(is_zero, Scalar::one(dtype).into(), x)
}

/// y x^(y-1), which is NaN at x = y = 0.
fn pow_in_base(b: &mut Builder, x: Atom, y: Atom, t: Atom) -> Atom {
    let less = b.add_scalar(y, -1.0);
    let power = b.binary(Binary::Pow, x, less);
    let slope = b.mul(y, power);
    b.mul(t, slope)
}

/// log(x) x^y, with 0 for the logarithm of 0.
fn pow_in_exponent(b: &mut Builder, x: Atom, z: Atom, t: Atom) -> Atom {
    let positive = replace_zero(b, x);
    let log = b.unary(Unary::Log, positive);
    let slope = b.mul(log, z);
    b.mul(t, slope)
}

/// The tangent of the extreme `z` of `x` and `other` that comes from x: all of it where x is the extreme, half on a tie.
pub(crate) fn share_of_extreme(b: &mut Builder, t: Atom, [x, other]: [Atom; 2], z: Atom) -> Atom {
    let dtype = b.dtype(z);
    let value = |v: f64| -> Atom { Scalar::from_f64(dtype, v).into() };
    let (wins, tie) = (b.compare(Compare::Eq, x, z), b.compare(Compare::Eq, other, z));
    let half = like(b, z, 0.5);
    let share = b.select(tie, half, value(1.0));
    let share = b.select(wins, share, value(0.0));
    b.mul(t, share)
}

fn grad_of_order(b: &mut Builder, [a, x]: [Atom; 2], t: Tangent) -> Tangent {
    t.map(|t| {
        let slope = b.binary(Binary::IgammaGradA, a, x);
        b.mul(t, slope)
    })
}

/// The derivative of P(a, x) in x: x^(a-1) e^-x / gamma(a).
fn gamma_density(b: &mut Builder, [a, x]: [Atom; 2], t: Tangent) -> Tangent {
    t.map(|t| {
        let (order, log) = (b.add_scalar(a, -1.0), b.unary(Unary::Log, x));
        let power = b.mul(order, log);
        let (decayed, lgamma) = (b.sub(power, x), b.unary(Unary::Lgamma, a));
        let exponent = b.sub(decayed, lgamma);
        let density = b.unary(Unary::Exp, exponent);
        b.mul(t, density)
    })
}

/// The tangent of `regularized_incomplete_beta(p, q, x)`; only the derivative in x is known in closed form.
pub(crate) fn incomplete_beta(b: &mut Builder, [p, q, x]: [Atom; 3], t: [Tangent; 3]) -> Result<Tangent> {
    if t[0].is_some() || t[1].is_some() {
        bail!(NotDifferentiable, "regularized_incomplete_beta: not differentiable in its first two arguments");
    }
    let Some(t) = t[2] else { return Ok(None) };
    // x^(p-1) (1-x)^(q-1) / B(p, q)
    let sum = b.add(p, q);
    let [lgamma_p, lgamma_q, lgamma_sum] = [p, q, sum].map(|v| b.unary(Unary::Lgamma, v));
    let log_beta = b.add(lgamma_p, lgamma_q);
    let log_beta = b.sub(log_beta, lgamma_sum);
    let negative = b.neg(x);
    let (log_rest, log_x) = (b.unary(Unary::Log1p, negative), b.unary(Unary::Log, x));
    let (q1, p1) = (b.add_scalar(q, -1.0), b.add_scalar(p, -1.0));
    let (rest, power) = (b.mul(q1, log_rest), b.mul(p1, log_x));
    let exponent = b.add(rest, power);
    let exponent = b.sub(exponent, log_beta);
    let density = b.unary(Unary::Exp, exponent);
    Ok(Some(b.mul(t, density)))
}

/// The tangent of `x^exponent`: `exponent x^(exponent-1)`, which is 0 for exponent 0 also at 0.
pub(crate) fn integer_pow(b: &mut Builder, exponent: i32, x: Atom, t: Atom) -> Tangent {
    let power = match exponent {
        0 => return None,
        1 => return Some(t),
        2 => x,
        i32::MIN => {
            // The exponent below the least one: x^(MIN-1) = x^MIN / x.
            let power = b.emit1(Op::IntegerPow { exponent }, &[x]);
            b.div(power, x)
        }
        _ => b.emit1(Op::IntegerPow { exponent: exponent - 1 }, &[x]),
    };
    let slope = b.mul_scalar(power, exponent as f64);
    Some(b.mul(t, slope))
}

/// The tangent of `clamp(min, x, max)`: x's strictly between the bounds, a bound's where it is the stricter one.
pub(crate) fn clamp(b: &mut Builder, [min, x, max]: [Atom; 3], t: [Tangent; 3]) -> Tangent {
    let shape = b.shape(x);
    let [min, max] = [min, max].map(|bound| spread(b, bound, &shape));
    let mut sum = None;
    for (position, tangent) in t.into_iter().enumerate() {
        let Some(tangent) = tangent else { continue };
        let tangent = spread(b, tangent, &shape);
        let active = match position {
            0 => {
                let (stricter, bounded) = (greater(b, min, x), greater(b, max, min));
                b.binary(Binary::And, stricter, bounded)
            }
            1 => {
                let (above, below) = (greater(b, x, min), greater(b, max, x));
                b.binary(Binary::And, above, below)
            }
            _ => greater(b, x, max),
        };
        let zero = Scalar::zero(b.dtype(tangent));
        let part = b.select(active, tangent, zero.into());
        sum = add_tangents(b, sum, Some(part));
    }
    sum
}

fn spread(b: &mut Builder, x: Atom, shape: &Shape) -> Atom {
    if b.shape(x) == *shape { x } else { b.broadcast_scalar(x, shape) }
}

/// Whether x is greater than y; complex numbers are ordered lexicographically, as `max` orders them.
fn greater(b: &mut Builder, x: Atom, y: Atom) -> Atom {
    if !b.dtype(x).is_complex() {
        return b.compare(Compare::Gt, x, y);
    }
    let max = b.binary(Binary::Max, x, y);
    let (wins, differs) = (b.compare(Compare::Eq, max, x), b.compare(Compare::Ne, x, y));
    b.binary(Binary::And, wins, differs)
}
