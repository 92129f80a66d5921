//! When two arrays agree.
//!
//! JAX's cases have tolerances by dtype: relative to each value, and for operations that accumulate and for derivatives
//! relative to the size of the whole result. NaN and infinities must be in the same places; integers and bools are exact.

use rjax_ir::{Complex128, DType, Scalar, Tensor};
use rjax_stablehlo::CheckKind;

use super::Kind;
use crate::Result;

/// Groups whose errors are measured against the size of the result.
const ACCUMULATING: &[&str] = &[
    "cholesky",
    "conv_general_dilated",
    "cumlogsumexp",
    "cumprod",
    "cumsum",
    "custom_linear_solve",
    "dot_general",
    "eig",
    "eigh",
    "fft",
    "igamma",
    "igammac",
    "lu",
    "qr",
    "reduce",
    "reduce_prod",
    "reduce_sum",
    "reduce_window_add",
    "reduce_window_mul",
    "regularized_incomplete_beta",
    "scatter_add",
    "scatter_mul",
    "select_and_gather_add",
    "select_and_scatter_add",
    "svd",
    "triangular_solve",
    "tridiagonal_solve",
];

/// Groups whose factors are unique only up to sign or phase: only their values, the outputs of lowest rank, are compared.
pub const VALUES_ONLY: &[&str] = &["svd", "eigh", "eig"];

fn tolerance(dtype: DType, kind: Kind) -> f64 {
    let derivative = matches!(kind, Kind::Vjp | Kind::Jvp);
    match (dtype, derivative) {
        (DType::F64 | DType::C128, false) => 1e-10,
        (DType::F32 | DType::C64, false) => 3e-5,
        (DType::F16, false) => 4e-3,
        (DType::BF16, false) => 3e-2,
        (DType::F64 | DType::C128, true) => 1e-8,
        (DType::F32 | DType::C64, true) => 1e-3,
        (DType::F16, true) => 1e-2,
        (DType::BF16, true) => 6e-2,
        (
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64,
            _,
        ) => 0.0,
        (DType::Narrow(narrow), _) => {
            if narrow.is_float() {
                0.14
            } else {
                0.0
            }
        }
    }
}

fn values(x: &Tensor) -> Vec<Complex128> {
    (0..x.shape().size()).map(|i| x.get(i).to_c128()).collect()
}

fn is_nan(z: &Complex128) -> bool {
    z.re.is_nan() || z.im.is_nan()
}

fn is_infinite(z: &Complex128) -> bool {
    z.re.is_infinite() || z.im.is_infinite()
}

fn show(z: Complex128, dtype: DType) -> String {
    if dtype.is_complex() { z.to_string() } else { z.re.to_string() }
}

/// Whether an array is what JAX computed.
pub fn with_jax(got: &Tensor, want: &Tensor, kind: Kind, group: &str) -> Result<()> {
    if got.aval() != want.aval() {
        return Err(format!("found {}, expected {}", got.aval(), want.aval()));
    }
    let (dtype, size) = (want.dtype(), want.shape().size());
    if !dtype.is_inexact() {
        let off = (0..size).filter(|&i| got.get(i) != want.get(i)).count();
        return if off == 0 { Ok(()) } else { Err(format!("{off} of {size} values differ")) };
    }
    let (mut g, mut w) = (values(got), values(want));
    if group == "eig" {
        let order = |a: &Complex128, b: &Complex128| a.re.total_cmp(&b.re).then(a.im.total_cmp(&b.im));
        g.sort_by(order);
        w.sort_by(order);
    }
    if g.iter().map(is_nan).ne(w.iter().map(is_nan)) {
        let count = |x: &[Complex128]| x.iter().filter(|z| is_nan(z)).count();
        return Err(format!("NaN at {} places, expected at {}", count(&g), count(&w)));
    }
    let same_infinity = |g: &Complex128, w: &Complex128| {
        is_infinite(g) == is_infinite(w) && (dtype.is_complex() || !is_infinite(w) || g == w)
    };
    if !g.iter().zip(&w).all(|(g, w)| same_infinity(g, w)) {
        return Err("infinities differ".to_string());
    }
    let pairs: Vec<(Complex128, Complex128)> =
        g.into_iter().zip(w).filter(|(_, w)| w.re.is_finite() && w.im.is_finite()).collect();
    let tol = tolerance(dtype, kind);
    let largest = pairs.iter().map(|(_, w)| w.norm()).fold(1e-30, f64::max);
    let whole = ACCUMULATING.contains(&group) || matches!(kind, Kind::Vjp | Kind::Jvp);
    let slack = tol * if whole { largest } else { 0.1 };
    let excess = |(g, w): &(Complex128, Complex128)| (g - w).norm() - (tol * w.norm() + slack);
    let off = pairs.iter().filter(|pair| excess(pair) > 0.0).count();
    match pairs.iter().max_by(|a, b| excess(a).total_cmp(&excess(b))) {
        Some((g, w)) if off > 0 => {
            Err(format!("{off} of {size} off; worst {} for {} ({dtype})", show(*g, dtype), show(*w, dtype)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a pair of arrays passes a `check.expect_…`.
pub fn expect(got: &Tensor, want: &Tensor, check: CheckKind) -> Result<()> {
    if got.aval() != want.aval() {
        return Err(format!("found {}, expected {}", got.aval(), want.aval()));
    }
    let size = want.shape().size();
    let agree = |i: &usize| parts(got.get(*i)).zip(parts(want.get(*i))).all(|(g, w)| part_agrees(g, w, check));
    let mut off = (0..size).filter(|i| !agree(i));
    let Some(first) = off.next() else { return Ok(()) };
    let rule = match check {
        CheckKind::Eq => "expected equality".to_string(),
        CheckKind::Close { max_ulps } => format!("expected at most {max_ulps} ulps"),
        CheckKind::AlmostEq { tolerance } => format!("expected within {tolerance}"),
    };
    let count = 1 + off.count();
    Err(format!("{rule}; {count} of {size} off; first {:?} for {:?} at {first}", got.get(first), want.get(first)))
}

/// A value, or the real and imaginary part of a complex one.
fn parts(value: Scalar) -> impl Iterator<Item = Scalar> {
    let dtype = value.dtype();
    let count = if dtype.is_complex() { 2 } else { 1 };
    value.bits().into_iter().take(count).map(move |bits| Scalar::from_bits(dtype.real(), [bits, 0]))
}

fn part_agrees(got: Scalar, want: Scalar, check: CheckKind) -> bool {
    if got == want || (got.to_f64().is_nan() && want.to_f64().is_nan()) {
        return true;
    }
    let (g, w) = (got.to_f64(), want.to_f64());
    match check {
        CheckKind::Eq => false,
        CheckKind::Close { max_ulps } => {
            let finite = g.is_finite() && w.is_finite() && got.dtype().is_float();
            finite && steps(got).abs_diff(steps(want)) <= max_ulps
        }
        CheckKind::AlmostEq { tolerance } => (g - w).abs() <= tolerance.max(tolerance * w.abs()),
    }
}

/// The position of a float among all of its type, in order; both zeros are 0.
fn steps(value: Scalar) -> i64 {
    let width = value.dtype().bits();
    let bits = value.bits()[0];
    let magnitude = (bits & ((1u64 << (width - 1)) - 1)) as i64;
    if bits >> (width - 1) & 1 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(values: &[f32]) -> Tensor {
        Tensor::from_vec([values.len()], values.to_vec())
    }

    #[test]
    fn values_are_compared_by_their_own_size_or_the_results() {
        let (got, want) = (f32s(&[1000.0, 1e-3]), f32s(&[1000.02, 1.1e-2]));
        assert!(with_jax(&got, &want, Kind::Run, "add").is_err());
        assert!(with_jax(&got, &want, Kind::Run, "reduce_sum").is_ok());
        assert!(with_jax(&got, &want, Kind::Vjp, "add").is_ok());
        let special = |a, b| with_jax(&f32s(&[a]), &f32s(&[b]), Kind::Run, "add").is_ok();
        assert!(special(f32::NAN, f32::NAN) && special(f32::INFINITY, f32::INFINITY));
        assert!(!special(f32::NAN, 1.0) && !special(1.0, f32::NAN));
        assert!(!special(f32::INFINITY, f32::NEG_INFINITY) && !special(1e30, f32::INFINITY));
        let ints = |a: i32, b: i32| with_jax(&Tensor::scalar(a), &Tensor::scalar(b), Kind::Run, "add").is_ok();
        assert!(ints(3, 3) && !ints(3, 4));
    }

    #[test]
    fn expectations_count_units_in_the_last_place() {
        let next = |x: f32, n: i32| f32::from_bits((x.to_bits() as i32 + n) as u32);
        let close = |a: f32, b: f32| expect(&f32s(&[a]), &f32s(&[b]), CheckKind::Close { max_ulps: 3 }).is_ok();
        assert!(close(next(1.0, 3), 1.0) && !close(next(1.0, 4), 1.0));
        assert!(close(0.0, -0.0) && close(f32::NAN, -f32::NAN) && !close(f32::MAX, f32::INFINITY));
        assert!(close(f32::from_bits(1), -f32::from_bits(2)) && !close(f32::from_bits(2), -f32::from_bits(2)));
        let equal = |a: f32, b: f32| expect(&f32s(&[a]), &f32s(&[b]), CheckKind::Eq).is_ok();
        assert!(equal(f32::NAN, f32::NAN) && !equal(0.0, -0.0));
        let almost = |a: f32, b: f32| expect(&f32s(&[a]), &f32s(&[b]), CheckKind::AlmostEq { tolerance: 1e-3 }).is_ok();
        assert!(almost(0.0009, 0.0) && almost(1000.5, 1000.0) && !almost(1.01, 1.0) && !almost(f32::NAN, 1.0));
    }
}
