//! The eigenvalues and eigenvectors of `D + rho z zᵀ`, D being diagonal.
//!
//! The eigenvalues are the roots of `1 + rho Σ z_j² / (d_j - x)`, one between each two poles and one beyond the last. [`LANES`] of them are
//! looked for side by side, each as a distance from the nearer pole, so that all `d_j - x` are accurate. In each step the sums over
//! the poles on either side are replaced by one pole with the same value and slope (Li, 1993). The eigenvectors are those of
//! the z that has exactly the roots found (Gu and Eisenstat, 1994), which makes them orthogonal however near two roots are.

use super::kernels::LANES;

/// Steps before a root is taken as it is; four to six are usual.
const STEPS: usize = 80;
/// Sums that are smaller beside the sum of their terms are rounding.
const NEGLIGIBLE: f64 = 8.0 * f64::EPSILON;

/// See [`Kernels::secular`](super::Kernels::secular).
#[inline(always)]
pub fn secular(poles: &[f64], z: &[f64], rho: f64, roots: &mut [f64], vectors: &mut [f64]) {
    let count = poles.len();
    let squares: Vec<f64> = z.iter().map(|z| rho * z * z).collect();
    let beyond = squares.iter().sum::<f64>();
    for first in (0..count).step_by(LANES) {
        let mut search = Search::new(poles, beyond, first);
        for step in 0..STEPS {
            let sums = search.sums(poles, &squares);
            if step == 0 {
                search.choose_poles(&sums);
            } else if !search.advance(&sums) {
                break;
            }
        }
        for lane in 0..LANES.min(count - first) {
            let (pole, distance) = (search.pole[lane], search.distance[lane]);
            roots[first + lane] = pole + distance;
            let differences = &mut vectors[(first + lane) * count..][..count];
            differences.iter_mut().zip(poles).for_each(|(to, d)| *to = (d - pole) - distance);
        }
    }
    // The squares of the z for which these are the roots, but for a factor.
    let mut exact = vec![1.0; count];
    for (i, differences) in vectors.chunks_exact(count.max(1)).enumerate() {
        for side in [0..i, i + 1..count] {
            let to = &mut exact[side.clone()];
            for (to, (difference, pole)) in to.iter_mut().zip(differences[side.clone()].iter().zip(&poles[side])) {
                *to *= difference / (pole - poles[i]);
            }
        }
        exact[i] *= differences[i];
    }
    exact.iter_mut().zip(z).for_each(|(square, z)| *square = square.abs().sqrt().copysign(*z));
    for vector in vectors.chunks_exact_mut(count.max(1)) {
        let mut sums = [0.0; LANES];
        for (vector, exact) in vector.chunks_mut(LANES).zip(exact.chunks(LANES)) {
            for (lane, (x, z)) in vector.iter_mut().zip(exact).enumerate() {
                *x = z / *x;
                sums[lane] += *x * *x;
            }
        }
        let length = sums.iter().sum::<f64>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

type Lane = [f64; LANES];

/// Of each root the sums over the poles up to the one before it, and over those after it, and their derivatives.
struct Sums {
    before: Lane,
    before_slope: Lane,
    after: Lane,
    after_slope: Lane,
}

/// Roots from number `first` on; those beyond the last one are the last one again.
struct Search {
    index: [usize; LANES],
    last: usize,
    /// The poles that a root is between; there is none after the last root, which is before this place.
    before: Lane,
    after: Lane,
    /// Where distances begin.
    pole: Lane,
    distance: Lane,
    /// What the distance is between.
    least: Lane,
    most: Lane,
    found: [bool; LANES],
}

impl Search {
    fn new(poles: &[f64], beyond: f64, first: usize) -> Search {
        let last = poles.len() - 1;
        let index: [usize; LANES] = std::array::from_fn(|lane| last.min(first + lane));
        let before = index.map(|i| poles[i]);
        let after = index.map(|i| if i == last { poles[i] + beyond } else { poles[i + 1] });
        let most: Lane = std::array::from_fn(|lane| {
            // The last pole and what is beyond it may be the same number.
            if index[lane] == last { beyond } else { after[lane] - before[lane] }
        });
        let distance = most.map(|most| most / 2.0);
        Search { index, last, before, after, pole: before, distance, least: [0.0; LANES], most, found: [false; LANES] }
    }

    #[inline(always)]
    fn sums(&self, poles: &[f64], squares: &[f64]) -> Sums {
        let zero = [0.0; LANES];
        let mut sums = Sums { before: zero, before_slope: zero, after: zero, after_slope: zero };
        for (j, (&pole, &square)) in poles.iter().zip(squares).enumerate() {
            for lane in 0..LANES {
                let inverse = 1.0 / ((pole - self.pole[lane]) - self.distance[lane]);
                let term = square * inverse;
                let (before, after) = if j <= self.index[lane] { (term, 0.0) } else { (0.0, term) };
                sums.before[lane] += before;
                sums.before_slope[lane] += before * inverse;
                sums.after[lane] += after;
                sums.after_slope[lane] += after * inverse;
            }
        }
        sums
    }

    /// After the first sums, half way: where the root is nearer to the pole after it, distances begin there.
    fn choose_poles(&mut self, sums: &Sums) {
        for lane in 0..LANES {
            let below = 1.0 + sums.before[lane] + sums.after[lane] < 0.0;
            let middle = self.distance[lane];
            if below && self.index[lane] < self.last {
                self.pole[lane] = self.after[lane];
                (self.least[lane], self.most[lane]) = (-middle, 0.0);
                self.distance[lane] = -middle;
            } else if below {
                self.least[lane] = middle;
            } else {
                self.most[lane] = middle;
            }
        }
        self.advance(sums);
    }

    /// One step of all roots; false if all are found.
    fn advance(&mut self, sums: &Sums) -> bool {
        for lane in 0..LANES {
            if self.found[lane] {
                continue;
            }
            let (before, after) = (sums.before[lane], sums.after[lane]);
            let value = 1.0 + before + after;
            if value.abs() <= NEGLIGIBLE * (1.0 - before + after) {
                self.found[lane] = true;
                continue;
            }
            let distance = self.distance[lane];
            let bound = if value < 0.0 { &mut self.least[lane] } else { &mut self.most[lane] };
            *bound = distance;
            let to_before = (self.before[lane] - self.pole[lane]) - distance;
            let to_after = (self.after[lane] - self.pole[lane]) - distance;
            let (slope, slope_after) = (sums.before_slope[lane], sums.after_slope[lane]);
            // c x² - a x + b vanishes where the function with two poles does.
            let c = value - to_before * slope - to_after * slope_after;
            let a = (to_before + to_after) * value - to_before * to_after * (slope + slope_after);
            let b = to_before * to_after * value;
            let root = (a * a - 4.0 * b * c).max(0.0).sqrt();
            let mut step = if a <= 0.0 { (a - root) / (2.0 * c) } else { 2.0 * b / (a + root) };
            if !step.is_finite() || value * step >= 0.0 {
                step = -value / (slope + slope_after);
            }
            let mut next = distance + step;
            if !(self.least[lane] < next && next < self.most[lane]) {
                next = (self.least[lane] + self.most[lane]) / 2.0;
            }
            self.found[lane] = next == distance || next == self.least[lane] || next == self.most[lane];
            if !self.found[lane] {
                self.distance[lane] = next;
            }
        }
        self.found != [true; LANES]
    }
}
