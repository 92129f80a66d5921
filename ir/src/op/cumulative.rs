//! Cumulative ops along an axis.

use crate::{Aval, Binary, DTypeSet, Result, check};

/// What a cumulative op accumulates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum CumulativeKind {
    /// `cumsum`.
    Sum,
    /// `cumprod`.
    Prod,
    /// `cummax`.
    Max,
    /// `cummin`.
    Min,
    /// `cumlogsumexp`.
    LogSumExp,
}

/// Parameters of the cumulative ops: `(x) -> y` of the same shape.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cumulative {
    /// What is accumulated.
    pub kind: CumulativeKind,
    /// The axis.
    pub axis: usize,
    /// From the last element to the first.
    pub reverse: bool,
}

impl Cumulative {
    /// JAX's name.
    pub fn name(&self) -> &'static str {
        match self.kind {
            CumulativeKind::Sum => "cumsum",
            CumulativeKind::Prod => "cumprod",
            CumulativeKind::Max => "cummax",
            CumulativeKind::Min => "cummin",
            CumulativeKind::LogSumExp => "cumlogsumexp",
        }
    }
}

impl CumulativeKind {
    /// The dtypes it accepts.
    pub fn accepts(self) -> DTypeSet {
        match self {
            CumulativeKind::Sum => Binary::Add.accepts(),
            CumulativeKind::Prod => Binary::Mul.accepts(),
            CumulativeKind::Max => Binary::Max.accepts(),
            CumulativeKind::Min => Binary::Min.accepts(),
            CumulativeKind::LogSumExp => DTypeSet::FLOAT,
        }
    }
}

impl Cumulative {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let [x] = check::operands(self.name(), inputs)?;
        check::dtype(self.name(), self.kind.accepts(), x)?;
        check::axis(self.name(), "axis", self.axis, x.rank(), x)?;
        Ok(vec![x.clone()])
    }
}
