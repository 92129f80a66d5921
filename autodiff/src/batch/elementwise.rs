//! Batching of elementwise ops: the batch axis stays where it is.

use rjax_ir::{Atom, Op};

use super::Batcher;
use super::lanes::Value;

impl Batcher<'_> {
    pub fn elementwise(&mut self, op: &Op, inputs: &[Value]) -> Vec<Value> {
        let (atoms, axis) = self.align(inputs);
        self.emit_at(op.clone(), &atoms, axis)
    }

    /// A scalar predicate that all lanes share stays scalar; one that differs from lane to lane is repeated over the lane.
    pub fn select(&mut self, inputs: &[Value]) -> Vec<Value> {
        let (which, cases) = (inputs[0], &inputs[1..]);
        let scalar = self.lane_rank(which) == 0;
        if !scalar {
            return self.elementwise(&Op::Select, inputs);
        }
        let (cases, axis) = self.align(cases);
        let which = match which.axis {
            None => which.atom,
            Some(_) => self.over_lanes(which.atom, cases[0], axis),
        };
        let inputs: Vec<Atom> = std::iter::once(which).chain(cases).collect();
        self.emit_at(Op::Select, &inputs, axis)
    }

    /// Each bound is a scalar or of x's shape; only a scalar that all lanes share can stay scalar.
    pub fn clamp(&mut self, inputs: &[Value]) -> Vec<Value> {
        let [low, x, high] = inputs else { unreachable!("verified: clamp has three operands") };
        let rank = self.lane_rank(*x);
        let same_rank = [x, low, high].into_iter().filter(|v| self.lane_rank(**v) == rank);
        let axis = same_rank.filter_map(|v| v.axis).next().unwrap_or(0);
        let x = self.at_axis(*x, axis);
        let [low, high] = [low, high].map(|&bound| match bound.axis {
            None if self.lane_rank(bound) == 0 => bound.atom,
            Some(_) if self.lane_rank(bound) < rank => self.over_lanes(bound.atom, x, axis),
            None | Some(_) => self.at_axis(bound, axis),
        });
        self.emit_at(Op::Clamp, &[low, x, high], axis)
    }

    /// One scalar for each lane, repeated over the shape of `like`, whose batch axis is `axis`.
    pub fn over_lanes(&mut self, scalars: Atom, like: Atom, axis: usize) -> Atom {
        let shape = self.b.shape(like);
        self.b.broadcast_in_dim(scalars, &shape, &[axis])
    }

    pub fn optimization_barrier(&mut self, inputs: &[Value]) -> Vec<Value> {
        self.emit_call(Op::OptimizationBarrier, inputs, inputs.iter().map(|value| value.axis).collect())
    }
}
