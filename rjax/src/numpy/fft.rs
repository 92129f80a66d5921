//! Discrete Fourier transforms, unnormalised forwards and divided by the number of elements backwards.
//!
//! ```
//! use rjax::prelude::*;
//! let x = jnp::array([1.0f32, 2.0, 0.0, -1.0]);
//! let y = jnp::fft::irfft(&jnp::fft::rfft(&x), 4);
//! assert!((y - x).abs().max(..).item::<f32>() < 1e-6);
//! ```

use rjax_ir::{DType, ErrorKind, Fft, FftKind, Op};

use crate::array::{Array, promote_inexact};
use crate::error::fail_with;
use crate::trace::emit1;

/// A transform over the last axes; `lengths` are the extents of the real array where one side is real.
#[track_caller]
fn transform(function: &str, kind: FftKind, x: &Array, lengths: Vec<usize>) -> Array {
    if lengths.len() > x.ndim() || lengths.is_empty() {
        fail_with(
            ErrorKind::Shape,
            format!("{function}: expected an array of at least {} axes, found {}", lengths.len().max(1), x.aval()),
        )
    }
    let x = promote_inexact(function, &[x]).remove(0);
    let x = if kind != FftKind::Rfft {
        let complex = if x.dtype().real() == DType::F64 { DType::C128 } else { DType::C64 };
        x.astype(complex)
    } else if matches!(x.dtype(), DType::F16 | DType::BF16) {
        x.astype(DType::F32)
    } else {
        x
    };
    emit1(Op::Fft(Fft { kind, lengths }), &[&x])
}

fn last_extents(x: &Array, count: usize) -> Vec<usize> {
    let shape = x.shape();
    shape[x.ndim().saturating_sub(count)..].to_vec()
}

/// The transform along the last axis.
#[track_caller]
pub fn fft(x: &Array) -> Array {
    transform("fft", FftKind::Fft, x, last_extents(x, 1))
}

/// The inverse of [`fft`].
#[track_caller]
pub fn ifft(x: &Array) -> Array {
    transform("ifft", FftKind::Ifft, x, last_extents(x, 1))
}

/// The transform along the last two axes.
#[track_caller]
pub fn fft2(x: &Array) -> Array {
    transform("fft2", FftKind::Fft, x, last_extents(x, 2))
}

/// The inverse of [`fft2`].
#[track_caller]
pub fn ifft2(x: &Array) -> Array {
    transform("ifft2", FftKind::Ifft, x, last_extents(x, 2))
}

/// The transform along all axes.
#[track_caller]
pub fn fftn(x: &Array) -> Array {
    transform("fftn", FftKind::Fft, x, last_extents(x, x.ndim()))
}

/// The inverse of [`fftn`].
#[track_caller]
pub fn ifftn(x: &Array) -> Array {
    transform("ifftn", FftKind::Ifft, x, last_extents(x, x.ndim()))
}

/// The first half of the transform of a real array along the last axis: n / 2 + 1 elements, which determine the others.
#[track_caller]
pub fn rfft(x: &Array) -> Array {
    transform("rfft", FftKind::Rfft, x, last_extents(x, 1))
}

/// The inverse of [`rfft`]: `n` real elements along the last axis.
#[track_caller]
pub fn irfft(x: &Array, n: usize) -> Array {
    transform("irfft", FftKind::Irfft, x, vec![n])
}

/// [`rfft`] along the last axis and [`fft`] along the others.
#[track_caller]
pub fn rfftn(x: &Array) -> Array {
    transform("rfftn", FftKind::Rfft, x, last_extents(x, x.ndim()))
}

/// [`rfft`] along the last axis and [`fft`] along the one before. JAX: `numpy.fft.rfft2`.
#[track_caller]
pub fn rfft2(x: &Array) -> Array {
    transform("rfft2", FftKind::Rfft, x, last_extents(x, 2))
}

/// The inverse of [`rfft2`]: a real array whose last axis has `n` elements. JAX: `numpy.fft.irfft2`.
#[track_caller]
pub fn irfft2(x: &Array, n: usize) -> Array {
    let mut lengths = last_extents(x, 2);
    if let Some(last) = lengths.last_mut() {
        *last = n;
    }
    transform("irfft2", FftKind::Irfft, x, lengths)
}

/// The transform, `n` real elements along the last axis, of a signal of which the first half is given and the other mirrors it
/// conjugated. JAX: `numpy.fft.hfft`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([1.0f32, 2.0, 3.0, 4.0]);
/// assert!(jnp::allclose(&jnp::fft::hfft(&jnp::fft::ihfft(&x), 4), &x, 1e-5, 1e-5).item::<bool>());
/// ```
#[track_caller]
pub fn hfft(x: &Array, n: usize) -> Array {
    irfft(&super::conj(x), n) * n as f64
}

/// The inverse of [`hfft`]. JAX: `numpy.fft.ihfft`.
#[track_caller]
pub fn ihfft(x: &Array) -> Array {
    let n = x.shape().last().map_or(1, |&n| n);
    super::conj(rfft(x)) / n as f64
}

/// The inverse of [`rfftn`]: a real array whose last axis has `n` elements.
#[track_caller]
pub fn irfftn(x: &Array, n: usize) -> Array {
    let mut lengths = last_extents(x, x.ndim());
    if let Some(last) = lengths.last_mut() {
        *last = n;
    }
    transform("irfftn", FftKind::Irfft, x, lengths)
}

/// The frequencies of the elements of a transform of length `n` of samples `step` apart.
///
/// ```
/// use rjax::prelude::*;
/// assert_eq!(jnp::fft::fftfreq(4, 0.5).to_vec::<f32>(), [0.0, 0.5, -1.0, -0.5]);
/// ```
pub fn fftfreq(n: usize, step: f64) -> Array {
    let positions = super::arange(n).astype(DType::F32);
    let half = n.div_ceil(2) as f64;
    let wrapped = super::where_(positions.lt(half), &positions, &positions - n as f64);
    wrapped / (n as f64 * step)
}

/// The frequencies of the elements of [`rfft`].
pub fn rfftfreq(n: usize, step: f64) -> Array {
    super::arange(n / 2 + 1).astype(DType::F32) / (n as f64 * step)
}

/// Moves the element of frequency zero to the middle of an axis.
#[track_caller]
pub fn fftshift(x: &Array, axis: isize) -> Array {
    let extent = extent_of("fftshift", x, axis);
    super::roll(x, (extent / 2) as i64, axis)
}

/// The inverse of [`fftshift`].
#[track_caller]
pub fn ifftshift(x: &Array, axis: isize) -> Array {
    let extent = extent_of("ifftshift", x, axis);
    super::roll(x, -((extent / 2) as i64), axis)
}

#[track_caller]
fn extent_of(function: &str, x: &Array, axis: isize) -> usize {
    x.shape()[crate::error::check(crate::lax::resolve_axis(function, axis, x.ndim()))]
}
