//! Values with a batch axis, and how to bring several of them to one form.

use std::sync::Arc;

use rjax_ir::{Atom, Builder, Op, Reducer, Scan, Shape};

use super::Batcher;

/// A value of the batched program: shared by all lanes, or with the batch axis at a place of its shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub atom: Atom,
    pub axis: Option<usize>,
}

impl Value {
    pub fn shared(atom: Atom) -> Value {
        Value { atom, axis: None }
    }

    pub fn batched(atom: Atom, axis: usize) -> Value {
        Value { atom, axis: Some(axis) }
    }
}

/// Where an output of a program inside an op has to have its batch axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Place {
    /// Where it ends up, or nowhere.
    Anywhere,
    /// Here; shared values are repeated.
    At(usize),
    /// Nowhere: what differs from lane to lane is summed over the lanes.
    Summed,
}

/// The place for an output that is batched, in whatever program computes it, if `batched` says so.
pub(super) fn front_if(batched: bool) -> Place {
    if batched { Place::At(0) } else { Place::Anywhere }
}

/// Positions of axes after an axis was inserted at `at`.
pub(super) fn shifted(axes: &[usize], at: usize) -> Vec<usize> {
    axes.iter().map(|&axis| axis + (axis >= at) as usize).collect()
}

/// A list with an element inserted.
pub(super) fn inserted<T: Clone>(list: &[T], at: usize, element: T) -> Vec<T> {
    let mut list = list.to_vec();
    list.insert(at, element);
    list
}

/// The batch axis's place after axes of the lane's own (numbered without the batch axis) went away.
pub(super) fn without(axis: usize, removed: &[usize]) -> usize {
    axis - removed.iter().filter(|&&r| r < axis).count()
}

impl Batcher<'_> {
    /// The rank that a value has in one lane.
    pub fn lane_rank(&self, value: Value) -> usize {
        self.b.shape(value.atom).rank() - value.axis.is_some() as usize
    }

    /// The shape that a value has in one lane.
    pub fn lane_shape(&self, value: Value) -> Shape {
        let shape = self.b.shape(value.atom);
        value.axis.map_or(shape.clone(), |axis| shape.without(&[axis]))
    }

    /// The value with its batch axis at a place; a shared value is repeated.
    pub fn at_axis(&mut self, value: Value, axis: usize) -> Atom {
        match value.axis {
            Some(from) => self.b.move_axis(value.atom, from, axis),
            None => self.b.broadcast_axis(value.atom, axis, self.shared.size),
        }
    }

    /// Brings values of equal rank to one batch axis: that of the first one that has one.
    pub fn align(&mut self, values: &[Value]) -> (Vec<Atom>, usize) {
        let axis = values.iter().find_map(|value| value.axis).unwrap_or(0);
        (values.iter().map(|&value| self.at_axis(value, axis)).collect(), axis)
    }

    /// Puts an output where it has to be.
    pub fn put(&mut self, value: Value, place: Place) -> Value {
        match (place, value.axis) {
            (Place::Anywhere, _) | (Place::Summed, None) => value,
            (Place::At(axis), _) => Value::batched(self.at_axis(value, axis), axis),
            (Place::Summed, Some(axis)) => Value::shared(self.b.reduce(Reducer::Sum, value.atom, &[axis])),
        }
    }

    /// Emits an op whose operands are one batched value, and whose results have the batch axis at `axis`.
    pub fn emit_at(&mut self, op: Op, inputs: &[Atom], axis: usize) -> Vec<Value> {
        self.b.emit(op, inputs).into_iter().map(|atom| Value::batched(atom, axis)).collect()
    }

    /// Emits an op that calls batched programs, with operands as they are and results where the programs leave them.
    pub fn emit_call(&mut self, op: Op, inputs: &[Value], out_axes: Vec<Option<usize>>) -> Vec<Value> {
        let atoms: Vec<Atom> = inputs.iter().map(|value| value.atom).collect();
        self.b.emit(op, &atoms).into_iter().zip(out_axes).map(|(atom, axis)| Value { atom, axis }).collect()
    }

    /// Runs an op once for each lane, in order, in a scan: for what has no form that treats all lanes together.
    pub fn one_lane_at_a_time(&mut self, op: &Op, inputs: &[Value]) -> Vec<Value> {
        let mut body = Builder::new();
        body.location = self.b.location.clone();
        let mut lane: Vec<Atom> = inputs.iter().map(|value| value.atom).collect();
        let (mut consts, mut xs) = (vec![], vec![]);
        for (value, atom) in inputs.iter().zip(&mut lane) {
            if value.axis.is_none() && value.atom.var().is_some() {
                consts.push(value.atom);
                *atom = body.input(self.b.aval(value.atom));
            }
        }
        for (&value, atom) in inputs.iter().zip(&mut lane) {
            if value.axis.is_some() {
                xs.push(self.at_axis(value, 0));
                *atom = body.input(self.b.aval(value.atom).with_shape(self.lane_shape(value)));
            }
        }
        let outputs = body.emit(op.clone(), &lane);
        let scan = Scan {
            body: Arc::new(body.finish(outputs)),
            length: self.shared.size,
            reverse: false,
            num_consts: consts.len(),
            num_carry: 0,
        };
        consts.extend(xs);
        self.emit_at(Op::Scan(scan), &consts, 0)
    }
}
