//! The ops themselves, as functions that check and never promote: operands must have one dtype, and one shape or be Rust
//! numbers. The functions of [`numpy`](crate::numpy) promote and broadcast, and are made of these.

mod collective;
mod cond;
mod contract;
mod elementwise;
mod fft;
mod gamma;
mod implicit;
mod indexing;
pub mod linalg;
mod reduce;
mod scan;
mod scattering;
mod shape;
mod shaping;
mod sort;
mod while_loop;
mod windows;

pub use collective::{
    all_gather, all_to_all, axis_index, axis_size, pmax, pmean, pmin, ppermute, pshuffle, psum, psum_scatter, pswapaxes,
};
pub use cond::{cond, switch};
pub(crate) use contract::matmul_precision;
pub use contract::{
    ConvDimensionNumbers, ConvOptions, Padding, batch_matmul, conv, conv_general_dilated, default_matmul_precision,
    dot, dot_general,
};
pub use elementwise::*;
pub use fft::fft;
pub use gamma::random_gamma_grad;
pub use implicit::{Operator, TransposeSolve, custom_linear_solve, custom_root};
pub use indexing::{
    dynamic_index_in_dim, dynamic_slice, dynamic_slice_in_dim, dynamic_update_index_in_dim, dynamic_update_slice,
    dynamic_update_slice_in_dim, gather, index_in_dim, scatter, slice, slice_in_dim,
};
pub use reduce::{
    argmax, argmin, avg_pool, cumlogsumexp, cummax, cummin, cumprod, cumsum, max_pool, reduce, reduce_and, reduce_max,
    reduce_min, reduce_or, reduce_prod, reduce_sum, reduce_window, reduce_xor,
};
pub use rjax_ir::{Combiner, FftKind as FftType, Gather, IndexMode, PadDim, Precision, Reducer, Scatter, Window};
pub use scan::{ScanOptions, associative_scan, fori_loop, map, scan, scan_with};
pub use scattering::{padtype_to_pads, scatter_add, scatter_max, scatter_min, scatter_mul, scatter_sub};
pub use shape::{
    broadcast, broadcast_in_dim, broadcasted_iota, collapse, concatenate, expand_dims, full, full_like, iota, pad,
    reshape, rev, split, squeeze, transpose,
};
pub(crate) use shape::{resolve_axes, resolve_axis};
pub use shaping::{
    approx_max_k, approx_min_k, broadcast_like, broadcast_shapes, broadcast_to_rank, dtype, empty, index_take, mulhi,
    stack, tile, unstack,
};
pub use sort::{sort, sort_key_val, top_k};
pub use while_loop::while_loop;
pub use windows::{ConvTransposeOptions, conv_general_dilated_patches, conv_transpose, conv_with_general_padding};

pub use crate::transform::stop_gradient;
