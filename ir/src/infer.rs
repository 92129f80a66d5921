//! Shape and dtype rules: the types of an op's results from those of its operands.

use crate::{Aval, Op, Result};

/// The result types of `op` on operands of these types, or an error that says what does not fit.
pub fn infer(op: &Op, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let _ = (op, inputs);
    unimplemented!()
}
