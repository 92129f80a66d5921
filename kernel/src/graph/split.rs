//! Long reductions in two steps, for threads to share and vectors to do.
//!
//! A sum of 16 million values has one result, so one thread would do it all. Here it becomes 256 sums of rows, and the sum of those. Where a
//! column is long, its rows are cut into blocks in the same way, so that each block is read from front to end. Where the extreme value
//! of a row is, is found by comparing each value with the extreme value, which vectors can do.
//!
//! How a reduction is cut depends on its shape alone.

use rjax_ir::{
    ArgReduce, Aval, Binary, Builder, Combiner, Compare, DType, Eqn, Location, Op, Program, Reducer, Scalar, Scatter,
    Shape, Slice,
};

use super::{Graph, RegionId, Source, ValueId};

/// Reductions of fewer elements are left whole.
const LONG: usize = 1 << 17;
/// A reduction with at least so many rows of results has enough for all threads.
const MANY: usize = 16;
/// How many elements a part of a row has, about, and at least.
const PART: usize = 1 << 15;
const LEAST_PART: usize = 1 << 12;
const MOST_PARTS: usize = 256;
/// How many rows a block of columns has.
const BLOCK: std::ops::RangeInclusive<usize> = 32..=512;
const BEST_BLOCK: usize = 256;
/// Into how many arrays updates are scattered.
const COPIES: usize = 8;

impl<'p> Graph<'p> {
    /// `reduce_sum` and so on, as one node or as two steps.
    pub(super) fn reduce(
        &mut self,
        program: &'p Program,
        eqn: &'p Eqn,
        inputs: Vec<ValueId>,
        (reducer, axes): (Reducer, &[usize]),
        region: RegionId,
    ) -> Vec<ValueId> {
        let aval = self.aval(inputs[0]).clone();
        let Some((axis, parts)) = cut(&aval.shape, axes) else {
            return self.add(program, eqn, inputs, vec![], region);
        };
        let at = (region, &eqn.location);
        // Narrow floats are rounded once, at the end.
        let wide = if aval.dtype.is_float() { aval.dtype.accumulator() } else { aval.dtype };
        let x = self.converted(inputs[0], wide, at);
        let partial = self.partial(reducer, x, axes, axis, parts, at);
        let kept_before = (0..axis).filter(|a| !axes.contains(a)).count();
        let total = self.made_reduce(reducer, partial, vec![kept_before], at);
        vec![self.converted(total, aval.dtype, at)]
    }

    /// The reduction of parts of an axis: the axes that are kept and, in place of the cut one, one for the parts. It is put in memory.
    fn partial(
        &mut self,
        reducer: Reducer,
        x: ValueId,
        axes: &[usize],
        axis: usize,
        parts: usize,
        at: (RegionId, &'p Location),
    ) -> ValueId {
        let cut = self.cut_axis(x, axis, parts, at);
        let axes = axes.iter().map(|&a| if a >= axis { a + 1 } else { a }).collect();
        let partial = self.made_reduce(reducer, cut, axes, at);
        self.in_memory.push(partial);
        partial
    }

    /// `argmax` and `argmin` along the last axis by vectors, in parts where the row is long; otherwise as one node.
    pub(super) fn arg_reduce(
        &mut self,
        program: &'p Program,
        eqn: &'p Eqn,
        inputs: Vec<ValueId>,
        arg: &ArgReduce,
        region: RegionId,
    ) -> Vec<ValueId> {
        let at = (region, &eqn.location);
        match self.position(inputs[0], arg, at) {
            Some(position) => vec![position],
            None => self.add(program, eqn, inputs, vec![], region),
        }
    }

    /// Whether a combiner picks the greater (true) or the less (false) of two values together with its position, NaN before all and the lower
    /// position of equals, as `argmax` is written in StableHLO, and the positions are those along the axis.
    pub(super) fn is_arg_reduce(&self, body: &Program, axes: &[usize], inputs: &[ValueId]) -> Option<bool> {
        let (&[axis], &[x, index, start, zero]) = (axes, inputs) else { return None };
        let (dtype, positions) = (self.aval(x).dtype, self.aval(index).dtype);
        let node = self.node(self.producer(index)?);
        let along = matches!(node.op, Op::Iota { axis: a, .. } if *a == axis);
        let is = |value: ValueId, scalar: Scalar| self.values[value.index()].source == Source::Literal(scalar);
        if !along || dtype.is_complex() || !is(zero, Scalar::zero(positions)) || self.aval(x).size() == 0 {
            return None;
        }
        [true, false].into_iter().find(|&largest| {
            let reducer = if largest { Reducer::Max } else { Reducer::Min };
            is(start, reducer.identity(dtype)) && *body == picker(dtype, positions, largest)
        })
    }

    /// The results of such a reduction.
    pub(super) fn value_and_position(
        &mut self,
        inputs: &[ValueId],
        axis: usize,
        largest: bool,
        at: (RegionId, &'p Location),
    ) -> Vec<ValueId> {
        let x = inputs[0];
        let reducer = if largest { Reducer::Max } else { Reducer::Min };
        let value = self.made_reduce(reducer, x, vec![axis], at);
        let arg = ArgReduce { largest, axis, index_dtype: self.aval(inputs[1]).dtype };
        let position = self.position(x, &arg, at).unwrap_or_else(|| {
            let aval = self.aval(x);
            let aval = Aval::new(arg.index_dtype, aval.shape.without(&[axis]));
            self.made(Op::ArgReduce(arg.clone()), vec![x], aval, at)
        });
        vec![value, position]
    }

    /// `argmax` or `argmin` by reductions that vectors can do, where that is worth it.
    fn position(&mut self, x: ValueId, arg: &ArgReduce, at: (RegionId, &'p Location)) -> Option<ValueId> {
        let aval = self.aval(x).clone();
        let extent = aval.shape[arg.axis];
        let last = aval.shape[arg.axis + 1..].iter().all(|&extent| extent == 1);
        let lanes = matches!(
            aval.dtype,
            DType::F16 | DType::BF16 | DType::F32 | DType::I32 | DType::U32 | DType::F64 | DType::I64 | DType::U64
        );
        if !last || !lanes || extent < 64 || extent > i32::MAX as usize {
            return None;
        }
        let reducer = if arg.largest { Reducer::Max } else { Reducer::Min };
        // Positions have the width of the values, so that they have as many lanes.
        let positions = if aval.dtype.size() == 8 { DType::I64 } else { DType::I32 };
        let mut x = x;
        let mut axis = arg.axis;
        let parts = cut(&aval.shape, &[arg.axis]).map_or(1, |(_, parts)| parts);
        if parts > 1 {
            x = self.cut_axis(x, axis, parts, at);
            axis += 1;
        }
        let best = self.made_reduce(reducer, x, vec![axis], at);
        let shape = self.aval(x).shape.clone();
        let mut index = self.made_iota(positions, &shape, axis, at);
        if parts > 1 {
            let part = self.made_iota(positions, &shape, axis - 1, at);
            let length = self.literal(Scalar::from_i64(positions, (extent / parts) as i64));
            let length = self.made_broadcast(length, &shape, vec![], at);
            let first = self.made(Op::Binary(Binary::Mul), vec![part, length], Aval::new(positions, shape.clone()), at);
            index = self.made(Op::Binary(Binary::Add), vec![first, index], Aval::new(positions, shape), at);
        }
        let mut result = self.first_equal(x, best, index, axis, at);
        if parts > 1 {
            self.in_memory.extend([best, result]);
            let whole = self.made_reduce(reducer, best, vec![axis - 1], at);
            result = self.first_equal(best, whole, result, axis - 1, at);
        }
        Some(self.converted(result, arg.index_dtype, at))
    }

    /// The least of the `index` where `x` is the `best` along an axis: equal to it, or NaN. Where `best` is a number, no value is NaN.
    fn first_equal(
        &mut self,
        x: ValueId,
        best: ValueId,
        index: ValueId,
        axis: usize,
        at: (RegionId, &'p Location),
    ) -> ValueId {
        let shape = self.aval(x).shape.clone();
        let flags = Aval::new(DType::Bool, shape.clone());
        let dims = (0..shape.rank()).filter(|&a| a != axis).collect();
        let best = self.made_broadcast(best, &shape, dims, at);
        let mut hit = self.made(Op::Compare(Compare::Eq), vec![x, best], flags.clone(), at);
        if self.aval(x).dtype.is_float() {
            let nan = self.made(Op::Compare(Compare::Ne), vec![x, x], flags.clone(), at);
            hit = self.made(Op::Binary(Binary::Or), vec![hit, nan], flags, at);
        }
        let positions = self.aval(index).dtype;
        let none = self.literal(Scalar::greatest(positions));
        let none = self.made_broadcast(none, &shape, vec![], at);
        let candidates = self.made(Op::Select, vec![hit, none, index], Aval::new(positions, shape), at);
        self.made_reduce(Reducer::Min, candidates, vec![axis], at)
    }

    /// `scatter-add` and so on of many more updates than there are elements: parts of the updates go to arrays of their own, which are then
    /// combined.
    pub(super) fn scatter(
        &mut self,
        program: &'p Program,
        eqn: &'p Eqn,
        inputs: Vec<ValueId>,
        scatter: &Scatter,
        region: RegionId,
    ) -> Vec<ValueId> {
        let at = (region, &eqn.location);
        let (x, indices, updates) = (inputs[0], inputs[1], inputs[2]);
        let aval = self.aval(x).clone();
        let shape = &self.aval(updates).shape;
        let batch_dims: Vec<usize> =
            (0..shape.rank()).filter(|axis| !scatter.update_window_dims.contains(axis)).collect();
        // Whether the order of the updates makes no difference but for rounding, and a value that changes nothing.
        let neutral = match scatter.combiner {
            Combiner::Add if aval.dtype.is_float() => Some(Scalar::from_f64(aval.dtype, -0.0)),
            Combiner::Add => Some(Scalar::zero(aval.dtype)),
            Combiner::Max => Some(Reducer::Max.identity(aval.dtype)),
            Combiner::Min => Some(Reducer::Min.identity(aval.dtype)),
            Combiner::Replace | Combiner::Mul => None,
        };
        let exact = !aval.dtype.is_complex() && aval.dtype.accumulator() == aval.dtype;
        let cut = (0..batch_dims.len())
            .filter(|axis| !scatter.scatter_indices_batching_dims.contains(axis))
            .max_by_key(|&axis| shape[batch_dims[axis]])
            .and_then(|axis| Some((axis, copies(shape.size(), aval.size(), shape[batch_dims[axis]])?)));
        let (Some(neutral), Some((axis, parts)), true) = (neutral, cut, exact) else {
            return self.add(program, eqn, inputs, vec![], region);
        };
        let update_axis = batch_dims[axis];
        let indices = self.cut_axis(indices, axis, parts, at);
        let updates = self.cut_axis(updates, update_axis, parts, at);
        let copies = aval.with_shape(Shape::from([&[parts], &aval.shape[..]].concat()));
        let neutral = self.literal(neutral);
        let start = self.made_broadcast(neutral, &copies.shape, vec![], at);
        let behind = |axes: &[usize], from: usize| axes.iter().map(|&a| if a >= from { a + 1 } else { a }).collect();
        let shifted: Vec<usize> = behind(&scatter.operand_batching_dims, 0);
        let indices_shifted: Vec<usize> = behind(&scatter.scatter_indices_batching_dims, axis);
        let op = Op::Scatter(Scatter {
            update_window_dims: behind(&scatter.update_window_dims, update_axis),
            inserted_window_dims: behind(&scatter.inserted_window_dims, 0),
            operand_batching_dims: [&[0], &shifted[..]].concat(),
            scatter_indices_batching_dims: [&[axis], &indices_shifted[..]].concat(),
            scatter_dims_to_operand_dims: behind(&scatter.scatter_dims_to_operand_dims, 0),
            ..scatter.clone()
        });
        let partial = self.made(op, vec![start, indices, updates], copies.clone(), at);
        self.in_memory.push(partial);
        // One after the other, and the array that was there first: a sum of nothing keeps the sign of a zero.
        let combine = scatter.combiner.binary().expect("checked: it combines");
        let mut total = x;
        for part in 0..parts {
            let rank = copies.shape.rank();
            let mut slice = Slice { starts: vec![0; rank], limits: copies.shape.to_vec(), strides: vec![1; rank] };
            (slice.starts[0], slice.limits[0]) = (part, part + 1);
            let one = aval.with_shape(Shape::from([&[1], &aval.shape[..]].concat()));
            let one = self.made(Op::Slice(slice), vec![partial], one, at);
            let one = self.made(Op::Reshape { shape: aval.shape.clone() }, vec![one], aval.clone(), at);
            total = self.made(Op::Binary(combine), vec![total, one], aval.clone(), at);
        }
        vec![total]
    }

    pub(super) fn made(
        &mut self,
        op: Op,
        inputs: Vec<ValueId>,
        aval: Aval,
        (region, location): (RegionId, &'p Location),
    ) -> ValueId {
        let op = self.kept.keep(op);
        self.push(op, inputs, vec![aval], vec![], region, location)[0]
    }

    pub(super) fn made_reduce(
        &mut self,
        reducer: Reducer,
        x: ValueId,
        axes: Vec<usize>,
        at: (RegionId, &'p Location),
    ) -> ValueId {
        let aval = self.aval(x);
        let aval = aval.with_shape(aval.shape.without(&axes));
        self.made(Op::Reduce { reducer, axes }, vec![x], aval, at)
    }

    fn made_iota(&mut self, dtype: DType, shape: &Shape, axis: usize, at: (RegionId, &'p Location)) -> ValueId {
        let op = Op::Iota { dtype, shape: shape.clone(), axis };
        self.made(op, vec![], Aval::new(dtype, shape.clone()), at)
    }

    pub(super) fn made_broadcast(
        &mut self,
        x: ValueId,
        shape: &Shape,
        dims: Vec<usize>,
        at: (RegionId, &'p Location),
    ) -> ValueId {
        let aval = self.aval(x).with_shape(shape.clone());
        self.made(Op::BroadcastInDim { shape: shape.clone(), dims }, vec![x], aval, at)
    }

    fn converted(&mut self, x: ValueId, dtype: DType, at: (RegionId, &'p Location)) -> ValueId {
        let aval = self.aval(x);
        if aval.dtype == dtype {
            return x;
        }
        let aval = Aval::new(dtype, aval.shape.clone());
        self.made(Op::Convert { dtype }, vec![x], aval, at)
    }

    /// An axis as two, the outer one of extent `parts`.
    fn cut_axis(&mut self, x: ValueId, axis: usize, parts: usize, at: (RegionId, &'p Location)) -> ValueId {
        let aval = self.aval(x);
        let mut extents = aval.shape.to_vec();
        extents[axis] /= parts;
        extents.insert(axis, parts);
        let shape = Shape::from(extents);
        let aval = aval.with_shape(shape.clone());
        self.made(Op::Reshape { shape }, vec![x], aval, at)
    }
}

/// Into how many parts the updates of a scatter are cut, if that is worth a copy of the array for each.
fn copies(updates: usize, elements: usize, extent: usize) -> Option<usize> {
    let few = 2..=COPIES.min(updates / (8 * elements).max(1));
    let parts = few.filter(|parts| extent.is_multiple_of(*parts)).max()?;
    (updates >= LONG && parts >= COPIES / 2).then_some(parts)
}

/// The combiner of `argmax` and `argmin` on values and positions.
fn picker(dtype: DType, positions: DType, largest: bool) -> Program {
    let mut b = Builder::new();
    let [x, i, y, j] = [dtype, positions, dtype, positions].map(|dtype| b.input(Aval::scalar(dtype)));
    let mut wins = b.compare(if largest { Compare::Gt } else { Compare::Lt }, x, y);
    if dtype.is_float() {
        let nan = b.compare(Compare::Ne, x, x);
        wins = b.binary(Binary::Or, wins, nan);
    }
    let equal = b.compare(Compare::Eq, x, y);
    let before = b.compare(Compare::Lt, i, j);
    let tie = b.binary(Binary::And, equal, before);
    let stays = b.binary(Binary::Or, wins, tie);
    let (value, position) = (b.select(wins, x, y), b.select(stays, i, j));
    b.finish(vec![value, position])
}

/// Which of the reduced axes is cut, and into how many parts, if the reduction is long and has few results to do at the same time.
fn cut(shape: &Shape, axes: &[usize]) -> Option<(usize, usize)> {
    if shape.size() < LONG {
        return None;
    }
    let axis = *axes.iter().rev().max_by_key(|&&axis| shape[axis])?;
    let extent = shape[axis];
    let last = (0..shape.rank()).rev().find(|&a| shape[a] != 1)?;
    let divisors = |range: std::ops::RangeInclusive<usize>| range.filter(move |part| extent.is_multiple_of(*part));
    if axes.contains(&last) {
        let results: usize = shape.without(axes).size();
        let wanted = (shape.size() / results / PART).clamp(MANY, MOST_PARTS);
        let most = (shape.size() / results / LEAST_PART).min(extent);
        let parts = divisors(2..=most.min(2 * wanted)).min_by_key(|parts| parts.abs_diff(wanted))?;
        return (results < MANY).then_some((axis, parts));
    }
    let rows: usize = (0..axis).filter(|a| !axes.contains(a)).map(|a| shape[a]).product();
    let block = divisors(BLOCK).filter(|&block| block < extent).min_by_key(|block| block.abs_diff(BEST_BLOCK))?;
    (rows < MANY).then_some((axis, extent / block))
}
