//! Programs on scalars and small arrays, in registers: the combiners of general reductions, and whole loops that carry such values.
//!
//! Every element has a register of its own, so that what moves elements costs nothing, and what carries them needs no memory. Positions
//! that are computed at run time are found by comparison.

use std::collections::HashSet;

use rjax_ir::{Compare, DType, Error, ErrorKind, IndexMode, Op, Result, Scalar, Shape};

use super::Writer;
use super::element::{Element, parts};
use super::gather::Fit;
use crate::graph::{Graph, NodeId, RegionId, ValueId};
use crate::kir::{Access, Index, Order, ParamId, Reg};
use crate::memory::carry_count;

impl Writer<'_, '_> {
    /// The results of a region whose parameters are scalars in registers.
    pub(super) fn scalar_region(&mut self, region: RegionId, arguments: &[Element]) -> Result<Vec<Element>> {
        let params = self.graph.region(region).params.clone();
        for (param, &argument) in params.into_iter().zip(arguments) {
            self.known.insert(param, vec![argument]);
        }
        self.small_region(region)?;
        let results = &self.graph.region(region).results;
        results.iter().map(|&result| Ok(self.elements(result)?[0])).collect()
    }

    /// Computes all of a region whose parameters are known.
    fn small_region(&mut self, region: RegionId) -> Result<()> {
        for &id in &self.graph.region(region).nodes {
            let results = self.small_node(id)?;
            for (&output, result) in self.graph.node(id).outputs.iter().zip(results) {
                self.known.insert(output, result);
            }
        }
        Ok(())
    }

    /// All elements of a value, in order.
    fn elements(&mut self, value: ValueId) -> Result<Vec<Element>> {
        if let Some(elements) = self.known.get(&value) {
            return Ok(elements.clone());
        }
        // From outside: a literal, or in memory.
        positions(self.shape(value)).iter().map(|at| self.pull(value, at)).collect()
    }

    /// Row-major, for each result.
    fn small_node(&mut self, id: NodeId) -> Result<Vec<Vec<Element>>> {
        let node = self.graph.node(id);
        match form(self.graph, id) {
            Form::Loop if matches!(node.op, Op::While(_)) => self.small_while(id),
            Form::Loop => self.small_scan(id, &[]),
            Form::Branch => {
                let index = self.elements(node.inputs[0])?[0].real;
                self.small_cond(id, index)
            }
            Form::Same(operand) => Ok(vec![self.elements(node.inputs[operand])?]),
            Form::Zero(dtype) => Ok(vec![vec![Element::zero(&mut self.b, dtype)]]),
            Form::Each => {
                let mut results = vec![vec![]; node.outputs.len()];
                for at in positions(self.shape(node.outputs[0])) {
                    for (result, element) in results.iter_mut().zip(self.compute(id, &at)?) {
                        result.push(element);
                    }
                }
                Ok(results)
            }
            Form::Joined(axis) => {
                let mut parts = Vec::new();
                for &input in &node.inputs {
                    parts.push(self.elements(input)?);
                }
                let shape = self.shape(node.outputs[0]);
                let inner: usize = shape[axis + 1..].iter().product();
                let mut joined = Vec::with_capacity(shape.size());
                for outer in 0..shape[..axis].iter().product() {
                    for (part, &input) in parts.iter().zip(&node.inputs) {
                        let run = self.shape(input)[axis] * inner;
                        joined.extend_from_slice(&part[outer * run..(outer + 1) * run]);
                    }
                }
                Ok(vec![joined])
            }
            Form::Update => self.small_update(id),
            Form::Scatter => self.small_scatter(id),
            Form::Other => {
                let message = format!(
                    "{}: not supported inside the combiner of a general reduction when compiled",
                    node.op.name()
                );
                Err(Error::new(ErrorKind::Unsupported, message).at(node.location))
            }
        }
    }

    /// `dynamic_update_slice`: every element is that of the window if the window begins where it would have to.
    fn small_update(&mut self, id: NodeId) -> Result<Vec<Vec<Element>>> {
        let node = self.graph.node(id);
        let (x, window) = (node.inputs[0], node.inputs[1]);
        let sizes = self.shape(window).to_vec();
        let starts = self.starts(x, &node.inputs[2..], &sizes)?;
        let update = self.elements(window)?;
        let offsets = positions(self.shape(window));
        let axes: Vec<usize> = (0..sizes.len()).collect();
        self.overwritten(x, &starts, &axes, None, &offsets, |_, i, _| update[i])
    }

    /// The windows of a scatter, one after the other.
    fn small_scatter(&mut self, id: NodeId) -> Result<Vec<Vec<Element>>> {
        let node = self.graph.node(id);
        let Op::Scatter(scatter) = node.op else { unreachable!("a scatter") };
        let (x, indices, updates) = (node.inputs[0], node.inputs[1], node.inputs[2]);
        let dtype = self.graph.aval(x).dtype;
        let rank = self.shape(x).rank();
        let shape = self.shape(updates);
        let window_axes = scatter.window_axes(rank);
        let mut sizes = vec![1; rank];
        for (&axis, &update_axis) in window_axes.iter().zip(&scatter.update_window_dims) {
            sizes[axis] = shape[update_axis];
        }
        let update = self.elements(updates)?;
        let all = positions(shape);
        let is_window = |axis: &usize| scatter.update_window_dims.contains(axis);
        let (window_dims, batch_dims): (Vec<usize>, Vec<usize>) = (0..shape.rank()).partition(is_window);
        let batch_shape: Shape = batch_dims.iter().map(|&axis| shape[axis]).collect();
        let axes = &scatter.scatter_dims_to_operand_dims;
        let fit = if scatter.mode == IndexMode::Clip { Fit::Clamp } else { Fit::AskBoth };
        let mut result = self.elements(x)?;
        for batch in positions(&batch_shape) {
            let starts = self.window_starts(x, indices, &batch, axes, &sizes, fit)?;
            // The elements of this window, and where they are in it.
            let (mut numbers, mut offsets) = (Vec::new(), Vec::new());
            for (number, at) in all.iter().enumerate() {
                if batch_dims.iter().zip(&batch).any(|(&axis, index)| at[axis] != *index) {
                    continue;
                }
                let mut offset = vec![Index::default(); rank];
                for (&axis, &update_axis) in window_axes.iter().zip(&window_dims) {
                    offset[axis] = at[update_axis].clone();
                }
                for (&axis, &batch_axis) in
                    scatter.operand_batching_dims.iter().zip(&scatter.scatter_indices_batching_dims)
                {
                    offset[axis] = batch[batch_axis].clone();
                }
                numbers.push(number);
                offsets.push(offset);
            }
            self.known.insert(x, result);
            let written = self.overwritten(x, &starts.starts, axes, starts.inside, &offsets, |w, i, old| {
                let new = update[numbers[i]];
                match scatter.combiner.binary() {
                    None => new,
                    Some(op) => w.binary(op, dtype, old, new),
                }
            })?;
            result = written.into_iter().next().expect("one result");
        }
        Ok(vec![result])
    }

    /// The elements of `x` after those of a window were written, which begins at `starts` along `axes` (and at 0 along others).
    fn overwritten(
        &mut self,
        x: ValueId,
        starts: &[Index],
        axes: &[usize],
        inside: Option<Reg>,
        offsets: &[Vec<Index>],
        new: impl Fn(&mut Self, usize, Element) -> Element,
    ) -> Result<Vec<Vec<Element>>> {
        let shape = self.shape(x);
        let mut elements = self.elements(x)?;
        for (element, at) in elements.iter_mut().zip(positions(shape)) {
            for (i, offset) in offsets.iter().enumerate() {
                let mut condition = inside;
                let mut possible = true;
                for axis in 0..shape.rank() {
                    let wanted = at[axis].constant - offset[axis].constant;
                    match axes.iter().position(|&a| a == axis).map(|component| &starts[component]) {
                        None => possible &= wanted == 0,
                        Some(start) => match start.as_constant() {
                            Some(start) => possible &= wanted == start,
                            None if wanted < 0 => possible = false,
                            None => {
                                let start = self.b.index_register(start);
                                let wanted = self.b.i64(wanted);
                                let here = self.b.compare(Compare::Eq, start, wanted);
                                condition = Some(self.b.and(condition, here));
                            }
                        },
                    }
                }
                if !possible {
                    continue;
                }
                let value = new(self, i, *element);
                *element = match condition {
                    None => value,
                    Some(condition) => self.select_element(condition, value, *element),
                };
            }
        }
        Ok(vec![elements])
    }

    /// Branches have no effects and end, so all of them may be computed and one selected.
    fn small_cond(&mut self, id: NodeId, index: Reg) -> Result<Vec<Vec<Element>>> {
        let regions = &self.graph.node(id).regions;
        let mut results: Vec<Vec<Element>> = vec![];
        for (i, &region) in regions.iter().enumerate() {
            self.small_region(region)?;
            let mut branch = Vec::new();
            for &result in &self.graph.region(region).results {
                branch.push(self.elements(result)?);
            }
            if i == 0 {
                results = branch;
                continue;
            }
            let at_least = if self.b.dtype(index) == DType::Bool {
                index
            } else {
                let i = self.b.constant(Scalar::new(i as i32));
                self.b.compare(Compare::Ge, index, i)
            };
            for (old, new) in results.iter_mut().flatten().zip(branch.into_iter().flatten()) {
                *old = self.select_element(at_least, new, *old);
            }
        }
        Ok(results)
    }

    /// Sorts the carried values of a loop: those that every iteration hands on are known under the names of the parameters, the
    /// registers of the others are given.
    fn enter(&mut self, id: NodeId, body: RegionId, others: &[RegionId]) -> Result<(Vec<usize>, Vec<Reg>)> {
        let node = self.graph.node(id);
        let inner = self.graph.region(body);
        let mut carried = Vec::new();
        let mut inits = Vec::new();
        for i in 0..carry_count(node) {
            let init = node.inputs[i];
            if inner.results[i] == inner.params[i] {
                for region in others.iter().chain([&body]) {
                    let param = self.graph.region(*region).params[i];
                    match self.known.get(&init).cloned() {
                        Some(elements) => {
                            self.known.insert(param, elements);
                        }
                        None => {
                            self.outside.insert(param, init);
                        }
                    }
                }
                continue;
            }
            carried.push(i);
            for element in self.elements(init)? {
                inits.extend(element.registers());
            }
        }
        Ok((carried, inits))
    }

    /// Gives names to carried registers.
    fn name(&mut self, carried: &[usize], values: &[ValueId], registers: &[Reg]) {
        let mut rest = registers;
        for &i in carried {
            let aval = self.graph.aval(values[i]);
            let (now, later) = rest.split_at(aval.size() * parts(aval.dtype));
            self.known.insert(values[i], Element::from_registers(&vec![aval.dtype; aval.size()], now));
            rest = later;
        }
    }

    fn next(&mut self, carried: &[usize], region: RegionId) -> Result<Vec<Reg>> {
        let mut registers = Vec::new();
        for &i in carried {
            for element in self.elements(self.graph.region(region).results[i])? {
                registers.extend(element.registers());
            }
        }
        Ok(registers)
    }

    /// The carried values at the end.
    fn leave(&mut self, id: NodeId, carried: &[usize], last: &[Reg]) -> Result<Vec<Vec<Element>>> {
        let node = self.graph.node(id);
        self.name(carried, &node.outputs, last);
        let mut results = Vec::new();
        for i in 0..carry_count(node) {
            let from = if carried.contains(&i) { node.outputs[i] } else { node.inputs[i] };
            results.push(self.elements(from)?);
        }
        Ok(results)
    }

    fn small_while(&mut self, id: NodeId) -> Result<Vec<Vec<Element>>> {
        let [condition, body] = self.graph.node(id).regions[..] else { unreachable!("a while has two regions") };
        let (carried, inits) = self.enter(id, body, &[condition])?;
        let mut open = self.b.open_while(&inits);
        for region in [condition, body] {
            let params = self.graph.region(region).params.clone();
            self.name(&carried, &params, &open.carried());
        }
        self.small_region(condition)?;
        let predicate = self.elements(self.graph.region(condition).results[0])?[0].real;
        self.b.close_condition(&mut open, predicate);
        self.small_region(body)?;
        let next = self.next(&carried, body)?;
        let last = self.b.close_while(open, &next);
        self.leave(id, &carried, &last)
    }

    /// The carried values at the end; stacked results go to the parameters `stacked`.
    fn small_scan(&mut self, id: NodeId, stacked: &[ParamId]) -> Result<Vec<Vec<Element>>> {
        let node = self.graph.node(id);
        let Op::Scan(scan) = node.op else { unreachable!("a scan") };
        let body = node.regions[0];
        let scanned = &node.inputs[scan.num_carry..];
        let (carried, inits) = self.enter(id, body, &[])?;
        let length = scan.length as i64;
        let open = self.b.open_loop(Index::default(), Index::constant(length), Order::Sequential, &inits);
        let step = Index::reg(open.variable);
        let step = if scan.reverse { step.times(-1).offset(length - 1) } else { step };
        let params = self.graph.region(body).params.clone();
        self.name(&carried, &params, &open.carried());
        for (&xs, &param) in scanned.iter().zip(&params[scan.num_carry..]) {
            let mut slice = Vec::new();
            for at in positions(self.shape(param)) {
                slice.push(self.pull(xs, &[std::slice::from_ref(&step), &at].concat())?);
            }
            self.known.insert(param, slice);
        }
        self.small_region(body)?;
        for (&param, &y) in stacked.iter().zip(&self.graph.region(body).results[scan.num_carry..]) {
            let elements = self.elements(y)?;
            for (i, &element) in elements.iter().enumerate() {
                self.store_at(param, step.times(elements.len() as i64).offset(i as i64), element);
            }
        }
        let next = self.next(&carried, body)?;
        let last = self.b.close_loop(open, &next);
        self.leave(id, &carried, &last)
    }

    /// A loop over small arrays as a kernel: what it carries stays in registers.
    pub(super) fn small_loop(&mut self, id: NodeId) -> Result<()> {
        let node = self.graph.node(id);
        let carries = carry_count(node);
        let range = self.b.open_range();
        self.unrolled = true;
        let stacked: Vec<ParamId> = node.outputs[carries..].iter().map(|&y| self.output(y, Access::Write)).collect();
        let is_scan = matches!(node.op, Op::Scan(_));
        let last = if is_scan { self.small_scan(id, &stacked)? } else { self.small_while(id)? };
        for (&output, elements) in node.outputs.iter().zip(&last) {
            if elements.is_empty() {
                continue;
            }
            let param = self.output(output, Access::Write);
            for (i, &element) in elements.iter().enumerate() {
                self.store_at(param, Index::constant(i as i64), element);
            }
        }
        self.unrolled = false;
        self.b.close_loop(range, &[]);
        Ok(())
    }

    /// An element of an array in registers at a computed position.
    pub(super) fn chosen(&mut self, value: ValueId, at: &[Index]) -> Element {
        let position = self.position(value, at);
        let elements = self.known[&value].clone();
        if let [element] = elements[..] {
            return element;
        }
        if let Some(position) = position.as_constant() {
            return elements[position as usize];
        }
        let position = self.b.index_register(&position);
        let mut chosen = elements[0];
        for (i, &element) in elements.iter().enumerate().skip(1) {
            let i = self.b.i64(i as i64);
            let here = self.b.compare(Compare::Eq, position, i);
            chosen = self.select_element(here, element, chosen);
        }
        chosen
    }
}

/// All positions in an array, row-major.
pub(super) fn positions(shape: &Shape) -> Vec<Vec<Index>> {
    let mut all = vec![vec![]];
    for &extent in shape.iter() {
        all = all
            .iter()
            .flat_map(|start: &Vec<Index>| {
                (0..extent).map(move |i| [&start[..], &[Index::constant(i as i64)]].concat())
            })
            .collect();
    }
    all
}

/// How a node on small arrays is computed in registers.
enum Form {
    /// Each element of the results from elements of the operands.
    Each,
    /// An operand's elements in order.
    Same(usize),
    Zero(DType),
    /// One after the other along an axis.
    Joined(usize),
    Update,
    Scatter,
    Branch,
    Loop,
    /// Not at all.
    Other,
}

fn form(graph: &Graph<'_>, id: NodeId) -> Form {
    let node = graph.node(id);
    let one = |value: &ValueId| graph.aval(*value).size() == 1;
    let scalars = node.inputs.iter().chain(&node.outputs).all(one);
    match node.op {
        Op::Cond { .. } => Form::Branch,
        Op::While(_) | Op::Scan(_) => Form::Loop,
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::Threefry2x32 => Form::Each,
        Op::Bitcast { dtype } if graph.aval(node.inputs[0]).dtype.size() == dtype.size() => Form::Each,
        Op::BroadcastInDim { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Reverse { .. }
        | Op::DynamicSlice { .. }
        | Op::Reduce { .. }
            if scalars && !matches!(node.op, Op::Pad { .. }) =>
        {
            Form::Same(0)
        }
        Op::Reshape { .. } => Form::Same(0),
        Op::BroadcastInDim { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Reverse { .. }
        | Op::DynamicSlice { .. }
        | Op::Gather(_)
        | Op::Reduce { .. }
        | Op::DotGeneral(_) => Form::Each,
        Op::DynamicUpdateSlice if scalars => Form::Same(1),
        Op::DynamicUpdateSlice => Form::Update,
        Op::Scatter(_) => Form::Scatter,
        Op::Concatenate { axis } => Form::Joined(*axis),
        Op::Iota { dtype, .. } if scalars => Form::Zero(*dtype),
        Op::Iota { .. } => Form::Each,
        Op::Cumulative(_) if scalars => Form::Same(0),
        Op::ArgReduce(arg) if scalars => Form::Zero(arg.index_dtype),
        Op::Bitcast { .. }
        | Op::Cumulative(_)
        | Op::ArgReduce(_)
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::GeneralReduce { .. }
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::SelectAndGatherAdd(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::CustomLinear(_)
        | Op::LinearSolve(_)
        | Op::Root(_)
        | Op::Remat(_)
        | Op::DebugPrint(_)
        | Op::Collective(_) => Form::Other,
    }
}

/// Beyond this many elements of results a loop's body is better off in several kernels.
const MAX_BODY: usize = 4000;
/// The largest array in registers.
const MAX_ELEMENTS: usize = 64;
/// An element is in an array of at most so many on average; more are better off in vectors.
const MAX_MEAN: usize = 16;

/// What is found out about a loop.
struct Survey {
    /// The values defined in it, with the elements of those that are in registers.
    inside: HashSet<ValueId>,
    reads: Vec<ValueId>,
    /// How many instructions there are, about.
    work: usize,
    /// How many elements elementwise nodes have, and the sum of the squares of these numbers.
    elements: usize,
    squares: usize,
}

/// The values from outside that a loop reads, if it can be one kernel: it carries small arrays only, and scans and stacks arrays of them.
pub(crate) fn small_loop_reads(graph: &Graph<'_>, id: NodeId) -> Option<Vec<ValueId>> {
    let node = graph.node(id);
    if !matches!(node.op, Op::While(_) | Op::Scan(_)) {
        return None;
    }
    let mut survey = Survey { inside: HashSet::new(), reads: node.inputs.clone(), work: 0, elements: 0, squares: 0 };
    let fits = survey.fits(graph, id, true) && survey.squares <= MAX_MEAN * survey.elements;
    let Survey { mut reads, inside, .. } = survey;
    fits.then(|| {
        reads.retain(|value| !inside.contains(value));
        reads
    })
}

impl Survey {
    fn fits(&mut self, graph: &Graph<'_>, id: NodeId, stacks: bool) -> bool {
        let node = graph.node(id);
        let small = |value: &ValueId| (1..=MAX_ELEMENTS).contains(&graph.aval(*value).size());
        let carries = carry_count(node);
        let is_cond = matches!(node.op, Op::Cond { .. });
        if !is_cond {
            let scanned_from_outside = node.inputs[carries..].iter().all(|xs| !self.inside.contains(xs));
            let carried = node.inputs[..carries].iter().all(small);
            if !carried || !scanned_from_outside || !stacks && node.outputs.len() > carries {
                return false;
            }
        }
        let body = node.regions.last().map(|&body| graph.region(body));
        let handed_on = |i: usize| body.is_some_and(|body| i < carries && body.results[i] == body.params[i]);
        for &region in &node.regions {
            let region = graph.region(region);
            for (i, &param) in region.params.iter().enumerate() {
                // What every iteration hands on is what it was outside.
                if !handed_on(i) || self.inside.contains(&node.inputs[i]) {
                    self.inside.insert(param);
                }
            }
            if !region.params.iter().chain(&region.results).all(small) {
                return false;
            }
            for &inner in &region.nodes {
                if !self.node_fits(graph, inner, is_cond) || self.work > MAX_BODY {
                    return false;
                }
                self.inside.extend(&graph.node(inner).outputs);
            }
            self.reads.extend(&region.results);
        }
        true
    }

    fn node_fits(&mut self, graph: &Graph<'_>, id: NodeId, in_branch: bool) -> bool {
        let node = graph.node(id);
        self.reads.extend(&node.inputs);
        let size = |value: ValueId| graph.aval(value).size();
        let small = |value: &ValueId| (1..=MAX_ELEMENTS).contains(&size(*value));
        if !node.outputs.iter().all(small) {
            return false;
        }
        let result: usize = node.outputs.iter().map(|&y| size(y)).sum();
        let work = match form(graph, id) {
            Form::Same(_) | Form::Zero(_) | Form::Joined(_) => 0,
            Form::Each => self.each(graph, id, result),
            Form::Update => result * size(node.inputs[1]).min(4),
            Form::Scatter => result * 2 * size(node.inputs[1]).max(1),
            // A loop in a branch that is not taken might not end.
            Form::Loop => return !in_branch && self.fits(graph, id, false),
            Form::Branch => return self.fits(graph, id, false),
            Form::Other => return false,
        };
        self.work += work;
        if work == result {
            self.elements += result;
            self.squares += result * result;
        }
        true
    }

    /// The work for so many elements that are computed one by one.
    fn each(&self, graph: &Graph<'_>, id: NodeId, result: usize) -> usize {
        let node = graph.node(id);
        let size = |value: ValueId| graph.aval(value).size();
        let moves = matches!(
            node.op,
            Op::BroadcastInDim { .. }
                | Op::Transpose { .. }
                | Op::Slice(_)
                | Op::Pad { .. }
                | Op::Reverse { .. }
                | Op::Iota { .. }
        );
        if moves {
            return 0;
        }
        if matches!(node.op, Op::DynamicSlice { .. } | Op::Gather(_)) {
            // An element at a computed position is chosen among all elements.
            let in_registers = self.inside.contains(&node.inputs[0]);
            return if in_registers { 2 * result * size(node.inputs[0]) } else { 4 * result };
        }
        if let Op::DotGeneral(dot) = node.op {
            let shape = &graph.aval(node.inputs[0]).shape;
            return 2 * result * dot.lhs_contracting.iter().map(|&axis| shape[axis]).product::<usize>();
        }
        if matches!(node.op, Op::Reduce { .. }) { size(node.inputs[0]) } else { result }
    }
}
