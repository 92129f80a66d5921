//! Batching of calls: the callee is batched as it stands.

use std::sync::Arc;

use rjax_ir::{Op, Program, Remat};

use super::Batcher;
use super::lanes::{Place, Value};

impl Batcher<'_> {
    fn callee(&mut self, program: &Arc<Program>, inputs: &[Value]) -> (Arc<Program>, Vec<Option<usize>>) {
        let in_axes: Vec<_> = inputs.iter().map(|value| value.axis).collect();
        self.shared.batch(program, &in_axes, &vec![Place::Anywhere; program.outvars.len()])
    }

    pub fn call(&mut self, name: &Arc<str>, program: &Arc<Program>, inputs: &[Value]) -> Vec<Value> {
        let (program, out_axes) = self.callee(program, inputs);
        self.emit_call(Op::Call { name: name.clone(), program }, inputs, out_axes)
    }

    pub fn remat(&mut self, remat: &Remat, inputs: &[Value]) -> Vec<Value> {
        let (program, out_axes) = self.callee(&remat.program, inputs);
        self.emit_call(Op::Remat(Remat { program, ..remat.clone() }), inputs, out_axes)
    }
}
