//! Programs on scalars, in registers: the combiners of general reductions, and whole loops that carry scalars.

use std::collections::HashSet;

use rjax_ir::{Compare, DType, Error, ErrorKind, Op, Result, Scalar};

use super::Writer;
use super::element::Element;
use crate::graph::{Graph, NodeId, RegionId, ValueId};
use crate::kir::{Access, Index, Order, ParamId, Reg};
use crate::memory::carry_count;

impl Writer<'_, '_> {
    /// The results of a region whose parameters are scalars in registers.
    pub(super) fn scalar_region(&mut self, region: RegionId, arguments: &[Element]) -> Result<Vec<Element>> {
        let region = self.graph.region(region);
        for (&param, &argument) in region.params.iter().zip(arguments) {
            self.known.insert(param, argument);
        }
        for &id in &region.nodes {
            let results = self.scalar_node(id)?;
            for (&output, result) in self.graph.node(id).outputs.iter().zip(results) {
                self.known.insert(output, result);
            }
        }
        region.results.iter().map(|&result| self.known_scalar(result)).collect()
    }

    fn known_scalar(&mut self, value: ValueId) -> Result<Element> {
        match self.known.get(&value) {
            Some(&element) => Ok(element),
            // From outside: a literal, or in memory.
            None => self.pull(value, &vec![Index::default(); self.shape(value).rank()]),
        }
    }

    fn scalar_node(&mut self, id: NodeId) -> Result<Vec<Element>> {
        let node = self.graph.node(id);
        if let Op::While(_) = node.op {
            return self.scalar_while(id);
        }
        if let Op::Scan(_) = node.op {
            return self.scalar_scan(id, &[]);
        }
        if let Op::DynamicSlice { sizes } = node.op
            && !self.known.contains_key(&node.inputs[0])
        {
            let position = self.starts(node.inputs[0], &node.inputs[1..], sizes)?;
            return Ok(vec![self.pull(node.inputs[0], &position)?]);
        }
        let mut operands = Vec::new();
        for &input in &node.inputs {
            operands.push(self.known_scalar(input)?);
        }
        if let Op::Cond { .. } = node.op {
            return self.scalar_cond(id, operands[0].real);
        }
        match form(self.graph, id) {
            Form::Elementwise => Ok(self.elementwise(id, &operands)),
            Form::Same(operand) => Ok(vec![operands[operand]]),
            Form::Zero(dtype) => Ok(vec![Element::zero(&mut self.b, dtype)]),
            Form::Loop | Form::Read | Form::Branch | Form::Other => {
                let message = format!(
                    "{}: not supported inside the combiner of a general reduction when compiled",
                    node.op.name()
                );
                Err(Error::new(ErrorKind::Unsupported, message).at(node.location))
            }
        }
    }

    /// Branches have no effects and end, so all of them may be computed and one selected.
    fn scalar_cond(&mut self, id: NodeId, index: Reg) -> Result<Vec<Element>> {
        let regions = &self.graph.node(id).regions;
        let mut results = self.scalar_region(regions[0], &[])?;
        for (i, &region) in regions.iter().enumerate().skip(1) {
            let i = self.b.constant(Scalar::new(i as i32));
            let at_least = self.b.compare(Compare::Ge, index, i);
            let branch = self.scalar_region(region, &[])?;
            for (result, value) in results.iter_mut().zip(branch) {
                *result = self.select_element(at_least, value, *result);
            }
        }
        Ok(results)
    }

    fn inits(&mut self, values: &[ValueId]) -> Result<(Vec<DType>, Vec<Reg>)> {
        let mut registers = Vec::new();
        for &value in values {
            registers.extend(self.known_scalar(value)?.registers());
        }
        Ok((values.iter().map(|&value| self.graph.aval(value).dtype).collect(), registers))
    }

    fn scalar_while(&mut self, id: NodeId) -> Result<Vec<Element>> {
        let node = self.graph.node(id);
        let (dtypes, inits) = self.inits(&node.inputs)?;
        let mut open = self.b.open_while(&inits);
        let carried = Element::from_registers(&dtypes, &open.carried());
        let predicate = self.scalar_region(node.regions[0], &carried)?[0].real;
        self.b.close_condition(&mut open, predicate);
        let next = self.scalar_region(node.regions[1], &carried)?;
        let next: Vec<Reg> = next.iter().flat_map(Element::registers).collect();
        let last = self.b.close_while(open, &next);
        Ok(Element::from_registers(&dtypes, &last))
    }

    /// The carried values at the end; stacked results go to the parameters `stacked`.
    fn scalar_scan(&mut self, id: NodeId, stacked: &[ParamId]) -> Result<Vec<Element>> {
        let node = self.graph.node(id);
        let Op::Scan(scan) = node.op else { unreachable!("a scan") };
        let (carry, scanned) = node.inputs.split_at(scan.num_carry);
        let (dtypes, inits) = self.inits(carry)?;
        let length = scan.length as i64;
        let open = self.b.open_loop(Index::default(), Index::constant(length), Order::Sequential, &inits);
        let step = Index::reg(open.variable);
        let step = if scan.reverse { step.times(-1).offset(length - 1) } else { step };
        let mut arguments = Element::from_registers(&dtypes, &open.carried());
        for &xs in scanned {
            let mut at = vec![Index::default(); self.shape(xs).rank()];
            at[0] = step.clone();
            arguments.push(self.pull(xs, &at)?);
        }
        let results = self.scalar_region(node.regions[0], &arguments)?;
        let (next, ys) = results.split_at(scan.num_carry);
        for (&param, &y) in stacked.iter().zip(ys) {
            self.store_at(param, step.clone(), y);
        }
        let next: Vec<Reg> = next.iter().flat_map(Element::registers).collect();
        let last = self.b.close_loop(open, &next);
        Ok(Element::from_registers(&dtypes, &last))
    }

    /// A loop over scalars as a kernel: what it carries stays in registers.
    pub(super) fn scalar_loop(&mut self, id: NodeId) -> Result<()> {
        let node = self.graph.node(id);
        let carries = carry_count(node);
        let range = self.b.open_range();
        let stacked: Vec<ParamId> = node.outputs[carries..].iter().map(|&y| self.output(y, Access::Write)).collect();
        let is_scan = matches!(node.op, Op::Scan(_));
        let last = if is_scan { self.scalar_scan(id, &stacked)? } else { self.scalar_while(id)? };
        for (&output, &element) in node.outputs.iter().zip(&last) {
            let param = self.output(output, Access::Write);
            self.store_at(param, Index::default(), element);
        }
        self.b.close_loop(range, &[]);
        Ok(())
    }
}

/// How a node on arrays of one element is computed in registers.
enum Form {
    Elementwise,
    /// An operand as it is.
    Same(usize),
    Zero(DType),
    /// An element of an array in memory.
    Read,
    Branch,
    Loop,
    /// Not at all.
    Other,
}

fn form(graph: &Graph<'_>, id: NodeId) -> Form {
    let node = graph.node(id);
    let one = |value: &ValueId| graph.aval(*value).size() == 1;
    match node.op {
        Op::DynamicSlice { .. } if !one(&node.inputs[0]) => Form::Read,
        Op::Cond { .. } => Form::Branch,
        Op::While(_) | Op::Scan(_) => Form::Loop,
        _ if !node.inputs.iter().chain(&node.outputs).all(one) => Form::Other,
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::Threefry2x32 => Form::Elementwise,
        Op::Bitcast { dtype } if graph.aval(node.inputs[0]).dtype.size() == dtype.size() => Form::Elementwise,
        Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Reverse { .. }
        | Op::DynamicSlice { .. }
        | Op::Reduce { .. }
        | Op::Cumulative(_) => Form::Same(0),
        Op::DynamicUpdateSlice => Form::Same(1),
        Op::Concatenate { .. } if node.inputs.len() == 1 => Form::Same(0),
        Op::Iota { dtype, .. } => Form::Zero(*dtype),
        Op::ArgReduce(arg) => Form::Zero(arg.index_dtype),
        Op::Bitcast { .. }
        | Op::Concatenate { .. }
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::Pad { .. }
        | Op::Gather(_)
        | Op::Scatter(_)
        | Op::GeneralReduce { .. }
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
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::CustomLinear(_)
        | Op::Remat(_)
        | Op::DebugPrint(_)
        | Op::Collective(_) => Form::Other,
    }
}

/// Beyond this many instructions a loop's body is better off in several kernels.
const MAX_BODY: usize = 1500;

/// The values from outside that a loop reads, if it can be one kernel: it carries scalars only, and scans and stacks arrays of scalars.
pub(crate) fn scalar_loop_reads(graph: &Graph<'_>, id: NodeId) -> Option<Vec<ValueId>> {
    let node = graph.node(id);
    if !matches!(node.op, Op::While(_) | Op::Scan(_)) {
        return None;
    }
    let mut reads: Vec<ValueId> = node.inputs.clone();
    let mut inside = HashSet::new();
    let mut left = MAX_BODY;
    fits(graph, id, true, &mut inside, &mut reads, &mut left).then(|| {
        reads.retain(|value| !inside.contains(value));
        reads
    })
}

fn fits(
    graph: &Graph<'_>,
    id: NodeId,
    stacks: bool,
    inside: &mut HashSet<ValueId>,
    reads: &mut Vec<ValueId>,
    left: &mut usize,
) -> bool {
    let node = graph.node(id);
    let one = |value: &ValueId| graph.aval(*value).size() == 1;
    let carries = carry_count(node);
    let is_cond = matches!(node.op, Op::Cond { .. });
    if !is_cond {
        let scanned_from_outside = node.inputs[carries..].iter().all(|xs| !inside.contains(xs));
        let carried = node.inputs[..carries].iter().all(one);
        if !carried || !scanned_from_outside || !stacks && node.outputs.len() > carries {
            return false;
        }
    }
    for &region in &node.regions {
        let region = graph.region(region);
        inside.extend(&region.params);
        if !region.params.iter().chain(&region.results).all(one) {
            return false;
        }
        for &inner in &region.nodes {
            let Some(rest) = left.checked_sub(1) else { return false };
            *left = rest;
            let node = graph.node(inner);
            reads.extend(&node.inputs);
            let good = match form(graph, inner) {
                Form::Elementwise | Form::Same(_) | Form::Zero(_) => true,
                Form::Read => !inside.contains(&node.inputs[0]),
                // A loop in a branch that is not taken might not end.
                Form::Loop => !is_cond && fits(graph, inner, false, inside, reads, left),
                Form::Branch => fits(graph, inner, false, inside, reads, left),
                Form::Other => false,
            };
            if !good || !node.outputs.iter().all(one) {
                return false;
            }
            inside.extend(&node.outputs);
        }
        reads.extend(&region.results);
    }
    true
}
