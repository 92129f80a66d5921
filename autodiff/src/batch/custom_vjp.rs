//! Batching of `custom_vjp_call`: the function, its forward pass and its backward pass.

use rjax_ir::{CustomVjp, Op};

use super::Batcher;
use super::lanes::{Place, Value, front_if};

impl Batcher<'_> {
    /// The cotangent of an input has the input's form: with the batch axis at the same place, or summed over the lanes if all
    /// lanes share the input. For that sum to count no cotangent more than once, either all inexact results are batched or none.
    pub fn custom_vjp(&mut self, custom: &CustomVjp, inputs: &[Value]) -> Vec<Value> {
        let in_axes: Vec<_> = inputs.iter().map(|value| value.axis).collect();
        let call_axes = self.shared.out_axes(&custom.call, &in_axes);
        let fwd_axes = self.shared.out_axes(&custom.fwd, &in_axes);
        let out_avals = custom.call.out_avals();
        let batched: Vec<bool> = call_axes.iter().zip(&fwd_axes).map(|(a, b)| a.is_some() || b.is_some()).collect();
        let inexact = || out_avals.iter().zip(&batched).filter(|(aval, _)| aval.dtype.is_inexact());
        let any = inexact().any(|(_, &batched)| batched);
        let places: Vec<Place> = (out_avals.iter().zip(&batched))
            .map(|(aval, &batched)| front_if(batched || any && aval.dtype.is_inexact()))
            .collect();

        let (call, out_axes) = self.shared.batch(&custom.call, &in_axes, &places);
        let mut fwd_places = places;
        fwd_places.resize(custom.fwd.outvars.len(), Place::Anywhere);
        let (fwd, fwd_axes) = self.shared.batch(&custom.fwd, &in_axes, &fwd_places);

        let (const_axes, residual_axes) = (&in_axes[..custom.num_consts], &fwd_axes[out_avals.len()..]);
        let cotangent_axes = vec![any.then_some(0); inexact().count()];
        let bwd_in_axes = [const_axes, residual_axes, &cotangent_axes].concat();
        let bwd_places: Vec<Place> = inputs[custom.num_consts..]
            .iter()
            .filter(|x| self.b.dtype(x.atom).is_inexact())
            .map(|x| x.axis.map_or(Place::Summed, Place::At))
            .collect();
        let (bwd, _) = self.shared.batch(&custom.bwd, &bwd_in_axes, &bwd_places);
        let custom = CustomVjp { call, fwd, bwd, num_consts: custom.num_consts };
        self.emit_call(Op::CustomVjp(custom), inputs, out_axes)
    }
}
