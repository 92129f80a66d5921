//! Discrete Fourier transforms over trailing axes.

use num_complex::Complex;

use crate::math::linalg::{Direction, FourierPart, fourier};
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
        let mut results =
            super::numeric::eval(std::slice::from_ref(x), outputs, |inputs, outputs| self.run(inputs, outputs));
        results.pop().expect("one result")
    }

    /// Computes the op on an operand that it accepts. Elements are in native byte order, row-major, and aligned as their dtype; the output
    /// is not the memory of the input.
    pub fn run(&self, inputs: &[(&Aval, &[u8])], outputs: &mut [(&Aval, &mut [u8])]) {
        let double = inputs[0].0.dtype.real() == DType::F64;
        let (x, y) = (inputs[0].1, &mut *outputs[0].1);
        if double { self.transform::<f64>(x, y) } else { self.transform::<f32>(x, y) }
    }

    fn transform<T: FourierPart + bytemuck::Pod>(&self, x: &[u8], y: &mut [u8])
    where
        Complex<T>: bytemuck::Pod,
    {
        let (&last, leading) = self.lengths.split_last().expect("verified: at least one length");
        let half = last / 2 + 1;
        match self.kind {
            FftKind::Fft | FftKind::Ifft => {
                y.copy_from_slice(x);
                let direction = if self.kind == FftKind::Fft { Direction::Forward } else { Direction::Inverse };
                fourier::<T>(direction, &self.lengths, bytemuck::cast_slice_mut(y));
            }
            FftKind::Rfft => {
                let (x, y): (&[T], &mut [Complex<T>]) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
                let mut lines: Vec<Complex<T>> = x.iter().map(|&x| Complex::new(x, T::zero())).collect();
                fourier(Direction::Forward, &[last], &mut lines);
                for (line, out) in lines.chunks_exact(last.max(1)).zip(y.chunks_exact_mut(half)) {
                    out.copy_from_slice(&line[..half.min(last)]);
                }
                along_leading(Direction::Forward, leading, half, y);
            }
            FftKind::Irfft => {
                let (x, y): (&[Complex<T>], &mut [T]) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
                let mut halves = x.to_vec();
                along_leading(Direction::Inverse, leading, half, &mut halves);
                let mut line = vec![Complex::new(T::zero(), T::zero()); last];
                for (half_line, out) in halves.chunks_exact(half).zip(y.chunks_exact_mut(last.max(1))) {
                    // A real array has a transform that is its own conjugate mirror image.
                    for (i, value) in line.iter_mut().enumerate() {
                        *value = if i < half { half_line[i] } else { half_line[last - i].conj() };
                    }
                    line[0].im = T::zero();
                    if last % 2 == 0 {
                        line[last / 2].im = T::zero();
                    }
                    fourier(Direction::Inverse, &[last], &mut line);
                    out.iter_mut().zip(&line).for_each(|(out, value)| *out = value.re);
                }
            }
        }
    }
}

/// Transforms all axes but the last one, which has this extent.
fn along_leading<T: FourierPart>(direction: Direction, leading: &[usize], last: usize, values: &mut [Complex<T>]) {
    if leading.is_empty() {
        return;
    }
    // The last axis counts as part of what lies between the elements of a line.
    let size: usize = leading.iter().product::<usize>() * last;
    for block in values.chunks_exact_mut(size.max(1)) {
        fourier_columns(direction, leading, last, block);
    }
}

/// The transform of an array `leading × last` along the leading axes, by way of its transpose.
fn fourier_columns<T: FourierPart>(direction: Direction, leading: &[usize], last: usize, block: &mut [Complex<T>]) {
    let rows: usize = leading.iter().product();
    let mut columns = vec![Complex::new(T::zero(), T::zero()); block.len()];
    for i in 0..rows {
        (0..last).for_each(|j| columns[j * rows + i] = block[i * last + j]);
    }
    fourier(direction, leading, &mut columns);
    for i in 0..rows {
        (0..last).for_each(|j| block[i * last + j] = columns[j * rows + i]);
    }
}
