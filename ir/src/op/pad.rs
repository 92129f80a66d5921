//! Padding at the edges and between elements.

use crate::eval::strided::{Positions, copy};
use crate::{Aval, Result, Shape, Tensor, check, ensure};

/// Padding of one axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct PadDim {
    /// Before the first element; negative removes, after interior padding.
    pub low: i64,
    /// After the last element; negative removes.
    pub high: i64,
    /// Between neighbours.
    pub interior: usize,
}

const NAME: &str = "pad";

pub(crate) fn infer(padding: &[PadDim], inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x, value] = check::operands(NAME, inputs)?;
    check::one_per_axis(NAME, "padding", padding.len(), x.rank(), x)?;
    ensure!(
        value.rank() == 0 && value.dtype == x.dtype,
        Shape,
        "{NAME}: the padding value for {x} must be a scalar of its dtype, found {value}"
    );
    let extents = x.shape.iter().zip(padding).map(|(&extent, pad)| {
        let spread = extent as i128 + extent.saturating_sub(1) as i128 * pad.interior as i128;
        check::extent_from(NAME, spread + pad.low as i128 + pad.high as i128)
    });
    Ok(vec![x.with_shape(extents.collect::<Result<Shape>>()?)])
}

pub(crate) fn eval(padding: &[PadDim], x: &Tensor, value: &Tensor, output: &Aval) -> Tensor {
    // Along each axis the elements that stay are a range, and they stand `interior + 1` apart in the result.
    let (mut first, mut count, mut to, mut steps) = (vec![], vec![], vec![], vec![]);
    for (axis, pad) in padding.iter().enumerate() {
        let step = pad.interior as i128 + 1;
        let low = pad.low as i128;
        let begin = if low < 0 { (-low + step - 1) / step } else { 0 };
        let room = output.shape[axis] as i128 - low;
        let end = if room <= 0 { 0 } else { (room + step - 1) / step }.min(x.shape()[axis] as i128);
        if end <= begin {
            return Tensor::full(output.shape.clone(), value.get(0));
        }
        first.push(begin as usize);
        count.push((end - begin) as usize);
        to.push((low + begin * step) as usize);
        steps.push(step as usize);
    }
    with_element!(x.dtype(), T => {
        let mut result = vec![value.as_slice::<T>()[0]; output.size()];
        let from = Positions::of_box(x.shape(), &first, &count, &vec![1; count.len()]);
        copy(&mut result, Positions::of_box(&output.shape, &to, &count, &steps), x.as_slice::<T>(), from);
        Tensor::from_vec(output.shape.clone(), result)
    })
}
