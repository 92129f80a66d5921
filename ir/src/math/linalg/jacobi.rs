//! Singular values of small real matrices, [`LANES`] of one size at a time, by rotations of columns (Hestenes, 1958).
//!
//! Every pair of columns is rotated until it is orthogonal, in the same order for all matrices, so that no matrix waits for
//! another: where a pair is orthogonal already its lane is turned by nothing, and the values of a matrix are the same whatever
//! is beside it. Vectors are left to `svd`: their signs would be others than those of one matrix alone.

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

/// Matrices side by side in double precision, and which of them are ordinary. The others are zeros.
#[inline(always)]
fn load<S: Field<Wide = f64>, K: Kernels>(kernels: &K, size: usize, from: &[S]) -> (Vec<Lane>, Mask) {
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
    (wide, ordinary)
}

/// A rotation of a pair in each lane.
struct Rotation {
    cosine: Lane,
    sine: Lane,
}

impl Rotation {
    /// The one that makes the symmetric matrix with `p` and `q` on its diagonal and `between` beside it diagonal; none if no lane needs one.
    #[inline(always)]
    fn new(p: &Lane, q: &Lane, between: &Lane, turned: &mut Mask) -> Option<Rotation> {
        let (mut cosine, mut sine) = ([0.0; LANES], [0.0; LANES]);
        let mut counts = [false; LANES];
        for lane in 0..LANES {
            let square = between[lane] * between[lane];
            counts[lane] = square > NEGLIGIBLE * (p[lane] * q[lane]).abs();
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
            (cosine[lane], sine[lane]) = (c, t * c);
        }
        Some(Rotation { cosine, sine })
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

/// Columns of so many elements, to be made orthogonal.
struct Tall {
    size: usize,
    columns: Vec<Lane>,
}

impl Tall {
    /// Turns one pair of columns.
    #[inline(always)]
    fn turn(&mut self, p: usize, q: usize, turned: &mut Mask) {
        let size = self.size;
        let (mut first, mut second, mut between) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for (x, y) in self.columns[p * size..][..size].iter().zip(&self.columns[q * size..][..size]) {
            for lane in 0..LANES {
                first[lane] += x[lane] * x[lane];
                second[lane] += y[lane] * y[lane];
                between[lane] += x[lane] * y[lane];
            }
        }
        let Some(rotation) = Rotation::new(&first, &second, &between, turned) else { return };
        rotation.turn_rows(&mut self.columns, size, p, q);
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

/// The singular values of m × n matrices in descending order; says of which matrices they are found.
#[inline(always)]
pub fn singular_values_lanes<S: Field<Wide = f64>, K: Kernels>(
    kernels: &K,
    [m, n]: [usize; 2],
    a: &[S],
    values: &mut [S],
) -> Mask {
    let (elements, ordinary) = load(kernels, m * n, a);
    let (count, size) = (m.min(n), m.max(n));
    // The columns of a tall matrix, the rows of a wide one.
    let mut columns = elements;
    if m >= n {
        columns = (0..n).flat_map(|j| (0..m).map(move |i| i * n + j)).map(|at| columns[at]).collect();
    }
    let mut matrices = Tall { size, columns };
    let mut turned = [true; LANES];
    for _ in 0..SWEEPS {
        turned = [false; LANES];
        for (p, q) in pairs(count) {
            matrices.turn(p, q, &mut turned);
        }
        if turned == [false; LANES] {
            break;
        }
    }
    let lengths = matrices.lengths(count);
    let mut order: Vec<f64> = Vec::with_capacity(count);
    for (lane, values) in values.chunks_exact_mut(count).enumerate() {
        order.clear();
        order.extend(lengths.iter().map(|length| length[lane]));
        order.sort_by(|x, y| y.total_cmp(x));
        values.iter_mut().zip(&order).for_each(|(to, &from)| *to = S::narrow(from));
    }
    std::array::from_fn(|lane| ordinary[lane] && !turned[lane])
}

#[cfg(test)]
mod tests {
    use super::super::kernels::Plain;
    use super::super::{Columns, Vectors, svd};
    use super::*;

    fn number(i: usize, j: usize) -> f64 {
        ((i * i * 31 + j * 17 + i * j * j * 7 + 5) % 101) as f64 / 50.0 - 1.0
    }

    /// Elements of matrices that go side by side, and whether rotations are enough.
    const KINDS: [(&str, fn(usize, usize) -> f64, bool); 10] = [
        ("numbers", number, true),
        ("other numbers", |i, j| number(i + 3, j * j) * 1e20, true),
        ("one", |i, j| if i == j { 1.0 } else { 0.0 }, true),
        ("equal pairs", |i, j| if i == j { (i / 2 + 1) as f64 } else { 0.0 }, true),
        ("nothing", |_, _| 0.0, true),
        ("ones", |_, _| 1.0, true),
        ("a zero row and column", |i, j| if i == 0 || j == 0 { 0.0 } else { number(i, j) }, true),
        ("graded", |i, j| number(i, j) * 0.1f64.powi((i + j) as i32), true),
        ("infinite", |i, j| if i == 0 && j == 0 { f64::INFINITY } else { number(i, j) }, false),
        ("great", |i, j| number(i, j) * 1e60, false),
    ];

    /// They are those of the matrix alone: to the last bit by rotations, and to rounding by `svd`.
    #[test]
    fn singular_values_of_matrices_of_every_kind() {
        for (m, n) in [(1, 1), (2, 2), (3, 3), (8, 8), (9, 5), (4, 20)] {
            let k = m.min(n);
            let matrices = KINDS.map(|(_, kind, _)| (0..m * n).map(|at| kind(at / n, at % n)).collect::<Vec<f64>>());
            let mut values = vec![0.0; KINDS.len() * k];
            let done = singular_values_lanes(&Plain, [m, n], &matrices.concat(), &mut values);
            for (lane, ((what, _, finite), a)) in KINDS.into_iter().zip(&matrices).enumerate() {
                assert_eq!(done[lane], finite, "{what}, {m}x{n}");
                if !finite {
                    continue;
                }
                let found = &values[lane * k..][..k];
                let mut alone = vec![0.0; k];
                singular_values_lanes(&Plain, [m, n], a, &mut alone);
                assert!(found.iter().zip(&alone).all(|(x, y)| x.to_bits() == y.to_bits()), "{what}, {m}x{n}");
                let a = Columns::from_rows(m, n, a);
                let expected = svd(&Plain, a.clone(), Vectors::None).expect("converges").values;
                let near = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-13 * a.greatest();
                assert!(found.iter().zip(&expected).all(near), "{what}, {m}x{n}: {found:?}, {expected:?}");
            }
        }
    }
}
