//! Elementwise ops against correctly rounded references, special values and golden random numbers.
//!
//! `elementwise_values.txt` holds lines `op dtype operand… -> result` in hexadecimal bits (`real:imaginary` for
//! complex), computed with 60 digits by mpmath and rounded once. The tables below say how far from it each op may be.

use rjax_ir::math::{self, Float};
use rjax_ir::op::ScalarSemantics;
use rjax_ir::{Binary, Complex64, Complex128, DType, Element, Unary, bf16, f16, with_element};

/// The largest accepted distance for f64, in units of the last place of the reference; ops that are not listed keep 1
/// ulp. The narrower types keep 1 ulp in all ops.
const F64_ULPS: &[(&str, f64)] = &[
    ("bessel_i0e", 2.0),
    ("bessel_i1e", 4.0),
    // Near a zero of the function: 1e-15 absolute.
    ("digamma", 40.0),
    ("erf_inv", 5.0),
    // The exponential of an exponent of several hundred.
    ("igamma", 1500.0),
    ("igamma_grad_a", 10.0),
    ("igammac", 200.0),
    ("polygamma", 10.0),
    ("regularized_incomplete_beta", 2000.0),
    ("zeta", 10.0),
];

/// The same for each part of c128, in units of the last place of the reference's modulus.
const C128_ULPS: &[(&str, f64)] = &[
    ("exp2", 2.0),
    ("logistic", 3.0),
    // Grows with the exponent of the result, here 4.6.
    ("pow", 40.0),
    ("rsqrt", 2.0),
];

fn lines() -> impl Iterator<Item = (&'static str, DType, Vec<[u64; 2]>, [u64; 2])> {
    include_str!("elementwise_values.txt").lines().map(|line| {
        let mut words = line.split_whitespace();
        let op = words.next().expect("an op");
        let dtype = DType::parse(words.next().expect("a dtype")).expect("a dtype");
        let mut values: Vec<[u64; 2]> = words.filter(|&w| w != "->").map(parse_bits).collect();
        let result = values.pop().expect("a result");
        (op, dtype, values, result)
    })
}

fn parse_bits(word: &str) -> [u64; 2] {
    let mut parts = word.split(':').map(|p| u64::from_str_radix(p, 16).expect("hexadecimal"));
    [parts.next().expect("a part"), parts.next().unwrap_or(0)]
}

fn eval<T: ScalarSemantics>(op: &str, x: &[T]) -> T {
    match *x {
        [x] => Unary::parse(op).expect("a unary op").eval([x]),
        [x, y] => Binary::parse(op).expect("a binary op").eval([x, y]),
        [a, b, x] => a.regularized_incomplete_beta(b, x),
        _ => panic!("{op}: {} operands", x.len()),
    }
}

/// One unit in the last place of a real dtype at `x`.
fn ulp(dtype: DType, x: f64) -> f64 {
    let formats = [(DType::F64, 53, -1074), (DType::F32, 24, -149), (DType::F16, 11, -24), (DType::BF16, 8, -133)];
    let (_, precision, least) = formats.into_iter().find(|f| f.0 == dtype.real()).expect("the others are exact");
    let exponent = if x == 0.0 { least } else { libm::ilogb(x) - precision + 1 };
    libm::scalbn(1.0, std::cmp::max(exponent, least))
}

/// The error of one line in units of the last place, and the line with what was found.
fn error<T: ScalarSemantics>(op: &str, operands: &[[u64; 2]], expected: [u64; 2]) -> (f64, String) {
    let x: Vec<T> = operands.iter().map(|&b| T::from_bits(b)).collect();
    let expected = T::from_bits(expected);
    let found = eval(op, &x);
    let what = format!("{op} {} of {x:?}: {found:?}, expected {expected:?}", T::DTYPE);
    let (found, expected) = (found.to_c128(), expected.to_c128());
    let scale = if T::DTYPE.is_complex() { expected.norm() } else { expected.re };
    let distance = |a: f64, b: f64| {
        let error = if a == b || a.is_nan() && b.is_nan() { 0.0 } else { (a - b).abs() / ulp(T::DTYPE, scale) };
        if error.is_nan() { f64::INFINITY } else { error }
    };
    (distance(found.re, expected.re).max(distance(found.im, expected.im)), what)
}

#[test]
fn values_keep_their_accuracy() {
    for (op, dtype, operands, expected) in lines() {
        // Below zero these follow XLA, not mathematics.
        let is_negative = |&bits: &[u64; 2]| rjax_ir::Scalar::from_bits(dtype, bits).to_f64() < 0.0;
        if matches!(op, "polygamma" | "zeta") && is_negative(&operands[1]) {
            continue;
        }
        let (error, what) = with_element!(dtype, T => error::<T>(op, &operands, expected));
        let listed = if dtype == DType::F64 {
            F64_ULPS
        } else if dtype == DType::C128 {
            C128_ULPS
        } else {
            &[]
        };
        let accepted = listed.iter().find(|(name, _)| *name == op).map_or(1.0, |(_, ulps)| *ulps);
        assert!(error <= accepted, "{what}: {error} ulp off, accepted {accepted}");
    }
}

/// What JAX 0.10.2 computes on a CPU: near -10 it has nothing to do with the function of that name.
#[test]
fn zeta_below_zero_is_that_of_xla() {
    for (s, q, expected) in [
        (2.0, -0.3, 13.945160267805722),
        (2.0, -6.7, 14.940746588762282),
        (2.0, -8.2, 28.422673307271754),
        (2.0, -9.7, -1.0153235551470281e18),
        (2.0, -9.95, -2.9046318936359064e37),
        (2.0, -20.3, -0.04806767017606154),
        (2.0, -1000.3, -0.0009992005563547854),
    ] {
        let found = f64_of("zeta", &[s, q]);
        assert!((found - expected).abs() <= 1e-10 * expected.abs(), "zeta({s}, {q}) = {found}, expected {expected}");
    }
}

fn f64_of(op: &str, x: &[f64]) -> f64 {
    eval(op, x)
}

/// Equal with the sign of zero, or both NaN.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// What each op of one operand gives for -inf, -1, -0, 0, 1, inf and NaN. `X` stands for a value that the accuracy
/// test checks.
#[test]
fn special_values_of_one_operand() {
    use std::f64::consts::{FRAC_PI_2, PI};
    const X: f64 = -12345.0;
    let operands = [-INF, -1.0, -0.0, 0.0, 1.0, INF, NAN];
    let table: &[(&str, [f64; 7])] = &[
        ("neg", [INF, 1.0, 0.0, -0.0, -1.0, -INF, NAN]),
        ("sign", [-1.0, -1.0, -0.0, 0.0, 1.0, 1.0, NAN]),
        ("abs", [INF, 1.0, 0.0, 0.0, 1.0, INF, NAN]),
        ("floor", [-INF, -1.0, -0.0, 0.0, 1.0, INF, NAN]),
        ("ceil", [-INF, -1.0, -0.0, 0.0, 1.0, INF, NAN]),
        ("round", [-INF, -1.0, -0.0, 0.0, 1.0, INF, NAN]),
        ("round_even", [-INF, -1.0, -0.0, 0.0, 1.0, INF, NAN]),
        ("exp", [0.0, X, 1.0, 1.0, X, INF, NAN]),
        ("exp2", [0.0, 0.5, 1.0, 1.0, 2.0, INF, NAN]),
        ("expm1", [-1.0, X, -0.0, 0.0, X, INF, NAN]),
        ("log", [NAN, NAN, -INF, -INF, 0.0, INF, NAN]),
        ("log1p", [NAN, -INF, -0.0, 0.0, X, INF, NAN]),
        ("logistic", [0.0, X, 0.5, 0.5, X, 1.0, NAN]),
        ("sqrt", [NAN, NAN, -0.0, 0.0, 1.0, INF, NAN]),
        ("rsqrt", [NAN, NAN, -INF, INF, 1.0, 0.0, NAN]),
        ("cbrt", [-INF, -1.0, -0.0, 0.0, 1.0, INF, NAN]),
        ("sin", [NAN, X, -0.0, 0.0, X, NAN, NAN]),
        ("cos", [NAN, X, 1.0, 1.0, X, NAN, NAN]),
        ("tan", [NAN, X, -0.0, 0.0, X, NAN, NAN]),
        ("sinh", [-INF, X, -0.0, 0.0, X, INF, NAN]),
        ("cosh", [INF, X, 1.0, 1.0, X, INF, NAN]),
        ("tanh", [-1.0, X, -0.0, 0.0, X, 1.0, NAN]),
        ("asin", [NAN, -FRAC_PI_2, -0.0, 0.0, FRAC_PI_2, NAN, NAN]),
        ("acos", [NAN, PI, FRAC_PI_2, FRAC_PI_2, 0.0, NAN, NAN]),
        ("atan", [-FRAC_PI_2, X, -0.0, 0.0, X, FRAC_PI_2, NAN]),
        ("asinh", [-INF, X, -0.0, 0.0, X, INF, NAN]),
        ("acosh", [NAN, NAN, NAN, NAN, 0.0, INF, NAN]),
        ("atanh", [NAN, -INF, -0.0, 0.0, INF, NAN, NAN]),
        ("erf", [-1.0, X, -0.0, 0.0, X, 1.0, NAN]),
        ("erfc", [2.0, X, 1.0, 1.0, X, 0.0, NAN]),
        ("erf_inv", [NAN, -INF, -0.0, 0.0, INF, NAN, NAN]),
        ("lgamma", [INF, INF, INF, INF, 0.0, INF, NAN]),
        ("digamma", [NAN, NAN, NAN, NAN, X, INF, NAN]),
        ("bessel_i0e", [0.0, X, 1.0, 1.0, X, 0.0, NAN]),
        ("bessel_i1e", [-0.0, X, -0.0, 0.0, X, 0.0, NAN]),
    ];
    let listed: Vec<&str> = table.iter().map(|row| row.0).collect();
    for op in Unary::ALL.iter().filter(|op| op.accepts().contains(DType::F64) && **op != Unary::IsFinite) {
        assert!(listed.contains(&op.name()), "{} has no row of special values", op.name());
    }
    for (op, results) in table {
        for (x, expected) in operands.into_iter().zip(*results) {
            let found = f64_of(op, &[x]);
            assert!(expected == X || same(found, expected), "{op}({x}) = {found}, expected {expected}");
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let narrow = with_element!(dtype, T => {
                    let convert = |v: f64| math::convert::<f64, T>(v);
                    same(eval(op, &[convert(x)]).to_c128().re, convert(expected).to_c128().re)
                });
                assert!(expected == X || narrow, "{op}({x}) in {dtype}, expected {expected}");
            }
        }
    }
}

#[test]
fn special_values_of_two_operands() {
    let least = f64::from_bits(1);
    let table: &[(&str, f64, f64, f64)] = &[
        ("max", -0.0, 0.0, 0.0),
        ("max", 0.0, -0.0, 0.0),
        ("max", -0.0, -0.0, -0.0),
        ("max", NAN, 1.0, NAN),
        ("max", 1.0, NAN, NAN),
        ("max", -INF, 1.0, 1.0),
        ("min", -0.0, 0.0, -0.0),
        ("min", 0.0, -0.0, -0.0),
        ("min", 0.0, 0.0, 0.0),
        ("min", NAN, 1.0, NAN),
        ("min", 1.0, NAN, NAN),
        ("rem", 5.5, -2.0, 1.5),
        ("rem", -5.5, 2.0, -1.5),
        ("rem", -4.0, 2.0, -0.0),
        ("rem", 1.0, 0.0, NAN),
        ("rem", 1.0, INF, 1.0),
        ("rem", INF, 1.0, NAN),
        ("pow", NAN, 0.0, 1.0),
        ("pow", 1.0, NAN, 1.0),
        ("pow", -8.0, 1.0 / 3.0, NAN),
        ("pow", -2.0, 3.0, -8.0),
        ("pow", 0.0, -1.0, INF),
        ("pow", -0.0, -1.0, -INF),
        ("pow", -1.0, INF, 1.0),
        ("atan2", 0.0, -0.0, std::f64::consts::PI),
        ("atan2", -0.0, -0.0, -std::f64::consts::PI),
        ("atan2", -0.0, 0.0, -0.0),
        ("atan2", INF, INF, std::f64::consts::FRAC_PI_4),
        ("atan2", NAN, 1.0, NAN),
        ("nextafter", 0.0, 1.0, least),
        ("nextafter", 0.0, -1.0, -least),
        ("nextafter", least, 0.0, 0.0),
        ("nextafter", -least, 0.0, -0.0),
        ("nextafter", 1.0, 2.0, 1.0 + f64::EPSILON),
        ("nextafter", 1.0, 0.0, 1.0 - f64::EPSILON / 2.0),
        ("nextafter", f64::MAX, INF, INF),
        ("nextafter", INF, 0.0, f64::MAX),
        ("nextafter", 0.0, -0.0, -0.0),
        ("nextafter", NAN, 0.0, NAN),
        ("igamma", 1.0, 0.0, 0.0),
        ("igamma", 1.0, INF, 1.0),
        ("igamma", 0.0, 1.0, NAN),
        ("igamma", 1.0, -1.0, NAN),
        ("igamma", 3.0, 1e5, 1.0),
        ("igammac", 1.0, 0.0, 1.0),
        ("igammac", 1.0, INF, 0.0),
        ("igammac", -1.0, 1.0, NAN),
        ("igammac", 0.0, 0.0, NAN),
        ("igammac", 0.0, 1.0, 0.0),
        ("igammac", NAN, 1.0, NAN),
        ("igamma_grad_a", 1.0, 0.0, -0.0),
        ("igamma_grad_a", -1.0, 1.0, NAN),
        ("polygamma", 0.5, 1.0, NAN),
        ("polygamma", -1.0, 1.0, NAN),
        ("polygamma", 1.0, 0.0, INF),
        ("zeta", 1.0, 2.0, INF),
        ("zeta", 0.5, 2.0, NAN),
        ("zeta", 2.0, 0.0, INF),
        ("zeta", 3.0, -2.0, NAN),
        ("zeta", 2.5, -0.5, NAN),
    ];
    for &(op, x, y, expected) in table {
        let found = f64_of(op, &[x, y]);
        assert!(
            same(found, expected) || op == "igamma_grad_a" && found == expected,
            "{op}({x}, {y}) = {found}, expected {expected}"
        );
    }
    for [a, b, x, expected] in [
        [1.0, 1.0, 0.0, 0.0],
        [1.0, 1.0, 1.0, 1.0],
        [0.0, 1.0, 0.5, 1.0],
        [1.0, 0.0, 0.5, 0.0],
        [0.0, 0.0, 0.5, NAN],
        [1.0, INF, 0.5, 1.0],
        [INF, 1.0, 0.5, 0.0],
        [-1.0, 1.0, 0.5, NAN],
        [1.0, 1.0, 1.5, NAN],
        [1.0, 1.0, NAN, NAN],
    ] {
        let found = a.regularized_incomplete_beta(b, x);
        assert!(same(found, expected), "I_{x}({a}, {b}) = {found}, expected {expected}");
    }
}

#[test]
fn nextafter_walks_through_every_half_precision_value() {
    fn walk<T: ScalarSemantics + Float>(steps: usize) {
        let infinity = <T as Float>::from_f64(f64::INFINITY);
        let mut x = <T as Float>::from_f64(f64::NEG_INFINITY);
        for _ in 0..steps {
            let next = x.nextafter(infinity);
            assert!(next.partial_order(x) == Some(std::cmp::Ordering::Greater), "{x:?} then {next:?}");
            x = next;
        }
        assert_eq!(x, infinity);
    }
    // Two zeros count as one value.
    walk::<f16>(2 * 0x7c00);
    walk::<bf16>(2 * 0x7f80);
}

#[test]
fn integer_arithmetic_is_total_and_wraps() {
    let table: &[(&str, i8, i8, i8)] = &[
        ("add", 127, 1, -128),
        ("sub", -128, 1, 127),
        ("mul", 64, 2, -128),
        ("div", 7, -2, -3),
        ("div", 7, 0, -1),
        ("div", -128, -1, -128),
        ("rem", -7, 2, -1),
        ("rem", 7, 0, 7),
        ("rem", -128, -1, 0),
        ("shift_left", 1, 7, -128),
        ("shift_left", 1, 8, 0),
        ("shift_left", 1, -1, 0),
        ("shift_right_arithmetic", -128, 3, -16),
        ("shift_right_arithmetic", -128, 9, -1),
        ("shift_right_arithmetic", 100, -1, 0),
        ("shift_right_logical", -128, 3, 16),
        ("shift_right_logical", -1, 8, 0),
        ("max", -3, 2, 2),
        ("min", -3, 2, -3),
        ("xor", 5, 3, 6),
    ];
    for &(op, x, y, expected) in table {
        assert_eq!(eval(op, &[x, y]), expected, "{op}({x}, {y})");
    }
    assert_eq!(eval("div", &[7u16, 0]), 65535);
    assert_eq!(eval("rem", &[7u16, 0]), 7);
    assert_eq!(eval("shift_right_arithmetic", &[0x80u8, 3]), 0xf0);
    assert_eq!(eval("abs", &[-128i8]), -128);
    assert_eq!(eval("sign", &[-5i64]), -1);
    assert_eq!(eval("sign", &[5u64]), 1);
    assert_eq!(eval("neg", &[1u32]), u32::MAX);
    assert_eq!(eval("clz", &[0i16]), 16);
    assert_eq!(eval("clz", &[1i64]), 63);
    assert_eq!(eval("population_count", &[-1i32]), 32);
    for (op, [tt, tf, ff]) in
        [("add", [1, 1, 0]), ("mul", [1, 0, 0]), ("max", [1, 1, 0]), ("min", [1, 0, 0]), ("xor", [0, 1, 0])]
    {
        let found = [[true, true], [true, false], [false, false]].map(|x| eval(op, &x) as u8);
        assert_eq!(found, [tt, tf, ff], "{op} of bool");
    }
}

#[test]
fn rounding_breaks_ties_as_named() {
    for (x, away, even) in [(0.5, 1.0, 0.0), (1.5, 2.0, 2.0), (2.5, 3.0, 2.0), (-0.5, -1.0, -0.0), (-2.5, -3.0, -2.0)] {
        assert!(same(f64_of("round", &[x]), away) && same(f64_of("round_even", &[x]), even), "{x}");
    }
    assert_eq!(f64_of("round", &[0.49999999999999994]), 0.0);
}

#[test]
fn complex_branch_cuts_and_special_values() {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_3, FRAC_PI_4, LN_2, PI};
    let z = Complex128::new;
    let table: &[(&str, Complex128, Complex128)] = &[
        ("log", z(-1.0, -0.0), z(0.0, -PI)),
        ("log", z(-1.0, 0.0), z(0.0, PI)),
        ("log", z(0.0, 0.0), z(-INF, 0.0)),
        ("log", z(-INF, INF), z(INF, 3.0 * FRAC_PI_4)),
        ("log1p", z(-2.0, -0.0), z(0.0, -PI)),
        ("log1p", z(1e-200, 1e-200), z(1e-200, 1e-200)),
        ("expm1", z(1e-200, 1e-200), z(1e-200, 1e-200)),
        ("sqrt", z(-1.0, 0.0), z(0.0, 1.0)),
        ("sqrt", z(-1.0, -0.0), z(0.0, 1.0)),
        ("sqrt", z(1e308, 1e308), z(1.09868411346781e154, 4.5508986056222736e153)),
        ("sqrt", z(5e-324, 0.0), z(2.2227587494850775e-162, 0.0)),
        ("sqrt", z(NAN, INF), z(INF, INF)),
        ("exp", z(-INF, NAN), z(0.0, 0.0)),
        ("exp", z(0.0, -0.0), z(1.0, -0.0)),
        ("exp", z(800.0, 0.0), z(INF, 0.0)),
        ("asin", z(2.0, 0.0), z(FRAC_PI_2, 1.3169578969248166)),
        ("asin", z(2.0, -0.0), z(FRAC_PI_2, -1.3169578969248166)),
        ("asin", z(1e200, 1e200), z(FRAC_PI_4, 461.55673936964905)),
        ("acos", z(-2.0, 0.0), z(PI, -1.3169578969248166)),
        ("acos", z(-2.0, -0.0), z(PI, 1.3169578969248166)),
        ("acosh", z(0.5, 0.0), z(0.0, FRAC_PI_3)),
        ("acosh", z(0.5, -0.0), z(0.0, -FRAC_PI_3)),
        ("acosh", z(-2.0, 0.0), z(1.3169578969248166, PI)),
        ("asinh", z(0.0, 2.0), z(1.3169578969248166, FRAC_PI_2)),
        ("asinh", z(-0.0, 2.0), z(-1.3169578969248166, FRAC_PI_2)),
        ("atanh", z(2.0, 0.0), z(0.5493061443340549, FRAC_PI_2)),
        ("atanh", z(2.0, -0.0), z(0.5493061443340549, -FRAC_PI_2)),
        ("atanh", z(1.0, 0.0), z(INF, 0.0)),
        ("atanh", z(1.0, 1e-200), z((LN_2 + 200.0 * std::f64::consts::LN_10) / 2.0, FRAC_PI_4)),
        ("atanh", z(INF, 1.0), z(0.0, FRAC_PI_2)),
        ("atan", z(0.0, 2.0), z(FRAC_PI_2, 0.5493061443340549)),
        ("atan", z(-0.0, 2.0), z(-FRAC_PI_2, 0.5493061443340549)),
        ("tanh", z(INF, 1.0), z(1.0, 0.0)),
        ("tanh", z(-800.0, 1.0), z(-1.0, 0.0)),
        ("sinh", z(710.0, 0.0), z(1.1169973830808557e308, 0.0)),
        ("cosh", z(-710.0, 0.0), z(1.1169973830808557e308, -0.0)),
        ("sinh", z(711.0, FRAC_PI_2), z(1.8592059201379052e+292, INF)),
        ("logistic", z(-800.0, 0.0), z(0.0, 0.0)),
        ("logistic", z(800.0, 0.0), z(1.0, 0.0)),
        ("sign", z(3.0, -4.0), z(0.6, -0.8)),
        ("sign", z(0.0, 0.0), z(0.0, 0.0)),
        ("abs", z(3e200, 4e200), z(5e200, 0.0)),
        ("conj", z(1.0, 0.0), z(1.0, -0.0)),
    ];
    for &(op, x, expected) in table {
        let found = eval(op, &[x]);
        let close = |a: f64, b: f64| same(a, b) || a.signum() == b.signum() && ((a - b) / b).abs() < 1e-14;
        assert!(
            close(found.re, expected.re) && close(found.im, expected.im),
            "{op}({x}) = {found}, expected {expected}"
        );
    }
    let binary: &[(&str, Complex128, Complex128, Complex128)] = &[
        ("div", z(1.0, 0.0), z(0.0, 0.0), z(INF, NAN)),
        ("div", z(1e308, 1e308), z(1e308, 1e308), z(1.0, 0.0)),
        ("div", z(1e-300, 1e-300), z(1e-300, 0.0), z(1.0, 1.0)),
        ("div", z(1.0, 1.0), z(INF, 0.0), z(0.0, 0.0)),
        ("pow", z(0.0, 0.0), z(0.0, 0.0), z(1.0, 0.0)),
        ("pow", z(0.0, 0.0), z(2.0, 1.0), z(0.0, 0.0)),
        ("pow", z(2.0, 0.0), z(3.0, 0.0), z(8.0, 0.0)),
        ("max", z(1.0, 5.0), z(1.0, 6.0), z(1.0, 6.0)),
        ("max", z(2.0, -5.0), z(1.0, 6.0), z(2.0, -5.0)),
        ("max", z(NAN, 0.0), z(1.0, 0.0), z(1.0, 0.0)),
        ("min", z(1.0, 5.0), z(1.0, 6.0), z(1.0, 5.0)),
    ];
    for &(op, x, y, expected) in binary {
        let found = eval(op, &[x, y]);
        assert!(
            same(found.re, expected.re) && same(found.im, expected.im),
            "{op}({x}, {y}) = {found}, expected {expected}"
        );
    }
    // The narrow type neither overflows nor loses what its double can hold.
    assert_eq!(eval("abs", &[Complex64::new(3e38, 0.0)]).re, 3e38);
    assert_eq!(eval("div", &[Complex64::new(3e38, 3e38), Complex64::new(3e38, 3e38)]), Complex64::new(1.0, 0.0));
}

#[test]
fn threefry_known_answers_and_random_bits() {
    assert_eq!(math::threefry2x32([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
    assert_eq!(math::threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb996fc, 0xbb002be7]);
    assert_eq!(math::threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]), [0xc4923a9c, 0x483df7a0]);
}

/// JAX's golden numbers of `normal(key(0), (4,))` and `normal(key(42), (4,))`, which go through uniform bits and
/// `erf_inv`.
#[test]
fn normal_numbers_stay_within_three_ulp_of_jax() {
    let golden = [
        (0, [0xf29a4fa7, 0xfa843692, 0x55110e28, 0x77faa835], [0x3fcfb2bd, 0x40019df0, 0xbede0017, 0xbda10222]),
        (42, [0x7d1c13a2, 0xae0730d9, 0x9dc3f9f9, 0x8f9ec1d7], [0xbce7df15u32, 0x3eef2be8, 0x3e976661, 0x3e1d3b24]),
    ];
    for (key, bits, normals) in golden {
        for (counter, (bits, normal)) in bits.into_iter().zip(normals).enumerate() {
            let [high, low] = math::threefry2x32([0, key], [0, counter as u32]);
            assert_eq!(high ^ low, bits, "bits {counter} of key {key}");
            let unit = f32::from_bits(bits >> 9 | 0x3f80_0000) - 1.0;
            let low = -0.99999994f32;
            let uniform = f32::max(low, unit * (1.0 - low) + low);
            let found = eval("mul", &[std::f32::consts::SQRT_2, eval("erf_inv", &[uniform])]);
            assert!(found.to_bits().abs_diff(normal) <= 3, "normal {counter} of key {key}: {:08x}", found.to_bits());
        }
    }
}
