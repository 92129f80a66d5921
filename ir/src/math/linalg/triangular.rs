//! Solving with triangular matrices.

use std::ops::Range;

use super::Field;
use super::kernels::{Kernels, LANES, transpose_strided};
use super::strips::{MOVED, MULTIPLIED, STRIP, advance, load, steps, together};

/// Which triangle is meant, and how it stands in the equation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Triangle {
    /// The lower triangle rather than the upper one.
    pub lower: bool,
    /// The transpose stands in the equation.
    pub transpose: bool,
    /// The conjugate stands in the equation.
    pub conjugate: bool,
    /// The diagonal counts as ones.
    pub unit_diagonal: bool,
}

/// So few right-hand sides are solved for one by one.
const FEW: usize = 4;

/// Writes the x with `op(a) x = b` (or `x op(a) = b` unless `left`), a being n × n and x having `others` columns (or rows).
#[inline(always)]
pub fn triangular_solve<T: Field, K: Kernels>(
    kernels: &K,
    triangle: Triangle,
    left: bool,
    [n, others]: [usize; 2],
    a: &[T],
    b: &[T],
    x: &mut [T],
) {
    if n * others == 0 {
        return;
    }
    // From the right, the transposed equation has the transposed matrix on the left.
    let transpose = triangle.transpose == left;
    let upwards = triangle.lower == transpose;
    if others < FEW {
        let (from, step) = if left { (1, others) } else { (n, 1) };
        let mut solution = Vec::with_capacity(n);
        for j in 0..others {
            solution.clear();
            solution.extend((0..n).map(|i| b[j * from + i * step]));
            substitute_one(triangle, transpose, upwards, a, &mut solution);
            solution.iter().enumerate().for_each(|(i, &value)| x[j * from + i * step] = value);
        }
        return;
    }
    let (blocks, strips) = (n.div_ceil(STRIP) * n * STRIP, others.div_ceil(STRIP) * n * STRIP);
    kernels.with_scratch(blocks + strips, |memory| {
        let (blocks, strips) = memory.split_at_mut(blocks);
        prepare(kernels, triangle, transpose, upwards, n, a, blocks);
        solve_strips(
            kernels,
            upwards,
            [n, others],
            blocks,
            |lines, strip| {
                load(b, if left { others } else { n }, !left, lines, 0..n, strip);
            },
            strips,
        );
        store(kernels, left, [n, others], strips, x);
    });
}

/// As [`triangular_solve`] with at most [`LANES`] real matrices of one size at once: best for small ones.
#[inline(always)]
pub fn triangular_solve_lanes<T: Field<Real = T>, K: Kernels>(
    kernels: &K,
    triangle: Triangle,
    left: bool,
    [n, others]: [usize; 2],
    a: &[T],
    b: &[T],
    x: &mut [T],
) {
    let transpose = triangle.transpose == left;
    let upwards = triangle.lower == transpose;
    let mut matrices = vec![[T::ZERO; LANES]; n * n];
    kernels.interleave(a, &mut matrices);
    let mut solutions = vec![[T::ZERO; LANES]; n * others];
    kernels.interleave(b, &mut solutions);
    // From one row of the matrix to the next, and from one of its columns; the same of the solutions.
    let (row, column) = if transpose { (1, n) } else { (n, 1) };
    let (step, line) = if left { (others, 1) } else { (1, n) };
    for count in 0..n {
        let i = if upwards { n - 1 - count } else { count };
        let known = if upwards { i + 1..n } else { 0..i };
        let diagonal = if triangle.unit_diagonal { [T::ONE; LANES] } else { matrices[i * n + i] };
        for j in 0..others {
            let mut value = solutions[i * step + j * line];
            for k in known.clone() {
                let (factor, earlier) = (&matrices[i * row + k * column], &solutions[k * step + j * line]);
                for lane in 0..LANES {
                    value[lane] -= factor[lane] * earlier[lane];
                }
            }
            for lane in 0..LANES {
                value[lane] /= diagonal[lane];
            }
            solutions[i * step + j * line] = value;
        }
    }
    kernels.deinterleave(&solutions, x);
}

/// Fills strips with the adjoint of the matrix that stands on the left of x or of its transpose.
fn prepare<T: Field, K: Kernels>(
    kernels: &K,
    triangle: Triangle,
    transpose: bool,
    upwards: bool,
    n: usize,
    a: &[T],
    blocks: &mut [T],
) {
    let moved = together(n * STRIP, MOVED);
    kernels.each(blocks, moved * n * STRIP, &|piece, blocks| {
        for (step, block) in steps(n).skip(piece * moved).zip(blocks.chunks_exact_mut(n * STRIP)) {
            let rows = if upwards { step.start..n } else { 0..step.end };
            load(a, n, !transpose, step.clone(), rows.clone(), block);
            if !triangle.conjugate {
                block[rows.start * STRIP..rows.end * STRIP].iter_mut().for_each(|x| *x = x.conj());
            }
            if triangle.unit_diagonal {
                step.enumerate().for_each(|(column, row)| block[row * STRIP + column] = T::ONE);
            }
        }
    });
}

/// So many strips go through the matrix together, while a part of it is in the cache, if there are enough for so many parts.
const TOGETHER: usize = 4;
const PARTS: usize = 8;

/// Fills strips with right-hand sides and replaces these by the solutions.
fn solve_strips<T: Field, K: Kernels>(
    kernels: &K,
    upwards: bool,
    [n, others]: [usize; 2],
    blocks: &[T],
    fill: impl Fn(Range<usize>, &mut [T]) + Sync,
    strips: &mut [T],
) {
    let size = n * STRIP;
    let solved = together(n * size / 2, MULTIPLIED).max(TOGETHER.min(others.div_ceil(STRIP) / PARTS));
    kernels.each(strips, solved * size, &|piece, strips| {
        for (lines, strip) in steps(others).skip(piece * solved).zip(strips.chunks_exact_mut(size)) {
            fill(lines, strip);
        }
        let mut next = |step: Range<usize>| {
            let block = &blocks[step.start * n..][..size];
            strips.chunks_exact_mut(size).for_each(|strip| advance(kernels, upwards, step.clone(), block, strip));
        };
        if upwards { steps(n).rev().for_each(&mut next) } else { steps(n).for_each(&mut next) }
    });
}

/// Writes the solutions as columns, or unless `left`, rows.
fn store<T: Field, K: Kernels>(kernels: &K, left: bool, [n, others]: [usize; 2], strips: &[T], x: &mut [T]) {
    let size = n * STRIP;
    if left {
        let moved = together(others, MOVED);
        kernels.each(x, moved * others, &|piece, rows| {
            for (i, row) in (piece * moved..).zip(rows.chunks_exact_mut(others)) {
                for (row, strip) in row.chunks_mut(STRIP).zip(strips.chunks_exact(size)) {
                    row.copy_from_slice(&strip[i * STRIP..][..row.len()]);
                }
            }
        });
    } else {
        let moved = together(size, MOVED);
        kernels.each(x, moved * size, &|piece, lines| {
            let strips = strips.chunks_exact(size).skip(piece * moved);
            for (lines, strip) in lines.chunks_mut(size).zip(strips) {
                transpose_strided([n, lines.len() / n], strip, STRIP, lines, n);
            }
        });
    }
}

/// Replaces one right-hand side by the solution.
#[inline(always)]
fn substitute_one<T: Field>(triangle: Triangle, transpose: bool, upwards: bool, a: &[T], x: &mut [T]) {
    let n = x.len();
    let element = |x: T| if triangle.conjugate { x.conj() } else { x };
    for step in 0..n {
        let i = if upwards { n - 1 - step } else { step };
        let row = &a[i * n..][..n];
        let known = if upwards { i + 1..n } else { 0..i };
        if !transpose {
            x[i] -= sum_of_products(&row[known.clone()], &x[known], element);
        }
        if !triangle.unit_diagonal {
            x[i] /= element(row[i]);
        }
        if transpose {
            let (factor, later) = (x[i], if upwards { 0..i } else { i + 1..n });
            for (x, &a) in x[later.clone()].iter_mut().zip(&row[later]) {
                *x -= element(a) * factor;
            }
        }
    }
}

/// In eight sums at once.
#[inline(always)]
fn sum_of_products<T: Field>(a: &[T], x: &[T], element: impl Fn(T) -> T) -> T {
    let mut lanes = [T::ZERO; 8];
    let (whole_a, whole_x) = (a.chunks_exact(8), x.chunks_exact(8));
    let rest = whole_a.remainder().iter().zip(whole_x.remainder());
    for (a, x) in whole_a.zip(whole_x) {
        (0..8).for_each(|lane| lanes[lane] += element(a[lane]) * x[lane]);
    }
    for (lane, (&a, &x)) in lanes.iter_mut().zip(rest) {
        *lane += element(a) * x;
    }
    lanes.into_iter().fold(T::ZERO, |sum, lane| sum + lane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::linalg::{Plain, cholesky};
    use crate::{Complex128, Element};

    fn number(i: usize, j: usize) -> f64 {
        ((i * i * 31 + j * 17 + i * j * j * 7 + 5) % 101) as f64 / 50.0 - 1.0
    }

    /// The other triangle holds NaN, since nobody reads it.
    #[test]
    fn solutions_satisfy_their_equations() {
        for (n, others) in [(1, 1), (4, 3), (7, 5), (33, 2), (33, 40), (70, 9)] {
            for flags in 0..32 {
                let flag = |i: usize| flags >> i & 1 == 1;
                let (left, lower) = (flag(0), flag(1));
                let triangle = Triangle { lower, transpose: flag(2), conjugate: flag(3), unit_diagonal: flag(4) };
                let a = |i: usize, j: usize| match i.cmp(&j) {
                    std::cmp::Ordering::Equal if triangle.unit_diagonal => Complex128::ONE,
                    std::cmp::Ordering::Equal => Complex128::new(3.0, number(i, j)),
                    order if (order == std::cmp::Ordering::Greater) == lower => {
                        Complex128::new(number(i, j), number(j, i)) / n as f64
                    }
                    std::cmp::Ordering::Less | std::cmp::Ordering::Greater => Complex128::ZERO,
                };
                let stored: Vec<Complex128> = (0..n * n)
                    .map(|at| (at / n, at % n))
                    .map(|(i, j)| {
                        let read = if i == j { !triangle.unit_diagonal } else { (i > j) == lower };
                        if read { a(i, j) } else { Complex128::NAN }
                    })
                    .collect();
                let op = |i: usize, j: usize| {
                    let x = if triangle.transpose { a(j, i) } else { a(i, j) };
                    if triangle.conjugate { x.conj() } else { x }
                };
                let b: Vec<Complex128> = (0..n * others).map(|i| Complex128::new(number(i, 1), number(2, i))).collect();
                let mut x = vec![Complex128::NAN; n * others];
                triangular_solve(&Plain, triangle, left, [n, others], &stored, &b, &mut x);
                for place in 0..n * others {
                    let product: Complex128 = if left {
                        (0..n).map(|k| op(place / others, k) * x[k * others + place % others]).sum()
                    } else {
                        (0..n).map(|k| x[place / n * n + k] * op(k, place % n)).sum()
                    };
                    assert!((product - b[place]).norm() < 1e-13, "{triangle:?} of {n}, {others} others");
                }
            }
        }
    }

    #[test]
    fn systems_together_are_as_they_are_alone() {
        for (n, others, count) in [(1, 1, 4), (4, 3, 16), (7, 5, 9), (20, 1, 16), (33, 8, 5)] {
            for flags in 0..16 {
                let flag = |i: usize| flags >> i & 1 == 1;
                let left = flag(0);
                let triangle =
                    Triangle { lower: flag(1), transpose: flag(2), conjugate: false, unit_diagonal: flag(3) };
                let matrix = |at: usize| {
                    let (i, j) = (at / n % n, at % n);
                    if i == j { 3.0 + (at / (n * n)) as f64 } else { number(at / n, j) / n as f64 }
                };
                let a: Vec<f64> = (0..count * n * n).map(matrix).collect();
                let b: Vec<f64> = (0..count * n * others).map(|at| number(at, 1)).collect();
                let (mut together, mut alone) = (vec![f64::NAN; b.len()], vec![f64::NAN; b.len()]);
                triangular_solve_lanes(&Plain, triangle, left, [n, others], &a, &b, &mut together);
                let problems = a.chunks_exact(n * n).zip(b.chunks_exact(n * others));
                for ((a, b), x) in problems.zip(alone.chunks_exact_mut(n * others)) {
                    triangular_solve(&Plain, triangle, left, [n, others], a, b, x);
                }
                let near = together.iter().zip(&alone).all(|(x, y)| (x - y).abs() < 1e-13);
                assert!(near, "{triangle:?} of {n}, {others} others");
            }
        }
    }

    #[test]
    fn cholesky_factors_give_their_product() {
        for n in [1, 3, 32, 33, 70] {
            let b = |i: usize, j: usize| {
                Complex128::new(number(i, j) + if i == j { n as f64 } else { 0.0 }, number(j + 3, i))
            };
            let product = |i: usize, j: usize| (0..n).map(|k| b(i, k) * b(j, k).conj()).sum::<Complex128>();
            let read = |i: usize, j: usize| if i >= j { product(i, j) } else { Complex128::NAN };
            let mut l: Vec<Complex128> = (0..n * n).map(|at| read(at / n, at % n)).collect();
            cholesky(&Plain, n, &mut l);
            for (i, j) in (0..n * n).map(|at| (at / n, at % n)) {
                let found: Complex128 = (0..n).map(|k| l[i * n + k] * l[j * n + k].conj()).sum();
                assert!((found - product(i, j)).norm() < 1e-12 * (n * n) as f64, "{n}: {i}, {j}");
                assert!(j <= i || l[i * n + j] == Complex128::from_c128(Complex128::ZERO));
            }
            let mut indefinite: Vec<Complex128> = (0..n * n).map(|at| product(at / n, at % n)).collect();
            indefinite[n * n - 1] = -Complex128::ONE;
            cholesky(&Plain, n, &mut indefinite);
            let lower = |at: usize| at / n >= at % n;
            assert!((0..n * n).all(|at| indefinite[at].re.is_nan() == lower(at)));
        }
    }
}
