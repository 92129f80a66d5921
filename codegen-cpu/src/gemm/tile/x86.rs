//! Tiles for x86-64: AVX2 with FMA, and AVX-512.

use std::arch::x86_64::*;

use super::super::{Extents, Matrix};
use super::{Isa, Kernels, MatrixTiles, Portable, Real, Tile, transpose_portable};
use crate::gemm::conv::Phase;
use crate::gemm::element::Element;
use crate::gemm::matrix;
use crate::target::{Level, has_matrix_tiles, level};

/// Lane masks for AVX2: 8 (or 4) ones followed by as many zeros; a window of it has any number of leading ones.
static MASK32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
static MASK64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// The few vector operations that tiles are made of; `mask(n)` has the first n lanes on.
macro_rules! vectors {
    ($name:ident, $features:literal, $T:ty, $V:ty, $M:ty, zero $zero:ident, splat $splat:ident, load $load:ident, store $store:ident,
     fma $fma:ident, add $add:ident, mask |$n:ident| $mask:expr, load_masked |$lm:ident, $lp:ident| $load_masked:expr,
     store_masked |$sm:ident, $sp:ident, $sv:ident| $store_masked:expr, sum |$r:ident| $sum:expr) => {
        mod $name {
            use super::*;

            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn zero() -> $V {
                $zero()
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn splat(x: $T) -> $V {
                $splat(x)
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) unsafe fn load(p: *const $T) -> $V {
                // SAFETY: the caller's promise.
                unsafe { $load(p) }
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) unsafe fn store(p: *mut $T, v: $V) {
                // SAFETY: the caller's promise.
                unsafe { $store(p, v) }
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn fma(a: $V, b: $V, c: $V) -> $V {
                $fma(a, b, c)
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn add(a: $V, b: $V) -> $V {
                $add(a, b)
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn mask($n: usize) -> $M {
                $mask
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) unsafe fn load_masked($lm: $M, $lp: *const $T) -> $V {
                // SAFETY: the caller's promise: the lanes that are on are valid memory.
                unsafe { $load_masked }
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) unsafe fn store_masked($sm: $M, $sp: *mut $T, $sv: $V) {
                // SAFETY: the caller's promise: the lanes that are on are valid memory.
                unsafe { $store_masked }
            }
            #[inline]
            #[target_feature(enable = $features)]
            pub(super) fn sum($r: $V) -> $T {
                $sum
            }
        }
    };
}

vectors!(v8f32, "avx2,fma", f32, __m256, __m256i, zero _mm256_setzero_ps, splat _mm256_set1_ps, load _mm256_loadu_ps, store _mm256_storeu_ps,
fma _mm256_fmadd_ps, add _mm256_add_ps,
mask |n| {
    // SAFETY: n is at most 8, so the window of 8 is in the table.
    unsafe { _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast()) }
},
load_masked |m, p| _mm256_maskload_ps(p, m),
store_masked |m, p, v| _mm256_maskstore_ps(p, m, v),
sum |v| {
    let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
});

vectors!(v4f64, "avx2,fma", f64, __m256d, __m256i, zero _mm256_setzero_pd, splat _mm256_set1_pd, load _mm256_loadu_pd, store _mm256_storeu_pd,
fma _mm256_fmadd_pd, add _mm256_add_pd,
mask |n| {
    // SAFETY: n is at most 4, so the window of 4 is in the table.
    unsafe { _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast()) }
},
load_masked |m, p| _mm256_maskload_pd(p, m),
store_masked |m, p, v| _mm256_maskstore_pd(p, m, v),
sum |v| {
    let half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
    _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)))
});

vectors!(v16f32, "avx512f", f32, __m512, __mmask16, zero _mm512_setzero_ps, splat _mm512_set1_ps, load _mm512_loadu_ps, store _mm512_storeu_ps,
    fma _mm512_fmadd_ps, add _mm512_add_ps,
    mask |n| ((1u32 << n) - 1) as u16,
    load_masked |m, p| _mm512_maskz_loadu_ps(m, p),
    store_masked |m, p, v| _mm512_mask_storeu_ps(p, m, v),
    sum |v| _mm512_reduce_add_ps(v));

vectors!(v8f64, "avx512f", f64, __m512d, __mmask8, zero _mm512_setzero_pd, splat _mm512_set1_pd, load _mm512_loadu_pd, store _mm512_storeu_pd,
    fma _mm512_fmadd_pd, add _mm512_add_pd,
    mask |n| ((1u32 << n) - 1) as u8,
    load_masked |m, p| _mm512_maskz_loadu_pd(m, p),
    store_masked |m, p, v| _mm512_mask_storeu_pd(p, m, v),
    sum |v| _mm512_reduce_add_pd(v));

macro_rules! isa {
    ($Isa:ident, $features:literal, $v:ident, $T:ty, $lanes:literal, rows $rows:literal, full [$($full:literal)*],
     narrow [$($few:literal => $wide:literal),*], $kernels:ident, $level:ident) => {
        pub(super) struct $Isa;

        impl $Isa {
            /// # Safety
            /// As for [`Isa::tile`].
            #[target_feature(enable = $features)]
            unsafe fn fixed<const ROWS: usize, const VECTORS: usize, const MASKED: bool>(tile: &Tile<$T>) {
                let mut sums = [[$v::zero(); VECTORS]; ROWS];
                let mut masks = [$v::mask($lanes); VECTORS];
                for (vector, mask) in masks.iter_mut().enumerate() {
                    *mask = $v::mask(tile.columns.saturating_sub(vector * $lanes).min($lanes));
                }
                // The result is needed after the last step: asked for now, it is there by then.
                for i in 0..ROWS {
                    for vector in 0..VECTORS {
                        let c = tile.c.wrapping_offset(i as isize * tile.c_row).wrapping_add(vector * $lanes);
                        _mm_prefetch::<_MM_HINT_ET0>(c.cast());
                    }
                }
                let (mut a, mut b) = (tile.a, tile.b);
                for _ in 0..tile.k {
                    // SAFETY: the step is one of the tile's k, and lanes beyond its columns are off or padded.
                    unsafe {
                        let mut row = [$v::zero(); VECTORS];
                        for vector in 0..VECTORS {
                            let p = b.add(vector * $lanes);
                            row[vector] = if MASKED { $v::load_masked(masks[vector], p) } else { $v::load(p) };
                        }
                        for i in 0..ROWS {
                            let x = $v::splat(*a.offset(i as isize * tile.a_row));
                            for vector in 0..VECTORS {
                                sums[i][vector] = $v::fma(x, row[vector], sums[i][vector]);
                            }
                        }
                    }
                    a = a.wrapping_offset(tile.a_k);
                    b = b.wrapping_offset(tile.b_k);
                }
                let whole = tile.columns >= VECTORS * $lanes;
                for i in 0..ROWS {
                    for vector in 0..VECTORS {
                        // SAFETY: the row is in the tile, and lanes beyond its columns are off.
                        unsafe {
                            let c = tile.c.wrapping_offset(i as isize * tile.c_row).wrapping_add(vector * $lanes);
                            let mut sum = sums[i][vector];
                            if whole {
                                if tile.accumulate {
                                    sum = $v::add($v::load(c), sum);
                                }
                                $v::store(c, sum);
                            } else {
                                if tile.accumulate {
                                    sum = $v::add($v::load_masked(masks[vector], c), sum);
                                }
                                $v::store_masked(masks[vector], c, sum);
                            }
                        }
                    }
                }
            }

            /// `STEPS` steps of all columns.
            ///
            /// # Safety
            /// As for [`Isa::stream`]; the tile has the steps.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn steps<const ROWS: usize, const STEPS: usize>(tile: &Tile<$T>, a: *const $T, b: *const $T) {
                let mut weights = [[$v::zero(); STEPS]; ROWS];
                for i in 0..ROWS {
                    for step in 0..STEPS {
                        // SAFETY: the step is one of the tile's.
                        let x = unsafe { *a.offset(i as isize * tile.a_row + step as isize * tile.a_k) };
                        weights[i][step] = $v::splat(x);
                    }
                }
                let mut column = 0;
                while column < tile.columns {
                    let rest = tile.columns - column;
                    // SAFETY: lanes beyond the columns are off.
                    unsafe {
                        if rest >= $lanes {
                            let mut row = [$v::zero(); STEPS];
                            for step in 0..STEPS {
                                row[step] = $v::load(b.offset(step as isize * tile.b_k).add(column));
                            }
                            for i in 0..ROWS {
                                let c = tile.c.wrapping_offset(i as isize * tile.c_row).add(column);
                                let mut sum = $v::load(c);
                                for step in 0..STEPS {
                                    sum = $v::fma(weights[i][step], row[step], sum);
                                }
                                $v::store(c, sum);
                            }
                        } else {
                            let mask = $v::mask(rest);
                            for i in 0..ROWS {
                                let c = tile.c.wrapping_offset(i as isize * tile.c_row).add(column);
                                let mut sum = $v::load_masked(mask, c);
                                for step in 0..STEPS {
                                    let b = b.offset(step as isize * tile.b_k).add(column);
                                    sum = $v::fma(weights[i][step], $v::load_masked(mask, b), sum);
                                }
                                $v::store_masked(mask, c, sum);
                            }
                        }
                    }
                    column += $lanes;
                }
            }

            /// # Safety
            /// As for [`Isa::stream`].
            #[target_feature(enable = $features)]
            unsafe fn streamed<const ROWS: usize>(tile: &Tile<$T>) {
                let mut step = 0;
                // SAFETY: the steps are the tile's.
                unsafe {
                    if !tile.accumulate {
                        for i in 0..ROWS {
                            let c = tile.c.wrapping_offset(i as isize * tile.c_row);
                            (0..tile.columns).for_each(|column| *c.add(column) = 0.0);
                        }
                    }
                    while step < tile.k {
                        let a = tile.a.wrapping_offset(step as isize * tile.a_k);
                        let b = tile.b.wrapping_offset(step as isize * tile.b_k);
                        if tile.k - step >= 4 {
                            $Isa::steps::<ROWS, 4>(tile, a, b);
                            step += 4;
                        } else {
                            $Isa::steps::<ROWS, 1>(tile, a, b);
                            step += 1;
                        }
                    }
                }
            }

            /// `ROWS` rows times `COLUMNS` columns from `column` on.
            ///
            /// # Safety
            /// As for [`Isa::dots`].
            #[target_feature(enable = $features)]
            unsafe fn few_dots<const ROWS: usize, const COLUMNS: usize>(
                k: usize,
                column: usize,
                lhs: Matrix<$T>,
                rhs: Matrix<$T>,
                out: Matrix<$T>,
            ) {
                let mut sums = [[$v::zero(); COLUMNS]; ROWS];
                let mut step = 0;
                while step < k {
                    let rest = k - step;
                    let mask = $v::mask(rest.min($lanes));
                    // SAFETY: lanes beyond k are off.
                    unsafe {
                        let read = |p: *const $T| if rest >= $lanes { $v::load(p) } else { $v::load_masked(mask, p) };
                        let mut row = [$v::zero(); COLUMNS];
                        for j in 0..COLUMNS {
                            row[j] = read(rhs.at(step, column + j));
                        }
                        for i in 0..ROWS {
                            let x = read(lhs.at(i, step));
                            for j in 0..COLUMNS {
                                sums[i][j] = $v::fma(x, row[j], sums[i][j]);
                            }
                        }
                    }
                    step += $lanes;
                }
                for i in 0..ROWS {
                    for j in 0..COLUMNS {
                        // SAFETY: row and column are in the result.
                        unsafe { *out.at(i, column + j) = $v::sum(sums[i][j]) };
                    }
                }
            }

            /// # Safety
            /// As for [`Isa::dots`].
            #[target_feature(enable = $features)]
            unsafe fn all_dots<const ROWS: usize>(
                extents: Extents,
                lhs: Matrix<$T>,
                rhs: Matrix<$T>,
                out: Matrix<$T>,
            ) {
                let Extents { n, k, .. } = extents;
                let mut column = 0;
                // SAFETY: the columns are below n.
                unsafe {
                    while column + 4 <= n {
                        $Isa::few_dots::<ROWS, 4>(k, column, lhs, rhs, out);
                        column += 4;
                    }
                    while column < n {
                        $Isa::few_dots::<ROWS, 1>(k, column, lhs, rhs, out);
                        column += 1;
                    }
                }
            }
        }

        impl Isa for $Isa {
            type Scalar = $T;
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            const ROW_VECTORS: usize = 2;

            fn vectors_for(rows: usize) -> usize {
                match rows {
                    $($few => $wide,)*
                    _ => 2,
                }
            }

            unsafe fn tile(rows: usize, vectors: usize, masked: bool, tile: &Tile<$T>) {
                let masked = masked && tile.columns < vectors * $lanes;
                // SAFETY: the caller's promise.
                unsafe {
                    match (rows, vectors, masked) {
                        $(($full, 2, false) => $Isa::fixed::<$full, 2, false>(tile),
                        ($full, 2, true) => $Isa::fixed::<$full, 2, true>(tile),
                        ($full, 1, false) => $Isa::fixed::<$full, 1, false>(tile),
                        ($full, 1, true) => $Isa::fixed::<$full, 1, true>(tile),)*
                        $(($few, $wide, false) => $Isa::fixed::<$few, $wide, false>(tile),
                        ($few, $wide, true) => $Isa::fixed::<$few, $wide, true>(tile),)*
                        _ => unreachable!("no tile of {rows} rows and {vectors} vectors"),
                    }
                }
            }

            unsafe fn stream(rows: usize, tile: &Tile<$T>) {
                // SAFETY: the caller's promise.
                unsafe {
                    match rows {
                        1 => $Isa::streamed::<1>(tile),
                        2 => $Isa::streamed::<2>(tile),
                        rows => unreachable!("a stream of {rows} rows"),
                    }
                }
            }

            unsafe fn dots(extents: Extents, lhs: Matrix<$T>, rhs: Matrix<$T>, out: Matrix<$T>) {
                // SAFETY: the caller's promise.
                unsafe {
                    match extents.m {
                        1 => $Isa::all_dots::<1>(extents, lhs, rhs, out),
                        2 => $Isa::all_dots::<2>(extents, lhs, rhs, out),
                        3 => $Isa::all_dots::<3>(extents, lhs, rhs, out),
                        4 => {
                            let half = Extents { m: 2, ..extents };
                            $Isa::all_dots::<2>(half, lhs, rhs, out);
                            let (lhs, out) = (Matrix { start: lhs.at(2, 0), ..lhs }, Matrix { start: out.at(2, 0), ..out });
                            $Isa::all_dots::<2>(half, lhs, rhs, out);
                        }
                        rows => unreachable!("dots of {rows} rows"),
                    }
                }
            }
        }

        static $kernels: Kernels<$T> = Kernels::of::<$Isa>(Level::$level);
    };
}

isa!(Avx2F32, "avx2,fma", v8f32, f32, 8, rows 6, full [1 2 3 4 5 6], narrow [1 => 8, 2 => 6, 3 => 4], AVX2_F32, Avx2);
isa!(Avx2F64, "avx2,fma", v4f64, f64, 4, rows 6, full [1 2 3 4 5 6], narrow [1 => 8, 2 => 6, 3 => 4], AVX2_F64, Avx2);
isa!(Avx512F32, "avx512f", v16f32, f32, 16, rows 14, full [1 2 3 4 5 6 7 8 9 10 11 12 13 14], narrow [1 => 8, 2 => 6, 3 => 4, 4 => 4], AVX512_F32, Avx512);
isa!(Avx512F64, "avx512f", v8f64, f64, 8, rows 14, full [1 2 3 4 5 6 7 8 9 10 11 12 13 14], narrow [1 => 8, 2 => 6, 3 => 4, 4 => 4], AVX512_F64, Avx512);

static PORTABLE_F32: Kernels<f32> = Kernels::of::<Portable<f32>>(Level::Portable);
const MATRIX_TILES: MatrixTiles<f32> =
    MatrixTiles { contract: matrix::contract, keep: matrix::keep, contract_kept: matrix::contract_kept };
static MATRIX_F32: Kernels<f32> = Kernels { matrix: Some(MATRIX_TILES), ..Kernels::of::<Avx512F32>(Level::Avx512) };

impl Real for f32 {
    const ZERO: f32 = 0.0;
    const TRANSPOSED: usize = 8;

    fn is_finite(self) -> bool {
        self.is_finite()
    }

    #[inline(always)]
    fn fused(self, factor: f32, term: f32) -> f32 {
        self.mul_add(factor, term)
    }

    fn kernels() -> &'static Kernels<f32> {
        match level() {
            Level::Portable => &PORTABLE_F32,
            Level::Avx2 => &AVX2_F32,
            Level::Avx512 if has_matrix_tiles() => &MATRIX_F32,
            Level::Avx512 => &AVX512_F32,
        }
    }

    unsafe fn convolve<E: Element<f32>, R: Element<f32>>(kernels: &Kernels<f32>, phase: &Phase<E, R>) -> bool {
        // SAFETY: the same contract.
        kernels.matrix.is_some() && matrix::direct::applies(phase) && unsafe { matrix::direct::convolve(phase) }
    }

    unsafe fn transpose_block(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        // SAFETY: the same contract; AVX2 is there at both levels.
        unsafe {
            match level() {
                Level::Portable => transpose_portable(from, from_stride, to, to_stride),
                Level::Avx2 | Level::Avx512 => transpose_8x8(from, from_stride, to, to_stride),
            }
        }
    }
}

static PORTABLE_F64: Kernels<f64> = Kernels::of::<Portable<f64>>(Level::Portable);

impl Real for f64 {
    const ZERO: f64 = 0.0;
    const TRANSPOSED: usize = 4;

    fn is_finite(self) -> bool {
        self.is_finite()
    }

    #[inline(always)]
    fn fused(self, factor: f64, term: f64) -> f64 {
        self.mul_add(factor, term)
    }

    fn kernels() -> &'static Kernels<f64> {
        match level() {
            Level::Portable => &PORTABLE_F64,
            Level::Avx2 => &AVX2_F64,
            Level::Avx512 => &AVX512_F64,
        }
    }

    unsafe fn transpose_block(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        // SAFETY: the same contract; AVX2 is there at both levels.
        unsafe {
            match level() {
                Level::Portable => transpose_portable(from, from_stride, to, to_stride),
                Level::Avx2 | Level::Avx512 => transpose_4x4(from, from_stride, to, to_stride),
            }
        }
    }
}

/// Transposes 8×8 elements: lines `from_stride` apart become columns of lines `to_stride` apart.
///
/// # Safety
/// Both blocks are valid memory and do not overlap; the machine has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn transpose_8x8(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
    // SAFETY: the lines are in the two blocks.
    unsafe {
        let line = |i: isize| _mm256_loadu_ps(from.offset(i * from_stride));
        let pairs = |x: isize, y: isize| (_mm256_unpacklo_ps(line(x), line(y)), _mm256_unpackhi_ps(line(x), line(y)));
        let quads = |x: isize| {
            let ((l0, h0), (l1, h1)) = (pairs(x, x + 1), pairs(x + 2, x + 3));
            [
                _mm256_shuffle_ps::<0x44>(l0, l1),
                _mm256_shuffle_ps::<0xee>(l0, l1),
                _mm256_shuffle_ps::<0x44>(h0, h1),
                _mm256_shuffle_ps::<0xee>(h0, h1),
            ]
        };
        let (low, high) = (quads(0), quads(4));
        for i in 0..4 {
            _mm256_storeu_ps(to.add(i * to_stride), _mm256_permute2f128_ps::<0x20>(low[i], high[i]));
            _mm256_storeu_ps(to.add((i + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(low[i], high[i]));
        }
    }
}

/// Transposes 4×4 elements, as [`transpose_8x8`].
///
/// # Safety
/// As for [`transpose_8x8`].
#[target_feature(enable = "avx2")]
unsafe fn transpose_4x4(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
    // SAFETY: the lines are in the two blocks.
    unsafe {
        let line = |i: isize| _mm256_loadu_pd(from.offset(i * from_stride));
        let (l01, h01) = (_mm256_unpacklo_pd(line(0), line(1)), _mm256_unpackhi_pd(line(0), line(1)));
        let (l23, h23) = (_mm256_unpacklo_pd(line(2), line(3)), _mm256_unpackhi_pd(line(2), line(3)));
        _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(l01, l23));
        _mm256_storeu_pd(to.add(to_stride), _mm256_permute2f128_pd::<0x20>(h01, h23));
        _mm256_storeu_pd(to.add(2 * to_stride), _mm256_permute2f128_pd::<0x31>(l01, l23));
        _mm256_storeu_pd(to.add(3 * to_stride), _mm256_permute2f128_pd::<0x31>(h01, h23));
    }
}

/// The tiles of all instruction sets that are here.
#[cfg(test)]
pub(in crate::gemm) fn all_f32() -> Vec<(&'static str, &'static Kernels<f32>)> {
    let mut kernels = vec![("portable", &PORTABLE_F32)];
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        kernels.push(("avx2", &AVX2_F32));
    }
    if is_x86_feature_detected!("avx512f") {
        kernels.push(("avx512", &AVX512_F32));
    }
    if rjax_runtime::matrix_tiles() {
        kernels.push(("matrix tiles", &MATRIX_F32));
    }
    kernels
}

/// The tiles of all instruction sets that are here.
#[cfg(test)]
pub(in crate::gemm) fn all_f64() -> Vec<(&'static str, &'static Kernels<f64>)> {
    let mut kernels = vec![("portable", &PORTABLE_F64)];
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        kernels.push(("avx2", &AVX2_F64));
    }
    if is_x86_feature_detected!("avx512f") {
        kernels.push(("avx512", &AVX512_F64));
    }
    kernels
}
