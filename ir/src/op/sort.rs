//! Sorting along an axis.

use std::cmp::Ordering;

use crate::eval::order::{self, Nan};
use crate::eval::strided;
use crate::math::unstable_sort;
use crate::op::transpose;
use crate::{Aval, DTypeSet, Result, Tensor, check, ensure};

/// Parameters of `sort`: `(x…) -> y…`. Ascending; NaN of any sign last, -0 equal to 0; complex numbers lexicographic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sort {
    /// The axis.
    pub axis: usize,
    /// Equal keys keep their order; otherwise it is the one that XLA on CPUs leaves them in
    /// ([`math::unstable_sort`](crate::math::unstable_sort)).
    pub stable: bool,
    /// How many leading operands are compared, the first one foremost.
    pub num_keys: usize,
}

impl Sort {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "sort";
        ensure!(
            (1..=inputs.len()).contains(&self.num_keys),
            Structure,
            "{NAME}: num_keys must be at least 1 and at most the number of operands, found {} for {}",
            self.num_keys,
            check::count(inputs.len(), "operand")
        );
        for key in &inputs[..self.num_keys] {
            check::dtype(NAME, DTypeSet::ANY, key)?;
        }
        check::axis(NAME, "axis", self.axis, inputs[0].rank(), &inputs[0])?;
        for x in inputs {
            ensure!(x.shape == inputs[0].shape, Shape, "{NAME}: operands have different shapes: {} and {x}", inputs[0]);
        }
        Ok(inputs.to_vec())
    }
}

impl Sort {
    pub(crate) fn eval(&self, inputs: &[Tensor]) -> Vec<Tensor> {
        let permutation = transpose::last(self.axis, inputs[0].shape().rank());
        let length = inputs[0].shape()[self.axis];
        let lanes: Vec<Tensor> = inputs.iter().map(|x| transpose::permute(x, &permutation)).collect();
        let keys: Vec<_> = lanes[..self.num_keys].iter().map(|x| order::ranks(x, Nan::Last)).collect();
        let mut positions: Vec<usize> = (0..inputs[0].shape().size()).collect();
        let compare = |a: usize, b: usize| {
            keys.iter().map(|key| key[a].cmp(&key[b])).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        for lane in positions.chunks_exact_mut(length.max(1)) {
            if self.stable {
                lane.sort_by(|&a, &b| compare(a, b));
            } else {
                unstable_sort(lane, |a, b| compare(a, b).is_lt());
            }
        }
        let sorted = lanes.iter().map(|x| strided::pick(x, x.shape(), positions.iter().copied()));
        sorted.map(|x| transpose::permute(&x, &transpose::inverse(&permutation))).collect()
    }
}
