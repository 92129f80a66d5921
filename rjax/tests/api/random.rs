//! Golden vectors of JAX's generator: bit for bit, `normal` and what is made of it within 3 ulp.

use rjax::prelude::*;

fn words(key: &Key) -> [u32; 2] {
    key.data().to_vec::<u32>().try_into().unwrap()
}

fn keys() -> [Key; 2] {
    [Key::new(0), Key::new(42)]
}

#[track_caller]
fn within(found: &Array, expected: [u32; 4], ulp: u32) {
    for (a, b) in found.to_vec::<f32>().into_iter().zip(expected) {
        assert!(a.to_bits().abs_diff(b) <= ulp, "{:08x} and {b:08x}", a.to_bits());
    }
}

#[test]
fn keys_split_and_fold() {
    let [zero, answer] = keys();
    assert_eq!((words(&zero), words(&answer)), ([0, 0], [0, 42]));
    let [a, b] = zero.split();
    assert_eq!((words(&a), words(&b)), ([0x6b200159, 0x99ba4efe], [0x375f238f, 0xcddb151d]));
    let [a, b] = answer.split();
    assert_eq!((words(&a), words(&b)), ([0x6d3e048f, 0x1022172d], [0x03d7b32d, 0xadd083f4]));
    assert_eq!(words(&zero.split::<3>()[2]), [0xf71f4ea9, 0xa20e4081]);
    assert_eq!(words(&random::split(&answer, 3).at(2)), [0x92fb20ea, 0x0f38d913]);
    assert_eq!(words(&zero.fold_in(7)), [0xa1ef7a4d, 0x116eb6b3]);
    assert_eq!(words(&answer.fold_in(7)), [0x97d0552f, 0x51bf719f]);
}

#[test]
fn bits() {
    let [zero, answer] = keys();
    let draw = |key: &Key| random::bits(key, [4], DType::U32).to_vec::<u32>();
    assert_eq!(draw(&zero), [0xf29a4fa7, 0xfa843692, 0x55110e28, 0x77faa835]);
    assert_eq!(draw(&answer), [0x7d1c13a2, 0xae0730d9, 0x9dc3f9f9, 0x8f9ec1d7]);
    assert_eq!(random::bits(&zero, [4], DType::U8).to_vec::<u8>(), [167, 146, 40, 53]);
    assert_eq!(random::bits(&answer, [4], DType::U8).to_vec::<u8>(), [162, 217, 249, 215]);
    assert_eq!(random::bits(&zero, [2], DType::U64).to_vec::<u64>(), [0x6b20015999ba4efe, 0x375f238fcddb151d]);
    // A prefix does not depend on the shape.
    assert_eq!(random::bits(&zero, [2, 3], DType::U32).to_vec::<u32>()[..4], draw(&zero));
}

#[test]
fn uniform_and_normal() {
    let [zero, answer] = keys();
    let uniform = |key: &Key| random::uniform(key, [4], DType::F32, 0.0, 1.0);
    within(&uniform(&zero), [0x3f729a4e, 0x3f7a8436, 0x3eaa221c, 0x3eeff550], 0);
    within(&uniform(&answer), [0x3efa3824, 0x3f2e0730, 0x3f1dc3f8, 0x3f0f9ec0], 0);
    let normal = |key: &Key| random::normal(key, [4], DType::F32);
    within(&normal(&zero), [0x3fcfb2bd, 0x40019df0, 0xbede0017, 0xbda10222], 3);
    within(&normal(&answer), [0xbce7df15, 0x3eef2be8, 0x3e976661, 0x3e1d3b24], 3);
    let wide = random::uniform(&zero, [2], DType::F64, 0.0, 1.0).to_vec::<f64>();
    assert_eq!(wide, [0.41845711171638644, 0.21629545460551136]);
    let wide = random::normal(&zero, [2], DType::F64).to_vec::<f64>();
    for (a, b) in wide.into_iter().zip([-0.2058421394796434, -0.7847657764467411]) {
        assert!((a - b).abs() < 1e-15, "{a} and {b}");
    }
}

#[test]
fn discrete() {
    let [zero, answer] = keys();
    let randint = |key: &Key| random::randint(key, [6], 0, 100, DType::I32).to_vec::<i32>();
    assert_eq!(randint(&zero), [89, 0, 12, 73, 71, 47]);
    assert_eq!(randint(&answer), [44, 14, 71, 69, 9, 19]);
    assert_eq!(random::permutation(&zero, 8).to_vec::<i32>(), [0, 1, 5, 6, 4, 3, 2, 7]);
    assert_eq!(random::permutation(&answer, 8).to_vec::<i32>(), [7, 4, 2, 5, 3, 6, 0, 1]);
    let coins = |key: &Key| random::bernoulli(key, [8], 0.5).astype(DType::I32).to_vec::<i32>();
    assert_eq!(coins(&zero), [0, 0, 1, 1, 0, 1, 1, 0]);
    assert_eq!(coins(&answer), [1, 0, 0, 0, 1, 0, 1, 0]);
    let logits = jnp::log(jnp::array([0.1, 0.2, 0.7]));
    let categorical = |key: &Key| random::categorical(key, &logits, -1, [8]).to_vec::<i32>();
    assert_eq!(categorical(&zero), [1, 2, 2, 1, 2, 2, 2, 2]);
    assert_eq!(categorical(&answer), [2, 2, 2, 2, 1, 2, 1, 2]);
}

#[test]
fn continuous() {
    let close = |x: Array, expected: [f64; 2]| crate::assert_values(&x, &expected, 1e-6);
    let [zero, answer] = keys();
    close(random::exponential(&zero, [2], DType::F32), [2.9501281, 3.8434246]);
    close(random::exponential(&answer, [2], DType::F32), [0.67081749, 1.1388006]);
    close(random::truncated_normal(&zero, [2], DType::F32, -2.0, 2.0), [1.4559592, 1.7147487]);
    close(random::truncated_normal(&answer, [2], DType::F32, -2.0, 2.0), [-0.0270165, 0.44438082]);
}

#[test]
fn keys_under_transformations() {
    let key = Key::new(7);
    let draw = |key: &Key| random::normal(key, [3], DType::F32);
    assert_eq!(jit(draw)(&key).to_vec::<f32>(), draw(&key).to_vec::<f32>());
    let batch = random::split(&key, 4);
    let drawn = vmap(draw, axes![0])(&batch);
    assert_eq!(drawn.index(2).to_vec::<f32>(), draw(&batch.at(2)).to_vec::<f32>());
    let (_, scanned) = lax::scan(|(): &(), key: &Key| ((), draw(key)), (), &batch);
    assert_eq!(scanned.to_vec::<f32>(), drawn.to_vec::<f32>());
    let shuffled = random::permutation_of(&key, &jnp::arange(6).reshape([3, 2]), 0);
    assert_eq!(shuffled.sum(0).to_vec::<i32>(), [6, 9]);
    let picked = random::choice(&key, &jnp::arange(10), [10], false).sort(0);
    assert_eq!(picked.to_vec::<i32>(), (0..10).collect::<Vec<_>>());
    let never = random::choice_weighted(&key, &jnp::arange(3), [50], true, &jnp::array([0.5, 0.0, 0.5]));
    assert!(never.ne(1).all(..).item::<bool>());
}
