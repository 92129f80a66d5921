//! `threefry2x32`: the counter-based random number generator behind `random`.

use crate::{Aval, DType, Result, Tensor, check, ensure, math};

const NAME: &str = "threefry2x32";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [key0, key1, count0, count1] = check::operands(NAME, inputs)?;
    ensure!(key0.dtype == DType::U32, DType, "{NAME}: expected u32, found {key0}");
    for operand in [key1, count0, count1] {
        check::same_aval(NAME, key0, operand)?;
    }
    Ok(vec![key0.clone(), key0.clone()])
}

pub(crate) fn eval(inputs: &[Tensor]) -> Vec<Tensor> {
    let shape = inputs[0].shape();
    let words: Vec<&[u32]> = inputs.iter().map(Tensor::as_slice).collect();
    let blocks = (0..shape.size()).map(|i| math::threefry2x32([words[0][i], words[1][i]], [words[2][i], words[3][i]]));
    let (first, second): (Vec<u32>, Vec<u32>) = blocks.map(|[first, second]| (first, second)).unzip();
    vec![Tensor::from_vec(shape.clone(), first), Tensor::from_vec(shape.clone(), second)]
}
