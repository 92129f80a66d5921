//! The derivative of max and min pooling.

use crate::eval::order::{self, Nan};
use crate::eval::window::for_each_window;
use crate::{Aval, DTypeSet, Result, Tensor, Window, check};

/// Parameters of `select_and_gather_add`: `(tangents, operand) -> y`. Each window yields the tangent at the position where the
/// operand is greatest (or least); the first NaN wins, ties go to the first position; padding is never selected unless the window holds nothing else.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SelectAndGatherAdd {
    /// Greatest, else least.
    pub largest: bool,
    /// The window.
    pub window: Window,
}

impl SelectAndGatherAdd {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "select_and_gather_add";
        let [tangents, operand] = check::operands(NAME, inputs)?;
        check::dtype(NAME, DTypeSet::REAL, tangents)?;
        check::same_aval(NAME, tangents, operand)?;
        Ok(vec![operand.with_shape(check::windows(NAME, &self.window, operand)?)])
    }
}

impl SelectAndGatherAdd {
    pub(crate) fn eval(&self, tangents: &Tensor, operand: &Tensor, output: &Aval) -> Tensor {
        let ranks = order::ranks(operand, Nan::winning(self.largest));
        with_element!(tangents.dtype(), T => {
            let source = tangents.as_slice::<T>();
            let mut values: Vec<T> = Vec::with_capacity(output.size());
            for_each_window(&self.window, operand.shape(), &output.shape, &mut |positions| {
                let selected = order::extreme(&ranks, positions.iter().copied(), self.largest);
                values.push(selected.map_or(T::default(), |position| source[position]));
            });
            Tensor::from_vec(output.shape.clone(), values)
        })
    }
}
