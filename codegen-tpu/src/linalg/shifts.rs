//! Where a step of the QR algorithm begins: the first column of a block less the shifts, which are eigenvalues of its last two rows.

use rjax_ir::{Atom, Binary, Compare, Reducer, Scalar, Unary};

use super::matrices::Matrices;

/// The elements around a place on the diagonal, each matrix has its own.
fn around<const COUNT: usize>(
    m: &mut Matrices<'_>,
    x: Atom,
    n: usize,
    at: Atom,
    places: [[f64; 2]; COUNT],
) -> [Atom; COUNT] {
    let zeros = m.fill(m.dtype, &[n, n], 0.0);
    places.map(|place| {
        let here = [0, 1].map(|axis| {
            let (position, index) = (m.positions(&[n, n], axis), m.b.add_scalar(at, place[axis]));
            let index = m.spread(index, &[], &[n, n]);
            m.b.compare(Compare::Eq, position, index)
        });
        let here = m.and(here[0], here[1]);
        let only = m.b.select(here, x, zeros);
        m.reduce(Reducer::Sum, only, &[0, 1])
    })
}

/// Whether a step is one of those that take another shift, in case the usual one leads nowhere.
fn exceptional(m: &mut Matrices<'_>, steps: Atom) -> Atom {
    let rest = m.b.binary(Binary::Rem, steps, Scalar::new(10i32).into());
    m.is_zero(rest)
}

/// A column of numbers.
pub fn column(m: &mut Matrices<'_>, elements: &[Atom]) -> Atom {
    let elements: Vec<Atom> = elements.iter().map(|&x| m.spread(x, &[], &[1])).collect();
    m.join(&elements, 0)
}

/// The first column of the block less the eigenvalue of its last two rows that is closer to the last element.
pub fn one_shift(m: &mut Matrices<'_>, form: Atom, [low, high]: [Atom; 2], steps: Atom, n: usize) -> Atom {
    let [a, b, c, d] = around(m, form, n, high, [[-1.0, -1.0], [-1.0, 0.0], [0.0, -1.0], [0.0, 0.0]]);
    let half = m.b.sub(a, d);
    let half = m.b.mul_scalar(half, 0.5);
    let (square, product) = (m.b.mul(half, half), m.b.mul(b, c));
    let square = m.b.add(square, product);
    let root = m.b.unary(Unary::Sqrt, square);
    let conj = m.conj(root);
    let cosine = m.b.mul(half, conj);
    let cosine = m.re(cosine);
    let zero = m.fill(m.dtype.real(), &[], 0.0);
    let alike = m.b.compare(Compare::Ge, cosine, zero);
    let (sum, difference) = (m.b.add(half, root), m.b.sub(half, root));
    let sum = m.b.select(alike, sum, difference);
    let (vanishes, one) = (m.is_zero(sum), m.fill(m.dtype, &[], 1.0));
    let divisor = m.b.select(vanishes, one, sum);
    let quotient = m.b.div(product, divisor);
    let usual = m.b.sub(d, quotient);
    let usual = m.b.select(vanishes, d, usual);
    let size = m.size(c);
    let size = m.number(size, None);
    let (other, is_exceptional) = (m.b.add(d, size), exceptional(m, steps));
    let shift = m.b.select(is_exceptional, other, usual);
    let [x, y] = around(m, form, n, low, [[0.0, 0.0], [1.0, 0.0]]);
    let x = m.b.sub(x, shift);
    column(m, &[x, y])
}

/// The first column of the block less both eigenvalues of its last two rows, one after the other, over the element below the first.
pub fn two_shifts(m: &mut Matrices<'_>, form: Atom, [low, high]: [Atom; 2], steps: Atom, n: usize) -> Atom {
    let places = [[-1.0, -1.0], [-1.0, 0.0], [0.0, -1.0], [0.0, 0.0], [-1.0, -2.0]];
    let [a, b, c, d, before] = around(m, form, n, high, places);
    let (sum, product) = (m.b.add(a, d), m.b.mul(a, d));
    let other = m.b.mul(b, c);
    let product = m.b.sub(product, other);
    // The exceptional shifts of the reference interpreter.
    let (c, before) = (m.size(c), m.size(before));
    let s = m.b.add(c, before);
    let (more, twice, squared) = (m.b.mul_scalar(s, 1.5), m.b.mul_scalar(d, 2.0), m.b.mul(s, s));
    let other_sum = m.b.add(more, twice);
    let other_product = m.b.add(more, d);
    let other_product = m.b.mul(d, other_product);
    let other_product = m.b.add(squared, other_product);
    let is_exceptional = exceptional(m, steps);
    let (sum, product) =
        (m.b.select(is_exceptional, other_sum, sum), m.b.select(is_exceptional, other_product, product));
    let places = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 1.0]];
    let [a, b, c, d, below] = around(m, form, n, low, places);
    let (none, one) = (m.is_zero(c), m.fill(m.dtype, &[], 1.0));
    let divisor = m.b.select(none, one, c);
    let x = m.b.sub(a, sum);
    let x = m.b.mul(a, x);
    let x = m.b.add(x, product);
    let x = m.b.div(x, divisor);
    let x = m.b.add(x, b);
    let y = m.b.add(a, d);
    let y = m.b.sub(y, sum);
    column(m, &[x, y, below])
}
