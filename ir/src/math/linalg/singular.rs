//! Singular values: reduction to a real bidiagonal matrix, then the QR algorithm with implicit shifts (Golub and Reinsch, 1970).
//!
//! The matrix is reduced by reflections from both sides; a tall one is made square by a QR factorisation first. Singular values are as accurate
//! as the greatest one's rounding error. All vectors come from reflections and rotations, so they are orthonormal whatever the rank.

use super::Double;
use super::columns::{Columns, hypot};
use super::hermitian::rotated;
use super::kernels::Kernels;
use super::qd::singular_values;
use super::reflect::{geqrf, householder_product, reflector, subdiagonal_product};
use super::rotations::{Chain, Rotations};

/// Steps for each singular value before the iteration is given up.
const STEPS: usize = 60;
/// Magnitudes whose squares neither overflow nor vanish.
const ORDINARY: std::ops::Range<f64> = 1e-100..1e100;

/// `A = U diag(s) V^H`, the singular values in descending order.
pub struct Singular<T> {
    /// The singular values.
    pub values: Vec<f64>,
    /// U, with as many columns as asked for.
    pub left: Columns<T>,
    /// V, with as many columns as asked for.
    pub right: Columns<T>,
}

/// What is wanted beside the singular values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vectors {
    /// Nothing; the matrices of the result are empty.
    None,
    /// As many singular vectors as there are singular values.
    Thin,
    /// Square U and V.
    Full,
}

/// The singular values and vectors of a matrix. `None` where the matrix is not finite or the iteration does not converge.
pub fn svd<T: Double, K: Kernels>(kernels: &K, a: Columns<T>, vectors: Vectors) -> Option<Singular<T>> {
    if !a.is_finite() {
        return None;
    }
    if a.rows() < a.cols() {
        let Singular { values, left, right } = svd_of_tall(kernels, a.adjoint(), vectors)?;
        return Some(Singular { values, left: right, right: left });
    }
    svd_of_tall(kernels, a, vectors)
}

fn svd_of_tall<T: Double, K: Kernels>(kernels: &K, mut a: Columns<T>, vectors: Vectors) -> Option<Singular<T>> {
    let (m, n) = (a.rows(), a.cols());
    let largest = a.greatest();
    let scale = if largest == 0.0 || ORDINARY.contains(&largest) { 1.0 } else { largest };
    if scale != 1.0 {
        (0..n).for_each(|j| a.col_mut(j).iter_mut().for_each(|x| *x = x.scale(1.0 / scale)));
    }
    if m == n {
        let mut square = svd_of_square(kernels, a, vectors)?;
        square.values.iter_mut().for_each(|s| *s *= scale);
        return Some(square);
    }
    let taus = geqrf(kernels, &mut a);
    let r = Columns::from_fn(n, n, |i, j| if i <= j { a.at(i, j) } else { T::ZERO });
    let Singular { mut values, left: u, right } = svd_of_square(kernels, r, vectors)?;
    values.iter_mut().for_each(|s| *s *= scale);
    if vectors == Vectors::None {
        return Some(Singular { values, left: u, right });
    }
    let mut left = householder_product(kernels, &a, &taus, if vectors == Vectors::Full { m } else { n });
    let product = left.select(0..n).times(kernels, &u);
    (0..n).for_each(|j| left.col_mut(j).copy_from_slice(product.col(j)));
    Some(Singular { values, left, right })
}

fn svd_of_square<T: Double, K: Kernels>(kernels: &K, a: Columns<T>, vectors: Vectors) -> Option<Singular<T>> {
    let n = a.cols();
    let Bidiagonal { mut diagonal, mut above, left, right } = bidiagonalise(kernels, a);
    if vectors == Vectors::None
        && let Some(mut values) = singular_values(&diagonal, &above[..n.saturating_sub(1)])
    {
        values.sort_by(|x, y| y.total_cmp(x));
        return Some(Singular { values, left: Columns::zeros(0, n), right: Columns::zeros(0, n) });
    }
    let (u, v) = match vectors {
        Vectors::None => (Columns::zeros(0, n), Columns::zeros(0, n)),
        Vectors::Thin | Vectors::Full => (
            householder_product(kernels, &left.tails, &left.taus, n),
            subdiagonal_product(kernels, &right.tails, &right.taus),
        ),
    };
    let [of_u, of_v] = diagonalise(&mut diagonal, &mut above)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| diagonal[j].abs().total_cmp(&diagonal[i].abs()));
    let (left, mut right) = (rotated(kernels, &u, &of_u, &order), rotated(kernels, &v, &of_v, &order));
    let mut values: Vec<f64> = order.iter().map(|&j| diagonal[j]).collect();
    for (j, s) in values.iter_mut().enumerate().filter(|(_, s)| s.is_sign_negative()) {
        *s = -*s;
        right.col_mut(j).iter_mut().for_each(|x| *x = -*x);
    }
    Some(Singular { values, left, right })
}

/// Reflectors whose product is unitary: their tails, column after column below a diagonal, and their factors.
struct Reflectors<T> {
    tails: Columns<T>,
    taus: Vec<T>,
}

/// `A = U B V^H` with B real and upper bidiagonal.
struct Bidiagonal<T> {
    diagonal: Vec<f64>,
    /// The diagonal above, and a zero.
    above: Vec<f64>,
    /// Those of U, below the diagonal.
    left: Reflectors<T>,
    /// Those of V, below the first subdiagonal.
    right: Reflectors<T>,
}

fn bidiagonalise<T: Double, K: Kernels>(kernels: &K, mut a: Columns<T>) -> Bidiagonal<T> {
    let n = a.cols();
    let (mut diagonal, mut above) = (Vec::with_capacity(n), Vec::with_capacity(n));
    let (mut left, mut right) = (Vec::with_capacity(n), Vec::with_capacity(n));
    let mut rows = Columns::zeros(n, n);
    for i in 0..n {
        let (tau, beta) = reflector(kernels, &mut a.col_mut(i)[i..]);
        let (v, later) = a.column_and_later(i, i);
        kernels.reflect_columns(tau.conj(), &v[1..], later, n, n - i - 1);
        diagonal.push(beta);
        left.push(tau);
        if i + 1 == n {
            above.push(0.0);
            break;
        }
        // The reflector of the row's adjoint: what it does to that from the left, it does to the row from the right.
        let row = &mut rows.col_mut(i)[i + 1..];
        row.iter_mut().enumerate().for_each(|(k, x)| *x = a.at(i, i + 1 + k).conj());
        let (tau, beta) = reflector(kernels, row);
        row[0] = T::ONE;
        kernels.reflect_rows(tau, row, a.transposed_part(i + 1, i + 1), n, n - i - 1);
        above.push(beta);
        right.push(tau);
    }
    Bidiagonal {
        diagonal,
        above,
        left: Reflectors { tails: a, taus: left },
        right: Reflectors { tails: rows, taus: right },
    }
}

/// The rotation that turns (f, g) into (r, 0): its cosine and sine, and r.
fn rotation(f: f64, g: f64) -> (f64, f64, f64) {
    let r = hypot(f, g);
    if r == 0.0 { (1.0, 0.0, 0.0) } else { (f / r, g / r, r) }
}

/// Makes a bidiagonal matrix diagonal; the rotations of columns of u and of v that do it.
fn diagonalise(d: &mut [f64], e: &mut [f64]) -> Option<[Rotations; 2]> {
    let (mut u, mut v) = (Rotations::default(), Rotations::default());
    let turn = |x: &mut Rotations, i: usize, j: usize, c: f64, s: f64| {
        // Of a pair in the other order the sine changes its sign.
        x.chains.push(if i < j { Chain::Pair(i, j) } else { Chain::Pair(j, i) });
        x.factors.push((c, if i < j { s } else { -s }));
    };
    let mut last = d.len();
    let mut steps = STEPS * d.len();
    while last > 0 {
        // The block that ends here: before it is nothing, or nothing that counts.
        let end = last - 1;
        let is_small = |k: &usize| e[*k].abs() <= f64::EPSILON * (d[*k].abs() + d[*k + 1].abs()) + f64::MIN_POSITIVE;
        let split = (0..end).rev().find(is_small);
        let begin = split.map_or(0, |k| k + 1);
        if let Some(k) = split {
            e[k] = 0.0;
        }
        if begin == end {
            last = end;
            continue;
        }
        steps = steps.checked_sub(1)?;
        let beside = |k: usize| if k < end { e[k].abs() } else { 0.0 } + if k > begin { e[k - 1].abs() } else { 0.0 };
        let vanishes = |k: &usize| d[*k].abs() <= f64::EPSILON * beside(*k) + f64::MIN_POSITIVE;
        match (begin..=end).rev().find(vanishes) {
            // With a zero at the end the last column can be made zero,
            Some(k) if k == end => {
                d[k] = 0.0;
                let mut f = std::mem::take(&mut e[end - 1]);
                for j in (begin..end).rev() {
                    let (c, s, r) = rotation(d[j], f);
                    d[j] = r;
                    if j > begin {
                        f = -s * e[j - 1];
                        e[j - 1] *= c;
                    }
                    turn(&mut v, j, end, c, s);
                }
            }
            // and with one before it, its row.
            Some(k) => {
                d[k] = 0.0;
                let mut f = std::mem::take(&mut e[k]);
                for j in k + 1..=end {
                    let (c, s, r) = rotation(d[j], f);
                    d[j] = r;
                    f = -s * e[j];
                    e[j] *= c;
                    turn(&mut u, j, k, c, s);
                }
            }
            None => {
                let (mut f, mut g) = (shifted(d, e, begin, end), d[begin] * e[begin]);
                for j in begin..end {
                    let (c, s, r) = rotation(f, g);
                    if j > begin {
                        e[j - 1] = r;
                    }
                    (f, e[j]) = (c * d[j] + s * e[j], c * e[j] - s * d[j]);
                    (g, d[j + 1]) = (s * d[j + 1], c * d[j + 1]);
                    v.factors.push((c, s));
                    let (c, s, r) = rotation(f, g);
                    d[j] = r;
                    (f, d[j + 1]) = (c * e[j] + s * d[j + 1], c * d[j + 1] - s * e[j]);
                    (g, e[j + 1]) = (s * e[j + 1], c * e[j + 1]);
                    u.factors.push((c, s));
                }
                e[end - 1] = f;
                u.chains.push(Chain::Up { first: begin, last: end });
                v.chains.push(Chain::Up { first: begin, last: end });
            }
        }
    }
    Some([u, v])
}

/// The first element of `B^H B` less the eigenvalue of its last two by two elements that is nearer to the last, times a factor: with `d e` the first
/// column of the step.
fn shifted(d: &[f64], e: &[f64], begin: usize, end: usize) -> f64 {
    let (last, before, between) = (d[end], d[end - 1], e[end - 1]);
    let b = ((before + last) * (before - last) + between * between) / 2.0;
    let c = (last * between) * (last * between);
    let shift = if b == 0.0 && c == 0.0 { 0.0 } else { c / (b + (b * b + c).sqrt().copysign(b)) };
    (d[begin] + last) * (d[begin] - last) + shift
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Plain;
    use super::*;
    use crate::Complex128;

    /// The greatest element of a difference.
    fn distance<T: Double>(x: &Columns<T>, y: &Columns<T>) -> f64 {
        let size = (x.rows(), x.cols());
        assert_eq!(size, (y.rows(), y.cols()));
        Columns::from_fn(size.0, size.1, |i, j| x.at(i, j) - y.at(i, j)).greatest()
    }

    fn check<T: Double>(a: &Columns<T>, vectors: Vectors) {
        let scale = a.greatest();
        let Singular { values, left, right } = svd(&Plain, a.clone(), vectors).expect("converges");
        assert!(values.windows(2).all(|pair| pair[0] >= pair[1]) && values.iter().all(|&s| s >= 0.0));
        let only = svd(&Plain, a.clone(), Vectors::None).expect("converges").values;
        assert!(values.iter().zip(&only).all(|(x, y)| (x - y).abs() <= 1e-13 * scale));
        for q in [&left, &right] {
            let gram = q.adjoint().times(&Plain, q);
            assert!(distance(&gram, &Columns::identity(q.cols(), q.cols())) < 1e-13);
        }
        let scaled = Columns::from_fn(left.rows(), values.len(), |i, j| left.at(i, j).scale(values[j]));
        let product = scaled.times(&Plain, &right.select(0..values.len()).adjoint());
        assert!(distance(&product, a) <= 1e-13 * scale, "{}x{}", a.rows(), a.cols());
    }

    fn number(i: usize, j: usize) -> f64 {
        ((i * i * 31 + j * 17 + i * j * j * 7 + 5) % 101) as f64 / 50.0 - 1.0
    }

    #[test]
    fn matrices_of_every_shape() {
        for (m, n) in [(1, 1), (2, 2), (3, 3), (16, 16), (40, 40), (70, 20), (9, 30), (5, 1), (1, 4), (0, 0), (3, 0)] {
            for vectors in [Vectors::Thin, Vectors::Full] {
                check(&Columns::from_fn(m, n, number), vectors);
                check(&Columns::from_fn(m, n, |i, j| Complex128::new(number(i, j), number(j + 3, i))), vectors);
            }
        }
    }

    /// Zeros on the diagonal, ranks below the size, equal values, and magnitudes whose squares overflow or vanish.
    #[test]
    fn matrices_out_of_the_ordinary() {
        let kinds: [fn(usize, usize) -> f64; 9] = [
            |_, _| 0.0,
            |_, _| 1.0,
            |i, j| if i == j { 3.0 } else { 0.0 },
            |i, j| if i == j + 1 { 1.0 } else { 0.0 },
            |i, j| if j == i + 1 { 1.0 } else { 0.0 },
            |i, j| if j == i + 1 || i == j && i % 3 != 1 { 1.0 } else { 0.0 },
            |i, j| (i + 1) as f64 * (j + 2) as f64,
            |i, j| number(i, j) * 1e250,
            |i, j| number(i, j) * 1e-250,
        ];
        for kind in kinds {
            for (m, n) in [(12, 12), (17, 12), (33, 33)] {
                check(&Columns::from_fn(m, n, kind), Vectors::Full);
            }
        }
    }

    /// `sigma_k = 1 / k` of a matrix that is made of rotations.
    #[test]
    fn known_values() {
        let n = 24;
        let orthogonal = |seed: usize| {
            let mut a = Columns::from_fn(n, n, |i, j| number(i + seed, j));
            let taus = geqrf(&Plain, &mut a);
            householder_product(&Plain, &a, &taus, n)
        };
        let (u, v) = (orthogonal(0), orthogonal(5));
        let scaled = Columns::from_fn(n, n, |i, j| u.at(i, j) / (j + 1) as f64);
        let found = svd(&Plain, scaled.times(&Plain, &v.adjoint()), Vectors::None).expect("converges").values;
        assert!(found.iter().enumerate().all(|(k, s)| (s - 1.0 / (k + 1) as f64).abs() < 1e-14));
    }
}
