//! Convolutions, Fourier transforms and `scipy.linalg`.

use rjax::lax::{ConvDimensionNumbers, ConvOptions, ConvTransposeOptions, FftType, Padding};
use rjax::nn::initializers as init;
use rjax::prelude::*;
use rjax::scipy::linalg::{self, DftScale, SchurOutput, Side};

use super::Golden;

/// A few ulp of f32 for sums of some ten products.
const CLOSE: f64 = 5e-6;

#[test]
fn linear_functions() {
    let g = Golden::new(include_str!("../../golden/linear.txt"));
    let check = |name: &str, found: Array| g.check(name, &found, CLOSE);
    let (x, w, wt) = (g.input("x"), g.input("w"), g.input("wt"));
    let line = x.index((0, .., .., 0..1));
    let filter = w.index((.., 0, 0..1, ..));
    for (name, padding) in [("SAME", Padding::Same), ("VALID", Padding::Valid)] {
        let transposed = |case: &str, x: &Array, w: &Array, strides: &[usize], options: ConvTransposeOptions| {
            let found = lax::conv_transpose(x, w, strides, padding.clone(), options);
            check(&format!("conv_transpose {case}{name}"), found);
        };
        let dilated = ConvTransposeOptions { rhs_dilation: vec![1, 2], ..Default::default() };
        let of_gradient = ConvTransposeOptions { transpose_kernel: true, ..Default::default() };
        transposed("", &x, &w, &[2, 3], Default::default());
        transposed("small stride ", &x, &w, &[1, 1], Default::default());
        transposed("dilated ", &x, &w, &[2, 1], dilated);
        transposed("kernel ", &x, &wt, &[2, 2], of_gradient);
        transposed("line ", &line, &filter, &[4], Default::default());
        let patches = lax::conv_general_dilated_patches(&x, &[2, 2], &[1, 2], padding.clone(), Default::default());
        check(&format!("patches {name}"), patches);
    }
    let pads = Padding::Explicit(vec![(1, 0), (2, 1)]);
    check("conv_transpose pads", lax::conv_transpose(&x, &w, &[2, 2], pads, Default::default()));
    let options = ConvOptions {
        rhs_dilation: vec![1, 2],
        dimension_numbers: Some(ConvDimensionNumbers { lhs: "NHWC", rhs: "HWIO", out: "NHWC" }),
        ..Default::default()
    };
    let pads = Padding::Explicit(vec![(1, 0), (0, 0)]);
    check("patches features last", lax::conv_general_dilated_patches(&x, &[3, 2], &[1, 1], pads, options));
    let pads = Padding::Explicit(vec![(1, 1), (2, 0)]);
    let kernel = w.reshape([3, 4, 3, 1]);
    let found = lax::conv_with_general_padding(&x, &kernel, &[1, 1], pads, &[1, 2], &[1, 1]);
    check("conv_with_general_padding", found);

    let a = g.input("a");
    let complex = a.astype(DType::C64);
    check("fft", lax::fft(&complex, FftType::Fft, &[4, 4]));
    check("ifft", lax::fft(&complex, FftType::Ifft, &[4]));
    check("irfft", lax::fft(&complex, FftType::Irfft, &[6]));
    check("sqrtm", linalg::sqrtm(&a));
    check("sqrtm triangle", linalg::sqrtm(&jnp::triu(&a, 0)));
    let (h, q) = linalg::hessenberg(&a);
    g.check_all("hessenberg", &[&h, &q], CLOSE);
    check("hessenberg batch", linalg::hessenberg(&jnp::stack(&[&a, &a.t()], 0)).0);
    let (u, p) = linalg::polar(&a, Side::Right);
    g.check_all("polar right", &[&u, &p], CLOSE);
    let (u, p) = linalg::polar(&a.index((.., 0..3)).t(), Side::Left);
    g.check_all("polar left", &[&u, &p], CLOSE);
    let (d, e) = (g.input("d"), g.input("e"));
    let (values, vectors) = linalg::eigh_tridiagonal(&d, &e);
    let matrix = jnp::diag(&d, 0) + jnp::diag(&e, 1) + jnp::diag(&e, -1);
    crate::assert_close(&matrix.dot(&vectors), &(&vectors * &values), CLOSE);
    check("eigh_tridiagonal", values);
    let (triangle, z) = linalg::schur(&a, SchurOutput::Complex);
    crate::assert_close(&jnp::real(z.dot(&triangle).dot(jnp::conj(z.t()))), &a, CLOSE);
    check("schur values", jnp::real(triangle.diagonal(0)).sort(0));
    check("dft", linalg::dft(5, DftScale::None));
    check("dft sqrt", linalg::dft(4, DftScale::Sqrt));
    check("dft size", linalg::dft(3, DftScale::Size));
    check("fiedler", linalg::fiedler(&d));
    check("hadamard", linalg::hadamard(8));
    check("helmert", linalg::helmert(5, false));
    check("helmert full", linalg::helmert(4, true));
    check("leslie", linalg::leslie(&d, &e));
    // JAX computes binomials by logarithms, to 1e-6.
    check("pascal", linalg::pascal(6));
    let key = Key::new(7);
    check("orthogonal tall", init::orthogonal(1.0).init(&key, [6, 3], DType::F32));
    check("orthogonal wide", init::orthogonal(2.0).init(&key, [2, 2, 5], DType::F32));
    check("delta_orthogonal", init::delta_orthogonal(1.0).init(&key, [3, 4, 2, 3], DType::F32));
    g.finish();
}
