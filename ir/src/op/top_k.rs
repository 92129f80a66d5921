//! `top_k`: the greatest elements along the last axis and where they are.

use crate::eval::strided;
use crate::{Aval, DType, DTypeSet, Result, Tensor, check, ensure, math};

const NAME: &str = "top_k";

pub(crate) fn infer(k: usize, inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x] = check::operands(NAME, inputs)?;
    check::dtype(NAME, DTypeSet::ORDERED, x)?;
    let Some(&extent) = x.shape.last() else {
        crate::bail!(Shape, "{NAME}: the operand must have at least 1 axis, found {x}");
    };
    ensure!(k <= extent, Parameter, "{NAME}: k must be at most the extent of the last axis, found k = {k} and {x}");
    let shape = x.shape.with_extent(x.rank() - 1, k);
    Ok(vec![x.with_shape(shape.clone()), Aval::new(DType::I32, shape)])
}

pub(crate) fn eval(k: usize, x: &Tensor) -> Vec<Tensor> {
    let last = x.shape().rank() - 1;
    let length = x.shape()[last];
    let mut positions: Vec<usize> = (0..x.shape().size()).collect();
    let mut chosen = Vec::new();
    for lane in positions.chunks_exact_mut(length.max(1)) {
        with_element!(x.dtype(), T => {
            let elements = x.as_slice::<T>();
            lane.sort_by(|&a, &b| math::total_compare(elements[b], elements[a]));
        });
        chosen.extend_from_slice(&lane[..k]);
    }
    let shape = x.shape().with_extent(last, k);
    let values = strided::pick(x, &shape, chosen.iter().copied());
    let indices = chosen.iter().map(|position| (position % length) as i32).collect();
    vec![values, Tensor::from_vec::<i32>(shape, indices)]
}
