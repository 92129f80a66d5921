//! 8-bit floats and integers of fewer than 8 bits: stored as they are, computed with as wide types.

use rjax::prelude::*;

fn weights() -> Array {
    jnp::array([[1.0, -0.3], [2.2, 0.06]]).astype(DType::F8E4M3FN)
}

#[test]
fn conversion_rounds_to_the_nearest_value() {
    let x = weights();
    assert_eq!(x.dtype(), DType::F8E4M3FN);
    assert_eq!(x.astype(DType::F32).to_vec::<f32>(), [1.0, -0.3125, 2.25, 0.05859375]);
    let i = jnp::array([7, 8, -9, 100]).astype(DType::I4);
    assert_eq!(i.astype(DType::I32).to_vec::<i32>(), [7, -8, 7, 4]);
    let saturated = jnp::array([7.9, -100.0, 3.5]).astype(DType::I4);
    assert_eq!(saturated.astype(DType::I32).to_vec::<i32>(), [7, -8, 3]);
}

#[test]
fn arithmetic_is_rounded_and_the_same_compiled() {
    let f = |x: &Array, y: &Array| (x * y + x, lax::dot(x, y), x.max(..), jnp::concatenate(&[x, y], 0));
    let (x, y) = (weights(), weights().transpose(&[1, 0]));
    let eager = f(&x, &y);
    let compiled = jit(f)(&x, &y);
    assert_eq!(eager.0.dtype(), DType::F8E4M3FN);
    assert_eq!(eager.1.dtype(), DType::F8E4M3FN);
    for (a, b) in tree::leaves(&eager).iter().zip(tree::leaves(&compiled)) {
        assert_eq!(a.astype(DType::F32).to_vec::<f32>(), b.astype(DType::F32).to_vec::<f32>());
    }
}

#[test]
fn gradients_pass_through_conversions() {
    // As in JAX, the cotangent of a conversion is converted back.
    let loss = |x: &Array| (x.astype(DType::F8E5M2).astype(DType::F32) * 3.3).sum(..);
    let slope = grad(loss)(&jnp::array([1.0, 2.0]));
    assert_eq!(slope.to_vec::<f32>(), [3.5, 3.5], "3.3 rounds to 3.5 in f8e5m2");
    let used_twice = |x: &Array| {
        let q = x.astype(DType::F8E4M3FN);
        (&q * &q).astype(DType::F32).sum(..)
    };
    assert_eq!(grad(used_twice)(&jnp::array([1.5, 2.0])).to_vec::<f32>(), [3.0, 4.0]);
}

#[test]
fn maps_and_batches() {
    let x = weights();
    let rows = vmap(|row: &Array| (row + row).sum(..), axes![0])(&x);
    assert_eq!(rows.astype(DType::F32).to_vec::<f32>(), [1.375, 4.5]);
}

#[test]
fn taking_and_counting_in_compiled_programs() {
    let f = |x: &Array| {
        let counted = (lax::iota(DType::I32, 4) - 10).astype(DType::I4);
        (jnp::take(x, jnp::array([1, 5]), 0, jnp::TakeMode::Fill).astype(DType::F32), counted.astype(DType::I32))
    };
    let (taken, counted) = jit(f)(&weights());
    let taken = taken.to_vec::<f32>();
    assert!(taken[..2] == [2.25, 0.05859375] && taken[2].is_nan(), "{taken:?}");
    assert_eq!(counted.to_vec::<i32>(), [6, 7, -8, -7]);
}

#[test]
fn different_types_do_not_mix_by_themselves() {
    let x = weights();
    let message = std::panic::catch_unwind(|| &x + jnp::ones([2, 2], DType::F32)).expect_err("does not promote");
    let error = message.downcast_ref::<rjax::Error>().expect("an rjax error");
    assert_eq!(error.kind, rjax::ErrorKind::DType);
    assert_eq!((&x + 1.0).dtype(), DType::F8E4M3FN, "numbers are weak");
}
