//! Cumulative ops along an axis.

use crate::eval::sum::{accumulate, prefix_sums};
use crate::op::{ScalarSemantics, transpose};
use crate::{Aval, Binary, DTypeSet, Result, Tensor, check};

/// What a cumulative op accumulates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum CumulativeKind {
    /// `cumsum`.
    Sum,
    /// `cumprod`.
    Prod,
    /// `cummax`.
    Max,
    /// `cummin`.
    Min,
    /// `cumlogsumexp`.
    LogSumExp,
}

/// Parameters of the cumulative ops: `(x) -> y` of the same shape. `f16` and `bf16` accumulate in `f32`; the order of sums is
/// free.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cumulative {
    /// What is accumulated.
    pub kind: CumulativeKind,
    /// The axis.
    pub axis: usize,
    /// From the last element to the first.
    pub reverse: bool,
}

impl Cumulative {
    /// JAX's name.
    pub fn name(&self) -> &'static str {
        match self.kind {
            CumulativeKind::Sum => "cumsum",
            CumulativeKind::Prod => "cumprod",
            CumulativeKind::Max => "cummax",
            CumulativeKind::Min => "cummin",
            CumulativeKind::LogSumExp => "cumlogsumexp",
        }
    }
}

impl CumulativeKind {
    /// The dtypes it accepts.
    pub fn accepts(self) -> DTypeSet {
        match self {
            CumulativeKind::Sum => Binary::Add.accepts(),
            CumulativeKind::Prod => Binary::Mul.accepts(),
            CumulativeKind::Max => Binary::Max.accepts(),
            CumulativeKind::Min => Binary::Min.accepts(),
            CumulativeKind::LogSumExp => DTypeSet::FLOAT,
        }
    }
}

impl Cumulative {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let [x] = check::operands(self.name(), inputs)?;
        check::dtype(self.name(), self.kind.accepts(), x)?;
        check::axis(self.name(), "axis", self.axis, x.rank(), x)?;
        Ok(vec![x.clone()])
    }
}

impl Cumulative {
    pub(crate) fn eval(&self, x: &Tensor) -> Tensor {
        let permutation = transpose::last(self.axis, x.shape().rank());
        let length = x.shape()[self.axis];
        let lanes = transpose::permute(x, &permutation);
        let result = accumulate(&[&lanes], x.dtype(), x.dtype(), |operands, dtype| {
            with_element!(dtype, T => {
                let mut values = operands[0].to_vec::<T>();
                // An axis without elements has no lanes either.
                for lane in values.chunks_exact_mut(length.max(1)) {
                    self.accumulate(lane);
                }
                Tensor::from_vec(lanes.shape().clone(), values)
            })
        });
        transpose::permute(&result, &transpose::inverse(&permutation))
    }

    fn accumulate<T: ScalarSemantics>(&self, lane: &mut [T]) {
        if self.reverse {
            lane.reverse();
        }
        match self.kind {
            CumulativeKind::Sum => prefix_sums(lane),
            CumulativeKind::Prod => accumulate_by(lane, T::mul),
            CumulativeKind::Max => accumulate_by(lane, T::max),
            CumulativeKind::Min => accumulate_by(lane, T::min),
            CumulativeKind::LogSumExp => accumulate_by(lane, log_add_exp),
        }
        if self.reverse {
            lane.reverse();
        }
    }
}

fn accumulate_by<T: Copy>(lane: &mut [T], combine: impl Fn(T, T) -> T) {
    for i in 1..lane.len() {
        lane[i] = combine(lane[i - 1], lane[i]);
    }
}

/// log(exp(x) + exp(y)) as the greater operand plus a correction that cannot overflow. Where the difference is NaN (which
/// compares with nothing) the operands are equal infinities or one is NaN, and the sum is right.
fn log_add_exp<T: ScalarSemantics>(x: T, y: T) -> T {
    let difference = x.sub(y);
    if difference.partial_order(difference).is_none() {
        x.add(y)
    } else {
        x.max(y).add(difference.abs().neg().exp().log1p())
    }
}
