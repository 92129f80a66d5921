//! Eigenvalues of Hermitian matrices and singular values, by rotations of disjoint pairs.
//!
//! The rows in question are kept in two halves, and row i of the upper half meets row i of the lower one, all pairs at
//! once. Between two steps the rows move on as players do in a tournament, so after `2 * half - 1` steps every row has met every other
//! one, and each step is the same arithmetic on whole halves. The loop ends when all matrices of the batch have converged; those
//! that have not after [`SWEEPS`] rounds become NaN.

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Binary, Builder, Compare, DType, Op, PadDim, Reducer, Scalar, Sort, Unary, While};

use super::matrices::Matrices;
use super::reflect::{geqrf, householder_product};

/// Rounds in which every pair meets once.
const SWEEPS: i32 = 40;

/// The distance from 1 to the next number.
pub fn epsilon(dtype: DType) -> f64 {
    if dtype.real() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) }
}

/// Rows move on to their next partners; the first one stays.
fn move_on(m: &mut Matrices<'_>, [upper, lower]: [Atom; 2], axis: usize, half: usize) -> [Atom; 2] {
    if half == 1 {
        return [upper, lower];
    }
    let (stays, goes) = (m.part(upper, axis, 0, 1), m.part(upper, axis, half - 1, half));
    let (up, rest) = (m.part(lower, axis, 0, 1), m.part(lower, axis, 1, half));
    let between = m.part(upper, axis, 1, half - 1);
    [m.join(&[stays, up, between], axis), m.join(&[rest, goes], axis)]
}

/// The tangent, cosine and phase of the rotations that make pairs orthogonal, of which `distance` is the difference of the real
/// diagonal elements, and `product` the element beside the diagonal; and the absolute value of that. Pairs to be left alone
/// are not turned.
fn rotation(
    m: &mut Matrices<'_>,
    distance: Atom,
    product: Atom,
    alone: impl Fn(&mut Matrices<'_>, Atom) -> Atom,
) -> Turn {
    let real = m.dtype.real();
    let half = m.b.shape(distance)[m.batch.len()];
    let size = m.b.unary(Unary::Abs, product);
    let alone = alone(m, size);
    let one = m.fill(real, &[half], 1.0);
    let zero = m.fill(real, &[half], 0.0);
    let safe = m.b.select(alone, one, size);
    let twice = m.b.add(safe, safe);
    // The smaller root of t² + 2 zeta t = 1.
    let zeta = m.b.div(distance, twice);
    let square = m.b.mul(zeta, zeta);
    let square = m.b.add(square, one);
    let root = m.b.unary(Unary::Sqrt, square);
    let magnitude = m.b.unary(Unary::Abs, zeta);
    let sum = m.b.add(magnitude, root);
    let t = m.b.div(one, sum);
    let minus = m.b.neg(t);
    let negative = m.b.compare(Compare::Lt, zeta, zero);
    let t = m.b.select(negative, minus, t);
    let t = m.b.select(alone, zero, t);
    let square = m.b.mul(t, t);
    let square = m.b.add(square, one);
    let root = m.b.unary(Unary::Sqrt, square);
    let c = m.b.div(one, root);
    let s = m.b.mul(t, c);
    let divisor = m.number(safe, None);
    let phase = m.b.div(product, divisor);
    let ones = m.fill(m.dtype, &[half], 1.0);
    let phase = m.b.select(alone, ones, phase);
    Turn { t, c: m.number(c, None), s: m.number(s, None), phase, size, alone }
}

struct Turn {
    t: Atom,
    c: Atom,
    s: Atom,
    phase: Atom,
    size: Atom,
    alone: Atom,
}

/// Turns the second of a pair back by the phase, then rotates the pair. `axis` is the one along which the pairs are.
fn turn(m: &mut Matrices<'_>, by: &Turn, phase: Atom, [x, y]: [Atom; 2], axis: usize) -> [Atom; 2] {
    let extents = m.b.shape(x)[m.batch.len()..].to_vec();
    let [c, s, phase] = [by.c, by.s, phase].map(|part| m.spread(part, &[axis], &extents));
    let y = m.b.mul(y, phase);
    let (cx, sy, sx, cy) = (m.b.mul(c, x), m.b.mul(s, y), m.b.mul(s, x), m.b.mul(c, y));
    [m.b.sub(cx, sy), m.b.add(sx, cy)]
}

/// Repeats `step` on the state while some matrix is not done and steps are left. The state begins with the number of steps.
pub fn repeat(
    m: &mut Matrices<'_>,
    state: &[Atom],
    limit: i32,
    unfinished: impl FnOnce(&mut Matrices<'_>, &[Atom]) -> Atom,
    step: impl FnOnce(&mut Matrices<'_>, &[Atom]) -> Vec<Atom>,
) -> Vec<Atom> {
    let avals: Vec<Aval> =
        std::iter::once(Aval::scalar(DType::I32)).chain(state.iter().map(|&x| m.b.aval(x))).collect();
    let batch: Vec<usize> = (0..m.batch.len()).collect();
    let builder = || {
        let mut b = Builder::new();
        let inputs: Vec<Atom> = avals.iter().map(|aval| b.input(aval.clone())).collect();
        (b, inputs)
    };
    let (mut cond, inputs) = builder();
    let open = unfinished(&mut Matrices { b: &mut cond, dtype: m.dtype, batch: m.batch.clone() }, &inputs[1..]);
    let any = cond.reduce(Reducer::Or, open, &batch);
    let more = cond.compare(Compare::Lt, inputs[0], Scalar::new(limit).into());
    let go_on = cond.binary(Binary::And, any, more);
    let cond = cond.finish(vec![go_on]);
    let (mut body, inputs) = builder();
    let next = body.add(inputs[0], Scalar::new(1i32).into());
    let after = step(&mut Matrices { b: &mut body, dtype: m.dtype, batch: m.batch.clone() }, &inputs[1..]);
    let body = body.finish([vec![next], after].concat());
    let op = While { cond: Arc::new(cond), body: Arc::new(body), cond_nconsts: 0, body_nconsts: 0 };
    let start = Atom::from(Scalar::new(0i32));
    m.b.emit(Op::While(op), &[&[start], state].concat())[1..].to_vec()
}

/// Zeros after the end of both axes, as far as wanted.
pub fn pad(m: &mut Matrices<'_>, x: Atom, more: [usize; 2]) -> Atom {
    let zero = Scalar::zero(m.b.dtype(x));
    let after = more.iter().map(|&high| PadDim { high: high as i64, ..PadDim::default() });
    let padding: Vec<PadDim> = m.batch.iter().map(|_| PadDim::default()).chain(after).collect();
    m.b.pad(x, zero.into(), &padding)
}

/// The row of each array that belongs to the smallest key first. `unit` tells which row was added: it alone is not zero there,
/// and comes last.
fn order(m: &mut Matrices<'_>, mut key: Atom, unit: Option<Atom>, arrays: &[Atom]) -> Vec<Atom> {
    let axis = m.batch.len();
    if let Some(unit) = unit {
        let count = m.b.shape(key)[axis];
        let (own, last) = (m.is_zero(unit), m.fill(m.dtype.real(), &[count], f64::INFINITY));
        key = m.b.select(own, key, last);
    }
    let sort = Sort { axis, stable: true, num_keys: 1 };
    let sorted = |&x: &Atom| {
        let extents = m.b.shape(x)[axis..].to_vec();
        let keys = m.spread(key, &[0], &extents);
        m.b.emit(Op::Sort(sort.clone()), &[keys, x])[1]
    };
    arrays.iter().map(sorted).collect()
}

/// Column `n` of rows that one was added to; `None` where none was.
fn added(m: &mut Matrices<'_>, rows: Atom, n: usize) -> Option<Atom> {
    (n % 2 == 1).then(|| {
        let (column, shape) = (m.part(rows, 1, n, n + 1), m.shape(&[n + 1]));
        m.b.reshape(column, &shape)
    })
}

/// Divided by a real number for each matrix.
pub fn divide(m: &mut Matrices<'_>, x: Atom, by: Atom) -> Atom {
    let extents = m.b.shape(x)[m.batch.len()..].to_vec();
    let divisor = m.number(by, None);
    let divisor = m.spread(divisor, &[], &extents);
    m.b.div(x, divisor)
}

/// `eigh` of n × n matrices: eigenvectors as columns, and eigenvalues in ascending order.
pub fn eigh(m: &mut Matrices<'_>, a: Atom, n: usize, lower: bool) -> [Atom; 2] {
    let real = m.dtype.real();
    if n == 0 {
        return [a, m.fill(real, &[0], 0.0)];
    }
    let a = hermitian(m, a, n, lower);
    let odd = n % 2;
    let (size, half) = (n + odd, (n + odd) / 2);
    let scale = m.scale(a, &[0, 1]);
    let a = divide(m, a, scale);
    let a = pad(m, a, [odd, odd]);
    let quarters = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| {
        let rows = m.part(a, 0, i * half, (i + 1) * half);
        m.part(rows, 1, j * half, (j + 1) * half)
    });
    let identity = m.identity(size, size);
    let vectors = [m.part(identity, 0, 0, half), m.part(identity, 0, half, size)];
    let limit = SWEEPS * (size as i32 - 1);
    let state = [&quarters[..], &vectors].concat();
    let unfinished = |m: &mut Matrices<'_>, state: &[Atom]| off_diagonal(m, state, half, Compare::Gt);
    let state = repeat(m, &state, limit, unfinished, |m, state| meet(m, state, half));
    let done = off_diagonal(m, &state, half, Compare::Le);
    let (first, second) = (m.diagonal(state[0], half), m.diagonal(state[3], half));
    let values = m.join(&[first, second], 0);
    let values = m.re(values);
    let rows = m.join(&[state[4], state[5]], 0);
    let unit = added(m, rows, n);
    let sorted = order(m, values, unit, &[values, rows]);
    let (values, rows) = (m.part(sorted[0], 0, 0, n), m.part(sorted[1], 0, 0, n));
    let rows = m.part(rows, 1, 0, n);
    let scale = m.spread(scale, &[], &[n]);
    let values = m.b.mul(values, scale);
    let vectors = m.adjoint(rows);
    [m.or_nan(done, vectors, &[n, n]), m.or_nan(done, values, &[n])]
}

/// The matrix of which only one triangle, and the real part of the diagonal, is read.
fn hermitian(m: &mut Matrices<'_>, a: Atom, n: usize, lower: bool) -> Atom {
    let (row, column) = (m.positions(&[n, n], 0), m.positions(&[n, n], 1));
    let read = m.b.compare(if lower { Compare::Gt } else { Compare::Lt }, row, column);
    let on = m.b.compare(Compare::Eq, row, column);
    let adjoint = m.adjoint(a);
    let whole = m.b.select(read, a, adjoint);
    let re = m.re(a);
    let diagonal = m.number(re, None);
    m.b.select(on, diagonal, whole)
}

/// Compares what is left beside the diagonal with the precision of the whole.
fn off_diagonal(m: &mut Matrices<'_>, state: &[Atom], half: usize, order: Compare) -> Atom {
    let zeros = m.fill(m.dtype, &[half], 0.0);
    let [tl, br] = [state[0], state[3]].map(|quarter| set_diagonal(m, quarter, zeros, half));
    let sums = |m: &mut Matrices<'_>, quarters: [Atom; 4]| {
        let sums = quarters.map(|quarter| m.squares(quarter, &[0, 1]));
        let (first, second) = (m.b.add(sums[0], sums[1]), m.b.add(sums[2], sums[3]));
        m.b.add(first, second)
    };
    let (off, all) = (sums(m, [tl, state[1], state[2], br]), sums(m, [state[0], state[1], state[2], state[3]]));
    let limit = m.b.mul_scalar(all, epsilon(m.dtype).powi(2));
    m.b.compare(order, off, limit)
}

fn set_diagonal(m: &mut Matrices<'_>, x: Atom, values: Atom, n: usize) -> Atom {
    let (row, column) = (m.positions(&[n, n], 0), m.positions(&[n, n], 1));
    let on = m.b.compare(Compare::Eq, row, column);
    let values = m.spread(values, &[0], &[n, n]);
    m.b.select(on, values, x)
}

/// One step: all pairs are turned so that the elements they share beside the diagonal vanish, and move on.
fn meet(m: &mut Matrices<'_>, state: &[Atom], half: usize) -> Vec<Atom> {
    let &[tl, tr, bl, br, upper, lower] = state else { unreachable!("four quarters and two halves of vectors") };
    let [first, shared, second] = [tl, tr, br].map(|quarter| m.diagonal(quarter, half));
    let (first, second) = (m.re(first), m.re(second));
    let distance = m.b.sub(second, first);
    let by = rotation(m, distance, shared, |m, size| m.is_zero(size));
    let change = m.b.mul(by.t, by.size);
    let (first, second) = (m.b.sub(first, change), m.b.add(second, change));
    let conj = m.conj(by.phase);
    let [tl, tr] = turn(m, &by, conj, [tl, tr], 1);
    let [bl, br] = turn(m, &by, conj, [bl, br], 1);
    let [tl, bl] = turn(m, &by, by.phase, [tl, bl], 0);
    let [tr, br] = turn(m, &by, by.phase, [tr, br], 0);
    let vectors = turn(m, &by, by.phase, [upper, lower], 0);
    // What is known of the new diagonals is more exact than the products.
    let zeros = m.fill(m.dtype, &[half], 0.0);
    let (first, second) = (m.number(first, None), m.number(second, None));
    let exact = [(tl, first), (tr, zeros), (bl, zeros), (br, second)];
    let [tl, tr, bl, br] = exact.map(|(quarter, diagonal)| set_diagonal(m, quarter, diagonal, half));
    let [tl, bl] = move_on(m, [tl, bl], 0, half);
    let [tr, br] = move_on(m, [tr, br], 0, half);
    let [tl, tr] = move_on(m, [tl, tr], 1, half);
    let [bl, br] = move_on(m, [bl, br], 1, half);
    let [upper, lower] = move_on(m, vectors, 0, half);
    vec![tl, tr, bl, br, upper, lower]
}

/// `svd`: the singular values in descending order and, if asked for, U and V^H.
pub fn svd(m: &mut Matrices<'_>, a: Atom, [rows, cols]: [usize; 2], full: bool, vectors: bool) -> Vec<Atom> {
    let wide = rows < cols;
    let (a, rows, n) = if wide { (m.adjoint(a), cols, rows) } else { (a, rows, cols) };
    let wanted = if full { rows } else { n };
    let Tall { values, left, right } = tall(m, a, rows, n, vectors.then_some(wanted));
    let Some(left) = left else { return vec![values] };
    if wide { vec![values, m.flip(right), m.adjoint(left)] } else { vec![values, left, m.conj(right)] }
}

/// Singular values of matrices that have no more columns than rows, U, and the columns of V as rows.
struct Tall {
    values: Atom,
    left: Option<Atom>,
    right: Atom,
}

/// Columns are rotated until all are orthogonal; their lengths are the singular values. U comes from a QR factorisation of these
/// columns, which is their directions up to the sign, and has orthonormal columns where they are zero too.
fn tall(m: &mut Matrices<'_>, a: Atom, rows: usize, n: usize, wanted: Option<usize>) -> Tall {
    let real = m.dtype.real();
    if n == 0 {
        let left = wanted.map(|wanted| m.identity(rows, wanted));
        return Tall { values: m.fill(real, &[0], 0.0), left, right: m.identity(0, 0) };
    }
    let odd = n % 2;
    let (size, half) = (n + odd, (n + odd) / 2);
    let scale = m.scale(a, &[0, 1]);
    let a = divide(m, a, scale);
    let x = m.flip(a);
    let x = pad(m, x, [odd, 0]);
    let v = m.identity(size, size);
    let halves = [x, v].map(|rows| [m.part(rows, 0, 0, half), m.part(rows, 0, half, size)]).concat();
    // First of the state is how many steps have found nothing to turn.
    let quiet = m.fill(DType::I32, &[], 0.0);
    let round = Scalar::new(size as i32 - 1);
    let unfinished = |m: &mut Matrices<'_>, state: &[Atom]| m.b.compare(Compare::Lt, state[0], round.into());
    let state = [&[quiet], &halves[..]].concat();
    let state = repeat(m, &state, SWEEPS * (size as i32 - 1), unfinished, |m, state| orthogonalise(m, state, half));
    let quiet = m.b.compare(Compare::Ge, state[0], round.into());
    let (x, v) = (m.join(&state[1..3], 0), m.join(&state[3..5], 0));
    let squares = m.squares(x, &[1]);
    let total = m.reduce(Reducer::Sum, squares, &[0]);
    let is_number = m.b.compare(Compare::Eq, total, total);
    let done = m.and(quiet, is_number);
    let lengths = m.b.unary(Unary::Sqrt, squares);
    let (key, unit) = (m.b.neg(lengths), added(m, v, n));
    let sorted = order(m, key, unit, &[lengths, x, v]);
    let [lengths, x, v] = [0, 1, 2].map(|i| m.part(sorted[i], 0, 0, n));
    let v = m.part(v, 1, 0, n);
    let scale = m.spread(scale, &[], &[n]);
    let values = m.b.mul(lengths, scale);
    let values = m.or_nan(done, values, &[n]);
    let left = wanted.map(|wanted| {
        let columns = m.flip(x);
        let left = directions(m, columns, [rows, n], wanted);
        m.or_nan(done, left, &[rows, wanted])
    });
    Tall { values, left, right: m.or_nan(done, v, &[n, n]) }
}

/// One step: pairs of rows that are not orthogonal yet are turned, and all move on.
fn orthogonalise(m: &mut Matrices<'_>, state: &[Atom], half: usize) -> Vec<Atom> {
    let &[quiet, x, y, upper, lower] = state else { unreachable!("a number and four halves") };
    let (first, second) = (m.squares(x, &[1]), m.squares(y, &[1]));
    let conj = m.conj(x);
    let products = m.b.mul(conj, y);
    let shared = m.reduce(Reducer::Sum, products, &[1]);
    let distance = m.b.sub(second, first);
    let n = 2.0 * half as f64;
    let by = rotation(m, distance, shared, |m, size| {
        let (first, second) = (m.b.unary(Unary::Sqrt, first), m.b.unary(Unary::Sqrt, second));
        let lengths = m.b.mul(first, second);
        let limit = m.b.mul_scalar(lengths, epsilon(m.dtype) * n.sqrt());
        let negligible = m.fill(m.dtype.real(), &[half], epsilon(m.dtype).powi(4));
        let limit = m.b.binary(Binary::Max, limit, negligible);
        let turns = m.b.compare(Compare::Gt, size, limit);
        m.b.unary(Unary::Not, turns)
    });
    let turned = m.b.unary(Unary::Not, by.alone);
    let turned = m.reduce(Reducer::Or, turned, &[0]);
    let (zero, more) = (m.fill(DType::I32, &[], 0.0), m.b.add(quiet, Scalar::new(1i32).into()));
    let quiet = m.b.select(turned, zero, more);
    let conj = m.conj(by.phase);
    let columns = turn(m, &by, conj, [x, y], 0);
    let vectors = turn(m, &by, conj, [upper, lower], 0);
    let columns = move_on(m, columns, 0, half);
    let vectors = move_on(m, vectors, 0, half);
    [&[quiet], &columns[..], &vectors].concat()
}

/// Orthonormal columns, the first n of which have the directions of orthogonal ones.
fn directions(m: &mut Matrices<'_>, columns: Atom, [rows, n]: [usize; 2], wanted: usize) -> Atom {
    let real = m.dtype.real();
    let factored = geqrf(m, columns, [rows, n]);
    let q = householder_product(m, factored, rows, wanted);
    let square = m.part(factored[0], 0, 0, n);
    let lengths = m.diagonal(square, n);
    let lengths = m.re(lengths);
    let (zeros, ones, minus) = (m.fill(real, &[n], 0.0), m.fill(real, &[n], 1.0), m.fill(real, &[n], -1.0));
    let negative = m.b.compare(Compare::Lt, lengths, zeros);
    let signs = m.b.select(negative, minus, ones);
    let others = m.fill(real, &[wanted - n], 1.0);
    let signs = m.join(&[signs, others], 0);
    let signs = m.number(signs, None);
    let signs = m.spread(signs, &[1], &[rows, wanted]);
    m.b.mul(q, signs)
}
