//! SciPy's functions, as JAX has them.

pub mod linalg;
pub mod special;
pub mod stats;
