//! SciPy's functions, as JAX has them.

pub mod linalg;
