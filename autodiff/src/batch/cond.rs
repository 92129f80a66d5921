//! Batching of `cond`. An index that all lanes share still picks one branch. With an index for each lane every branch runs on
//! all lanes and a select picks.

use std::sync::Arc;

use rjax_ir::{Atom, Compare, DType, Op, Program, Scalar};

use super::Batcher;
use super::lanes::{Place, Value, front_if};

impl Batcher<'_> {
    pub fn cond(&mut self, branches: &[Arc<Program>], inputs: &[Value]) -> Vec<Value> {
        match inputs[0].axis {
            None => self.cond_shared(branches, inputs),
            Some(_) => self.cond_as_select(branches, inputs[0].atom, &inputs[1..]),
        }
    }

    /// The branches must agree on which results are batched, and where.
    fn cond_shared(&mut self, branches: &[Arc<Program>], inputs: &[Value]) -> Vec<Value> {
        let in_axes: Vec<_> = inputs[1..].iter().map(|value| value.axis).collect();
        let found: Vec<_> = branches.iter().map(|branch| self.shared.out_axes(branch, &in_axes)).collect();
        let places: Vec<Place> = (0..found[0].len())
            .map(|output| front_if(found.iter().any(|axes| axes[output] != found[0][output])))
            .collect();
        let batched: Vec<_> = branches.iter().map(|branch| self.shared.batch(branch, &in_axes, &places)).collect();
        let out_axes = batched[0].1.clone();
        let branches = batched.into_iter().map(|(branch, _)| branch).collect();
        self.emit_call(Op::Cond { branches }, inputs, out_axes)
    }

    fn cond_as_select(&mut self, branches: &[Arc<Program>], index: Atom, operands: &[Value]) -> Vec<Value> {
        let last = Scalar::from_i64(DType::I32, branches.len() as i64 - 1);
        let index = self.b.emit1(Op::Clamp, &[Scalar::zero(DType::I32).into(), index, last.into()]);
        let mut cases: Vec<Vec<Atom>> = Vec::with_capacity(branches.len());
        for (k, branch) in branches.iter().enumerate() {
            let chosen = self.b.compare(Compare::Eq, index, Scalar::from_i64(DType::I32, k as i64).into());
            let guarded: Vec<Value> = operands.iter().map(|&x| self.guard(chosen, x)).collect();
            let in_axes: Vec<_> = guarded.iter().map(|value| value.axis).collect();
            let places = vec![Place::At(0); branch.outvars.len()];
            let (branch, _) = self.shared.batch(branch, &in_axes, &places);
            let atoms: Vec<Atom> = guarded.iter().map(|value| value.atom).collect();
            cases.push(self.b.inline(&branch, &atoms));
        }
        let which = match branches.len() {
            2 => self.b.compare(Compare::Ne, index, Scalar::zero(DType::I32).into()),
            _ => index,
        };
        (0..cases[0].len())
            .map(|output| {
                let outputs: Vec<Atom> = cases.iter().map(|case| case[output]).collect();
                Value::batched(self.select_lanes(which, &outputs), 0)
            })
            .collect()
    }

    /// Picks a case for each lane; the cases have their batch axis in front.
    pub fn select_lanes(&mut self, which: Atom, cases: &[Atom]) -> Atom {
        if let [case] = cases {
            return *case;
        }
        let which = self.over_lanes(which, cases[0], 0);
        let inputs: Vec<Atom> = std::iter::once(which).chain(cases.iter().copied()).collect();
        self.b.emit1(Op::Select, &inputs)
    }

    /// The operand, through which a cotangent passes only in the lanes that take the branch. A branch may have an infinite
    /// derivative at values that never reach it, and 0 times infinity would spoil the gradients of the lanes that did not
    /// take it. Literals and integers have no gradient.
    fn guard(&mut self, chosen: Atom, x: Value) -> Value {
        if !self.b.dtype(x.atom).is_inexact() || x.atom.literal().is_some() {
            return x;
        }
        let axis = x.axis.unwrap_or(0);
        let x = self.at_axis(x, axis);
        let stopped = self.b.emit1(Op::StopGradient, &[x]);
        let chosen = self.over_lanes(chosen, x, axis);
        Value::batched(self.b.emit1(Op::Select, &[chosen, stopped, x]), axis)
    }
}
