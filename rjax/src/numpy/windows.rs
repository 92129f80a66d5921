//! Window functions of signal processing, as `f32` vectors.

use rjax_ir::DType;

use crate::array::Array;
use crate::lax;

/// 0, 1, …, `size - 1`, unless the window has one element, which is 1.
#[track_caller]
fn window(size: usize, f: impl FnOnce(&Array, f64) -> Array) -> Array {
    if size <= 1 {
        return super::ones([size], DType::F32);
    }
    f(&lax::iota(DType::F32, size), size as f64 - 1.0)
}

/// The triangular window. JAX: `numpy.bartlett`.
#[track_caller]
pub fn bartlett(size: usize) -> Array {
    window(size, |n, last| 1.0 - (2.0 * n + 1.0 - size as f64).abs() / last)
}

/// The Blackman window. JAX: `numpy.blackman`.
#[track_caller]
pub fn blackman(size: usize) -> Array {
    let tau = std::f64::consts::TAU;
    window(size, |n, last| 0.42 - 0.5 * (tau * n / last).cos() + 0.08 * (2.0 * tau * n / last).cos())
}

/// The Hamming window. JAX: `numpy.hamming`.
#[track_caller]
pub fn hamming(size: usize) -> Array {
    window(size, |n, last| 0.54 - 0.46 * (std::f64::consts::TAU * n / last).cos())
}

/// The Hann window. JAX: `numpy.hanning`.
#[track_caller]
pub fn hanning(size: usize) -> Array {
    window(size, |n, last| 0.5 * (1.0 - (std::f64::consts::TAU * n / last).cos()))
}

/// The Kaiser window. JAX: `numpy.kaiser`.
#[track_caller]
pub fn kaiser(size: usize, beta: f64) -> Array {
    window(size, |n, last| {
        let alpha = 0.5 * last;
        let inside = beta * (1.0 - ((n - alpha) / alpha).square()).sqrt();
        super::i0(inside) / super::i0(Array::scalar(beta as f32))
    })
}
