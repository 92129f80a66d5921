//! Products against a plain loop: every path, edge and stride, with guards around the result.

mod conv;
#[cfg(target_arch = "x86_64")]
mod matrix;
mod scattered;

use super::*;

/// A small generator of numbers that are exact in every type used here.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % 17) as f64 - 8.0
    }
}

const GUARD: f64 = 12345.0;

/// Row and column strides of a matrix: row-major, column-major, with gaps, reversed, or everywhere the same row.
const LAYOUTS: [fn(usize, usize) -> (isize, isize); 5] = [
    |_, n| (n as isize, 1),
    |m, _| (1, m as isize),
    |_, n| (2 * n as isize + 3, 2),
    |_, n| (n as isize + 5, 1),
    |_, n| (-(n as isize), 1),
];

struct Operand<T> {
    data: Vec<T>,
    first: usize,
    row: isize,
    column: isize,
}

impl<T: Copy> Operand<T> {
    fn new(m: usize, n: usize, layout: usize, mut value: impl FnMut() -> T) -> Operand<T> {
        let (row, column) = LAYOUTS[layout](m, n);
        let span = |extent: usize, stride: isize| extent.saturating_sub(1) as isize * stride;
        let lowest = span(m, row).min(0) + span(n, column).min(0);
        let highest = span(m, row).max(0) + span(n, column).max(0);
        let guard = 64;
        let first = (guard - lowest) as usize;
        let data = (0..(highest - lowest) as usize + 1 + 2 * guard as usize).map(|_| value()).collect();
        Operand { data, first, row, column }
    }

    fn matrix(&mut self) -> Matrix<T> {
        Matrix { start: &mut self.data[self.first], row: self.row, column: self.column }
    }

    fn position(&self, i: usize, j: usize) -> usize {
        (self.first as isize + i as isize * self.row + j as isize * self.column) as usize
    }
}

fn check<T: Real + PartialEq + std::fmt::Debug>(
    label: &str,
    product: impl Fn(Extents, Matrix<T>, Matrix<T>, Matrix<T>),
    extents: Extents,
    layouts: [usize; 3],
    from_f64: fn(f64) -> T,
    to_f64: fn(T) -> f64,
) {
    let Extents { m, n, k } = extents;
    let mut numbers = Numbers((m * 1000 + n * 100 + k) as u64);
    let mut lhs = Operand::new(m, k, layouts[0], || from_f64(numbers.next()));
    let mut rhs = Operand::new(k, n, layouts[1], || from_f64(numbers.next()));
    let mut out = Operand::new(m, n, layouts[2], || from_f64(GUARD));
    let mut expected: Vec<f64> = out.data.iter().map(|&x| to_f64(x)).collect();
    for i in 0..m {
        for j in 0..n {
            let sum = (0..k).map(|l| to_f64(lhs.data[lhs.position(i, l)]) * to_f64(rhs.data[rhs.position(l, j)])).sum();
            expected[out.position(i, j)] = sum;
        }
    }
    product(extents, lhs.matrix(), rhs.matrix(), out.matrix());
    let found: Vec<f64> = out.data.iter().map(|&x| to_f64(x)).collect();
    // All sums are small integers, so every order of summation gives the same bits.
    assert_eq!(found, expected, "{label}: {m}x{n}x{k}, layouts {layouts:?}");
}

const EXTENTS: [usize; 9] = [1, 2, 3, 4, 7, 13, 17, 33, 70];

fn sweep(mut check: impl FnMut(Extents, [usize; 3])) {
    let mut turn = 0;
    for m in EXTENTS {
        for n in EXTENTS {
            for k in EXTENTS {
                turn += 1;
                check(Extents { m, n, k }, [turn % 5, (turn / 5) % 5, (turn / 25) % 5]);
            }
        }
    }
    for layouts in [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1], [2, 3, 2]] {
        check(Extents { m: 180, n: 40, k: 530 }, layouts);
        check(Extents { m: 20, n: 3100, k: 9 }, layouts);
        check(Extents { m: 1, n: 100, k: 600 }, layouts);
        check(Extents { m: 3, n: 101, k: 70 }, layouts);
        check(Extents { m: 900, n: 7, k: 310 }, layouts);
    }
}

#[test]
fn products_of_every_shape_and_layout() {
    sweep(|extents, layouts| {
        // SAFETY: the operands have these extents.
        let run = |e, a, b, c| unsafe { product::<f32, f32, f32>(f32::kernels(), e, a, b, c, false, true) };
        check::<f32>("f32", run, extents, layouts, |x| x as f32, |x| x as f64);
        // SAFETY: the operands have these extents.
        let run = |e, a, b, c| unsafe { product::<f64, f64, f64>(f64::kernels(), e, a, b, c, false, true) };
        check::<f64>("f64", run, extents, layouts, |x| x, |x| x);
    });
    for (m, n, k) in [(0, 3, 2), (3, 0, 2), (3, 4, 0)] {
        // SAFETY: the operands have these extents.
        let run = |e, a, b, c| unsafe { product::<f32, f32, f32>(f32::kernels(), e, a, b, c, false, true) };
        check::<f32>("empty", run, Extents { m, n, k }, [0, 0, 0], |x| x as f32, |x| x as f64);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_instruction_set_that_is_here() {
    for (name, kernels) in tile::x86::all_f32() {
        sweep(|extents, [a, b, _]| {
            // SAFETY: the operands have these extents, and the machine has the instruction set.
            let run = |e, a, b, c| unsafe { product::<f32, f32, f32>(kernels, e, a, b, c, false, true) };
            check::<f32>(name, run, extents, [a, b, 3], |x| x as f32, |x| x as f64);
        });
    }
    for (name, kernels) in tile::x86::all_f64() {
        sweep(|extents, [a, b, _]| {
            // SAFETY: the operands have these extents, and the machine has the instruction set.
            let run = |e, a, b, c| unsafe { product::<f64, f64, f64>(kernels, e, a, b, c, false, true) };
            check::<f64>(name, run, extents, [a, b, 0], |x| x, |x| x);
        });
    }
}

/// The product of an operand with itself, of which one half is computed and the other copied.
fn check_symmetric<T: Real + Element<T>>(
    label: &str,
    kernels: &Kernels<T>,
    from_f64: fn(f64) -> T,
    to_f64: fn(T) -> f64,
) {
    for (m, k, layout) in [(128, 70, 0), (131, 9, 1), (200, 300, 2), (230, 33, 3), (129, 64, 4), (420, 20, 0)] {
        for (parallel, out_layout) in [(false, layout), (true, 0), (true, 1), (true, 3)] {
            let mut numbers = Numbers((m * k) as u64);
            let mut operand = Operand::new(m, k, layout, || from_f64(numbers.next()));
            let mut out = Operand::new(m, m, out_layout, || from_f64(GUARD));
            let mut expected: Vec<f64> = out.data.iter().map(|&x| to_f64(x)).collect();
            let element = |i: usize, l: usize| to_f64(operand.data[operand.position(i, l)]);
            for (i, j) in (0..m).flat_map(|i| (0..m).map(move |j| (i, j))) {
                expected[out.position(i, j)] = (0..k).map(|l| element(i, l) * element(j, l)).sum();
            }
            let (matrix, extents) = (operand.matrix(), Extents { m, n: m, k });
            assert!(is_symmetric(extents, matrix, matrix.transposed()));
            // SAFETY: operand and result have these extents, and the machine has the instruction set.
            unsafe { product(kernels, extents, matrix, matrix.transposed(), out.matrix(), false, parallel) };
            let found: Vec<f64> = out.data.iter().map(|&x| to_f64(x)).collect();
            assert_eq!(found, expected, "{label}: {m} rows of {k}, layouts {layout} and {out_layout}");
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn products_of_an_operand_with_itself() {
    for (name, kernels) in tile::x86::all_f32() {
        check_symmetric(name, kernels, |x| x as f32, |x| x as f64);
    }
    for (name, kernels) in tile::x86::all_f64() {
        check_symmetric(name, kernels, |x| x, |x| x);
    }
}

fn described(batch: &[[usize; 4]], [m, n, k]: [usize; 3], dtype: DType, out_dtype: DType) -> kir::Gemm {
    let view = || kir::View::whole(kir::BufferId(0));
    let axis = |extent: usize, lhs: usize, rhs: usize, out: usize| kir::GemmAxis {
        extent,
        lhs: lhs as isize,
        rhs: rhs as isize,
        out: out as isize,
    };
    kir::Gemm {
        dtype,
        out_dtype,
        batch: batch.iter().map(|&[e, l, r, o]| axis(e, l, r, o)).collect(),
        m: axis(m, k, 0, n),
        n: axis(n, 0, 1, 1),
        k: axis(k, 1, n, 0),
        outer_k: vec![],
        lhs: view(),
        rhs: view(),
        out: view(),
        add: false,
    }
}

#[test]
fn batches_merge_without_changing_the_result() {
    let [m, n, k] = [3, 4, 5];
    let cases = [
        vec![[2, m * k, 0, m * n]],
        vec![[2, 0, k * n, m * n]],
        vec![[3, 2 * m * k, 0, 2 * m * n], [2, m * k, 0, m * n]],
    ];
    for batch in cases {
        let plain = described(&batch, [m, n, k], DType::F32, DType::F32);
        let mut merged = plain.clone();
        merge_batches(&mut merged);
        let mut numbers = Numbers(1);
        let lhs: Vec<f32> = (0..6 * m * k).map(|_| numbers.next() as f32).collect();
        let rhs: Vec<f32> = (0..2 * k * n).map(|_| numbers.next() as f32).collect();
        let run = |gemm: &kir::Gemm| {
            let mut out = vec![0f32; 6 * m * n];
            // SAFETY: the vectors have at least the elements that the batch strides reach.
            unsafe { super::gemm(gemm, lhs.as_ptr().cast(), rhs.as_ptr().cast(), out.as_mut_ptr().cast()) };
            out
        };
        assert_eq!(run(&plain), run(&merged), "{plain} and {merged}");
    }
    let mut rows = described(&[[2, m * k, 0, m * n]], [m, n, k], DType::F32, DType::F32);
    merge_batches(&mut rows);
    assert_eq!((rows.batch.len(), rows.m.extent), (0, 2 * m));
}

#[test]
fn narrow_floats_accumulate_in_f32_and_round_once() {
    let [m, n, k] = [2, 3, 300];
    let ones: Vec<bf16> = vec![bf16::from_f32(1.0); 300 * 3];
    let mut wide = [0f32; 6];
    let mut narrow = [bf16::ZERO; 6];
    // SAFETY: the arrays have the extents described.
    unsafe {
        let operand = ones.as_ptr().cast();
        super::gemm(&described(&[], [m, n, k], DType::BF16, DType::F32), operand, operand, wide.as_mut_ptr().cast());
        super::gemm(&described(&[], [m, n, k], DType::BF16, DType::BF16), operand, operand, narrow.as_mut_ptr().cast());
    }
    assert_eq!(wide, [300.0; 6]);
    assert_eq!(narrow, [bf16::from_f32(300.0); 6]);
    let halves: Vec<f16> = vec![f16::from_f32(0.5); 300 * 3];
    let mut out = [f16::ZERO; 6];
    // SAFETY: the arrays have the extents described.
    unsafe {
        let operand = halves.as_ptr().cast();
        super::gemm(&described(&[], [m, n, k], DType::F16, DType::F16), operand, operand, out.as_mut_ptr().cast());
    }
    assert_eq!(out, [f16::from_f32(75.0); 6]);
}
