//! `select_n`: a choice between arrays, element by element.

use crate::{Aval, DType, Result, check, ensure};

const NAME: &str = "select_n";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [which, cases @ ..] = inputs else {
        crate::bail!(Structure, "{NAME}: expected a selector and its cases, found no operands");
    };
    let [first, others @ ..] = cases else {
        crate::bail!(Structure, "{NAME}: expected at least 1 case, found 0");
    };
    ensure!(
        matches!(which.dtype, DType::Bool | DType::I32),
        DType,
        "{NAME}: the selector must be bool or i32, found {which}"
    );
    ensure!(
        which.dtype == DType::I32 || cases.len() == 2,
        Structure,
        "{NAME}: a bool selector chooses between 2 cases, found {}",
        cases.len()
    );
    for case in others {
        check::same_aval(NAME, first, case)?;
    }
    ensure!(
        which.rank() == 0 || which.shape == first.shape,
        Shape,
        "{NAME}: the selector must be a scalar or have the shape of the cases, found {which} and {first}"
    );
    Ok(vec![first.clone()])
}
