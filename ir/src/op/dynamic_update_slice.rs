//! `dynamic_update_slice`: an array with a window at a computed position replaced.

use crate::eval::strided::Positions;
use crate::op::dynamic_slice;
use crate::{Aval, Result, Tensor, check, ensure};

const NAME: &str = "dynamic_update_slice";

pub(crate) fn infer(inputs: &[Aval]) -> Result<Vec<Aval>> {
    let [x, update, starts @ ..] = inputs else {
        crate::bail!(
            Structure,
            "{NAME}: expected an operand, an update and start indices, found {}",
            check::count(inputs.len(), "operand")
        );
    };
    check::same_dtype(NAME, x, update)?;
    ensure!(
        x.rank() == update.rank(),
        Shape,
        "{NAME}: the update must have the rank of the operand, found {update} and {x}"
    );
    dynamic_slice::infer_starts(NAME, x, &update.shape, starts)?;
    Ok(vec![x.clone()])
}

pub(crate) fn eval(x: &Tensor, update: &Tensor, starts: &[Tensor]) -> Tensor {
    let starts = dynamic_slice::clamped_starts(x.shape(), update.shape(), starts);
    let to = Positions::of_box(x.shape(), &starts, update.shape(), &vec![1; starts.len()]);
    with_element!(x.dtype(), T => {
        let mut values = x.to_vec::<T>();
        for (to, &value) in to.zip(update.as_slice::<T>()) {
            values[to] = value;
        }
        Tensor::from_vec(x.shape().clone(), values)
    })
}
