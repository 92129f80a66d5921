//! LU factorisation with partial pivoting, and solving with tridiagonal matrices.

use rjax_ir::{ArgReduce, Atom, Compare, DType, Op, Reducer, Unary};

use super::matrices::Matrices;

/// The first of the rows from `k` on whose element is greatest; NaN is never greater, and nothing is greater than NaN.
fn pivot(m: &mut Matrices<'_>, column: Atom, rows: usize, k: Atom) -> Atom {
    let real = m.dtype.real();
    let (row, k) = (m.positions(&[rows], 0), m.everywhere(k, &[rows]));
    let size = m.size(column);
    let (below, here) = (m.b.compare(Compare::Ge, row, k), m.b.compare(Compare::Eq, row, k));
    let is_number = m.b.compare(Compare::Eq, size, size);
    let is_nan = m.b.unary(Unary::Not, is_number);
    let (counts, stays) = (m.and(below, is_number), m.and(here, is_nan));
    let (least, greatest) = (m.fill(real, &[rows], -1.0), m.fill(real, &[rows], f64::INFINITY));
    let size = m.b.select(counts, size, least);
    let size = m.b.select(stays, greatest, size);
    m.b.emit1(Op::ArgReduce(ArgReduce { largest: true, axis: m.batch.len(), index_dtype: DType::I32 }), &[size])
}

/// Swaps two things along the first axis: row `k`, the same for all matrices, and row `p`, of each matrix its own.
fn swap(m: &mut Matrices<'_>, x: Atom, extents: &[usize], k: Atom, p: Atom) -> Atom {
    let row = m.positions(extents, 0);
    let (is_k, is_p) = (m.everywhere(k, extents), m.spread(p, &[], extents));
    let (is_k, is_p) = (m.b.compare(Compare::Eq, row, is_k), m.b.compare(Compare::Eq, row, is_p));
    let first = m.at(x, 0, k);
    let aval = m.b.aval(x);
    let zeros = m.b.zeros(&aval);
    let only = m.b.select(is_p, x, zeros);
    let second = m.reduce(Reducer::Sum, only, &[0]);
    let rest: Vec<usize> = (1..extents.len()).collect();
    let (first, second) = (m.spread(first, &rest, extents), m.spread(second, &rest, extents));
    let swapped = m.b.select(is_p, first, x);
    m.b.select(is_k, second, swapped)
}

/// `lu`: the factors in one matrix, the pivots and the permutation.
pub fn lu(m: &mut Matrices<'_>, a: Atom, rows: usize, cols: usize) -> Vec<Atom> {
    let order = m.positions(&[rows], 0);
    if rows.min(cols) == 0 {
        return vec![a, m.fill(DType::I32, &[0], 0.0), order];
    }
    let results = m.steps(rows.min(cols), false, [&[], &[a, order], &[]], |m, k, [_, carry, _]| {
        let column = m.at(carry[0], 1, k);
        let p = pivot(m, column, rows, k);
        let (a, order) = (swap(m, carry[0], &[rows, cols], k, p), swap(m, carry[1], &[rows], k, p));
        let (row, column) = (m.at(a, 0, k), m.at(a, 1, k));
        let head = m.at(row, 0, k);
        // A column of zeros is left as it is.
        let zero = m.is_zero(head);
        let (everywhere, zeros) = (m.spread(head, &[], &[rows]), m.spread(zero, &[], &[rows]));
        let factors = m.b.div(column, everywhere);
        let factors = m.b.select(zeros, column, factors);
        let extents = [rows, cols];
        let (i, j, k) = (m.positions(&extents, 0), m.positions(&extents, 1), m.everywhere(k, &extents));
        let (below, right) = (m.b.compare(Compare::Gt, i, k), m.b.compare(Compare::Gt, j, k));
        let here = m.b.compare(Compare::Eq, j, k);
        let (zero, inside) = (m.spread(zero, &[], &extents), m.and(below, right));
        let nonzero = m.b.unary(Unary::Not, zero);
        let (inside, left) = (m.and(inside, nonzero), m.and(below, here));
        let product = m.outer(factors, rows, row, cols);
        let reduced = m.b.sub(a, product);
        let factors = m.spread(factors, &[0], &extents);
        let a = m.b.select(inside, reduced, a);
        let a = m.b.select(left, factors, a);
        [vec![a, order], vec![p]]
    });
    let last = m.batch.len();
    let pivots = m.b.move_axis(results[2], 0, last);
    vec![results[0], pivots, results[1]]
}

/// `tridiagonal_solve` of n equations with `others` right-hand sides.
pub fn tridiagonal_solve(m: &mut Matrices<'_>, x: &[Atom], n: usize, others: usize) -> Atom {
    if n == 0 {
        return x[3];
    }
    // The equations come one after the other.
    let axis = m.batch.len();
    let rows: Vec<Atom> = x.iter().map(|&x| m.b.move_axis(x, axis, 0)).collect();
    let first: Vec<Atom> = rows.iter().map(|&x| m.b.index_axis(x, 0, 0)).collect();
    let rest: Vec<Atom> = rows.iter().map(|&x| m.b.slice_axis(x, 0, 1, n)).collect();
    let zero = m.fill(m.dtype, &[], 0.0);
    // What is carried: the three entries of an equation that is not final yet, and its right-hand side.
    let start = [first[1], first[2], zero, first[3]];
    let results = m.steps(n - 1, false, [&[], &start, &rest], |m, _, [_, carry, row]| {
        let (below, diagonal, above, rhs) = (row[0], row[1], row[2], row[3]);
        let (size, other) = (m.size(below), m.size(carry[0]));
        let swaps = m.b.compare(Compare::Gt, size, other);
        let zero = m.fill(m.dtype, &[], 0.0);
        let swap_rhs = m.spread(swaps, &[], &[others]);
        let either = |m: &mut Matrices<'_>, yes: Atom, no: Atom| m.b.select(swaps, yes, no);
        let upper = [either(m, below, carry[0]), either(m, diagonal, carry[1]), either(m, above, carry[2])];
        let lower = [either(m, carry[0], below), either(m, carry[1], diagonal), either(m, zero, above)];
        let (upper_rhs, lower_rhs) = (m.b.select(swap_rhs, rhs, carry[3]), m.b.select(swap_rhs, carry[3], rhs));
        let ratio = m.b.div(lower[0], upper[0]);
        let (next, after) = (m.b.mul(ratio, upper[1]), m.b.mul(ratio, upper[2]));
        let (next, after) = (m.b.sub(lower[1], next), m.b.sub(lower[2], after));
        let ratio = m.spread(ratio, &[], &[others]);
        let product = m.b.mul(ratio, upper_rhs);
        let lower_rhs = m.b.sub(lower_rhs, product);
        [vec![next, after, zero, lower_rhs], [&upper[..], &[upper_rhs]].concat()]
    });
    let (last, finished) = results.split_at(4);
    let rows: Vec<Atom> = (last.iter().zip(finished))
        .map(|(&last, &rows)| {
            let last = m.b.expand_dims(last, 0);
            m.b.concatenate(&[rows, last], 0)
        })
        .collect();
    let zeros = m.fill(m.dtype, &[others], 0.0);
    let results = m.steps(n, true, [&[], &[zeros, zeros], &rows], |m, _, [_, after, row]| {
        let [pivot, next, second] = [0, 1, 2].map(|i| m.spread(row[i], &[], &[others]));
        let (first, second) = (m.b.mul(next, after[0]), m.b.mul(second, after[1]));
        let rest = m.b.sub(row[3], first);
        let rest = m.b.sub(rest, second);
        let x = m.b.div(rest, pivot);
        [vec![x, after[0]], vec![x]]
    });
    m.b.move_axis(results[2], 0, axis)
}
