//! A loop with a fixed number of steps.

use std::sync::Arc;

use crate::eval::{Interpreter, Prepared};
use crate::{Aval, Program, Result, Shape, Tensor, check, ensure};

/// Parameters of `scan`: `(consts…, carry…, xs…) -> (carry…, ys…)`. The xs and ys have a leading axis of extent `length`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// `(consts…, carry…, x…) -> (carry…, y…)`.
    pub body: Arc<Program>,
    /// The number of steps.
    pub length: usize,
    /// From the last x to the first (ys are filled likewise).
    pub reverse: bool,
    /// How many inputs are the same in every step.
    pub num_consts: usize,
    /// How many values are carried.
    pub num_carry: usize,
}

impl Scan {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "scan";
        let heads = self.num_consts.checked_add(self.num_carry).filter(|&heads| heads <= inputs.len());
        let Some(heads) = heads else {
            crate::bail!(
                Structure,
                "{NAME}: expected {} constants and {} carried values, found {}",
                self.num_consts,
                self.num_carry,
                check::count(inputs.len(), "operand")
            );
        };
        let mut body_inputs = inputs[..heads].to_vec();
        for (i, xs) in inputs[heads..].iter().enumerate() {
            ensure!(
                xs.shape.first() == Some(&self.length),
                Shape,
                "{NAME}: scanned operand {i} must have a leading axis of extent {}, found {xs}",
                self.length
            );
            body_inputs.push(xs.with_shape(&xs.shape[1..]));
        }
        let results = check::signature(NAME, "the body", &self.body, &body_inputs)?;
        ensure!(
            results.len() >= self.num_carry,
            Structure,
            "{NAME}: the body returns {}, expected at least the {}",
            check::count(results.len(), "value"),
            check::count(self.num_carry, "carried value")
        );
        let (carry, ys) = results.split_at(self.num_carry);
        check_carry(NAME, &inputs[self.num_consts..heads], carry)?;
        let stacked = ys.iter().map(|y| y.with_shape(y.shape.with_axis(0, self.length)));
        Ok(carry.iter().cloned().chain(stacked).collect())
    }
}

/// A loop's body returns the values it carries with the types they came in with.
pub(crate) fn check_carry(op: &str, before: &[Aval], after: &[Aval]) -> Result<()> {
    ensure!(
        before.len() == after.len(),
        Structure,
        "{op}: the body returns {}, but {} are carried",
        check::count(after.len(), "value"),
        before.len()
    );
    for (i, (before, after)) in before.iter().zip(after).enumerate() {
        ensure!(
            before == after,
            Shape,
            "{op}: carried value {i} must keep its type, but enters as {before} and leaves the body as {after}"
        );
    }
    Ok(())
}

impl Scan {
    pub(crate) fn eval(
        &self,
        interpreter: &mut Interpreter,
        inputs: &[Tensor],
        outputs: &[Aval],
    ) -> Result<Vec<Tensor>> {
        let (consts, rest) = inputs.split_at(self.num_consts);
        let (carry, xs) = rest.split_at(self.num_carry);
        let body = Prepared::new(&self.body);
        let mut carry = carry.to_vec();
        let mut ys: Vec<Vec<Tensor>> = vec![Vec::with_capacity(self.length); outputs.len() - self.num_carry];
        for step in 0..self.length {
            let step = if self.reverse { self.length - 1 - step } else { step };
            let operands = consts.iter().cloned().chain(carry).chain(xs.iter().map(|x| row(x, step))).collect();
            carry = interpreter.run(&body, operands)?;
            for (column, y) in ys.iter_mut().zip(carry.drain(self.num_carry..)) {
                column.push(y);
            }
        }
        let stacked = ys.into_iter().zip(&outputs[self.num_carry..]).map(|(mut column, output)| {
            if self.reverse {
                column.reverse();
            }
            stack(&column, &output.with_shape(&output.shape[1..]))
        });
        Ok(carry.iter().cloned().chain(stacked).collect())
    }
}

/// The element at a position along the first axis.
fn row(x: &Tensor, position: usize) -> Tensor {
    let shape: Shape = x.shape()[1..].into();
    let size = shape.size();
    with_element!(x.dtype(), T => {
        Tensor::from_vec(shape, x.as_slice::<T>()[position * size..(position + 1) * size].to_vec()).stored_as(x.dtype())
    })
}

/// Tensors of one type along a new first axis.
pub(crate) fn stack(rows: &[Tensor], row: &Aval) -> Tensor {
    with_element!(row.dtype, T => {
        let mut values: Vec<T> = Vec::with_capacity(rows.len() * row.size());
        for row in rows {
            values.extend_from_slice(row.as_slice::<T>());
        }
        Tensor::from_vec(row.shape.with_axis(0, rows.len()), values).stored_as(row.dtype)
    })
}
