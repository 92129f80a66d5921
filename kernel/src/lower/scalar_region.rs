//! Programs on scalars, in registers: the combiners of general reductions.

use rjax_ir::{Binary, Compare, Error, ErrorKind, Op, Result, Scalar};

use super::Writer;
use super::element::Element;
use crate::graph::{NodeId, RegionId, Source, ValueId};
use crate::kir::{Index, Order, Reg};

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
        if let Some(&element) = self.known.get(&value) {
            return Ok(element);
        }
        match self.graph.values[value.index()].source {
            Source::Literal(scalar) => Ok(Element::constant(&mut self.b, scalar)),
            Source::Input(_) | Source::Const(_) | Source::Node(_) | Source::Param => {
                unreachable!("a combiner closes over nothing")
            }
        }
    }

    fn scalar_node(&mut self, id: NodeId) -> Result<Vec<Element>> {
        let node = self.graph.node(id);
        let mut operands = Vec::new();
        for &input in &node.inputs {
            operands.push(self.known_scalar(input)?);
        }
        let all_scalar = node.outputs.iter().all(|&y| self.graph.aval(y).size() == 1);
        if !all_scalar {
            return Err(not_scalar(node.op).at(node.location));
        }
        Ok(match node.op {
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
            | Op::Threefry2x32 => self.elementwise(id, &operands),
            // Arrays of one element are scalars.
            Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Reverse { .. }
            | Op::DynamicSlice { .. }
            | Op::Reduce { .. } => vec![operands[0]],
            Op::Iota { dtype, .. } => vec![Element::constant(&mut self.b, Scalar::zero(*dtype))],
            Op::DynamicUpdateSlice => vec![operands[1]],
            // Branches have no effects, so all of them may be computed and one selected.
            Op::Cond { .. } => {
                let index = operands[0].real;
                let mut results = self.scalar_region(node.regions[0], &[])?;
                for (i, &region) in node.regions.iter().enumerate().skip(1) {
                    let i = self.b.constant(Scalar::new(i as i32));
                    let at_least = self.b.compare(Compare::Ge, index, i);
                    let branch = self.scalar_region(region, &[])?;
                    for (result, value) in results.iter_mut().zip(branch) {
                        *result = self.select_element(at_least, value, *result);
                    }
                }
                results
            }
            Op::Scan(scan) if scan.num_carry == node.inputs.len() && scan.num_carry == node.outputs.len() => {
                let dtypes: Vec<_> = node.inputs.iter().map(|&x| self.graph.aval(x).dtype).collect();
                let inits: Vec<Reg> = operands.iter().flat_map(Element::registers).collect();
                let results = self.fold_here(&[scan.length], inits, Order::Sequential, |w, _: &[Index], carried| {
                    let arguments = Element::from_registers(&dtypes, carried);
                    let results = w.scalar_region(node.regions[0], &arguments)?;
                    Ok(results.iter().flat_map(Element::registers).collect())
                })?;
                Element::from_registers(&dtypes, &results)
            }
            Op::Sort(_) => operands,
            Op::Cumulative(_) => vec![operands[0]],
            Op::Concatenate { .. } => {
                let piece = node.inputs.iter().position(|&x| self.graph.aval(x).size() == 1);
                vec![operands[piece.expect("one piece has the one element")]]
            }
            Op::ArgReduce(arg) => vec![Element::constant(&mut self.b, Scalar::zero(arg.index_dtype))],
            Op::DotGeneral(dot) => {
                let accumulator = dot.preferred.accumulator();
                let [x, y] = [operands[0], operands[1]].map(|x| self.convert(x, accumulator));
                let product = self.binary(Binary::Mul, accumulator, x, y);
                vec![self.convert(product, dot.preferred)]
            }
            op @ (Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::Pad { .. }
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::GeneralReduce { .. }
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::TopK { .. }
            | Op::While(_)
            | Op::Scan(_)
            | Op::Call { .. }
            | Op::CustomJvp(_)
            | Op::CustomVjp(_)
            | Op::CustomLinear(_)
            | Op::Remat(_)
            | Op::DebugPrint(_)
            | Op::Collective(_)) => return Err(not_scalar(op).at(node.location)),
        })
    }
}

fn not_scalar(op: &Op) -> Error {
    let message = format!("{}: not supported inside the combiner of a general reduction when compiled", op.name());
    Error::new(ErrorKind::Unsupported, message)
}
