//! Gather: windows of an array at computed positions.

use crate::eval::strided::{Positions, clamp_start, index_values};
use crate::{Aval, DType, DTypeSet, Result, Scalar, Shape, Tensor, check, ensure};

/// What happens to windows that do not fit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IndexMode {
    /// Starts are clamped so that the window fits.
    Clip,
    /// Gather fills the window with a value; scatter drops the update.
    FillOrDrop,
    /// The user promises that they fit; treated as `Clip` (gather) and `FillOrDrop` (scatter).
    PromiseInBounds,
}

/// Parameters of `gather`: `(x, indices) -> y`, as in JAX's `GatherDimensionNumbers`. The last axis of `indices` is the index
/// vector; its other axes are batch axes of the result.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Gather {
    /// Axes of the result that come from the window, in order.
    pub offset_dims: Vec<usize>,
    /// Axes of x whose window extent is 1 and that are left out of the result.
    pub collapsed_slice_dims: Vec<usize>,
    /// Axes of x that are batched against `start_indices_batching_dims`; window extent 1 (or 0), left out of the result's offset.
    pub operand_batching_dims: Vec<usize>,
    /// Axes of `indices` paired with `operand_batching_dims`.
    pub start_indices_batching_dims: Vec<usize>,
    /// For each component of the index vector its axis of x.
    pub start_index_map: Vec<usize>,
    /// The window's extents, one for each axis of x.
    pub slice_sizes: Vec<usize>,
    /// What happens outside.
    pub mode: IndexMode,
    /// The value for `FillOrDrop`; `None`: NaN, the least signed integer, all ones for unsigned, true for bool.
    pub fill_value: Option<Scalar>,
    /// A promise that the indices are distinct.
    pub unique_indices: bool,
    /// A promise that the indices are sorted.
    pub indices_are_sorted: bool,
}

impl Gather {
    /// The value for windows that do not fit under [`IndexMode::FillOrDrop`].
    pub fn fill(&self, dtype: DType) -> Scalar {
        self.fill_value.unwrap_or_else(|| {
            if dtype.is_signed_integer() {
                Scalar::least(dtype)
            } else if dtype.is_inexact() {
                Scalar::from_f64(dtype, f64::NAN)
            } else {
                Scalar::greatest(dtype)
            }
        })
    }

    /// The axes of x that appear in the result, in order.
    pub fn window_axes(&self, rank: usize) -> Vec<usize> {
        (0..rank)
            .filter(|axis| !self.collapsed_slice_dims.contains(axis) && !self.operand_batching_dims.contains(axis))
            .collect()
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "gather";
        let [x, indices] = check::operands(NAME, inputs)?;
        let batch_rank = check_indices(
            NAME,
            x,
            indices,
            [
                ("start_index_map", &self.start_index_map),
                ("operand_batching_dims", &self.operand_batching_dims),
                ("start_indices_batching_dims", &self.start_indices_batching_dims),
            ],
        )?;
        check_left_out(NAME, x, "collapsed_slice_dims", &self.collapsed_slice_dims, &self.operand_batching_dims)?;
        check::one_per_axis(NAME, "slice_sizes", self.slice_sizes.len(), x.rank(), x)?;
        for (axis, &size) in self.slice_sizes.iter().enumerate() {
            ensure!(
                size <= x.shape[axis],
                Shape,
                "{NAME}: slice_sizes must not exceed the extents of {x}, found {:?}",
                self.slice_sizes
            );
            ensure!(
                !self.collapsed_slice_dims.contains(&axis) || size == 1,
                Parameter,
                "{NAME}: the slice size of collapsed axis {axis} must be 1, found {size}"
            );
            ensure!(
                !self.operand_batching_dims.contains(&axis) || size <= 1,
                Parameter,
                "{NAME}: the slice size of batching axis {axis} must be at most 1, found {size}"
            );
        }
        let window_axes = self.window_axes(x.rank());
        ensure!(
            self.offset_dims.len() == window_axes.len(),
            Structure,
            "{NAME}: offset_dims must have one entry for each of the window axes {window_axes:?} of {x}, found {:?}",
            self.offset_dims
        );
        let rank = self.offset_dims.len() + batch_rank;
        check::increasing_axes(NAME, "offset_dims axis", &self.offset_dims, rank, "a result")?;
        if let Some(fill) = self.fill_value {
            ensure!(
                fill.dtype() == x.dtype,
                DType,
                "{NAME}: fill_value must have the dtype of {x}, found {}",
                fill.dtype()
            );
        }
        let mut window = window_axes.iter().map(|&axis| self.slice_sizes[axis]);
        let mut batch = indices.shape[..batch_rank].iter().copied();
        let shape: Shape = (0..rank)
            .filter_map(|axis| if self.offset_dims.contains(&axis) { window.next() } else { batch.next() })
            .collect();
        Ok(vec![x.with_shape(shape)])
    }
}

/// The indices and the axes they speak of, for gather and scatter: `start_index_map`, `operand_batching_dims` and
/// `start_indices_batching_dims` under the names that the op gives them. Returns the number of batch axes of the indices.
pub(crate) fn check_indices(
    op: &str,
    x: &Aval,
    indices: &Aval,
    [(map_name, map), (batching_name, batching), (indices_batching_name, indices_batching)]: [(&str, &Vec<usize>); 3],
) -> Result<usize> {
    ensure!(DTypeSet::INTEGER.contains(indices.dtype), DType, "{op}: indices must be integers, found {indices}");
    let Some(&components) = indices.shape.last() else {
        crate::bail!(Shape, "{op}: indices must have at least 1 axis, the index vector, found {indices}");
    };
    let batch_rank = indices.rank() - 1;
    ensure!(
        components == map.len(),
        Shape,
        "{op}: the index vector must have one component for each entry of {map_name} {map:?}, found indices {indices}"
    );
    let (map_axis, batching_axis) = (format!("{map_name} axis"), format!("{batching_name} axis"));
    check::distinct_axes(op, &map_axis, map, x.rank(), x)?;
    check::increasing_axes(op, &batching_axis, batching, x.rank(), x)?;
    check::distinct_axes(
        op,
        &format!("{indices_batching_name} axis"),
        indices_batching,
        batch_rank,
        "batch axes of the indices",
    )?;
    ensure!(
        batching.len() == indices_batching.len(),
        Structure,
        "{op}: {batching_name} and {indices_batching_name} must have equal length, found {batching:?} and {indices_batching:?}"
    );
    for (&axis, &index_axis) in batching.iter().zip(indices_batching) {
        ensure!(!map.contains(&axis), Parameter, "{op}: axis {axis} is in both {map_name} and {batching_name}");
        ensure!(
            x.shape[axis] == indices.shape[index_axis],
            Shape,
            "{op}: batching dimensions differ: operand axis {axis} has size {}, indices axis {index_axis} has size {}",
            x.shape[axis],
            indices.shape[index_axis]
        );
    }
    Ok(batch_rank)
}

/// The axes that the window leaves out are in order and no batching axes.
pub(crate) fn check_left_out(op: &str, x: &Aval, name: &str, left_out: &[usize], batching: &[usize]) -> Result<()> {
    check::increasing_axes(op, &format!("{name} axis"), left_out, x.rank(), x)?;
    for axis in left_out {
        ensure!(!batching.contains(axis), Parameter, "{op}: axis {axis} is in both {name} and the batching axes");
    }
    Ok(())
}

impl Gather {
    pub(crate) fn eval(&self, x: &Tensor, indices: &Tensor, output: &Aval) -> Tensor {
        let shape = x.shape();
        let fill = self.fill(x.dtype());
        let batch: Shape = indices.shape()[..indices.shape().rank() - 1].into();
        let starts = WindowStarts {
            shape,
            sizes: &self.slice_sizes,
            map: &self.start_index_map,
            batching: &self.operand_batching_dims,
            indices_batching: &self.start_indices_batching_dims,
            drop_outside: self.mode == IndexMode::FillOrDrop,
        };
        let window: Shape = self.offset_dims.iter().map(|&axis| output.shape[axis]).collect();
        let steps = |shape: &Shape, axes: &[usize]| -> Vec<isize> {
            let strides = shape.strides();
            axes.iter().map(|&axis| strides[axis] as isize).collect()
        };
        let batch_axes: Vec<usize> = (0..output.rank()).filter(|axis| !self.offset_dims.contains(axis)).collect();
        let from: Vec<usize> = Positions::new(&window, 0, steps(shape, &self.window_axes(shape.rank()))).collect();
        let to: Vec<usize> = Positions::new(&window, 0, steps(&output.shape, &self.offset_dims)).collect();
        let begins: Vec<usize> = Positions::new(&batch, 0, steps(&output.shape, &batch_axes)).collect();
        with_element!(x.dtype(), T => {
            let source = x.as_slice::<T>();
            let mut values = vec![fill.get::<T>(); output.size()];
            for (begin, start) in begins.into_iter().zip(starts.of(indices)) {
                if let Some(start) = start {
                    for (to, from) in to.iter().zip(&from) {
                        values[begin + to] = source[start + from];
                    }
                }
            }
            Tensor::from_vec(output.shape.clone(), values)
        })
    }
}

/// Where the windows of a gather or scatter begin in an array of `shape`.
pub(crate) struct WindowStarts<'a> {
    pub shape: &'a Shape,
    /// The window's extents, one for each axis of the array.
    pub sizes: &'a [usize],
    /// For each component of the index vector its axis.
    pub map: &'a [usize],
    /// Axes whose start is the position along the paired axis of the indices.
    pub batching: &'a [usize],
    pub indices_batching: &'a [usize],
    /// Whether a window that does not fit has no start; else it is moved so that it fits.
    pub drop_outside: bool,
}

impl WindowStarts<'_> {
    /// For each index vector, in row-major order, the flat position at which its window begins, if it has one.
    pub(crate) fn of(&self, indices: &Tensor) -> Vec<Option<usize>> {
        let batch: Shape = indices.shape()[..indices.shape().rank() - 1].into();
        let strides = self.shape.strides();
        let values = index_values(indices);
        let start_of = |(number, at): (usize, Vec<usize>)| {
            let mut position = 0;
            for (&axis, &index_axis) in self.batching.iter().zip(self.indices_batching) {
                position += at[index_axis] * strides[axis];
            }
            for (component, &axis) in self.map.iter().enumerate() {
                let start = values[number * self.map.len() + component];
                let clamped = clamp_start(start, self.shape[axis], self.sizes[axis])?;
                if self.drop_outside && i64::try_from(clamped) != Ok(start) {
                    return None;
                }
                position += clamped * strides[axis];
            }
            Some(position)
        };
        batch.indices().enumerate().map(start_of).collect()
    }
}
