//! Communication along named axes of `vmap`.
//!
//! ```
//! use rjax::prelude::*;
//! let normalize = |x: &Array| x / lax::psum(x, "batch");
//! let options = VmapOptions { axis_name: Some("batch".into()), ..VmapOptions::default() };
//! let y = vmap_with(normalize, axes![0], options)(&jnp::array([1.0, 1.0, 2.0]));
//! assert_eq!(y.to_vec::<f32>(), [0.25, 0.25, 0.5]);
//! ```

use rjax_ir::{Collective, DType, ErrorKind, Op, Scalar};

use crate::Array;
use crate::error::{check, fail_with};
use crate::trace::{self, emit, emit1};

/// The sum over a named axis.
#[track_caller]
pub fn psum(x: &Array, axis: &str) -> Array {
    emit1(Op::Collective(Collective::Psum { axes: vec![axis.into()] }), &[x])
}

/// The maximum over a named axis.
#[track_caller]
pub fn pmax(x: &Array, axis: &str) -> Array {
    emit1(Op::Collective(Collective::Pmax { axes: vec![axis.into()] }), &[x])
}

/// The minimum over a named axis.
#[track_caller]
pub fn pmin(x: &Array, axis: &str) -> Array {
    emit1(Op::Collective(Collective::Pmin { axes: vec![axis.into()] }), &[x])
}

/// The mean over a named axis.
#[track_caller]
pub fn pmean(x: &Array, axis: &str) -> Array {
    let one = Array::constant(rjax_ir::Scalar::one(x.dtype()), false);
    psum(x, axis) / psum(&one, axis)
}

/// The position along a named axis.
#[track_caller]
pub fn axis_index(axis: &str) -> Array {
    emit(Op::Collective(Collective::AxisIndex { axis: axis.into() }), &[]).remove(0)
}

/// The size of a named axis. JAX: `lax.axis_size`.
#[track_caller]
pub fn axis_size(axis: &str) -> usize {
    match trace::axis_size(axis) {
        Some(size) => size,
        None => {
            let bound: Vec<String> = trace::bound_axes().iter().map(|(name, _)| format!("`{name}`")).collect();
            let bound = if bound.is_empty() { "none".to_string() } else { bound.join(", ") };
            fail_with(ErrorKind::Parameter, format!("axis_size: no axis `{axis}` is bound here; bound axes: {bound}"))
        }
    }
}

/// The values of all participants along a named axis, stacked along a new axis. JAX: `lax.all_gather`.
///
/// A sum in which each participant fills its own place, and zeros elsewhere.
///
/// ```
/// use rjax::prelude::*;
/// let options = VmapOptions { axis_name: Some("i".into()), ..VmapOptions::default() };
/// let y = vmap_with(|x: &Array| lax::all_gather(x, "i", 0), axes![0], options)(&jnp::array([1, 2]));
/// assert_eq!(y.to_vec::<i32>(), [1, 2, 1, 2]);
/// ```
#[track_caller]
pub fn all_gather(x: &Array, axis: &str, at: isize) -> Array {
    let size = axis_size(axis);
    let at = check(super::resolve_axis("all_gather", at, x.ndim() + 1));
    let shape = x.shape().with_axis(at, size);
    let others: Vec<usize> = (0..shape.rank()).filter(|&a| a != at).collect();
    let mine = super::eq(super::broadcasted_iota(DType::I32, shape.clone(), at), axis_index(axis).broadcasted(&shape));
    let zero = Array::constant(Scalar::zero(x.dtype()), false).broadcasted(&shape);
    psum(&super::select(mine, super::broadcast_in_dim(x, shape, &others), zero), axis)
}

/// The participant's own entry of a table with one for each.
#[track_caller]
fn own_entry(table: &[i32], axis: &str) -> Array {
    super::dynamic_index_in_dim(&Array::from_slice(table), axis_index(axis), 0)
}

/// Values sent from participant to participant, by pairs of source and destination; who receives nothing has zeros. JAX:
/// `lax.ppermute`.
#[track_caller]
pub fn ppermute(x: &Array, axis: &str, permutation: &[(usize, usize)]) -> Array {
    let size = axis_size(axis);
    let mut source = vec![-1i32; size];
    for &(from, to) in permutation {
        if from >= size || to >= size || source[to] >= 0 {
            fail_with(
                ErrorKind::Parameter,
                format!(
                    "ppermute: the pair ({from}, {to}) repeats a destination or is out of range for {size} participants"
                ),
            )
        }
        source[to] = from as i32;
    }
    let from = own_entry(&source, axis);
    let received = super::dynamic_index_in_dim(&all_gather(x, axis, 0), super::max(&from, 0), 0);
    let zero = Array::constant(Scalar::zero(x.dtype()), false).broadcasted(&x.shape());
    super::select(super::ge(&from, 0).broadcasted(&x.shape()), received, zero)
}

/// Participant i receives the value of participant `permutation[i]`. JAX: `lax.pshuffle`.
#[track_caller]
pub fn pshuffle(x: &Array, axis: &str, permutation: &[usize]) -> Array {
    let pairs: Vec<(usize, usize)> = permutation.iter().enumerate().map(|(to, &from)| (from, to)).collect();
    ppermute(x, axis, &pairs)
}

/// Splits an axis into one piece for each participant, sends piece i to participant i, and puts what arrives one after the
/// other along another axis. JAX: `lax.all_to_all(…, tiled=True)`.
#[track_caller]
pub fn all_to_all(x: &Array, axis: &str, split_axis: isize, concat_axis: isize) -> Array {
    let size = axis_size(axis);
    let split_axis = check(super::resolve_axis("all_to_all", split_axis, x.ndim()));
    let concat_axis = check(super::resolve_axis("all_to_all", concat_axis, x.ndim()));
    let piece = own_piece("all_to_all", &all_gather(x, axis, 0), axis, split_axis + 1, x.shape()[split_axis], size);
    let shape = piece.shape();
    let parts: Vec<Array> = (0..size).map(|i| super::index_in_dim(&piece, i, 0)).collect();
    if parts.is_empty() {
        return super::reshape(&piece, shape.without(&[0]));
    }
    super::concatenate(&parts.iter().collect::<Vec<_>>(), concat_axis)
}

/// Swaps a named axis with an axis of the array, which has its size. JAX: `lax.pswapaxes`.
#[track_caller]
pub fn pswapaxes(x: &Array, axis: &str, array_axis: isize) -> Array {
    let resolved = check(super::resolve_axis("pswapaxes", array_axis, x.ndim()));
    if x.shape()[resolved] != axis_size(axis) {
        fail_with(
            ErrorKind::Shape,
            format!(
                "pswapaxes: axis {resolved} of {} does not have the size of `{axis}`, {}",
                x.aval(),
                axis_size(axis)
            ),
        )
    }
    all_to_all(x, axis, resolved as isize, resolved as isize)
}

/// The sum over a named axis, of which each participant keeps its own piece along an axis of the array. JAX:
/// `lax.psum_scatter(…, tiled=True)`.
#[track_caller]
pub fn psum_scatter(x: &Array, axis: &str, scatter_axis: isize) -> Array {
    let size = axis_size(axis);
    let scatter_axis = check(super::resolve_axis("psum_scatter", scatter_axis, x.ndim()));
    own_piece("psum_scatter", &psum(x, axis), axis, scatter_axis, x.shape()[scatter_axis], size)
}

/// The participant's own piece of an array along an axis of this extent.
#[track_caller]
fn own_piece(function: &str, x: &Array, axis: &str, along: usize, extent: usize, size: usize) -> Array {
    if size == 0 || !extent.is_multiple_of(size) {
        fail_with(
            ErrorKind::Shape,
            format!(
                "{function}: an axis of size {extent} does not divide into {size} pieces, one for each participant"
            ),
        )
    }
    let piece = extent / size;
    super::dynamic_slice_in_dim(x, super::mul(axis_index(axis), piece), piece, along as isize)
}
