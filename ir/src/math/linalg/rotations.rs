//! Rotations of rows and columns, one after the other.

use super::Double;
use super::strips::STRIP;

/// Rotations of two rows each.
#[derive(Clone, Default, Debug)]
pub struct Rotations {
    /// Which rows, in order.
    pub chains: Vec<Chain>,
    /// For each pair of them the c and s of [`Kernels::rotate`](super::Kernels::rotate).
    pub factors: Vec<(f64, f64)>,
}

/// Which rows are rotated one pair after the other.
#[derive(Clone, Copy, Debug)]
pub enum Chain {
    /// Neighbours, from the last pair to the first.
    Down {
        /// The first row.
        first: usize,
        /// The last row.
        last: usize,
    },
    /// Neighbours, from the first pair to the last.
    Up {
        /// The first row.
        first: usize,
        /// The last row.
        last: usize,
    },
    /// One pair of rows, the first of which is before the second.
    Pair(usize, usize),
}

/// See [`Kernels::rotate_rows`](super::Kernels::rotate_rows).
#[inline(always)]
pub fn rotate_rows<T: Double>(rotations: &Rotations, rows: &mut [T]) {
    let mut factors = rotations.factors.iter();
    for &chain in &rotations.chains {
        let mut carried = [T::ZERO; STRIP];
        match chain {
            Chain::Down { first, last } => {
                carried.copy_from_slice(&rows[last * STRIP..][..STRIP]);
                for (row, &(c, s)) in (first..last).rev().zip(&mut factors) {
                    let pair = &mut rows[row * STRIP..][..2 * STRIP];
                    for lane in 0..STRIP {
                        let (x, y) = (pair[lane], carried[lane]);
                        carried[lane] = x.scale(c) + y.scale(s);
                        pair[STRIP + lane] = y.scale(c) - x.scale(s);
                    }
                }
                rows[first * STRIP..][..STRIP].copy_from_slice(&carried);
            }
            Chain::Up { first, last } => {
                carried.copy_from_slice(&rows[first * STRIP..][..STRIP]);
                for (row, &(c, s)) in (first..last).zip(&mut factors) {
                    let pair = &mut rows[row * STRIP..][..2 * STRIP];
                    for lane in 0..STRIP {
                        let (x, y) = (carried[lane], pair[STRIP + lane]);
                        pair[lane] = x.scale(c) + y.scale(s);
                        carried[lane] = y.scale(c) - x.scale(s);
                    }
                }
                rows[last * STRIP..][..STRIP].copy_from_slice(&carried);
            }
            Chain::Pair(first, second) => {
                let &(c, s) = factors.next().expect("factors for every pair");
                let (head, tail) = rows.split_at_mut(second * STRIP);
                let (first, second) = (&mut head[first * STRIP..][..STRIP], &mut tail[..STRIP]);
                for lane in 0..STRIP {
                    let (x, y) = (first[lane], second[lane]);
                    first[lane] = x.scale(c) + y.scale(s);
                    second[lane] = y.scale(c) - x.scale(s);
                }
            }
        }
    }
}

/// See [`Kernels::rotate`](super::Kernels::rotate).
#[inline(always)]
pub fn rotate<T: Double>(x: &mut [T], y: &mut [T], c: f64, s: T) {
    for (x, y) in x.iter_mut().zip(y) {
        let (a, b) = (*x, *y);
        *x = a.scale(c) + s.conj() * b;
        *y = b.scale(c) - s * a;
    }
}
