//! `threefry2x32`: the counter-based random number generator behind `random`.

use crate::{Aval, DType, Result, check, ensure};

const NAME: &str = "threefry2x32";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [key0, key1, count0, count1] = check::operands(NAME, inputs)?;
    ensure!(key0.dtype == DType::U32, DType, "{NAME}: expected u32, found {key0}");
    for operand in [key1, count0, count1] {
        check::same_aval(NAME, key0, operand)?;
    }
    Ok(vec![key0.clone(), key0.clone()])
}
