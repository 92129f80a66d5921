//! Batching of `custom_linear_solve`: every lane has its own right-hand side, and its own matrix where a constant has lanes.

use rjax_ir::{LinearSolve, Op};

use super::Batcher;
use super::lanes::{Place, Value};

impl Batcher<'_> {
    /// Solutions have the types of right-hand sides, so all of them are batched.
    pub fn linear_solve(&mut self, solve: &LinearSolve, inputs: &[Value]) -> Vec<Value> {
        let (consts, vectors) = inputs.split_at(solve.num_consts);
        let vectors: Vec<Value> = vectors.iter().map(|value| self.put(*value, Place::At(0))).collect();
        let places = vec![Place::At(0); vectors.len()];
        let axes: Vec<_> = consts.iter().map(|value| value.axis).chain(vectors.iter().map(|_| Some(0))).collect();
        let op = solve.map_programs(|program| self.shared.batch(program, &axes, &places).0);
        let out_axes = vec![Some(0); vectors.len()];
        self.emit_call(Op::LinearSolve(op), &[consts, &vectors].concat(), out_axes)
    }
}
