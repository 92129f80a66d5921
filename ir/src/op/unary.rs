//! Elementwise ops of one operand.

use crate::{Aval, DType, Result, Unary, check};

impl Unary {
    /// The dtype of the result for an operand of an accepted dtype.
    pub fn result_dtype(self, operand: DType) -> DType {
        match self {
            Unary::IsFinite => DType::Bool,
            Unary::Abs | Unary::Real | Unary::Imag => operand.real(),
            Unary::Neg
            | Unary::Sign
            | Unary::Floor
            | Unary::Ceil
            | Unary::Round
            | Unary::RoundEven
            | Unary::Not
            | Unary::PopulationCount
            | Unary::Clz
            | Unary::Exp
            | Unary::Exp2
            | Unary::Expm1
            | Unary::Log
            | Unary::Log1p
            | Unary::Logistic
            | Unary::Sqrt
            | Unary::Rsqrt
            | Unary::Cbrt
            | Unary::Sin
            | Unary::Cos
            | Unary::Tan
            | Unary::Sinh
            | Unary::Cosh
            | Unary::Tanh
            | Unary::Asin
            | Unary::Acos
            | Unary::Atan
            | Unary::Asinh
            | Unary::Acosh
            | Unary::Atanh
            | Unary::Erf
            | Unary::Erfc
            | Unary::ErfInv
            | Unary::Lgamma
            | Unary::Digamma
            | Unary::BesselI0e
            | Unary::BesselI1e
            | Unary::Conj => operand,
        }
    }

    pub(crate) fn infer(self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let [x] = check::operands(self.name(), inputs)?;
        check::dtype(self.name(), self.accepts(), x)?;
        Ok(vec![x.with_dtype(self.result_dtype(x.dtype))])
    }
}
