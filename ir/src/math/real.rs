//! The real floating-point types: f64 by its own functions, the narrower ones through f64.

use std::cmp::Ordering;

use half::{bf16, f16};

use super::{Float, bessel, beta, error_function, format, gamma, incomplete_gamma};
use crate::math::Wide;
use crate::op::ScalarSemantics;

/// NaN last whatever its sign, zeros equal.
pub(super) fn sort_order(x: f64, y: f64) -> Ordering {
    match (x.is_nan(), y.is_nan()) {
        (false, false) => x.partial_cmp(&y).expect("neither is NaN"),
        (a, b) => a.cmp(&b),
    }
}

impl ScalarSemantics for f64 {
    fn neg(self) -> f64 {
        -self
    }
    fn sign(self) -> f64 {
        if self == 0.0 || self.is_nan() { self } else { 1f64.copysign(self) }
    }
    fn abs(self) -> f64 {
        f64::abs(self)
    }
    fn floor(self) -> f64 {
        f64::floor(self)
    }
    fn ceil(self) -> f64 {
        f64::ceil(self)
    }
    fn round_half_away(self) -> f64 {
        f64::round(self)
    }
    fn round_half_even(self) -> f64 {
        f64::round_ties_even(self)
    }
    fn exp(self) -> f64 {
        libm::exp(self)
    }
    fn exp2(self) -> f64 {
        libm::exp2(self)
    }
    fn expm1(self) -> f64 {
        libm::expm1(self)
    }
    fn log(self) -> f64 {
        libm::log(self)
    }
    fn log1p(self) -> f64 {
        libm::log1p(self)
    }
    fn logistic(self) -> f64 {
        // The exponential never overflows: each half has the form that is accurate there.
        let e = libm::exp(-f64::abs(self));
        if self >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
    }
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    fn rsqrt(self) -> f64 {
        1.0 / f64::sqrt(self)
    }
    fn cbrt(self) -> f64 {
        libm::cbrt(self)
    }
    fn sin(self) -> f64 {
        libm::sin(self)
    }
    fn cos(self) -> f64 {
        libm::cos(self)
    }
    fn tan(self) -> f64 {
        libm::tan(self)
    }
    fn sinh(self) -> f64 {
        libm::sinh(self)
    }
    fn cosh(self) -> f64 {
        libm::cosh(self)
    }
    fn tanh(self) -> f64 {
        libm::tanh(self)
    }
    fn asin(self) -> f64 {
        libm::asin(self)
    }
    fn acos(self) -> f64 {
        libm::acos(self)
    }
    fn atan(self) -> f64 {
        libm::atan(self)
    }
    fn asinh(self) -> f64 {
        libm::asinh(self)
    }
    fn acosh(self) -> f64 {
        // Far below 1, libm's function takes the branch for large arguments.
        if self < 1.0 { f64::NAN } else { libm::acosh(self) }
    }
    fn atanh(self) -> f64 {
        libm::atanh(self)
    }
    fn erf(self) -> f64 {
        libm::erf(self)
    }
    fn erfc(self) -> f64 {
        libm::erfc(self)
    }
    fn erf_inv(self) -> f64 {
        error_function::erf_inv_f64(self)
    }
    fn lgamma(self) -> f64 {
        libm::lgamma(self)
    }
    fn digamma(self) -> f64 {
        gamma::digamma(self)
    }
    fn bessel_i0e(self) -> f64 {
        bessel::bessel_i0e(self)
    }
    fn bessel_i1e(self) -> f64 {
        bessel::bessel_i1e(self)
    }
    fn add(self, y: f64) -> f64 {
        self + y
    }
    fn sub(self, y: f64) -> f64 {
        self - y
    }
    fn mul(self, y: f64) -> f64 {
        self * y
    }
    fn div(self, y: f64) -> f64 {
        self / y
    }
    fn rem(self, y: f64) -> f64 {
        self % y
    }
    fn pow(self, y: f64) -> f64 {
        libm::pow(self, y)
    }
    fn atan2(self, y: f64) -> f64 {
        libm::atan2(self, y)
    }
    fn max(self, y: f64) -> f64 {
        if self.is_nan() || y.is_nan() {
            f64::NAN
        } else if self > y || self == y && self.is_sign_positive() {
            self
        } else {
            y
        }
    }
    fn min(self, y: f64) -> f64 {
        if self.is_nan() || y.is_nan() {
            f64::NAN
        } else if self < y || self == y && self.is_sign_negative() {
            self
        } else {
            y
        }
    }
    fn nextafter(self, y: f64) -> f64 {
        format::nextafter(self, y)
    }
    fn igamma(self, y: f64) -> f64 {
        incomplete_gamma::igamma(self, y)
    }
    fn igammac(self, y: f64) -> f64 {
        incomplete_gamma::igammac(self, y)
    }
    fn igamma_grad_a(self, y: f64) -> f64 {
        incomplete_gamma::igamma_grad_a(self, y)
    }
    fn polygamma(self, y: f64) -> f64 {
        gamma::polygamma(self, y)
    }
    fn zeta(self, y: f64) -> f64 {
        gamma::zeta(self, y)
    }
    fn regularized_incomplete_beta(self, b: f64, x: f64) -> f64 {
        beta::regularized_incomplete_beta(self, b, x)
    }
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
    fn reduce_precision(self, exponent_bits: u32, mantissa_bits: u32) -> f64 {
        format::reduce_precision(self, exponent_bits, mantissa_bits)
    }
    fn widen(self) -> Wide {
        Wide::Float(self)
    }
    fn narrow(value: Wide) -> f64 {
        value.to_f64()
    }
    fn partial_order(self, y: f64) -> Option<Ordering> {
        self.partial_cmp(&y)
    }
    fn total_order(self, y: f64) -> Ordering {
        self.total_cmp(&y)
    }
    fn sort_order(self, y: f64) -> Ordering {
        sort_order(self, y)
    }
}

/// A function of f64 rounded to a narrower type. This is correct rounding for `+ - * / sqrt`, since 53 bits are more
/// than twice 24 and two; `rem`, rounding to integers, maximum and minimum are exact in f64 and stay so.
macro_rules! through_f64 {
    ($type:ident unary: $($unary:ident)*; binary: $($binary:ident)*;) => {
        $(fn $unary(self) -> $type {
            <$type as Float>::from_f64(ScalarSemantics::$unary(Float::to_f64(self)))
        })*
        $(fn $binary(self, y: $type) -> $type {
            <$type as Float>::from_f64(ScalarSemantics::$binary(Float::to_f64(self), Float::to_f64(y)))
        })*
    };
}

macro_rules! narrow_float {
    ($($type:ident, erf_inv: $erf_inv:expr;)*) => {$(
        impl ScalarSemantics for $type {
            through_f64! {
                $type
                unary:
                    abs acos acosh asin asinh atan atanh bessel_i0e bessel_i1e cbrt ceil cos cosh digamma erf erfc exp exp2
                    expm1 floor lgamma log log1p logistic neg round_half_away round_half_even rsqrt sign sin sinh sqrt tan
                    tanh;
                binary:
                    add atan2 div igamma igamma_grad_a igammac max min mul polygamma pow rem sub zeta;
            }
            fn erf_inv(self) -> $type {
                $erf_inv(self)
            }
            fn regularized_incomplete_beta(self, b: $type, x: $type) -> $type {
                let [a, b, x] = [self, b, x].map(Float::to_f64);
                <$type as Float>::from_f64(beta::regularized_incomplete_beta(a, b, x))
            }
            fn nextafter(self, y: $type) -> $type {
                format::nextafter(self, y)
            }
            fn is_finite(self) -> bool {
                Float::to_f64(self).is_finite()
            }
            fn reduce_precision(self, exponent_bits: u32, mantissa_bits: u32) -> $type {
                format::reduce_precision(self, exponent_bits, mantissa_bits)
            }
            fn widen(self) -> Wide {
                Wide::Float(Float::to_f64(self))
            }
            fn narrow(value: Wide) -> $type {
                <$type as Float>::from_f64(value.to_f64_for_narrowing())
            }
            fn partial_order(self, y: $type) -> Option<Ordering> {
                self.partial_cmp(&y)
            }
            fn total_order(self, y: $type) -> Ordering {
                self.total_cmp(&y)
            }
            fn sort_order(self, y: $type) -> Ordering {
                sort_order(Float::to_f64(self), Float::to_f64(y))
            }
        }
    )*};
}

narrow_float! {
    f16, erf_inv: |x: f16| <f16 as Float>::from_f64(error_function::erf_inv_f64(Float::to_f64(x)));
    bf16, erf_inv: |x: bf16| <bf16 as Float>::from_f64(error_function::erf_inv_f64(Float::to_f64(x)));
    f32, erf_inv: error_function::erf_inv_f32;
}
