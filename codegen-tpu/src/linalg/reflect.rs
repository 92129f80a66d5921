//! Householder reflections: QR and the reduction to Hessenberg form.
//!
//! A reflector is `I - tau v v^H`, where v is zero before its first element, which is one. As in the reference interpreter
//! the reflectors are LAPACK's, so signs agree.

use rjax_ir::{Atom, Binary, Compare, Reducer, Scalar, Unary};

use super::matrices::Matrices;

/// The reflector that makes a column zero after its element `k`: v, tau, and what that element becomes, a real number.
pub fn reflector(m: &mut Matrices<'_>, column: Atom, rows: usize, k: Atom) -> [Atom; 3] {
    let (row, k_rows) = (m.positions(&[rows], 0), m.everywhere(k, &[rows]));
    let (below, here) = (m.b.compare(Compare::Gt, row, k_rows), m.b.compare(Compare::Eq, row, k_rows));
    let from_here = m.b.binary(Binary::Or, below, here);
    let head = m.at(column, 0, k);
    let zeros = m.fill(m.dtype, &[rows], 0.0);
    let (tail, all) = (m.b.select(below, column, zeros), m.b.select(from_here, column, zeros));
    let size = m.size(tail);
    let greatest = m.reduce(Reducer::Max, size, &[0]);
    let mut trivial = m.is_zero(greatest);
    let im = m.dtype.is_complex().then(|| m.b.unary(Unary::Imag, head));
    if let Some(im) = im {
        let real = m.is_zero(im);
        trivial = m.and(trivial, real);
    }
    let scale = m.scale(all, &[0]);
    let divisor = m.number(scale, None);
    let divisor = m.spread(divisor, &[], &[rows]);
    let scaled = m.b.div(all, divisor);
    let squares = m.squares(scaled, &[0]);
    let root = m.b.unary(Unary::Sqrt, squares);
    let norm = m.b.mul(root, scale);
    // Away from the head, so that nothing cancels; -0 counts as negative.
    let re = m.re(head);
    let plus = m.b.neg(norm);
    let zero = m.fill(m.dtype.real(), &[], 0.0);
    let negative = m.b.compare(Compare::LtTo, re, zero);
    let beta = m.b.select(negative, norm, plus);
    let above = m.b.sub(beta, re);
    let tau_re = m.b.div(above, beta);
    let tau_im = im.map(|im| {
        let quotient = m.b.div(im, beta);
        m.b.neg(quotient)
    });
    let tau = m.number(tau_re, tau_im);
    let none = m.fill(m.dtype, &[], 0.0);
    let tau = m.b.select(trivial, none, tau);
    let becomes = m.number(beta, None);
    let distance = m.b.sub(head, becomes);
    let one = m.fill(m.dtype, &[], 1.0);
    let distance = m.b.select(trivial, one, distance);
    let distance = m.spread(distance, &[], &[rows]);
    let v = m.b.div(tail, distance);
    let ones = m.fill(m.dtype, &[rows], 1.0);
    let v = m.b.select(here, ones, v);
    let beta = m.b.select(trivial, re, beta);
    [v, tau, m.number(beta, None)]
}

/// `(I - tau v v^H) a`.
pub fn reflect(m: &mut Matrices<'_>, tau: Atom, v: Atom, a: Atom, [rows, cols]: [usize; 2]) -> Atom {
    let conj = m.conj(v);
    let conj = m.spread(conj, &[0], &[rows, cols]);
    let products = m.b.mul(conj, a);
    let sums = m.reduce(Reducer::Sum, products, &[0]);
    let tau = m.spread(tau, &[], &[cols]);
    let factors = m.b.mul(tau, sums);
    let change = m.outer(v, rows, factors, cols);
    m.b.sub(a, change)
}

/// `a (I - tau v v^H)`.
pub fn reflect_right(m: &mut Matrices<'_>, tau: Atom, v: Atom, a: Atom, [rows, cols]: [usize; 2]) -> Atom {
    let across = m.spread(v, &[1], &[rows, cols]);
    let products = m.b.mul(a, across);
    let sums = m.reduce(Reducer::Sum, products, &[1]);
    let tau = m.spread(tau, &[], &[rows]);
    let factors = m.b.mul(tau, sums);
    let conj = m.conj(v);
    let change = m.outer(factors, rows, conj, cols);
    m.b.sub(a, change)
}

/// Column k with `beta` at the row of the reflector's head and the tail of v below it; other columns are taken from `a`.
fn store(m: &mut Matrices<'_>, a: Atom, [v, beta]: [Atom; 2], extents: [usize; 2], k: Atom, head: Atom) -> Atom {
    let (row, column) = (m.positions(&extents, 0), m.positions(&extents, 1));
    let (head, k) = (m.everywhere(head, &extents), m.everywhere(k, &extents));
    let in_column = m.b.compare(Compare::Eq, column, k);
    let (below, here) = (m.b.compare(Compare::Gt, row, head), m.b.compare(Compare::Eq, row, head));
    let (below, here) = (m.and(below, in_column), m.and(here, in_column));
    let (v, beta) = (m.spread(v, &[0], &extents), m.spread(beta, &[], &extents));
    let a = m.b.select(below, v, a);
    m.b.select(here, beta, a)
}

/// `geqrf`: R and the tails of the reflectors, and the taus.
pub fn geqrf(m: &mut Matrices<'_>, a: Atom, extents: [usize; 2]) -> [Atom; 2] {
    let [rows, cols] = extents;
    if rows.min(cols) == 0 {
        return [a, m.fill(m.dtype, &[0], 0.0)];
    }
    let results = m.steps(rows.min(cols), false, [&[], &[a], &[]], |m, k, [_, carry, _]| {
        let a = carry[0];
        let column = m.at(a, 1, k);
        let [v, tau, beta] = reflector(m, column, rows, k);
        let conj = m.conj(tau);
        let reflected = reflect(m, conj, v, a, extents);
        let (j, here) = (m.positions(&extents, 1), m.everywhere(k, &extents));
        let right = m.b.compare(Compare::Gt, j, here);
        let a = m.b.select(right, reflected, a);
        [vec![store(m, a, [v, beta], extents, k, k)], vec![tau]]
    });
    let last = m.batch.len();
    [results[0], m.b.move_axis(results[1], 0, last)]
}

/// `householder_product`: the first `wanted` columns of the product of the reflectors below the diagonal of a.
pub fn householder_product(m: &mut Matrices<'_>, [a, taus]: [Atom; 2], rows: usize, wanted: usize) -> Atom {
    let axis = m.batch.len();
    let count = m.b.shape(taus)[axis];
    let taus = m.b.move_axis(taus, axis, 0);
    let q = m.identity(rows, wanted);
    if count == 0 {
        return q;
    }
    let results = m.steps(count, true, [&[a], &[q], &[taus]], |m, k, [consts, carry, row]| {
        let column = m.at(consts[0], 1, k);
        let (i, here) = (m.positions(&[rows], 0), m.everywhere(k, &[rows]));
        let (below, here) = (m.b.compare(Compare::Gt, i, here), m.b.compare(Compare::Eq, i, here));
        let head = m.b.convert(here, m.dtype);
        let v = m.b.select(below, column, head);
        [vec![reflect(m, row[0], v, carry[0], [rows, wanted])], vec![]]
    });
    results[0]
}

/// `qr`: Q with k columns and R with k rows.
pub fn qr(m: &mut Matrices<'_>, a: Atom, [rows, cols]: [usize; 2], k: usize) -> [Atom; 2] {
    let factored = geqrf(m, a, [rows, cols]);
    let q = householder_product(m, factored, rows, k);
    let r = m.part(factored[0], 0, 0, k);
    let (i, j) = (m.positions(&[k, cols], 0), m.positions(&[k, cols], 1));
    let upper = m.b.compare(Compare::Le, i, j);
    let zeros = m.fill(m.dtype, &[k, cols], 0.0);
    [q, m.b.select(upper, r, zeros)]
}

/// `hessenberg`: the form with the tails of the reflectors below it, and the taus.
pub fn hessenberg(m: &mut Matrices<'_>, a: Atom, n: usize) -> [Atom; 2] {
    let extents = [n, n];
    if n < 2 {
        return [a, m.fill(m.dtype, &[0], 0.0)];
    }
    let results = m.steps(n - 1, false, [&[], &[a], &[]], |m, k, [_, carry, _]| {
        let a = carry[0];
        let column = m.at(a, 1, k);
        let head = m.b.add(k, Scalar::new(1i32).into());
        let [v, tau, beta] = reflector(m, column, n, head);
        let (j, here) = (m.positions(&extents, 1), m.everywhere(k, &extents));
        let right = m.b.compare(Compare::Gt, j, here);
        let turned = reflect_right(m, tau, v, a, extents);
        let a = m.b.select(right, turned, a);
        let conj = m.conj(tau);
        let reflected = reflect(m, conj, v, a, extents);
        let a = m.b.select(right, reflected, a);
        [vec![store(m, a, [v, beta], extents, k, head)], vec![tau]]
    });
    let last = m.batch.len();
    [results[0], m.b.move_axis(results[1], 0, last)]
}
