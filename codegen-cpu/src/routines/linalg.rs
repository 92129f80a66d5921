//! Linear algebra: the interpreter's algorithms with the inner loops of this machine.
//!
//! Products of blocks are those of [`gemm`]. What the algorithms inline is compiled once for each level of vectors, and so are the
//! passes over columns.

use rjax_ir::math::linalg::{self, Double, Field, Kernels, LANES, View};
use rjax_ir::{Aval, DType, Linalg};

use super::transpose;
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

    fn axpy<T: Double>(&self, factor: T, x: &[T], y: &mut [T]) {
        at_level!(linalg::axpy, <T: Double>(factor: T, x: &[T], y: &mut [T]));
    }

    fn dot<T: Double>(&self, x: &[T], y: &[T]) -> T {
        at_level!(linalg::dot, <T: Double>(x: &[T], y: &[T]) -> T)
    }

    fn rotate<T: Double>(&self, x: &mut [T], y: &mut [T], c: f64, s: T) {
        at_level!(linalg::rotate, <T: Double>(x: &mut [T], y: &mut [T], c: f64, s: T));
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
