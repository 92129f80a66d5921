//! Batching of ops along axes of each lane: reductions, cumulative ops, sorting. Their axes move aside for the batch axis.

use std::sync::Arc;

use rjax_ir::{ArgReduce, Cumulative, Op, Program, Reducer, Sort};

use super::Batcher;
use super::lanes::{Value, shifted, without};
use super::shape::single;

impl Batcher<'_> {
    pub fn reduce(&mut self, reducer: Reducer, axes: &[usize], inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        self.emit_at(Op::Reduce { reducer, axes: shifted(axes, axis) }, &[x], without(axis, axes))
    }

    /// Initial values are scalars: if they differ from lane to lane, the lanes cannot share one reduction.
    pub fn general_reduce(&mut self, body: &Arc<Program>, axes: &[usize], inputs: &[Value]) -> Vec<Value> {
        let (xs, inits) = inputs.split_at(inputs.len() / 2);
        if inits.iter().any(|init| init.axis.is_some()) {
            return self.one_lane_at_a_time(&Op::GeneralReduce { body: body.clone(), axes: axes.to_vec() }, inputs);
        }
        let (mut atoms, axis) = self.align(xs);
        atoms.extend(inits.iter().map(|init| init.atom));
        let op = Op::GeneralReduce { body: body.clone(), axes: shifted(axes, axis) };
        self.emit_at(op, &atoms, without(axis, axes))
    }

    pub fn arg_reduce(&mut self, arg: &ArgReduce, inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        let op = Op::ArgReduce(ArgReduce { axis: shifted(&[arg.axis], axis)[0], ..arg.clone() });
        self.emit_at(op, &[x], without(axis, &[arg.axis]))
    }

    pub fn cumulative(&mut self, cumulative: &Cumulative, inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        let op = Op::Cumulative(Cumulative { axis: shifted(&[cumulative.axis], axis)[0], ..cumulative.clone() });
        self.emit_at(op, &[x], axis)
    }

    pub fn sort(&mut self, sort: &Sort, inputs: &[Value]) -> Vec<Value> {
        let (atoms, axis) = self.align(inputs);
        self.emit_at(Op::Sort(Sort { axis: shifted(&[sort.axis], axis)[0], ..sort.clone() }), &atoms, axis)
    }

    /// `top_k` works along the last axis, so the batch axis must not be last.
    pub fn top_k(&mut self, k: usize, inputs: &[Value]) -> Vec<Value> {
        let (mut x, mut axis) = single(inputs);
        if axis + 1 == self.b.shape(x).rank() {
            x = self.b.move_axis(x, axis, 0);
            axis = 0;
        }
        self.emit_at(Op::TopK { k }, &[x], axis)
    }
}
