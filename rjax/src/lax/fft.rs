//! Fourier transforms by kind.

use rjax_ir::{Fft, FftKind, Op};

use crate::Array;
use crate::trace::emit1;

/// The discrete Fourier transform over the last axes. The operand is complex, or real for [`FftKind::Rfft`]; `lengths` are the extents of
/// the real array where one side is real. JAX: `lax.fft`.
///
/// ```
/// use rjax::prelude::*;
/// let x = jnp::array([1.0f32, 0.0, 0.0, 0.0]);
/// let y = lax::fft(&x, lax::FftType::Rfft, &[4]);
/// assert_eq!(jnp::real(&y).to_vec::<f32>(), [1.0, 1.0, 1.0]);
/// ```
#[track_caller]
pub fn fft(x: &Array, kind: FftKind, lengths: &[usize]) -> Array {
    emit1(Op::Fft(Fft { kind, lengths: lengths.to_vec() }), &[x])
}
