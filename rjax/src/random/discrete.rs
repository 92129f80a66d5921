//! Integers, choices and shuffles.

use rjax_ir::{DType, ErrorKind, Scalar, Shape};

use super::samplers::{gumbel, uniform};
use super::{Key, bits};
use crate::array::Operand;
use crate::error::{check, fail_with};
use crate::numpy::TakeMode;
use crate::{Array, lax, numpy};

/// Integers in `low..high`.
#[track_caller]
pub fn randint(key: &Key, shape: impl Into<Shape>, low: impl Operand, high: impl Operand, dtype: DType) -> Array {
    if dtype.is_integer() && dtype.size() < 4 {
        // Drawn from 32 bits, whose remainder is less biased.
        let info = numpy::iinfo(dtype);
        let bound = |x: Array, most: i128| numpy::clip(x.converted(DType::I32, false), info.min as i64, most as i64);
        let (low, high) = (bound(low.into_array(), info.max), bound(high.into_array(), info.max + 1));
        return randint(key, shape, low, high, DType::I32).converted(dtype, false);
    }
    let shape = shape.into();
    let unsigned = match dtype.size() {
        1 => DType::U8,
        2 => DType::U16,
        4 => DType::U32,
        _ => DType::U64,
    };
    if !dtype.is_integer() {
        fail_with(ErrorKind::DType, format!("randint: found {dtype}, expected an integer dtype"))
    }
    let (low, high) = (low.into_array().converted(dtype, false), high.into_array().converted(dtype, false));
    let span = lax::sub(&high, &low).converted(unsigned, false);
    let span = lax::select(lax::le(&high, &low), 1, &span).broadcasted(&shape);
    let [upper, lower] = key.split();
    let (upper, lower) = (bits(&upper, shape.clone(), unsigned), bits(&lower, shape.clone(), unsigned));
    // Two draws make one of twice the width, whose remainder is nearly uniform: (upper * 2^n + lower) mod span.
    let half = Scalar::from_i64(unsigned, 1 << (unsigned.bits() / 2));
    let multiplier = lax::rem(Array::constant(half, false).broadcasted(&shape), &span);
    let multiplier = lax::rem(lax::mul(&multiplier, &multiplier), &span);
    let offset = lax::add(lax::mul(lax::rem(upper, &span), multiplier), lax::rem(lower, &span));
    lax::add(low.broadcasted(&shape), lax::rem(offset, &span).converted(dtype, false))
}

/// True with probability `p`, which broadcasts to the shape.
#[track_caller]
pub fn bernoulli(key: &Key, shape: impl Into<Shape>, p: impl Operand) -> Array {
    let shape = shape.into();
    let p = p.into_array();
    let dtype = if p.dtype().is_float() { p.dtype() } else { DType::F32 };
    let p = p.converted(dtype, false).broadcasted(&shape);
    lax::lt(uniform(key, shape, dtype, 0.0, 1.0), p)
}

/// -1 or 1 with equal probability.
#[track_caller]
pub fn rademacher(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    let heads = bernoulli(key, shape, 0.5).converted(dtype, false);
    lax::sub(lax::mul(heads, 2), 1)
}

/// Samples of positions along an axis with probabilities proportional to `exp(logits)`. The result has the axes `shape`, then
/// those of the logits without the sampled one.
#[track_caller]
pub fn categorical(key: &Key, logits: &Array, axis: isize, shape: impl Into<Shape>) -> Array {
    let shape = shape.into();
    let axis = check(lax::resolve_axis("categorical", axis, logits.ndim()));
    let full: Shape = shape.iter().chain(logits.shape().iter()).copied().collect();
    let noisy = gumbel(key, full, logits.dtype()) + logits;
    numpy::argmax(&noisy, (shape.rank() + axis) as isize)
}

/// The numbers below n in random order.
#[track_caller]
pub fn permutation(key: &Key, n: usize) -> Array {
    shuffle(key, &lax::iota(DType::I32, n))
}

/// The elements along an axis in random order.
#[track_caller]
pub fn permutation_of(key: &Key, x: &Array, axis: isize) -> Array {
    if x.ndim() == 1 {
        return shuffle(key, x);
    }
    let axis = check(lax::resolve_axis("permutation_of", axis, x.ndim()));
    numpy::take(x, permutation(key, x.shape()[axis]), axis as isize, TakeMode::Clip)
}

/// Sorts a vector by random keys, in as many rounds as keep ties from showing.
#[track_caller]
fn shuffle(key: &Key, x: &Array) -> Array {
    let rounds = (3.0 * (x.size().max(1) as f64).ln() / f64::from(u32::MAX).ln()).ceil() as usize;
    let (mut key, mut x) = (key.clone(), x.clone());
    for _ in 0..rounds {
        let [next, sub] = key.split();
        key = next;
        x = lax::sort_key_val(&bits(&sub, x.shape(), DType::U32), &x, 0).1;
    }
    x
}

/// Elements along the first axis, drawn with or without replacement.
#[track_caller]
pub fn choice(key: &Key, x: &Array, shape: impl Into<Shape>, replace: bool) -> Array {
    let (shape, n) = (shape.into(), x.len());
    require_enough("choice", n, &shape, replace);
    let indices = if replace {
        randint(key, shape, 0, n, DType::I32)
    } else {
        lax::reshape(&lax::slice_in_dim(&permutation(key, n), 0, shape.size(), 0), shape)
    };
    numpy::take(x, indices, 0, TakeMode::Clip)
}

/// Elements along the first axis, drawn with probabilities proportional to `p`.
#[track_caller]
pub fn choice_weighted(key: &Key, x: &Array, shape: impl Into<Shape>, replace: bool, p: &Array) -> Array {
    let (shape, n) = (shape.into(), x.len());
    require_enough("choice_weighted", n, &shape, replace);
    if p.shape()[..] != [n] {
        fail_with(ErrorKind::Shape, format!("choice_weighted: p has type {}, expected shape [{n}]", p.aval()))
    }
    let indices = if replace {
        let cumulative = numpy::cumsum(p, 0);
        let total = lax::index_in_dim(&cumulative, n - 1, 0);
        let r = total * (1.0 - uniform(key, shape, p.dtype(), 0.0, 1.0));
        numpy::searchsorted(&cumulative, &r, false)
    } else {
        // The order of Gumbel-perturbed logits is the order of draws without replacement.
        let keys = -gumbel(key, [n], p.dtype()) - lax::log(p);
        lax::reshape(&lax::slice_in_dim(&numpy::argsort(&keys, 0), 0, shape.size(), 0), shape)
    };
    numpy::take(x, indices, 0, TakeMode::Clip)
}

#[track_caller]
fn require_enough(function: &str, n: usize, shape: &Shape, replace: bool) {
    if n == 0 || (!replace && shape.size() > n) {
        fail_with(
            ErrorKind::Shape,
            format!(
                "{function}: cannot draw {} elements from {n} {}",
                shape.size(),
                if replace { "with replacement" } else { "without replacement" }
            ),
        )
    }
}
