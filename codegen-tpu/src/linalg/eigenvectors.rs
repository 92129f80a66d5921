//! Eigenvectors of general matrices, from their Schur forms.

use rjax_ir::{ArgReduce, Atom, Binary, Compare, DType, Op, Reducer, Scalar, Unary};

use super::jacobi::epsilon;
use super::matrices::Matrices;

/// The left and right eigenvectors that are wanted of `vectors triangle vectors^H`, as columns of length 1 with a real greatest element.
/// Those of real matrices are real or in exact conjugate pairs. The triangle's elements are about one in size.
pub fn of_triangle(
    m: &mut Matrices<'_>,
    [triangle, vectors]: [Atom; 2],
    values: Atom,
    n: usize,
    [left, right]: [bool; 2],
    is_real: bool,
) -> Vec<Atom> {
    let mut results = vec![];
    let axes = [m.batch.len(), m.batch.len() + 1];
    let mut finish = |m: &mut Matrices<'_>, x: Atom| {
        let x = product(m, vectors, x, n);
        let x = normalised(m, x, n);
        results.push(if is_real { paired(m, x, values, n) } else { x });
    };
    if left {
        // The adjoint, turned over, is an upper triangle again.
        let (adjoint, conj) = (m.adjoint(triangle), m.conj(values));
        let (turned, reversed) = (m.b.reverse(adjoint, &axes), m.b.reverse(conj, &axes[..1]));
        let solved = solve(m, turned, reversed, n);
        let solved = m.b.reverse(solved, &axes);
        finish(m, solved);
    }
    if right {
        let solved = solve(m, triangle, values, n);
        finish(m, solved);
    }
    results
}

/// The eigenvectors of upper triangles with these values on the diagonal, up to their lengths: row by row from the last one on.
fn solve(m: &mut Matrices<'_>, triangle: Atom, values: Atom, n: usize) -> Atom {
    let zeros = m.fill(m.dtype, &[n, n], 0.0);
    let results = m.steps(n, true, [&[triangle, values], &[zeros], &[]], |m, i, [consts, carry, _]| {
        let (row, value) = (m.at(consts[0], 0, i), m.at(consts[1], 0, i));
        let (position, here) = (m.positions(&[n], 0), m.everywhere(i, &[n]));
        let (beyond, on) = (m.b.compare(Compare::Gt, position, here), m.b.compare(Compare::Eq, position, here));
        let (none, one) = (m.fill(m.dtype, &[n], 0.0), m.fill(m.dtype, &[n], 1.0));
        let row = m.b.select(beyond, row, none);
        let row = m.spread(row, &[0], &[n, n]);
        let products = m.b.mul(row, carry[0]);
        let sums = m.reduce(Reducer::Sum, products, &[0]);
        let value = m.spread(value, &[], &[n]);
        let distance = m.b.sub(consts[1], value);
        // Kept away from zero, as an eigenvalue that occurs twice would make it.
        let size = m.size(distance);
        let smallest = m.fill(m.dtype.real(), &[n], epsilon(m.dtype));
        let close = m.b.compare(Compare::Lt, size, smallest);
        let least = m.fill(m.dtype, &[n], -epsilon(m.dtype));
        let distance = m.b.select(close, least, distance);
        let solved = m.b.div(sums, distance);
        let solved = m.b.select(beyond, solved, none);
        let solved = m.b.select(on, one, solved);
        let (index, line) = (m.positions(&[n, n], 0), m.everywhere(i, &[n, n]));
        let is_line = m.b.compare(Compare::Eq, index, line);
        let lines = m.spread(solved, &[1], &[n, n]);
        let all = m.b.select(is_line, lines, carry[0]);
        // No column grows beyond what can be represented.
        let (size, one) = (m.size(solved), m.fill(m.dtype.real(), &[n], 1.0));
        let growth = m.b.binary(Binary::Max, size, one);
        let growth = m.number(growth, None);
        let growth = m.spread(growth, &[1], &[n, n]);
        [vec![m.b.div(all, growth)], vec![]]
    });
    results[0]
}

/// The product of square matrices, a column of the first and a row of the second at a time.
fn product(m: &mut Matrices<'_>, x: Atom, y: Atom, n: usize) -> Atom {
    let zeros = m.fill(m.dtype, &[n, n], 0.0);
    let results = m.steps(n, false, [&[x, y], &[zeros], &[]], |m, k, [consts, carry, _]| {
        let (column, row) = (m.at(consts[0], 1, k), m.at(consts[1], 0, k));
        let product = m.outer(column, n, row, n);
        [vec![m.b.add(carry[0], product)], vec![]]
    });
    results[0]
}

/// Columns of length 1, the greatest element of each real.
fn normalised(m: &mut Matrices<'_>, x: Atom, n: usize) -> Atom {
    let conj = m.conj(x);
    let squares = m.b.mul(x, conj);
    let squares = m.re(squares);
    let sums = m.reduce(Reducer::Sum, squares, &[0]);
    let length = m.b.unary(Unary::Sqrt, sums);
    let op = ArgReduce { largest: true, axis: m.batch.len(), index_dtype: DType::I32 };
    let index = m.b.emit1(Op::ArgReduce(op), &[squares]);
    let (row, index) = (m.positions(&[n, n], 0), m.spread(index, &[1], &[n, n]));
    let (is_greatest, zeros) = (m.b.compare(Compare::Eq, row, index), m.fill(m.dtype, &[n, n], 0.0));
    let only = m.b.select(is_greatest, x, zeros);
    let greatest = m.reduce(Reducer::Sum, only, &[0]);
    let (size, phase) = (m.b.unary(Unary::Abs, greatest), m.conj(greatest));
    let divisor = m.b.mul(size, length);
    let divisor = m.number(divisor, None);
    let factor = m.b.div(phase, divisor);
    let factor = m.spread(factor, &[1], &[n, n]);
    m.b.mul(x, factor)
}

/// Real columns for real values, and for the second of a pair the conjugate of the first.
fn paired(m: &mut Matrices<'_>, x: Atom, values: Atom, n: usize) -> Atom {
    let im = m.b.unary(Unary::Imag, values);
    let is_real = m.is_zero(im);
    let negative = m.b.compare(Compare::Lt, im, Scalar::zero(m.dtype.real()).into());
    let (is_real, negative) = (m.spread(is_real, &[1], &[n, n]), m.spread(negative, &[1], &[n, n]));
    let (re, im) = (m.b.unary(Unary::Real, x), m.b.unary(Unary::Imag, x));
    let zeros = m.fill(m.dtype.real(), &[n, n], 0.0);
    let im = m.b.select(is_real, zeros, im);
    let x = m.b.binary(Binary::Complex, re, im);
    let (first, rest) = (m.part(x, 1, 0, 1), m.part(x, 1, 0, n - 1));
    let before = m.join(&[first, rest], 1);
    let conj = m.conj(before);
    m.b.select(negative, conj, x)
}
