//! Batching of `scan`: carried values that are batched at some step are batched from the start.

use rjax_ir::{Op, Scan};

use super::Batcher;
use super::lanes::{Place, Value, front_if};
use super::while_loop::{front, settle};

impl Batcher<'_> {
    /// The xs have the step in front, so their batch axis stays where it is unless it is there.
    pub fn scan(&mut self, scan: &Scan, inputs: &[Value]) -> Vec<Value> {
        let (consts, rest) = inputs.split_at(scan.num_consts);
        let (init, xs) = rest.split_at(scan.num_carry);
        let xs: Vec<Value> = xs
            .iter()
            .map(|&x| match x.axis {
                Some(0) => Value::batched(self.at_axis(x, 1), 1),
                Some(_) | None => x,
            })
            .collect();
        let const_axes: Vec<_> = consts.iter().map(|value| value.axis).collect();
        let x_axes: Vec<_> = xs.iter().map(|value| value.axis.map(|axis| axis - 1)).collect();

        let start = init.iter().map(|value| value.axis.is_some()).collect();
        let carry = settle(start, |carry| {
            let axes = self.shared.out_axes(&scan.body, &[&const_axes[..], &front(carry), &x_axes].concat());
            axes[..scan.num_carry].iter().map(Option::is_some).collect()
        });
        let init = self.carry_init(init, &carry);
        let mut places = vec![Place::Anywhere; scan.body.outvars.len()];
        for (place, &batched) in places.iter_mut().zip(&carry) {
            *place = front_if(batched);
        }
        let in_axes = [&const_axes[..], &front(&carry), &x_axes].concat();
        let (body, mut out_axes) = self.shared.batch(&scan.body, &in_axes, &places);
        for axis in out_axes[scan.num_carry..].iter_mut().flatten() {
            *axis += 1;
        }
        let inputs = [consts, &init, &xs].concat();
        self.emit_call(Op::Scan(Scan { body, ..scan.clone() }), &inputs, out_axes)
    }
}
