//! Functions of neural networks.

mod activation;
mod normalize;

pub use activation::*;
pub use normalize::*;
