//! Transpositions of large arrays, which a library routine does tile by tile: read in one order and written in another, element by
//! element, they would touch a cache line for each.

use crate::graph::{Graph, NodeId};
use crate::kir::TransposeAxis;
use rjax_ir::Op;

use super::dot_general::{Strided, strided};

/// Smaller arrays stay in the first level of cache whatever the order.
const LARGE: usize = 1 << 13;

/// What the routine reads.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct TransposeOperand {
    pub source: Strided,
    /// The axes of the result, outermost first, with those joined that are one in both arrays.
    pub axes: Vec<TransposeAxis>,
}

/// The operand of a transposition that the routine can do, where it is worth it.
pub(crate) fn transpose_operand(graph: &Graph<'_>, id: NodeId) -> Option<TransposeOperand> {
    let node = graph.node(id);
    let Op::Transpose { .. } = node.op else { return None };
    let y = graph.aval(node.outputs[0]);
    if y.size() < LARGE || y.dtype.is_complex() {
        return None;
    }
    let source = strided(graph, node.outputs[0]).filter(|source| source.base != node.outputs[0])?;
    let mut axes: Vec<TransposeAxis> = Vec::new();
    for (&extent, &stride) in y.shape.iter().zip(&source.strides).filter(|&(&extent, _)| extent != 1) {
        let stride = usize::try_from(stride).ok()?;
        match axes.last_mut() {
            Some(outer) if outer.stride == stride * extent => {
                *outer = TransposeAxis { extent: outer.extent * extent, stride };
            }
            Some(_) | None => axes.push(TransposeAxis { extent, stride }),
        }
    }
    let (last, others) = axes.split_last()?;
    let crosses = last.stride > 1 && last.extent > 1 && others.iter().any(|axis| axis.stride == 1);
    crosses.then_some(TransposeOperand { source, axes })
}
