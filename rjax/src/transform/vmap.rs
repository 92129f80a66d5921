//! Batching: a function of one example becomes a function of many.

use std::sync::Arc;

use rjax_autodiff::BatchAxis;
use rjax_ir::{Aval, ErrorKind};

use super::{derived_name, rebuild, trace_fun};
use crate::error::{check, fail_with};
use crate::fun::{argument_leaves, leaf_name};
use crate::trace::{self, Input, Scope};
use crate::tree::{Axis, resolve};
use crate::{Args, Array, Fun, IntoFun, Tree};

/// What [`vmap_with`] can be told beyond the arguments' axes.
#[derive(Clone, Debug)]
pub struct VmapOptions {
    /// Where results have the batch axis; `Axis::None` for results that are the same for all examples. Default: axis 0.
    pub out_axes: Axis,
    /// A name for the axis, for [`lax::psum`](crate::lax::psum) and its relatives.
    pub axis_name: Option<Arc<str>>,
    /// The number of examples, where no argument tells.
    pub axis_size: Option<usize>,
}

impl Default for VmapOptions {
    fn default() -> Self {
        VmapOptions { out_axes: Axis::At(0), axis_name: None, axis_size: None }
    }
}

/// The function applied to every element along an axis of its arguments, with results stacked along axis 0.
///
/// `in_axes` says for each argument which axis counts the examples; `_` marks an argument that all examples share. The loop
/// is pushed into the ops: a batched matrix-vector product is one matrix product.
///
/// ```
/// use rjax::prelude::*;
/// let dot = |x: &Array, y: &Array| x.dot(y);
/// let rows = jnp::array([[1.0, 2.0], [3.0, 4.0]]);
/// let y = jnp::array([1.0, 10.0]);
/// assert_eq!(vmap(dot, axes![0, _])(&rows, &y).to_vec::<f32>(), [21.0, 43.0]);
/// ```
#[track_caller]
pub fn vmap<'f, I: Args, R: Tree, M>(f: impl IntoFun<'f, I, R, M>, in_axes: I::Axes) -> Fun<'f, I, R> {
    vmap_with(f, in_axes, VmapOptions::default())
}

/// As [`vmap`] with options.
#[track_caller]
pub fn vmap_with<'f, I: Args, R: Tree, M>(
    f: impl IntoFun<'f, I, R, M>,
    in_axes: I::Axes,
    options: VmapOptions,
) -> Fun<'f, I, R> {
    let fun = f.into_fun();
    Fun::new(derived_name("vmap", fun.name()), move |arguments: I::Refs<'_>| {
        let leaves = argument_leaves::<I>(arguments);
        let axes: Vec<Option<usize>> = in_axes
            .as_ref()
            .iter()
            .enumerate()
            .flat_map(|(position, axis)| {
                let name = format!("vmap: in_axes of argument {position}");
                check(resolve(&name, axis, |v| I::visit_argument(arguments, position, v), Array::ndim))
            })
            .collect();
        let size = batch_size::<I>(arguments, &leaves, &axes, options.axis_size);
        let example = |leaf: usize, x: &Array| match axes[leaf] {
            Some(axis) => {
                Input { aval: Aval::new(x.dtype(), x.shape().without(&[axis])), weak: x.is_weak(), source: None }
            }
            None => Input::known(x),
        };
        let (traced, out) = trace::with_axis(options.axis_name.as_ref(), size, || {
            trace_fun(Scope::new("vmap", fun.name()), &fun, arguments, example)
        });
        let out_axes = check(resolve("vmap: out_axes", &options.out_axes, |v| out.visit(v), |x| x.ndim() + 1));
        let batch = BatchAxis { size, name: options.axis_name.clone() };
        let program_axes: Vec<Option<usize>> =
            axes.iter().copied().chain(traced.captures.iter().map(|_| None)).collect();
        let batched = check(rjax_autodiff::vmap(&traced.program, &batch, &program_axes, &out_axes));
        let inputs: Vec<Array> = leaves.into_iter().cloned().chain(traced.captures).collect();
        rebuild(&out, trace::bind(&batched, &inputs, &traced.weak))
    })
}

/// The number of examples, the same for all mapped leaves.
fn batch_size<I: Args>(
    arguments: I::Refs<'_>,
    leaves: &[&Array],
    axes: &[Option<usize>],
    given: Option<usize>,
) -> usize {
    let mut first: Option<(String, usize)> = given.map(|size| ("axis_size".to_string(), size));
    for (i, (leaf, axis)) in leaves.iter().zip(axes).enumerate() {
        let Some(axis) = *axis else { continue };
        let size = leaf.shape()[axis];
        match &first {
            None => first = Some((format!("axis {axis} of {}", leaf_name::<I>(arguments, i)), size)),
            Some((name, expected)) if *expected != size => fail_with(
                ErrorKind::Shape,
                format!(
                    "vmap: the batch sizes differ: {name} has size {expected}, axis {axis} of {} has size {size}",
                    leaf_name::<I>(arguments, i)
                ),
            ),
            Some(_) => {}
        }
    }
    match first {
        Some((_, size)) => size,
        None => {
            fail_with(ErrorKind::Structure, "vmap: no argument is mapped; give at least one an axis, or set axis_size")
        }
    }
}
