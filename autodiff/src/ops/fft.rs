//! The transpose of `fft`, which is linear.

use rjax_ir::{Atom, Builder, Compare, DType, Fft, FftKind, Op, PadDim, Scalar, Unary};

pub(crate) fn transpose(b: &mut Builder, fft: &Fft, ct: Atom) -> Atom {
    let Fft { kind, lengths } = fft;
    let transform = |kind: FftKind| Op::Fft(Fft { kind, lengths: lengths.clone() });
    match kind {
        // The matrix of the transform is symmetric.
        FftKind::Fft | FftKind::Ifft => b.emit1(transform(*kind), &[ct]),
        // The cotangent of real x with y[k] = sum of x[j] w^(j k) is the real part of the sum of ct[k] w^(j k) over the k that
        // are there: the full transform of ct with zeros for the others.
        FftKind::Rfft => {
            let (axis, last) = (b.shape(ct).rank() - 1, *lengths.last().expect("verified: at least one length"));
            let mut padding = vec![PadDim::default(); axis + 1];
            padding[axis].high = last as i64 - b.shape(ct)[axis] as i64;
            let zero = Scalar::zero(b.dtype(ct));
            let full = b.pad(ct, zero.into(), &padding);
            let full = b.emit1(transform(FftKind::Fft), &[full]);
            b.unary(Unary::Real, full)
        }
        // Every element but the first and, for even lengths, the last stands for itself and its mirror image.
        FftKind::Irfft => {
            let spectrum = b.emit1(transform(FftKind::Rfft), &[ct]);
            let (shape, dtype) = (b.shape(spectrum), b.dtype(spectrum));
            let (axis, last) = (shape.rank() - 1, *lengths.last().expect("verified: at least one length"));
            let scale = 1.0 / lengths.iter().product::<usize>() as f64;
            let (once, twice) = (Scalar::from_f64(dtype, scale), Scalar::from_f64(dtype, 2.0 * scale));
            let position = b.iota(DType::I32, &shape, axis);
            let first = b.compare(Compare::Eq, position, Scalar::zero(DType::I32).into());
            let middle = if last % 2 == 0 { last / 2 } else { 0 };
            let middle = b.compare(Compare::Eq, position, Scalar::from_i64(DType::I32, middle as i64).into());
            let single = b.binary(rjax_ir::Binary::Or, first, middle);
            let (once, twice) = (b.full(&shape, once), b.full(&shape, twice));
            let factor = b.select(single, once, twice);
            let scaled = b.mul(factor, spectrum);
            b.unary(Unary::Conj, scaled)
        }
    }
}
