//! From where in its kernel an element is computed.
//!
//! A value may be computed inside its consumer only if that does not compute elements again and again. A *frame* says at which
//! position, in terms of the kernel's loops, a value's elements are asked for. Loop-invariant code is hoisted, so
//! a value asked for at the variables of the outermost loops is computed once for each of them.

use std::collections::HashMap;

use rjax_ir::Op;

use crate::graph::{Graph, Node, NodeId, ValueId};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct FrameId(u32);

/// The index along one axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Symbol {
    /// A loop variable.
    Variable(u32),
    /// Always 0.
    Zero,
    /// Something computed by a node from another frame; equal ones are the same index.
    Computed { node: NodeId, frame: FrameId, axis: u32 },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Frame {
    /// The loops around, outermost first.
    loops: Vec<u32>,
    axes: Vec<Symbol>,
    /// Whether no element is asked for twice.
    injective: bool,
}

/// How a node uses an operand.
pub(super) enum Use {
    /// It computes elements where it needs them.
    Pull(FrameId),
    /// It reads elements at computed positions or more than once: the operand must be in memory.
    Memory,
}

/// All frames of a graph.
#[derive(Default)]
pub(super) struct Frames {
    frames: Vec<Frame>,
    numbers: HashMap<Frame, FrameId>,
    /// The variables of the reduction loops that a node opens in a frame.
    reductions: HashMap<(NodeId, FrameId), Vec<u32>>,
    roots: HashMap<NodeId, FrameId>,
    variables: u32,
}

/// Whether a node that is computed in place needs an operand in memory.
pub(super) fn reads_memory(graph: &Graph<'_>, node: &Node<'_>, operand: usize) -> bool {
    match node.op {
        Op::DynamicSlice { .. } | Op::Gather(_) => operand == 0,
        Op::GeneralReduceWindow { .. } => operand < node.inputs.len() / 2,
        Op::Bitcast { dtype } => graph.aval(node.inputs[0]).dtype.size() != dtype.size(),
        Op::DotGeneral(_) | Op::Conv(_) | Op::ReduceWindow { .. } | Op::SelectAndGatherAdd(_) => true,
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::Threefry2x32
        | Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Concatenate { .. }
        | Op::Reverse { .. }
        | Op::Iota { .. }
        | Op::Reduce { .. }
        | Op::GeneralReduce { .. }
        | Op::ArgReduce(_)
        | Op::Cumulative(_) => false,
        Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::DynamicUpdateSlice
        | Op::Scatter(_)
        | Op::SelectAndScatterAdd(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
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
        | Op::Collective(_) => true,
    }
}

impl Frames {
    fn number(&mut self, frame: Frame) -> FrameId {
        let next = FrameId(self.frames.len() as u32);
        let id = *self.numbers.entry(frame.clone()).or_insert(next);
        if id == next {
            self.frames.push(frame);
        }
        id
    }

    fn variables(&mut self, count: usize) -> Vec<u32> {
        let first = self.variables;
        self.variables += count as u32;
        (first..self.variables).collect()
    }

    /// The frame in which a kernel computes its root: one loop for each axis.
    pub fn root(&mut self, node: NodeId, rank: usize) -> FrameId {
        if let Some(&frame) = self.roots.get(&node) {
            return frame;
        }
        let frame = self.fresh(rank);
        self.roots.insert(node, frame);
        frame
    }

    /// The frame of a node that became a root.
    pub fn root_of(&self, node: NodeId) -> Option<FrameId> {
        self.roots.get(&node).copied()
    }

    /// Whether two frames ask for the same position, perhaps from inside other loops.
    pub fn same_position(&self, a: FrameId, b: FrameId) -> bool {
        a == b || self.get(a).axes == self.get(b).axes
    }

    /// A frame of its own: one loop for each axis.
    pub fn fresh(&mut self, rank: usize) -> FrameId {
        let loops = self.variables(rank);
        let axes = loops.iter().map(|&v| Symbol::Variable(v)).collect();
        self.number(Frame { loops, axes, injective: true })
    }

    fn get(&self, id: FrameId) -> &Frame {
        &self.frames[id.0 as usize]
    }

    /// How many of the outermost loops the position consists of, if it consists of exactly those.
    fn prefix(&self, id: FrameId) -> Option<usize> {
        let frame = self.get(id);
        let mut count = 0;
        for symbol in &frame.axes {
            match symbol {
                Symbol::Variable(_) => count += 1,
                Symbol::Zero => {}
                Symbol::Computed { .. } => return None,
            }
        }
        let outer = frame.loops.get(..count)?;
        let all = outer.iter().all(|&v| frame.axes.contains(&Symbol::Variable(v)));
        all.then_some(count)
    }

    /// Whether hoisting lets a loop at this position run once for each of its results, inside the outermost loop, which
    /// threads share.
    pub fn is_row(&self, id: FrameId) -> bool {
        self.prefix(id).is_some_and(|count| count > 0 || self.get(id).loops.is_empty())
    }

    /// Whether no element is computed twice in this frame.
    pub fn computes_once(&self, id: FrameId) -> bool {
        self.get(id).injective || self.prefix(id).is_some()
    }

    fn with_axes(&mut self, id: FrameId, axes: Vec<Symbol>, injective: bool) -> FrameId {
        let loops = self.get(id).loops.clone();
        self.number(Frame { loops, axes, injective })
    }

    fn scalar(&mut self, id: FrameId) -> FrameId {
        self.with_axes(id, vec![], false)
    }

    fn computed(&mut self, node: NodeId, id: FrameId, rank: usize, injective: bool) -> FrameId {
        let axes = (0..rank as u32).map(|axis| Symbol::Computed { node, frame: id, axis }).collect();
        self.with_axes(id, axes, injective)
    }

    /// How each operand of a node that is computed in place is used, given the frame of its result.
    pub fn operands(&mut self, graph: &Graph<'_>, id: NodeId, frame: FrameId) -> Vec<Use> {
        let node = graph.node(id);
        let injective = self.get(frame).injective;
        match node.op {
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::RegularizedIncompleteBeta
            | Op::Convert { .. }
            | Op::ReducePrecision { .. }
            | Op::IntegerPow { .. }
            | Op::Threefry2x32 => self.elementwise(graph, node, frame),
            Op::Bitcast { dtype } => {
                if graph.aval(node.inputs[0]).dtype.size() == dtype.size() {
                    self.elementwise(graph, node, frame)
                } else {
                    vec![Use::Memory]
                }
            }
            Op::BroadcastInDim { dims, .. } => {
                let (operand, result) = (graph.aval(node.inputs[0]), graph.aval(node.outputs[0]));
                let axes: Vec<Symbol> = dims
                    .iter()
                    .zip(&operand.shape[..])
                    .map(|(&dim, &extent)| if extent == 1 { Symbol::Zero } else { self.get(frame).axes[dim] })
                    .collect();
                vec![Use::Pull(self.with_axes(frame, axes, injective && operand.size() == result.size()))]
            }
            Op::Reshape { .. } => {
                let (operand, result) = (graph.aval(node.inputs[0]), graph.aval(node.outputs[0]));
                let mut axes: Vec<Symbol> = (0..operand.rank() as u32)
                    .map(|axis| {
                        if operand.shape[axis as usize] == 1 {
                            Symbol::Zero
                        } else {
                            Symbol::Computed { node: id, frame, axis }
                        }
                    })
                    .collect();
                for (from, to) in crate::shapes::equal_axes(&operand.shape, &result.shape) {
                    axes[from] = self.get(frame).axes[to];
                }
                vec![Use::Pull(self.with_axes(frame, axes, injective))]
            }
            Op::Transpose { permutation } => {
                let mut axes = vec![Symbol::Zero; permutation.len()];
                for (to, &from) in permutation.iter().enumerate() {
                    axes[from] = self.get(frame).axes[to];
                }
                vec![Use::Pull(self.with_axes(frame, axes, injective))]
            }
            Op::Slice(_) | Op::Reverse { .. } => {
                let rank = graph.aval(node.inputs[0]).rank();
                vec![Use::Pull(self.computed(id, frame, rank, injective))]
            }
            Op::Pad { .. } => {
                let rank = graph.aval(node.inputs[0]).rank();
                vec![Use::Pull(self.computed(id, frame, rank, injective)), Use::Pull(self.scalar(frame))]
            }
            Op::Iota { .. } => vec![],
            Op::DynamicSlice { .. } => {
                let start = self.scalar(frame);
                std::iter::once(Use::Memory).chain(node.inputs[1..].iter().map(|_| Use::Pull(start))).collect()
            }
            Op::Gather(gather) => {
                let rank = graph.aval(node.outputs[0]).rank();
                let indices = &graph.aval(node.inputs[1]).shape;
                let mut axes: Vec<Symbol> = (0..rank)
                    .filter(|axis| !gather.offset_dims.contains(axis))
                    .map(|axis| self.get(frame).axes[axis])
                    .collect();
                let last = axes.len() as u32;
                axes.push(if indices.last() == Some(&1) {
                    Symbol::Zero
                } else {
                    Symbol::Computed { node: id, frame, axis: last }
                });
                vec![Use::Memory, Use::Pull(self.with_axes(frame, axes, injective && gather.offset_dims.is_empty()))]
            }
            Op::Reduce { axes, .. } => vec![self.reduced(graph, id, frame, axes)],
            Op::ArgReduce(arg) => vec![self.reduced(graph, id, frame, &[arg.axis])],
            Op::GeneralReduce { axes, .. } => {
                let count = node.inputs.len() / 2;
                let mut uses: Vec<Use> = (0..count).map(|_| self.reduced(graph, id, frame, axes)).collect();
                let init = self.scalar(frame);
                uses.extend((0..count).map(|_| Use::Pull(init)));
                uses
            }
            Op::GeneralReduceWindow { .. } => {
                let init = self.scalar(frame);
                let used = |i: usize| if reads_memory(graph, node, i) { Use::Memory } else { Use::Pull(init) };
                (0..node.inputs.len()).map(used).collect()
            }
            Op::Concatenate { axis } if self.root_of(id) != Some(frame) => {
                let piece = |piece: usize| {
                    let mut axes = self.get(frame).axes.clone();
                    axes[*axis] = Symbol::Computed { node: id, frame, axis: piece as u32 };
                    Use::Pull(self.with_axes(frame, axes, injective))
                };
                (0..node.inputs.len()).map(piece).collect()
            }
            // These compute their results one after the other; each operand is walked through once.
            Op::Cumulative(_) | Op::Concatenate { .. } => {
                node.inputs.iter().map(|&x| Use::Pull(self.fresh(graph.aval(x).rank()))).collect()
            }
            Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::SelectAndGatherAdd(_)
            | Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::DynamicUpdateSlice
            | Op::Scatter(_)
            | Op::SelectAndScatterAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
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
            | Op::Collective(_) => node.inputs.iter().map(|_| Use::Memory).collect(),
        }
    }

    fn elementwise(&mut self, graph: &Graph<'_>, node: &Node<'_>, frame: FrameId) -> Vec<Use> {
        let rank = graph.aval(node.outputs[0]).rank();
        let scalar = self.scalar(frame);
        let of = |&x: &ValueId| Use::Pull(if graph.aval(x).rank() == rank { frame } else { scalar });
        node.inputs.iter().map(of).collect()
    }

    /// The frame of an operand that is reduced along some axes, in loops inside those of the result's position.
    fn reduced(&mut self, graph: &Graph<'_>, id: NodeId, frame: FrameId, reduced: &[usize]) -> Use {
        let rank = graph.aval(graph.node(id).inputs[0]).rank();
        let inner = match self.reductions.get(&(id, frame)) {
            Some(inner) => inner.clone(),
            None => {
                let inner = self.variables(reduced.len());
                self.reductions.insert((id, frame), inner.clone());
                inner
            }
        };
        let prefix = self.prefix(frame);
        let outer = self.get(frame).clone();
        let depth = prefix.unwrap_or(outer.loops.len());
        let mut loops = outer.loops[..depth].to_vec();
        loops.extend(&inner);
        let (mut kept, mut inner) = (outer.axes.iter(), inner.iter());
        let axes = (0..rank)
            .map(|axis| match reduced.contains(&axis) {
                true => Symbol::Variable(*inner.next().expect("one variable for each reduced axis")),
                false => *kept.next().expect("the other axes are the result's"),
            })
            .collect();
        Use::Pull(self.number(Frame { loops, axes, injective: outer.injective || prefix.is_some() }))
    }
}
