//! The program as a graph: calls inlined, names resolved, control flow as regions.
//!
//! Fusion asks who uses a value and where; a [`Program`] with programs inside ops answers neither. Here every value of the
//! whole program has one number. What a branch or loop body closes over is the outer value itself, not a copy.

mod dot;
mod ops;
mod planes;
mod split;

use std::collections::HashMap;

use std::sync::LazyLock;

use rjax_ir::{Atom, Aval, Eqn, Location, Op, Program, Result, Scalar, Scan, Shape, Tensor, While};

use ops::End;
pub(crate) use ops::Ops;

/// A position in [`Graph::values`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct ValueId(pub u32);

/// A position in [`Graph::nodes`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct NodeId(pub u32);

/// A position in [`Graph::regions`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct RegionId(pub u32);

impl ValueId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl NodeId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl RegionId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Source {
    /// An input of the program.
    Input(u32),
    /// A constant array.
    Const(u32),
    /// A scalar known now.
    Literal(Scalar),
    /// A result of a node.
    Node(NodeId),
    /// A value that a loop brings into its body.
    Param,
}

#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub aval: Aval,
    pub source: Source,
    /// The region in which it is defined.
    pub region: RegionId,
}

/// An op with its operands; calls and ops that change nothing do not become nodes.
#[derive(Debug)]
pub(crate) struct Node<'p> {
    pub op: &'p Op,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    /// The programs inside: of `cond` one for each branch, of `while` condition and body, of `scan` the body, of general
    /// reductions the combiner. What they close over is left out of `inputs`: that of `cond` is the index, those of `while` are the carried values, those of `scan`
    /// the carried and scanned values.
    pub regions: Vec<RegionId>,
    pub location: &'p Location,
}

/// Nodes that run together: the program, a branch, or a loop's condition or body.
#[derive(Debug, Default)]
pub(crate) struct Region {
    pub nodes: Vec<NodeId>,
    /// Loops: the carried values, then the scanned slices.
    pub params: Vec<ValueId>,
    pub results: Vec<ValueId>,
}

pub(crate) struct Graph<'p> {
    pub values: Vec<Value>,
    pub nodes: Vec<Node<'p>>,
    /// Region 0 is the program.
    pub regions: Vec<Region>,
    pub inputs: Vec<ValueId>,
    pub consts: Vec<&'p Tensor>,
    /// Values that planning wants in memory.
    pub in_memory: Vec<ValueId>,
    literals: HashMap<Scalar, ValueId>,
    /// The parts of arrays along a short axis, where they are known.
    planes: HashMap<ValueId, planes::Planes>,
    kept: End<'p>,
}

/// The copy of a scalar; gives literals a place in memory.
static FILL: LazyLock<Op> = LazyLock::new(|| Op::BroadcastInDim { shape: Shape::scalar(), dims: vec![] });
static NOWHERE: Location = Location::Unknown;

pub(crate) const TOP: RegionId = RegionId(0);

impl<'p> Graph<'p> {
    /// The graph of a program; ops that are made on the way go to `ops`.
    pub fn new(program: &'p Program, ops: &'p Ops) -> Result<Graph<'p>> {
        let mut graph = Graph {
            values: vec![],
            nodes: vec![],
            regions: vec![Region::default()],
            inputs: vec![],
            consts: vec![],
            in_memory: vec![],
            literals: HashMap::new(),
            planes: HashMap::new(),
            kept: End::of(ops),
        };
        let mut names = no_names(program);
        for (i, &v) in program.invars.iter().enumerate() {
            let value = graph.value(program.aval(v), Source::Input(i as u32), TOP);
            graph.inputs.push(value);
            names[v.index()] = Some(value);
        }
        for (v, tensor) in &program.consts {
            let source = Source::Const(graph.consts.len() as u32);
            graph.consts.push(tensor);
            names[v.index()] = Some(graph.value(tensor.aval(), source, TOP));
        }
        let results = graph.inline(program, names, TOP)?;
        let results = graph.as_arrays(&results, TOP);
        graph.regions[0].results = results;
        Ok(graph)
    }

    pub fn aval(&self, value: ValueId) -> &Aval {
        &self.values[value.index()].aval
    }

    pub fn node(&self, node: NodeId) -> &Node<'p> {
        &self.nodes[node.index()]
    }

    pub fn region(&self, region: RegionId) -> &Region {
        &self.regions[region.index()]
    }

    /// The node that computes a value, if one does.
    pub fn producer(&self, value: ValueId) -> Option<NodeId> {
        match self.values[value.index()].source {
            Source::Node(node) => Some(node),
            Source::Input(_) | Source::Const(_) | Source::Literal(_) | Source::Param => None,
        }
    }

    fn value(&mut self, aval: Aval, source: Source, region: RegionId) -> ValueId {
        self.values.push(Value { aval, source, region });
        ValueId((self.values.len() - 1) as u32)
    }

    fn literal(&mut self, scalar: Scalar) -> ValueId {
        if let Some(&value) = self.literals.get(&scalar) {
            return value;
        }
        let value = self.value(Aval::scalar(scalar.dtype()), Source::Literal(scalar), TOP);
        self.literals.insert(scalar, value);
        value
    }

    /// Adds a program's equations to a region and returns its results.
    fn inline(&mut self, program: &'p Program, mut names: Names, region: RegionId) -> Result<Vec<ValueId>> {
        let resolve = |graph: &mut Graph<'p>, names: &Names, atom: &Atom| match atom {
            Atom::Var(v) => names[v.index()].expect("verified: operands dominate uses"),
            Atom::Lit(scalar) => graph.literal(*scalar),
        };
        for eqn in &program.eqns {
            let inputs: Vec<ValueId> = eqn.inputs.iter().map(|atom| resolve(self, &names, atom)).collect();
            let operands = inputs.clone();
            let outputs = match &eqn.op {
                op if let Some(value) = self.picked(op, &inputs) => vec![value],
                Op::StopGradient | Op::Name { .. } | Op::OptimizationBarrier => inputs,
                Op::Call { program, .. } => self.call(program, &inputs, region)?,
                Op::CustomJvp(custom) => self.call(&custom.call, &inputs, region)?,
                Op::CustomVjp(custom) => self.call(&custom.call, &inputs, region)?,
                Op::Remat(remat) => self.call(&remat.program, &inputs, region)?,
                Op::Convert { dtype } if self.aval(inputs[0]).dtype == *dtype => inputs,
                Op::Bitcast { dtype } if self.aval(inputs[0]).dtype == *dtype => inputs,
                Op::Reshape { shape } if self.aval(inputs[0]).shape == *shape => inputs,
                Op::Unary(_)
                | Op::Binary(_)
                | Op::Compare(_)
                | Op::Select
                | Op::Clamp
                | Op::RegularizedIncompleteBeta
                | Op::Convert { .. }
                | Op::ReducePrecision { .. }
                | Op::IntegerPow { .. }
                | Op::BroadcastInDim { .. }
                | Op::Reshape { .. }
                | Op::Transpose { .. }
                | Op::Slice(_)
                | Op::Pad { .. }
                | Op::Concatenate { .. }
                | Op::Reverse { .. }
                | Op::Iota { .. }
                | Op::DynamicSlice { .. }
                | Op::Gather(_)
                | Op::Cumulative(_)
                | Op::Conv(_)
                | Op::ReduceWindow { .. }
                | Op::SelectAndScatterAdd(_)
                | Op::SelectAndGatherAdd(_)
                | Op::Sort(_)
                | Op::TopK { .. }
                | Op::Linalg(_)
                | Op::Fft(_)
                | Op::Threefry2x32 => self.add(program, eqn, inputs, vec![], region),
                Op::Reduce { reducer, axes } => self.reduce(program, eqn, inputs, (*reducer, axes), region),
                Op::ArgReduce(arg) => self.arg_reduce(program, eqn, inputs, arg, region),
                Op::DotGeneral(dot) => self.dot(program, eqn, inputs, dot, region),
                Op::DebugPrint(_) => {
                    let inputs = self.as_arrays(&inputs, region);
                    self.add(program, eqn, inputs, vec![], region)
                }
                // Their first operand's memory is seen otherwise or written.
                Op::Bitcast { .. } | Op::DynamicUpdateSlice => {
                    let inputs = [self.as_arrays(&inputs[..1], region), inputs[1..].to_vec()].concat();
                    self.add(program, eqn, inputs, vec![], region)
                }
                Op::Scatter(scatter) => {
                    let inputs = [self.as_arrays(&inputs[..1], region), inputs[1..].to_vec()].concat();
                    self.scatter(program, eqn, inputs, scatter, region)
                }
                Op::GeneralReduce { body, axes } if self.is_arg_reduce(body, axes, &inputs).is_some() => {
                    let largest = self.is_arg_reduce(body, axes, &inputs) == Some(true);
                    self.value_and_position(&inputs, axes[0], largest, (region, &eqn.location))
                }
                Op::GeneralReduce { body, .. } | Op::GeneralReduceWindow { body, .. } => {
                    let combiner = self.nested(body, &[], &[], inputs.len())?.0;
                    self.add(program, eqn, inputs, vec![combiner], region)
                }
                Op::Cond { branches } => {
                    let index = self.as_arrays(&inputs[..1], region);
                    let mut regions = Vec::new();
                    for branch in branches {
                        regions.push(self.nested(branch, &inputs[1..], &[], 0)?.0);
                    }
                    self.add(program, eqn, index, regions, region)
                }
                Op::While(op) => self.while_loop(program, eqn, op, &inputs, region)?,
                Op::Scan(op) => self.scan(program, eqn, op, &inputs, region)?,
                Op::Collective(collective) => {
                    return Err(unbound(collective.name()).at(&eqn.location));
                }
                Op::LinearSolve(solve) => self.call(&solve.solve, &inputs, region)?,
                Op::Root(root) => self.call(&root.solve, &inputs, region)?,
                Op::CustomLinear(_) => {
                    return Err(unevaluable().at(&eqn.location));
                }
            };
            if let [output] = outputs[..]
                && !self.planes.contains_key(&output)
            {
                self.note_planes(&eqn.op, &operands, output, (region, &eqn.location));
            }
            for (&v, &value) in eqn.outputs.iter().zip(&outputs) {
                names[v.index()] = Some(value);
            }
        }
        Ok(program.outvars.iter().map(|atom| resolve(self, &names, atom)).collect())
    }

    /// The same values with literals made into arrays, for operands that must be in memory.
    fn as_arrays(&mut self, values: &[ValueId], region: RegionId) -> Vec<ValueId> {
        values
            .iter()
            .map(|&value| match self.values[value.index()].source {
                Source::Literal(scalar) => {
                    let id = NodeId(self.nodes.len() as u32);
                    let output = self.value(Aval::scalar(scalar.dtype()), Source::Node(id), region);
                    let (inputs, outputs) = (vec![value], vec![output]);
                    self.nodes.push(Node {
                        op: LazyLock::force(&FILL),
                        inputs,
                        outputs,
                        regions: vec![],
                        location: &NOWHERE,
                    });
                    self.regions[region.index()].nodes.push(id);
                    output
                }
                Source::Input(_) | Source::Const(_) | Source::Node(_) | Source::Param => value,
            })
            .collect()
    }

    fn add(
        &mut self,
        program: &'p Program,
        eqn: &'p rjax_ir::Eqn,
        inputs: Vec<ValueId>,
        regions: Vec<RegionId>,
        region: RegionId,
    ) -> Vec<ValueId> {
        let avals = eqn.outputs.iter().map(|&v| program.aval(v)).collect();
        self.push(&eqn.op, inputs, avals, regions, region, &eqn.location)
    }

    fn push(
        &mut self,
        op: &'p Op,
        inputs: Vec<ValueId>,
        avals: Vec<Aval>,
        regions: Vec<RegionId>,
        region: RegionId,
        location: &'p Location,
    ) -> Vec<ValueId> {
        let id = NodeId(self.nodes.len() as u32);
        let outputs: Vec<ValueId> = avals.into_iter().map(|aval| self.value(aval, Source::Node(id), region)).collect();
        self.nodes.push(Node { op, inputs, outputs: outputs.clone(), regions, location });
        self.regions[region.index()].nodes.push(id);
        outputs
    }

    fn call(&mut self, program: &'p Program, inputs: &[ValueId], region: RegionId) -> Result<Vec<ValueId>> {
        let mut names = no_names(program);
        for (v, &value) in program.invars.iter().zip(inputs) {
            names[v.index()] = Some(value);
        }
        self.inline(program, names, region)
    }

    /// A loop, its carried arrays in planes where its body makes planes of them.
    fn while_loop(
        &mut self,
        program: &'p Program,
        eqn: &'p Eqn,
        op: &'p While,
        inputs: &[ValueId],
        region: RegionId,
    ) -> Result<Vec<ValueId>> {
        let (cond_consts, rest) = inputs.split_at(op.cond_nconsts);
        let (body_consts, carry) = rest.split_at(op.body_nconsts);
        let carry = self.as_arrays(carry, region);
        self.in_planes_if_possible(&carry, |graph, axes| {
            let (body, stays) = graph.nested(&op.body, body_consts, axes, carry.len())?;
            if !stays {
                return Ok(None);
            }
            let (cond, _) = graph.nested(&op.cond, cond_consts, axes, carry.len())?;
            let at = (region, &eqn.location);
            let carry = graph.cut_in_planes(&carry, axes, at);
            let avals = carry.iter().map(|&value| graph.aval(value).clone()).collect();
            let outputs = graph.push(&eqn.op, carry, avals, vec![cond, body], region, &eqn.location);
            let avals: Vec<Aval> = eqn.outputs.iter().map(|&v| program.aval(v)).collect();
            Ok(Some(graph.out_of_planes(&outputs, &avals, axes, at)))
        })
    }

    /// As [`Graph::while_loop`].
    fn scan(
        &mut self,
        program: &'p Program,
        eqn: &'p Eqn,
        op: &'p Scan,
        inputs: &[ValueId],
        region: RegionId,
    ) -> Result<Vec<ValueId>> {
        let (consts, rest) = inputs.split_at(op.num_consts);
        let rest = self.as_arrays(rest, region);
        self.in_planes_if_possible(&rest[..op.num_carry], |graph, axes| {
            let (body, stays) = graph.nested(&op.body, consts, axes, rest.len())?;
            if !stays {
                return Ok(None);
            }
            let at = (region, &eqn.location);
            let avals: Vec<Aval> = eqn.outputs.iter().map(|&v| program.aval(v)).collect();
            let carry = graph.cut_in_planes(&rest[..op.num_carry], axes, at);
            let scan = if carry.len() == op.num_carry { &eqn.op } else { graph.scan_in_planes(op, carry.len()) };
            let mut types: Vec<Aval> = carry.iter().map(|&value| graph.aval(value).clone()).collect();
            types.extend_from_slice(&avals[op.num_carry..]);
            let inputs = [&carry, &rest[op.num_carry..]].concat();
            let outputs = graph.push(scan, inputs, types, vec![body], region, &eqn.location);
            Ok(Some(graph.out_of_planes(&outputs, &avals, axes, at)))
        })
    }

    /// Builds a loop that carries planes; where `build` finds that its body has none, all carried arrays stay whole.
    fn in_planes_if_possible(
        &mut self,
        carry: &[ValueId],
        mut build: impl FnMut(&mut Self, &[Option<usize>]) -> Result<Option<Vec<ValueId>>>,
    ) -> Result<Vec<ValueId>> {
        let axes = self.short_axes(carry);
        if axes.iter().any(Option::is_some) {
            let mark = self.mark();
            if let Some(results) = build(self, &axes)? {
                return Ok(results);
            }
            self.go_back(&mark);
        }
        Ok(build(self, &[])?.expect("a loop can carry whole arrays"))
    }

    /// A region for a program whose first inputs are values of the outer region and whose last `params` the loop brings in; those with an
    /// axis as planes along it. Also says whether the results have these planes too.
    fn nested(
        &mut self,
        program: &'p Program,
        outer: &[ValueId],
        axes: &[Option<usize>],
        params: usize,
    ) -> Result<(RegionId, bool)> {
        let region = RegionId(self.regions.len() as u32);
        self.regions.push(Region::default());
        let mut names = no_names(program);
        for (v, &value) in program.invars.iter().zip(outer) {
            names[v.index()] = Some(value);
        }
        for (i, &v) in program.invars[program.invars.len() - params..].iter().enumerate() {
            let aval = program.aval(v);
            let value = match axes.get(i).copied().flatten() {
                Some(axis) => self.param_in_planes(&aval, axis, (region, &NOWHERE)),
                None => {
                    let value = self.value(aval, Source::Param, region);
                    self.regions[region.index()].params.push(value);
                    value
                }
            };
            names[v.index()] = Some(value);
        }
        let results = self.inline(program, names, region)?;
        let results = self.as_arrays(&results, region);
        let in_planes = self.in_planes(&results, axes);
        let stays = in_planes.is_some();
        self.regions[region.index()].results = in_planes.unwrap_or(results);
        Ok((region, stays))
    }
}

/// For each variable of a program its value.
type Names = Vec<Option<ValueId>>;

fn no_names(program: &Program) -> Names {
    vec![None; program.avals.len()]
}

fn unbound(name: &str) -> rjax_ir::Error {
    let message = format!("{name}: no transformation binds its axis, so no device can run it");
    rjax_ir::Error::new(rjax_ir::ErrorKind::Unsupported, message)
}

fn unevaluable() -> rjax_ir::Error {
    let message = "custom_lin: the tangents of a custom_vjp function cannot be computed, only transposed";
    rjax_ir::Error::new(rjax_ir::ErrorKind::Unsupported, message)
}
