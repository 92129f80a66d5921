//! Singular values of bidiagonal matrices alone: the differential quotient-difference algorithm with shifts (Fernando and
//! Parlett, 1994), which are chosen as LAPACK chooses most of them (Parlett and Marques, 2000).
//!
//! The squares of the diagonals, `q` and `e`, are those of a product `L U` of bidiagonal matrices; a step replaces them by those
//! of `U L` less a shift, without a square root and with one division an element. A shift beyond the least eigenvalue shows as
//! a negative number, and the step is made again with a smaller one.

/// Steps for each value before the algorithm gives up.
const STEPS: usize = 40;
/// What is below this, beside what it is added to, does not count: squares of 100 roundings.
const NEGLIGIBLE: f64 = 1e4 * f64::EPSILON * f64::EPSILON;
/// Matrices that are so much larger at the end are turned round: the least values are found at the end.
const UPSIDE_DOWN: f64 = 1.5;

/// The singular values, in no order, of a bidiagonal matrix of ordinary size; `above` has one element less than `diagonal`. None where some
/// number vanishes that is divided by, or after too many steps.
pub(super) fn singular_values(diagonal: &[f64], above: &[f64]) -> Option<Vec<f64>> {
    let mut q: Vec<f64> = diagonal.iter().map(|x| x * x).collect();
    let mut e: Vec<f64> = above.iter().map(|x| x * x).collect();
    let mut values = Vec::with_capacity(q.len());
    block(&mut q, &mut e, 0.0, &mut values)?;
    Some(values.into_iter().map(f64::sqrt).collect())
}

/// Adds the eigenvalues, all `sum` more than those of this block.
fn block(q: &mut [f64], e: &mut [f64], mut sum: f64, values: &mut Vec<f64>) -> Option<()> {
    let mut last = q.len();
    let mut steps = STEPS * last;
    if last > 1 && UPSIDE_DOWN * q[0] < q[last - 1] {
        // The same matrix from the other end.
        q.reverse();
        e.reverse();
    }
    let (mut next_q, mut next_e) = (q.to_vec(), e.to_vec());
    // Without a shift a step cannot fail; it leaves numbers to choose one by.
    let mut shift = 0.0;
    while last > 0 {
        if last == 1 || e[last - 2] <= NEGLIGIBLE * (sum + q[last - 1]) {
            values.push(q[last - 1] + sum);
            last -= 1;
            shift = if last > 1 { guess(&q[..last], &e[..last - 1]) } else { 0.0 };
            continue;
        }
        if let Some(split) = (0..last - 2).rev().find(|&k| e[k] <= NEGLIGIBLE * (sum + q[k])) {
            block(&mut q[split + 1..last], &mut e[split + 1..last - 1], sum, values)?;
            last = split + 1;
            shift = 0.0;
            continue;
        }
        steps = steps.checked_sub(1)?;
        match step(&q[..last], &e[..last - 1], shift, &mut next_q, &mut next_e)? {
            Step::Done { least } => {
                q[..last].copy_from_slice(&next_q[..last]);
                e[..last - 1].copy_from_slice(&next_e[..last - 1]);
                sum += shift;
                // Where a number before the last one is the least, the last one says little.
                let ends_least = q[last - 1] <= least;
                shift = if ends_least { guess(&q[..last], &e[..last - 1]) } else { least / 4.0 };
            }
            // The last number is about as far below zero as the shift was beyond the least eigenvalue.
            Step::NegativeAtTheEnd(below) if shift + below > 0.0 => {
                shift = (shift + below) * (1.0 - 2.0 * f64::EPSILON);
            }
            Step::NegativeAtTheEnd(_) | Step::Negative => {
                shift = if shift > f64::MIN_POSITIVE { shift / 4.0 } else { 0.0 }
            }
        }
    }
    Some(())
}

/// A number that is hardly ever beyond the least eigenvalue, and near it in the end: the last number less what the remainder of the equation may
/// add up to, by the squares of the other elements of the eigenvector beside its last one.
fn guess(q: &[f64], e: &[f64]) -> f64 {
    let (mut term, mut squares) = (1.0, 0.0);
    for k in (0..e.len()).rev() {
        term *= e[k] / q[k];
        squares += term;
        if term < 0.01 * squares || squares > 0.6 {
            break;
        }
    }
    let (squares, last) = (1.05 * squares, q[e.len()]);
    if squares < 0.563 { last * (1.0 - squares.sqrt()) / (1.0 + squares) } else { last / 4.0 }
}

enum Step {
    /// The least of the numbers before the last one, none of which is negative.
    Done {
        least: f64,
    },
    /// The last number is this one, below zero, the others are not.
    NegativeAtTheEnd(f64),
    Negative,
}

/// One step; none where it would divide by zero.
fn step(q: &[f64], e: &[f64], shift: f64, next_q: &mut [f64], next_e: &mut [f64]) -> Option<Step> {
    let (mut d, mut least) = (q[0] - shift, f64::INFINITY);
    for k in 0..e.len() {
        if d < 0.0 {
            return Some(Step::Negative);
        }
        least = least.min(d);
        let sum = d + e[k];
        let ratio = q[k + 1] / sum;
        next_q[k] = sum;
        next_e[k] = e[k] * ratio;
        d = d * ratio - shift;
        if !ratio.is_finite() {
            return None;
        }
    }
    next_q[e.len()] = d;
    Some(if d < 0.0 { Step::NegativeAtTheEnd(d) } else { Step::Done { least } })
}
