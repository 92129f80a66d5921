//! Communication along named axes, which `vmap` (and later `pmap`) binds.

use std::sync::Arc;

use crate::{Aval, Binary, DType, Result, check, ensure};

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

impl Collective {
    /// The named axes it communicates along.
    pub fn axes(&self) -> &[Arc<str>] {
        match self {
            Collective::Psum { axes } | Collective::Pmax { axes } | Collective::Pmin { axes } => axes,
            Collective::AxisIndex { axis } => std::slice::from_ref(axis),
        }
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let op = self.name();
        let combiner = match self {
            Collective::AxisIndex { .. } => {
                let [] = check::operands(op, inputs)?;
                return Ok(vec![Aval::scalar(DType::I32)]);
            }
            Collective::Psum { .. } => Binary::Add,
            Collective::Pmax { .. } => Binary::Max,
            Collective::Pmin { .. } => Binary::Min,
        };
        for (i, axis) in self.axes().iter().enumerate() {
            ensure!(!self.axes()[..i].contains(axis), Parameter, "{op}: axis {axis} is repeated");
        }
        for x in inputs {
            check::dtype(op, combiner.accepts(), x)?;
        }
        Ok(inputs.to_vec())
    }
}
