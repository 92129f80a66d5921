//! `ApproxTopK`, computed exactly.

use rjax_ir::{Atom, Compare, DType, Gather, IndexMode, Op, Result, Sort};

use super::linalg::config;
use super::{Importer, malformed, unsupported};
use crate::mlir::{Attribute, Operation};

impl Importer<'_> {
    /// `(values, others, initial value, initial other)`: the greatest or least values along an axis, and the others beside them.
    pub(super) fn approximate_top_k(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let inputs = self.values(&operation.operands)?;
        let &[values, others, ..] = &inputs[..] else {
            return Err(unsupported(operation, "ApproxTopK without indices"));
        };
        let non_negative = |name: &str| -> Result<usize> {
            let value = config(operation, name)?;
            usize::try_from(value).map_err(|_| malformed(operation, format!("{name} is {value}")))
        };
        let (k, axis) = (non_negative("top_k")?, non_negative("reduction_dim")?);
        let rank = self.aval(values).rank();
        if axis >= rank {
            return Err(malformed(operation, format!("axis {axis} of {}", self.aval(values))));
        }
        if self.aval(values).shape != self.aval(others).shape {
            return Err(malformed(operation, format!("{} beside {}", self.aval(others), self.aval(values))));
        }
        if self.greatest_first(operation)? {
            let b = self.builder();
            let moved = b.move_axis(values, axis, rank - 1);
            let found = b.try_emit(Op::TopK { k }, &[moved])?;
            let beside = b.move_axis(others, axis, rank - 1);
            let beside = take_along_last_axis(b, beside, found[1]);
            return Ok(vec![b.move_axis(found[0], rank - 1, axis), b.move_axis(beside, rank - 1, axis)]);
        }
        let b = self.builder();
        let sorted = b.try_emit(Op::Sort(Sort { axis, stable: true, num_keys: 1 }), &[values, others])?;
        let k = k.min(b.shape(values)[axis]);
        Ok(sorted.into_iter().map(|x| b.slice_axis(x, axis, 0, k)).collect())
    }

    /// Whether the comparator of the call puts greater values first.
    fn greatest_first(&mut self, operation: &Operation) -> Result<bool> {
        let name = match operation.attributes.get("called_computations") {
            Some(Attribute::Array(names)) => names.first(),
            _ => None,
        };
        let Some(Attribute::String(name)) = name else {
            return Err(malformed(operation, "expected a comparator".into()));
        };
        let function = self.module.function(name);
        let function = function.ok_or_else(|| malformed(operation, format!("there is no function {name}")))?;
        let body = self.function(function)?;
        let program = &body.program;
        let comparison = program.eqns.last().filter(|eqn| program.outvars == [eqn.outputs[0].into()]);
        let operands: Vec<Atom> = program.invars.iter().take(2).map(|&v| v.into()).collect();
        match comparison.map(|eqn| (&eqn.op, eqn.inputs == operands)) {
            Some((Op::Compare(Compare::Gt), true)) => Ok(true),
            Some((Op::Compare(Compare::Lt), true)) => Ok(false),
            _ => Err(unsupported(operation, "a comparator other than LT or GT of the values")),
        }
    }
}

/// The elements at `positions` (i32, in bounds) along the last axis.
fn take_along_last_axis(b: &mut rjax_ir::Builder, x: Atom, positions: Atom) -> Atom {
    let rank = b.shape(x).rank();
    let others: Vec<usize> = (0..rank - 1).collect();
    debug_assert_eq!(b.dtype(positions), DType::I32);
    let indices = b.expand_dims(positions, rank);
    let gather = Gather {
        offset_dims: vec![],
        collapsed_slice_dims: vec![rank - 1],
        operand_batching_dims: others.clone(),
        start_indices_batching_dims: others,
        start_index_map: vec![rank - 1],
        slice_sizes: vec![1; rank],
        mode: IndexMode::PromiseInBounds,
        fill_value: None,
        unique_indices: true,
        indices_are_sorted: false,
    };
    b.emit1(Op::Gather(gather), &[x, indices])
}
