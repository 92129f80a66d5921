//! `argmax`, `argmin`: the position of an extreme value along an axis.

use crate::eval::order::{self, Nan};
use crate::op::reduce;
use crate::{Aval, DType, DTypeSet, Result, Scalar, Shape, Tensor, check, ensure};

/// Parameters of `argmax` and `argmin`: `(x) -> indices` without the axis. The first NaN wins; ties go to the lowest index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ArgReduce {
    /// Largest (`argmax`) or smallest (`argmin`).
    pub largest: bool,
    /// The axis that goes away; its extent is not 0.
    pub axis: usize,
    /// The integer dtype of the result.
    pub index_dtype: DType,
}

impl ArgReduce {
    /// JAX's name.
    pub fn name(&self) -> &'static str {
        if self.largest { "argmax" } else { "argmin" }
    }
}

impl ArgReduce {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let op = self.name();
        let [x] = check::operands(op, inputs)?;
        check::dtype(op, DTypeSet::ORDERED, x)?;
        check::axis(op, "axis", self.axis, x.rank(), x)?;
        ensure!(x.shape[self.axis] > 0, Shape, "{op}: axis {} of {x} has no elements to choose from", self.axis);
        ensure!(
            DTypeSet::INTEGER.contains(self.index_dtype),
            DType,
            "{op}: index_dtype must be one of {}, found {}",
            DTypeSet::INTEGER,
            self.index_dtype
        );
        Ok(vec![Aval::new(self.index_dtype, x.shape.without(&[self.axis]))])
    }
}

impl ArgReduce {
    pub(crate) fn eval(&self, x: &Tensor) -> Tensor {
        let x = reduce::rows(x, &[self.axis]);
        let shape: Shape = x.shape()[..x.shape().rank() - 1].into();
        let length = x.shape()[x.shape().rank() - 1];
        let ranks = order::ranks(&x, Nan::winning(self.largest));
        let winner = |row: usize| {
            let first = row * length;
            order::extreme(&ranks, first..first + length, self.largest).expect("verified: the axis is not empty")
                - first
        };
        with_element!(self.index_dtype, T => {
            let winners = (0..shape.size()).map(|row| Scalar::from_i64(self.index_dtype, winner(row) as i64).get());
            Tensor::from_vec(shape.clone(), winners.collect::<Vec<T>>())
        })
    }
}
