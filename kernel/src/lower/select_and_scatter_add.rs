//! The transpose of max and min pooling: each source element is added where its window is greatest or least.

use rjax_ir::{Binary, Result, SelectAndScatterAdd, Shape, Unary, Window};

use super::Writer;
use super::builder::OpenLoop;
use super::element::Element;
use super::scalar_region::positions;
use super::window::{Outside, is_written_out};
use crate::graph::NodeId;
use crate::kir::{Access, Index, Order, Reg};

/// Whether every window is one element wide along an axis, its own.
fn is_free(window: &Window, axis: usize) -> bool {
    window.dimensions[axis] == 1 && window.strides[axis] == 1 && window.padding[axis] == (0, 0)
}

impl Writer<'_, '_> {
    /// Where threads can share an axis that windows do not reach along, goes over the windows and adds each element to where it belongs;
    /// elsewhere over the elements and, for each, the windows that it is in.
    pub(super) fn select_and_scatter_add(&mut self, id: NodeId, select: &SelectAndScatterAdd) -> Result<()> {
        let aval = self.graph.aval(self.graph.node(id).inputs[1]);
        let window = select.window();
        let shared = aval.shape.iter().position(|&extent| extent != 1);
        let in_place = aval.dtype.accumulator() == aval.dtype && is_written_out(&window, &aval.shape);
        match shared {
            Some(axis) if in_place && is_free(&window, axis) => self.add_by_window(id, select, axis),
            _ => self.add_by_element(id, select),
        }
    }

    /// Sums are made in memory, window after window; what windows have in common along `shared` is nothing.
    fn add_by_window(&mut self, id: NodeId, select: &SelectAndScatterAdd, shared: usize) -> Result<()> {
        let node = self.graph.node(id);
        let (source, operand, y) = (node.inputs[0], node.inputs[1], node.outputs[0]);
        let window = select.window();
        let shape = self.shape(operand).clone();
        let first = (0..shape.rank()).find(|&axis| !is_free(&window, axis)).unwrap_or(shape.rank());
        let zero = Element::zero(&mut self.b, self.graph.aval(operand).dtype);
        let param = self.output(y, Access::ReadWrite);

        self.b.set_extent(shape[shared]);
        let range = self.b.open_range();
        let mut at = vec![Index::default(); shape.rank()];
        at[shared] = Index::reg(range.variable);
        let mut loops = vec![range];
        loops.extend(self.open_some(&mut at, &shape, shared + 1..first, Order::Independent));
        let mut everywhere = at.clone();
        let clear = self.open_some(&mut everywhere, &shape, first..shape.rank(), Order::Independent);
        let position = self.position(y, &everywhere);
        self.store_at(param, position, zero);
        self.close_axes(clear);
        let (over, free): (Vec<usize>, Vec<usize>) = (first..shape.rank()).partition(|&axis| !is_free(&window, axis));
        let windows = self.shape(source).clone();
        loops.extend(self.open_some(&mut at, &windows, over, Order::Sequential));
        loops.extend(self.open_some(&mut at, &windows, free, Order::Independent));

        let mut best: Option<(Reg, Element)> = None;
        let mut taps = Vec::new();
        for tap in positions(&window.dimensions.iter().copied().collect()) {
            let (position, inside) = self.under_window(&window, &shape, &windows, &at, &tap, Outside::Nearest);
            let value = self.pull(operand, &position)?;
            let mut wins = match best {
                None => self.b.bool(true),
                Some((any, best)) => {
                    let wins = self.beats(select.largest, value, best);
                    let first = self.b.unary(Unary::Not, any);
                    self.b.binary(Binary::Or, wins, first)
                }
            };
            if let Some(inside) = inside {
                wins = self.b.and(Some(wins), inside);
            }
            best = Some(match best {
                None => (wins, value),
                Some((any, best)) => (self.b.binary(Binary::Or, any, wins), self.select_element(wins, value, best)),
            });
            taps.push((position, wins));
        }
        // The last tap that won is the greatest, or the first of several.
        let value = self.pull(source, &at)?;
        let mut later: Option<Reg> = None;
        for (position, wins) in taps.into_iter().rev() {
            let mut selected = wins;
            if let Some(later) = later {
                let last = self.b.unary(Unary::Not, later);
                selected = self.b.and(Some(selected), last);
            }
            later = Some(later.map_or(wins, |later| self.b.binary(Binary::Or, later, wins)));
            let addend = self.b.select(selected, value.real, zero.real);
            let position = self.position(y, &position);
            let before = self.b.load_now(param, position.clone());
            let sum = self.b.binary(Binary::Add, before, addend);
            self.b.store(param, position, sum);
        }
        self.close_axes(loops);
        Ok(())
    }

    /// Opens loops over some axes, and puts their variables into the position.
    fn open_some(
        &mut self,
        at: &mut [Index],
        shape: &Shape,
        axes: impl IntoIterator<Item = usize>,
        order: Order,
    ) -> Vec<OpenLoop> {
        let mut loops = Vec::new();
        for axis in axes {
            if shape[axis] != 1 {
                let open = self.b.open_loop(Index::default(), Index::constant(shape[axis] as i64), order, &[]);
                at[axis] = Index::reg(open.variable);
                loops.push(open);
            }
        }
        loops
    }

    /// No two elements are written by one iteration, and sums are kept in registers. An element belongs to at most
    /// `ceil(dimension / stride)` windows along an axis.
    fn add_by_element(&mut self, id: NodeId, select: &SelectAndScatterAdd) -> Result<()> {
        let node = self.graph.node(id);
        let (source, operand, y) = (node.inputs[0], node.inputs[1], node.outputs[0]);
        let aval = self.graph.aval(operand);
        let accumulator = aval.dtype.accumulator();
        let window = select.window();
        let (loops, at) = self.open_axes(&aval.shape);
        // A window begins at `window * stride - low`, so the first one that can reach `at` is the one for which
        // `window * stride > at + low - dimension`.
        let counts: Vec<usize> = window.dimensions.iter().zip(&window.strides).map(|(&d, &s)| d.div_ceil(s)).collect();
        let zero = Element::zero(&mut self.b, accumulator);
        let total = self.fold(&at, &counts, vec![zero.real], Order::Sequential, |w, steps, total| {
            let mut condition = None;
            let mut window_at = Vec::new();
            for axis in 0..at.len() {
                let (stride, low) = (window.strides[axis] as i64, window.padding[axis].0);
                // last = floor((at + low) / stride), written so that the dividend is not negative.
                let shift = if low < 0 { (-low + stride - 1) / stride } else { 0 };
                let last = w.b.digit(&at[axis].offset(low + shift * stride), stride, None).offset(-shift);
                let index = last.plus(&steps[axis], -1);
                let (register, zero) = (w.b.index_register(&index), w.b.i64(0));
                let first = w.b.compare(rjax_ir::Compare::Ge, register, zero);
                let end = w.b.i64(w.shape(source)[axis] as i64);
                let before_end = w.b.compare(rjax_ir::Compare::Lt, register, end);
                let inside = w.b.and(Some(first), before_end);
                // The window's begin plus its dimension must lie beyond `at`.
                let tap = at[axis].offset(low).plus(&index, -stride);
                let (tap, dimension) = (w.b.index_register(&tap), w.b.i64(window.dimensions[axis] as i64));
                let covered = w.b.compare(rjax_ir::Compare::Lt, tap, dimension);
                let inside = w.b.and(Some(inside), covered);
                condition = Some(w.b.and(condition, inside));
                window_at.push(index);
            }
            let selected = w.selects(select, operand, source, &at, &window_at, condition)?;
            let value = w.masked(condition, |w| w.pull(source, &window_at))?;
            let value = w.convert(value, accumulator);
            let selected = w.b.and(condition, selected);
            let sum = w.b.binary(Binary::Add, total[0], value.real);
            Ok(vec![w.b.select(selected, sum, total[0])])
        })?;
        let result = self.convert(Element::real(total[0]), aval.dtype);
        let param = self.output(y, Access::Write);
        let position = self.position(y, &at);
        self.store_at(param, position, result);
        self.close_axes(loops);
        Ok(())
    }

    /// Whether the window at `window_at` selects the element at `at`: nothing in it beats that element, and nothing before it is equal.
    fn selects(
        &mut self,
        select: &SelectAndScatterAdd,
        operand: crate::graph::ValueId,
        source: crate::graph::ValueId,
        at: &[Index],
        window_at: &[Index],
        condition: Option<crate::kir::Reg>,
    ) -> Result<crate::kir::Reg> {
        let window = select.window();
        let dtype = self.graph.aval(operand).dtype;
        let zero = Element::zero(&mut self.b, dtype);
        let (nothing, start) = (self.b.bool(false), self.b.i64(-1));
        let all: Vec<Index> = window_at.iter().chain(at).cloned().collect();
        let inits = vec![nothing, zero.real, start];
        let best = self.fold(&all, &window.dimensions, inits, Order::Sequential, |w, taps, carried| {
            let (position, inside) =
                w.under_window(&window, w.shape(operand), w.shape(source), window_at, taps, Outside::Nowhere);
            let allowed = inside.map(|inside| w.b.and(condition, inside)).or(condition);
            let value = w.masked(allowed, |w| w.pull(operand, &position))?;
            let mut wins = w.beats(select.largest, value, Element::real(carried[1]));
            let first = w.b.unary(Unary::Not, carried[0]);
            wins = w.b.binary(Binary::Or, wins, first);
            if let Some(inside) = inside {
                wins = w.b.binary(Binary::And, wins, inside);
            }
            let any = w.b.binary(Binary::Or, carried[0], wins);
            let linear = w.position(operand, &position);
            let linear = w.b.index_register(&linear);
            let best = w.b.select(wins, value.real, carried[1]);
            Ok(vec![any, best, w.b.select(wins, linear, carried[2])])
        })?;
        let own = self.position(operand, at);
        let own = self.b.index_register(&own);
        Ok(self.b.compare(rjax_ir::Compare::Eq, own, best[2]))
    }
}
