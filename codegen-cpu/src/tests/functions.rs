//! The stated accuracy of every function that is taken apart, over all exponents and over the ranges where they bend.

use rjax_ir::{DType, Op, Scalar, Tensor, Unary, eval_op};
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
