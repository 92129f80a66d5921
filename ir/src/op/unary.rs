//! Elementwise ops of one operand.

use num_complex::Complex;

use crate::math::{modulus, modulus_c64};
use crate::{Aval, Complex64, Complex128, DType, Element, Result, Tensor, Unary, check};

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

impl Unary {
    pub(crate) fn eval_tensor(self, x: &Tensor) -> Tensor {
        let dtype = x.dtype();
        if self.result_dtype(dtype) == dtype {
            return with_element!(dtype, T => x.map(|value: T| self.eval([value])));
        }
        if self == Unary::IsFinite {
            return with_element!(dtype, T => x.map(|value: T| value.to_c128().re.is_finite()));
        }
        if dtype == DType::C64 {
            x.map(|z: Complex64| if self == Unary::Abs { modulus_c64(z) } else { self.part(z) })
        } else {
            x.map(|z: Complex128| if self == Unary::Abs { modulus(z) } else { self.part(z) })
        }
    }

    fn part<T>(self, z: Complex<T>) -> T {
        if self == Unary::Real { z.re } else { z.im }
    }
}
