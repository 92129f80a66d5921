//! The transpose of max and min pooling.

use crate::eval::order::{self, Nan};
use crate::eval::sum::accumulate;
use crate::eval::window::for_each_window;
use crate::{Aval, Binary, DTypeSet, Result, Tensor, Window, check, ensure};

/// Parameters of `select_and_scatter_add`: `(source, operand) -> y` of the operand's shape. Each source element is added at the
/// position of its window where the operand is greatest (or least); the first NaN wins, ties go to the first position,
/// and windows of padding alone drop their element.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SelectAndScatterAdd {
    /// Greatest, else least.
    pub largest: bool,
    /// Window extents.
    pub dimensions: Vec<usize>,
    /// Window steps.
    pub strides: Vec<usize>,
    /// Low and high padding.
    pub padding: Vec<(i64, i64)>,
}

impl SelectAndScatterAdd {
    /// The window, which has no dilation.
    pub fn window(&self) -> Window {
        Window {
            dimensions: self.dimensions.clone(),
            strides: self.strides.clone(),
            padding: self.padding.clone(),
            base_dilation: vec![1; self.dimensions.len()],
            window_dilation: vec![1; self.dimensions.len()],
        }
    }

    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "select_and_scatter_add";
        let [source, operand] = check::operands(NAME, inputs)?;
        check::dtype(NAME, DTypeSet::REAL, source)?;
        check::same_dtype(NAME, source, operand)?;
        let windows = check::windows(NAME, &self.window(), operand)?;
        ensure!(
            source.shape == windows,
            Shape,
            "{NAME}: the source must have one element for each window, shape {windows}, found {source}"
        );
        Ok(vec![operand.clone()])
    }
}

impl SelectAndScatterAdd {
    pub(crate) fn eval(&self, source: &Tensor, operand: &Tensor) -> Tensor {
        let ranks = order::ranks(operand, Nan::winning(self.largest));
        accumulate(&[source], source.dtype(), source.dtype(), |operands, dtype| {
            with_element!(dtype, T => {
                let mut values = vec![T::default(); operand.shape().size()];
                let mut source = operands[0].as_slice::<T>().iter();
                for_each_window(&self.window(), operand.shape(), operands[0].shape(), &mut |positions| {
                    let value = *source.next().expect("verified: one element for each window");
                    if let Some(selected) = order::extreme(&ranks, positions.iter().copied(), self.largest) {
                        values[selected] = Binary::Add.eval([values[selected], value]);
                    }
                });
                Tensor::from_vec(operand.shape().clone(), values)
            })
        })
    }
}
