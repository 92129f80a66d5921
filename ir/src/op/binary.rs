//! Elementwise ops of two operands.

use crate::{Aval, Binary, Complex64, Complex128, DType, Result, Tensor, check};

impl Binary {
    /// The dtype of the result for operands of an accepted dtype.
    pub fn result_dtype(self, operand: DType) -> DType {
        match self {
            Binary::Complex => operand.complex().unwrap_or(operand),
            Binary::Add
            | Binary::Sub
            | Binary::Mul
            | Binary::Div
            | Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::Max
            | Binary::Min
            | Binary::And
            | Binary::Or
            | Binary::Xor
            | Binary::ShiftLeft
            | Binary::ShiftRightArithmetic
            | Binary::ShiftRightLogical
            | Binary::NextAfter
            | Binary::Igamma
            | Binary::Igammac
            | Binary::IgammaGradA
            | Binary::Polygamma
            | Binary::Zeta => operand,
        }
    }

    pub(crate) fn infer(self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let [x, y] = check::operands(self.name(), inputs)?;
        check::dtype(self.name(), self.accepts(), x)?;
        check::same_aval(self.name(), x, y)?;
        Ok(vec![x.with_dtype(self.result_dtype(x.dtype))])
    }
}

impl Binary {
    pub(crate) fn eval_tensor(self, x: &Tensor, y: &Tensor) -> Tensor {
        let dtype = x.dtype();
        if self.result_dtype(dtype) == dtype {
            return with_element!(dtype, T => x.zip(y, |x: T, y: T| self.eval([x, y])));
        }
        if dtype == DType::F32 { x.zip(y, Complex64::new) } else { x.zip(y, Complex128::new) }
    }
}
