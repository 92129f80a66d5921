//! Everything that programs usually need: `use rjax::prelude::*;`.

pub use crate::array::{Array, Ellipsis, NewAxis, Operand, Span, keepdims};
pub use crate::fun::{Args, Fun, IntoFun};
pub use crate::numpy as jnp;
pub use crate::random::Key;
pub use crate::transform::{
    Arg, Compiled, Jit, VmapOptions, checkpoint, custom_jvp, custom_vjp, eval_shape, grad, grad_argnums, grad_with_aux,
    hessian, jacfwd, jacobian, jacrev, jit, jvp, linear_transpose, linearize, make_jaxpr, stop_gradient,
    value_and_grad, value_and_grad_argnums, value_and_grad_with_aux, vjp, vjp_with_aux, vmap, vmap_with,
};
pub use crate::tree::{Axis, Tree};
pub use crate::{DType, Device, axes, axis, debug, lax, nn, random, tree};
