//! When two arrays are the same, exactly or nearly.

use rjax_ir::{DType, Scalar, Tensor};

/// The distance from 1 to the next number of an inexact dtype.
pub fn epsilon(dtype: DType) -> f64 {
    match dtype.real() {
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        DType::F32 | DType::C64 => f32::EPSILON as f64,
        DType::F64 | DType::C128 => f64::EPSILON,
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::Narrow(_) => 0.0,
    }
}

/// Whether two arrays are the same: dtype, shape and elements, where every NaN equals every other, and real and imaginary
/// part may each differ by `ulps` units of the last place of the larger magnitude in the array.
pub fn same(found: &Tensor, expected: &Tensor, ulps: f64) -> Result<(), String> {
    if found.aval() != expected.aval() {
        return Err(format!("found {}, expected {}", found.aval(), expected.aval()));
    }
    let scalars = |t: &Tensor| (0..t.shape().size()).map(|i| t.get(i)).collect::<Vec<_>>();
    let (found, expected) = (scalars(found), scalars(expected));
    let greatest =
        expected.iter().flat_map(|s| parts(*s)).filter(|x| x.is_finite()).fold(0.0, |a: f64, b| a.max(b.abs()));
    for (i, (&f, &e)) in found.iter().zip(&expected).enumerate() {
        let allowed = ulps * epsilon(f.dtype()) * greatest;
        let close = |f: f64, e: f64| f.is_nan() && e.is_nan() || f == e || (f - e).abs() <= allowed;
        let same_bits = f == e;
        let equal_parts = || {
            let signs_agree = ulps > 0.0 || parts(f).iter().zip(parts(e)).all(|(f, e)| zero_signs_agree(*f, e));
            f.dtype().is_inexact() && signs_agree && parts(f).iter().zip(parts(e)).all(|(&f, e)| close(f, e))
        };
        if !same_bits && !equal_parts() {
            return Err(format!("element {i}: found {f:?}, expected {e:?}"));
        }
    }
    Ok(())
}

/// The least positive number that is not subnormal.
fn least_normal(dtype: DType) -> f64 {
    match dtype.real() {
        DType::F16 => 2f64.powi(-14),
        DType::BF16 | DType::F32 | DType::C64 => f32::MIN_POSITIVE as f64,
        DType::F64 | DType::C128 => f64::MIN_POSITIVE,
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64
        | DType::Narrow(_) => 0.0,
    }
}

/// As [`same`], where elements do not count that are NaN, infinite, zero or subnormal on either side.
pub fn same_where_ordinary(found: &Tensor, expected: &Tensor, ulps: f64) -> Result<(), String> {
    if found.aval() != expected.aval() {
        return Err(format!("found {}, expected {}", found.aval(), expected.aval()));
    }
    let is_float = |s: Scalar| s.dtype().is_inexact();
    let least = least_normal(found.dtype());
    let ordinary = |s: Scalar| !is_float(s) || own_parts(s).iter().all(|x| x.is_finite() && x.abs() >= least);
    let kept: Vec<usize> =
        (0..found.shape().size()).filter(|&i| ordinary(found.get(i)) && ordinary(expected.get(i))).collect();
    let only = |t: &Tensor| {
        let width = t.dtype().size();
        let bytes = t.to_bytes();
        let bytes: Vec<u8> = kept.iter().flat_map(|&i| bytes[i * width..][..width].iter().copied()).collect();
        Tensor::from_bytes(&t.aval().with_shape([kept.len()]), &bytes)
    };
    same(&only(found), &only(expected), ulps)
}

fn parts(s: Scalar) -> [f64; 2] {
    let value = s.to_c128();
    [value.re, value.im]
}

/// The real part and, of a complex number, the imaginary one.
fn own_parts(s: Scalar) -> Vec<f64> {
    parts(s)[..if s.dtype().is_complex() { 2 } else { 1 }].to_vec()
}

fn zero_signs_agree(x: f64, y: f64) -> bool {
    x != 0.0 || y != 0.0 || x.is_sign_negative() == y.is_sign_negative()
}
