//! Eigenvalues and singular values of small real matrices, [`LANES`] of one size at a time, by Jacobi's rotations.
//!
//! Every pair of rows and columns is rotated until it is orthogonal, in the same order for all matrices, so that no matrix waits for
//! another: where a pair is orthogonal already its lane is turned by nothing, and a matrix comes out the same whatever
//! is beside it. Eigenvalues are made by rotations from both sides, singular values by rotations of columns alone (Hestenes, 1958).

use super::Field;
use super::kernels::{Kernels, LANES};

/// Numbers of as many matrices.
type Lane = [f64; LANES];
/// For each of them, whether something is so.
pub type Mask = [bool; LANES];

/// Passes over all pairs before a matrix is given up; six to nine are usual.
const SWEEPS: usize = 30;
/// Cosines whose squares are below do not count.
const NEGLIGIBLE: f64 = 16.0 * f64::EPSILON * f64::EPSILON;
/// Magnitudes whose fourth powers, and those of what is small beside them, neither overflow nor vanish.
const ORDINARY: std::ops::Range<f64> = 1e-40..1e40;
/// Singular values that are smaller beside the greatest one have no vectors.
const VANISHING: f64 = 1e-20;

/// Matrices side by side in double precision, which of them are ordinary, and the greatest magnitudes. The others are zeros.
#[inline(always)]
fn load<S: Field<Wide = f64>, K: Kernels>(kernels: &K, size: usize, from: &[S]) -> (Vec<Lane>, Mask, Lane) {
    let mut narrow = vec![[S::ZERO; LANES]; size];
    kernels.interleave(from, &mut narrow);
    let mut wide: Vec<Lane> = narrow.iter().map(|x| x.map(S::widen)).collect();
    let (mut greatest, mut sums) = ([0.0f64; LANES], [0.0f64; LANES]);
    for x in &wide {
        for lane in 0..LANES {
            greatest[lane] = if x[lane].abs() > greatest[lane] { x[lane].abs() } else { greatest[lane] };
            sums[lane] += x[lane] * 0.0;
        }
    }
    let mut ordinary = [true; LANES];
    for lane in 0..LANES {
        // Zero times what is not finite is not zero.
        ordinary[lane] = (greatest[lane] == 0.0 || ORDINARY.contains(&greatest[lane])) && sums[lane] == 0.0;
    }
    if ordinary != [true; LANES] {
        for x in &mut wide {
            (0..LANES).for_each(|lane| x[lane] = if ordinary[lane] { x[lane] } else { 0.0 });
        }
    }
    (wide, ordinary, greatest)
}

/// A rotation of a pair in each lane.
struct Rotation {
    cosine: Lane,
    sine: Lane,
    tangent: Lane,
}

impl Rotation {
    /// The one that makes the symmetric matrix with `p` and `q` on its diagonal and `between` beside it diagonal; none if no lane needs one.
    #[inline(always)]
    fn new(p: &Lane, q: &Lane, between: &Lane, floor: &Lane, turned: &mut Mask) -> Option<Rotation> {
        let (mut cosine, mut sine, mut tangent) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let mut counts = [false; LANES];
        for lane in 0..LANES {
            let square = between[lane] * between[lane];
            counts[lane] = square > NEGLIGIBLE * (p[lane] * q[lane]).abs() && square > floor[lane];
        }
        if counts == [false; LANES] {
            return None;
        }
        for lane in 0..LANES {
            turned[lane] |= counts[lane];
            let (difference, twice) = (q[lane] - p[lane], 2.0 * between[lane]);
            let root = (difference * difference + twice * twice).sqrt();
            let t = if counts[lane] { twice / (difference + root.copysign(difference)) } else { 0.0 };
            let c = 1.0 / (1.0 + t * t).sqrt();
            (tangent[lane], cosine[lane], sine[lane]) = (t, c, t * c);
        }
        Some(Rotation { cosine, sine, tangent })
    }

    #[inline(always)]
    fn turn(&self, x: &mut Lane, y: &mut Lane) {
        let (a, b) = (*x, *y);
        for lane in 0..LANES {
            x[lane] = self.cosine[lane] * a[lane] - self.sine[lane] * b[lane];
            y[lane] = self.sine[lane] * a[lane] + self.cosine[lane] * b[lane];
        }
    }

    /// Turns rows `p` and `q` of a matrix of so many columns.
    #[inline(always)]
    fn turn_rows(&self, matrix: &mut [Lane], cols: usize, p: usize, q: usize) {
        let (head, tail) = matrix.split_at_mut(q * cols);
        for (x, y) in head[p * cols..][..cols].iter_mut().zip(&mut tail[..cols]) {
            self.turn(x, y);
        }
    }
}

/// Every two of so many.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |p| (p + 1..count).map(move |q| (p, q)))
}

fn identity(n: usize) -> Vec<Lane> {
    let mut identity = vec![[0.0; LANES]; n * n];
    (0..n).for_each(|i| identity[i * n + i] = [1.0; LANES]);
    identity
}

/// Symmetric matrices, of which the upper triangle counts, and the product of the rotations that they have been through, transposed.
struct Symmetric {
    n: usize,
    a: Vec<Lane>,
    turns: Vec<Lane>,
    floor: Lane,
}

impl Symmetric {
    /// Turns rows and columns of one pair.
    #[inline(always)]
    fn turn(&mut self, p: usize, q: usize, turned: &mut Mask) {
        let (n, a) = (self.n, &mut self.a[..]);
        let (first, second, between) = (a[p * n + p], a[q * n + q], a[p * n + q]);
        let Some(rotation) = Rotation::new(&first, &second, &between, &self.floor, turned) else { return };
        for lane in 0..LANES {
            let moved = rotation.tangent[lane] * between[lane];
            a[p * n + p][lane] = first[lane] - moved;
            a[q * n + q][lane] = second[lane] + moved;
            // What is not turned stays, so that a matrix is what it is alone.
            a[p * n + q][lane] = if rotation.tangent[lane] == 0.0 { between[lane] } else { 0.0 };
        }
        for k in 0..n {
            if k != p && k != q {
                let (i, j) = (k.min(p) * n + k.max(p), k.min(q) * n + k.max(q));
                let (mut x, mut y) = (a[i], a[j]);
                rotation.turn(&mut x, &mut y);
                (a[i], a[j]) = (x, y);
            }
        }
        rotation.turn_rows(&mut self.turns, n, p, q);
    }
}

/// As `eigh` of symmetric n × n matrices, of which one triangle is read; says which of them are done.
#[inline(always)]
pub fn eigh_lanes<S: Field<Wide = f64>, K: Kernels>(
    kernels: &K,
    lower: bool,
    n: usize,
    a: &[S],
    vectors: &mut [S],
    values: &mut [S],
) -> Mask {
    let (mut a, ordinary, greatest) = load(kernels, n * n, a);
    if lower {
        pairs(n).for_each(|(i, j)| a[i * n + j] = a[j * n + i]);
    }
    let floor = greatest.map(|x| NEGLIGIBLE * NEGLIGIBLE * x * x);
    let mut matrices = Symmetric { n, a, turns: identity(n), floor };
    let mut turned = [true; LANES];
    for _ in 0..SWEEPS {
        turned = [false; LANES];
        for (p, q) in pairs(n) {
            matrices.turn(p, q, &mut turned);
        }
        if turned == [false; LANES] {
            break;
        }
    }
    let value = |i: usize, lane: usize| matrices.a[i * n + i][lane] + 0.0;
    let mut order: Vec<usize> = Vec::with_capacity(n);
    for (lane, (vectors, values)) in vectors.chunks_exact_mut(n * n).zip(values.chunks_exact_mut(n)).enumerate() {
        order.clear();
        order.extend(0..n);
        order.sort_by(|&i, &j| value(i, lane).total_cmp(&value(j, lane)));
        for (j, &from) in order.iter().enumerate() {
            values[j] = S::narrow(value(from, lane));
            write(lane, &matrices.turns[from * n..][..n], 1.0, vectors[j..].iter_mut().step_by(n));
        }
    }
    std::array::from_fn(|lane| ordinary[lane] && !turned[lane])
}

/// Writes numbers of one matrix. Zeros lose their sign, which depends on how often they were turned by nothing.
#[inline(always)]
fn write<'a, S: Field<Wide = f64>>(lane: usize, from: &[Lane], factor: f64, to: impl Iterator<Item = &'a mut S>) {
    to.zip(from).for_each(|(to, x)| *to = S::narrow(x[lane] * factor + 0.0));
}

/// Columns of so many elements, to be made orthogonal, and the product of the rotations of them, transposed, if that is wanted.
struct Tall {
    size: usize,
    columns: Vec<Lane>,
    turns: Vec<Lane>,
}

impl Tall {
    /// Turns one pair of columns.
    #[inline(always)]
    fn turn(&mut self, count: usize, p: usize, q: usize, turned: &mut Mask) {
        let size = self.size;
        let (mut first, mut second, mut between) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for (x, y) in self.columns[p * size..][..size].iter().zip(&self.columns[q * size..][..size]) {
            for lane in 0..LANES {
                first[lane] += x[lane] * x[lane];
                second[lane] += y[lane] * y[lane];
                between[lane] += x[lane] * y[lane];
            }
        }
        let Some(rotation) = Rotation::new(&first, &second, &between, &[0.0; LANES], turned) else { return };
        rotation.turn_rows(&mut self.columns, size, p, q);
        if !self.turns.is_empty() {
            rotation.turn_rows(&mut self.turns, count, p, q);
        }
    }

    /// The lengths of the columns.
    #[inline(always)]
    fn lengths(&self, count: usize) -> Vec<Lane> {
        let mut lengths = vec![[0.0; LANES]; count];
        for (length, column) in lengths.iter_mut().zip(self.columns.chunks_exact(self.size)) {
            for x in column {
                (0..LANES).for_each(|lane| length[lane] += x[lane] * x[lane]);
            }
            (0..LANES).for_each(|lane| length[lane] = length[lane].sqrt());
        }
        lengths
    }
}

/// As `svd` of m × n matrices, `left` and `right` being thin factors or empty; says which of the matrices are done.
#[inline(always)]
pub fn svd_lanes<S: Field<Wide = f64>, K: Kernels>(
    kernels: &K,
    [m, n]: [usize; 2],
    a: &[S],
    values: &mut [S],
    [left, right]: [&mut [S]; 2],
) -> Mask {
    let (elements, ordinary, _) = load(kernels, m * n, a);
    let (tall, with_vectors) = (m >= n, !left.is_empty());
    let (count, size) = (m.min(n), m.max(n));
    // The columns of a tall matrix, the rows of a wide one.
    let mut columns = elements;
    if tall {
        columns = (0..n).flat_map(|j| (0..m).map(move |i| i * n + j)).map(|at| columns[at]).collect();
    }
    let mut matrices = Tall { size, columns, turns: if with_vectors { identity(count) } else { Vec::new() } };
    let mut turned = [true; LANES];
    for _ in 0..SWEEPS {
        turned = [false; LANES];
        for (p, q) in pairs(count) {
            matrices.turn(count, p, q, &mut turned);
        }
        if turned == [false; LANES] {
            break;
        }
    }
    let lengths = matrices.lengths(count);
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut full = [true; LANES];
    for (lane, values) in values.chunks_exact_mut(count).enumerate() {
        order.clear();
        order.extend(0..count);
        order.sort_by(|&i, &j| lengths[j][lane].total_cmp(&lengths[i][lane]));
        values.iter_mut().zip(&order).for_each(|(to, &from)| *to = S::narrow(lengths[from][lane]));
        let [greatest, least] = [order[0], order[count - 1]].map(|at| lengths[at][lane]);
        full[lane] = !with_vectors || least > VANISHING * greatest;
        if !with_vectors || !full[lane] {
            continue;
        }
        let (left, right) = (&mut left[lane * m * count..][..m * count], &mut right[lane * count * n..][..count * n]);
        for (j, &from) in order.iter().enumerate() {
            let inverse = 1.0 / lengths[from][lane];
            let (column, turns) = (&matrices.columns[from * size..][..size], &matrices.turns[from * count..][..count]);
            let (to_left, to_right) = (left[j..].iter_mut().step_by(count), right[j * n..][..n].iter_mut());
            if tall {
                write(lane, column, inverse, to_left);
                write(lane, turns, 1.0, to_right);
            } else {
                write(lane, turns, 1.0, to_left);
                write(lane, column, inverse, to_right);
            }
        }
    }
    std::array::from_fn(|lane| ordinary[lane] && !turned[lane] && full[lane])
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Plain;
    use super::super::{Columns, Vectors, eigh, svd};
    use super::*;

    fn number(i: usize, j: usize) -> f64 {
        ((i * i * 31 + j * 17 + i * j * j * 7 + 5) % 101) as f64 / 50.0 - 1.0
    }

    /// Elements of matrices that go side by side, and whether rotations are enough for eigenvectors and for singular vectors.
    const KINDS: [(&str, fn(usize, usize) -> f64, [bool; 2]); 10] = [
        ("numbers", number, [true, true]),
        ("other numbers", |i, j| number(i + 3, j * j) * 1e20, [true, true]),
        ("one", |i, j| if i == j { 1.0 } else { 0.0 }, [true, true]),
        ("equal pairs", |i, j| if i == j { (i / 2 + 1) as f64 } else { 0.0 }, [true, true]),
        ("nothing", |_, _| 0.0, [true, false]),
        ("ones", |_, _| 1.0, [true, false]),
        ("a zero row and column", |i, j| if i == 0 || j == 0 { 0.0 } else { number(i, j) }, [true, false]),
        ("graded", |i, j| number(i, j) * 0.1f64.powi((i + j) as i32), [true, true]),
        ("infinite", |i, j| if i == 0 && j == 0 { f64::INFINITY } else { number(i, j) }, [false, false]),
        ("great", |i, j| number(i, j) * 1e60, [false, false]),
    ];

    fn elements(m: usize, n: usize, kind: fn(usize, usize) -> f64) -> Vec<f64> {
        (0..m * n).map(|at| kind(at / n, at % n)).collect()
    }

    fn orthonormal(what: &str, q: &Columns<f64>) {
        let gram = q.adjoint().times(&Plain, q);
        for (i, j) in (0..q.cols() * q.cols()).map(|at| (at / q.cols(), at % q.cols())) {
            let one = if i == j { 1.0 } else { 0.0 };
            assert!((gram.at(i, j) - one).abs() < 1e-13, "{what}: {i}, {j}: {}", gram.at(i, j));
        }
    }

    /// The greatest difference of `left diag(values) rightᵀ` from a matrix, beside its greatest element.
    fn error(a: &Columns<f64>, left: &Columns<f64>, values: &[f64], right: &Columns<f64>) -> f64 {
        let scaled = Columns::from_fn(left.rows(), values.len(), |i, j| left.at(i, j) * values[j]);
        let product = scaled.times(&Plain, &right.adjoint());
        Columns::from_fn(a.rows(), a.cols(), |i, j| a.at(i, j) - product.at(i, j)).greatest() / a.greatest().max(1e-300)
    }

    #[test]
    fn eigenvalues_of_matrices_of_every_kind() {
        for n in [1, 2, 3, 8, 20] {
            let kinds = KINDS.map(|(what, kind, [done, _])| {
                let symmetric = (0..n * n).map(|at| kind(at / n, at % n) + kind(at % n, at / n)).collect::<Vec<f64>>();
                (format!("{what}, {n}"), symmetric, done)
            });
            let all: Vec<f64> = kinds.iter().flat_map(|(_, a, _)| a.clone()).collect();
            let (mut vectors, mut values) = (vec![0.0; all.len()], vec![0.0; all.len() / n]);
            let done = eigh_lanes(&Plain, true, n, &all, &mut vectors, &mut values);
            for (lane, (what, a, expected)) in kinds.iter().enumerate() {
                assert_eq!(done[lane], *expected, "{what}");
                if !done[lane] {
                    continue;
                }
                let (vectors, values) = (&vectors[lane * n * n..][..n * n], &values[lane * n..][..n]);
                let (mut vectors_alone, mut values_alone) = (vec![0.0; n * n], vec![0.0; n]);
                assert!(eigh_lanes(&Plain, false, n, a, &mut vectors_alone, &mut values_alone)[0]);
                let bits = |x: &[f64]| -> Vec<u64> { x.iter().map(|x| x.to_bits()).collect() };
                assert_eq!((bits(vectors), bits(values)), (bits(&vectors_alone), bits(&values_alone)), "{what}");
                let (a, q) = (Columns::from_rows(n, n, a), Columns::from_rows(n, n, vectors));
                orthonormal(what, &q);
                assert!(error(&a, &q, values, &q) < 1e-13, "{what}");
                let (expected, _) = eigh(&Plain, a.clone()).expect("converges");
                let near = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-13 * a.greatest();
                assert!(values.iter().zip(&expected).all(near), "{what}: {values:?}, {expected:?}");
            }
        }
    }

    #[test]
    fn singular_values_of_matrices_of_every_kind() {
        for (m, n) in [(1, 1), (2, 2), (3, 3), (8, 8), (9, 5), (4, 20)] {
            let k = m.min(n);
            let all: Vec<f64> = KINDS.iter().flat_map(|(_, kind, _)| elements(m, n, *kind)).collect();
            let count = KINDS.len();
            let (mut values, mut left, mut right) =
                (vec![0.0; count * k], vec![0.0; count * m * k], vec![0.0; count * k * n]);
            let done = svd_lanes(&Plain, [m, n], &all, &mut values, [&mut left, &mut right]);
            let mut only = vec![0.0; count * k];
            let done_alone = svd_lanes(&Plain, [m, n], &all, &mut only, [&mut [], &mut []]);
            for (lane, (what, kind, [finite, full])) in KINDS.into_iter().enumerate() {
                let what = format!("{what}, {m}x{n}");
                let a = Columns::from_rows(m, n, &elements(m, n, kind));
                assert_eq!(done_alone[lane], finite, "{what}");
                if !finite {
                    assert!(!done[lane], "{what}");
                    continue;
                }
                let expected = svd(&Plain, a.clone(), Vectors::None).expect("converges").values;
                let near = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-13 * a.greatest();
                assert!(only[lane * k..][..k].iter().zip(&expected).all(near), "{what}: {expected:?}");
                assert!(done[lane] || !full, "{what}");
                if done[lane] {
                    let u = Columns::from_rows(m, k, &left[lane * m * k..][..m * k]);
                    let v = Columns::from_rows(k, n, &right[lane * k * n..][..k * n]).adjoint();
                    orthonormal(&what, &u);
                    orthonormal(&what, &v);
                    assert!(error(&a, &u, &values[lane * k..][..k], &v) < 1e-13, "{what}");
                }
            }
        }
    }
}
