//! Batching of linear algebra and Fourier transforms, whose leading axes are batch axes already.

use rjax_ir::{Atom, Op};

use super::Batcher;
use super::lanes::Value;

impl Batcher<'_> {
    pub fn library(&mut self, op: &Op, inputs: &[Value]) -> Vec<Value> {
        let atoms: Vec<Atom> = inputs.iter().map(|&value| self.at_axis(value, 0)).collect();
        self.emit_at(op.clone(), &atoms, 0)
    }
}
