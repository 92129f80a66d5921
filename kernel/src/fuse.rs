//! Which values are kept in memory, and which are computed inside the kernels that use them. Decided once, for all backends.
//!
//! Nodes are visited from the last to the first, so that all consumers of a value are known: in which kernels, and at which
//! positions (see [`frame`]), its elements would be computed. A value is *inlined* where that computes no element twice, or where
//! computing it twice is cheaper than memory; otherwise it is a *root*. Then roots that go over the same positions are
//! grouped into kernels with several outputs.

mod cost;
mod frame;
mod group;

use std::collections::{HashMap, HashSet};

use rjax_ir::{Binary, Op};

use crate::Options;
use crate::graph::{Graph, Node, NodeId, RegionId, Source, TOP, ValueId};
use crate::lower::conv::{self, ConvOperands};
use crate::lower::dot_general::{self, GemmOperands};
use crate::lower::scalar_region;
use crate::lower::transpose::{TransposeOperand, transpose_operand};
use cost::Cost;
use frame::{FrameId, Frames, Use};

/// What becomes of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Nobody needs it.
    Dead,
    /// Its elements are computed where they are used.
    Inline,
    /// Its results are the memory of its operand, seen with another shape or dtype.
    Alias,
    /// Its results are in memory.
    Root,
}

/// A step of a region, in order of execution.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Step {
    /// A kernel that computes all these roots, which have one shape, position by position. Those not `stored` are used by
    /// the others only.
    Group { roots: Vec<NodeId>, stored: Vec<bool> },
    /// A node with a form of its own: scatter, sort, a loop, ….
    Node(NodeId),
}

/// The decisions.
#[derive(Debug)]
pub(crate) struct Fusion {
    /// For each node.
    pub fate: Vec<Fate>,
    /// For each region.
    pub steps: Vec<Vec<Step>>,
    /// The dots that a library routine computes, with the arrays it reads.
    pub gemms: HashMap<NodeId, GemmOperands>,
    /// The sums that are products added to an array; they are among the `gemms` under their own numbers.
    pub accumulated: HashMap<NodeId, Accumulated>,
    /// The convolutions that a library routine computes, with the arrays it reads.
    pub convs: HashMap<NodeId, ConvOperands>,
    /// The transpositions that a library routine does.
    pub transposes: HashMap<NodeId, TransposeOperand>,
    /// The loops over scalars and small arrays that are kernels.
    pub in_registers: HashSet<NodeId>,
    /// For each node: whether something other than the kernels of its region may need a result in memory.
    pub forced: Vec<bool>,
    /// Whether kernels over the same rows become one.
    pub joins_rows: bool,
}

/// A product that is added to an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accumulated {
    pub dot: NodeId,
    pub target: ValueId,
}

/// A kernel, named by its first root, and the frame in which it computes a value.
type Site = (NodeId, FrameId);

/// Beyond this many sites a value is kept in memory even if it costs nothing to compute.
const MAX_SITES: usize = 8;
/// How many sites are recorded of a value that is kept in memory.
const MAX_RECORDED: usize = 64;
/// How many nodes may be inlined into one root.
const MAX_INLINED: u32 = 160;
/// How many nodes in a row may be computed twice.
const MAX_REPEATED: u8 = 4;
/// How many pieces a concatenation that its users see through may have, how many users, and how many elements one after the other a piece of
/// it and a row of a piece have, so that loops over them have whole vectors.
const MAX_PIECES: usize = 3;
const MAX_USERS: usize = 2;
const LONG_PIECE: usize = 64;

/// Whether a node's results are in memory whatever is decided.
pub(crate) fn is_always_in_memory(graph: &Graph<'_>, id: NodeId) -> bool {
    cost::of(graph, graph.node(id)) == Cost::OwnStep
}

struct Fuser<'g, 'p> {
    graph: &'g Graph<'p>,
    options: &'g Options,
    frames: Frames,
    fate: Vec<Fate>,
    gemms: HashMap<NodeId, GemmOperands>,
    accumulated: HashMap<NodeId, Accumulated>,
    convs: HashMap<NodeId, ConvOperands>,
    transposes: HashMap<NodeId, TransposeOperand>,
    in_registers: HashSet<NodeId>,
    /// For each value: how often it is read.
    reads: Vec<u32>,
    /// For each node: where its elements are asked for.
    sites: Vec<Vec<Site>>,
    /// For each node: whether some result must be in memory.
    forced: Vec<bool>,
    /// For each node: whether its results, if they are needed, are put in memory.
    planned: Vec<bool>,
    /// For each node: how many of the nodes that follow are computed more than once.
    repeated: Vec<u8>,
    /// For each root: how many nodes are inlined into it.
    inlined: Vec<u32>,
    /// For each node: whether it can be computed anywhere, without any array.
    generated: Vec<bool>,
}

/// Decides for all regions.
pub(crate) fn fuse(graph: &Graph<'_>, options: &Options) -> Fusion {
    let count = graph.nodes.len();
    let mut fuser = Fuser {
        graph,
        options,
        frames: Frames::default(),
        fate: vec![Fate::Dead; count],
        gemms: HashMap::new(),
        accumulated: HashMap::new(),
        convs: HashMap::new(),
        transposes: HashMap::new(),
        in_registers: HashSet::new(),
        reads: reads(graph),
        sites: vec![vec![]; count],
        forced: vec![false; count],
        planned: vec![false; count],
        repeated: vec![0; count],
        inlined: vec![0; count],
        generated: generated(graph),
    };
    for node in graph.in_memory.iter().filter_map(|&value| graph.producer(value)) {
        fuser.planned[node.index()] = true;
    }
    fuser.region(TOP);
    let steps = group::group(&mut fuser);
    Fusion {
        fate: fuser.fate,
        steps,
        gemms: fuser.gemms,
        accumulated: fuser.accumulated,
        convs: fuser.convs,
        transposes: fuser.transposes,
        in_registers: fuser.in_registers,
        forced: (0..count).map(|at| fuser.forced[at] || fuser.planned[at] || fuser.generated[at]).collect(),
        joins_rows: options.fuse,
    }
}

/// How often each value is read, results of regions included.
fn reads(graph: &Graph<'_>) -> Vec<u32> {
    let mut reads = vec![0; graph.values.len()];
    let inputs = graph.nodes.iter().flat_map(|node| &node.inputs);
    let results = graph.regions.iter().flat_map(|region| &region.results);
    inputs.chain(results).for_each(|value| reads[value.index()] += 1);
    reads
}

/// The nodes that depend on literals only, by few and cheap steps.
fn generated(graph: &Graph<'_>) -> Vec<bool> {
    let mut depth: Vec<Option<u8>> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let free = matches!(cost::of(graph, node), Cost::Free | Cost::Cheap) && node.outputs.len() == 1;
        let mut deepest = free.then_some(0u8);
        for &input in &node.inputs {
            let input = match graph.values[input.index()].source {
                Source::Literal(_) => Some(0),
                Source::Node(producer) => depth[producer.index()].map(|d| d + 1).filter(|&d| d <= 3),
                Source::Input(_) | Source::Const(_) | Source::Param => None,
            };
            deepest = deepest.zip(input).map(|(a, b)| a.max(b));
        }
        depth.push(deepest);
    }
    depth.into_iter().map(|d| d.is_some()).collect()
}

impl Fuser<'_, '_> {
    fn region(&mut self, region: RegionId) {
        for &result in &self.graph.region(region).results {
            self.force(result);
        }
        for &node in self.graph.region(region).nodes.iter().rev() {
            self.node(node);
        }
    }

    /// The value must be in memory.
    fn force(&mut self, value: ValueId) {
        if let Some(node) = self.graph.producer(value) {
            self.forced[node.index()] = true;
        }
    }

    fn node(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let at = id.index();
        let used = self.forced[at] || !self.sites[at].is_empty();
        if !used && !node.op.has_effect() {
            return;
        }
        let is_loop = matches!(node.op, Op::Cond { .. } | Op::While(_) | Op::Scan(_));
        let changes_width =
            matches!(node.op, Op::Bitcast { dtype } if self.graph.aval(node.inputs[0]).dtype.size() != dtype.size());
        if let Some(reads) = scalar_region::small_loop_reads(self.graph, id).filter(|_| self.options.fuse) {
            self.fate[at] = Fate::Root;
            self.in_registers.insert(id);
            reads.into_iter().for_each(|value| self.force(value));
        } else if is_loop {
            self.fate[at] = Fate::Root;
            node.inputs.iter().for_each(|&input| self.force(input));
            for &region in node.regions.iter().rev() {
                self.region(region);
            }
        } else if let Some((accumulated, operands)) = self.accumulated(id) {
            self.fate[at] = Fate::Root;
            self.force(operands.lhs.base);
            self.force(operands.rhs.base);
            self.gemms.insert(id, operands);
            self.accumulated.insert(id, accumulated);
        } else if let Some(operands) = dot_general::gemm_operands(self.graph, id) {
            self.fate[at] = Fate::Root;
            self.force(operands.lhs.base);
            self.force(operands.rhs.base);
            self.gemms.insert(id, operands);
        } else if let Some(operands) = conv::conv_operands(self.graph, id) {
            self.fate[at] = Fate::Root;
            self.force(operands.lhs.base);
            self.force(operands.rhs.base);
            self.convs.insert(id, operands);
        } else if matches!(node.op, Op::DynamicUpdateSlice | Op::Scatter(_)) {
            self.fate[at] = Fate::Root;
            self.update(id);
        } else if changes_width || self.forced[at] && matches!(node.op, Op::Reshape { .. }) {
            self.view(id);
        } else if let Some(bases) = self.seen_through(id) {
            bases.into_iter().for_each(|base| self.force(base));
            self.inline(id);
        } else if self.forced[at] || cost::of(self.graph, node) == Cost::OwnStep {
            self.root(id);
        } else {
            self.decide(id);
        }
    }

    /// A sum of what a loop carries and of a product, carried on: the product is added where the carried array is.
    fn accumulated(&self, id: NodeId) -> Option<(Accumulated, GemmOperands)> {
        let node = self.graph.node(id);
        if !self.options.fuse || !self.forced[id.index()] || !matches!(node.op, Op::Binary(Binary::Add)) {
            return None;
        }
        [(0, 1), (1, 0)].into_iter().find_map(|(product, carried)| {
            let (product, target) = (node.inputs[product], node.inputs[carried]);
            let dot = self.graph.producer(product)?;
            let region = |value: ValueId| self.graph.values[value.index()].region;
            let operands = dot_general::gemm_operands(self.graph, dot)?;
            let here = region(product) == region(node.outputs[0]) && region(target) == region(node.outputs[0]);
            let carries = matches!(self.graph.values[target.index()].source, Source::Param);
            let others = [&operands.lhs, &operands.rhs].iter().all(|side| self.memory_of(side.base) != target);
            let once = self.reads[product.index()] == 1 && !self.planned[dot.index()];
            let same = self.graph.aval(self.graph.node(dot).inputs[0]).dtype == self.graph.aval(product).dtype;
            (here && carries && others && once && same).then_some((Accumulated { dot, target }, operands))
        })
    }

    /// A forced view: its operand is put in memory and shared.
    fn view(&mut self, id: NodeId) {
        let operand = self.graph.node(id).inputs[0];
        let literal = matches!(self.graph.values[operand.index()].source, Source::Literal(_));
        if literal {
            self.root(id);
        } else {
            self.fate[id.index()] = Fate::Alias;
            self.force(operand);
        }
    }

    fn root(&mut self, id: NodeId) {
        self.fate[id.index()] = Fate::Root;
        if let Some(operand) = transpose_operand(self.graph, id) {
            self.force(operand.source.base);
            self.transposes.insert(id, operand);
            return;
        }
        // A print has no result.
        let rank = self.graph.node(id).outputs.first().map_or(0, |&output| self.graph.aval(output).rank());
        let frame = self.frames.root(id, rank);
        self.pull(id, id, frame);
    }

    /// Registers the operands of a node that is computed at a site.
    fn pull(&mut self, id: NodeId, kernel: NodeId, frame: FrameId) {
        let uses = self.frames.operands(self.graph, id, frame);
        for (&input, used) in self.graph.node(id).inputs.iter().zip(uses) {
            match used {
                Use::Pull(frame) => self.ask(id, input, (kernel, frame)),
                Use::Memory => self.force(input),
            }
        }
    }

    fn ask(&mut self, consumer: NodeId, value: ValueId, site: Site) {
        let Some(producer) = self.graph.producer(value) else { return };
        let consumer_region = self.graph.values[self.graph.node(consumer).outputs[0].index()].region;
        if self.graph.values[value.index()].region != consumer_region && !self.generated[producer.index()] {
            self.force(value);
        }
        let is_full = self.is_full(producer);
        let sites = &mut self.sites[producer.index()];
        if sites.len() == MAX_RECORDED {
            if !is_full {
                self.force(value);
            }
        } else if !sites.contains(&site) {
            sites.push(site);
        }
        if self.fate[consumer.index()] == Fate::Inline {
            let repeated = self.repeated[consumer.index()];
            let mine = &mut self.repeated[producer.index()];
            *mine = repeated.max(*mine);
        }
    }

    /// Whether all elements are one literal, which costs less than to read them, wherever they are asked for.
    fn is_full(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        let literal = |value: ValueId| matches!(self.graph.values[value.index()].source, Source::Literal(_));
        matches!(node.op, Op::BroadcastInDim { .. }) && literal(node.inputs[0])
    }

    /// Operands of an update in place: windows are written one after the other into the first operand's memory, so nothing else in
    /// the kernel may read that memory.
    fn update(&mut self, id: NodeId) {
        let node = self.graph.node(id);
        let target = self.memory_of(node.inputs[0]);
        self.force(node.inputs[0]);
        for &input in &node.inputs[1..] {
            if self.may_read(input, target) {
                self.force(input);
            } else {
                let frame = self.frames.fresh(self.graph.aval(input).rank());
                self.ask(id, input, (id, frame));
            }
        }
    }

    /// The value whose memory a value would be a view of.
    fn memory_of(&self, mut value: ValueId) -> ValueId {
        while let Some(node) = self.graph.producer(value) {
            let node = self.graph.node(node);
            if !matches!(node.op, Op::Reshape { .. } | Op::Bitcast { .. }) {
                break;
            }
            value = node.inputs[0];
        }
        value
    }

    /// Whether computing a value in place could read a certain memory; true where that takes long to find out.
    fn may_read(&self, value: ValueId, target: ValueId) -> bool {
        let mut left = 64;
        let mut pending = vec![value];
        let mut seen = HashSet::new();
        while let Some(value) = pending.pop() {
            if value == target {
                return true;
            }
            if !seen.insert(value) {
                continue;
            }
            left -= 1;
            if left == 0 {
                return true;
            }
            if let Some(producer) = self.graph.producer(value) {
                let node = self.graph.node(producer);
                if cost::of(self.graph, node) != Cost::OwnStep {
                    pending.extend(&node.inputs);
                }
            }
        }
        false
    }

    /// Inline or root, for a node that could be either.
    fn decide(&mut self, id: NodeId) {
        let at = id.index();
        let sites = std::mem::take(&mut self.sites[at]);
        let once = sites.iter().all(|&(_, frame)| self.frames.computes_once(frame));
        let fits = sites.iter().all(|&(kernel, _)| self.inlined[kernel.index()] < MAX_INLINED);
        let inline = match cost::of(self.graph, self.graph.node(id)) {
            _ if self.planned[at] || self.is_crossed(id, &sites) => false,
            _ if self.generated[at] => sites.len() <= MAX_SITES || self.is_full(id),
            _ if !fits || !self.options.fuse => false,
            Cost::Free => sites.len() <= MAX_SITES,
            Cost::Cheap if sites.len() == 1 && once => true,
            Cost::Cheap => {
                self.repeated[at] += 1;
                sites.len() <= MAX_SITES / 2 && self.repeated[at] <= MAX_REPEATED
            }
            Cost::Costly => sites.len() == 1 && once,
            Cost::Loop => match sites[..] {
                [(kernel, frame)] => self.frames.is_row(frame) && self.is_pulled(kernel),
                _ => false,
            },
            Cost::OwnStep => false,
        };
        self.sites[at] = sites;
        if inline {
            self.inline(id);
        } else {
            self.repeated[at] = 0;
            self.root(id);
        }
    }

    fn inline(&mut self, id: NodeId) {
        self.fate[id.index()] = Fate::Inline;
        for (kernel, frame) in std::mem::take(&mut self.sites[id.index()]) {
            self.inlined[kernel.index()] += 1;
            self.pull(id, kernel, frame);
        }
    }

    /// The arrays of which a concatenation puts slices together, if elementwise kernels may as well look there themselves: loops
    /// are split where one piece ends and the next begins. An array that is rolled is the case in point.
    fn seen_through(&self, id: NodeId) -> Option<Vec<ValueId>> {
        let node = self.graph.node(id);
        let Op::Concatenate { axis } = *node.op else { return None };
        let sites = &self.sites[id.index()];
        let shape = &self.graph.aval(node.outputs[0]).shape;
        let row: usize = shape[axis + 1..].iter().product();
        let long = row * shape[axis] >= LONG_PIECE * node.inputs.len() && (row == 1 || row >= LONG_PIECE);
        let elementwise = |kernel| cost::of(self.graph, self.graph.node(kernel)) < Cost::Loop;
        let few = node.inputs.len() <= MAX_PIECES && sites.len() <= MAX_USERS;
        let fits = |kernel: NodeId| self.inlined[kernel.index()] < MAX_INLINED;
        let kept = !self.options.fuse || self.forced[id.index()] || self.planned[id.index()];
        if kept || !few || !long || !sites.iter().all(|&(kernel, _)| elementwise(kernel) && fits(kernel)) {
            return None;
        }
        let base = |&piece: &ValueId| match self.graph.producer(piece).map(|producer| self.graph.node(producer)) {
            Some(Node { op: Op::Slice(_), inputs, .. }) => Some(inputs[0]),
            Some(_) | None => None,
        };
        node.inputs.iter().map(base).collect()
    }

    /// Whether a node reorders an array in memory for kernels that go over it element by element: they had better find it in order.
    /// Reductions can go along the source themselves.
    fn is_crossed(&self, id: NodeId, sites: &[Site]) -> bool {
        let in_memory =
            |value| self.graph.producer(value).is_none_or(|producer| is_always_in_memory(self.graph, producer));
        sites.iter().all(|&(kernel, _)| cost::of(self.graph, self.graph.node(kernel)) < Cost::Loop)
            && transpose_operand(self.graph, id).is_some_and(|operand| in_memory(operand.source.base))
    }

    /// Whether the kernel computes its root position by position.
    fn is_pulled(&self, kernel: NodeId) -> bool {
        cost::of(self.graph, self.graph.node(kernel)) != Cost::OwnStep
    }
}
