//! The error function and the normal distribution.

use rjax_ir::DType;

use super::{float, floats, horner};
use crate::array::{Array, Operand};
use crate::transform::custom_jvp;
use crate::{lax, numpy};

/// The error function. JAX: `scipy.special.erf`.
#[track_caller]
pub fn erf(x: impl Operand) -> Array {
    lax::erf(float("erf", x))
}

/// `1 - erf(x)`, accurate for large x. JAX: `scipy.special.erfc`.
#[track_caller]
pub fn erfc(x: impl Operand) -> Array {
    lax::erfc(float("erfc", x))
}

/// The inverse of the error function. JAX: `scipy.special.erfinv`.
#[track_caller]
pub fn erfinv(x: impl Operand) -> Array {
    lax::erf_inv(float("erfinv", x))
}

/// The distribution function of the standard normal distribution. JAX: `scipy.special.ndtr`.
#[track_caller]
pub fn ndtr(x: impl Operand) -> Array {
    let x = float("ndtr", x);
    let w = &x * std::f64::consts::FRAC_1_SQRT_2;
    let z = lax::abs(&w);
    // Near 0 by erf, in the tails by erfc, which stays accurate there.
    let tails = lax::select(w.gt(0.0), 2.0 - lax::erfc(&z), lax::erfc(&z));
    0.5 * lax::select(z.lt(std::f64::consts::FRAC_1_SQRT_2), 1.0 + lax::erf(&w), tails)
}

/// The logarithm of [`ndtr`], also where that underflows: by an asymptotic series far below 0, as `-ndtr(-x)` far above. JAX:
/// `scipy.special.log_ndtr`.
#[track_caller]
pub fn log_ndtr(x: impl Operand) -> Array {
    fn value(x: &Array) -> Array {
        let (lower, upper) = if x.dtype() == DType::F64 { (-20.0, 8.0) } else { (-10.0, 5.0) };
        let above = x.gt(upper);
        let middle = ndtr(numpy::where_(&above, -x, numpy::maximum(x, lower)));
        let below = series(&numpy::minimum(x, lower));
        numpy::where_(above, -&middle, numpy::where_(x.gt(lower), lax::log(&middle), below))
    }
    /// `-x²/2 - log(-x) - log(2π)/2 + log(1 - 1/x² + 3/x⁴ - 15/x⁶)`.
    fn series(x: &Array) -> Array {
        let square = lax::square(x);
        let scale = -0.5 * &square - lax::log(-x) - 0.5 * (2.0 * std::f64::consts::PI).ln();
        let fourth = &square * &square;
        let sum = 1.0 + 3.0 / &fourth - (1.0 / &square + 15.0 / (&fourth * &square));
        scale + lax::log(sum)
    }
    // The derivative is density over distribution, as one exponential.
    let rule = custom_jvp(value).defjvp(|(x,): &(Array,), (dx,): &(Array,)| {
        let log = value(x);
        let density = -0.5 * lax::square(x) - 0.5 * (2.0 * std::f64::consts::PI).ln();
        let derivative = lax::exp(density - &log);
        (log, dx * derivative)
    });
    rule(&float("log_ndtr", x))
}

/// The inverse of [`ndtr`], by the rational approximations of the Cephes library. JAX: `scipy.special.ndtri`.
#[track_caller]
pub fn ndtri(p: impl Operand) -> Array {
    let rule = custom_jvp(quantile).defjvp(|(p,): &(Array,), (dp,): &(Array,)| {
        let x = quantile(p);
        let density = lax::exp(-0.5 * lax::square(&x)) * (1.0 / (2.0 * std::f64::consts::PI).sqrt());
        let tangent = dp / density;
        (x, tangent)
    });
    rule(&float("ndtri", p))
}

/// Between `exp(-2)` and `1 - exp(-2)`: numerator and denominator in `(p - 1/2)²`.
const CENTRE: ([f64; 5], [f64; 9]) = (
    [
        -5.99633501014107895267e1,
        9.80010754185999661536e1,
        -5.66762857469070293439e1,
        1.39312609387279679503e1,
        -1.23916583867381258016e0,
    ],
    [
        1.0,
        1.95448858338141759834e0,
        4.67627912898881538453e0,
        8.63602421390890590575e1,
        -2.25462687854119370527e2,
        2.00260212380060660359e2,
        -8.20372256168333339912e1,
        1.59056225126211695515e1,
        -1.18331621121330003142e0,
    ],
);

/// For `z = sqrt(-2 log p)` below 8: numerator and denominator in 1/z.
const TAIL: ([f64; 9], [f64; 9]) = (
    [
        4.05544892305962419923e0,
        3.15251094599893866154e1,
        5.71628192246421288162e1,
        4.40805073893200834700e1,
        1.46849561928858024014e1,
        2.18663306850790267539e0,
        -1.40256079171354495875e-1,
        -3.50424626827848203418e-2,
        -8.57456785154685413611e-4,
    ],
    [
        1.0,
        1.57799883256466749731e1,
        4.53907635128879210584e1,
        4.13172038254672030440e1,
        1.50425385692907503408e1,
        2.50464946208309415979e0,
        -1.42182922854787788574e-1,
        -3.80806407691578277194e-2,
        -9.33259480895457427372e-4,
    ],
);

/// For z of 8 and more.
const FAR_TAIL: ([f64; 9], [f64; 9]) = (
    [
        3.23774891776946035970e0,
        6.91522889068984211695e0,
        3.93881025292474443415e0,
        1.33303460815807542389e0,
        2.01485389549179081538e-1,
        1.23716634817820021358e-2,
        3.01581553508235416007e-4,
        2.65806974686737550832e-6,
        6.23974539184983293730e-9,
    ],
    [
        1.0,
        6.02427039364742014255e0,
        3.67983563856160859403e0,
        1.37702099489081330271e0,
        2.16236993594496635890e-1,
        1.34204006088543189037e-2,
        3.28014464682127739104e-4,
        2.89247864745380683936e-6,
        6.79019408009981274425e-9,
    ],
);

fn quantile(p: &Array) -> Array {
    let edge = (-2f64).exp();
    let lower = numpy::where_(p.gt(1.0 - edge), 1.0 - p, p);
    let lower = numpy::where_(lower.eq(0.0), 0.5, &lower);
    let w = &lower - 0.5;
    let square = lax::square(&w);
    let ratio = |(p, q): (&[f64], &[f64]), x: &Array| horner(p, x) / horner(q, x);
    let centre = (&w + &w * &square * ratio((&CENTRE.0, &CENTRE.1), &square)) * -(2.0 * std::f64::consts::PI).sqrt();
    let z = lax::sqrt(-2.0 * lax::log(&lower));
    let first = &z - lax::log(&z) / &z;
    let inverse = 1.0 / &z;
    let far = &first - ratio((&FAR_TAIL.0, &FAR_TAIL.1), &inverse) / &z;
    let near = &first - ratio((&TAIL.0, &TAIL.1), &inverse) / &z;
    let x = numpy::where_(lower.gt(edge), centre, numpy::where_(z.ge(8.0), far, near));
    let x = numpy::where_(p.gt(1.0 - edge), &x, -&x);
    numpy::where_(p.eq(0.0), f64::NEG_INFINITY, numpy::where_(p.eq(1.0), f64::INFINITY, x))
}

/// Owen's T function, by the 13-point quadrature of Patefield and Tandy (2000), method T5. JAX: `scipy.special.owens_t`.
#[track_caller]
pub fn owens_t(h: impl Operand, a: impl Operand) -> Array {
    let [h, a] = floats("owens_t", [h.into_array(), a.into_array()]);
    let (h, size) = (lax::abs(&h), lax::abs(&a));
    let small = size.le(1.0);
    let a1 = lax::select(&small, &size, lax::div(1.0, &size));
    let h1 = lax::select(&small, &h, lax::mul(&size, &h));
    let mut sum = lax::full_like(&h, 0.0);
    for (point, weight) in OWEN {
        let r = lax::square(&a1) * point;
        sum = sum + weight * lax::exp(-0.5 * lax::square(&h1) * (1.0 + &r)) / (1.0 + r);
    }
    let root = std::f64::consts::SQRT_2;
    let value = numpy::where_(h1.eq(0.0), lax::atan(&a1) / (2.0 * std::f64::consts::PI), &a1 * sum);
    let value = numpy::where_(a1.eq(1.0), 0.125 * lax::erfc(-&h1 / root) * lax::erfc(&h1 / root), value);
    // T(h, a) for a > 1 by the value at (ah, 1/a).
    let (near, far) = (&h / root, &size * &h / root);
    let (tail, scaled_tail) = (lax::erfc(&near), lax::erfc(&far));
    let by_erf = 0.25 - 0.25 * lax::erf(&near) * lax::erf(&far) - &value;
    let by_erfc = 0.25 * (&tail + &scaled_tail - &tail * &scaled_tail) - &value;
    let value = numpy::where_(&small, &value, numpy::where_((&size * &h).le(0.67), by_erf, by_erfc));
    numpy::where_(numpy::isnan(&a) | numpy::isnan(&h), f64::NAN, lax::sign(&a) * value)
}

/// Squared nodes and weights.
const OWEN: [(f64, f64); 13] = [
    (0.0035082039676451715, 0.018831438115323503),
    (0.031279042338030754, 0.018567086243977649),
    (0.085266826283219451, 0.018042093461223386),
    (0.16245071730812277, 0.017263829606398753),
    (0.25851196049125435, 0.016243219975989857),
    (0.36807553840697534, 0.014994592034116705),
    (0.48501092905604697, 0.013535474469662088),
    (0.60277514152618577, 0.011886351605820165),
    (0.71477884217753227, 0.010070377242777432),
    (0.81475510988760099, 0.0081130545742299587),
    (0.89711029755948966, 0.0060419009528470239),
    (0.95723808085944262, 0.0038862217010742058),
    (0.99178832974629704, 0.0016793031084546090),
];
