//! Batching of ops that move elements without computing: the batch axis stays where it is if it can.

use rjax_ir::{Atom, DType, Op, PadDim, Scalar, Shape, Slice};

use super::Batcher;
use super::lanes::{Value, inserted, shifted};

/// The only operand and its batch axis.
pub(super) fn single(inputs: &[Value]) -> (Atom, usize) {
    let [Value { atom, axis: Some(axis) }] = inputs else { unreachable!("the only operand is batched") };
    (*atom, *axis)
}

impl Batcher<'_> {
    /// Between widths an innermost axis comes or goes, so the batch axis must not be innermost.
    pub fn bitcast(&mut self, dtype: DType, inputs: &[Value]) -> Vec<Value> {
        let (mut x, mut axis) = single(inputs);
        let widens = dtype.size() > self.b.dtype(x).size();
        if widens && axis + 1 == self.b.shape(x).rank() {
            x = self.b.move_axis(x, axis, 0);
            axis = 0;
        }
        self.emit_at(Op::Bitcast { dtype }, &[x], axis)
    }

    /// The batch axis goes right behind the place of the axis that it follows in the operand, so that `dims` still increases.
    pub fn broadcast_in_dim(&mut self, shape: &Shape, dims: &[usize], inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        let out = if axis == 0 { 0 } else { dims[axis - 1] + 1 };
        let shape = shape.with_axis(out, self.shared.size);
        let dims = inserted(&shifted(dims, out), axis, out);
        self.emit_at(Op::BroadcastInDim { shape, dims }, &[x], out)
    }

    /// Where as many elements come before some place of the result as before the batch axis, it goes to that place;
    /// otherwise it goes to the front first.
    pub fn reshape(&mut self, shape: &Shape, inputs: &[Value]) -> Vec<Value> {
        let (mut x, mut axis) = single(inputs);
        let before: usize = self.b.shape(x)[..axis].iter().product();
        let place = (0..=shape.rank()).find(|&place| shape[..place].iter().product::<usize>() == before);
        let out = place.unwrap_or_else(|| {
            x = self.b.move_axis(x, axis, 0);
            axis = 0;
            0
        });
        let shape = shape.with_axis(out, self.shared.size);
        self.emit_at(Op::Reshape { shape }, &[x], out)
    }

    pub fn transpose(&mut self, permutation: &[usize], inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        let permutation = inserted(&shifted(permutation, axis), axis, axis);
        self.emit_at(Op::Transpose { permutation }, &[x], axis)
    }

    pub fn slice(&mut self, slice: &Slice, inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        let slice = Slice {
            starts: inserted(&slice.starts, axis, 0),
            limits: inserted(&slice.limits, axis, self.shared.size),
            strides: inserted(&slice.strides, axis, 1),
        };
        self.emit_at(Op::Slice(slice), &[x], axis)
    }

    /// With a padding value for each lane: pad with zeros, then put the lane's value wherever a mask padded alike says so.
    pub fn pad(&mut self, padding: &[PadDim], inputs: &[Value]) -> Vec<Value> {
        let [x, value] = inputs else { unreachable!("verified: pad has two operands") };
        let axis = x.axis.unwrap_or(0);
        let x = self.at_axis(*x, axis);
        let op = Op::Pad { padding: inserted(padding, axis, PadDim::default()) };
        if value.axis.is_none() {
            return self.emit_at(op, &[x, value.atom], axis);
        }
        let inside = self.b.full(&self.b.shape(x), Scalar::one(DType::Bool));
        let inside = self.b.emit1(op.clone(), &[inside, Scalar::zero(DType::Bool).into()]);
        let zero = Scalar::zero(self.b.dtype(x));
        let padded = self.b.emit1(op, &[x, zero.into()]);
        let value = self.over_lanes(value.atom, padded, axis);
        vec![Value::batched(self.b.select(inside, padded, value), axis)]
    }

    pub fn concatenate(&mut self, along: usize, inputs: &[Value]) -> Vec<Value> {
        let (atoms, axis) = self.align(inputs);
        self.emit_at(Op::Concatenate { axis: shifted(&[along], axis)[0] }, &atoms, axis)
    }

    pub fn reverse(&mut self, axes: &[usize], inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        self.emit_at(Op::Reverse { axes: shifted(axes, axis) }, &[x], axis)
    }
}
