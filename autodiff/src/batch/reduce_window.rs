//! Batching of ops with sliding windows: along the batch axis the window has extent 1.

use std::sync::Arc;

use rjax_ir::{Op, Program, Reducer, SelectAndGatherAdd, SelectAndScatterAdd, Window};

use super::Batcher;
use super::lanes::{Value, inserted};
use super::shape::single;

fn with_axis(window: &Window, axis: usize) -> Window {
    Window {
        dimensions: inserted(&window.dimensions, axis, 1),
        strides: inserted(&window.strides, axis, 1),
        padding: inserted(&window.padding, axis, (0, 0)),
        base_dilation: inserted(&window.base_dilation, axis, 1),
        window_dilation: inserted(&window.window_dilation, axis, 1),
    }
}

impl Batcher<'_> {
    pub fn reduce_window(&mut self, reducer: Reducer, window: &Window, inputs: &[Value]) -> Vec<Value> {
        let (x, axis) = single(inputs);
        self.emit_at(Op::ReduceWindow { reducer, window: with_axis(window, axis) }, &[x], axis)
    }

    /// Initial values are scalars: if they differ from lane to lane, the lanes cannot share one reduction.
    pub fn general_reduce_window(&mut self, body: &Arc<Program>, window: &Window, inputs: &[Value]) -> Vec<Value> {
        let (xs, inits) = inputs.split_at(inputs.len() / 2);
        if inits.iter().any(|init| init.axis.is_some()) {
            let op = Op::GeneralReduceWindow { body: body.clone(), window: window.clone() };
            return self.one_lane_at_a_time(&op, inputs);
        }
        let (mut atoms, axis) = self.align(xs);
        atoms.extend(inits.iter().map(|init| init.atom));
        self.emit_at(Op::GeneralReduceWindow { body: body.clone(), window: with_axis(window, axis) }, &atoms, axis)
    }

    pub fn select_and_scatter_add(&mut self, select: &SelectAndScatterAdd, inputs: &[Value]) -> Vec<Value> {
        let (atoms, axis) = self.align(inputs);
        let select = SelectAndScatterAdd {
            largest: select.largest,
            dimensions: inserted(&select.dimensions, axis, 1),
            strides: inserted(&select.strides, axis, 1),
            padding: inserted(&select.padding, axis, (0, 0)),
        };
        self.emit_at(Op::SelectAndScatterAdd(select), &atoms, axis)
    }

    pub fn select_and_gather_add(&mut self, select: &SelectAndGatherAdd, inputs: &[Value]) -> Vec<Value> {
        let (atoms, axis) = self.align(inputs);
        let select = SelectAndGatherAdd { largest: select.largest, window: with_axis(&select.window, axis) };
        self.emit_at(Op::SelectAndGatherAdd(select), &atoms, axis)
    }
}
