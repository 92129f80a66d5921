//! The runtime of rjax: where arrays live and what they run on.
//!
//! A [`Buffer`] is an array in the host's memory, from a pool that recycles blocks; [`devices`] says what this machine can
//! run programs on and why the rest is missing; [`threads`] is how many threads kernels may use; [`profile`] notes what they did when.
//!
//! ```
//! use rjax_runtime::Buffer;
//! let buffer = Buffer::from_slice([2, 2], &[1.0f32, 2.0, 3.0, 4.0]);
//! assert_eq!(buffer.to_tensor().to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0]);
//! ```

#![warn(missing_docs)]

mod buffer;
mod device;
mod matrix_tiles;
pub mod pjrt;
mod pool;
pub mod profile;
mod sync;
mod threads;
mod timings;

pub use buffer::Buffer;
pub use device::{Device, DeviceReport, devices};
pub use matrix_tiles::matrix_tiles;
pub use pool::{PoolStats, guarded, pool_stats, release_unused};
pub use threads::{parallel_for, set_threads, threads};
pub use timings::timed;
