//! The inverse error function.
//!
//! Giles' approximation ("Approximating the erfinv function", GPU Computing Gems, 2011): x times a polynomial in w =
//! -log(1 - x²), or in sqrt(w) in the tails. Random normal numbers are made from it, so the f32 form repeats XLA's
//! arithmetic step by step: at most 3 ulp from JAX's numbers, but as far from the truth as those where 1 - x²
//! cancels. The f64 form avoids that cancellation: 5 ulp.

#![allow(clippy::excessive_precision, reason = "the coefficients stand as they were published")]

const F32_CENTRE: [f32; 9] = [
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
];
const F32_TAIL: [f32; 9] = [
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
];

/// The polynomials of `erf_inv` in f32, highest power first: centre and tail.
pub fn erf_inv_f32_coefficients() -> [[f32; 9]; 2] {
    [F32_CENTRE, F32_TAIL]
}

/// The polynomials of `erf_inv` in f64, highest power first: centre, middle and tail.
pub fn erf_inv_f64_coefficients() -> [&'static [f64]; 3] {
    [&F64_CENTRE, &F64_MIDDLE, &F64_TAIL]
}

/// The inverse error function in f32, step by step as XLA.
pub(super) fn erf_inv_f32(x: f32) -> f32 {
    if x.abs() == 1.0 {
        return x * f32::INFINITY;
    }
    let w = -(libm::log1p((x * -x) as f64) as f32);
    let (w, coefficients) = if w < 5.0 { (w - 2.5, F32_CENTRE) } else { (w.sqrt() - 3.0, F32_TAIL) };
    coefficients.into_iter().reduce(|p, c| p * w + c).expect("nine coefficients") * x
}

const F64_CENTRE: [f64; 23] = [
    -3.6444120640178196996e-21,
    -1.685059138182016589e-19,
    1.2858480715256400167e-18,
    1.115787767802518096e-17,
    -1.333171662854620906e-16,
    2.0972767875968561637e-17,
    6.6376381343583238325e-15,
    -4.0545662729752068639e-14,
    -8.1519341976054721522e-14,
    2.6335093153082322977e-12,
    -1.2975133253453532498e-11,
    -5.4154120542946279317e-11,
    1.051212273321532285e-09,
    -4.1126339803469836976e-09,
    -2.9070369957882005086e-08,
    4.2347877827932403518e-07,
    -1.3654692000834678645e-06,
    -1.3882523362786468719e-05,
    0.0001867342080340571352,
    -0.00074070253416626697512,
    -0.0060336708714301490533,
    0.24015818242558961693,
    1.6536545626831027356,
];
const F64_MIDDLE: [f64; 19] = [
    2.2137376921775787049e-09,
    9.0756561938885390979e-08,
    -2.7517406297064545428e-07,
    1.8239629214389227755e-08,
    1.5027403968909827627e-06,
    -4.013867526981545969e-06,
    2.9234449089955446044e-06,
    1.2475304481671778723e-05,
    -4.7318229009055733981e-05,
    6.8284851459573175448e-05,
    2.4031110387097893999e-05,
    -0.0003550375203628474796,
    0.00095328937973738049703,
    -0.0016882755560235047313,
    0.0024914420961078508066,
    -0.0037512085075692412107,
    0.005370914553590063617,
    1.0052589676941592334,
    3.0838856104922207635,
];
const F64_TAIL: [f64; 17] = [
    -2.7109920616438573243e-11,
    -2.5556418169965252055e-10,
    1.5076572693500548083e-09,
    -3.7894654401267369937e-09,
    7.6157012080783393804e-09,
    -1.4960026627149240478e-08,
    2.9147953450901080826e-08,
    -6.7711997758452339498e-08,
    2.2900482228026654717e-07,
    -9.9298272942317002539e-07,
    4.5260625972231537039e-06,
    -1.9681778105531670567e-05,
    7.5995277030017761139e-05,
    -0.00021503011930044477347,
    -0.00013871931833623122026,
    1.0103004648645343977,
    4.8499064014085844221,
];

/// The inverse error function in f64.
pub(super) fn erf_inv_f64(x: f64) -> f64 {
    if x.abs() == 1.0 {
        return x * f64::INFINITY;
    }
    // 1 - x is exact above one half.
    let w = if x.abs() < 0.5 { -libm::log1p(-x * x) } else { -libm::log((1.0 - x) * (1.0 + x)) };
    let polynomial = |w: f64, coefficients: &[f64]| coefficients.iter().fold(0.0, |p, c| p * w + c);
    let p = if w < 6.25 {
        polynomial(w - 3.125, &F64_CENTRE)
    } else if w < 16.0 {
        polynomial(w.sqrt() - 3.25, &F64_MIDDLE)
    } else {
        polynomial(w.sqrt() - 5.0, &F64_TAIL)
    };
    p * x
}
