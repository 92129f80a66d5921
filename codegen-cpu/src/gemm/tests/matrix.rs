//! Products on matrix tile registers: every layout and edge, their accuracy, and what they leave to vectors.

use super::*;
use crate::gemm::matrix::multiply;

/// Whether the machine has the registers; says so if not.
fn present(test: &str) -> bool {
    let here = rjax_runtime::matrix_tiles();
    if !here {
        println!("{test}: skipped, this machine has no matrix tile registers");
    }
    here
}

/// The product on tiles of plain matrices, and whether it is one.
///
/// # Safety
/// As for [`product`].
unsafe fn on_tiles<E: Element<f32>, R: Element<f32>>(
    extents: Extents,
    lhs: Matrix<E>,
    rhs: Matrix<E>,
    out: Matrix<R>,
    parallel: bool,
) -> bool {
    let contraction = Contraction {
        extents,
        left: &Strided { start: lhs.start.cast_const(), line: lhs.row, depth: lhs.column },
        right: &Strided { start: rhs.start.cast_const(), line: rhs.column, depth: rhs.row },
        out: &Dense(out),
        add: false,
        symmetric: false,
        parallel,
    };
    // SAFETY: the caller's promise.
    unsafe { multiply(&contraction, E::PARTS.expect("a type of parts")) }
}

#[test]
fn tiles_of_every_shape_and_layout() {
    if !present("tiles_of_every_shape_and_layout") {
        return;
    }
    sweep(|extents, layouts| {
        let run = |e, a, b, c| {
            // SAFETY: the operands have these extents.
            assert!(unsafe { on_tiles::<f32, f32>(e, a, b, c, true) }, "small integers are ordinary");
        };
        check::<f32>("tiles", run, extents, layouts, |x| x as f32, |x| x as f64);
    });
}

/// Numbers between -1 and 1 with all bits of an `f32`.
fn fractions(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The greatest error in units of `2^-24` times the sum of the terms' magnitudes.
fn worst_error(e: Extents, a: &[f32], b: &[f32], c: &[f32]) -> f64 {
    let mut worst = 0f64;
    for i in 0..e.m {
        for j in 0..e.n {
            let terms = (0..e.k).map(|l| f64::from(a[i * e.k + l]) * f64::from(b[l * e.n + j]));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
            worst = worst.max((f64::from(c[i * e.n + j]) - sum).abs() / size.max(f64::MIN_POSITIVE));
        }
    }
    worst * f64::from(1u32 << 24)
}

fn row_major<T>(data: &mut [T], columns: usize) -> Matrix<T> {
    Matrix { start: data.as_mut_ptr(), row: columns as isize, column: 1 }
}

#[test]
fn six_products_are_as_accurate_as_fused_multiply_adds() {
    if !present("six_products_are_as_accurate_as_fused_multiply_adds") {
        return;
    }
    for (m, n, k) in [(64, 64, 64), (70, 45, 1000), (33, 64, 2500)] {
        let e = Extents { m, n, k };
        let (mut a, mut b) = (fractions(m * k, 1), fractions(k * n, 2));
        // Magnitudes of all kinds beside each other.
        a.iter_mut().enumerate().for_each(|(i, x)| *x *= 2f32.powi(i as i32 % 21 - 10));
        let (mut c, mut plain) = (vec![0f32; m * n], vec![0f32; m * n]);
        let (lhs, rhs) = (row_major(&mut a, k), row_major(&mut b, n));
        // SAFETY: the operands have these extents.
        let computed = unsafe { on_tiles::<f32, f32>(e, lhs, rhs, row_major(&mut c, n), true) };
        for i in 0..m {
            for j in 0..n {
                plain[i * n + j] = (0..k).fold(0.0, |sum, l| a[i * k + l].mul_add(b[l * n + j], sum));
            }
        }
        let (tiles, fused) = (worst_error(e, &a, &b, &c), worst_error(e, &a, &b, &plain));
        assert!(computed && tiles <= fused.max(2.0), "{e:?}: {tiles} against {fused}");
    }
}

#[test]
fn halves_are_exact_in_two_parts_and_results_round_once() {
    if !present("halves_are_exact_in_two_parts_and_results_round_once") {
        return;
    }
    let e = Extents { m: 40, n: 40, k: 3 };
    let mut a: Vec<f16> = fractions(e.m * e.k, 3).into_iter().map(f16::from_f32).collect();
    let mut b: Vec<f16> = fractions(e.k * e.n, 4).into_iter().map(f16::from_f32).collect();
    let (mut c, mut narrow) = (vec![0f32; e.m * e.n], vec![f16::ZERO; e.m * e.n]);
    let (lhs, rhs) = (row_major(&mut a, e.k), row_major(&mut b, e.n));
    // SAFETY: the operands have these extents.
    unsafe {
        assert!(on_tiles::<f16, f32>(e, lhs, rhs, row_major(&mut c, e.n), false));
        assert!(on_tiles::<f16, f16>(e, lhs, rhs, row_major(&mut narrow, e.n), false));
    }
    let wide = |x: &[f16]| x.iter().map(|x| x.to_f32()).collect::<Vec<f32>>();
    assert!(worst_error(e, &wide(&a), &wide(&b), &c) <= 4.0);
    let rounded: Vec<f16> = c.iter().map(|&x| f16::from_f32(x)).collect();
    assert_eq!(narrow, rounded);
}

#[test]
fn extraordinary_operands_are_left_to_vectors() {
    if !present("extraordinary_operands_are_left_to_vectors") {
        return;
    }
    let e = Extents { m: 96, n: 96, k: 96 };
    let kernels = tile::x86::all_f32();
    let of = |name: &str| kernels.iter().find(|(n, _)| *n == name).expect("the level is here").1;
    for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e30, 1e-42] {
        for side in 0..2 {
            let mut operands = [fractions(e.m * e.k, 5), fractions(e.k * e.n, 6)];
            match strange {
                tiny if tiny.is_subnormal() => operands[side].iter_mut().for_each(|x| *x *= tiny),
                strange => operands[side][1234] = strange,
            }
            let [mut a, mut b] = operands;
            let (lhs, rhs) = (row_major(&mut a, e.k), row_major(&mut b, e.n));
            let (mut c, mut expected) = (vec![0f32; e.m * e.n], vec![0f32; e.m * e.n]);
            // SAFETY: the operands have these extents.
            unsafe {
                assert!(!on_tiles::<f32, f32>(e, lhs, rhs, row_major(&mut c, e.n), true), "{strange}");
                product::<f32, f32, f32>(of("matrix tiles"), e, lhs, rhs, row_major(&mut c, e.n), false, true);
                product::<f32, f32, f32>(of("avx512"), e, lhs, rhs, row_major(&mut expected, e.n), false, true);
            }
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&c), bits(&expected), "{strange}");
        }
    }
}
