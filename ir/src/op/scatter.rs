//! Scatter: windows of an array replaced or combined at computed positions.

use crate::eval::strided::Positions;
use crate::op::gather::{WindowStarts, check_indices, check_left_out};
use crate::{Aval, Binary, IndexMode, Result, Shape, Tensor, check, ensure};

/// How an update meets the value that is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Combiner {
    /// The update replaces it; where indices repeat, the last one (in row-major order of `indices`) wins.
    Replace,
    /// Sum.
    Add,
    /// Product.
    Mul,
    /// Minimum.
    Min,
    /// Maximum.
    Max,
}

/// Parameters of `scatter`, `scatter-add` and so on: `(x, indices, updates) -> y`, as in JAX's `ScatterDimensionNumbers`. The
/// last axis of `indices` is the index vector. Updates are applied in row-major
/// order of `indices`, each rounded to the dtype. A window that does not fit as a whole is dropped
/// or moved as a whole.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scatter {
    /// How an update meets the value that is there.
    pub combiner: Combiner,
    /// Axes of the updates that are window axes, in order.
    pub update_window_dims: Vec<usize>,
    /// Axes of x that have window extent 1 and no axis in the updates.
    pub inserted_window_dims: Vec<usize>,
    /// Axes of x that are batched against `scatter_indices_batching_dims`.
    pub operand_batching_dims: Vec<usize>,
    /// Axes of `indices` paired with `operand_batching_dims`.
    pub scatter_indices_batching_dims: Vec<usize>,
    /// For each component of the index vector its axis of x.
    pub scatter_dims_to_operand_dims: Vec<usize>,
    /// What happens outside.
    pub mode: IndexMode,
    /// A promise that the indices are distinct.
    pub unique_indices: bool,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
}

impl Scatter {
    /// JAX's name.
    pub fn name(&self) -> &'static str {
        match self.combiner {
            Combiner::Replace => "scatter",
            Combiner::Add => "scatter-add",
            Combiner::Mul => "scatter-mul",
            Combiner::Min => "scatter-min",
            Combiner::Max => "scatter-max",
        }
    }
}

impl Combiner {
    /// The binary op that combines the value that is there with the update; none for `Replace`.
    pub fn binary(self) -> Option<Binary> {
        match self {
            Combiner::Replace => None,
            Combiner::Add => Some(Binary::Add),
            Combiner::Mul => Some(Binary::Mul),
            Combiner::Min => Some(Binary::Min),
            Combiner::Max => Some(Binary::Max),
        }
    }
}

impl Scatter {
    /// The axes of x that appear in the updates, in order.
    pub fn window_axes(&self, rank: usize) -> Vec<usize> {
        (0..rank)
            .filter(|axis| !self.inserted_window_dims.contains(axis) && !self.operand_batching_dims.contains(axis))
            .collect()
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let op = self.name();
        let [x, indices, updates] = check::operands(op, inputs)?;
        if let Some(combiner) = self.combiner.binary() {
            check::dtype(op, combiner.accepts(), x)?;
        }
        check::same_dtype(op, x, updates)?;
        let batch_rank = check_indices(
            op,
            x,
            indices,
            [
                ("scatter_dims_to_operand_dims", &self.scatter_dims_to_operand_dims),
                ("operand_batching_dims", &self.operand_batching_dims),
                ("scatter_indices_batching_dims", &self.scatter_indices_batching_dims),
            ],
        )?;
        check_left_out(op, x, "inserted_window_dims", &self.inserted_window_dims, &self.operand_batching_dims)?;
        let window_axes = self.window_axes(x.rank());
        ensure!(
            self.update_window_dims.len() == window_axes.len(),
            Structure,
            "{op}: update_window_dims must have one entry for each of the window axes {window_axes:?} of {x}, found {:?}",
            self.update_window_dims
        );
        ensure!(
            updates.rank() == window_axes.len() + batch_rank,
            Shape,
            "{op}: the updates must have {} window and {batch_rank} batch axes, found {updates}",
            window_axes.len()
        );
        check::increasing_axes(op, "update_window_dims axis", &self.update_window_dims, updates.rank(), updates)?;
        for (&axis, &update_axis) in window_axes.iter().zip(&self.update_window_dims) {
            ensure!(
                updates.shape[update_axis] <= x.shape[axis],
                Shape,
                "{op}: the updates' axis {update_axis} must not exceed axis {axis} of {x}, found {updates}"
            );
        }
        let batch = updates.shape.without(&self.update_window_dims);
        ensure!(
            batch[..] == indices.shape[..batch_rank],
            Shape,
            "{op}: the batch axes of updates and indices differ: {updates} without axes {:?} and {indices} without the last",
            self.update_window_dims
        );
        Ok(vec![x.clone()])
    }
}

impl Scatter {
    /// Updates that meet in one place are applied in row-major order of the indices, each rounded.
    pub(crate) fn eval(&self, x: &Tensor, indices: &Tensor, updates: &Tensor) -> Tensor {
        let shape = x.shape();
        if updates.shape().size() == 0 {
            return x.clone();
        }
        let window_axes = self.window_axes(shape.rank());
        let mut sizes = vec![1; shape.rank()];
        for (&axis, &update_axis) in window_axes.iter().zip(&self.update_window_dims) {
            sizes[axis] = updates.shape()[update_axis];
        }
        let starts = WindowStarts {
            shape,
            sizes: &sizes,
            map: &self.scatter_dims_to_operand_dims,
            batching: &self.operand_batching_dims,
            indices_batching: &self.scatter_indices_batching_dims,
            drop_outside: self.mode != IndexMode::Clip,
        };
        // An axis that no index speaks of begins at 0, and there a window of one element may still not fit.
        let fits = sizes.iter().zip(shape.iter()).all(|(size, extent)| size <= extent);
        let window: Vec<usize> = self.update_window_dims.iter().map(|&axis| updates.shape()[axis]).collect();
        let batch_axes: Vec<usize> =
            (0..updates.shape().rank()).filter(|axis| !self.update_window_dims.contains(axis)).collect();
        let batch: Vec<usize> = batch_axes.iter().map(|&axis| updates.shape()[axis]).collect();
        let steps = |shape: &Shape, axes: &[usize]| -> Vec<isize> {
            let strides = shape.strides();
            axes.iter().map(|&axis| strides[axis] as isize).collect()
        };
        let to: Vec<usize> = Positions::new(&window, 0, steps(shape, &window_axes)).collect();
        let from: Vec<usize> = Positions::new(&window, 0, steps(updates.shape(), &self.update_window_dims)).collect();
        let begins = Positions::new(&batch, 0, steps(updates.shape(), &batch_axes));
        with_element!(x.dtype(), T => {
            let source = updates.as_slice::<T>();
            let mut values = x.to_vec::<T>();
            for (begin, start) in begins.zip(starts.of(indices)) {
                if let Some(start) = start.filter(|_| fits) {
                    for (to, from) in to.iter().zip(&from) {
                        let (place, update) = (&mut values[start + to], source[begin + from]);
                        *place = self.combiner.binary().map_or(update, |op| op.eval([*place, update]));
                    }
                }
            }
            Tensor::from_vec(shape.clone(), values)
        })
    }
}
