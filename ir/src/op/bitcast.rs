//! `bitcast_convert_type`: the same bits as another type.

use crate::{Aval, DType, Result, Tensor, check, ensure};

const NAME: &str = "bitcast_convert_type";

pub(crate) fn infer(dtype: DType, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    ensure!(
        !x.dtype.is_complex() && !dtype.is_complex() && (x.dtype == DType::Bool) == (dtype == DType::Bool),
        DType,
        "{NAME}: bool converts only to bool and complex types not at all, found {x} to {dtype}"
    );
    let whole = |dtype: DType| dtype.narrow().is_none_or(|narrow| narrow.bits() == 8);
    ensure!(
        whole(x.dtype) && whole(dtype),
        DType,
        "{NAME}: types of fewer than 8 bits are not accepted, found {x} to {dtype}"
    );
    let (from, to) = (x.dtype.size(), dtype.size());
    if from == to {
        return Ok(vec![x.with_dtype(dtype)]);
    }
    if from > to {
        return Ok(vec![Aval::new(dtype, x.shape.with_axis(x.rank(), from / to))]);
    }
    let ratio = to / from;
    ensure!(
        x.shape.last() == Some(&ratio),
        Shape,
        "{NAME}: the last axis must have extent {ratio} for {} to become {dtype}, found {x}",
        x.dtype
    );
    Ok(vec![Aval::new(dtype, &x.shape[..x.rank() - 1])])
}

/// Wide elements are made of narrow ones, the least significant first.
pub(crate) fn eval(dtype: DType, x: &Tensor, output: &Aval) -> Tensor {
    let mut bytes = x.to_bytes();
    if cfg!(target_endian = "big") {
        bytes.chunks_mut(x.dtype().size()).for_each(<[u8]>::reverse);
        bytes.chunks_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
    Tensor::from_bytes(output, &bytes)
}
