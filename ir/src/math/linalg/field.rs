//! The numbers that matrices are made of: real and complex, single and double precision.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use bytemuck::Pod;

use crate::{Complex64, Complex128, Element};

/// A real or complex number of single or double precision.
pub trait Field:
    Element
    + Pod
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// The type of real and imaginary part.
    type Real: Field<Real = Self::Real, Wide = f64>;
    /// The same kind of number in double precision.
    type Wide: Double;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Not a number, in both parts.
    const NAN: Self;
    /// The complex conjugate; a real number itself.
    fn conj(self) -> Self;
    /// The square root of the real part, as a number without imaginary part.
    fn root(self) -> Self;
    /// Whether the real part is above zero; false for NaN.
    fn is_positive(self) -> bool;
    /// The sum of the absolute values of the parts, by which LAPACK chooses pivots.
    fn size(self) -> Self::Real;
    /// Whether the first size is above the second.
    fn exceeds(size: Self::Real, other: Self::Real) -> bool;
    /// The number in double precision.
    fn widen(self) -> Self::Wide;
    /// The nearest number of this precision.
    fn narrow(wide: Self::Wide) -> Self;
    /// The real number without its imaginary part.
    fn without_imaginary(self) -> Self;
}

/// A number of double precision.
pub trait Double: Field<Wide = Self, Real = f64> {
    /// A number from its parts; a real number drops the second.
    fn from_parts(re: f64, im: f64) -> Self;
    /// The real part.
    fn re(self) -> f64;
    /// The imaginary part.
    fn im(self) -> f64;
    /// The number as a complex one.
    fn complex(self) -> Complex128;
    /// The absolute value.
    fn modulus(self) -> f64 {
        self.re().hypot(self.im())
    }
    /// The product with a real number.
    fn scale(self, factor: f64) -> Self {
        Self::from_parts(self.re() * factor, self.im() * factor)
    }
    /// Whether both parts are finite.
    fn is_finite(self) -> bool {
        self.re().is_finite() && self.im().is_finite()
    }
}

macro_rules! real_field {
    ($T:ty) => {
        impl Field for $T {
            type Real = $T;
            type Wide = f64;
            const ZERO: $T = 0.0;
            const ONE: $T = 1.0;
            const NAN: $T = <$T>::NAN;
            #[inline(always)]
            fn conj(self) -> $T {
                self
            }
            #[inline(always)]
            fn root(self) -> $T {
                self.sqrt()
            }
            #[inline(always)]
            fn is_positive(self) -> bool {
                self > 0.0
            }
            #[inline(always)]
            fn size(self) -> $T {
                self.abs()
            }
            #[inline(always)]
            fn exceeds(size: $T, other: $T) -> bool {
                size > other
            }
            fn widen(self) -> f64 {
                self as f64
            }
            fn narrow(wide: f64) -> $T {
                wide as $T
            }
            #[inline(always)]
            fn without_imaginary(self) -> $T {
                self
            }
        }
    };
}

macro_rules! complex_field {
    ($T:ty, $Part:ty) => {
        impl Field for $T {
            type Real = $Part;
            type Wide = Complex128;
            const ZERO: $T = <$T>::new(0.0, 0.0);
            const ONE: $T = <$T>::new(1.0, 0.0);
            const NAN: $T = <$T>::new(<$Part>::NAN, <$Part>::NAN);
            #[inline(always)]
            fn conj(self) -> $T {
                <$T>::new(self.re, -self.im)
            }
            #[inline(always)]
            fn root(self) -> $T {
                <$T>::new(self.re.sqrt(), 0.0)
            }
            #[inline(always)]
            fn is_positive(self) -> bool {
                self.re > 0.0
            }
            #[inline(always)]
            fn size(self) -> $Part {
                self.re.abs() + self.im.abs()
            }
            #[inline(always)]
            fn exceeds(size: $Part, other: $Part) -> bool {
                size > other
            }
            fn widen(self) -> Complex128 {
                Complex128::new(self.re as f64, self.im as f64)
            }
            fn narrow(wide: Complex128) -> $T {
                <$T>::new(wide.re as $Part, wide.im as $Part)
            }
            #[inline(always)]
            fn without_imaginary(self) -> $T {
                <$T>::new(self.re, 0.0)
            }
        }
    };
}

real_field!(f32);
real_field!(f64);
complex_field!(Complex64, f32);
complex_field!(Complex128, f64);

impl Double for f64 {
    fn from_parts(re: f64, _im: f64) -> f64 {
        re
    }
    fn re(self) -> f64 {
        self
    }
    fn im(self) -> f64 {
        0.0
    }
    fn complex(self) -> Complex128 {
        Complex128::new(self, 0.0)
    }
    fn modulus(self) -> f64 {
        self.abs()
    }
}

impl Double for Complex128 {
    fn from_parts(re: f64, im: f64) -> Complex128 {
        Complex128::new(re, im)
    }
    fn re(self) -> f64 {
        self.re
    }
    fn im(self) -> f64 {
        self.im
    }
    fn complex(self) -> Complex128 {
        self
    }
}
