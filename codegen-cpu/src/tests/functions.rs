//! The stated accuracy of every function that is taken apart, over all exponents and over the ranges where they bend.

use rjax_ir::{Binary, DType, Op, Scalar, Tensor, Unary, eval_op};
use rjax_kernel::kir::{Expr, Order};

use super::elementwise::map;
use super::{assert_near, tensor};
use crate::expand::ulps;

/// Numbers of every exponent and sign, NaN among them, and steps through the ranges where functions are not yet constant.
fn sweep(dtype: DType) -> Tensor {
    let mut values = Vec::new();
    let width = dtype.bits();
    let mut bits = 0u64;
    for _ in 0..40_000 {
        bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        values.push(Scalar::from_bits(dtype, [bits >> (64 - width), 0]));
    }
    for (reach, steps) in [(1.001, 20_000), (12.0, 20_000), (110.0, 10_000), (800.0, 10_000), (3e5, 10_000)] {
        values.extend((-steps..=steps).map(|i| Scalar::from_f64(dtype, reach * (i as f64 + 0.37) / steps as f64)));
    }
    // Where a quarter turn ends, sine or cosine is almost 0.
    values.extend((-500..500).map(|i| Scalar::from_f64(dtype, i as f64 * std::f64::consts::FRAC_PI_2)));
    tensor(dtype, values)
}

#[test]
fn functions_keep_their_accuracy() {
    let mut failures = Vec::new();
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
        let x = sweep(dtype);
        for &op in Unary::ALL {
            let Some(ulps) = ulps(op, dtype) else { continue };
            let expected = eval_op(&Op::Unary(op), std::slice::from_ref(&x)).expect("accepted").remove(0);
            let found = map(Order::Vector, std::slice::from_ref(&x), dtype, |r| Expr::Unary(op, r[0]));
            let check = std::panic::AssertUnwindSafe(|| {
                assert_near(&found, &expected, ulps, |i| format!("{} {dtype} of {:?}", op.name(), x.get(i)));
            });
            failures.extend(std::panic::catch_unwind(check).err());
        }
    }
    assert!(failures.is_empty(), "{} functions are not as accurate as stated", failures.len());
}

/// Bases and exponents of every size and sign, special ones in all pairs, and results all over the range.
fn powers(dtype: DType) -> [Tensor; 2] {
    let special =
        [0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 0.999, 1.001, 8388609.0, 16777216.0, 1e-40, 3e38, f64::INFINITY, f64::NAN];
    let special: Vec<f64> = special.iter().flat_map(|&x| [x, -x]).collect();
    let mut pairs: Vec<(f64, f64)> = special.iter().flat_map(|&x| special.iter().map(move |&y| (x, y))).collect();
    let mut bits = 1u64;
    for _ in 0..100_000 {
        bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let (u, v) = ((bits >> 40) as f64 / (1 << 24) as f64, (bits >> 16 & 0xff_ffff) as f64 / (1 << 24) as f64);
        // x = 2^a and x^y = 2^b.
        let (a, b) = ((u - 0.5) * 250.0, (v - 0.5) * 300.0);
        pairs.extend([(a.exp2(), b / a), (0.5 + u, (v - 0.5) * 400.0), (-a.exp2(), (b / a).round())]);
    }
    let one =
        |pick: &dyn Fn(&(f64, f64)) -> f64| tensor(dtype, pairs.iter().map(|pair| Scalar::from_f64(dtype, pick(pair))));
    [one(&|pair| pair.0), one(&|pair| pair.1)]
}

#[test]
fn powers_keep_their_accuracy() {
    for (dtype, ulps) in [(DType::F32, 4), (DType::BF16, 1), (DType::F16, 1)] {
        let inputs = powers(dtype);
        let expected = eval_op(&Op::Binary(Binary::Pow), &inputs).expect("accepted").remove(0);
        let found = map(Order::Vector, &inputs, dtype, |r| Expr::Binary(Binary::Pow, r[0], r[1]));
        assert_near(&found, &expected, ulps, |i| {
            format!("{dtype} power of {:?} and {:?}", inputs[0].get(i), inputs[1].get(i))
        });
    }
}
