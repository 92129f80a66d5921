//! General dot products.

use crate::eval::sum::{accumulate, dot};
use crate::op::transpose;
use crate::{Aval, DType, Result, Shape, Tensor, check, ensure};

/// How exactly a dot multiplies on hardware that has a choice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Precision {
    /// The device's default.
    #[default]
    Default,
    /// Better than the default where that costs little.
    High,
    /// The operands' full precision.
    Highest,
}

/// Parameters of `dot_general`: `(lhs, rhs) -> y` with axes batch, lhs free, rhs free.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DotGeneral {
    /// Contracted axes of the lhs, paired with `rhs_contracting`.
    pub lhs_contracting: Vec<usize>,
    /// Contracted axes of the rhs.
    pub rhs_contracting: Vec<usize>,
    /// Batch axes of the lhs, paired with `rhs_batch`.
    pub lhs_batch: Vec<usize>,
    /// Batch axes of the rhs.
    pub rhs_batch: Vec<usize>,
    /// Precision on hardware that has a choice.
    pub precision: Precision,
    /// Dtype of the result; products accumulate in it (in `f32` for `f16` and `bf16`).
    pub preferred: DType,
}

impl DotGeneral {
    /// The axes of the lhs that are neither batch nor contracted, in order.
    pub fn lhs_free(&self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|a| !self.lhs_batch.contains(a) && !self.lhs_contracting.contains(a)).collect()
    }

    /// The axes of the rhs that are neither batch nor contracted, in order.
    pub fn rhs_free(&self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|a| !self.rhs_batch.contains(a) && !self.rhs_contracting.contains(a)).collect()
    }
}

impl DotGeneral {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "dot_general";
        let [lhs, rhs] = check::operands(NAME, inputs)?;
        check::same_dtype(NAME, lhs, rhs)?;
        check::preferred(NAME, lhs.dtype, self.preferred)?;
        let lhs_axes = [&self.lhs_batch[..], &self.lhs_contracting].concat();
        let rhs_axes = [&self.rhs_batch[..], &self.rhs_contracting].concat();
        check::distinct_axes(NAME, "lhs axis", &lhs_axes, lhs.rank(), lhs)?;
        check::distinct_axes(NAME, "rhs axis", &rhs_axes, rhs.rank(), rhs)?;
        for (kind, lhs_axes, rhs_axes) in
            [("batch", &self.lhs_batch, &self.rhs_batch), ("contracting", &self.lhs_contracting, &self.rhs_contracting)]
        {
            ensure!(
                lhs_axes.len() == rhs_axes.len(),
                Structure,
                "{NAME}: {kind} dimensions differ in number: lhs axes {lhs_axes:?} and rhs axes {rhs_axes:?}"
            );
            for (&l, &r) in lhs_axes.iter().zip(rhs_axes) {
                ensure!(
                    lhs.shape[l] == rhs.shape[r],
                    Shape,
                    "{NAME}: {kind} dimensions differ: lhs axis {l} has size {}, rhs axis {r} has size {}",
                    lhs.shape[l],
                    rhs.shape[r]
                );
            }
        }
        let batch = self.lhs_batch.iter().map(|&axis| lhs.shape[axis]);
        let lhs_free = self.lhs_free(lhs.rank()).into_iter().map(|axis| lhs.shape[axis]);
        let rhs_free = self.rhs_free(rhs.rank()).into_iter().map(|axis| rhs.shape[axis]);
        Ok(vec![Aval::new(self.preferred, batch.chain(lhs_free).chain(rhs_free).collect::<Shape>())])
    }
}

impl DotGeneral {
    pub(crate) fn eval(&self, lhs: &Tensor, rhs: &Tensor, output: &Aval) -> Tensor {
        let extents = |x: &Tensor, axes: &[usize]| axes.iter().map(|&axis| x.shape()[axis]).product::<usize>();
        let (lhs_free, rhs_free) = (self.lhs_free(lhs.shape().rank()), self.rhs_free(rhs.shape().rank()));
        let lhs_order = [&self.lhs_batch[..], &lhs_free, &self.lhs_contracting].concat();
        let rhs_order = [&self.rhs_batch[..], &rhs_free, &self.rhs_contracting].concat();
        let (batches, rows, columns) =
            (extents(lhs, &self.lhs_batch), extents(lhs, &lhs_free), extents(rhs, &rhs_free));
        let length = extents(lhs, &self.lhs_contracting);
        let lhs = transpose::permute(lhs, &lhs_order);
        let rhs = transpose::permute(rhs, &rhs_order);
        accumulate(&[&lhs, &rhs], wider(lhs.dtype(), self.preferred), self.preferred, |operands, dtype| {
            with_element!(dtype, T => {
                let (lhs, rhs) = (operands[0].as_slice::<T>(), operands[1].as_slice::<T>());
                let mut values: Vec<T> = Vec::with_capacity(output.size());
                for batch in 0..batches {
                    for row in batch * rows..(batch + 1) * rows {
                        let lhs = &lhs[row * length..(row + 1) * length];
                        for column in batch * columns..(batch + 1) * columns {
                            values.push(dot(lhs, &rhs[column * length..(column + 1) * length]));
                        }
                    }
                }
                Tensor::from_vec(output.shape.clone(), values)
            })
        })
    }
}

/// The dtype in which products of `operand` are summed for a result of `preferred`: `preferred`, unless it is the
/// narrower float.
pub(crate) fn wider(operand: DType, preferred: DType) -> DType {
    if operand.is_inexact() && operand.size() > preferred.size() { operand } else { preferred }
}
