//! Conversions, comparisons, bit casts and reduced precision over all element types.

use std::cmp::Ordering;

use rjax_ir::math::{self, Float, bitcast, compare, convert, integer_pow, reduce_precision, sort_compare};
use rjax_ir::op::ScalarSemantics;
use rjax_ir::{Compare, Complex64, Complex128, DType, Element, Scalar, bf16, f16, with_element};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[test]
fn floats_saturate_into_integers() {
    for (x, i8s, u8s, i64s, u64s) in [
        (300.7, 127, 255, 300, 300),
        (-1.9, -1, 0, -1, 0),
        (-300.0, -128, 0, -300, 0),
        (NAN, 0, 0, 0, 0),
        (INF, 127, 255, i64::MAX, u64::MAX),
        (-INF, -128, 0, i64::MIN, 0),
        (1e30, 127, 255, i64::MAX, u64::MAX),
    ] {
        assert_eq!(convert::<f64, i8>(x), i8s, "{x}");
        assert_eq!(convert::<f64, u8>(x), u8s, "{x}");
        assert_eq!(convert::<f32, i64>(x as f32), i64s, "{x}");
        assert_eq!(convert::<f64, u64>(x), u64s, "{x}");
        assert_eq!(convert::<Complex128, i8>(Complex128::new(x, 5.0)), i8s, "{x}");
    }
}

#[test]
fn integers_wrap_and_bools_test_for_zero() {
    assert_eq!(convert::<i32, i8>(300), 44);
    assert_eq!(convert::<i64, u32>(-1), u32::MAX);
    assert_eq!(convert::<u64, i64>(u64::MAX), -1);
    assert_eq!(convert::<i8, u64>(-1), u64::MAX);
    assert_eq!(convert::<bool, i32>(true), 1);
    assert!(convert::<f32, bool>(f32::NAN));
    assert!(!convert::<f32, bool>(-0.0));
    assert!(convert::<f64, bool>(5e-324));
    assert!(!convert::<i64, bool>(1 << 32 << 32 >> 63 >> 1));
    assert!(convert::<i64, bool>(1 << 32));
}

#[test]
fn integers_round_once_into_floats() {
    assert_eq!(convert::<u64, f64>(u64::MAX), 18446744073709551616.0);
    assert_eq!(convert::<i64, f32>((1 << 24) + 1), 16777216.0);
    // Through f64 these would be ties: 2^60 + 2^36 + 1 lies just above the middle of two f32, 2^60 + 2^52 + 1 of two
    // bf16.
    assert_eq!(convert::<i64, f32>((1 << 60) + (1 << 36) + 1), ((1i64 << 60) + (1 << 37)) as f32);
    assert_eq!(convert::<i64, bf16>((1 << 60) + (1 << 52) + 1).to_f64(), ((1i64 << 60) + (1 << 53)) as f64);
    assert_eq!(convert::<i64, bf16>(-(1 << 60) - (1 << 52) - 1).to_f64(), -(((1i64 << 60) + (1 << 53)) as f64));
    assert_eq!(convert::<i32, f16>(2049), f16::from_f32(2048.0));
    assert_eq!(convert::<i32, f16>(100_000), f16::INFINITY);
}

#[test]
fn floats_round_to_nearest_even_into_narrower_floats() {
    assert_eq!(convert::<f32, f16>(65519.0), f16::MAX);
    assert_eq!(convert::<f32, f16>(65520.0), f16::INFINITY);
    assert_eq!(convert::<f32, f16>(2f32.powi(-25)).to_bits(), 0);
    assert_eq!(convert::<f32, f16>(2f32.powi(-25) * 1.0001).to_bits(), 1);
    assert_eq!(convert::<f32, bf16>(1.0 + 2f32.powi(-8)).to_bits(), 0x3f80);
    assert_eq!(convert::<f32, bf16>(1.0 + 3.0 * 2f32.powi(-8)).to_bits(), 0x3f82);
    assert_eq!(convert::<f32, bf16>(f32::MAX), bf16::INFINITY);
    // Rounding to f32 first would make these ties.
    assert_eq!(convert::<f64, bf16>(1.0 + 2f64.powi(-8) + 2f64.powi(-40)).to_bits(), 0x3f81);
    assert_eq!(convert::<f64, f16>(1.0 + 2f64.powi(-11) + 2f64.powi(-50)).to_bits(), 0x3c01);
    assert_eq!(Scalar::from_f64(DType::BF16, 1.0 + 2f64.powi(-8) + 2f64.powi(-40)).bits()[0], 0x3f81);
    assert!(convert::<f64, f16>(NAN).is_nan() && convert::<f64, bf16>(-NAN).is_nan());
    assert_eq!(convert::<f64, f32>(1e-46), 0.0);
    assert_eq!(convert::<Complex128, Complex64>(Complex128::new(1e40, 0.1)), Complex64::new(f32::INFINITY, 0.1));
}

#[test]
fn every_half_precision_value_survives_the_wider_types() {
    for bits in 0..=u16::MAX {
        let (h, b) = (f16::from_bits(bits), bf16::from_bits(bits));
        let same_h =
            convert::<f64, f16>(convert(h)).to_bits() == bits && convert::<f32, f16>(convert(h)).to_bits() == bits;
        assert!(h.is_nan() && convert::<f32, f16>(convert(h)).is_nan() || same_h, "f16 {bits:04x}");
        let same_b =
            convert::<f64, bf16>(convert(b)).to_bits() == bits && convert::<f32, bf16>(convert(b)).to_bits() == bits;
        assert!(b.is_nan() && convert::<f32, bf16>(convert(b)).is_nan() || same_b, "bf16 {bits:04x}");
        assert!(b.is_nan() || convert::<bf16, f32>(b).to_bits() == (bits as u32) << 16, "bf16 {bits:04x}");
    }
}

#[test]
fn conversion_through_every_type_keeps_small_integers() {
    for from in DType::ALL {
        for to in DType::ALL {
            for value in [0, 1, 2, 100] {
                let x = Scalar::from_i64(from, value);
                let y = with_element!(from, S => with_element!(to, D => Scalar::new(convert::<S, D>(x.get::<S>()))));
                let expected = if from == DType::Bool || to == DType::Bool { (value != 0) as i64 } else { value };
                assert_eq!(y, Scalar::from_i64(to, expected), "{value} from {from} to {to}");
            }
        }
    }
}

#[test]
fn bitcast_keeps_the_bits() {
    assert_eq!(bitcast::<f32, u32>(1.0), 0x3f80_0000);
    assert_eq!(bitcast::<i16, f16>(0x3c00), f16::ONE);
    assert_eq!(bitcast::<u64, f64>(1), 5e-324);
    assert_eq!(bitcast::<i8, u8>(-1), 255);
}

#[test]
fn comparisons_follow_ieee_and_the_total_order() {
    // Ascending in the total order.
    let ordered = [-NAN.abs(), -INF, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, INF, NAN.abs()];
    for (i, &x) in ordered.iter().enumerate() {
        for (j, &y) in ordered.iter().enumerate() {
            let results = [x == y, x != y, x < y, x <= y, x > y, x >= y, i == j, i < j, i <= j];
            for (&op, expected) in Compare::ALL.iter().zip(results) {
                assert_eq!(compare(op, x, y), expected, "{} of {x} and {y}", op.name());
                let (x32, y32) = (x as f32, y as f32);
                let subnormal = [x, y].iter().any(|v| v.abs() == 5e-324);
                assert!(subnormal || compare(op, x32, y32) == expected, "{} of f32 {x32} and {y32}", op.name());
                let (xh, yh) = (convert::<f64, bf16>(x), convert::<f64, bf16>(y));
                assert!(subnormal || compare(op, xh, yh) == expected, "{} of bf16 {xh} and {yh}", op.name());
            }
        }
    }
    assert!(compare(Compare::Lt, -1i8, 1) && !compare(Compare::Lt, 255u8, 1) && compare(Compare::Le, false, true));
    let z = Complex64::new;
    assert!(
        compare(Compare::Eq, z(1.0, 0.0), z(1.0, -0.0)) && compare(Compare::Ne, z(1.0, f32::NAN), z(1.0, f32::NAN))
    );
    assert!(
        compare(Compare::EqTo, z(1.0, f32::NAN), z(1.0, f32::NAN))
            && !compare(Compare::EqTo, z(0.0, 0.0), z(-0.0, 0.0))
    );
}

#[test]
fn sorting_puts_nan_last_and_zeros_together() {
    let mut x = [1.0, -NAN.abs(), 0.0, INF, -0.0, NAN.abs(), -INF];
    x.sort_by(|&x, &y| sort_compare(x, y));
    assert_eq!(x[..5], [-INF, 0.0, 0.0, 1.0, INF]);
    assert!(x[5].is_nan() && x[6].is_nan());
    assert!(x[1].is_sign_positive() && x[2].is_sign_negative() && x[5].is_sign_negative());
    let z = Complex64::new;
    assert_eq!(sort_compare(z(1.0, 2.0), z(1.0, 3.0)), Ordering::Less);
    assert_eq!(sort_compare(z(f32::NAN, 2.0), z(1.0, 3.0)), Ordering::Greater);
    assert_eq!(sort_compare(z(1.0, f32::NAN), z(1.0, 3.0)), Ordering::Greater);
    assert_eq!(sort_compare(z(0.0, 1.0), z(-0.0, 1.0)), Ordering::Equal);
}

#[test]
fn reduced_precision_is_the_narrower_format_on_normal_values() {
    for i in 0..2000u32 {
        // Spread over f16's normal range, halfway cases included.
        let x = f32::from_bits(0x3880_0000 + i * 65521 % 0x0e00_0000) * if i % 2 == 0 { 1.0 } else { -1.0 };
        let through_f16 = convert::<f16, f32>(convert(x));
        assert_eq!(reduce_precision(x, 5, 10), through_f16, "{x}");
        assert_eq!(reduce_precision(x, 8, 7), convert::<bf16, f32>(convert(x)), "{x}");
        assert_eq!(reduce_precision(x as f64, 8, 23), x as f64);
        assert_eq!(x.reduce_precision(5, 10), through_f16);
    }
    assert_eq!(reduce_precision(65520.0f32, 5, 10), f32::INFINITY);
    assert_eq!(reduce_precision(1e-6f32, 5, 10).to_bits(), 0);
    assert_eq!(reduce_precision(-1e-6f32, 5, 10).to_bits(), 1 << 31);
    assert_eq!(reduce_precision(1e-45f32, 8, 23), 1e-45);
    assert!(reduce_precision(f32::NAN, 5, 10).is_nan());
    assert_eq!(reduce_precision(f32::NAN, 5, 0), f32::INFINITY);
    assert_eq!(reduce_precision(f16::from_f32(1.001), 5, 3).to_f32(), 1.0);
    assert_eq!(reduce_precision(bf16::from_f32(3.0), 1, 7), bf16::INFINITY);
}

#[test]
fn integer_powers_multiply_in_the_type() {
    assert_eq!(integer_pow(3i8, 5), -13);
    assert_eq!(integer_pow(2.0f64, -3), 0.125);
    assert_eq!(integer_pow(f64::NAN, 0), 1.0);
    assert_eq!(integer_pow(0.0f32, -1), f32::INFINITY);
    assert_eq!(integer_pow(-2.0f32, 3), -8.0);
    let i = Complex64::new(0.0, 1.0);
    assert_eq!(integer_pow(i, 2), Complex64::new(-1.0, 0.0));
    let x = bf16::from_f32(1.3);
    assert_eq!(integer_pow(x, 3), x.mul(x.mul(x)));
    assert_eq!(integer_pow(1.000001f64, i32::MIN), 0.0);
}

#[test]
fn the_default_of_a_method_names_op_and_dtype() {
    let panic = std::panic::catch_unwind(|| true.sin()).expect_err("bool has no sine");
    let message = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("sin does not accept bool"), "{message}");
}

#[test]
fn arithmetic_of_narrow_floats_rounds_once() {
    let mut seed = 1u32;
    for _ in 0..20_000 {
        seed = math::threefry2x32([0, 1], [0, seed])[0];
        let (x, y) = (f32::from_bits(seed), f32::from_bits(math::threefry2x32([0, 2], [0, seed])[0]));
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same(ScalarSemantics::add(x, y), x + y), "{x} + {y}");
        assert!(same(ScalarSemantics::mul(x, y), x * y), "{x} * {y}");
        assert!(same(ScalarSemantics::div(x, y), x / y), "{x} / {y}");
        assert!(same(ScalarSemantics::rem(x, y), x % y), "{x} % {y}");
        assert!(same(ScalarSemantics::sqrt(x), x.sqrt()), "sqrt {x}");
    }
    assert_eq!(<f16 as Float>::FORMAT.mantissa_bits, 10);
    assert_eq!(f32::DTYPE, DType::F32);
}
