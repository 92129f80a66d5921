//! Products that are a few sums for each of many pairs of operands.
//!
//! The forces between bodies are sums over j of mass times difference, three for each i. A routine for matrices has nothing to use
//! twice there, and the differences would have to be in memory for it. As a sum of an elementwise product it fuses with what is around it.

use rjax_ir::{Aval, Binary, DType, DotGeneral, Eqn, Location, Op, Program, Reducer, Shape};

use super::{Graph, RegionId, ValueId};
use crate::lower::dot_general::{FEW_SUMS, MANY_PAIRS};

impl<'p> Graph<'p> {
    /// `dot_general`, as one node or as the sum of a product.
    pub(super) fn dot(
        &mut self,
        program: &'p Program,
        eqn: &'p Eqn,
        inputs: Vec<ValueId>,
        dot: &DotGeneral,
        region: RegionId,
    ) -> Vec<ValueId> {
        match self.few_sums([inputs[0], inputs[1]], dot, (region, &eqn.location)) {
            Some(sum) => vec![sum],
            None => self.add(program, eqn, inputs, vec![], region),
        }
    }

    fn few_sums(&mut self, [l, r]: [ValueId; 2], dot: &DotGeneral, at: (RegionId, &'p Location)) -> Option<ValueId> {
        let [lhs, rhs] = [l, r].map(|x| self.aval(x).clone());
        // Narrower floats are summed with more bits than they are multiplied with elementwise.
        let same = lhs.dtype == dot.preferred && rhs.dtype == dot.preferred;
        if !same || !matches!(dot.preferred, DType::F32 | DType::F64) {
            return None;
        }
        let (lhs_free, rhs_free) = (dot.lhs_free(lhs.rank()), dot.rhs_free(rhs.rank()));
        let size = |aval: &Aval, axes: &[usize]| axes.iter().map(|&axis| aval.shape[axis]).product::<usize>();
        let sums = size(&lhs, &lhs_free) * size(&rhs, &rhs_free);
        if sums > FEW_SUMS || sums == 0 || size(&lhs, &dot.lhs_batch) < MANY_PAIRS {
            return None;
        }
        // Axes that meet have one label.
        let lhs_labels: Vec<usize> = (0..lhs.rank()).collect();
        let pairs =
            || dot.rhs_batch.iter().chain(&dot.rhs_contracting).zip(dot.lhs_batch.iter().chain(&dot.lhs_contracting));
        let label = |axis: usize| pairs().find(|(r, _)| **r == axis).map_or(lhs.rank() + axis, |(_, l)| *l);
        let rhs_labels: Vec<usize> = (0..rhs.rank()).map(label).collect();
        // In the order of the operand with more axes.
        let (first, second) =
            if lhs.rank() >= rhs.rank() { (&lhs_labels, &rhs_labels) } else { (&rhs_labels, &lhs_labels) };
        let rest = second.iter().filter(|label| !first.contains(label));
        let labels: Vec<usize> = first.iter().chain(rest).copied().collect();
        let extent = |&label: &usize| if label < lhs.rank() { lhs.shape[label] } else { rhs.shape[label - lhs.rank()] };
        let shape: Shape = labels.iter().map(extent).collect();
        let x = self.spread(l, &lhs_labels, &labels, &shape, at);
        let y = self.spread(r, &rhs_labels, &labels, &shape, at);
        let product = self.made(Op::Binary(Binary::Mul), vec![x, y], lhs.with_shape(shape), at);
        let summed = (0..labels.len()).filter(|&axis| dot.lhs_contracting.contains(&labels[axis])).collect();
        let sum = self.made_reduce(Reducer::Sum, product, summed, at);
        let kept: Vec<usize> = labels.into_iter().filter(|label| !dot.lhs_contracting.contains(label)).collect();
        let rhs_kept = rhs_free.iter().map(|&axis| rhs_labels[axis]);
        let wanted: Vec<usize> = dot.lhs_batch.iter().chain(&lhs_free).copied().chain(rhs_kept).collect();
        Some(self.arranged(sum, &kept, &wanted, at))
    }

    /// A value whose axes have labels as an array with more of them.
    fn spread(
        &mut self,
        x: ValueId,
        own: &[usize],
        labels: &[usize],
        shape: &Shape,
        at: (RegionId, &'p Location),
    ) -> ValueId {
        let wanted: Vec<usize> = labels.iter().filter(|label| own.contains(label)).copied().collect();
        let x = self.arranged(x, own, &wanted, at);
        if wanted == labels {
            return x;
        }
        let place = |label: &usize| labels.iter().position(|l| l == label).expect("one of the labels");
        let dims = wanted.iter().map(place).collect();
        self.made_broadcast(x, shape, dims, at)
    }

    /// A value whose axes have labels with these in another order.
    fn arranged(&mut self, x: ValueId, own: &[usize], wanted: &[usize], at: (RegionId, &'p Location)) -> ValueId {
        if own == wanted {
            return x;
        }
        let place = |label: &usize| own.iter().position(|l| l == label).expect("the same labels");
        let permutation: Vec<usize> = wanted.iter().map(place).collect();
        let aval = self.aval(x).clone();
        let shape: Shape = permutation.iter().map(|&axis| aval.shape[axis]).collect();
        self.made(Op::Transpose { permutation }, vec![x], aval.with_shape(shape), at)
    }
}
