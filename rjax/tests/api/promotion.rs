//! The table of type promotion, JAX's with 64-bit types on; `*` is weak.

use rjax::prelude::*;

const TABLE: &str = "
       b1   u1   u2   u4   u8   i1   i2   i4   i8   bf   f2   f4   f8   c8  c16   i*   f*   c*
  b1   b1   u1   u2   u4   u8   i1   i2   i4   i8   bf   f2   f4   f8   c8  c16   i*   f*   c*
  u1   u1   u1   u2   u4   u8   i2   i2   i4   i8   bf   f2   f4   f8   c8  c16   u1   f*   c*
  u2   u2   u2   u2   u4   u8   i4   i4   i4   i8   bf   f2   f4   f8   c8  c16   u2   f*   c*
  u4   u4   u4   u4   u4   u8   i8   i8   i8   i8   bf   f2   f4   f8   c8  c16   u4   f*   c*
  u8   u8   u8   u8   u8   u8   f*   f*   f*   f*   bf   f2   f4   f8   c8  c16   u8   f*   c*
  i1   i1   i2   i4   i8   f*   i1   i2   i4   i8   bf   f2   f4   f8   c8  c16   i1   f*   c*
  i2   i2   i2   i4   i8   f*   i2   i2   i4   i8   bf   f2   f4   f8   c8  c16   i2   f*   c*
  i4   i4   i4   i4   i8   f*   i4   i4   i4   i8   bf   f2   f4   f8   c8  c16   i4   f*   c*
  i8   i8   i8   i8   i8   f*   i8   i8   i8   i8   bf   f2   f4   f8   c8  c16   i8   f*   c*
  bf   bf   bf   bf   bf   bf   bf   bf   bf   bf   bf   f4   f4   f8   c8  c16   bf   bf   c8
  f2   f2   f2   f2   f2   f2   f2   f2   f2   f2   f4   f2   f4   f8   c8  c16   f2   f2   c8
  f4   f4   f4   f4   f4   f4   f4   f4   f4   f4   f4   f4   f4   f8   c8  c16   f4   f4   c8
  f8   f8   f8   f8   f8   f8   f8   f8   f8   f8   f8   f8   f8   f8  c16  c16   f8   f8  c16
  c8   c8   c8   c8   c8   c8   c8   c8   c8   c8   c8   c8   c8  c16   c8  c16   c8   c8   c8
 c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16  c16
  i*   i*   u1   u2   u4   u8   i1   i2   i4   i8   bf   f2   f4   f8   c8  c16   i*   f*   c*
  f*   f*   f*   f*   f*   f*   f*   f*   f*   f*   bf   f2   f4   f8   c8  c16   f*   f*   c*
  c*   c*   c*   c*   c*   c*   c*   c*   c*   c*   c8   c8   c8  c16   c8  c16   c*   c*   c*
";

fn decode(code: &str) -> (DType, bool) {
    let dtype = match code {
        "b1" => DType::Bool,
        "u1" => DType::U8,
        "u2" => DType::U16,
        "u4" => DType::U32,
        "u8" => DType::U64,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" | "i*" => DType::I32,
        "i8" => DType::I64,
        "bf" => DType::BF16,
        "f2" => DType::F16,
        "f4" | "f*" => DType::F32,
        "f8" => DType::F64,
        "c8" | "c*" => DType::C64,
        "c16" => DType::C128,
        _ => panic!("{code}"),
    };
    (dtype, code.ends_with('*'))
}

fn sample(code: &str) -> Array {
    match code {
        "i*" => Array::from(1),
        "f*" => Array::from(1.0),
        "c*" => Array::from(rjax::Complex64::new(1.0, 0.0)),
        strong => jnp::ones([], decode(strong).0),
    }
}

#[test]
fn every_pair_of_the_table() {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let columns: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let mut checked = 0;
    for line in lines {
        let mut cells = line.split_whitespace();
        let row = cells.next().unwrap();
        for (column, expected) in columns.iter().zip(cells) {
            let sum = jnp::maximum(sample(row), sample(column));
            assert_eq!((sum.dtype(), sum.is_weak()), decode(expected), "{row} with {column}");
            checked += 1;
        }
    }
    assert_eq!(checked, 18 * 18);
}

#[test]
fn numbers_keep_their_precision() {
    let x = Array::from_vec([1], vec![0.0f64]);
    assert_eq!((&x + 0.1).item::<f64>(), 0.1);
    assert_eq!((0.1 + &x).item::<f64>(), 0.1);
    let n = Array::from_vec([1], vec![0i64]);
    assert_eq!((n + 5_000_000_000i64).item::<i64>(), 5_000_000_000);
    assert_eq!((Array::scalar(250u8) + 5).dtype(), DType::U8);
}

#[test]
fn operators_take_every_mix() {
    let x = jnp::array([1.0, 2.0]);
    let sums = [
        &x + &x,
        x.clone() + &x,
        &x + x.clone(),
        x.clone() + x.clone(),
        &x + 1.0,
        x.clone() + 1.0f32,
        1.0 + &x,
        1 + x.clone(),
        &x + 1i64,
        &x + true,
        true + &x,
    ];
    assert!(sums.iter().all(|y| y.dtype() == DType::F32 && y.shape()[..] == [2]));
    assert_eq!((1.0 - &x).exp().to_vec::<f32>()[0], 1.0);
    assert_eq!((7 / jnp::array([2])).to_vec::<f32>(), [3.5]);
    assert_eq!((jnp::array([-7, 7]) % 3).to_vec::<i32>(), [2, 1]);
    assert_eq!((jnp::array([6]) & 3 | 8).to_vec::<i32>(), [10]);
    assert_eq!((jnp::array([-8]) >> 1).to_vec::<i32>(), [-4]);
    assert_eq!((!jnp::array([true, false])).to_vec::<bool>(), [false, true]);
    assert_eq!((true & jnp::array([true, false])).to_vec::<bool>(), [true, false]);
}
