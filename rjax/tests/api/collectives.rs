//! Communication along a named axis of `vmap`, against what each participant should receive.

use rjax::prelude::*;

use crate::assert_values;

/// Runs a function of one participant's value for all of them, along the axis `i`.
fn along(f: impl Fn(&Array) -> Array + 'static, xs: &Array) -> Array {
    let options = VmapOptions { axis_name: Some("i".into()), ..VmapOptions::default() };
    vmap_with(f, axes![0], options)(xs)
}

#[test]
fn values_go_where_they_are_sent() {
    let xs = jnp::array([1.0, 2.0, 3.0]);
    assert_values(&along(|x: &Array| x * lax::axis_size("i"), &xs), &[3.0, 6.0, 9.0], 0.0);
    assert_values(&along(|x: &Array| lax::all_gather(x, "i", 0), &xs), &[1.0, 2.0, 3.0].repeat(3), 0.0);
    assert_values(&along(|x: &Array| lax::ppermute(x, "i", &[(0, 1), (1, 2)]), &xs), &[0.0, 1.0, 2.0], 0.0);
    assert_values(&along(|x: &Array| lax::pshuffle(x, "i", &[2, 0, 1]), &xs), &[3.0, 1.0, 2.0], 0.0);
    let m = jnp::arange(9).reshape([3, 3]);
    assert_values(
        &along(|x: &Array| lax::all_to_all(x, "i", 0, 0), &m),
        &[0.0, 3.0, 6.0, 1.0, 4.0, 7.0, 2.0, 5.0, 8.0],
        0.0,
    );
    assert_values(
        &along(|x: &Array| lax::pswapaxes(x, "i", 0), &m),
        &[0.0, 3.0, 6.0, 1.0, 4.0, 7.0, 2.0, 5.0, 8.0],
        0.0,
    );
    assert_values(&along(|x: &Array| lax::psum_scatter(x, "i", 0), &m), &[9.0, 12.0, 15.0], 0.0);
}

#[test]
fn infinities_and_gradients_survive_a_gather() {
    let xs = jnp::array([f64::INFINITY, 2.0]);
    assert_values(&along(|x: &Array| lax::all_gather(x, "i", 0), &xs), &[f64::INFINITY, 2.0].repeat(2), 0.0);
    let loss = |xs: &Array| along(|x: &Array| lax::ppermute(x, "i", &[(0, 1), (1, 0)]) * x.square(), xs).sum(..);
    // x₁x₀² + x₀x₁².
    assert_values(&grad(loss)(&jnp::array([3.0, 5.0])), &[2.0 * 15.0 + 25.0, 9.0 + 2.0 * 15.0], 1e-6);
}

#[test]
fn a_jitted_function_is_traced_for_each_size_of_the_axis() {
    let size = jit(|x: &Array| x * lax::axis_size("i"));
    let options = || VmapOptions { axis_name: Some("i".into()), ..VmapOptions::default() };
    let scaled = vmap_with(move |x: &Array| size(x), axes![0], options());
    assert_values(&scaled(&jnp::ones([2], DType::F32)), &[2.0; 2], 0.0);
    assert_values(&scaled(&jnp::ones([3], DType::F32)), &[3.0; 3], 0.0);
}

#[test]
fn an_unbound_axis_is_named() {
    let error = jit(|x: &Array| lax::all_gather(x, "rows", 0)).try_call((&jnp::array([1.0]),)).unwrap_err();
    assert!(error.to_string().contains("no axis `rows` is bound here"), "{error}");
}
