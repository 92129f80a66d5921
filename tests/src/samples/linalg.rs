//! Samples of linear algebra and Fourier transforms.

use rjax_ir::{Atom, Builder, Compare, DType, Fft, FftKind, Linalg, Op, Unary};

use super::{Sample, any};

pub(super) fn add(samples: &mut Vec<Sample>) {
    for dtype in [DType::F32, DType::F64, DType::C64, DType::C128] {
        solves(samples, dtype);
        factors(samples, dtype);
        spectra(samples, dtype);
    }
    transforms(samples);
}

/// The matrix plus `shift` on the diagonal, and with `spread` more from one row to the next.
fn shifted(b: &mut Builder, x: Atom, shift: f64, spread: f64) -> Atom {
    let (aval, rank) = (b.aval(x), b.shape(x).rank());
    let (row, column) = (b.iota(DType::I32, &aval.shape, rank - 2), b.iota(DType::I32, &aval.shape, rank - 1));
    let diagonal = b.compare(Compare::Eq, row, column);
    let number = b.convert(row, aval.dtype);
    let number = b.mul_scalar(number, spread);
    let number = b.add_scalar(number, shift);
    let zero = b.zeros(&aval);
    let diagonal = b.select(diagonal, number, zero);
    b.add(x, diagonal)
}

/// Half of the sum of the matrix and its adjoint.
fn hermitian(b: &mut Builder, x: Atom) -> Atom {
    let rank = b.shape(x).rank();
    let mut adjoint = b.move_axis(x, rank - 1, rank - 2);
    if b.dtype(x).is_complex() {
        adjoint = b.unary(Unary::Conj, adjoint);
    }
    let sum = b.add(x, adjoint);
    b.mul_scalar(sum, 0.5)
}

/// A sample of an op on a matrix that `prepare` makes of the input, of which some results are kept.
fn of_matrix(
    op: Linalg,
    dtype: DType,
    shape: &[usize],
    results: &[usize],
    prepare: impl FnOnce(&mut Builder, Atom) -> Atom,
) -> Sample {
    let sample = Sample::program(op.name(), &[any(dtype, shape)], |b, inputs| {
        let a = prepare(b, inputs[0]);
        let outputs = b.emit(Op::Linalg(op), &[a]);
        results.iter().map(|&i| outputs[i]).collect()
    });
    // Factors are computed in another order where several matrices go side by side.
    sample.within(1e-5).ulps(64.0)
}

fn solves(samples: &mut Vec<Sample>, dtype: DType) {
    for bits in 0..32u8 {
        let flag = |i: u8| bits >> i & 1 == 1;
        let (left_side, conjugate_a) = (flag(0), flag(3));
        if conjugate_a && !dtype.is_complex() {
            continue;
        }
        let op = Linalg::TriangularSolve {
            left_side,
            lower: flag(1),
            transpose_a: flag(2),
            conjugate_a,
            unit_diagonal: flag(4),
        };
        let rhs = if left_side { [2, 3, 5] } else { [2, 2, 3] };
        let sample = Sample::program("triangular_solve", &[any(dtype, &[2, 3, 3]), any(dtype, &rhs)], |b, x| {
            let a = shifted(b, x[0], 3.0, 0.0);
            b.emit(Op::Linalg(op), &[a, x[1]])
        });
        samples.push(sample.smooth(2).within(1e-5).ulps(64.0));
    }
    for (n, k) in [(3, 2), (1, 1), (2, 1)] {
        let diagonals = [any(dtype, &[2, n]), any(dtype, &[2, n]), any(dtype, &[2, n]), any(dtype, &[2, n, k])];
        let sample = Sample::program("tridiagonal_solve", &diagonals, |b, x| {
            let diagonal = b.add_scalar(x[1], 4.0);
            b.emit(Op::Linalg(Linalg::TridiagonalSolve), &[x[0], diagonal, x[2], x[3]])
        });
        samples.push(sample.smooth(2).within(1e-5).ulps(64.0));
    }
}

fn factors(samples: &mut Vec<Sample>, dtype: DType) {
    let positive = |b: &mut Builder, x: Atom| {
        let x = hermitian(b, x);
        shifted(b, x, 4.0, 0.0)
    };
    for shape in [&[3, 3][..], &[9, 2, 2], &[0, 0], &[1, 1]] {
        samples.push(of_matrix(Linalg::Cholesky, dtype, shape, &[0], positive).smooth(2));
    }
    // Not positive definite.
    samples.push(of_matrix(Linalg::Cholesky, dtype, &[2, 3, 3], &[0], |b, x| shifted(b, x, -4.0, 8.0)));
    samples.push(of_matrix(Linalg::Cholesky, dtype, &[40, 40], &[0], |b, x| {
        let x = hermitian(b, x);
        shifted(b, x, 40.0, 0.0)
    }));
    let dominant = |b: &mut Builder, x: Atom| shifted(b, x, 4.0, 1.0);
    for shape in [&[3, 3][..], &[2, 4, 2], &[2, 4], &[3, 0], &[0, 2]] {
        samples.push(of_matrix(Linalg::Lu, dtype, shape, &[0, 1, 2], dominant).smooth(2));
    }
    samples.push(of_matrix(Linalg::Lu, dtype, &[40, 50], &[0, 1, 2], |_, x| x).ulps(512.0));
    for shape in [&[3, 3][..], &[2, 4, 2]] {
        samples.push(of_matrix(Linalg::Qr { full_matrices: false }, dtype, shape, &[0, 1], dominant).smooth(2));
    }
    samples.push(of_matrix(Linalg::Qr { full_matrices: true }, dtype, &[4, 2], &[0, 1], |_, x| x));
    samples.push(of_matrix(Linalg::Qr { full_matrices: true }, dtype, &[2, 3], &[0, 1], |_, x| x));
    samples.push(of_matrix(Linalg::Geqrf, dtype, &[2, 3, 2], &[0, 1], |_, x| x));
    samples.push(of_matrix(Linalg::Hessenberg, dtype, &[2, 4, 4], &[0, 1], |_, x| x));
    let taus = [any(dtype, &[2, 3, 3]), any(dtype, &[2, 2])];
    samples.push(Sample::op(Op::Linalg(Linalg::HouseholderProduct), &taus).ulps(64.0));
}

fn spectra(samples: &mut Vec<Sample>, dtype: DType) {
    let apart = |b: &mut Builder, x: Atom| {
        let x = hermitian(b, x);
        shifted(b, x, 1.0, 4.0)
    };
    for lower in [true, false] {
        // Eigenvectors are unique up to a phase only, which a real matrix leaves no room for but the sign.
        let results: &[usize] = if dtype.is_complex() { &[1] } else { &[1, 0] };
        samples.push(of_matrix(Linalg::Eigh { lower }, dtype, &[2, 3, 3], results, apart).smooth(1));
    }
    samples.push(of_matrix(Linalg::Eigh { lower: true }, dtype, &[0, 0], &[0, 1], |_, x| x));
    let spread = |b: &mut Builder, x: Atom| shifted(b, x, 2.0, 4.0);
    for shape in [&[3, 3][..], &[2, 3, 2], &[2, 3]] {
        let values = Linalg::Svd { full_matrices: false, compute_uv: false };
        samples.push(of_matrix(values, dtype, shape, &[0], spread).smooth(1));
        let thin = Linalg::Svd { full_matrices: false, compute_uv: true };
        let sample = of_matrix(thin, dtype, shape, &[0, 1, 2], spread);
        samples.push(if dtype.is_complex() { sample } else { sample.smooth(1) });
        let full = Linalg::Svd { full_matrices: true, compute_uv: true };
        samples.push(of_matrix(full, dtype, shape, &[0, 1, 2], spread));
    }
    samples.push(of_matrix(
        Linalg::Svd { full_matrices: true, compute_uv: true },
        dtype,
        &[0, 2],
        &[0, 1, 2],
        |_, x| x,
    ));
    let values = Linalg::Eig { left: false, right: false };
    samples.push(of_matrix(values, dtype, &[2, 3, 3], &[0], spread).smooth(1));
    samples.push(of_matrix(Linalg::Eig { left: true, right: true }, dtype, &[2, 3, 3], &[0, 1, 2], |_, x| x));
    samples.push(of_matrix(Linalg::Schur { vectors: true }, dtype, &[2, 4, 4], &[0, 1], |_, x| x));
    samples.push(of_matrix(Linalg::Schur { vectors: false }, dtype, &[2, 2], &[0], |_, x| x));
}

fn transforms(samples: &mut Vec<Sample>) {
    let mut push = |kind: FftKind, dtype: DType, lengths: &[usize], shape: &[usize]| {
        let op = Op::Fft(Fft { kind, lengths: lengths.to_vec() });
        samples.push(Sample::op(op, &[any(dtype, shape)]).smooth(2).ulps(8.0));
    };
    for (real, complex) in [(DType::F32, DType::C64), (DType::F64, DType::C128)] {
        for kind in [FftKind::Fft, FftKind::Ifft] {
            push(kind, complex, &[4], &[4]);
            push(kind, complex, &[2, 3], &[2, 2, 3]);
            push(kind, complex, &[3, 1, 2], &[3, 1, 2]);
            push(kind, complex, &[3], &[0, 3]);
        }
        push(FftKind::Rfft, real, &[4], &[2, 4]);
        push(FftKind::Rfft, real, &[2, 3], &[2, 3]);
        push(FftKind::Rfft, real, &[2, 1], &[2, 1]);
        push(FftKind::Irfft, complex, &[4], &[2, 3]);
        push(FftKind::Irfft, complex, &[2, 3], &[2, 2]);
        push(FftKind::Irfft, complex, &[2, 1], &[2, 1]);
    }
}
