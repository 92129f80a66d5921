//! Batching of `custom_lin`: its backward rule is batched, with a cotangent for every lane.

use rjax_ir::{CustomLinear, Op};

use super::Batcher;
use super::lanes::{Place, Value};

impl Batcher<'_> {
    /// A tangent that all lanes share is repeated by the map, so its cotangent is summed over the lanes.
    pub fn custom_linear(&mut self, linear: &CustomLinear, inputs: &[Value]) -> Vec<Value> {
        let (residuals, tangents) = inputs.split_at(linear.num_residuals);
        let mut in_axes: Vec<_> = residuals.iter().map(|value| value.axis).collect();
        in_axes.extend(linear.outputs.iter().map(|_| Some(0)));
        let places: Vec<Place> = tangents.iter().map(|x| x.axis.map_or(Place::Summed, Place::At)).collect();
        let (bwd, _) = self.shared.batch(&linear.bwd, &in_axes, &places);
        let size = self.shared.size;
        let outputs = linear.outputs.iter().map(|y| y.with_shape(y.shape.with_axis(0, size))).collect();
        let out_axes = vec![Some(0); linear.outputs.len()];
        let op = Op::CustomLinear(CustomLinear { bwd, num_residuals: linear.num_residuals, outputs });
        self.emit_call(op, inputs, out_axes)
    }
}
