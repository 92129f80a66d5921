//! Discrete Fourier transforms over trailing axes.

use num_complex::Complex;

use crate::math::linalg::{
    Direction, FourierPart, InOrder, Pieces, fourier, fourier_of_real, leading, real_of_fourier,
};
use crate::{Aval, DType, DTypeSet, Result, Tensor, check, ensure};

const NAME: &str = "fft";

/// Which transform.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FftKind {
    /// Complex to complex, with exp(-2 pi i j k / n).
    Fft,
    /// The inverse of [`FftKind::Fft`], which divides by the number of elements.
    Ifft,
    /// Real to complex: the first n / 2 + 1 elements along the last axis of the transform, which determine the others.
    Rfft,
    /// The inverse of [`FftKind::Rfft`].
    Irfft,
}

impl FftKind {
    /// All kinds.
    pub const ALL: [FftKind; 4] = [FftKind::Fft, FftKind::Ifft, FftKind::Rfft, FftKind::Irfft];

    /// The name in text.
    pub const fn name(self) -> &'static str {
        match self {
            FftKind::Fft => "FFT",
            FftKind::Ifft => "IFFT",
            FftKind::Rfft => "RFFT",
            FftKind::Irfft => "IRFFT",
        }
    }
}

/// Parameters of `fft`: `(x) -> y` over the last `lengths.len()` axes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fft {
    /// Which transform.
    pub kind: FftKind,
    /// The extents of the transformed axes, those of the real array where one side is real.
    pub lengths: Vec<usize>,
}

impl Fft {
    pub(crate) fn infer(&self, inputs: &[Aval]) -> Result<Vec<Aval>> {
        let [x] = check::operands(NAME, inputs)?;
        let real_input = self.kind == FftKind::Rfft;
        check::dtype(NAME, if real_input { DTypeSet::COMPLEX_PART } else { DTypeSet::COMPLEX }, x)?;
        let count = self.lengths.len();
        ensure!(
            (1..=x.rank()).contains(&count),
            Parameter,
            "{NAME}: expected at least 1 length and at most one for each axis of {x}, found {count}"
        );
        let mut halved = self.lengths.clone();
        halved[count - 1] = halved[count - 1] / 2 + 1;
        let (from, to) = match self.kind {
            FftKind::Fft | FftKind::Ifft => (&self.lengths, &self.lengths),
            FftKind::Rfft => (&self.lengths, &halved),
            FftKind::Irfft => (&halved, &self.lengths),
        };
        let (batch, transformed) = x.shape.split_at(x.rank() - count);
        ensure!(
            transformed == from.as_slice(),
            Shape,
            "{NAME}: {} of lengths {:?} takes an operand whose last extents are {from:?}, found {x}",
            self.kind.name(),
            self.lengths
        );
        let dtype = match self.kind {
            FftKind::Fft | FftKind::Ifft => x.dtype,
            FftKind::Rfft => x.dtype.complex().expect("checked: f32 or f64"),
            FftKind::Irfft => x.dtype.real(),
        };
        Ok(vec![Aval::new(dtype, [batch, to].concat())])
    }

    pub(crate) fn eval(&self, x: &Tensor, output: &Aval) -> Tensor {
        let outputs = std::slice::from_ref(output);
        let mut results = super::numeric::eval(std::slice::from_ref(x), outputs, |inputs, outputs| {
            self.run(inputs, outputs, &InOrder)
        });
        results.pop().expect("one result")
    }

    /// Computes the op on an operand that it accepts. Elements are in native byte order, row-major, and aligned as their dtype; the output
    /// is not the memory of the input.
    pub fn run(&self, inputs: &[(&Aval, &[u8])], outputs: &mut [(&Aval, &mut [u8])], pieces: &impl Pieces) {
        let double = inputs[0].0.dtype.real() == DType::F64;
        let (x, y) = (inputs[0].1, &mut *outputs[0].1);
        if double { self.transform::<f64>(x, y, pieces) } else { self.transform::<f32>(x, y, pieces) }
    }

    fn transform<T: FourierPart + bytemuck::Pod>(&self, x: &[u8], y: &mut [u8], pieces: &impl Pieces)
    where
        Complex<T>: bytemuck::Pod,
    {
        let (&last, outer) = self.lengths.split_last().expect("verified: at least one length");
        let half = last / 2 + 1;
        match self.kind {
            FftKind::Fft | FftKind::Ifft => {
                let direction = if self.kind == FftKind::Fft { Direction::Forward } else { Direction::Inverse };
                let (x, y) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
                fourier::<T>(pieces, direction, &self.lengths, x, y);
            }
            FftKind::Rfft => {
                let spectra: &mut [Complex<T>] = bytemuck::cast_slice_mut(y);
                fourier_of_real::<T>(pieces, last, bytemuck::cast_slice(x), spectra);
                leading(pieces, Direction::Forward, outer, half, spectra);
            }
            FftKind::Irfft if outer.is_empty() => {
                real_of_fourier::<T>(pieces, last, bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
            }
            FftKind::Irfft => {
                let mut spectra: Vec<Complex<T>> = bytemuck::cast_slice(x).to_vec();
                leading(pieces, Direction::Inverse, outer, half, &mut spectra);
                real_of_fourier::<T>(pieces, last, &spectra, bytemuck::cast_slice_mut(y));
            }
        }
    }
}
