//! The rules of the structured ops, in files named as in the IR.

pub(crate) mod call;
pub(crate) mod collective;
pub(crate) mod cond;
pub(crate) mod conv;
pub(crate) mod cumulative;
pub(crate) mod custom_jvp;
pub(crate) mod custom_vjp;
pub(crate) mod dot_general;
pub(crate) mod elementwise;
pub(crate) mod fft;
pub(crate) mod gather;
pub(crate) mod general_reduce;
pub(crate) mod linalg;
pub(crate) mod linear_solve;
pub(crate) mod reduce;
pub(crate) mod reduce_window;
pub(crate) mod remat;
pub(crate) mod root;
pub(crate) mod scan;
pub(crate) mod scatter;
pub(crate) mod shape;
pub(crate) mod sort;
pub(crate) mod while_loop;
