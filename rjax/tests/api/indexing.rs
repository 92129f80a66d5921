//! Indexing and updates against plain loops.

use rjax::array::{Ellipsis, NewAxis, Span};
use rjax::prelude::*;

use crate::assert_values;

fn cube() -> Array {
    jnp::arange(24).reshape([2, 3, 4])
}

#[test]
fn static_indices() {
    let x = cube();
    assert_values(&x.index((1, 2, 3)), &[23.0], 0.0);
    assert_values(&x.index((-1, .., 0)), &[12.0, 16.0, 20.0], 0.0);
    assert_values(&x.index((Ellipsis, 1)), &[1.0, 5.0, 9.0, 13.0, 17.0, 21.0], 0.0);
    assert_values(&x.index((0, Span::all().step(-1), 0)), &[8.0, 4.0, 0.0], 0.0);
    assert_values(&x.index((0, 0, Span::new(-1, 0).step(-2))), &[3.0, 1.0], 0.0);
    assert_values(&x.index((0, 0, 1..=2)), &[1.0, 2.0], 0.0);
    assert_values(&x.index((0, 0, -2..)), &[2.0, 3.0], 0.0);
    assert_eq!(x.index((.., NewAxis, 0)).shape()[..], [2, 1, 4]);
    assert_eq!(x.index((5.., ..)).shape()[..], [0, 3, 4]);
    // Out of range: the nearest element.
    assert_values(&x.index((0, 0, 10)), &[3.0], 0.0);
    assert_values(&x.index((0, 0, -10)), &[0.0], 0.0);
}

#[test]
fn computed_indices() {
    let x = cube();
    let i = jnp::array([1, 0, -1]);
    assert_eq!(x.index((.., &i)).shape()[..], [2, 3, 4]);
    assert_values(&x.index((0, &i, 0)), &[4.0, 0.0, 8.0], 0.0);
    assert_values(&x.index((0, &i, &i)), &[5.0, 0.0, 11.0], 0.0);
    // Index arrays apart: their axes come first.
    assert_eq!(x.index((&jnp::array([0, 1, 1]), .., &i)).shape()[..], [3, 3]);
    assert_values(&x.index((&jnp::array([0, 1, 1]), .., &i)).index((1, ..)), &[12.0, 16.0, 20.0], 0.0);
    // The integer counts as an index array here, so the arrays are apart.
    assert_values(&x.index((0, 1..3, &jnp::array([0, 2]))), &[4.0, 8.0, 6.0, 10.0], 0.0);
    assert_values(&x.index(0).index((1..3, &jnp::array([0, 2]))), &[4.0, 6.0, 8.0, 10.0], 0.0);
    assert_eq!(x.index((&jnp::array([[0, 1], [1, 0]]), 1)).shape()[..], [2, 2, 4]);
    assert_values(&x.index(cube().gt(20)), &[21.0, 22.0, 23.0], 0.0);
    assert_values(&x.index((0, &Array::scalar(1i32), 2)), &[6.0], 0.0);
    assert_values(&x.index((0, 0, &jnp::array([9, -9]))), &[3.0, 0.0], 0.0);
    let under_jit = jit(|x: &Array, i: &Array| x.index((0, i)));
    assert_values(&under_jit(&x, &Array::scalar(2i32)), &[8.0, 9.0, 10.0, 11.0], 0.0);
}

#[test]
fn updates() {
    let x = jnp::zeros([2, 3], DType::F32);
    assert_values(&x.at((0, 1)).set(5.0), &[0.0, 5.0, 0.0, 0.0, 0.0, 0.0], 0.0);
    assert_values(&x.at((.., 1)).set(jnp::array([1.0, 2.0])), &[0.0, 1.0, 0.0, 0.0, 2.0, 0.0], 0.0);
    assert_values(&x.at((1, 1..)).add(3.0), &[0.0, 0.0, 0.0, 0.0, 3.0, 3.0], 0.0);
    assert_values(&x.at((.., Span::all().step(2))).set(1.0), &[1.0, 0.0, 1.0, 1.0, 0.0, 1.0], 0.0);
    assert_values(&x.at(1).set(jnp::array([1.0, 2.0, 3.0])), &[0.0, 0.0, 0.0, 1.0, 2.0, 3.0], 0.0);
    let y = jnp::array([1.0, 2.0, 3.0]);
    assert_values(&y.at(jnp::array([0, 0, 2])).add(1.0), &[3.0, 2.0, 4.0], 0.0);
    assert_values(&y.at(jnp::array([0, 2])).multiply(10.0), &[10.0, 2.0, 30.0], 0.0);
    assert_values(&y.at(..).min(2.0), &[1.0, 2.0, 2.0], 0.0);
    assert_values(&y.at(1..).max(2.5), &[1.0, 2.5, 3.0], 0.0);
    assert_values(&y.at(0).subtract(1.0).at(1).divide(2.0).at(2).power(2), &[0.0, 1.0, 9.0], 0.0);
    assert_values(&y.at(1).apply(|v| -v), &[1.0, -2.0, 3.0], 0.0);
    // Outside: dropped, or clipped where that was asked for.
    assert_values(&y.at(jnp::array([10])).set(9.0), &[1.0, 2.0, 3.0], 0.0);
    assert_values(&y.at(jnp::array([10])).clip().set(9.0), &[1.0, 2.0, 9.0], 0.0);
    assert!(y.at(jnp::array([10])).get().item::<f32>().is_nan());
    assert_values(&y.at(jnp::array([10, 1])).get_or(-1.0), &[-1.0, 2.0], 0.0);
    assert_eq!(y.at(0).set(7).dtype(), DType::F32);
}

#[test]
fn gradients_of_indexing_scatter_back() {
    let x = jnp::array([1.0, 2.0, 3.0]);
    let i = jnp::array([0, 2, 2]);
    assert_values(&grad(|x: &Array| x.index(&i).sum(..))(&x), &[1.0, 0.0, 2.0], 0.0);
    assert_values(&grad(|x: &Array| x.at(1).set(x.index(0) * 5.0).sum(..))(&x), &[6.0, 0.0, 1.0], 0.0);
    assert_values(&grad(|v: &Array| x.at(&i).add(v * v).sum(..))(&jnp::array([1.0, 2.0, 3.0])), &[2.0, 4.0, 6.0], 0.0);
    let batched = vmap(|x: &Array, i: &Array| x.index(i), axes![_, 0]);
    assert_values(&batched(&x, &i), &[1.0, 3.0, 3.0], 0.0);
}

#[test]
fn take_modes() {
    let x = jnp::array([1.0, 2.0, 3.0]);
    let i = jnp::array([-1, 4, 1]);
    let taken = jnp::take(&x, &i, 0, jnp::TakeMode::Fill).to_vec::<f32>();
    assert!(taken[0] == 3.0 && taken[1].is_nan() && taken[2] == 2.0, "{taken:?}");
    assert_values(&jnp::take(&x, &i, 0, jnp::TakeMode::Clip), &[3.0, 3.0, 2.0], 0.0);
    assert_values(&jnp::take(&x, &i, 0, jnp::TakeMode::Wrap), &[3.0, 2.0, 2.0], 0.0);
    let rows = jnp::arange(6).reshape([2, 3]);
    assert_values(&jnp::take_along_axis(&rows, &jnp::array([[2], [0]]), 1), &[2.0, 3.0], 0.0);
    assert_eq!(rows.take(jnp::array([[0, 1]]), 1).shape()[..], [2, 1, 2]);
}
