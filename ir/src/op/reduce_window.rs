//! Reductions over sliding windows.

use crate::op::reduce;
use crate::{Aval, Program, Reducer, Result, check};

/// A sliding window; every field has one entry for each axis of the operand.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// Extents.
    pub dimensions: Vec<usize>,
    /// Steps.
    pub strides: Vec<usize>,
    /// Low and high padding.
    pub padding: Vec<(i64, i64)>,
    /// Spacing of the operand's elements.
    pub base_dilation: Vec<usize>,
    /// Spacing of the window's elements.
    pub window_dilation: Vec<usize>,
}

pub(crate) fn infer(op: &str, reducer: Reducer, window: &Window, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(op, inputs)?;
    check::dtype(op, reducer.accepts(), x)?;
    Ok(vec![x.with_shape(check::windows(op, window, x)?)])
}

pub(crate) fn infer_general(body: &Program, window: &Window, inputs: &[Aval]) -> Result<Vec<Aval>> {
    const NAME: &str = "reduce_window";
    let (operands, _) = reduce::split_inits(NAME, body, inputs)?;
    let shape = check::windows(NAME, window, &operands[0])?;
    Ok(operands.iter().map(|x| x.with_shape(shape.clone())).collect())
}
