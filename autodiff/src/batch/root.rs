//! Batching of `custom_root`: every lane has its own root.

use rjax_ir::{Op, Root};

use super::Batcher;
use super::lanes::{Place, Value};

impl Batcher<'_> {
    /// Roots have the types of guesses, so all of them are batched.
    pub fn root(&mut self, root: &Root, inputs: &[Value]) -> Vec<Value> {
        let (consts, guesses) = inputs.split_at(root.num_consts);
        let guesses: Vec<Value> = guesses.iter().map(|value| self.put(*value, Place::At(0))).collect();
        let (front, places) = (vec![Some(0); guesses.len()], vec![Place::At(0); guesses.len()]);
        let axes: Vec<_> = consts.iter().map(|value| value.axis).chain(front.iter().copied()).collect();
        let with_tangents = [&axes[..], &front].concat();
        let op = Root {
            f: self.shared.batch(&root.f, &axes, &places).0,
            solve: self.shared.batch(&root.solve, &axes, &places).0,
            tangent_solve: self.shared.batch(&root.tangent_solve, &with_tangents, &places).0,
            num_consts: root.num_consts,
        };
        self.emit_call(Op::Root(op), &[consts, &guesses].concat(), front)
    }
}
