//! Complex numbers.
//!
//! The functions of c128 follow Kahan ("Branch cuts for complex elementary functions", 1987) and Annex G of the C
//! standard: odd and conjugate symmetric, the sign of a zero telling the sides of a cut apart, infinities and NaN as
//! in C. One exception is `sqrt`, which takes the sign of its imaginary part from `im < 0`, as JAX does, so that
//! sqrt(-1-0i) is +i. Each part of a result is accurate to a few ulp of the modulus; `log`, `log1p` and the inverse
//! functions also near |z| = 1 and 0.

use std::cmp::Ordering;
use std::f64::consts::{FRAC_PI_2, LN_2};

use super::real::sort_order;
use crate::math::Wide;
use crate::op::ScalarSemantics;
use crate::{Complex64, Complex128, Element};

const I: Complex128 = Complex128::new(0.0, 1.0);

/// i z, exactly.
fn times_i(z: Complex128) -> Complex128 {
    Complex128::new(-z.im, z.re)
}

/// -i z, exactly.
fn times_minus_i(z: Complex128) -> Complex128 {
    Complex128::new(z.im, -z.re)
}

/// The modulus of c128.
pub(crate) fn modulus(z: Complex128) -> f64 {
    libm::hypot(z.re, z.im)
}

/// The modulus of c64, infinite if a part is: in `f64` the squares are exact and cannot overflow.
pub(crate) fn modulus_c64(z: Complex64) -> f32 {
    let (re, im) = (z.re as f64, z.im as f64);
    if z.re.is_infinite() || z.im.is_infinite() { f32::INFINITY } else { (re * re + im * im).sqrt() as f32 }
}

fn exp(z: Complex128) -> Complex128 {
    if z.im == 0.0 {
        return Complex128::new(libm::exp(z.re), z.im);
    }
    if z.re.is_infinite() && !z.im.is_finite() {
        return if z.re < 0.0 { Complex128::new(0.0, 0.0) } else { Complex128::new(f64::INFINITY, f64::NAN) };
    }
    let (sin, cos) = libm::sincos(z.im);
    // In two halves, since the whole power may overflow where the product does not.
    let half = libm::exp(z.re / 2.0);
    if half < 1e150 {
        let whole = libm::exp(z.re);
        Complex128::new(whole * cos, whole * sin)
    } else {
        Complex128::new(half * cos * half, half * sin * half)
    }
}

fn expm1(z: Complex128) -> Complex128 {
    if z.im == 0.0 {
        return Complex128::new(libm::expm1(z.re), z.im);
    }
    let e = exp(z);
    if z.re.abs() > 1.0 || !z.im.is_finite() {
        return Complex128::new(e.re - 1.0, e.im);
    }
    // e^x cos y - 1 = (e^x - 1) cos y - 2 sin²(y/2)
    let half = libm::sin(z.im / 2.0);
    Complex128::new(libm::expm1(z.re) * libm::cos(z.im) - 2.0 * half * half, e.im)
}

/// The sum of a few terms as if in twice the precision.
fn accurate_sum(terms: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for &term in terms {
        let next: f64 = sum + term;
        let kept = next - sum;
        lost += (sum - (next - kept)) + (term - kept);
        sum = next;
    }
    sum + lost
}

/// x² as a rounded square and its rounding error.
fn square(x: f64) -> [f64; 2] {
    let rounded = x * x;
    [rounded, x.mul_add(x, -rounded)]
}

/// log |z|
fn log_modulus(z: Complex128) -> f64 {
    let r = modulus(z);
    if !(0.5..=2.0).contains(&r) {
        return libm::log(r);
    }
    // |z|² - 1 without cancellation.
    let ([x, dx], [y, dy]) = (square(z.re), square(z.im));
    let (x, dx, y, dy) = if x > y { (x, dx, y, dy) } else { (y, dy, x, dx) };
    libm::log1p(accurate_sum(&[x, -1.0, y, dx, dy])) / 2.0
}

fn argument(z: Complex128) -> f64 {
    libm::atan2(z.im, z.re)
}

fn log(z: Complex128) -> Complex128 {
    Complex128::new(log_modulus(z), argument(z))
}

fn log1p(z: Complex128) -> Complex128 {
    let shifted = Complex128::new(1.0 + z.re, z.im);
    let re = if modulus(z) < 0.5 {
        // |1 + z|² - 1 = 2x + x² + y²
        let ([x, dx], [y, dy]) = (square(z.re), square(z.im));
        libm::log1p(accurate_sum(&[2.0 * z.re, x, y, dx, dy])) / 2.0
    } else {
        log_modulus(shifted)
    };
    Complex128::new(re, argument(shifted))
}

/// The principal square root; a negative zero imaginary part gives the root below the real axis.
fn principal_sqrt(z: Complex128) -> Complex128 {
    let (x, y) = (z.re, z.im);
    if y.is_infinite() {
        return Complex128::new(f64::INFINITY, y);
    }
    if x.is_infinite() {
        // y is finite or NaN.
        let small = if y.is_nan() { y } else { 0f64.copysign(y) };
        return if x > 0.0 {
            Complex128::new(x, small)
        } else {
            Complex128::new(small.abs(), if y.is_nan() { x } else { f64::INFINITY.copysign(y) })
        };
    }
    if x == 0.0 && y == 0.0 {
        return Complex128::new(0.0, y);
    }
    // Scaled by a power of four, so that nothing overflows or becomes subnormal.
    let largest = x.abs().max(y.abs());
    let shift = if largest > 1e300 {
        -4
    } else if largest < 1e-290 {
        108
    } else {
        0
    };
    let (sx, sy) = (libm::scalbn(x, shift), libm::scalbn(y, shift));
    let root = ((sx.abs() + libm::hypot(sx, sy)) / 2.0).sqrt();
    let (root, other) = (libm::scalbn(root, -shift / 2), libm::scalbn(sy / (2.0 * root), -shift / 2));
    if x >= 0.0 { Complex128::new(root, other) } else { Complex128::new(other.abs(), root.copysign(y)) }
}

fn sqrt(z: Complex128) -> Complex128 {
    if z.re < 0.0 && z.im == 0.0 { principal_sqrt(Complex128::new(z.re, 0.0)) } else { principal_sqrt(z) }
}

/// Quotient after Annex G: scaled against overflow, infinities recovered.
fn div(x: Complex128, y: Complex128) -> Complex128 {
    let exponent = |z: Complex128| {
        let largest = z.re.abs().max(z.im.abs());
        if largest == 0.0 || !largest.is_finite() { 0 } else { libm::ilogb(largest) }
    };
    let scale = |z: Complex128, by: i32| Complex128::new(libm::scalbn(z.re, by), libm::scalbn(z.im, by));
    let (ex, ey) = (exponent(x), exponent(y));
    let (n, d) = (scale(x, -ex), scale(y, -ey));
    let norm = d.re * d.re + d.im * d.im;
    let quotient = Complex128::new((n.re * d.re + n.im * d.im) / norm, (n.im * d.re - n.re * d.im) / norm);
    let result = scale(quotient, ex - ey);
    if !(result.re.is_nan() && result.im.is_nan()) {
        return result;
    }
    let unit = |v: f64| if v.is_infinite() { 1f64.copysign(v) } else { 0f64.copysign(v) };
    if norm == 0.0 && (!x.re.is_nan() || !x.im.is_nan()) {
        let infinity = f64::INFINITY.copysign(y.re);
        Complex128::new(infinity * x.re, infinity * x.im)
    } else if (x.re.is_infinite() || x.im.is_infinite()) && y.re.is_finite() && y.im.is_finite() {
        let (a, b) = (unit(x.re), unit(x.im));
        Complex128::new(f64::INFINITY * (a * y.re + b * y.im), f64::INFINITY * (b * y.re - a * y.im))
    } else if (y.re.is_infinite() || y.im.is_infinite()) && x.re.is_finite() && x.im.is_finite() {
        let (c, d) = (unit(y.re), unit(y.im));
        Complex128::new(0.0 * (x.re * c + x.im * d), 0.0 * (x.im * c - x.re * d))
    } else {
        result
    }
}

fn recip(z: Complex128) -> Complex128 {
    div(Complex128::new(1.0, 0.0), z)
}

fn logistic(z: Complex128) -> Complex128 {
    let one = Complex128::new(1.0, 0.0);
    if z.re >= 0.0 {
        recip(one + exp(-z))
    } else {
        let e = exp(z);
        div(e, one + e)
    }
}

fn sinh(z: Complex128) -> Complex128 {
    let (x, y) = (z.re, z.im);
    if y == 0.0 {
        return Complex128::new(libm::sinh(x), y);
    }
    if x == 0.0 {
        return Complex128::new(x, libm::sin(y));
    }
    if x.is_infinite() && !y.is_finite() {
        return Complex128::new(x, f64::NAN);
    }
    let (sin, cos) = libm::sincos(y);
    if x.abs() < 700.0 {
        return Complex128::new(libm::sinh(x) * cos, libm::cosh(x) * sin);
    }
    let half = libm::exp(x.abs() / 2.0);
    Complex128::new((half / 2.0 * cos * half) * 1f64.copysign(x), half / 2.0 * sin * half)
}

fn cosh(z: Complex128) -> Complex128 {
    let (x, y) = (z.re, z.im);
    if y == 0.0 {
        return Complex128::new(libm::cosh(x), if x.is_sign_negative() { -y } else { y });
    }
    if x == 0.0 {
        return Complex128::new(libm::cos(y), if y.is_finite() { x * libm::sin(y) } else { 0.0 });
    }
    if x.is_infinite() && !y.is_finite() {
        return Complex128::new(f64::INFINITY, f64::NAN);
    }
    let (sin, cos) = libm::sincos(y);
    if x.abs() < 700.0 {
        return Complex128::new(libm::cosh(x) * cos, libm::sinh(x) * sin);
    }
    let half = libm::exp(x.abs() / 2.0);
    Complex128::new(half / 2.0 * cos * half, (half / 2.0 * sin * half) * 1f64.copysign(x))
}

/// Kahan's formula: tan y and sinh x, never a difference.
fn tanh(z: Complex128) -> Complex128 {
    let (x, y) = (z.re, z.im);
    if y == 0.0 {
        return Complex128::new(libm::tanh(x), y);
    }
    if !y.is_finite() {
        let (infinite, zero) = (x.is_infinite(), x == 0.0);
        let re = if zero { x } else { 1f64.copysign(x) };
        return Complex128::new(if infinite || zero { re } else { f64::NAN }, if infinite { 0.0 } else { f64::NAN });
    }
    if x.abs() > 22.0 {
        let im = 4.0 * libm::sin(y) * libm::cos(y) * libm::exp(-2.0 * x.abs());
        return Complex128::new(1f64.copysign(x), im);
    }
    let t = libm::tan(y);
    let beta = 1.0 + t * t;
    let s = libm::sinh(x);
    let rho = libm::sqrt(1.0 + s * s);
    let denominator = 1.0 + beta * s * s;
    Complex128::new(beta * rho * s / denominator, t / denominator)
}

/// What the inverse functions share: sqrt(1 - z) and sqrt(1 + z).
fn roots(z: Complex128) -> (Complex128, Complex128) {
    (principal_sqrt(Complex128::new(1.0 - z.re, -z.im)), principal_sqrt(Complex128::new(1.0 + z.re, z.im)))
}

/// Where 1/z² no longer counts beside 1.
fn is_huge(z: Complex128) -> bool {
    z.re.abs() > 1e150 || z.im.abs() > 1e150
}

fn asin(z: Complex128) -> Complex128 {
    if is_huge(z) {
        return Complex128::new(libm::atan2(z.re, z.im.abs()), (log_modulus(z) + LN_2).copysign(z.im));
    }
    let (minus, plus) = roots(z);
    let re = libm::atan2(z.re, minus.re * plus.re - minus.im * plus.im);
    Complex128::new(re, libm::asinh(minus.re * plus.im - minus.im * plus.re))
}

fn acos(z: Complex128) -> Complex128 {
    if is_huge(z) {
        return Complex128::new(libm::atan2(z.im.abs(), z.re), -(log_modulus(z) + LN_2).copysign(z.im));
    }
    let (minus, plus) = roots(z);
    let re = 2.0 * libm::atan2(minus.re, plus.re);
    Complex128::new(re, libm::asinh(plus.re * minus.im - plus.im * minus.re))
}

/// acosh(z) is i acos(z) or -i acos(z), whichever has the positive real part.
fn acosh(z: Complex128) -> Complex128 {
    let w = acos(z);
    if z.im.is_sign_negative() { times_minus_i(w) } else { times_i(w) }
}

fn asinh(z: Complex128) -> Complex128 {
    times_minus_i(asin(times_i(z)))
}

fn atanh(z: Complex128) -> Complex128 {
    let (x, y) = (z.re, z.im);
    if is_huge(z) {
        // 1/z is what remains of the real part.
        return Complex128::new(recip(z).re.copysign(x), FRAC_PI_2.copysign(y));
    }
    let (near, far) = (1.0 - x.abs(), 1.0 + x.abs());
    // At y = 0 beyond 1 the sign of zero is the side of the cut; at the pole itself it is all that remains.
    let im = if near == 0.0 && y == 0.0 { y } else { libm::atan2(2.0 * y, near * far - y * y) / 2.0 };
    let re = if near == 0.0 {
        (LN_2 - libm::log(y.abs()) + libm::log1p(y * y / 4.0) / 2.0) / 2.0
    } else {
        libm::log1p(4.0 * x.abs() / (near * near + y * y)) / 4.0
    };
    Complex128::new(re.copysign(x), im)
}

fn pow(x: Complex128, y: Complex128) -> Complex128 {
    let zero = Complex128::new(0.0, 0.0);
    if y == zero {
        return Complex128::new(1.0, 0.0);
    }
    if x == zero && y.re > 0.0 {
        return zero;
    }
    if x.im == 0.0 && y.im == 0.0 && x.re >= 0.0 {
        return Complex128::new(libm::pow(x.re, y.re), 0.0);
    }
    let l = log(x);
    if y.im == 0.0 {
        // Without the products with a zero, which an infinite logarithm would make NaN.
        return exp(Complex128::new(y.re * l.re, y.re * l.im));
    }
    exp(Complex128::new(y.re * l.re - y.im * l.im, y.re * l.im + y.im * l.re))
}

/// -i log((y + i x) / sqrt(x² + y²)): the angle of the point (y, x) continued to complex coordinates.
fn atan2(x: Complex128, y: Complex128) -> Complex128 {
    if x.im == 0.0 && y.im == 0.0 {
        return Complex128::new(libm::atan2(x.re, y.re), 0.0);
    }
    times_minus_i(log(div(y + I * x, sqrt(x * x + y * y))))
}

fn sign(z: Complex128) -> Complex128 {
    if z.re == 0.0 && z.im == 0.0 {
        return Complex128::new(0.0, 0.0);
    }
    let r = modulus(z);
    Complex128::new(z.re / r, z.im / r)
}

fn exp2(z: Complex128) -> Complex128 {
    if z.im == 0.0 {
        return Complex128::new(libm::exp2(z.re), z.im);
    }
    let (sin, cos) = libm::sincos(z.im * LN_2);
    // In two halves, as in `exp`.
    let half = libm::exp2(z.re / 2.0);
    Complex128::new(half * cos * half, half * sin * half)
}

fn rsqrt(z: Complex128) -> Complex128 {
    recip(sqrt(z))
}

fn tan(z: Complex128) -> Complex128 {
    times_minus_i(tanh(times_i(z)))
}

fn sin(z: Complex128) -> Complex128 {
    times_minus_i(sinh(times_i(z)))
}

fn cos(z: Complex128) -> Complex128 {
    cosh(times_i(z))
}

fn atan(z: Complex128) -> Complex128 {
    times_minus_i(atanh(times_i(z)))
}

/// A function of c128 with its parts rounded to the element type's.
macro_rules! through_c128 {
    ($type:ident unary: $($unary:ident)*; binary: $($binary:ident)*;) => {
        $(fn $unary(self) -> $type {
            $type::narrow(Wide::Complex($unary(self.to_c128())))
        })*
        $(fn $binary(self, y: $type) -> $type {
            $type::narrow(Wide::Complex($binary(self.to_c128(), y.to_c128())))
        })*
    };
}

macro_rules! complex {
    ($($type:ident $part:ident $modulus:ident;)*) => {$(
        impl ScalarSemantics for $type {
            /// The modulus as a complex number; the op `abs` takes the real part.
            fn abs(self) -> $type {
                $type::new($modulus(self), 0.0)
            }
            through_c128! {
                $type
                unary:
                    acos acosh asin asinh atan atanh cos cosh exp exp2 expm1 log log1p logistic rsqrt sign sin sinh sqrt
                    tan tanh;
                binary: atan2 div pow;
            }
            fn neg(self) -> $type {
                -self
            }
            fn conj(self) -> $type {
                $type::new(self.re, -self.im)
            }
            fn add(self, y: $type) -> $type {
                $type::new(self.re + y.re, self.im + y.im)
            }
            fn sub(self, y: $type) -> $type {
                $type::new(self.re - y.re, self.im - y.im)
            }
            fn mul(self, y: $type) -> $type {
                $type::new(self.re * y.re - self.im * y.im, self.re * y.im + self.im * y.re)
            }
            // As JAX: the second operand where a NaN keeps the comparison from holding.
            fn max(self, y: $type) -> $type {
                if self.partial_order(y) == Some(Ordering::Greater) { self } else { y }
            }
            fn min(self, y: $type) -> $type {
                if self.partial_order(y) == Some(Ordering::Less) { self } else { y }
            }
            fn is_finite(self) -> bool {
                self.re.is_finite() && self.im.is_finite()
            }
            fn widen(self) -> Wide {
                Wide::Complex(Complex128::new(self.re as f64, self.im as f64))
            }
            fn narrow(value: Wide) -> $type {
                $type::new($part::narrow(value), value.imaginary() as $part)
            }
            fn partial_order(self, y: $type) -> Option<Ordering> {
                if self.re == y.re { self.im.partial_cmp(&y.im) } else { self.re.partial_cmp(&y.re) }
            }
            fn total_order(self, y: $type) -> Ordering {
                self.re.total_cmp(&y.re).then(self.im.total_cmp(&y.im))
            }
            fn sort_order(self, y: $type) -> Ordering {
                sort_order(self.re as f64, y.re as f64).then(sort_order(self.im as f64, y.im as f64))
            }
        }
    )*};
}

complex! {
    Complex64 f32 modulus_c64;
    Complex128 f64 modulus;
}
