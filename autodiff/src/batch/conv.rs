//! Batching of convolutions, which have no batch axes of the kind that dots have: the lanes hide in an axis that the
//! convolution treats element by element or group by group.
//!
//! - lhs alone: the lanes join its batch axis;
//! - rhs alone: the lanes join its output features;
//! - both: the lanes become groups, of features if there are no groups of batches, otherwise of batches.
//!
//! Groups that are there already must stay outermost in the axis they divide, so lanes go inside them in the first two
//! cases. Two groups that nest the lanes outside are simply more groups.

use rjax_ir::{Atom, Aval, Conv, Op, Shape};

use super::Batcher;
use super::lanes::Value;

impl Batcher<'_> {
    pub fn conv(&mut self, conv: &Conv, inputs: &[Value]) -> Vec<Value> {
        let [lhs, rhs] = inputs else { unreachable!("verified: conv_general_dilated has two operands") };
        let lanes = self.shared.size;
        if lanes == 0 {
            return self.empty_conv(conv, *lhs, *rhs);
        }
        let mut new = conv.clone();
        let (batch, feature, output_feature) = (conv.lhs_spec[0], conv.lhs_spec[1], conv.rhs_spec[0]);
        let groups = conv.feature_group_count * conv.batch_group_count;
        match (lhs.axis, rhs.axis) {
            (Some(lhs_axis), Some(rhs_axis)) => {
                let into = if conv.batch_group_count > 1 {
                    new.batch_group_count *= lanes;
                    batch
                } else {
                    new.feature_group_count *= lanes;
                    feature
                };
                let lhs = self.merge_axis(lhs.atom, lhs_axis, into, 1);
                let rhs = self.merge_axis(rhs.atom, rhs_axis, output_feature, 1);
                self.emit_conv(new, lhs, rhs, conv.out_spec[1], 1)
            }
            (Some(axis), None) => {
                let lhs = self.merge_axis(lhs.atom, axis, batch, conv.batch_group_count);
                self.emit_conv(new, lhs, rhs.atom, conv.out_spec[0], 1)
            }
            (None, Some(axis)) => {
                let rhs = self.merge_axis(rhs.atom, axis, output_feature, groups);
                self.emit_conv(new, lhs.atom, rhs, conv.out_spec[1], groups)
            }
            (None, None) => unreachable!("an operand is batched"),
        }
    }

    /// Emits the convolution and takes the lanes out of the result's axis `from`, where they are inside of `groups`.
    fn emit_conv(&mut self, conv: Conv, lhs: Atom, rhs: Atom, from: usize, groups: usize) -> Vec<Value> {
        let y = self.b.emit1(Op::Conv(conv), &[lhs, rhs]);
        let shape = self.b.shape(y);
        let inner = shape[from] / (groups * self.shared.size);
        let split: Shape = [&shape[..from], &[groups, self.shared.size, inner], &shape[from + 1..]].concat().into();
        let y = self.b.reshape(y, &split);
        let y = self.b.move_axis(y, from + 1, from);
        let merged: Shape = [&shape[..from], &[self.shared.size, groups * inner], &shape[from + 1..]].concat().into();
        vec![Value::batched(self.b.reshape(y, &merged), from)]
    }

    /// Moves the batch axis into axis `into` (numbered without it), inside of its `groups` outermost parts.
    fn merge_axis(&mut self, x: Atom, axis: usize, into: usize, groups: usize) -> Atom {
        let x = self.b.move_axis(x, axis, into);
        let shape = self.b.shape(x);
        let (lanes, extent) = (shape[into], shape[into + 1]);
        let split: Shape = [&shape[..into], &[lanes, groups, extent / groups], &shape[into + 2..]].concat().into();
        let x = self.b.reshape(x, &split);
        let x = self.b.move_axis(x, into, into + 1);
        let merged: Shape = [&shape[..into], &[lanes * extent], &shape[into + 2..]].concat().into();
        self.b.reshape(x, &merged)
    }

    /// Without lanes there is nothing to group: the result is empty.
    fn empty_conv(&mut self, conv: &Conv, lhs: Value, rhs: Value) -> Vec<Value> {
        let lane = |value: Value| self.b.aval(value.atom).with_shape(self.lane_shape(value));
        let out = rjax_ir::infer::infer(&Op::Conv(conv.clone()), &[lane(lhs), lane(rhs)]).expect("verified program");
        let aval = Aval::new(out[0].dtype, out[0].shape.with_axis(0, 0));
        vec![Value::batched(self.b.zeros(&aval), 0)]
    }
}
