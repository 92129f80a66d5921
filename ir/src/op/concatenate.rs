//! `concatenate`: arrays one after the other.

use crate::{Aval, Result, Tensor, check, ensure};

const NAME: &str = "concatenate";

pub(crate) fn infer(axis: usize, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [first, others @ ..] = inputs else {
        crate::bail!(Structure, "{NAME}: expected at least 1 operand, found 0");
    };
    check::axis(NAME, "axis", axis, first.rank(), first)?;
    let mut extent = first.shape[axis] as i128;
    for x in others {
        check::same_dtype(NAME, first, x)?;
        ensure!(
            x.rank() == first.rank() && (0..x.rank()).all(|a| a == axis || x.shape[a] == first.shape[a]),
            Shape,
            "{NAME}: operands may differ in extent only along axis {axis}, found {first} and {x}"
        );
        extent += x.shape[axis] as i128;
    }
    Ok(vec![first.with_shape(first.shape.with_extent(axis, check::extent_from(NAME, extent)?))])
}

pub(crate) fn eval(axis: usize, inputs: &[Tensor], output: &Aval) -> Tensor {
    // Rows are what lies within one index of the axes before the concatenated one.
    let rows: usize = output.shape[..axis].iter().product();
    with_element!(output.dtype, T => {
        let mut values: Vec<T> = Vec::with_capacity(output.size());
        for row in 0..rows {
            for x in inputs {
                let length = x.shape()[axis..].iter().product::<usize>();
                values.extend_from_slice(&x.as_slice::<T>()[row * length..(row + 1) * length]);
            }
        }
        Tensor::from_vec(output.shape.clone(), values)
    })
}
