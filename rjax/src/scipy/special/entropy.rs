//! Logarithms of probabilities, and entropies made of them.

use super::{float, floats};
use crate::array::{Array, Operand};
use crate::transform::custom_jvp;
use crate::{lax, numpy};

/// `1 / (1 + exp(-x))`. JAX: `scipy.special.expit`.
#[track_caller]
pub fn expit(x: impl Operand) -> Array {
    lax::logistic(float("expit", x))
}

/// `log(x / (1 - x))`, the inverse of [`expit`]. JAX: `scipy.special.logit`.
#[track_caller]
pub fn logit(x: impl Operand) -> Array {
    // The derivative 1 / (x (1 - x)) in place of that of a quotient, which is less accurate.
    let rule =
        custom_jvp(|x: &Array| lax::log(lax::div(x, lax::sub(1.0, x)))).defjvp(|(x,): &(Array,), (dx,): &(Array,)| {
            let other = lax::sub(1.0, x);
            (lax::log(lax::div(x, &other)), lax::div(dx, lax::mul(x, other)))
        });
    rule(&float("logit", x))
}

/// `x * log(y)`, 0 where x is 0. JAX: `scipy.special.xlogy`.
#[track_caller]
pub fn xlogy(x: impl Operand, y: impl Operand) -> Array {
    fn value(x: &Array, y: &Array) -> Array {
        let defined = x.ne(0.0) | y.ne(y);
        lax::select(defined, lax::mul(x, lax::log(y)), lax::full_like(x, 0.0))
    }
    let rule = custom_jvp(value).defjvp(|(x, y): &(Array, Array), (dx, dy): &(Array, Array)| {
        (value(x, y), lax::add(lax::mul(dx, lax::log(y)), lax::div(lax::mul(dy, x), y)))
    });
    let [x, y] = floats("xlogy", [x.into_array(), y.into_array()]);
    rule(&x, &y)
}

/// `x * log(1 + y)`, 0 where x is 0. JAX: `scipy.special.xlog1py`.
#[track_caller]
pub fn xlog1py(x: impl Operand, y: impl Operand) -> Array {
    fn value(x: &Array, y: &Array) -> Array {
        let defined = x.ne(0.0) | y.ne(y);
        lax::select(defined, lax::mul(x, lax::log1p(y)), lax::full_like(x, 0.0))
    }
    let rule = custom_jvp(value).defjvp(|(x, y): &(Array, Array), (dx, dy): &(Array, Array)| {
        (value(x, y), lax::add(lax::mul(dx, lax::log1p(y)), lax::div(lax::mul(dy, x), lax::add(y, 1.0))))
    });
    let [x, y] = floats("xlog1py", [x.into_array(), y.into_array()]);
    rule(&x, &y)
}

/// `x * log(x)`, 0 at 0, with the derivative `log(x) + 1`.
#[track_caller]
fn xlogx(x: &Array) -> Array {
    let rule = custom_jvp(|x: &Array| xlogy(x, x))
        .defjvp(|(x,): &(Array,), (dx,): &(Array,)| (xlogy(x, x), lax::mul(dx, lax::add(lax::log(x), 1.0))));
    rule(x)
}

/// `-x log(x)`: 0 at 0, minus infinity below. JAX: `scipy.special.entr`.
#[track_caller]
pub fn entr(x: impl Operand) -> Array {
    let x = float("entr", x);
    lax::select(x.lt(0.0), lax::full_like(&x, f64::NEG_INFINITY), -xlogx(&x))
}

/// `p log(p / q)`: 0 where p is 0 and q is not negative, infinity where either is out of range. JAX: `scipy.special.rel_entr`.
#[track_caller]
pub fn rel_entr(p: impl Operand, q: impl Operand) -> Array {
    let [p, q] = floats("rel_entr", [p.into_array(), q.into_array()]);
    let inside = p.gt(0.0) & q.gt(0.0);
    let edge = p.eq(0.0) & q.ge(0.0);
    let (safe_p, safe_q) = (lax::select(&inside, &p, 1.0), lax::select(&inside, &q, 1.0));
    let value = lax::sub(xlogx(&safe_p), xlogy(&safe_p, &safe_q));
    numpy::where_(inside, value, numpy::where_(edge, 0.0, f64::INFINITY))
}

/// `p log(p / q) - p + q`. JAX: `scipy.special.kl_div`.
#[track_caller]
pub fn kl_div(p: impl Operand, q: impl Operand) -> Array {
    let [p, q] = floats("kl_div", [p.into_array(), q.into_array()]);
    rel_entr(&p, &q) - &p + &q
}

/// The Box-Cox transformation `(x^lambda - 1) / lambda`, `log(x)` where lambda is 0. JAX: `scipy.special.boxcox`.
#[track_caller]
pub fn boxcox(x: impl Operand, lambda: impl Operand) -> Array {
    let [x, lambda] = floats("boxcox", [x.into_array(), lambda.into_array()]);
    transformed(lax::log(&x), &lambda)
}

/// The Box-Cox transformation of `1 + x`, accurate near 0. JAX: `scipy.special.boxcox1p`.
#[track_caller]
pub fn boxcox1p(x: impl Operand, lambda: impl Operand) -> Array {
    let [x, lambda] = floats("boxcox1p", [x.into_array(), lambda.into_array()]);
    transformed(lax::log1p(&x), &lambda)
}

#[track_caller]
fn transformed(log: Array, lambda: &Array) -> Array {
    let none = lambda.eq(0.0);
    let safe = lax::select(&none, lax::full_like(lambda, 1.0), lambda);
    lax::select(none, &log, lax::div(lax::expm1(lax::mul(&safe, &log)), &safe))
}
