//! Batching of `while`. A condition that all lanes share stays one condition. With a condition for each lane the loop runs while
//! any holds, and the lanes that are done keep their values.

use std::sync::Arc;

use rjax_ir::{Atom, Builder, Op, Program, Reducer, While};

use super::lanes::{Place, Value, front_if};
use super::{Batcher, Shared};

/// Which values of a carry are batched: those that start so and those that the body makes so, until nothing changes.
/// `step` says which values are batched after a step, given which are before it.
pub(super) fn settle(mut batched: Vec<bool>, mut step: impl FnMut(&[bool]) -> Vec<bool>) -> Vec<bool> {
    loop {
        let after = step(&batched);
        let joined: Vec<bool> = batched.iter().zip(after).map(|(&before, after)| before || after).collect();
        if joined == batched {
            return joined;
        }
        batched = joined;
    }
}

/// In front, for batched values.
pub(super) fn front(batched: &[bool]) -> Vec<Option<usize>> {
    batched.iter().map(|&batched| batched.then_some(0)).collect()
}

fn axes(values: &[Value]) -> Vec<Option<usize>> {
    values.iter().map(|value| value.axis).collect()
}

impl Shared {
    /// Which carried values are batched, and whether the condition is.
    fn while_carry(&mut self, op: &While, consts: [&[Option<usize>]; 2], init: &[Value]) -> (Vec<bool>, bool) {
        let [cond_consts, body_consts] = consts;
        let mut start: Vec<bool> = init.iter().map(|value| value.axis.is_some()).collect();
        let mut cond_batched = false;
        loop {
            let carry = settle(start, |carry| {
                let axes = self.out_axes(&op.body, &[body_consts, &front(carry)].concat());
                axes.iter().map(Option::is_some).collect()
            });
            let cond = self.out_axes(&op.cond, &[cond_consts, &front(&carry)].concat())[0].is_some();
            if cond == cond_batched {
                return (carry, cond);
            }
            // Lanes stop at different steps, so all that changes from step to step differs from lane to lane.
            cond_batched = true;
            let carried = op.body.invars[op.body_nconsts..].iter().zip(&op.body.outvars);
            let changes = carried.map(|(&before, &after)| after != Atom::Var(before));
            start = carry.iter().zip(changes).map(|(&batched, changes)| batched || changes).collect();
        }
    }
}

impl Batcher<'_> {
    pub fn while_loop(&mut self, op: &While, inputs: &[Value]) -> Vec<Value> {
        let (cond_consts, rest) = inputs.split_at(op.cond_nconsts);
        let (body_consts, init) = rest.split_at(op.body_nconsts);
        let consts = [&axes(cond_consts)[..], &axes(body_consts)];
        let (carry, cond_batched) = self.shared.while_carry(op, consts, init);
        let init: Vec<Value> = self.carry_init(init, &carry);
        let places: Vec<Place> = carry.iter().map(|&batched| front_if(batched)).collect();
        let (body, _) = self.shared.batch(&op.body, &[consts[1], &front(&carry)].concat(), &places);
        let cond_place = [front_if(cond_batched)];
        let (cond, _) = self.shared.batch(&op.cond, &[consts[0], &front(&carry)].concat(), &cond_place);
        if cond_batched {
            return self.while_any(&cond, &body, [cond_consts, body_consts], &init);
        }
        let op = While { cond, body, ..op.clone() };
        let inputs = [cond_consts, body_consts, &init].concat();
        self.emit_call(Op::While(op), &inputs, front(&carry))
    }

    /// Initial values of a carry, in front where the carry is batched.
    pub fn carry_init(&mut self, init: &[Value], batched: &[bool]) -> Vec<Value> {
        init.iter().zip(batched).map(|(&value, &batched)| self.put(value, front_if(batched))).collect()
    }

    /// The new carry begins with the condition of each lane, so that it is computed once a step.
    fn while_any(&mut self, cond: &Program, body: &Program, consts: [&[Value]; 2], init: &[Value]) -> Vec<Value> {
        let [cond_consts, body_consts] = consts;
        let atoms = |values: &[Value]| -> Vec<Atom> { values.iter().map(|value| value.atom).collect() };
        let alive = self.b.inline(cond, &[atoms(cond_consts), atoms(init)].concat())[0];

        let mut any = Builder::new();
        let alive_now = any.input(self.b.aval(alive));
        for value in init {
            any.input(self.b.aval(value.atom));
        }
        let any_alive = any.reduce(Reducer::Or, alive_now, &[0]);

        let mut step = Batcher { b: Builder::new(), shared: &mut *self.shared };
        let inputs = |step: &mut Batcher, values: &[Value]| -> Vec<Atom> {
            values.iter().map(|value| step.b.input(self.b.aval(value.atom))).collect()
        };
        let cond_consts_in = inputs(&mut step, cond_consts);
        let body_consts_in = inputs(&mut step, body_consts);
        let alive_in = step.b.input(self.b.aval(alive));
        let carry_in = inputs(&mut step, init);
        let stepped = step.b.inline(body, &[body_consts_in, carry_in.clone()].concat());
        let frozen: Vec<Atom> = (init.iter().zip(stepped).zip(&carry_in))
            .map(|((value, new), &old)| match value.axis {
                Some(_) => step.select_lanes(alive_in, &[old, new]),
                None => old,
            })
            .collect();
        let still_alive = step.b.inline(cond, &[cond_consts_in, frozen.clone()].concat())[0];
        let body = step.b.finish([vec![still_alive], frozen].concat());

        let op = While {
            cond: Arc::new(any.finish(vec![any_alive])),
            body: Arc::new(body),
            cond_nconsts: 0,
            body_nconsts: cond_consts.len() + body_consts.len(),
        };
        let inputs = [cond_consts, body_consts, &[Value::batched(alive, 0)], init].concat();
        let out_axes = std::iter::once(Some(0)).chain(init.iter().map(|value| value.axis)).collect();
        self.emit_call(Op::While(op), &inputs, out_axes).split_off(1)
    }
}
