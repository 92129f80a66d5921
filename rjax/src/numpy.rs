//! NumPy's functions, as JAX has them: operands are promoted to a common dtype and broadcast to a common shape.
//!
//! ```
//! use rjax::prelude::*;
//! let x = jnp::arange(6).reshape([2, 3]);
//! let y = jnp::where_(x.gt(2), &x, 0).sum(1);
//! assert_eq!(y.to_vec::<i32>(), [0, 12]);
//! ```

mod arrange;
mod calculus;
mod creation;
mod dtypes;
mod einsum;
pub mod fft;
mod floats;
mod indexing;
mod integers;
pub mod linalg;
mod logic;
mod math;
mod nan;
mod padding;
mod polynomials;
mod products;
mod quantiles;
mod reductions;
mod sets;
mod shape;
mod sorting;
mod statistics;
mod windows;

pub use arrange::*;
pub use calculus::*;
pub use creation::*;
pub use dtypes::*;
pub use einsum::einsum;
pub use floats::*;
pub use indexing::*;
pub use integers::*;
pub use logic::*;
pub use math::*;
pub use nan::{
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar, nanvar_ddof,
};
pub use padding::*;
pub use polynomials::*;
pub use products::*;
pub use quantiles::*;
pub use reductions::*;
pub use sets::*;
pub use shape::*;
pub use sorting::*;
pub use statistics::*;
pub use windows::*;

use rjax_ir::DType;

use crate::Array;

/// The ratio of a circle's circumference to its diameter.
pub const PI: f64 = std::f64::consts::PI;
/// The base of natural logarithms.
pub const E: f64 = std::f64::consts::E;
/// Infinity.
pub const INF: f64 = f64::INFINITY;
/// Not a number.
pub const NAN: f64 = f64::NAN;
/// Euler's constant.
pub const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// The dtype in which these operands meet.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::ones([2], DType::BF16);
/// assert_eq!(jnp::result_type(&[&x, &Array::from(1.5)]), DType::BF16);
/// ```
pub fn result_type(operands: &[&Array]) -> DType {
    crate::array::result_type(operands).0
}

/// The dtype in which two dtypes meet.
pub fn promote_types(a: DType, b: DType) -> DType {
    crate::array::promote((a, false), (b, false)).0
}
