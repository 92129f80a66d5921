//! A loop that runs while a condition holds.

use std::sync::Arc;

use crate::eval::{Interpreter, Prepared};
use crate::op::scan::check_carry;
use crate::{Aval, DType, Program, Result, Tensor, check};

/// Parameters of `while`: `(cond_consts…, body_consts…, carry…) -> carry…`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct While {
    /// `(cond_consts…, carry…) -> bool[]`.
    pub cond: Arc<Program>,
    /// `(body_consts…, carry…) -> carry…`.
    pub body: Arc<Program>,
    /// How many leading inputs go to the condition only.
    pub cond_nconsts: usize,
    /// How many following inputs go to the body only.
    pub body_nconsts: usize,
}

impl While {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        const NAME: &str = "while";
        let consts = self.cond_nconsts.checked_add(self.body_nconsts).filter(|&consts| consts <= inputs.len());
        let Some(consts) = consts else {
            crate::bail!(
                Structure,
                "{NAME}: expected {} constants of the condition and {} of the body, found {}",
                self.cond_nconsts,
                self.body_nconsts,
                check::count(inputs.len(), "operand")
            );
        };
        let (cond_consts, body_consts) = inputs[..consts].split_at(self.cond_nconsts);
        let carry = &inputs[consts..];
        let condition = check::signature(NAME, "the condition", &self.cond, &[cond_consts, carry].concat())?;
        check::results(NAME, "the condition", &condition, &[Aval::scalar(DType::Bool)])?;
        let after = check::signature(NAME, "the body", &self.body, &[body_consts, carry].concat())?;
        check_carry(NAME, carry, &after)?;
        Ok(after)
    }
}

impl While {
    pub(crate) fn eval(&self, interpreter: &mut Interpreter, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (cond_consts, rest) = inputs.split_at(self.cond_nconsts);
        let (body_consts, carry) = rest.split_at(self.body_nconsts);
        let (cond, body) = (Prepared::new(&self.cond), Prepared::new(&self.body));
        let mut carry = carry.to_vec();
        while interpreter.run(&cond, [cond_consts, &carry].concat())?[0].as_slice::<bool>()[0] {
            let operands = body_consts.iter().cloned().chain(carry).collect();
            carry = interpreter.run(&body, operands)?;
        }
        Ok(carry)
    }
}
