//! Communication along named axes of `vmap`.
//!
//! ```
//! use rjax::prelude::*;
//! let normalize = |x: &Array| x / lax::psum(x, "batch");
//! let options = VmapOptions { axis_name: Some("batch".into()), ..VmapOptions::default() };
//! let y = vmap_with(normalize, axes![0], options)(&jnp::array([1.0, 1.0, 2.0]));
//! assert_eq!(y.to_vec::<f32>(), [0.25, 0.25, 0.5]);
//! ```

use rjax_ir::{Collective, Op};

use crate::Array;
use crate::trace::{emit, emit1};

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
