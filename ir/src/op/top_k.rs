//! `top_k`: the greatest elements along the last axis and where they are.

use crate::{Aval, DType, DTypeSet, Result, check, ensure};

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
