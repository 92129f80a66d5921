//! Devices behind PJRT plugins: shared libraries that compile and run StableHLO, libtpu among them.
//!
//! A [`Plugin`] is loaded once and stays loaded. A [`Client`] has devices; it compiles portable artifacts to
//! [`Executable`]s, which run on arrays in the device's memory ([`DeviceBuffer`]). A plugin that knows machines
//! it is not on compiles for them ahead of time ([`Topology`]). Whatever a plugin makes is freed when its owner here
//! is dropped, and its errors carry their code and text.
//!
//! A plugin runs inside this process: one that crashes takes the process with it. Compilation ahead of time has a way
//! out: with [`AheadOptions`] it happens in a process of its own and within a time limit.
//!
//! ```
//! use rjax_runtime::pjrt::Plugin;
//! let error = Plugin::load("no/such/plugin.so").unwrap_err();
//! assert!(error.message.starts_with("pjrt: no/such/plugin.so: "));
//! ```

#![allow(unsafe_code)]

mod abi;
mod ahead;
mod client;
mod device;
mod hlo;
mod isolated;
mod library;
mod options;
mod report;

pub use ahead::{Compiled, MemoryStats, Topology};
pub use client::{Client, DeviceBuffer, Executable};
pub use device::PjrtDevice;
pub use isolated::{AheadOptions, check_tpu_topology, find_helper, serve};
pub use library::{Attribute, Plugin, find_libtpu, find_plugin};
pub use report::Report;
