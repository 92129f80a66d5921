//! JAX for Rust: composable transformations of array programs.
//!
//! Write an ordinary Rust function on [`Array`]s; differentiate it with [`grad`], batch it with [`vmap`], compile it with
//! [`jit`], in any order.
//!
//! ```
//! use rjax::prelude::*;
//!
//! fn loss(w: &Array, x: &Array, y: &Array) -> Array {
//!     (x.dot(w).tanh() - y).square().sum(..)
//! }
//!
//! let step = jit(grad(loss));
//! let per_example = jit(vmap(grad(loss), axes![_, 0, 0]));
//! # let (w, x, y) = (jnp::ones([3], DType::F32), jnp::ones([2, 3], DType::F32), jnp::zeros([2], DType::F32));
//! assert_eq!(step(&w, &x, &y).shape()[..], [3]);
//! assert_eq!(per_example(&w, &x, &y).shape()[..], [2, 3]);
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate self as rjax;

pub mod array;
pub mod debug;
pub mod device;
mod error;
pub mod fun;
pub mod import;
pub mod lax;
pub mod nn;
pub mod numpy;
pub mod prelude;
pub mod profiler;
pub mod random;
pub mod scipy;
pub mod test_util;
mod trace;
pub mod transform;
pub mod tree;

pub use array::Array;
pub use device::Device;
pub use fun::{Args, Fun, IntoFun};
pub use lax::default_matmul_precision;
pub use rjax_ir::{Aval, Complex64, Complex128, DType, Element, Error, ErrorKind, Location, Program, Result, Shape};
pub use rjax_ir::{bf16, f16};
pub use rjax_rewrite::{Report, Tier};
pub use transform::{
    Arg, checkpoint, custom_jvp, custom_vjp, eval_shape, grad, grad_argnums, grad_with_aux, hessian, jacfwd, jacobian,
    jacrev, jit, jvp, linear_transpose, linearize, make_jaxpr, stop_gradient, value_and_grad, value_and_grad_argnums,
    value_and_grad_with_aux, vjp, vjp_with_aux, vmap, vmap_with,
};
pub use tree::Tree;

/// The programs of the README and of the book, compiled and run by `cargo test`.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/tutorial.md")]
    struct Tutorial;
}
