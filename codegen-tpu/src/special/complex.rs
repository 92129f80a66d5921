//! Functions of complex numbers, by their parts in `f64`.

use rjax_ir::{Atom, Binary, Builder, Compare, DType, Unary};

use super::{Math, cosh as real_cosh, sinh as real_sinh};

/// Real and imaginary part.
#[derive(Clone, Copy)]
struct Parts {
    re: Atom,
    im: Atom,
}

/// A unary function of complex numbers.
pub(crate) fn complex(b: &mut Builder, op: Unary, z: Atom) -> Atom {
    let (dtype, shape) = (b.dtype(z), b.shape(z));
    let part = dtype.real();
    let [re, im] = [Unary::Real, Unary::Imag].map(|which| {
        let x = b.unary(which, z);
        b.convert(x, DType::F64)
    });
    let mut m = Math { b, dtype: DType::F64, shape };
    let z = Parts { re, im };
    let result = match op {
        Unary::Exp2 => exp2(&mut m, z),
        Unary::Sinh => sinh(&mut m, z),
        Unary::Cosh => cosh(&mut m, z),
        Unary::Asin => asin(&mut m, z),
        Unary::Acos => acos(&mut m, z),
        Unary::Atan => through_rotation(&mut m, z, atanh),
        Unary::Asinh => through_rotation(&mut m, z, asin),
        Unary::Acosh => acosh(&mut m, z),
        Unary::Atanh => atanh(&mut m, z),
        Unary::Neg
        | Unary::Sign
        | Unary::Abs
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::RoundEven
        | Unary::IsFinite
        | Unary::Not
        | Unary::PopulationCount
        | Unary::Clz
        | Unary::Exp
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
        | Unary::Tanh
        | Unary::Erf
        | Unary::Erfc
        | Unary::ErfInv
        | Unary::Lgamma
        | Unary::Digamma
        | Unary::BesselI0e
        | Unary::BesselI1e
        | Unary::Real
        | Unary::Imag
        | Unary::Conj => unreachable!("{} of complex numbers is not expanded", op.name()),
    };
    let (re, im) = (m.b.convert(result.re, part), m.b.convert(result.im, part));
    m.b.binary(Binary::Complex, re, im)
}

/// -i f(i z).
fn through_rotation(m: &mut Math, z: Parts, f: fn(&mut Math, Parts) -> Parts) -> Parts {
    let minus_im = m.un(Unary::Neg, z.im);
    let w = f(m, Parts { re: minus_im, im: z.re });
    Parts { re: w.im, im: m.un(Unary::Neg, w.re) }
}

fn exp2(m: &mut Math, z: Parts) -> Parts {
    let angle = m.muln(z.im, std::f64::consts::LN_2);
    let (sin, cos) = (m.un(Unary::Sin, angle), m.un(Unary::Cos, angle));
    let two = m.num(2.0);
    let half = m.muln(z.re, 0.5);
    let root = m.pow(two, half);
    let (re, im) = (m.mul(root, cos), m.mul(root, sin));
    let (re, im) = (m.mul(re, root), m.mul(im, root));
    real_where_real(m, z, Parts { re, im })
}

/// Where the imaginary part is zero, so is that of the result; an infinite real part would make it NaN.
fn real_where_real(m: &mut Math, z: Parts, w: Parts) -> Parts {
    let real = m.cmpn(Compare::Eq, z.im, 0.0);
    Parts { re: w.re, im: m.sel(real, z.im, w.im) }
}

/// Neither NaN nor infinite.
fn is_finite(m: &mut Math, x: Atom) -> Atom {
    m.un(Unary::IsFinite, x)
}

/// An infinite real part with an angle that is no number keeps its size.
fn without_angle(m: &mut Math, z: Parts) -> Atom {
    let a = m.un(Unary::Abs, z.re);
    let infinite = m.cmpn(Compare::Eq, a, f64::INFINITY);
    let finite = is_finite(m, z.im);
    let no_angle = m.not(finite);
    m.and(infinite, no_angle)
}

fn sinh(m: &mut Math, z: Parts) -> Parts {
    let (sin, cos) = (m.un(Unary::Sin, z.im), m.un(Unary::Cos, z.im));
    let (sh, ch) = (real_sinh(m, z.re), real_cosh(m, z.re));
    let (re, im) = (m.mul(sh, cos), m.mul(ch, sin));
    let imaginary = m.cmpn(Compare::Eq, z.re, 0.0);
    let unclear = without_angle(m, z);
    let keep = m.or(imaginary, unclear);
    let real = m.cmpn(Compare::Eq, z.im, 0.0);
    let re = m.sel(keep, z.re, re);
    Parts { re: m.sel(real, sh, re), im: m.sel(real, z.im, im) }
}

fn cosh(m: &mut Math, z: Parts) -> Parts {
    let (sin, cos) = (m.un(Unary::Sin, z.im), m.un(Unary::Cos, z.im));
    let (sh, ch) = (real_sinh(m, z.re), real_cosh(m, z.re));
    let (re, im) = (m.mul(ch, cos), m.mul(sh, sin));
    let unclear = without_angle(m, z);
    let re = m.seln(unclear, f64::INFINITY, re);
    let real = m.cmpn(Compare::Eq, z.im, 0.0);
    let one = m.num(1.0);
    let sign = m.copysign(one, z.re);
    let zero = m.mul(z.im, sign);
    let imaginary = m.cmpn(Compare::Eq, z.re, 0.0);
    let finite = is_finite(m, z.im);
    let no_angle = m.not(finite);
    let vanishes = m.and(imaginary, no_angle);
    let im = m.seln(vanishes, 0.0, im);
    Parts { re: m.sel(real, ch, re), im: m.sel(real, zero, im) }
}

/// The principal square root; a zero imaginary part says by its sign on which side of the cut it is.
fn principal_sqrt(m: &mut Math, z: Parts) -> Parts {
    let (ax, ay) = (m.un(Unary::Abs, z.re), m.un(Unary::Abs, z.im));
    let modulus = hypot(m, ax, ay);
    let sum = m.add(ax, modulus);
    let half = m.muln(sum, 0.5);
    let root = m.un(Unary::Sqrt, half);
    let twice = m.muln(root, 2.0);
    let other = m.div(z.im, twice);
    let is_zero = m.cmpn(Compare::Eq, root, 0.0);
    let other = m.sel(is_zero, z.im, other);
    let right = m.cmpn(Compare::Ge, z.re, 0.0);
    let magnitude = m.un(Unary::Abs, other);
    let signed = m.copysign(root, z.im);
    Parts { re: m.sel(right, root, magnitude), im: m.sel(right, other, signed) }
}

/// sqrt(x² + y²) of magnitudes, by the greater one.
fn hypot(m: &mut Math, x: Atom, y: Atom) -> Atom {
    let (large, small) = (m.b.binary(Binary::Max, x, y), m.b.binary(Binary::Min, x, y));
    let ratio = m.div(small, large);
    let square = m.mul(ratio, ratio);
    let sum = m.addn(square, 1.0);
    let root = m.un(Unary::Sqrt, sum);
    let product = m.mul(large, root);
    let plain = m.cmpn(Compare::Eq, small, 0.0);
    let length = m.sel(plain, large, product);
    let (x_infinite, y_infinite) = (m.cmpn(Compare::Eq, x, f64::INFINITY), m.cmpn(Compare::Eq, y, f64::INFINITY));
    let infinite = m.or(x_infinite, y_infinite);
    m.seln(infinite, f64::INFINITY, length)
}

/// Where 1/z² no longer counts beside 1, and what log |2z| is there.
fn huge(m: &mut Math, z: Parts) -> (Atom, Atom) {
    let (ax, ay) = (m.un(Unary::Abs, z.re), m.un(Unary::Abs, z.im));
    let (x_huge, y_huge) = (m.cmpn(Compare::Gt, ax, 1e150), m.cmpn(Compare::Gt, ay, 1e150));
    // A quarter of the modulus does not overflow.
    let (x, y) = (m.muln(ax, 0.25), m.muln(ay, 0.25));
    let length = hypot(m, x, y);
    let log = m.un(Unary::Log, length);
    (m.or(x_huge, y_huge), m.addn(log, 3.0 * std::f64::consts::LN_2))
}

/// sqrt(1 - z) and sqrt(1 + z).
fn roots(m: &mut Math, z: Parts) -> (Parts, Parts) {
    let minus = Parts { re: m.rsub(1.0, z.re), im: m.un(Unary::Neg, z.im) };
    let plus = Parts { re: m.addn(z.re, 1.0), im: z.im };
    (principal_sqrt(m, minus), principal_sqrt(m, plus))
}

/// asinh of a real number, from the functions of the parent.
fn real_asinh(m: &mut Math, x: Atom) -> Atom {
    super::asinh(m, x)
}

fn asin(m: &mut Math, z: Parts) -> Parts {
    let (minus, plus) = roots(m, z);
    let (p, q) = (m.mul(minus.re, plus.re), m.mul(minus.im, plus.im));
    let below = m.sub(p, q);
    let re = m.b.binary(Binary::Atan2, z.re, below);
    let (p, q) = (m.mul(minus.re, plus.im), m.mul(minus.im, plus.re));
    let difference = m.sub(p, q);
    let im = real_asinh(m, difference);
    let (is_huge, log) = huge(m, z);
    let ay = m.un(Unary::Abs, z.im);
    let angle = m.b.binary(Binary::Atan2, z.re, ay);
    let log = m.copysign(log, z.im);
    Parts { re: m.sel(is_huge, angle, re), im: m.sel(is_huge, log, im) }
}

fn acos(m: &mut Math, z: Parts) -> Parts {
    let (minus, plus) = roots(m, z);
    let half = m.b.binary(Binary::Atan2, minus.re, plus.re);
    let re = m.muln(half, 2.0);
    let (p, q) = (m.mul(plus.re, minus.im), m.mul(plus.im, minus.re));
    let difference = m.sub(p, q);
    let im = real_asinh(m, difference);
    let (is_huge, log) = huge(m, z);
    let ay = m.un(Unary::Abs, z.im);
    let angle = m.b.binary(Binary::Atan2, ay, z.re);
    let log = m.copysign(log, z.im);
    let log = m.un(Unary::Neg, log);
    Parts { re: m.sel(is_huge, angle, re), im: m.sel(is_huge, log, im) }
}

/// i acos(z) or -i acos(z), whichever has the positive real part.
fn acosh(m: &mut Math, z: Parts) -> Parts {
    let w = acos(m, z);
    let one = m.num(1.0);
    let sign = m.copysign(one, z.im);
    let minus_im = m.un(Unary::Neg, w.im);
    Parts { re: m.mul(minus_im, sign), im: m.mul(w.re, sign) }
}

fn atanh(m: &mut Math, z: Parts) -> Parts {
    let (a, ay) = (m.un(Unary::Abs, z.re), m.un(Unary::Abs, z.im));
    let (near, far) = (m.rsub(1.0, a), m.addn(a, 1.0));
    let square = m.mul(z.im, z.im);
    let product = m.mul(near, far);
    let (below, twice) = (m.sub(product, square), m.muln(z.im, 2.0));
    let angle = m.b.binary(Binary::Atan2, twice, below);
    let im = m.muln(angle, 0.5);
    let at_one = m.cmpn(Compare::Eq, near, 0.0);
    let real = m.cmpn(Compare::Eq, z.im, 0.0);
    let pole = m.and(at_one, real);
    let im = m.sel(pole, z.im, im);
    // log1p(4a / ((1 - a)² + y²)) / 4
    let near_square = m.mul(near, near);
    let (distance, four) = (m.add(near_square, square), m.muln(a, 4.0));
    let ratio = m.div(four, distance);
    let log = m.un(Unary::Log1p, ratio);
    let general = m.muln(log, 0.25);
    // On the line a = 1 the distance is y², which may vanish.
    let log_y = m.un(Unary::Log, ay);
    let quarter = m.muln(square, 0.25);
    let correction = m.un(Unary::Log1p, quarter);
    let correction = m.muln(correction, 0.5);
    let sum = m.sub(correction, log_y);
    let sum = m.addn(sum, std::f64::consts::LN_2);
    let on_line = m.muln(sum, 0.5);
    let magnitude = m.sel(at_one, on_line, general);
    // Far out 1/z is what remains of the real part.
    let (is_huge, _) = huge(m, z);
    let length = hypot(m, a, ay);
    let cos = m.div(a, length);
    let inverse = m.div(cos, length);
    let infinite = m.cmpn(Compare::Eq, length, f64::INFINITY);
    let inverse = m.seln(infinite, 0.0, inverse);
    let magnitude = m.sel(is_huge, inverse, magnitude);
    let quarter_turn = m.num(std::f64::consts::FRAC_PI_2);
    let quarter_turn = m.copysign(quarter_turn, z.im);
    Parts { re: m.copysign(magnitude, z.re), im: m.sel(is_huge, quarter_turn, im) }
}
