//! Linear algebra: the interpreter's algorithms with the inner loops of this machine.
//!
//! Products of blocks are those of [`gemm`]. What the algorithms inline is compiled once for each level of vectors, and so are the
//! passes over columns.

use rjax_ir::math::linalg::{self, Double, Field, Kernels, LANES, Pieces, Rotations, STRIP, View};
use rjax_ir::{Aval, DType, Linalg};

use super::{library::Threads, transpose};
use crate::gemm;
use crate::target::{Level, level};

/// Products of fewer multiplications are not worth packing operands.
const SMALL: usize = 1 << 12;

struct Native;

/// Calls a function of the level below with the vectors of this machine.
macro_rules! at_level {
    ($function:path, <$($T:ident: $bound:ident),*> ($($name:ident: $type:ty),*) $(-> $out:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        {
            /// # Safety
            /// The processor has AVX2.
            #[target_feature(enable = "avx2")]
            unsafe fn with_avx2<$($T: $bound),*>($($name: $type),*) $(-> $out)? {
                $function($($name),*)
            }
            /// # Safety
            /// The processor has these parts of AVX-512.
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            unsafe fn with_avx512<$($T: $bound),*>($($name: $type),*) $(-> $out)? {
                $function($($name),*)
            }
            match level() {
                Level::Portable => $function($($name),*),
                // SAFETY: the level says that the processor has it.
                Level::Avx2 => unsafe { with_avx2($($name),*) },
                // SAFETY: as above.
                Level::Avx512 => unsafe { with_avx512($($name),*) },
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        $function($($name),*)
    }};
}

impl Pieces for Native {
    fn each<T: Send>(&self, values: &mut [T], size: usize, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
        Threads.each(values, size, work);
    }
}

impl Kernels for Native {
    fn subtract_product<T: Field>(
        &self,
        extents: [usize; 3],
        a: View<'_, T>,
        b: View<'_, T>,
        c: &mut [T],
        stride: usize,
    ) {
        if extents.iter().product::<usize>() >= SMALL {
            match T::DTYPE {
                DType::F32 => {
                    return gemm::subtract_product_f32(extents, cast(a), cast(b), bytemuck::cast_slice_mut(c), stride);
                }
                DType::F64 => {
                    return gemm::subtract_product_f64(extents, cast(a), cast(b), bytemuck::cast_slice_mut(c), stride);
                }
                DType::Bool
                | DType::I8
                | DType::I16
                | DType::I32
                | DType::I64
                | DType::U8
                | DType::U16
                | DType::U32
                | DType::U64
                | DType::F16
                | DType::BF16
                | DType::C64
                | DType::C128
                | DType::Narrow(_) => {}
            }
        }
        at_level!(linalg::subtract_product, <T: Field>(extents: [usize; 3], a: View<'_, T>, b: View<'_, T>, c: &mut [T], stride: usize));
    }

    #[inline(always)]
    fn with_scratch<T: Field>(&self, count: usize, work: impl FnOnce(&mut [T])) {
        gemm::scratch::with_numbers(count, work);
    }

    fn adjoint_product<T: Field>(&self, a: &[T], b: &[T], product: &mut [T; STRIP * STRIP]) {
        let into: &mut [T] = product;
        match T::DTYPE {
            DType::F32 => {
                let [a, b] = [a, b].map(bytemuck::cast_slice);
                gemm::transposed_product_f32(STRIP, a, b, bytemuck::cast_slice_mut(into));
            }
            DType::F64 => {
                let [a, b] = [a, b].map(bytemuck::cast_slice);
                gemm::transposed_product_f64(STRIP, a, b, bytemuck::cast_slice_mut(into));
            }
            DType::C64 | DType::C128 => {
                at_level!(linalg::adjoint_product, <T: Field>(a: &[T], b: &[T], product: &mut [T; STRIP * STRIP]));
            }
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::Narrow(_) => unreachable!("fields are real or complex"),
        }
    }

    fn substitute<T: Field>(&self, upwards: bool, triangle: &[T], sums: &[T; STRIP * STRIP], rows: &mut [T]) {
        at_level!(linalg::substitute, <T: Field>(upwards: bool, triangle: &[T], sums: &[T; STRIP * STRIP], rows: &mut [T]));
    }

    fn factor<T: Field>(&self, sums: &[T; STRIP * STRIP], rows: &mut [T]) -> bool {
        at_level!(linalg::factor, <T: Field>(sums: &[T; STRIP * STRIP], rows: &mut [T]) -> bool)
    }

    fn axpy<T: Double>(&self, factor: T, x: &[T], y: &mut [T]) {
        at_level!(linalg::axpy, <T: Double>(factor: T, x: &[T], y: &mut [T]));
    }

    fn dot<T: Double>(&self, x: &[T], y: &[T]) -> T {
        at_level!(linalg::dot, <T: Double>(x: &[T], y: &[T]) -> T)
    }

    fn rotate<T: Double>(&self, x: &mut [T], y: &mut [T], c: f64, s: T) {
        at_level!(linalg::rotate, <T: Double>(x: &mut [T], y: &mut [T], c: f64, s: T));
    }

    fn reflect_columns<T: Double>(&self, tau: T, tail: &[T], x: &mut [T], stride: usize, count: usize) {
        at_level!(linalg::reflect_columns, <T: Double>(tau: T, tail: &[T], x: &mut [T], stride: usize, count: usize));
    }

    fn reflect_rows<T: Double>(&self, tau: T, v: &[T], x: &mut [T], stride: usize, rows: usize) {
        at_level!(linalg::reflect_rows, <T: Double>(tau: T, v: &[T], x: &mut [T], stride: usize, rows: usize));
    }

    fn hermitian_product<T: Double>(&self, a: &[T], stride: usize, x: &[T], y: &mut [T]) {
        at_level!(linalg::hermitian_product, <T: Double>(a: &[T], stride: usize, x: &[T], y: &mut [T]));
    }

    fn hermitian_update<T: Double>(&self, a: &mut [T], stride: usize, v: &[T], w: &[T]) {
        at_level!(linalg::hermitian_update, <T: Double>(a: &mut [T], stride: usize, v: &[T], w: &[T]));
    }

    fn secular(&self, poles: &[f64], z: &[f64], rho: f64, roots: &mut [f64], vectors: &mut [f64]) {
        at_level!(linalg::secular, <>(poles: &[f64], z: &[f64], rho: f64, roots: &mut [f64], vectors: &mut [f64]));
    }

    fn rotate_rows<T: Double>(&self, rotations: &Rotations, rows: &mut [T]) {
        at_level!(linalg::rotate_rows, <T: Double>(rotations: &Rotations, rows: &mut [T]));
    }

    #[inline(always)]
    fn interleave<T: Field>(&self, matrices: &[T], lanes: &mut [[T; LANES]]) {
        if T::DTYPE == DType::F32 && matrices.len() == LANES * lanes.len() {
            return transpose::words(
                bytemuck::cast_slice(matrices),
                lanes.len(),
                bytemuck::cast_slice_mut(lanes),
                LANES,
            );
        }
        linalg::interleave(matrices, lanes);
    }

    #[inline(always)]
    fn deinterleave<T: Field>(&self, lanes: &[[T; LANES]], matrices: &mut [T]) {
        if T::DTYPE == DType::F32 && matrices.len() == LANES * lanes.len() {
            return transpose::words(
                bytemuck::cast_slice(lanes),
                LANES,
                bytemuck::cast_slice_mut(matrices),
                lanes.len(),
            );
        }
        linalg::deinterleave(lanes, matrices);
    }
}

/// The same elements under their own name.
fn cast<T: Field, S: Field>(view: View<'_, T>) -> View<'_, S> {
    View { elements: bytemuck::cast_slice(view.elements), row: view.row, column: view.column }
}

#[inline(always)]
fn run_op(op: Linalg, inputs: &[(&Aval, &[u8])], outputs: &mut [(&Aval, &mut [u8])]) {
    op.run(inputs, outputs, &Native);
}

/// Computes the op; see [`Linalg::run`].
pub(super) fn run(op: Linalg, inputs: &[(&Aval, &[u8])], outputs: &mut [(&Aval, &mut [u8])]) {
    at_level!(run_op, <>(op: Linalg, inputs: &[(&Aval, &[u8])], outputs: &mut [(&Aval, &mut [u8])]));
}

#[cfg(test)]
mod tests {
    use rjax_ir::math::linalg::Plain;
    use rjax_ir::{Complex64, Complex128, Element};
    use rjax_runtime::set_threads;

    use super::*;

    /// Numbers between -1 and 1, and `diagonal` more on the diagonal of matrices of `rows` by `cols`.
    fn numbers<T: Element>(batch: usize, rows: usize, cols: usize, diagonal: f64) -> (Aval, Vec<T>) {
        let number = |i: usize, j: usize| ((i * i * 31 + j * 17 + i * j * j * 7 + 5) % 101) as f64 / 50.0 - 1.0;
        let element = |at: usize| {
            let (i, j) = (at / cols, at % cols);
            let on_diagonal = if i % rows.max(1) == j { diagonal } else { 0.0 };
            T::from_c128(Complex128::new(number(i, j) + on_diagonal, number(j + 3, i)))
        };
        (Aval::new(T::DTYPE, [batch, rows, cols]), (0..batch * rows * cols).map(element).collect())
    }

    /// What the interpreter's loops compute and this machine's, on one thread and on three.
    fn compare<T: Field>(op: Linalg, operands: &[(Aval, Vec<T>)], results: &[Aval], tolerance: f64) {
        let inputs: Vec<(&Aval, &[u8])> = operands.iter().map(|(a, x)| (a, bytemuck::cast_slice(x))).collect();
        let with = |run: &dyn Fn(&[(&Aval, &[u8])], &mut [(&Aval, &mut [u8])])| -> Vec<Vec<T>> {
            let mut memory: Vec<Vec<T>> = results.iter().map(|aval| vec![T::ZERO; aval.size()]).collect();
            let outputs = results.iter().zip(&mut memory);
            let mut outputs: Vec<_> = outputs.map(|(aval, x)| (aval, bytemuck::cast_slice_mut(x))).collect();
            run(&inputs, &mut outputs);
            memory
        };
        let expected = with(&|inputs, outputs| op.run(inputs, outputs, &Plain));
        let before = rjax_runtime::threads();
        let [one, three] = [1, 3].map(|threads| {
            set_threads(threads);
            with(&|inputs, outputs| run(op, inputs, outputs))
        });
        set_threads(before);
        assert_eq!(one, three, "{op:?} of {}", operands[0].0);
        for (found, expected) in one.iter().zip(&expected) {
            let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.to_c128().norm()));
            let error = found.iter().zip(expected).map(|(x, y)| (x.to_c128() - y.to_c128()).norm());
            let error = error.fold(0.0, f64::max) / size;
            assert!(error < tolerance, "{op:?} of {} is off by {error:e}", operands[0].0);
        }
    }

    fn triangular<T: Field>(tolerance: f64) {
        for (n, others) in [(1, 1), (5, 2), (5, 40), (31, 33), (32, 32), (33, 3), (70, 4), (150, 100), (330, 70)] {
            for flags in 0..32 {
                let flag = |i: usize| flags >> i & 1 == 1;
                let left_side = flag(0);
                let (lower, transpose_a, conjugate_a, unit_diagonal) = (flag(1), flag(2), flag(3), flag(4));
                if n > 100 && conjugate_a != lower {
                    continue;
                }
                let op = Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal };
                // Small ones of larger batches are solved side by side.
                let batch = if n < 48 { 5 } else { 2 };
                let (aval, mut a) = numbers::<T>(batch, n, n, n as f64);
                if unit_diagonal {
                    let scale = T::from_c128(Complex128::new(1.0 / n as f64, 0.0));
                    a.iter_mut().for_each(|x| *x *= scale);
                }
                let b =
                    if left_side { numbers::<T>(batch, n, others, 0.0) } else { numbers::<T>(batch, others, n, 0.0) };
                let result = b.0.clone();
                compare(op, &[(aval, a), b], &[result], tolerance);
            }
        }
    }

    #[test]
    fn triangular_solves_of_every_kind() {
        triangular::<f32>(1e-5);
        triangular::<f64>(1e-14);
        triangular::<Complex64>(1e-5);
        triangular::<Complex128>(1e-14);
    }

    /// `a = b bᴴ` of matrices with a large diagonal.
    fn cholesky<T: Field>(tolerance: f64) {
        for n in [1, 5, 32, 33, 64, 100, 200, 330] {
            let (aval, b) = numbers::<T>(1, n, n, n as f64);
            let mut a = vec![T::ZERO; n * n];
            for (place, x) in a.iter_mut().enumerate() {
                let (i, j) = (place / n, place % n);
                *x = (0..n).fold(T::ZERO, |sum, k| sum + b[i * n + k] * b[j * n + k].conj());
            }
            compare(Linalg::Cholesky, &[(aval.clone(), a)], &[aval], tolerance);
        }
    }

    #[test]
    fn orthogonal_factors_of_batches_and_of_one() {
        for (batch, m, n) in [(21, 8, 8), (21, 9, 4), (2, 40, 70), (1, 70, 40)] {
            let q = Aval::new(DType::F64, [batch, m, m]);
            let (r, a) = numbers::<f64>(batch, m, n, 4.0);
            compare(Linalg::Qr { full_matrices: true }, &[(r.clone(), a)], &[q, r], 1e-12);
        }
    }

    /// Of a matrix whose eigenvalues are far apart.
    #[test]
    fn eigenvectors_of_several_strips() {
        for n in [8, 70, 150] {
            let (aval, mut a) = numbers::<f64>(1, n, n, 0.0);
            (0..n).for_each(|i| a[i * n + i] = (4 * i) as f64);
            let values = Aval::new(DType::F64, [1, n]);
            compare(Linalg::Eigh { lower: true }, &[(aval.clone(), a)], &[aval, values], 1e-10);
        }
    }

    /// Rotations are the same in every lane and on every machine.
    #[test]
    fn singular_values_of_batches() {
        for n in [2, 8, 20] {
            let (aval, a) = numbers::<f64>(21, 20, n, 0.0);
            let values = Aval::new(DType::F64, [21, n]);
            let values_alone = Linalg::Svd { full_matrices: false, compute_uv: false };
            compare(values_alone, &[(aval, a)], &[values], f64::MIN_POSITIVE);
        }
    }

    #[test]
    fn cholesky_factors_of_every_type() {
        cholesky::<f32>(1e-5);
        cholesky::<f64>(1e-13);
        cholesky::<Complex64>(1e-5);
        cholesky::<Complex128>(1e-13);
    }
}
