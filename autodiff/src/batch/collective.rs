//! Batching of collectives: over the axis being batched they become reductions over it; other names stay.

use std::sync::Arc;

use rjax_ir::{Atom, Collective, DType, Op, Reducer, Scalar, Shape};

use super::Batcher;
use super::lanes::Value;

impl Batcher<'_> {
    pub fn collective(&mut self, collective: &Collective, inputs: &[Value]) -> Vec<Value> {
        match collective {
            Collective::Psum { axes } => self.all_reduce(Reducer::Sum, axes, inputs, |axes| Collective::Psum { axes }),
            Collective::Pmax { axes } => self.all_reduce(Reducer::Max, axes, inputs, |axes| Collective::Pmax { axes }),
            Collective::Pmin { axes } => self.all_reduce(Reducer::Min, axes, inputs, |axes| Collective::Pmin { axes }),
            Collective::AxisIndex { .. } => {
                let lanes = Shape::from([self.shared.size]);
                vec![Value::batched(self.b.iota(DType::I32, &lanes, 0), 0)]
            }
        }
    }

    /// Reduces over the lanes if the axis is among those named, then over the other names, if any.
    fn all_reduce(
        &mut self,
        reducer: Reducer,
        axes: &[Arc<str>],
        inputs: &[Value],
        with_axes: impl FnOnce(Vec<Arc<str>>) -> Collective,
    ) -> Vec<Value> {
        let here = self.shared.name.as_ref().is_some_and(|name| axes.contains(name));
        let values: Vec<Value> = if here {
            inputs.iter().map(|&value| Value::shared(self.reduce_lanes(reducer, value))).collect()
        } else {
            inputs.to_vec()
        };
        let others: Vec<_> = axes.iter().filter(|&axis| Some(axis) != self.shared.name.as_ref()).cloned().collect();
        if others.is_empty() {
            return values;
        }
        let out_axes = values.iter().map(|value| value.axis).collect();
        self.emit_call(Op::Collective(with_axes(others)), &values, out_axes)
    }

    /// A value that all lanes share is its own maximum, and its sum a multiple of itself.
    fn reduce_lanes(&mut self, reducer: Reducer, value: Value) -> Atom {
        let (size, dtype) = (self.shared.size, self.b.dtype(value.atom));
        match value.axis {
            Some(axis) => self.b.reduce(reducer, value.atom, &[axis]),
            None if size == 0 => {
                let lanes = self.at_axis(value, 0);
                self.b.reduce(reducer, lanes, &[0])
            }
            None if reducer == Reducer::Sum && dtype != DType::Bool => {
                self.b.mul(value.atom, Scalar::from_i64(dtype, size as i64).into())
            }
            None => value.atom,
        }
    }
}
