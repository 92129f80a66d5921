//! The order in which values sort, and the search for the greatest and least.

use crate::Tensor;
use crate::math::Wide;
use crate::op::ScalarSemantics;

/// Where NaN, of any sign, stands among the sorted values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nan {
    First,
    Last,
}

impl Nan {
    /// The place that makes NaN win a search for the greatest (or least) value.
    pub(crate) fn winning(largest: bool) -> Nan {
        if largest { Nan::Last } else { Nan::First }
    }
}

/// For each element a number; numbers compare as the elements sort: -0 is equal to 0, complex numbers compare by the real
/// part first.
pub(crate) fn ranks(x: &Tensor, nan: Nan) -> Vec<u128> {
    with_element!(x.dtype(), T => x.as_slice::<T>().iter().map(|value| rank(value.widen(), nan)).collect())
}

fn rank(value: Wide, nan: Nan) -> u128 {
    match value {
        Wide::Int(v) => (v - i64::MIN as i128) as u128,
        Wide::Float(v) => rank_float(v, nan) as u128,
        Wide::Complex(z) => (rank_float(z.re, nan) as u128) << 64 | rank_float(z.im, nan) as u128,
    }
}

fn rank_float(x: f64, nan: Nan) -> u64 {
    const SIGN: u64 = 1 << 63;
    if x.is_nan() {
        return match nan {
            Nan::First => 0,
            Nan::Last => u64::MAX,
        };
    }
    // -0 + 0 is 0. Positive numbers order as their bits do, negative ones the other way round.
    let bits = (x + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// Which of the positions has the greatest (or least) rank: the first one, where several have it.
pub(crate) fn extreme(ranks: &[u128], positions: impl IntoIterator<Item = usize>, largest: bool) -> Option<usize> {
    positions.into_iter().reduce(|best, position| {
        let better = if largest { ranks[position] > ranks[best] } else { ranks[position] < ranks[best] };
        if better { position } else { best }
    })
}
