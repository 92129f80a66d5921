//! `select_n`: a choice between arrays, element by element.

use crate::{Aval, DType, Data, Result, Tensor, check, ensure};

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

pub(crate) fn eval(which: &Tensor, cases: &[Tensor]) -> Tensor {
    let last = cases.len() as i32 - 1;
    let choices: Vec<usize> = match which.data() {
        Data::Bool(v) => v.iter().map(|&b| b as usize).collect(),
        Data::I32(v) => v.iter().map(|&i| i.clamp(0, last) as usize).collect(),
        Data::I8(_)
        | Data::I16(_)
        | Data::I64(_)
        | Data::U8(_)
        | Data::U16(_)
        | Data::U32(_)
        | Data::U64(_)
        | Data::F16(_)
        | Data::BF16(_)
        | Data::F32(_)
        | Data::F64(_)
        | Data::C64(_)
        | Data::C128(_) => unreachable!("verified: the selector is bool or i32"),
    };
    let shape = cases[0].shape();
    if which.shape() != shape {
        return cases[choices[0]].clone();
    }
    with_element!(cases[0].dtype(), T => {
        let cases: Vec<&[T]> = cases.iter().map(Tensor::as_slice).collect();
        Tensor::from_vec(shape.clone(), choices.iter().enumerate().map(|(i, &c)| cases[c][i]).collect::<Vec<T>>())
    })
}
