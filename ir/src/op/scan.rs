//! A loop with a fixed number of steps.

use std::sync::Arc;

use crate::Program;

/// Parameters of `scan`: `(consts…, carry…, xs…) -> (carry…, ys…)`. The xs and ys have a leading axis of extent `length`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// `(consts…, carry…, x…) -> (carry…, y…)`.
    pub body: Arc<Program>,
    /// The number of steps.
    pub length: usize,
    /// From the last x to the first (ys are filled likewise).
    pub reverse: bool,
    /// How many inputs are the same in every step.
    pub num_consts: usize,
    /// How many values are carried.
    pub num_carry: usize,
}
