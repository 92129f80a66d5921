//! Communication along named axes, which `vmap` (and later `pmap`) binds.

use std::sync::Arc;

/// A collective over a named axis. Outside every binder of the axis it is an error; batching over the axis replaces it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Collective {
    /// `(x…) -> y…`: sums over the axes.
    Psum {
        /// Axis names.
        axes: Vec<Arc<str>>,
    },
    /// `(x…) -> y…`: maxima over the axes.
    Pmax {
        /// Axis names.
        axes: Vec<Arc<str>>,
    },
    /// `(x…) -> y…`: minima over the axes.
    Pmin {
        /// Axis names.
        axes: Vec<Arc<str>>,
    },
    /// `() -> i32`: the position along the axis.
    AxisIndex {
        /// Axis name.
        axis: Arc<str>,
    },
}

impl Collective {
    /// JAX's name.
    pub fn name(&self) -> &'static str {
        match self {
            Collective::Psum { .. } => "psum",
            Collective::Pmax { .. } => "pmax",
            Collective::Pmin { .. } => "pmin",
            Collective::AxisIndex { .. } => "axis_index",
        }
    }
}
