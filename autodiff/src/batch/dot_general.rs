//! Batching of dots: two batched operands get a batch axis, one batched operand a free axis.

use rjax_ir::{DotGeneral, Op};

use super::Batcher;
use super::lanes::{Value, inserted, shifted};

impl Batcher<'_> {
    pub fn dot_general(&mut self, dot: &DotGeneral, inputs: &[Value]) -> Vec<Value> {
        let [lhs, rhs] = inputs else { unreachable!("verified: dot_general has two operands") };
        let mut new = dot.clone();
        if let Some(axis) = lhs.axis {
            new.lhs_contracting = shifted(&dot.lhs_contracting, axis);
            new.lhs_batch = shifted(&dot.lhs_batch, axis);
        }
        if let Some(axis) = rhs.axis {
            new.rhs_contracting = shifted(&dot.rhs_contracting, axis);
            new.rhs_batch = shifted(&dot.rhs_batch, axis);
        }
        let lhs_free = dot.lhs_free(self.lane_rank(*lhs));
        let rhs_free = dot.rhs_free(self.lane_rank(*rhs));
        let before = |free: &[usize], axis| free.iter().filter(|&&a| a < axis).count();
        let out = match (lhs.axis, rhs.axis) {
            (Some(lhs_axis), Some(rhs_axis)) => {
                new.lhs_batch = inserted(&new.lhs_batch, 0, lhs_axis);
                new.rhs_batch = inserted(&new.rhs_batch, 0, rhs_axis);
                0
            }
            (Some(axis), None) => dot.lhs_batch.len() + before(&lhs_free, axis),
            (None, Some(axis)) => dot.lhs_batch.len() + lhs_free.len() + before(&rhs_free, axis),
            (None, None) => unreachable!("an operand is batched"),
        };
        self.emit_at(Op::DotGeneral(new), &[lhs.atom, rhs.atom], out)
    }
}
