//! Schur forms and general eigenvalues, by the QR algorithm.
//!
//! As in the reference interpreter a step takes one shift in complex matrices and a conjugate pair of them in real ones. All matrices of the
//! batch take their steps together, each in the last block of its own that is not finished. The loop ends when none has such a block; those
//! that still have one after [`STEPS`] steps a row become NaN, and so do those that are not finite.

use rjax_ir::{Atom, Binary, Compare, DType, Reducer, Scalar, Unary};

use super::eigenvectors;
use super::jacobi::{divide, epsilon, pad, repeat};
use super::matrices::Matrices;
use super::reflect::{hessenberg, householder_product, reflect, reflect_right, reflector};
use super::shifts::{column, one_shift, two_shifts};

/// Steps for each row before the iteration is given up.
const STEPS: i32 = 60;

/// `a = scale * vectors form vectors^H`, where that holds.
struct Schur {
    /// Upper triangular; for real matrices with 2 × 2 blocks of equal diagonal for each conjugate pair of eigenvalues.
    form: Atom,
    vectors: Atom,
    /// The greatest element of each matrix.
    scale: Atom,
    holds: Atom,
}

/// `schur` of n × n matrices: the form, and the vectors if asked for.
pub fn schur(m: &mut Matrices<'_>, a: Atom, n: usize, vectors: bool) -> Vec<Atom> {
    if n == 0 {
        return vec![a; 1 + vectors as usize];
    }
    let schur = decompose(m, a, n);
    let scale = m.number(schur.scale, None);
    let scale = m.spread(scale, &[], &[n, n]);
    let form = m.b.mul(schur.form, scale);
    let wanted = [form, schur.vectors];
    wanted[..1 + vectors as usize].iter().map(|&x| m.or_nan(schur.holds, x, &[n, n])).collect()
}

/// `eig` of n × n matrices: the eigenvalues, and left and right eigenvectors if asked for.
pub fn eig(m: &mut Matrices<'_>, a: Atom, n: usize, wanted: [bool; 2]) -> Vec<Atom> {
    let complex = m.dtype.complex().expect("verified: the matrix is of f32, f64 or complex");
    if n == 0 {
        let results: [(bool, &[usize]); 3] = [(true, &[0]), (wanted[0], &[0, 0]), (wanted[1], &[0, 0])];
        let results = results.into_iter().filter(|(wanted, _)| *wanted);
        return results.map(|(_, extents)| m.fill(complex, extents, 0.0)).collect();
    }
    let is_real = !m.dtype.is_complex();
    let Schur { form, vectors, scale, holds } = decompose(m, a, n);
    let values = if is_real { pairs(m, form, n) } else { m.diagonal(form, n) };
    let (form, vectors) = (m.b.convert(form, complex), m.b.convert(vectors, complex));
    let m = &mut Matrices { b: &mut *m.b, dtype: complex, batch: m.batch.clone() };
    let mut results = vec![];
    if wanted != [false, false] {
        let triangle = if is_real { triangularise(m, [form, vectors], values, n) } else { [form, vectors] };
        results = eigenvectors::of_triangle(m, triangle, values, n, wanted, is_real);
    }
    let scale = m.number(scale, None);
    let scale = m.spread(scale, &[], &[n]);
    let values = m.b.mul(values, scale);
    let values = m.or_nan(holds, values, &[n]);
    std::iter::once(values).chain(results.into_iter().map(|x| m.or_nan(holds, x, &[n, n]))).collect()
}

fn decompose(m: &mut Matrices<'_>, a: Atom, n: usize) -> Schur {
    let size = m.size(a);
    let is_finite = m.b.unary(Unary::IsFinite, size);
    let finite = m.reduce(Reducer::And, is_finite, &[0, 1]);
    let zeros = m.fill(m.dtype, &[n, n], 0.0);
    let everywhere = m.spread(finite, &[], &[n, n]);
    let a = m.b.select(everywhere, a, zeros);
    let scale = m.scale(a, &[0, 1]);
    let a = divide(m, a, scale);
    if n == 1 {
        return Schur { form: a, vectors: m.identity(1, 1), scale, holds: finite };
    }
    let [reduced, taus] = hessenberg(m, a, n);
    // The head of reflector k is in row k + 1, so all move on by a column for a product of reflectors that begin on the diagonal.
    let (none, column) = (m.fill(m.dtype, &[1], 0.0), m.fill(m.dtype, &[n, 1], 0.0));
    let (taus, rest) = (m.join(&[none, taus], 0), m.part(reduced, 1, 0, n - 1));
    let shifted = m.join(&[column, rest], 1);
    let vectors = householder_product(m, [shifted, taus], n, n);
    let (row, column) = (m.positions(&[n, n], 0), m.positions(&[n, n], 1));
    let next = m.b.add_scalar(column, 1.0);
    let upper = m.b.compare(Compare::Le, row, next);
    let form = m.b.select(upper, reduced, zeros);
    // A step of real matrices works on three rows at a time, of which the last one may be beyond the end.
    let more = !m.dtype.is_complex() as usize;
    let (form, vectors) = (pad(m, form, [more, more]), pad(m, vectors, [0, more]));
    let size = n + more;
    let (form, block) = deflate(m, form, size);
    let steps = m.fill(DType::I32, &[], 1.0);
    let state = [form, vectors, block[0], block[1], steps];
    let unfinished = |m: &mut Matrices<'_>, state: &[Atom]| {
        let zero = m.fill(DType::I32, &[], 0.0);
        m.b.compare(Compare::Gt, state[3], zero)
    };
    let state = repeat(m, &state, STEPS * n as i32, unfinished, |m, state| {
        let &[form, vectors, low, high, steps] = state else { unreachable!("five parts of the state") };
        let first = if more == 0 {
            one_shift(m, form, [low, high], steps, n)
        } else {
            two_shifts(m, form, [low, high], steps, size)
        };
        let [form, vectors] = sweep(m, [form, vectors], first, [low, high], n);
        let (form, block) = deflate(m, form, size);
        let same = m.b.compare(Compare::Eq, block[1], high);
        let (one, another) = (m.fill(DType::I32, &[], 1.0), m.b.add_scalar(steps, 1.0));
        let steps = m.b.select(same, another, one);
        vec![form, vectors, block[0], block[1], steps]
    });
    let zero = m.fill(DType::I32, &[], 0.0);
    let done = m.b.compare(Compare::Eq, state[3], zero);
    let holds = m.and(done, finite);
    let [form, vectors] = if more == 0 { [state[0], state[1]] } else { standardise(m, [state[0], state[1]], n) };
    let form = m.part(form, 0, 0, n);
    let (form, vectors) = (m.part(form, 1, 0, n), m.part(vectors, 1, 0, n));
    Schur { form, vectors, scale, holds }
}

/// Where a square matrix has the elements beside its diagonal: `(i + 1, i)`.
fn beside(m: &mut Matrices<'_>, n: usize) -> Atom {
    let (row, column) = (m.positions(&[n, n], 0), m.positions(&[n, n], 1));
    let next = m.b.add_scalar(column, 1.0);
    m.b.compare(Compare::Eq, row, next)
}

/// One place down, from a first element of zero.
fn moved_down(m: &mut Matrices<'_>, x: Atom, n: usize) -> Atom {
    let (first, rest) = (m.fill(m.b.dtype(x), &[1], 0.0), m.part(x, 0, 0, n - 1));
    m.join(&[first, rest], 0)
}

/// Makes elements beside the diagonal zero that are negligible compared with their neighbours on it. Returns the first and the last row of the
/// last block that is not finished, which are zero where all are: a block is finished when it has one row, or two in real matrices.
fn deflate(m: &mut Matrices<'_>, form: Atom, n: usize) -> (Atom, [Atom; 2]) {
    let real = m.dtype.real();
    let (size, beside) = (m.size(form), beside(m, n));
    let zeros = m.fill(real, &[n, n], 0.0);
    let only = m.b.select(beside, size, zeros);
    let (diagonal, sub) = (m.diagonal(size, n), m.reduce(Reducer::Sum, only, &[1]));
    let before = moved_down(m, diagonal, n);
    let both = m.b.add(diagonal, before);
    let greatest = m.reduce(Reducer::Max, size, &[0, 1]);
    let (greatest, none) = (m.spread(greatest, &[], &[n]), m.is_zero(both));
    let both = m.b.select(none, greatest, both);
    let limit = m.b.mul_scalar(both, epsilon(m.dtype));
    let closed = m.b.compare(Compare::Le, sub, limit);
    let cleared = m.spread(closed, &[0], &[n, n]);
    let (cleared, nothing) = (m.and(cleared, beside), m.fill(m.dtype, &[n, n], 0.0));
    let form = m.b.select(cleared, nothing, form);
    let mut open = m.b.unary(Unary::Not, closed);
    if !m.dtype.is_complex() {
        let before = m.b.convert(open, DType::I32);
        let before = moved_down(m, before, n);
        let before = m.b.convert(before, DType::Bool);
        open = m.and(open, before);
    }
    let (row, zeros) = (m.positions(&[n], 0), m.fill(DType::I32, &[n], 0.0));
    let last = m.b.select(open, row, zeros);
    let high = m.reduce(Reducer::Max, last, &[0]);
    let end = m.spread(high, &[], &[n]);
    let until = m.b.compare(Compare::Le, row, end);
    let starts = m.and(until, closed);
    let first = m.b.select(starts, row, zeros);
    (form, [m.reduce(Reducer::Max, first, &[0]), high])
}

/// Multiplies with the reflector that leaves nothing of a column but its first element: from the left with as many rows, from row `k` on, and
/// from the right with the same columns, of the vectors too. Returns the element as well. A column of zeros changes nothing.
fn transform(m: &mut Matrices<'_>, [form, vectors]: [Atom; 2], k: Atom, column: Atom) -> ([Atom; 2], Atom) {
    let rank = m.batch.len();
    let (width, size) = (m.b.shape(column)[rank], m.b.shape(form)[rank]);
    let [v, tau, beta] = reflector(m, column, width, Scalar::new(0i32).into());
    let conj = m.conj(tau);
    let rows = m.window(form, 0, k, width);
    let rows = reflect(m, conj, v, rows, [width, size]);
    let form = m.replace(form, 0, k, rows);
    let turned = [form, vectors].map(|x| {
        let (columns, rows) = (m.window(x, 1, k, width), m.b.shape(x)[rank]);
        let columns = reflect_right(m, tau, v, columns, [rows, width]);
        m.replace(x, 1, k, columns)
    });
    (turned, beta)
}

/// One step of the algorithm: the block that a similar one with this first column stands in is brought back to Hessenberg form.
fn sweep(m: &mut Matrices<'_>, state: [Atom; 2], first: Atom, [low, high]: [Atom; 2], n: usize) -> [Atom; 2] {
    let rank = m.batch.len();
    let (width, size) = (m.b.shape(first)[rank], m.b.shape(state[0])[rank]);
    let results = m.steps(n - 1, false, [&[first, low, high], &state, &[]], |m, k, [consts, state, _]| {
        let &[first, low, high] = consts else { unreachable!("three constants") };
        let here = m.everywhere(k, &[]);
        let (begun, open) = (m.b.compare(Compare::Le, low, here), m.b.compare(Compare::Lt, here, high));
        let (on, starts) = (m.and(begun, open), m.b.compare(Compare::Eq, low, here));
        let before = m.b.add_scalar(k, -1.0);
        let before = m.b.binary(Binary::Max, before, Scalar::new(0i32).into());
        let rows = m.window(state[0], 0, k, width);
        let found = m.at(rows, 1, before);
        let (row, start) = (m.positions(&[width], 0), m.everywhere(k, &[width]));
        let row = m.b.add(row, start);
        let (end, zeros) = (m.spread(high, &[], &[width]), m.fill(m.dtype, &[width], 0.0));
        let inside = m.b.compare(Compare::Le, row, end);
        let found = m.b.select(inside, found, zeros);
        let (at_start, everywhere) = (m.spread(starts, &[], &[width]), m.spread(on, &[], &[width]));
        let found = m.b.select(at_start, first, found);
        let found = m.b.select(everywhere, found, zeros);
        let ([form, vectors], beta) = transform(m, [state[0], state[1]], k, found);
        // What the reflector makes zero is zero, not only nearly.
        let goes_on = m.b.unary(Unary::Not, starts);
        let (cleared, extents) = (m.and(on, goes_on), [width, size]);
        let (cleared, at) = (m.spread(cleared, &[], &extents), m.everywhere(before, &extents));
        let position = m.positions(&extents, 1);
        let is_before = m.b.compare(Compare::Eq, position, at);
        let cleared = m.and(cleared, is_before);
        let rest = m.fill(m.dtype, &[width - 1], 0.0);
        let head = m.spread(beta, &[], &[1]);
        let exact = m.join(&[head, rest], 0);
        let (exact, rows) = (m.spread(exact, &[0], &extents), m.window(form, 0, k, width));
        let rows = m.b.select(cleared, exact, rows);
        [vec![m.replace(form, 0, k, rows), vectors], vec![]]
    });
    [results[0], results[1]]
}

/// Rows and columns `k` and `k + 1` of matrices.
fn block(m: &mut Matrices<'_>, form: Atom, k: Atom) -> [Atom; 4] {
    let rows = m.window(form, 0, k, 2);
    let block = m.window(rows, 1, k, 2);
    [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[row, column]| {
        let rank = m.batch.len();
        let line = m.b.index_axis(block, rank, row);
        m.b.index_axis(line, rank, column)
    })
}

/// Makes triangles of 2 × 2 blocks with real eigenvalues, and the diagonals of the others constant.
fn standardise(m: &mut Matrices<'_>, state: [Atom; 2], n: usize) -> [Atom; 2] {
    let results = m.steps(n - 1, false, [&[], &state, &[]], |m, k, [_, state, _]| {
        let [a, b, c, d] = block(m, state[0], k);
        let (zero, one) = (m.fill(m.dtype, &[], 0.0), m.fill(m.dtype, &[], 1.0));
        let on = m.b.compare(Compare::Ne, c, zero);
        let difference = m.b.sub(a, d);
        let half = m.b.mul_scalar(difference, 0.5);
        let (square, product) = (m.b.mul(half, half), m.b.mul(b, c));
        let discriminant = m.b.add(square, product);
        let is_real = m.b.compare(Compare::Ge, discriminant, zero);
        // Of a triangle the first column is an eigenvector.
        let root = m.b.unary(Unary::Sqrt, discriminant);
        let root = copy_sign(m, root, half);
        let eigenvector = [m.b.add(half, root), c];
        let sigma = m.b.add(b, c);
        let (first, second) = (m.b.mul(sigma, sigma), m.b.mul(difference, difference));
        let length = m.b.add(first, second);
        let length = m.b.unary(Unary::Sqrt, length);
        let (even, magnitude) = (m.is_zero(length), m.b.unary(Unary::Abs, sigma));
        let divisor = m.b.select(even, one, length);
        let ratio = m.b.div(magnitude, divisor);
        let sum = m.b.add(one, ratio);
        let sum = m.b.mul_scalar(sum, 0.5);
        let cosine = m.b.unary(Unary::Sqrt, sum);
        let divisor = m.b.mul(divisor, cosine);
        let sine = m.b.div(half, divisor);
        let (minus, sign) = (m.b.neg(sine), copy_sign(m, one, sigma));
        let sine = m.b.mul(minus, sign);
        let turned = [[cosine, eigenvector[0]], [sine, eigenvector[1]]].map(|[other, own]| {
            let part = m.b.select(is_real, own, other);
            m.b.select(on, part, zero)
        });
        let column = column(m, &turned);
        let ([form, vectors], _) = transform(m, [state[0], state[1]], k, column);
        let [a, b, c, d] = block(m, form, k);
        let mean = m.b.add(a, d);
        let mean = m.b.mul_scalar(mean, 0.5);
        let [a, c, d] = [(a, a, mean), (c, zero, c), (d, d, mean)].map(|(old, real, other)| {
            let part = m.b.select(is_real, real, other);
            m.b.select(on, part, old)
        });
        let rows = [[a, b], [c, d]].map(|[x, y]| {
            let elements = [x, y].map(|x| m.spread(x, &[], &[1, 1]));
            m.join(&elements, 1)
        });
        let (exact, lines) = (m.join(&rows, 0), m.window(form, 0, k, 2));
        let lines = m.replace(lines, 1, k, exact);
        [vec![m.replace(form, 0, k, lines), vectors], vec![]]
    });
    [results[0], results[1]]
}

/// A number that is not negative, with the sign of another.
fn copy_sign(m: &mut Matrices<'_>, x: Atom, like: Atom) -> Atom {
    let (zero, minus) = (m.fill(m.dtype, &[], 0.0), m.b.neg(x));
    let negative = m.b.compare(Compare::Lt, like, zero);
    m.b.select(negative, minus, x)
}

/// The eigenvalues of a real Schur form, those of 2 × 2 blocks in exact conjugate pairs.
fn pairs(m: &mut Matrices<'_>, form: Atom, n: usize) -> Atom {
    let re = m.diagonal(form, n);
    let (transposed, beside, zeros) = (m.flip(form), beside(m, n), m.fill(m.dtype, &[n, n], 0.0));
    // The product of the elements beside the diagonal, at the second row of each block.
    let roots = [form, transposed].map(|x| {
        let only = m.b.select(beside, x, zeros);
        let line = m.reduce(Reducer::Sum, only, &[1]);
        let size = m.b.unary(Unary::Abs, line);
        m.b.unary(Unary::Sqrt, size)
    });
    let second = m.b.mul(roots[0], roots[1]);
    let (rest, last) = (m.part(second, 0, 1, n), m.fill(m.dtype, &[1], 0.0));
    let first = m.join(&[rest, last], 0);
    let im = m.b.sub(first, second);
    m.b.binary(Binary::Complex, re, im)
}

/// The triangle that the 2 × 2 blocks of a real form, taken as complex, become.
fn triangularise(m: &mut Matrices<'_>, state: [Atom; 2], values: Atom, n: usize) -> [Atom; 2] {
    let results = m.steps(n - 1, false, [&[values], &state, &[]], |m, k, [consts, state, _]| {
        let [_, _, c, d] = block(m, state[0], k);
        let (value, zero) = (m.at(consts[0], 0, k), m.fill(m.dtype, &[], 0.0));
        let on = m.b.compare(Compare::Ne, c, zero);
        let distance = m.b.sub(value, d);
        let turned = [distance, c].map(|x| m.b.select(on, x, zero));
        let column = column(m, &turned);
        let (state, _) = transform(m, [state[0], state[1]], k, column);
        [state.to_vec(), vec![]]
    });
    [results[0], results[1]]
}
