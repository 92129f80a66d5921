//! Batches of small matrices, several at a time.

use std::ops::Range;

use super::{LANES_FROM, LANES_UP_TO, Linalg, extents};
use crate::Aval;
use crate::math::linalg::{
    Field, Kernels, LANES, Mask, Triangle, geqrf_lanes, householder_product_lanes, lu_lanes, qr_lanes,
    singular_values_lanes, triangular_solve_lanes,
};

/// Beyond this size rotations of one matrix after the other are faster.
const ROTATED_UP_TO: usize = 20;
/// Beyond this size so is elimination.
const ELIMINATED_UP_TO: usize = 24;

/// Runs QR, or a part of it, or finds singular values of some matrices of the batch if they are small enough; says of which it did.
#[inline(always)]
pub(super) fn run<T: Field<Real = T, Wide = f64>, K: Kernels>(
    op: Linalg,
    group: Range<usize>,
    inputs: &[(&Aval, &[u8])],
    outputs: &mut [(&Aval, &mut [u8])],
    kernels: &K,
) -> Mask {
    let [_, m, n] = extents(inputs[0].0);
    let (size, limit) = match op {
        // Singular vectors have the signs that they have in a matrix alone.
        Linalg::Svd { compute_uv: true, .. } => return [false; LANES],
        Linalg::Svd { compute_uv: false, .. } => (m.max(n), ROTATED_UP_TO),
        Linalg::TriangularSolve { .. } => {
            let [_, rows, cols] = extents(inputs[1].0);
            (rows.max(cols), LANES_UP_TO)
        }
        Linalg::Lu => (m.max(n), ELIMINATED_UP_TO),
        Linalg::Cholesky
        | Linalg::Qr { .. }
        | Linalg::Geqrf
        | Linalg::HouseholderProduct
        | Linalg::Eigh { .. }
        | Linalg::Eig { .. }
        | Linalg::Schur { .. }
        | Linalg::Hessenberg
        | Linalg::TridiagonalSolve => (m.max(n), LANES_UP_TO),
    };
    if group.len() < LANES_FROM || m * n == 0 || size > limit {
        return [false; LANES];
    }
    let of_group = |size: usize| group.start * size..group.end * size;
    let input = |i: usize, size: usize| -> &[T] { &bytemuck::cast_slice(inputs[i].1)[of_group(size)] };
    let a = input(0, m * n);
    if op == Linalg::Lu {
        let [(_, lu), (_, pivots), _] = outputs else { unreachable!("verified: three results") };
        let lu = &mut bytemuck::cast_slice_mut(lu)[of_group(m * n)];
        let pivots = &mut bytemuck::cast_slice_mut(pivots)[of_group(m.min(n))];
        lu_lanes(kernels, [m, n], a, lu, pivots);
        return [true; LANES];
    }
    let mut outputs = outputs.iter_mut().map(|(_, bytes)| bytemuck::cast_slice_mut::<u8, T>(bytes));
    let mut output = |size: usize| {
        let all = outputs.next().expect("verified: as many results as the op has");
        &mut all[of_group(size)]
    };
    match op {
        Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal } => {
            let triangle = Triangle { lower, transpose: transpose_a, conjugate: conjugate_a, unit_diagonal };
            let [_, rows, cols] = extents(inputs[1].0);
            let (others, size) = (if left_side { cols } else { rows }, rows * cols);
            triangular_solve_lanes(kernels, triangle, left_side, [n, others], a, input(1, size), output(size));
            [true; LANES]
        }
        Linalg::Geqrf => {
            let (factors, taus) = (output(m * n), output(m.min(n)));
            [geqrf_lanes(kernels, [m, n], a, factors, taus); LANES]
        }
        Linalg::Qr { full_matrices } => {
            let k = if full_matrices { m } else { m.min(n) };
            let (q, r) = (output(m * k), output(k * n));
            [qr_lanes(kernels, [m, n, k], a, q, r); LANES]
        }
        Linalg::HouseholderProduct => {
            let k = inputs[1].0.shape.last().copied().unwrap_or(0);
            householder_product_lanes(kernels, [m, n, k], a, input(1, k), output(m * n));
            [true; LANES]
        }
        Linalg::Svd { .. } => singular_values_lanes(kernels, [m, n], a, output(m.min(n))),
        Linalg::Cholesky
        | Linalg::Lu
        | Linalg::Eigh { .. }
        | Linalg::Eig { .. }
        | Linalg::Schur { .. }
        | Linalg::Hessenberg
        | Linalg::TridiagonalSolve => unreachable!("{} of several matrices is elsewhere", op.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::linalg::Plain;
    use crate::{Complex128, Element};

    /// The results of a batch at once, and of its matrices one by one.
    fn check<T: Element + Field>(op: Linalg, operands: &[(Vec<usize>, Vec<T>)], tolerance: f64) {
        let run = |first: usize, batch: usize| {
            let part = |(shape, all): &(Vec<usize>, Vec<T>)| {
                let size: usize = shape.iter().product();
                let aval = Aval::new(T::DTYPE, [&[batch], &shape[..]].concat());
                (aval, all[first * size..][..batch * size].to_vec())
            };
            let operands: Vec<(Aval, Vec<T>)> = operands.iter().map(part).collect();
            let avals: Vec<Aval> = operands.iter().map(|(aval, _)| aval.clone()).collect();
            let results = op.infer(&avals).expect("the operands fit");
            let inputs: Vec<(&Aval, &[u8])> = operands.iter().map(|(a, x)| (a, bytemuck::cast_slice(x))).collect();
            let mut memory: Vec<Vec<T>> = results.iter().map(|aval| vec![T::ZERO; aval.size()]).collect();
            let outputs = results.iter().zip(&mut memory);
            let mut outputs: Vec<_> = outputs.map(|(aval, x)| (aval, bytemuck::cast_slice_mut(x))).collect();
            op.run(&inputs, &mut outputs, &Plain);
            memory
        };
        let together = run(0, BATCH);
        for i in 0..BATCH {
            for (result, (all, one)) in together.iter().zip(run(i, 1)).enumerate() {
                for (x, y) in all[i * one.len()..][..one.len()].iter().zip(&one) {
                    let (x, y) = (x.to_c128().re, y.to_c128().re);
                    let equal = x == y || (x - y).abs() <= tolerance * y.abs().max(1.0) || x.is_nan() && y.is_nan();
                    assert!(equal, "{op:?}, matrix {i}, result {result}: {x} and {y}");
                }
            }
        }
    }

    const BATCH: usize = 21;

    /// In a group of ordinary matrices one is zero and one has a column of zeros; the last group has one that is not finite.
    fn matrices<T: Field>(m: usize, n: usize, ordinary: bool) -> Vec<T> {
        let number = |at: usize| {
            let (matrix, i, j) = (at / (m * n), at / n % m, at % n);
            let x = ((matrix * 13 + i * i * 31 + j * 17 + i * j * j * 7 + 5) % 101) as f64 / 50.0 - 1.0;
            match matrix {
                3 => 0.0,
                4 if j == 0 => 0.0,
                18 if !ordinary && i == 0 => f64::INFINITY,
                _ => x,
            }
        };
        (0..BATCH * m * n).map(|at| T::from_c128(Complex128::new(number(at), 0.0))).collect()
    }

    fn every_op<T: Field>(tolerance: f64) {
        for (m, n) in [(1, 1), (3, 2), (2, 5), (8, 8), (17, 9), (48, 5)] {
            for ordinary in [true, false] {
                let a = (vec![m, n], matrices::<T>(m, n, ordinary));
                check(Linalg::Geqrf, std::slice::from_ref(&a), tolerance);
                for full_matrices in [false, true] {
                    check(Linalg::Qr { full_matrices }, std::slice::from_ref(&a), tolerance);
                }
                if m >= n && ordinary {
                    let taus = (vec![n.min(2)], matrices::<T>(1, n.min(2), true));
                    check(Linalg::HouseholderProduct, &[a, taus], tolerance * m as f64);
                }
            }
        }
    }

    #[test]
    fn matrices_together_are_as_they_are_alone() {
        every_op::<f32>(1e-5);
        every_op::<f64>(1e-11);
    }
}
