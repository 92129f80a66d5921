//! `convert_element_type`.

use crate::math::{self, Wide};
use crate::op::ScalarSemantics;
use crate::{Aval, DType, Result, Tensor, check};

const NAME: &str = "convert_element_type";

pub(crate) fn infer(dtype: DType, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    Ok(vec![x.with_dtype(dtype)])
}

/// The elements converted to another dtype; the tensor itself if it has that dtype already.
pub(crate) fn convert(x: &Tensor, dtype: DType) -> Tensor {
    if x.dtype() == dtype {
        return x.clone();
    }
    // One function for each source and one for each target, instead of one for each pair, keeps the crate quick to compile.
    let read = if let DType::Narrow(narrow) = x.dtype() {
        let bytes = x.as_slice::<u8>();
        Box::new(move |i: usize| math::decode(narrow, bytes[i]))
    } else {
        with_element!(x.dtype(), S => reader(x.as_slice::<S>()))
    };
    let positions = 0..x.shape().size();
    if let DType::Narrow(narrow) = dtype {
        let bytes = positions.map(|i| math::encode(narrow, read(i))).collect::<Vec<u8>>();
        return Tensor::from_vec(x.shape().clone(), bytes).stored_as(dtype);
    }
    with_element!(dtype, D => {
        Tensor::from_vec(x.shape().clone(), positions.map(|i| D::narrow(read(i))).collect::<Vec<D>>())
    })
}

fn reader<S: ScalarSemantics>(values: &[S]) -> Box<dyn Fn(usize) -> Wide + '_> {
    Box::new(|i| values[i].widen())
}
