//! Cumulative ops: a loop along the axis that carries the value and stores it at every step.

use rjax_ir::{Binary, Compare, Cumulative, CumulativeKind, DType, Reducer, Result, Unary};

use super::Writer;
use super::element::Element;
use crate::graph::NodeId;
use crate::kir::{Access, Index, Order, Reg};

/// How many values are added one by one before their sum joins the sum of all before, so that errors do not pile up.
const BLOCK: usize = 256;

impl Writer<'_, '_> {
    pub(super) fn cumulative(&mut self, id: NodeId, cumulative: &Cumulative) -> Result<()> {
        let node = self.graph.node(id);
        let (x, y) = (node.inputs[0], node.outputs[0]);
        let aval = self.graph.aval(x);
        let (dtype, accumulator) = (aval.dtype, aval.dtype.accumulator());
        let length = aval.shape[cumulative.axis];
        let (loops, lane) = self.open_axes(&aval.shape.without(&[cumulative.axis]));
        let param = self.output(y, Access::Write);
        let step = |w: &mut Self, step: Index, total: Element, base: Option<Element>| -> Result<Element> {
            let index = if cumulative.reverse { step.times(-1).offset(length as i64 - 1) } else { step.clone() };
            let mut at = lane.clone();
            at.insert(cumulative.axis, index);
            let value = w.pull(x, &at)?;
            let value = w.convert(value, accumulator);
            let mut total = w.accumulate(cumulative.kind, accumulator, total, value);
            if has_no_identity(cumulative.kind, accumulator) {
                let (step, zero) = (w.b.index_register(&step), w.b.i64(0));
                let first = w.b.compare(Compare::Eq, step, zero);
                total = w.select_element(first, value, total);
            }
            let result = base.map_or(total, |base| w.binary(Binary::Add, accumulator, base, total));
            let result = w.convert(result, dtype);
            let position = w.position(y, &at);
            w.store_at(param, position, result);
            Ok(total)
        };
        let init = self.start(cumulative.kind, accumulator);
        let inits: Vec<Reg> = init.registers().collect();
        if cumulative.kind == CumulativeKind::Sum && dtype.is_inexact() && length > 2 * BLOCK {
            let blocks = length.div_ceil(BLOCK) as i64;
            let outer = self.b.open_loop(Index::default(), Index::constant(blocks), Order::Sequential, &inits);
            let base = Element::from_registers(&[accumulator], &outer.carried())[0];
            let begin = Index::reg(outer.variable).times(BLOCK as i64);
            let (end, limit) = (self.b.index_register(&begin.offset(BLOCK as i64)), self.b.i64(length as i64));
            let end = Index::reg(self.b.binary(Binary::Min, end, limit));
            let inner = self.b.open_loop(begin, end, Order::Sequential, &inits);
            let total = Element::from_registers(&[accumulator], &inner.carried())[0];
            let variable = Index::reg(inner.variable);
            let next = step(self, variable, total, Some(base))?;
            let total = self.b.close_loop(inner, &next.registers().collect::<Vec<_>>());
            let total = Element::from_registers(&[accumulator], &total)[0];
            let next = self.binary(Binary::Add, accumulator, base, total);
            self.b.close_loop(outer, &next.registers().collect::<Vec<_>>());
        } else {
            let open = self.b.open_loop(Index::default(), Index::constant(length as i64), Order::Sequential, &inits);
            let total = Element::from_registers(&[accumulator], &open.carried())[0];
            let variable = Index::reg(open.variable);
            let next = step(self, variable, total, None)?;
            self.b.close_loop(open, &next.registers().collect::<Vec<_>>());
        }
        self.close_axes(loops);
        Ok(())
    }

    /// The value before the first.
    fn start(&mut self, kind: CumulativeKind, dtype: DType) -> Element {
        let reducer = match kind {
            CumulativeKind::Sum => Reducer::Sum,
            CumulativeKind::Prod => Reducer::Prod,
            CumulativeKind::Max | CumulativeKind::LogSumExp => Reducer::Max,
            CumulativeKind::Min => Reducer::Min,
        };
        Element::constant(&mut self.b, reducer.identity(dtype))
    }

    fn accumulate(&mut self, kind: CumulativeKind, dtype: DType, total: Element, value: Element) -> Element {
        match kind {
            CumulativeKind::Sum => self.binary(Binary::Add, dtype, total, value),
            CumulativeKind::Prod => self.binary(Binary::Mul, dtype, total, value),
            CumulativeKind::Max => self.binary(Binary::Max, dtype, total, value),
            CumulativeKind::Min => self.binary(Binary::Min, dtype, total, value),
            CumulativeKind::LogSumExp => Element::real(self.log_add_exp(total.real, value.real)),
        }
    }

    /// log(exp(x) + exp(y)): the greater operand plus a correction that cannot overflow. Where the difference is NaN the operands are
    /// equal infinities, or one is NaN, and the sum is right.
    fn log_add_exp(&mut self, x: Reg, y: Reg) -> Reg {
        let difference = self.b.binary(Binary::Sub, x, y);
        let distance = self.b.unary(Unary::Abs, difference);
        let minus = self.b.unary(Unary::Neg, distance);
        let small = self.b.unary(Unary::Exp, minus);
        let correction = self.b.unary(Unary::Log1p, small);
        let greatest = self.b.binary(Binary::Max, x, y);
        let corrected = self.b.binary(Binary::Add, greatest, correction);
        let sum = self.b.binary(Binary::Add, x, y);
        let is_nan = self.b.compare(Compare::Ne, difference, difference);
        self.b.select(is_nan, sum, corrected)
    }
}

/// Whether combining the start value with the first value may change it: a complex infinity times 1, or the sign of a zero.
fn has_no_identity(kind: CumulativeKind, dtype: DType) -> bool {
    match kind {
        CumulativeKind::Prod => dtype.is_complex(),
        CumulativeKind::LogSumExp => true,
        CumulativeKind::Sum | CumulativeKind::Max | CumulativeKind::Min => false,
    }
}
