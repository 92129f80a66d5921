//! Reductions over sliding windows.

use crate::eval::Interpreter;
use crate::eval::sum::{self, accumulate};
use crate::eval::window::for_each_window;
use crate::op::reduce;
use crate::{Aval, Program, Reducer, Result, Shape, Tensor, check};

/// A sliding window; every field has one entry for each axis of the operand.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// Extents.
    pub dimensions: Vec<usize>,
    /// Steps.
    pub strides: Vec<usize>,
    /// Low and high padding.
    pub padding: Vec<(i64, i64)>,
    /// Spacing of the operand's elements.
    pub base_dilation: Vec<usize>,
    /// Spacing of the window's elements.
    pub window_dilation: Vec<usize>,
}

pub(crate) fn infer(op: &str, reducer: Reducer, window: &Window, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(op, inputs)?;
    check::dtype(op, reducer.accepts(), x)?;
    Ok(vec![x.with_shape(check::windows(op, window, x)?)])
}

pub(crate) fn infer_general(body: &Program, window: &Window, inputs: &[Aval]) -> Result<Vec<Aval>> {
    const NAME: &str = "reduce_window";
    let (operands, _) = reduce::split_inits(NAME, body, inputs)?;
    let shape = check::windows(NAME, window, &operands[0])?;
    Ok(operands.iter().map(|x| x.with_shape(shape.clone())).collect())
}

pub(crate) fn eval(reducer: Reducer, window: &Window, x: &Tensor, output: &Aval) -> Tensor {
    accumulate(&[x], x.dtype(), x.dtype(), |operands, dtype| {
        with_element!(dtype, T => {
            let values = operands[0].as_slice::<T>();
            let (mut results, mut inside) = (Vec::<T>::with_capacity(output.size()), Vec::new());
            for_each_window(window, x.shape(), &output.shape, &mut |positions| {
                inside.clear();
                inside.extend(positions.iter().map(|&position| values[position]));
                results.push(sum::fold_window(reducer, &inside));
            });
            Tensor::from_vec(output.shape.clone(), results)
        })
    })
}

/// Padding does not take part, as if the initial value were the combiner's identity.
pub(crate) fn eval_general(
    interpreter: &mut Interpreter,
    body: &Program,
    window: &Window,
    inputs: &[Tensor],
    shape: &Shape,
) -> Result<Vec<Tensor>> {
    let (operands, inits) = inputs.split_at(inputs.len() / 2);
    let mut groups = Vec::with_capacity(shape.size());
    for_each_window(window, operands[0].shape(), shape, &mut |positions| groups.push(positions.to_vec()));
    reduce::combine(interpreter, body, operands, inits, shape, groups.into_iter())
}
