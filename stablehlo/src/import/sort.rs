//! Sorting with a comparator region.
//!
//! The op sorts ascending by its first operands in a fixed order of values. A comparator is any program, so what it does is found by
//! asking it: it is evaluated on a few pairs of scalars for each operand. That tells which operands are keys, in which
//! direction, and whether the order of special values is the op's.

use rjax_ir::eval::eval;
use rjax_ir::{Atom, Aval, DType, Op, Program, Result, Scalar, Shape, Sort, Tensor};

use super::{Importer, malformed, unsupported};
use crate::mlir::Operation;

/// How one key is ordered.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Ascending,
    Descending,
}

/// The verdict of a comparator on one pair: all operands other than those given are equal zeros.
fn less(comparator: &Program, operands: &[(usize, f64, f64)]) -> Option<bool> {
    let avals = comparator.in_avals();
    let mut inputs: Vec<Tensor> = avals.iter().map(|aval| Scalar::zero(aval.dtype).to_tensor()).collect();
    for &(operand, lhs, rhs) in operands {
        inputs[2 * operand] = Scalar::from_f64(avals[2 * operand].dtype, lhs).to_tensor();
        inputs[2 * operand + 1] = Scalar::from_f64(avals[2 * operand].dtype, rhs).to_tensor();
    }
    let outputs = eval(comparator, &inputs).ok()?;
    outputs.first()?.as_slice::<bool>().first().copied()
}

fn direction(comparator: &Program, operand: usize) -> Option<Option<Direction>> {
    let up = less(comparator, &[(operand, 0.0, 1.0)])?;
    let down = less(comparator, &[(operand, 1.0, 0.0)])?;
    match (up, down) {
        (true, false) => Some(Some(Direction::Ascending)),
        (false, true) => Some(Some(Direction::Descending)),
        (false, false) => Some(None),
        (true, true) => None,
    }
}

/// The keys of a comparator, foremost first, with their directions; `None` if it is not lexicographic.
fn keys(comparator: &Program, operands: usize) -> Option<Vec<(usize, Direction)>> {
    let mut keys = vec![];
    for operand in 0..operands {
        if let Some(direction) = direction(comparator, operand)? {
            keys.push((operand, direction));
        }
    }
    let pair = |direction: Direction| if direction == Direction::Ascending { (0.0, 1.0) } else { (1.0, 0.0) };
    // The key that decides against another is the more important one.
    let decides = |a: &(usize, Direction), b: &(usize, Direction)| {
        let ((x, y), (u, v)) = (pair(a.1), pair(b.1));
        less(comparator, &[(a.0, x, y), (b.0, v, u)])
    };
    for i in 0..keys.len() {
        for j in i + 1..keys.len() {
            if !decides(&keys[i], &keys[j])? {
                keys.swap(i, j);
            }
        }
    }
    Some(keys)
}

/// Whether evaluation ends, and soon: there are no loops, and all values have rank 0.
fn is_scalar_code(program: &Program) -> bool {
    program.avals.iter().all(|aval| aval.rank() == 0)
        && program.eqns.iter().all(|eqn| {
            !matches!(eqn.op, Op::While(_) | Op::Scan(_)) && eqn.op.subprograms().into_iter().all(|p| is_scalar_code(p))
        })
}

impl Importer<'_> {
    pub(super) fn sort(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let comparator = self.closed_region(operation, 0)?;
        let inputs = self.values(&operation.operands)?;
        let avals: Vec<Aval> = inputs.iter().map(|&x| self.aval(x)).collect();
        let rank = avals.first().map_or(0, Aval::rank);
        let axis = operation.int("dimension").unwrap_or(-1);
        let from_start = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        let Some(axis) = from_start.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank) else {
            return Err(malformed(operation, format!("dimension {axis} of operands of rank {rank}")));
        };
        let pairs = avals.iter().flat_map(|aval| [aval.dtype; 2]).map(|dtype| Aval::new(dtype, Shape::scalar()));
        let verdict = [Aval::new(DType::Bool, Shape::scalar())];
        if comparator.in_avals() != pairs.collect::<Vec<_>>() || comparator.out_avals() != verdict {
            return Err(malformed(operation, "expected a comparator of two scalars for each operand".into()));
        }
        if !is_scalar_code(&comparator) {
            return Err(unsupported(operation, "a comparator with loops or arrays"));
        }
        let Some(keys) = keys(&comparator, inputs.len()) else {
            return Err(unsupported(operation, "a comparator that is not lexicographic"));
        };
        let stable = operation.flag("is_stable")?;
        let descending = keys.iter().any(|key| key.1 == Direction::Descending);
        if descending && keys.iter().any(|key| key.1 == Direction::Ascending) {
            return Err(unsupported(operation, "a comparator with ascending and descending keys"));
        }
        if keys.is_empty() {
            return Ok(inputs);
        }
        // Keys first, then the rest.
        let mut order: Vec<usize> = keys.iter().map(|key| key.0).collect();
        order.extend((0..inputs.len()).filter(|i| !keys.iter().any(|key| key.0 == *i)));
        let mut sorted: Vec<Atom> = order.iter().map(|&i| inputs[i]).collect();
        // Reversing before and after an ascending stable sort is a descending stable sort.
        if descending {
            sorted = sorted.into_iter().map(|x| self.builder().reverse(x, &[axis])).collect();
        }
        let op = Op::Sort(Sort { axis, stable, num_keys: keys.len() });
        sorted = self.builder().try_emit(op, &sorted)?;
        if descending {
            sorted = sorted.into_iter().map(|x| self.builder().reverse(x, &[axis])).collect();
        }
        let mut outputs = sorted.clone();
        for (position, &operand) in order.iter().enumerate() {
            outputs[operand] = sorted[position];
        }
        Ok(outputs)
    }
}
