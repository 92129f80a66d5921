//! The error function and its relatives.
//!
//! `erf` of `f32` is the rational function that Eigen and XLA use: 5 ulp. `erf` and `erfc` of `f64` are the rational functions of
//! Cephes, the exponential of the square taken apart so that its error does not grow: 5 ulp. The inverse is the
//! interpreter's (Giles' polynomials).

use rjax_ir::{Atom, Binary, Compare, Op, Scalar, Unary, math};

use super::Math;

/// x P(x²) / Q(x²), beyond ±4 the value there.
pub(super) fn erf_f32(m: &mut Math, x: Atom) -> Atom {
    const P: [f64; 7] = [
        -2.72614225801306e-10,
        2.77068142495902e-08,
        -2.10102402082508e-06,
        -5.69250639462346e-05,
        -7.34990630326855e-04,
        -2.95459980854025e-03,
        -1.60960333262415e-02,
    ];
    const Q: [f64; 5] = [
        -1.45660718464996e-05,
        -2.13374055278905e-04,
        -1.68282697438203e-03,
        -7.37332916720468e-03,
        -1.42647390514189e-02,
    ];
    let (low, high) = (Scalar::new(-4f32), Scalar::new(4f32));
    let limited = m.b.emit1(Op::Clamp, &[low.into(), x, high.into()]);
    let square = m.mul(limited, limited);
    let (p, q) = (m.polynomial(square, &P), m.polynomial(square, &Q));
    let numerator = m.mul(limited, p);
    m.div(numerator, q)
}

const NEAR_P: [f64; 5] = [
    9.60497373987051638749E0,
    9.00260197203842689217E1,
    2.23200534594684319226E3,
    7.00332514112805075473E3,
    5.55923013010394962768E4,
];
const NEAR_Q: [f64; 6] = [
    1.0,
    3.35617141647503099647E1,
    5.21357949780152679795E2,
    4.59432382970980127987E3,
    2.26290000613890934246E4,
    4.92673942608635921086E4,
];
const MIDDLE_P: [f64; 9] = [
    2.46196981473530512524E-10,
    5.64189564831068821977E-1,
    7.46321056442269912687E0,
    4.86371970985681366614E1,
    1.96520832956077098242E2,
    5.26445194995477358631E2,
    9.34528527171957607540E2,
    1.02755188689515710272E3,
    5.57535335369399327526E2,
];
const MIDDLE_Q: [f64; 9] = [
    1.0,
    1.32281951154744992508E1,
    8.67072140885989742329E1,
    3.54937778887819891062E2,
    9.75708501743205489753E2,
    1.82390916687909736289E3,
    2.24633760818710981792E3,
    1.65666309194161350182E3,
    5.57535340817727675546E2,
];
const FAR_P: [f64; 6] = [
    5.64189583547755073984E-1,
    1.27536670759978104416E0,
    5.01905042251180477414E0,
    6.16021097993053585195E0,
    7.40974269950448939160E0,
    2.97886665372100240670E0,
];
const FAR_Q: [f64; 7] = [
    1.0,
    2.26052863220117276590E0,
    9.39603524938001434673E0,
    1.20489539808096656605E1,
    1.70814450747565897222E1,
    9.60896809063285878198E0,
    3.36907645100081516050E0,
];

/// erf within ±1.
fn near(m: &mut Math, x: Atom) -> Atom {
    let square = m.mul(x, x);
    let (p, q) = (m.polynomial(square, &NEAR_P), m.polynomial(square, &NEAR_Q));
    let numerator = m.mul(x, p);
    m.div(numerator, q)
}

/// erfc of magnitudes from 1 on.
fn tail(m: &mut Math, a: Atom) -> Atom {
    let (p, q) = (m.polynomial(a, &MIDDLE_P), m.polynomial(a, &MIDDLE_Q));
    let middle = m.div(p, q);
    let (p, q) = (m.polynomial(a, &FAR_P), m.polynomial(a, &FAR_Q));
    let far = m.div(p, q);
    let is_far = m.cmpn(Compare::Ge, a, 8.0);
    let factor = m.sel(is_far, far, middle);
    // exp(-a²) = exp(-h²) exp((h - a)(h + a)) with h so short that its square is exact.
    let short = m.b.emit1(Op::ReducePrecision { exponent_bits: 11, mantissa_bits: 20 }, &[a]);
    let square = m.mul(short, short);
    let minus = m.un(Unary::Neg, square);
    let (difference, sum) = (m.sub(short, a), m.add(short, a));
    let rest = m.mul(difference, sum);
    let (first, second) = (m.un(Unary::Exp, minus), m.un(Unary::Exp, rest));
    let power = m.mul(first, second);
    let value = m.mul(power, factor);
    let vanished = m.cmpn(Compare::Gt, a, 27.5);
    m.seln(vanished, 0.0, value)
}

pub(super) fn erf(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let inner = near(m, x);
    let tail = tail(m, a);
    let magnitude = m.rsub(1.0, tail);
    let outer = m.copysign(magnitude, x);
    let is_outer = m.cmpn(Compare::Gt, a, 1.0);
    m.sel(is_outer, outer, inner)
}

pub(super) fn erfc(m: &mut Math, x: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let inner = near(m, x);
    let inner = m.rsub(1.0, inner);
    let right = tail(m, a);
    let left = m.rsub(2.0, right);
    let is_left = m.cmpn(Compare::Lt, x, 0.0);
    let outer = m.sel(is_left, left, right);
    let is_outer = m.cmpn(Compare::Gt, a, 1.0);
    m.sel(is_outer, outer, inner)
}

/// ±1 give infinities, which a polynomial does not.
fn at_ends(m: &mut Math, x: Atom, inside: Atom) -> Atom {
    let a = m.un(Unary::Abs, x);
    let end = m.cmpn(Compare::Eq, a, 1.0);
    let infinite = m.muln(x, f64::INFINITY);
    m.sel(end, infinite, inside)
}

pub(super) fn erf_inv_f32(m: &mut Math, x: Atom) -> Atom {
    let minus = m.un(Unary::Neg, x);
    let square = m.mul(x, minus);
    let log = m.un(Unary::Log1p, square);
    let w = m.un(Unary::Neg, log);
    let central = m.cmpn(Compare::Lt, w, 5.0);
    let near = m.addn(w, -2.5);
    let root = m.un(Unary::Sqrt, w);
    let far = m.addn(root, -3.0);
    let w = m.sel(central, near, far);
    let tables = math::erf_inv_f32_coefficients();
    let mut p = None;
    for (&centre, &tail) in tables[0].iter().zip(&tables[1]) {
        let (centre, tail) = (m.num(centre as f64), m.num(tail as f64));
        let c = m.sel(central, centre, tail);
        p = Some(match p {
            None => c,
            Some(p) => {
                let product = m.mul(p, w);
                m.add(product, c)
            }
        });
    }
    let inside = m.mul(p.expect("nine coefficients"), x);
    at_ends(m, x, inside)
}

pub(super) fn erf_inv(m: &mut Math, x: Atom) -> Atom {
    // -log(1 - x²); above one half 1 - |x| is exact.
    let minus = m.un(Unary::Neg, x);
    let square = m.mul(x, minus);
    let small = m.un(Unary::Log1p, square);
    let (below, above) = (m.rsub(1.0, x), m.addn(x, 1.0));
    let product = m.b.binary(Binary::Mul, below, above);
    let large = m.un(Unary::Log, product);
    let a = m.un(Unary::Abs, x);
    let is_small = m.cmpn(Compare::Lt, a, 0.5);
    let log = m.sel(is_small, small, large);
    let w = m.un(Unary::Neg, log);
    let root = m.un(Unary::Sqrt, w);
    let [centre, middle, tail] = math::erf_inv_f64_coefficients();
    let arguments = [m.addn(w, -3.125), m.addn(root, -3.25), m.addn(root, -5.0)];
    let [centre, middle, tail] =
        [(0, centre), (1, middle), (2, tail)].map(|(i, coefficients)| m.polynomial(arguments[i], coefficients));
    let (in_centre, in_middle) = (m.cmpn(Compare::Lt, w, 6.25), m.cmpn(Compare::Lt, w, 16.0));
    let p = m.sel(in_middle, middle, tail);
    let p = m.sel(in_centre, centre, p);
    let inside = m.mul(p, x);
    at_ends(m, x, inside)
}
