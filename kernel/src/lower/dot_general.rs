//! `dot_general`: a matrix product by a library routine where the operands' memory allows, else loops.
//!
//! A routine takes any strides, so transposes, broadcasts, slices and most reshapes of an array in memory are views for it,
//! not copies.

use rjax_ir::{Binary, DType, DotGeneral, Op, Result};

use super::Writer;
use super::element::Element;
use crate::graph::{Graph, NodeId, Source, ValueId};
use crate::kir::{GemmAxis, Index, Order};
use crate::shapes::reshape_strides;

/// So few results are a reduction rather than a matrix product, for so many pairs of operands.
pub(crate) const FEW_SUMS: usize = 4;
pub(crate) const MANY_PAIRS: usize = 64;

/// An array in memory seen through strides, in elements.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Strided {
    pub base: ValueId,
    pub offset: usize,
    pub strides: Vec<isize>,
}

/// What a matrix routine reads.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct GemmOperands {
    pub lhs: Strided,
    pub rhs: Strided,
    pub batch: Vec<GemmAxis>,
    pub m: GemmAxis,
    pub n: GemmAxis,
    pub k: GemmAxis,
    pub outer_k: Vec<GemmAxis>,
}

/// The operands of a dot that a routine can compute: of a floating dtype.
pub(crate) fn gemm_operands(graph: &Graph<'_>, id: NodeId) -> Option<GemmOperands> {
    let node = graph.node(id);
    let Op::DotGeneral(dot) = node.op else { return None };
    let (l, r) = (node.inputs[0], node.inputs[1]);
    if !is_routine_dtype(graph.aval(l).dtype, dot.preferred) || graph.aval(l).size() == 0 || graph.aval(r).size() == 0 {
        return None;
    }
    let (lhs, rhs) = (strided(graph, l)?, strided(graph, r)?);
    let (lhs_shape, rhs_shape) = (&graph.aval(l).shape, &graph.aval(r).shape);
    let out_strides: Vec<isize> = graph.aval(node.outputs[0]).shape.strides().into_iter().map(|s| s as isize).collect();
    let (lhs_free, rhs_free) = (dot.lhs_free(lhs_shape.rank()), dot.rhs_free(rhs_shape.rank()));
    let batch_rank = dot.lhs_batch.len();
    let mut summed: Vec<GemmAxis> = dot
        .lhs_contracting
        .iter()
        .zip(&dot.rhs_contracting)
        .map(|(&l, &r)| GemmAxis { extent: lhs_shape[l], lhs: lhs.strides[l], rhs: rhs.strides[r], out: 0 })
        .collect();
    // The order of summed axes is free. That of the operand which is contiguous along one of them, or else of the larger one, is the better for it.
    let contiguous = |stride: fn(&GemmAxis) -> isize| summed.iter().any(|axis| axis.extent > 1 && stride(axis) == 1);
    let by_lhs = match (contiguous(|axis| axis.lhs), contiguous(|axis| axis.rhs)) {
        (true, false) => true,
        (false, true) => false,
        (true, true) | (false, false) => graph.aval(l).size() >= graph.aval(r).size(),
    };
    summed.sort_by_key(|axis| {
        let strides = (axis.lhs.abs(), axis.rhs.abs());
        std::cmp::Reverse(if by_lhs { strides } else { (strides.1, strides.0) })
    });
    let mut outer_k = join(summed);
    let k = outer_k.pop().unwrap_or(GemmAxis { extent: 1, lhs: 0, rhs: 0, out: 0 });
    let rows = lhs_free
        .iter()
        .enumerate()
        .map(|(i, &axis)| GemmAxis {
            extent: lhs_shape[axis],
            lhs: lhs.strides[axis],
            rhs: 0,
            out: out_strides[batch_rank + i],
        })
        .collect();
    let columns = rhs_free
        .iter()
        .enumerate()
        .map(|(i, &axis)| GemmAxis {
            extent: rhs_shape[axis],
            lhs: 0,
            rhs: rhs.strides[axis],
            out: out_strides[batch_rank + lhs_free.len() + i],
        })
        .collect();
    let batch = dot
        .lhs_batch
        .iter()
        .zip(&dot.rhs_batch)
        .enumerate()
        .map(|(i, (&l, &r))| GemmAxis {
            extent: lhs_shape[l],
            lhs: lhs.strides[l],
            rhs: rhs.strides[r],
            out: out_strides[i],
        })
        .collect();
    let mut batch = join(batch);
    let (m, n) = (take_longest(join(rows), &mut batch), take_longest(join(columns), &mut batch));
    // A few sums for each of many pairs of operands use hardly anything twice: loops do that as well, and fuse with what is around.
    let own = |axis: &GemmAxis| axis.lhs != 0 && axis.rhs != 0;
    let pairs: usize = batch.iter().filter(|axis| own(axis)).map(|axis| axis.extent).product();
    if m.extent * n.extent <= FEW_SUMS && pairs >= MANY_PAIRS {
        return None;
    }
    // Nor do they need another order of the terms of a single sum, or of sums side by side in memory.
    let single = m.extent == 1 && k.rhs != 1 || n.extent == 1 && k.lhs != 1;
    if !outer_k.is_empty() && (single || m.extent * n.extent == 1) {
        return None;
    }
    Some(GemmOperands { lhs, rhs, batch, m, n, k, outer_k })
}

/// Whether the routines multiply operands of a dtype to a result of another.
pub(crate) fn is_routine_dtype(dtype: DType, result: DType) -> bool {
    match dtype {
        DType::F16 | DType::BF16 => result == dtype || result == DType::F32,
        DType::F32 | DType::F64 => result == dtype,
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::C64
        | DType::C128
        | DType::Narrow(_) => false,
    }
}

/// Joins neighbouring axes that are one in all three arrays, and drops those of extent 1.
fn join(axes: Vec<GemmAxis>) -> Vec<GemmAxis> {
    let mut joined: Vec<GemmAxis> = Vec::new();
    for axis in axes.into_iter().filter(|axis| axis.extent != 1) {
        let extent = axis.extent as isize;
        match joined.last_mut() {
            Some(outer)
                if outer.lhs == axis.lhs * extent
                    && outer.rhs == axis.rhs * extent
                    && outer.out == axis.out * extent =>
            {
                *outer = GemmAxis { extent: outer.extent * axis.extent, ..axis };
            }
            Some(_) | None => joined.push(axis),
        }
    }
    joined
}

/// The longest of some axes; the others become batch axes.
fn take_longest(mut axes: Vec<GemmAxis>, batch: &mut Vec<GemmAxis>) -> GemmAxis {
    let longest = (0..axes.len()).max_by_key(|&i| axes[i].extent);
    let chosen = longest.map_or(GemmAxis { extent: 1, lhs: 0, rhs: 0, out: 0 }, |i| axes.remove(i));
    batch.append(&mut axes);
    chosen
}

/// A value as a view of an array in memory, through as many movement ops as strides can express; none for literals.
pub(crate) fn strided(graph: &Graph<'_>, value: ValueId) -> Option<Strided> {
    let mut chain = vec![value];
    let mut base = value;
    while let Some(id) = graph.producer(base) {
        let node = graph.node(id);
        // Slices only of arrays that are in memory anyway; else more than the slice would be computed.
        let of_memory =
            |x: ValueId| graph.producer(x).is_none_or(|producer| crate::fuse::is_always_in_memory(graph, producer));
        let passes = matches!(
            node.op,
            Op::BroadcastInDim { .. } | Op::Reshape { .. } | Op::Transpose { .. } | Op::Reverse { .. }
        ) || matches!(node.op, Op::Slice(_)) && of_memory(node.inputs[0]);
        if !passes {
            break;
        }
        base = node.inputs[0];
        chain.push(base);
    }
    if matches!(graph.values[base.index()].source, Source::Literal(_)) {
        chain.pop();
        base = *chain.last()?;
    }
    // From the base to the value; where strides cannot follow, begin again from there.
    chain.pop();
    let mut view = dense(graph, base);
    while let Some(next) = chain.pop() {
        let id = graph.producer(next).expect("the chain is made of nodes");
        view = through(graph, id, &view).unwrap_or_else(|| dense(graph, next));
    }
    Some(view)
}

fn dense(graph: &Graph<'_>, base: ValueId) -> Strided {
    let strides = graph.aval(base).shape.strides().into_iter().map(|s| s as isize).collect();
    Strided { base, offset: 0, strides }
}

/// The view of a movement op's result, given that of its operand.
fn through(graph: &Graph<'_>, id: NodeId, view: &Strided) -> Option<Strided> {
    let node = graph.node(id);
    let (from, to) = (&graph.aval(node.inputs[0]).shape, &graph.aval(node.outputs[0]).shape);
    let mut offset = view.offset as isize;
    let mut strides = view.strides.clone();
    if let Op::BroadcastInDim { dims, .. } = node.op {
        strides = vec![0; to.rank()];
        for (axis, &dim) in dims.iter().enumerate() {
            strides[dim] = if from[axis] == 1 { 0 } else { view.strides[axis] };
        }
    } else if let Op::Reshape { .. } = node.op {
        strides = reshape_strides(from, &view.strides, to)?;
    } else if let Op::Transpose { permutation } = node.op {
        strides = permutation.iter().map(|&axis| view.strides[axis]).collect();
    } else if let Op::Reverse { axes } = node.op {
        for &axis in axes {
            offset += strides[axis] * (from[axis] as isize - 1);
            strides[axis] = -strides[axis];
        }
    } else if let Op::Slice(slice) = node.op {
        for (axis, (&start, &step)) in slice.starts.iter().zip(&slice.strides).enumerate() {
            offset += strides[axis] * start as isize;
            strides[axis] *= step as isize;
        }
    } else {
        return None;
    }
    Some(Strided { base: view.base, offset: offset as usize, strides })
}

impl Writer<'_, '_> {
    /// The dot as loops, for what the routine does not do: integers, complex numbers, mixed dtypes.
    pub(super) fn dot_general(&mut self, id: NodeId, dot: &DotGeneral, at: &[Index]) -> Result<Element> {
        let node = self.graph.node(id);
        let (lhs, rhs) = (node.inputs[0], node.inputs[1]);
        let (lhs_shape, rhs_shape) = (self.shape(lhs), self.shape(rhs));
        let (lhs_free, rhs_free) = (dot.lhs_free(lhs_shape.rank()), dot.rhs_free(rhs_shape.rank()));
        let extents: Vec<usize> = dot.lhs_contracting.iter().map(|&axis| lhs_shape[axis]).collect();
        let accumulator = dot.preferred.accumulator();
        let zero = Element::zero(&mut self.b, accumulator);
        let (batch, free) = at.split_at(dot.lhs_batch.len());
        let (left, right) = free.split_at(lhs_free.len());
        let total = self.fold(at, &extents, zero.registers().collect(), Order::VectorReduce, |w, summed, total| {
            let place = |rank: usize, parts: [(&[usize], &[Index]); 3]| {
                let mut position = vec![Index::default(); rank];
                for (axes, indices) in parts {
                    for (&axis, index) in axes.iter().zip(indices) {
                        position[axis] = index.clone();
                    }
                }
                position
            };
            let l =
                place(lhs_shape.rank(), [(&dot.lhs_batch, batch), (&lhs_free, left), (&dot.lhs_contracting, summed)]);
            let r =
                place(rhs_shape.rank(), [(&dot.rhs_batch, batch), (&rhs_free, right), (&dot.rhs_contracting, summed)]);
            let (l, r) = (w.pull(lhs, &l)?, w.pull(rhs, &r)?);
            let (l, r) = (w.convert(l, accumulator), w.convert(r, accumulator));
            let product = w.binary(Binary::Mul, accumulator, l, r);
            let total = Element::from_registers(&[accumulator], total)[0];
            Ok(w.binary(Binary::Add, accumulator, total, product).registers().collect())
        })?;
        let total = Element::from_registers(&[accumulator], &total)[0];
        Ok(self.convert(total, dot.preferred))
    }
}
