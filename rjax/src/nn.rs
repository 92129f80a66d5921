//! Functions of neural networks.

mod activation;
pub mod initializers;
mod normalize;

pub use activation::*;
pub use normalize::*;
