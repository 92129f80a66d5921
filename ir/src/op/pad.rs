//! Padding at the edges and between elements.

use crate::{Aval, Result, Shape, check, ensure};

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
