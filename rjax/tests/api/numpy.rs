//! NumPy's functions against values computed by hand or by NumPy.

use rjax::prelude::*;

use crate::{assert_close, assert_values, scalar};

#[test]
fn creation() {
    assert_values(&jnp::eye(2, DType::I32), &[1.0, 0.0, 0.0, 1.0], 0.0);
    assert_values(&jnp::tri(2, 3, 1, DType::F32), &[1.0, 1.0, 0.0, 1.0, 1.0, 1.0], 0.0);
    assert_values(&jnp::linspace(0.0, 1.0, 5), &[0.0, 0.25, 0.5, 0.75, 1.0], 1e-7);
    assert_values(&jnp::linspace(2.0, 3.0, 1), &[2.0], 0.0);
    assert_values(&jnp::arange_step(5, 0, -2), &[5.0, 3.0, 1.0], 0.0);
    assert_values(&jnp::logspace(0.0, 2.0, 3, 10.0), &[1.0, 10.0, 100.0], 1e-5);
    let grid = jnp::meshgrid(&[&jnp::arange(2), &jnp::arange(3)], "xy");
    assert_values(&grid[0], &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 0.0);
    assert_eq!(jnp::meshgrid(&[&jnp::arange(2), &jnp::arange(3)], "ij")[1].shape()[..], [2, 3]);
    assert_values(&jnp::full([2], 7, DType::U8), &[7.0, 7.0], 0.0);
}

#[test]
fn reductions() {
    let x = jnp::array([[1.0, 5.0, 3.0], [4.0, 2.0, 6.0]]);
    assert_values(&x.sum(..), &[21.0], 0.0);
    assert_values(&x.sum(0), &[5.0, 7.0, 9.0], 0.0);
    assert_eq!(x.sum(keepdims([0, 1])).shape()[..], [1, 1]);
    assert_values(&x.mean(1), &[3.0, 4.0], 1e-6);
    assert_values(&x.var(1), &[8.0 / 3.0, 8.0 / 3.0], 1e-6);
    assert_values(&x.std(..), &[(35.0f64 / 12.0).sqrt()], 1e-6);
    assert_values(&x.max(0), &[4.0, 5.0, 6.0], 0.0);
    assert_values(&x.argmax(1), &[1.0, 2.0], 0.0);
    assert_values(&x.argmin(0), &[0.0, 1.0, 0.0], 0.0);
    assert_values(&x.cumsum(1), &[1.0, 6.0, 9.0, 4.0, 6.0, 12.0], 0.0);
    assert_values(&x.ptp(..), &[5.0], 0.0);
    assert_eq!(
        (jnp::zeros([0], DType::F32).sum(..).item::<f32>(), jnp::ones([3], DType::Bool).sum(..).dtype()),
        (0.0, DType::I32)
    );
    assert_eq!(jnp::ones([3], DType::U8).sum(..).dtype(), DType::U32);
    assert_eq!(jnp::arange(3).mean(..).dtype(), DType::F32);
    assert_eq!(jnp::ones([3], DType::BF16).mean(..).dtype(), DType::BF16);
    assert!(jnp::array([1.0, f32::NAN as f64]).max(..).item::<f32>().is_nan());
    assert_values(&jnp::diff(&jnp::array([1, 4, 9]), 1, 0), &[3.0, 5.0], 0.0);
    assert_values(&jnp::average(&x, 1, &jnp::array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])), &[1.0, 3.0], 0.0);
}

#[test]
fn shapes() {
    let x = jnp::arange(6).reshape([2, -1]);
    assert_eq!(x.shape()[..], [2, 3]);
    assert_values(&x.t(), &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0], 0.0);
    assert_values(&jnp::roll(&x, 1, 1), &[2.0, 0.0, 1.0, 5.0, 3.0, 4.0], 0.0);
    assert_values(&jnp::flip(&x, 0), &[3.0, 4.0, 5.0, 0.0, 1.0, 2.0], 0.0);
    assert_values(&jnp::rot90(&x, 1), &[2.0, 5.0, 1.0, 4.0, 0.0, 3.0], 0.0);
    assert_values(&jnp::repeat(&jnp::arange(2), 2, 0), &[0.0, 0.0, 1.0, 1.0], 0.0);
    assert_values(&jnp::tile(&jnp::arange(2), &[2, 2]), &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 0.0);
    assert_eq!(jnp::stack(&[&x, &x], 1).shape()[..], [2, 2, 3]);
    assert_eq!(jnp::vstack(&[jnp::arange(2), jnp::arange(2)]).shape()[..], [2, 2]);
    assert_eq!(jnp::moveaxis(&jnp::zeros([2, 3, 4], DType::F32), 0, -1).shape()[..], [3, 4, 2]);
    assert_values(&jnp::pad(&jnp::arange(2), &[(1, 2)], 9), &[9.0, 0.0, 1.0, 9.0, 9.0], 0.0);
    assert_eq!(jnp::array_split(&jnp::arange(5), 2, 0).iter().map(|p| p.size()).collect::<Vec<_>>(), [3, 2]);
    assert_values(&jnp::concatenate(&[jnp::arange(1), jnp::array([0.5])], 0), &[0.0, 0.5], 0.0);
    assert_eq!(jnp::squeeze(&jnp::zeros([1, 2, 1], DType::F32)).shape()[..], [2]);
}

#[test]
fn products() {
    let (a, b) = (jnp::arange(6).reshape([2, 3]), jnp::arange(12).reshape([3, 4]));
    assert_eq!(a.dot(&b).shape()[..], [2, 4]);
    assert_values(&a.matmul(jnp::arange(3)), &[5.0, 14.0], 0.0);
    let batch = jnp::matmul(&jnp::ones([5, 1, 2, 3], DType::F32), &jnp::ones([4, 3, 2], DType::F32));
    assert_eq!(batch.shape()[..], [5, 4, 2, 2]);
    assert_values(&jnp::outer(&jnp::arange(2), &jnp::arange(3)), &[0.0, 0.0, 0.0, 0.0, 1.0, 2.0], 0.0);
    assert_values(&jnp::cross(&jnp::array([1, 0, 0]), &jnp::array([0, 1, 0])), &[0.0, 0.0, 1.0], 0.0);
    assert_values(&jnp::kron(&jnp::array([1, 2]), &jnp::array([1, 10])), &[1.0, 10.0, 2.0, 20.0], 0.0);
    assert_values(&jnp::trace(&jnp::arange(9).reshape([3, 3]), 0), &[12.0], 0.0);
    assert_values(&jnp::tensordot(&a, &a, (&[0, 1], &[0, 1])), &[55.0], 0.0);
    assert_eq!(
        jnp::einsum("bij,bjk->bik", &[&jnp::ones([2, 3, 4], DType::F32), &jnp::ones([2, 4, 5], DType::F32)]).shape()[..],
        [2, 3, 5]
    );
    assert_values(&jnp::einsum("ii", &[&jnp::arange(4).reshape([2, 2])]), &[3.0], 0.0);
    assert_values(&jnp::einsum("ij->ji", &[&a]), &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0], 0.0);
    assert_values(&jnp::einsum("i,j,k->", &[&jnp::arange(3), &jnp::arange(3), &jnp::arange(3)]), &[27.0], 0.0);
    assert_eq!(
        jnp::einsum("...i,...i->...", &[&jnp::ones([2, 3], DType::F32), &jnp::ones([3], DType::F32)]).shape()[..],
        [2]
    );
    assert_values(&jnp::vdot(&jnp::arange(3), &jnp::arange(3)), &[5.0], 0.0);
}

#[test]
fn elementwise() {
    assert_values(&jnp::floor_divide(jnp::array([-7, 7]), 2), &[-4.0, 3.0], 0.0);
    assert_values(&jnp::remainder(jnp::array([-7.5, 7.5]), 2.0), &[0.5, 1.5], 0.0);
    assert_values(&jnp::power(jnp::array([2, 3]), jnp::array([10, 0])), &[1024.0, 1.0], 0.0);
    assert_values(&jnp::hypot(3.0, 4.0), &[5.0], 1e-6);
    assert_values(&jnp::logaddexp(scalar(f32::NEG_INFINITY), scalar(1.0)), &[1.0], 0.0);
    assert_values(&jnp::round(jnp::array([0.5, 1.5, 2.567]), 0), &[0.0, 2.0, 3.0], 0.0);
    assert_values(&jnp::round(jnp::array([2.567]), 2), &[2.57], 1e-6);
    assert_values(&jnp::trunc(jnp::array([-1.5, 1.5])), &[-1.0, 1.0], 0.0);
    assert_values(&jnp::fmax(jnp::array([f64::NAN, 1.0]), 0.5), &[0.5, 1.0], 0.0);
    assert_values(&jnp::nan_to_num(jnp::array([f64::NAN, f64::INFINITY])), &[0.0, f64::from(f32::MAX)], 0.0);
    assert_values(&jnp::sinc(jnp::array([0.0, 0.5])), &[1.0, 2.0 / std::f64::consts::PI], 1e-6);
    assert_values(&jnp::copysign(1.0, scalar(-0.0)), &[-1.0], 0.0);
    assert_values(&jnp::where_(jnp::array([true, false]), 1, 2.5), &[1.0, 2.5], 0.0);
    assert_values(&jnp::sqrt(4), &[2.0], 0.0);
    assert!(jnp::allclose(jnp::array([1.0]), jnp::array([1.0 + 1e-7]), 1e-5, 1e-8).item::<bool>());
    assert!(!jnp::isclose(scalar(f32::NAN), scalar(f32::NAN), 1e-5, 1e-8).item::<bool>());
    assert_values(&jnp::isin(&jnp::array([1, 5]), &jnp::array([5, 7])), &[0.0, 1.0], 0.0);
}

#[test]
fn sorting_and_selecting() {
    let x = jnp::array([3.0, f64::NAN, 1.0, 2.0]);
    let sorted = x.sort(0).to_vec::<f32>();
    assert!(sorted[..3] == [1.0, 2.0, 3.0] && sorted[3].is_nan());
    assert_values(&x.argsort(0), &[2.0, 3.0, 0.0, 1.0], 0.0);
    assert_values(&jnp::lexsort(&[&jnp::array([1, 0, 1]), &jnp::array([0, 1, 0])], 0), &[0.0, 2.0, 1.0], 0.0);
    let (values, indices) = lax::top_k(&jnp::array([1.0, 9.0, 5.0]), 2);
    assert_values(&values, &[9.0, 5.0], 0.0);
    assert_values(&indices, &[1.0, 2.0], 0.0);
    assert_values(&jnp::searchsorted(&jnp::array([1, 2, 2, 3]), &jnp::array([2]), true), &[3.0], 0.0);
    assert_values(&jnp::flatnonzero(&jnp::array([0, 3, 0, 4])), &[1.0, 3.0], 0.0);
    assert_values(&jnp::nonzero_sized(&jnp::array([0, 3, 0, 4]), 3, -1)[0], &[1.0, 3.0, -1.0], 0.0);
    assert_values(&jnp::diag(&jnp::array([1, 2]), 1), &[0.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0], 0.0);
    assert_values(&jnp::diag(&jnp::arange(6).reshape([2, 3]), 1), &[1.0, 5.0], 0.0);
    assert_values(&jnp::diag(&jnp::arange(6).reshape([2, 3]), -1), &[3.0], 0.0);
    assert_values(&jnp::tril(&jnp::ones([2, 2], DType::F32), 0), &[1.0, 0.0, 1.0, 1.0], 0.0);
    assert_values(&jnp::triu(&jnp::ones([2, 2], DType::F32), 1), &[0.0, 1.0, 0.0, 0.0], 0.0);
    assert_values(&jnp::extract(&jnp::array([true, false, true]), &jnp::arange(3)), &[0.0, 2.0], 0.0);
    let indices = jnp::unravel_index(&jnp::array([5]), [2, 3]);
    assert_values(&jnp::stack(&indices, 0), &[1.0, 2.0], 0.0);
}

#[test]
fn neural_network_functions() {
    assert_values(&nn::gelu(scalar(1.0)), &[0.8411920], 1e-6);
    assert_values(&nn::gelu_exact(scalar(1.0)), &[0.8413447], 1e-6);
    assert_values(&nn::softmax(&jnp::array([0.0, 0.0]), 0), &[0.5, 0.5], 0.0);
    assert_values(&nn::logsumexp(&jnp::array([f64::NEG_INFINITY, f64::NEG_INFINITY]), ..), &[f64::NEG_INFINITY], 0.0);
    assert!(nn::softmax(&jnp::array([f64::NEG_INFINITY; 2]), 0).index(0).item::<f32>().is_nan());
    assert_values(&nn::log_softmax(&jnp::array([1000.0, 0.0]), 0), &[0.0, -1000.0], 0.0);
    assert_values(&nn::silu(scalar(0.0)), &[0.0], 0.0);
    assert_values(&nn::elu(jnp::array([-1.0, 2.0]), 1.0), &[(-1f64).exp_m1(), 2.0], 1e-6);
    assert_values(&nn::standardize(&jnp::array([1.0, 3.0]), 0, 0.0), &[-1.0, 1.0], 1e-6);
    let q = random::normal(&Key::new(0), [1, 3, 2, 4], DType::F32);
    assert_eq!(nn::dot_product_attention(&q, &q, &q, None).shape()[..], [1, 3, 2, 4]);
}

#[test]
fn associative_scan_matches_cumsum() {
    for n in [0, 1, 2, 3, 7, 8] {
        let x = jnp::arange(n).astype(DType::F32);
        assert_close(&lax::associative_scan(|a: &Array, b: &Array| a + b, &x, 0, false), &x.cumsum(0), 1e-6);
    }
    let x = jnp::array([1.0, 2.0, 3.0]);
    assert_values(&lax::associative_scan(|a: &Array, b: &Array| a * b, &x, 0, true), &[6.0, 6.0, 3.0], 0.0);
}

#[test]
fn printing() {
    assert_eq!(jnp::array([1, 20, 3]).to_string(), "[ 1 20  3]");
    assert_eq!(scalar(2.0).to_string(), "2.0".trim_end_matches('0'));
    assert_eq!(jnp::array([1.5, f64::NAN, f64::INFINITY]).to_string(), "[1.5 nan inf]");
    assert_eq!(jnp::array([true, false]).to_string(), "[ true false]");
    assert_eq!(jnp::array([1e-8, 1.0]).to_string(), "[1.e-08 1.e+00]");
    assert_eq!(format!("{:?}", Array::from(2)), "Array(2, i32, weak)");
    assert_eq!(jnp::arange(2000).to_string(), "[   0    1    2 ... 1997 1998 1999]");
    assert_eq!(jnp::zeros([0], DType::F32).to_string(), "[]");
}

#[test]
fn convolutions() {
    let x = jnp::arange(5).astype(DType::F32).reshape([1, 1, 5]);
    let k = jnp::array([1.0, 0.0, -1.0]).reshape([1, 1, 3]);
    assert_values(&lax::conv(&x, &k, &[1], lax::Padding::Valid), &[-2.0, -2.0, -2.0], 0.0);
    assert_eq!(lax::conv(&x, &k, &[2], lax::Padding::Same).shape()[..], [1, 1, 3]);
    let numbers = lax::ConvDimensionNumbers { lhs: "NHWC", rhs: "HWIO", out: "NHWC" };
    let options = lax::ConvOptions { dimension_numbers: Some(numbers), ..lax::ConvOptions::default() };
    let (image, kernel) = (jnp::ones([2, 6, 6, 3], DType::F32), jnp::ones([3, 3, 3, 8], DType::F32));
    let y = lax::conv_general_dilated(&image, &kernel, &[1, 1], lax::Padding::Same, options);
    assert_eq!(y.shape()[..], [2, 6, 6, 8]);
    assert_values(&y.index((0, 2, 2, 0)), &[27.0], 0.0);
    assert_values(&lax::max_pool(&jnp::arange(4).reshape([2, 2]), &[2, 2], &[2, 2]), &[3.0], 0.0);
}
