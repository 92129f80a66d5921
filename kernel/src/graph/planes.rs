//! Short axes taken apart, for programs that keep the components of a state in one array.
//!
//! `stack([f(y[:, 1]), g(y[:, 0])], axis=1)` puts two arrays into one, and the next step takes them out again. Element by element of
//! the stacked array that is a choice and a strided access for each of them. So for arrays with an axis of a few components their
//! *planes*, the arrays without that axis, are remembered where they are known: through concatenation, padding, transposition,
//! elementwise ops and slices. A slice of one component is then its plane, and a loop may carry the planes in place of the array.
//!
//! Nothing is computed twice for it: the array itself remains as a node, which is left out if nobody reads it.

use rjax_ir::{Aval, Location, Op, PadDim, Scan, Shape, Slice};

use super::{Graph, RegionId, Source, ValueId};

/// The most components that are taken apart.
const MOST: usize = 8;
/// The least elements that a plane has.
const LEAST: usize = 16;

/// The parts of an array along an axis.
#[derive(Clone, Debug)]
pub(super) struct Planes {
    axis: usize,
    values: Vec<ValueId>,
}

type At<'p> = (RegionId, &'p Location);

/// What a graph has at a moment, to go back to it.
pub(super) struct Mark {
    values: usize,
    nodes: usize,
    regions: usize,
    in_memory: usize,
}

impl<'p> Graph<'p> {
    /// The value that an op only picks out of what is known.
    pub(super) fn picked(&self, op: &Op, inputs: &[ValueId]) -> Option<ValueId> {
        let Op::Reshape { shape } = op else { return None };
        let planes = self.planes.get(&inputs[0])?;
        match planes.values[..] {
            [plane] if self.aval(plane).shape == *shape => Some(plane),
            _ => None,
        }
    }

    /// Remembers the planes of the result of a node.
    pub(super) fn note_planes(&mut self, op: &Op, inputs: &[ValueId], output: ValueId, at: At<'p>) {
        let aval = self.aval(output).clone();
        if aval.rank() == 0 || inputs.is_empty() {
            return;
        }
        let planes = match op {
            Op::Concatenate { axis } => self.concatenated(*axis, inputs, &aval, at),
            Op::Pad { padding } => self.padded(padding, inputs, &aval, at),
            Op::Slice(slice) => self.sliced(slice, inputs[0]),
            Op::Transpose { permutation } => self.transposed(permutation, inputs[0], at),
            Op::BroadcastInDim { shape, dims } => {
                let added = (0..shape.rank()).find(|axis| !dims.contains(axis));
                added
                    .filter(|&axis| dims.is_sorted() && self.aval(inputs[0]).shape == shape.without(&[axis]))
                    .and_then(|axis| (shape[axis] == 1).then(|| Planes { axis, values: vec![inputs[0]] }))
            }
            Op::Reshape { shape } => {
                let from = &self.aval(inputs[0]).shape;
                let added = (0..shape.rank()).find(|&axis| shape[axis] == 1 && shape.without(&[axis]) == *from);
                added.map(|axis| Planes { axis, values: vec![inputs[0]] })
            }
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::Convert { .. }
            | Op::ReducePrecision { .. }
            | Op::IntegerPow { .. } => self.elementwise_planes(op, inputs, &aval, at),
            Op::RegularizedIncompleteBeta
            | Op::Bitcast { .. }
            | Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::Reverse { .. }
            | Op::Iota { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::Reduce { .. }
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Threefry2x32
            | Op::Cond { .. }
            | Op::While(_)
            | Op::Scan(_)
            | Op::Call { .. }
            | Op::CustomJvp(_)
            | Op::CustomVjp(_)
            | Op::CustomLinear(_)
            | Op::LinearSolve(_)
            | Op::Root(_)
            | Op::Remat(_)
            | Op::DebugPrint(_)
            | Op::Collective(_) => None,
        };
        if let Some(planes) = planes.filter(|planes| self.aval(planes.values[0]).size() >= LEAST) {
            self.planes.insert(output, planes);
        }
    }

    fn concatenated(&mut self, axis: usize, inputs: &[ValueId], aval: &Aval, at: At<'p>) -> Option<Planes> {
        if !is_short(&aval.shape, axis) {
            return None;
        }
        let mut values = Vec::new();
        for &input in inputs {
            values.extend(self.planes_of(input, axis, at));
        }
        Some(Planes { axis, values })
    }

    /// One axis is padded, at the edges.
    fn padded(&mut self, padding: &[PadDim], inputs: &[ValueId], aval: &Aval, at: At<'p>) -> Option<Planes> {
        let mut padded = (0..padding.len()).filter(|&axis| padding[axis] != PadDim::default());
        let (Some(axis), None) = (padded.next(), padded.next()) else { return None };
        let PadDim { low, high, interior } = padding[axis];
        if !is_short(&aval.shape, axis) || low < 0 || high < 0 || interior != 0 {
            return None;
        }
        let shape = aval.shape.without(&[axis]);
        let edge = self.made_broadcast(inputs[1], &shape, vec![], at);
        let mut values = vec![edge; low as usize];
        values.extend(self.planes_of(inputs[0], axis, at));
        values.resize(values.len() + high as usize, edge);
        Some(Planes { axis, values })
    }

    /// Only the axis of the planes is cut.
    fn sliced(&self, slice: &Slice, x: ValueId) -> Option<Planes> {
        let Planes { axis, values } = self.planes.get(&x)?;
        let shape = &self.aval(x).shape;
        let whole = |a: usize| {
            slice.starts[a] == 0 && slice.limits[a] == shape[a] && slice.strides.get(a).is_none_or(|&s| s == 1)
        };
        if !(0..shape.rank()).all(|a| a == *axis || whole(a)) {
            return None;
        }
        let step = slice.strides.get(*axis).copied().unwrap_or(1);
        let values: Vec<ValueId> =
            (slice.starts[*axis]..slice.limits[*axis]).step_by(step).map(|i| values[i]).collect();
        (!values.is_empty()).then_some(Planes { axis: *axis, values })
    }

    fn transposed(&mut self, perm: &[usize], x: ValueId, at: At<'p>) -> Option<Planes> {
        let Planes { axis, values } = self.planes.get(&x)?.clone();
        let to = perm.iter().position(|&a| a == axis)?;
        let rest: Vec<usize> = perm.iter().filter(|&&a| a != axis).map(|&a| if a > axis { a - 1 } else { a }).collect();
        if rest.is_sorted() {
            return Some(Planes { axis: to, values });
        }
        let mut planes = Vec::with_capacity(values.len());
        for plane in values {
            let aval = self.aval(plane);
            let aval = aval.with_shape(rest.iter().map(|&a| aval.shape[a]).collect::<Shape>());
            planes.push(self.made(Op::Transpose { permutation: rest.clone() }, vec![plane], aval, at));
        }
        Some(Planes { axis: to, values: planes })
    }

    fn elementwise_planes(&mut self, op: &Op, inputs: &[ValueId], aval: &Aval, at: At<'p>) -> Option<Planes> {
        let known = |input: &ValueId| self.planes.get(input).filter(|_| self.aval(*input).shape == aval.shape);
        let first = inputs.iter().find_map(known)?;
        let (axis, count) = (first.axis, first.values.len());
        let mut operands = Vec::with_capacity(inputs.len());
        for &input in inputs {
            if self.aval(input).rank() == 0 {
                operands.push(vec![input; count]);
            } else {
                operands.push(self.planes_of(input, axis, at));
            }
        }
        let op = self.kept.keep(op.clone());
        let plane = aval.with_shape(aval.shape.without(&[axis]));
        let values = (0..count)
            .map(|i| {
                let inputs = operands.iter().map(|planes| planes[i]).collect();
                self.push(op, inputs, vec![plane.clone()], vec![], at.0, at.1)[0]
            })
            .collect();
        Some(Planes { axis, values })
    }

    /// The planes of an array along an axis: those that are known, or cut out of it.
    fn planes_of(&mut self, x: ValueId, axis: usize, at: At<'p>) -> Vec<ValueId> {
        if let Some(planes) = self.planes.get(&x).filter(|planes| planes.axis == axis) {
            return planes.values.clone();
        }
        let aval = self.aval(x).clone();
        let shape = aval.shape.without(&[axis]);
        let plane = aval.with_shape(shape.clone());
        if let Some(scalar) = self.broadcast_scalar(x) {
            let value = self.made_broadcast(scalar, &shape, vec![], at);
            return vec![value; aval.shape[axis]];
        }
        (0..aval.shape[axis])
            .map(|i| {
                let mut part = x;
                if aval.shape[axis] > 1 {
                    let (mut starts, mut limits) = (vec![0; aval.rank()], aval.shape.to_vec());
                    (starts[axis], limits[axis]) = (i, i + 1);
                    let cut = aval.with_shape(limits.iter().zip(&starts).map(|(l, s)| l - s).collect::<Shape>());
                    let slice = Slice { starts, limits, strides: vec![1; aval.rank()] };
                    part = self.made(Op::Slice(slice), vec![x], cut, at);
                }
                self.made(Op::Reshape { shape: shape.clone() }, vec![part], plane.clone(), at)
            })
            .collect()
    }

    /// The scalar that an array repeats.
    fn broadcast_scalar(&self, x: ValueId) -> Option<ValueId> {
        let node = self.node(self.producer(x)?);
        let scalar = matches!(node.op, Op::BroadcastInDim { .. }) && self.aval(node.inputs[0]).rank() == 0;
        scalar.then(|| node.inputs[0])
    }

    // Loops.

    /// The axes along which a loop may carry planes.
    pub(super) fn short_axes(&self, carried: &[ValueId]) -> Vec<Option<usize>> {
        let short = |&value: &ValueId| {
            if let Some(planes) = self.planes.get(&value)
                && is_short(&self.aval(value).shape, planes.axis)
            {
                return Some(planes.axis);
            }
            let shape = &self.aval(value).shape;
            (0..shape.rank()).rev().find(|&axis| is_short(shape, axis))
        };
        carried.iter().map(short).collect()
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            values: self.values.len(),
            nodes: self.nodes.len(),
            regions: self.regions.len(),
            in_memory: self.in_memory.len(),
        }
    }

    /// Forgets what was made since, all of it in regions that were made since.
    pub(super) fn go_back(&mut self, mark: &Mark) {
        self.values.truncate(mark.values);
        self.nodes.truncate(mark.nodes);
        self.regions.truncate(mark.regions);
        self.in_memory.truncate(mark.in_memory);
        self.literals.retain(|_, value| value.index() < mark.values);
        self.planes.retain(|value, _| value.index() < mark.values);
        for region in &mut self.regions {
            while region.nodes.last().is_some_and(|node| node.index() >= mark.nodes) {
                region.nodes.pop();
            }
        }
    }

    /// A parameter of a loop's region as its planes, and the array made of them.
    pub(super) fn param_in_planes(&mut self, aval: &Aval, axis: usize, at: At<'p>) -> ValueId {
        let plane = aval.with_shape(aval.shape.without(&[axis]));
        let values: Vec<ValueId> =
            (0..aval.shape[axis]).map(|_| self.value(plane.clone(), Source::Param, at.0)).collect();
        self.regions[at.0.index()].params.extend(&values);
        self.stacked(Planes { axis, values }, aval, at)
    }

    /// An array made of its planes.
    fn stacked(&mut self, planes: Planes, aval: &Aval, at: At<'p>) -> ValueId {
        let axis = planes.axis;
        let part = aval.with_shape(aval.shape.without(&[axis]).with_axis(axis, 1));
        let parts = planes
            .values
            .iter()
            .map(|&plane| {
                let op = Op::Reshape { shape: part.shape.clone() };
                self.made(op, vec![plane], part.clone(), at)
            })
            .collect();
        let whole = self.made(Op::Concatenate { axis }, parts, aval.clone(), at);
        self.planes.insert(whole, planes);
        whole
    }

    /// The values at a loop's border, those with an axis in planes; `None` where the result of a body has none.
    pub(super) fn in_planes(&self, values: &[ValueId], axes: &[Option<usize>]) -> Option<Vec<ValueId>> {
        let mut all = Vec::new();
        for (i, &value) in values.iter().enumerate() {
            match axes.get(i).copied().flatten() {
                None => all.push(value),
                Some(axis) => all.extend(&self.planes.get(&value).filter(|planes| planes.axis == axis)?.values),
            }
        }
        Some(all)
    }

    /// As [`Graph::in_planes`] for what a loop begins with, whose planes are cut out where they are not known.
    pub(super) fn cut_in_planes(&mut self, values: &[ValueId], axes: &[Option<usize>], at: At<'p>) -> Vec<ValueId> {
        let mut all = Vec::new();
        for (i, &value) in values.iter().enumerate() {
            match axes.get(i).copied().flatten() {
                None => all.push(value),
                Some(axis) => all.extend(self.planes_of(value, axis, at)),
            }
        }
        all
    }

    /// The results of a loop as the program has them.
    pub(super) fn out_of_planes(
        &mut self,
        outputs: &[ValueId],
        avals: &[Aval],
        axes: &[Option<usize>],
        at: At<'p>,
    ) -> Vec<ValueId> {
        let mut rest = outputs.iter().copied();
        let mut results = Vec::with_capacity(avals.len());
        for (i, aval) in avals.iter().enumerate() {
            results.push(match axes.get(i).copied().flatten() {
                None => rest.next().expect("one result for each"),
                Some(axis) => {
                    let values = rest.by_ref().take(aval.shape[axis]).collect();
                    self.stacked(Planes { axis, values }, aval, at)
                }
            });
        }
        results
    }

    /// The scan that carries planes.
    pub(super) fn scan_in_planes(&self, scan: &Scan, num_carry: usize) -> &'p Op {
        self.kept.keep(Op::Scan(Scan { num_carry, ..scan.clone() }))
    }
}

/// Whether an axis has a few components, each of many elements.
fn is_short(shape: &Shape, axis: usize) -> bool {
    (2..=MOST).contains(&shape[axis]) && shape.size() / shape[axis] >= LEAST
}
