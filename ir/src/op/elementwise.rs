//! What the elementwise ops compute, for each element type.

/// Scalar semantics of the elementwise tables. Each element type implements the methods of the ops that accept it; the
/// others are never called, because the verifier rejects such programs.
pub trait Element: crate::Element {
    /// For ops whose result has another type; the interpreter treats them by themselves.
    fn not_same_type(self, op: &str) -> Self {
        unreachable!("{op} does not return its operand's type")
    }
    /// See the table row.
    fn abs(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn acos(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn acosh(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn asin(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn asinh(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn atan(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn atanh(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn bessel_i0e(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn bessel_i1e(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn cbrt(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn ceil(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn clz(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn conj(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn cos(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn cosh(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn digamma(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn erf(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn erf_inv(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn erfc(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn exp(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn exp2(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn expm1(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn floor(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn lgamma(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn log(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn log1p(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn logistic(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn neg(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn not(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn population_count(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn round_half_away(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn round_half_even(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn rsqrt(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn sign(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn sin(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn sinh(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn sqrt(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn tan(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn tanh(self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn add(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn and(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn atan2(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn div(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn igamma(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn igamma_grad_a(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn igammac(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn max(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn min(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn mul(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn nextafter(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn or(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn polygamma(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn pow(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn rem(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn shift_left(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn shift_right_arithmetic(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn shift_right_logical(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn sub(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn xor(self, _y: Self) -> Self {
        unreachable!("verified")
    }
    /// See the table row.
    fn zeta(self, _y: Self) -> Self {
        unreachable!("verified")
    }
}
