//! Batching of `custom_jvp_call`: the function and its rule, which must agree on what is batched.

use rjax_ir::{CustomJvp, Op};

use super::Batcher;
use super::lanes::{Place, Value, front_if};

impl Batcher<'_> {
    /// A tangent has its primal's type, so a result is batched as soon as the function, the rule's value or the rule's
    /// tangent says so.
    pub fn custom_jvp(&mut self, custom: &CustomJvp, inputs: &[Value]) -> Vec<Value> {
        let in_axes: Vec<_> = inputs.iter().map(|value| value.axis).collect();
        let tangents = inputs[custom.num_consts..].iter().filter(|x| self.b.dtype(x.atom).is_inexact());
        let jvp_in_axes: Vec<_> = in_axes.iter().copied().chain(tangents.map(|x| x.axis)).collect();

        let call_axes = self.shared.out_axes(&custom.call, &in_axes);
        let jvp_axes = self.shared.out_axes(&custom.jvp, &jvp_in_axes);
        let (value_axes, mut tangent_axes) = (&jvp_axes[..call_axes.len()], jvp_axes[call_axes.len()..].iter());
        let (mut places, mut tangent_places) = (vec![], vec![]);
        for (output, aval) in custom.call.out_avals().iter().enumerate() {
            let mut batched = call_axes[output].is_some() || value_axes[output].is_some();
            if aval.dtype.is_inexact() {
                batched |= tangent_axes.next().expect("verified: a tangent for each inexact result").is_some();
                tangent_places.push(front_if(batched));
            }
            places.push(front_if(batched));
        }
        let (call, out_axes) = self.shared.batch(&custom.call, &in_axes, &places);
        let jvp_places: Vec<Place> = [&places[..], &tangent_places].concat();
        let (jvp, _) = self.shared.batch(&custom.jvp, &jvp_in_axes, &jvp_places);
        self.emit_call(Op::CustomJvp(CustomJvp { call, jvp, num_consts: custom.num_consts }), inputs, out_axes)
    }
}
