//! Nests to kernels: what a value's element at a position is, as instructions.
//!
//! Values are *pulled*: to compute an element of a root, the elements of its operands are asked for at the positions that the op needs,
//! and so on up to arrays in memory. Movement ops change positions and cost nothing; a reshape of an array in memory is not even
//! arithmetic. A node computed twice at one position is computed once.

mod arg_reduce;
pub(crate) mod builder;
mod concatenate;
pub(crate) mod conv;
mod cumulative;
pub(crate) mod dot_general;
mod dynamic_slice;
mod dynamic_update_slice;
pub(crate) mod element;
mod elementwise;
pub(crate) mod finish;
mod gather;
mod movement;
mod pad;
mod reduce;
mod reduce_window;
pub(crate) mod scalar_region;
mod scatter;
mod select_and_gather_add;
mod select_and_scatter_add;
pub(crate) mod transpose;
mod window;

use std::collections::HashMap;

use rjax_ir::{Op, Result, Scalar, Shape};

use crate::fuse::{Fate, Fusion};
use crate::graph::{Graph, NodeId, Source, ValueId};
use crate::kir::{Access, Class, Index, Kernel, Mask, Order, ParamId, Reg};
use builder::{Builder, OpenLoop};
use element::{Element, parts};

/// A kernel and, for each parameter, the array it works on.
#[derive(Clone)]
pub(crate) struct Lowered {
    pub kernel: Kernel,
    pub args: Vec<ValueId>,
}

/// Writes one kernel.
pub(crate) struct Writer<'a, 'p> {
    graph: &'a Graph<'p>,
    fusion: &'a Fusion,
    b: Builder,
    args: Vec<ValueId>,
    reads: HashMap<ValueId, ParamId>,
    /// Where this is false, elements are not needed and memory is not read.
    mask: Option<Reg>,
    /// Values that are in registers: their elements, row-major.
    known: HashMap<ValueId, Vec<Element>>,
    /// Parameters of loops that are always the same value from outside of the kernel.
    outside: HashMap<ValueId, ValueId>,
    /// Whether loops inside of nodes are written out.
    unrolled: bool,
    class: Class,
}

/// The kernel of a group of roots of one shape.
pub(crate) fn group(graph: &Graph<'_>, fusion: &Fusion, roots: &[NodeId], stored: &[bool]) -> Result<Lowered> {
    let shape = graph.aval(graph.node(roots[0]).outputs[0]).shape.clone();
    let mut w = Writer::new(graph, fusion);
    let (loops, at) = w.open_axes(&shape);
    for (&root, &stored) in roots.iter().zip(stored) {
        let elements = w.compute(root, &at)?;
        for (&output, element) in graph.node(root).outputs.iter().zip(&elements) {
            if stored {
                w.store(output, &at, *element);
            }
        }
    }
    w.close_axes(loops);
    Ok(w.finish())
}

/// The kernel of a node that stores its results in a way of its own.
pub(crate) fn own_step(graph: &Graph<'_>, fusion: &Fusion, id: NodeId) -> Result<Lowered> {
    let mut w = Writer::new(graph, fusion);
    w.class = class(graph.node(id).op);
    match graph.node(id).op {
        Op::Concatenate { axis } => w.concatenate(id, *axis)?,
        Op::Cumulative(cumulative) => w.cumulative(id, cumulative)?,
        Op::DynamicUpdateSlice => w.dynamic_update_slice(id)?,
        Op::Scatter(scatter) => w.scatter(id, scatter)?,
        Op::SelectAndScatterAdd(select) => w.select_and_scatter_add(id, select)?,
        Op::While(_) | Op::Scan(_) => w.small_loop(id)?,
        op @ (Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::Bitcast { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Reverse { .. }
        | Op::Iota { .. }
        | Op::DynamicSlice { .. }
        | Op::Gather(_)
        | Op::Reduce { .. }
        | Op::GeneralReduce { .. }
        | Op::ArgReduce(_)
        | Op::DotGeneral(_)
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndGatherAdd(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
        | Op::Threefry2x32
        | Op::Cond { .. }
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::CustomLinear(_)
        | Op::LinearSolve(_)
        | Op::Root(_)
        | Op::Remat(_)
        | Op::DebugPrint(_)
        | Op::Collective(_)) => unreachable!("{} has no kernel of its own", op.name()),
    }
    Ok(w.finish())
}

/// The class of a nest that computes an op.
pub(crate) fn class(op: &Op) -> Class {
    match op {
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::Bitcast { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Concatenate { .. }
        | Op::Reverse { .. }
        | Op::Iota { .. }
        | Op::DynamicSlice { .. }
        | Op::DynamicUpdateSlice
        | Op::Threefry2x32
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::CustomLinear(_)
        | Op::LinearSolve(_)
        | Op::Root(_)
        | Op::Remat(_)
        | Op::DebugPrint(_)
        | Op::Collective(_) => Class::Map,
        Op::Reduce { .. } | Op::GeneralReduce { .. } | Op::ArgReduce(_) => Class::Reduce,
        Op::DotGeneral(_) => Class::Contract,
        Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndScatterAdd(_)
        | Op::SelectAndGatherAdd(_) => Class::Window,
        Op::Cumulative(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
        | Op::Cond { .. }
        | Op::While(_)
        | Op::Scan(_) => Class::Scan,
        Op::Gather(_) | Op::Scatter(_) => Class::GatherScatter,
    }
}

impl<'a, 'p> Writer<'a, 'p> {
    fn new(graph: &'a Graph<'p>, fusion: &'a Fusion) -> Writer<'a, 'p> {
        Writer {
            graph,
            fusion,
            b: Builder::new(1),
            args: vec![],
            reads: HashMap::new(),
            mask: None,
            known: HashMap::new(),
            outside: HashMap::new(),
            unrolled: false,
            class: Class::Map,
        }
    }

    fn finish(self) -> Lowered {
        Lowered { kernel: self.b.finish(self.class), args: self.args }
    }

    fn shape(&self, value: ValueId) -> &'a Shape {
        &self.graph.aval(value).shape
    }

    // Loops.

    /// Opens a loop for each axis, the outermost over the parallel range; axes of extent 1 have none.
    fn open_axes(&mut self, shape: &Shape) -> (Vec<OpenLoop>, Vec<Index>) {
        let first = shape.iter().position(|&extent| extent != 1);
        self.b.set_extent(first.map_or(1, |axis| shape[axis]));
        let range = self.b.open_range();
        let mut at = vec![Index::default(); shape.rank()];
        if let Some(axis) = first {
            at[axis] = Index::reg(range.variable);
        }
        let mut loops = vec![range];
        for axis in first.map_or(0, |axis| axis + 1)..shape.rank() {
            if shape[axis] != 1 {
                let (begin, end) = (Index::default(), Index::constant(shape[axis] as i64));
                let open = self.b.open_loop(begin, end, Order::Independent, &[]);
                at[axis] = Index::reg(open.variable);
                loops.push(open);
            }
        }
        (loops, at)
    }

    fn close_axes(&mut self, loops: Vec<OpenLoop>) {
        for open in loops.into_iter().rev() {
            self.b.close_loop(open, &[]);
        }
    }

    /// Loops over all indices of a box that carry registers from one index to the next, written where `at` is known.
    fn fold(
        &mut self,
        at: &[Index],
        extents: &[usize],
        inits: Vec<Reg>,
        order: Order,
        mut body: impl FnMut(&mut Self, &[Index], &[Reg]) -> Result<Vec<Reg>>,
    ) -> Result<Vec<Reg>> {
        if self.unrolled {
            let extents: Shape = extents.iter().copied().collect();
            let mut carried = inits;
            for position in scalar_region::positions(&extents) {
                carried = body(self, &position, &carried)?;
            }
            return Ok(carried);
        }
        let mut depth = self.b.depth_of(at);
        for register in inits.iter().chain(&self.mask) {
            depth = depth.max(self.b.depth_of(&[Index::reg(*register)]));
        }
        let aside = self.b.set_aside(depth);
        let results = self.fold_here(extents, inits, order, body)?;
        self.b.resume(aside);
        Ok(results)
    }

    fn fold_here(
        &mut self,
        extents: &[usize],
        inits: Vec<Reg>,
        order: Order,
        body: impl FnOnce(&mut Self, &[Index], &[Reg]) -> Result<Vec<Reg>>,
    ) -> Result<Vec<Reg>> {
        if extents.contains(&0) {
            return Ok(inits);
        }
        let mut at = vec![Index::default(); extents.len()];
        let mut loops: Vec<OpenLoop> = Vec::new();
        let mut carried = inits;
        for (axis, &extent) in extents.iter().enumerate() {
            if extent != 1 {
                let open = self.b.open_loop(Index::default(), Index::constant(extent as i64), order, &carried);
                carried = open.carried();
                at[axis] = Index::reg(open.variable);
                loops.push(open);
            }
        }
        let mut next = body(self, &at, &carried)?;
        for open in loops.into_iter().rev() {
            next = self.b.close_loop(open, &next);
        }
        Ok(next)
    }

    // Memory.

    /// The element of an array in memory at a linear position.
    fn load(&mut self, value: ValueId, position: Index) -> Element {
        let value = self.array(value);
        let aval = self.graph.aval(value);
        let width = parts(aval.dtype);
        let param = match self.reads.get(&value) {
            Some(&param) => param,
            None => {
                let param = self.b.param(aval.dtype.real(), aval.size() * width, Access::Read);
                self.args.push(value);
                self.reads.insert(value, param);
                param
            }
        };
        let mask = self.mask.map(|condition| {
            let otherwise = self.b.constant(Scalar::zero(aval.dtype.real()));
            Mask { condition, otherwise }
        });
        let position = position.times(width as i64);
        let real = self.b.load(param, position.clone(), mask);
        let imag = aval.dtype.is_complex().then(|| self.b.load(param, position.offset(1), mask));
        Element { real, imag }
    }

    /// The array whose memory a reshaped value shares.
    fn array(&self, mut value: ValueId) -> ValueId {
        while let Some(id) = self.graph.producer(value) {
            let node = self.graph.node(id);
            let aliased = self.fusion.fate[id.index()] == Fate::Alias && matches!(node.op, Op::Reshape { .. });
            if !aliased {
                break;
            }
            value = node.inputs[0];
        }
        value
    }

    /// A parameter that the kernel writes.
    fn output(&mut self, value: ValueId, access: Access) -> ParamId {
        let aval = self.graph.aval(value);
        self.args.push(value);
        self.b.param(aval.dtype.real(), aval.size() * parts(aval.dtype), access)
    }

    fn store(&mut self, value: ValueId, at: &[Index], element: Element) {
        let param = self.output(value, Access::Write);
        let position = self.position(value, at);
        self.store_at(param, position, element);
    }

    fn store_at(&mut self, param: ParamId, position: Index, element: Element) {
        match element.imag {
            None => self.b.store(param, position, element.real),
            Some(imag) => {
                self.b.store(param, position.times(2), element.real);
                self.b.store(param, position.times(2).offset(1), imag);
            }
        }
    }

    /// The linear position of a multi-index of a value.
    fn position(&self, value: ValueId, at: &[Index]) -> Index {
        self.b.linear(at, self.shape(value).strides().into_iter().map(|s| s as i64))
    }

    // Values.

    /// Whether a value's elements are read from memory.
    fn in_memory(&self, value: ValueId) -> bool {
        match self.graph.values[value.index()].source {
            Source::Literal(_) => false,
            Source::Input(_) | Source::Const(_) | Source::Param => true,
            Source::Node(id) => self.fusion.fate[id.index()] != Fate::Inline,
        }
    }

    /// The element of a value at a position.
    fn pull(&mut self, value: ValueId, at: &[Index]) -> Result<Element> {
        let dtype = self.graph.aval(value).dtype;
        if self.shape(value).size() == 0 {
            // No position of an empty array is ever asked for when the kernel runs.
            return Ok(Element::zero(&mut self.b, dtype));
        }
        if let Some(&outer) = self.outside.get(&value) {
            return self.pull(outer, at);
        }
        if self.known.contains_key(&value) {
            return Ok(self.chosen(value, at));
        }
        let id = match self.graph.values[value.index()].source {
            Source::Literal(scalar) => return Ok(Element::constant(&mut self.b, scalar)),
            Source::Input(_) | Source::Const(_) | Source::Param => {
                let position = self.position(value, at);
                return Ok(self.load(value, position));
            }
            Source::Node(id) => id,
        };
        let node = self.graph.node(id);
        let result = node.outputs.iter().position(|&output| output == value).expect("a node defines its outputs");
        if let Some(elements) = self.b.recall(&(id, at.to_vec(), None)) {
            return Ok(elements[result]);
        }
        if self.fusion.fate[id.index()] != Fate::Inline {
            let position = self.position(value, at);
            return Ok(self.load(value, position));
        }
        let place = (id, at.to_vec(), self.mask);
        if let Some(elements) = self.b.recall(&place) {
            return Ok(elements[result]);
        }
        let elements = self.compute(id, at)?;
        Ok(elements[result])
    }

    /// The element of a rank-0 value.
    fn pull_scalar(&mut self, value: ValueId) -> Result<Element> {
        self.pull(value, &[])
    }

    /// The elements of a node's results at a position.
    fn compute(&mut self, id: NodeId, at: &[Index]) -> Result<Vec<Element>> {
        let node = self.graph.node(id);
        self.class = self.class.max(class(node.op));
        let elements = match node.op {
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::RegularizedIncompleteBeta
            | Op::Convert { .. }
            | Op::Bitcast { .. }
            | Op::ReducePrecision { .. }
            | Op::IntegerPow { .. }
            | Op::Threefry2x32 => {
                let mut operands = Vec::with_capacity(node.inputs.len());
                for &input in &node.inputs {
                    let at = if self.shape(input).rank() == 0 { &[] } else { at };
                    operands.push(self.pull(input, at)?);
                }
                self.elementwise(id, &operands)
            }
            Op::BroadcastInDim { dims, .. } => vec![self.broadcast_in_dim(id, dims, at)?],
            Op::Reshape { .. } => vec![self.reshape(id, at)?],
            Op::Transpose { permutation } => vec![self.transpose(id, permutation, at)?],
            Op::Slice(slice) => vec![self.slice(id, slice, at)?],
            Op::Reverse { axes } => vec![self.reverse(id, axes, at)?],
            Op::Iota { dtype, axis, .. } => vec![self.iota(*dtype, &at[*axis])],
            Op::Pad { padding } => vec![self.pad(id, padding, at)?],
            Op::Concatenate { axis } => vec![self.concatenated(id, *axis, at)?],
            Op::DynamicSlice { sizes } => vec![self.dynamic_slice(id, sizes, at)?],
            Op::Gather(gather) => vec![self.gather(id, gather, at)?],
            Op::Reduce { reducer, axes } => vec![self.reduce(id, *reducer, axes, at)?],
            Op::GeneralReduce { axes, .. } => self.general_reduce(id, axes, at)?,
            Op::ArgReduce(arg) => vec![self.arg_reduce(id, arg, at)?],
            Op::DotGeneral(dot) => vec![self.dot_general(id, dot, at)?],
            Op::Conv(conv) => vec![self.conv(id, conv, at)?],
            Op::ReduceWindow { reducer, window } => vec![self.reduce_window(id, *reducer, window, at)?],
            Op::GeneralReduceWindow { window, .. } => self.general_reduce_window(id, window, at)?,
            Op::SelectAndGatherAdd(select) => vec![self.select_and_gather_add(id, select, at)?],
            op @ (Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::DynamicUpdateSlice
            | Op::Scatter(_)
            | Op::Cumulative(_)
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
            | Op::Collective(_)) => unreachable!("{} is never computed position by position", op.name()),
        };
        self.b.remember((id, at.to_vec(), self.mask), &elements);
        Ok(elements)
    }
}
