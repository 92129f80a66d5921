//! `reshape`: the same elements under another shape.

use crate::{Aval, Result, Shape, Tensor, check, ensure};

const NAME: &str = "reshape";

pub(crate) fn infer(shape: &Shape, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    let result = x.with_shape(shape.clone());
    check::addressable(NAME, &result)?;
    ensure!(
        shape.size() == x.size(),
        Shape,
        "{NAME}: {x} has {}, but the shape {shape} needs {}",
        check::count(x.size(), "element"),
        shape.size()
    );
    Ok(vec![result])
}

pub(crate) fn eval(shape: &Shape, x: &Tensor) -> Tensor {
    x.reshape(shape.clone())
}
