//! Discrete Fourier transforms over any number of trailing axes.
//!
//! Transforms along the last axis work on its lines where they are; those along others on lines that are brought side by side and back. A real
//! line of even length is transformed as one of half as many complex numbers, whose spectrum then comes apart into those of its real and imaginary
//! parts. Passes work on pieces of arrays that do not depend on each other, so that a caller may share them among threads.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex};

use num_complex::Complex;
use rustfft::{Fft, FftNum, FftPlanner};

/// The sign of the exponent; the inverse also divides by the length.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// `exp(-2 pi i j k / n)`.
    Forward,
    /// `exp(2 pi i j k / n) / n`.
    Inverse,
}

/// How passes over an array run, by default one piece after the other.
pub trait Pieces {
    /// Calls `work` with every piece of `size` elements, of which the last may be shorter, and its number.
    fn each<T: Send>(&self, values: &mut [T], size: usize, work: &(dyn Fn(usize, &mut [T]) + Sync)) {
        values.chunks_mut(size.max(1)).enumerate().for_each(|(i, piece)| work(i, piece));
    }
}

/// One piece after the other.
pub struct InOrder;

impl Pieces for InOrder {}

/// The parts of complex numbers that are transformed, with the transforms planned so far.
pub trait FourierPart: FftNum {
    /// The transform of a length; plans are kept.
    fn plan(length: usize, direction: Direction) -> Arc<dyn Fft<Self>>;

    /// `exp(-2 pi i k / length)` for `k <= length / 4`, rounded once; kept likewise.
    fn roots(length: usize) -> Arc<[Complex<Self>]>;
}

/// Plans kept at most; beyond that they are made anew.
const PLANS: usize = 64;

type Known<K, V> = LazyLock<Mutex<HashMap<K, V>>>;

/// What is known under a key, or else what `make` makes of it.
fn kept<K: Hash + Eq, V: Clone>(known: &Known<K, V>, key: K, make: impl FnOnce() -> V) -> V {
    let mut known = known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(value) = known.get(&key) {
        return value.clone();
    }
    let value = make();
    if known.len() >= PLANS {
        known.clear();
    }
    known.insert(key, value.clone());
    value
}

macro_rules! fourier_part {
    ($($T:ty)*) => {$(
        impl FourierPart for $T {
            fn plan(length: usize, direction: Direction) -> Arc<dyn Fft<$T>> {
                static KNOWN: Known<(usize, Direction), Arc<dyn Fft<$T>>> = LazyLock::new(Mutex::default);
                kept(&KNOWN, (length, direction), || match direction {
                    Direction::Forward => FftPlanner::new().plan_fft_forward(length),
                    Direction::Inverse => FftPlanner::new().plan_fft_inverse(length),
                })
            }

            fn roots(length: usize) -> Arc<[Complex<$T>]> {
                static KNOWN: Known<usize, Arc<[Complex<$T>]>> = LazyLock::new(Mutex::default);
                kept(&KNOWN, length, || {
                    let root = |k: usize| {
                        let (sin, cos) = libm::sincos(-std::f64::consts::TAU * k as f64 / length as f64);
                        Complex::new(cos as $T, sin as $T)
                    };
                    (0..=length / 4).map(root).collect()
                })
            }
        }
    )*};
}

fourier_part!(f32 f64);

/// Elements of a piece.
const PIECE: usize = 1 << 14;
/// Elements of arrays whose columns are transformed by one piece of the work, in the second-level cache.
const BLOCK: usize = 1 << 15;
/// Columns that are brought side by side together: their elements in a row are whole cache lines.
const COLUMNS: usize = 32;
/// Side of the squares in which arrays are transposed.
const SQUARE: usize = 8;

fn zero<T: FourierPart>() -> Complex<T> {
    Complex::new(T::zero(), T::zero())
}

/// `1 / count`.
fn reciprocal<T: FourierPart>(count: usize) -> T {
    T::one() / T::from_usize(count).expect("every count has a nearest float")
}

/// How many elements whole lines of this length make about one piece.
fn lines_piece(length: usize) -> usize {
    PIECE.div_ceil(length.max(1)) * length
}

/// Transforms a row-major array of these trailing extents, repeated any number of times, along all of them.
pub fn fourier<T: FourierPart>(
    pieces: &impl Pieces,
    direction: Direction,
    extents: &[usize],
    values: &[Complex<T>],
    spectra: &mut [Complex<T>],
) {
    let (&last, outer) = extents.split_last().expect("there is an axis");
    let plan = &*T::plan(last, direction);
    let piece = lines_piece(last);
    pieces.each(spectra, piece, &|i, spectra| {
        let values = &values[i * piece..][..spectra.len()];
        if last > 1 {
            let mut scratch = vec![zero(); plan.get_immutable_scratch_len()];
            plan.process_immutable_with_scratch(values, spectra, &mut scratch);
        } else {
            spectra.copy_from_slice(values);
        }
        scale(direction, last, spectra);
    });
    leading(pieces, direction, outer, last, spectra);
}

/// Divides by the length where that is part of the transform.
fn scale<T: FourierPart>(direction: Direction, length: usize, values: &mut [Complex<T>]) {
    if direction == Direction::Inverse && length > 1 {
        let factor = reciprocal::<T>(length);
        values.iter_mut().for_each(|x| *x = Complex::new(x.re * factor, x.im * factor));
    }
}

/// Transforms along axes of these extents, behind which others with `inner` elements follow.
pub fn leading<T: FourierPart>(
    pieces: &impl Pieces,
    direction: Direction,
    extents: &[usize],
    mut inner: usize,
    values: &mut [Complex<T>],
) {
    for &extent in extents.iter().rev() {
        let block = extent * inner;
        if block <= BLOCK {
            let whole = BLOCK / block.max(1) * block;
            pieces.each(values, whole, &|_, blocks| {
                blocks.chunks_exact_mut(block).for_each(|rows| columns(&InOrder, direction, extent, inner, rows));
            });
        } else {
            values.chunks_exact_mut(block).for_each(|rows| columns(pieces, direction, extent, inner, rows));
        }
        inner = block;
    }
}

/// Transforms the columns of an array of `extent` rows of `inner` elements.
fn columns<T: FourierPart>(
    pieces: &impl Pieces,
    direction: Direction,
    extent: usize,
    inner: usize,
    rows: &mut [Complex<T>],
) {
    if extent <= 1 || inner == 0 {
        return;
    }
    let plan = &*T::plan(extent, direction);
    let mut columns = vec![zero(); extent * inner];
    let from = &*rows;
    pieces.each(&mut columns, COLUMNS * extent, &|i, columns| {
        transpose(&from[i * COLUMNS..], inner, columns, extent);
        plan.process_with_scratch(columns, &mut vec![zero(); plan.get_inplace_scratch_len()]);
        scale(direction, extent, columns);
    });
    let columns = &columns;
    pieces.each(rows, COLUMNS * inner, &|i, rows| transpose(&columns[i * COLUMNS..], extent, rows, inner));
}

/// Fills rows of `len` elements with columns of an array whose rows are `stride` apart.
fn transpose<T: Copy>(from: &[T], stride: usize, to: &mut [T], len: usize) {
    let count = to.len() / len;
    for left in (0..len).step_by(SQUARE) {
        for top in (0..count).step_by(SQUARE) {
            if left + SQUARE <= len && top + SQUARE <= count {
                let line = |i: usize| from[(left + i) * stride + top..].first_chunk().expect("a whole square");
                let lines: [&[T; SQUARE]; SQUARE] = std::array::from_fn(line);
                for row in 0..SQUARE {
                    let to = to[(top + row) * len + left..].first_chunk_mut().expect("a whole square");
                    *to = lines.map(|line| line[row]);
                }
                continue;
            }
            for row in top..count.min(top + SQUARE) {
                let to = &mut to[row * len..][left..len.min(left + SQUARE)];
                to.iter_mut().zip(left..).for_each(|(to, column)| *to = from[column * stride + row]);
            }
        }
    }
}

/// Transforms real lines to the halves of their spectra that determine the others, `length / 2 + 1` elements each.
pub fn fourier_of_real<T: FourierPart>(pieces: &impl Pieces, length: usize, values: &[T], spectra: &mut [Complex<T>]) {
    let half = length / 2 + 1;
    if length == 0 {
        return spectra.fill(zero());
    }
    let even = length.is_multiple_of(2);
    let plan = &*T::plan(if even { length / 2 } else { length }, Direction::Forward);
    let roots = &*T::roots(length);
    let (count, size) = (lines_piece(length) / length, plan.get_inplace_scratch_len());
    pieces.each(spectra, count * half, &|i, spectra| {
        let mut scratch = vec![zero(); size];
        let mut whole = vec![zero(); if even { 0 } else { length }];
        let lines = values[i * count * length..].chunks_exact(length);
        for (line, spectrum) in lines.zip(spectra.chunks_exact_mut(half)) {
            if even {
                let pairs = spectrum.iter_mut().zip(line.chunks_exact(2));
                pairs.for_each(|(z, pair)| *z = Complex::new(pair[0], pair[1]));
                plan.process_with_scratch(&mut spectrum[..length / 2], &mut scratch);
                take_apart(spectrum, roots);
            } else {
                whole.iter_mut().zip(line).for_each(|(z, &x)| *z = Complex::new(x, T::zero()));
                plan.process_with_scratch(&mut whole, &mut scratch);
                spectrum.copy_from_slice(&whole[..half]);
            }
        }
    });
}

/// Turns the spectrum Z of `x[2 j] + i x[2 j + 1]`, which has one element less, into the half spectrum X of x.
///
/// With `m = n / 2 - k`, the spectra of even and odd elements are `E[k] = (Z[k] + conj Z[m]) / 2` and `O[k] = (Z[k] - conj Z[m]) / 2i`;
/// `X[k] = E[k] + w^k O[k]` and `X[m] = conj(E[k] - w^k O[k])`, where w is the first root of unity.
fn take_apart<T: FourierPart>(z: &mut [Complex<T>], roots: &[Complex<T>]) {
    let last = z.len() - 1;
    let first = z[0];
    z[0] = Complex::new(first.re + first.im, T::zero());
    z[last] = Complex::new(first.re - first.im, T::zero());
    let half = reciprocal::<T>(2);
    let (low, high) = z.split_at_mut(last / 2 + 1);
    let high_len = high.len();
    for (k, x) in low.iter_mut().enumerate().skip(1) {
        // Where k is its own mirror image it is in the lower part only.
        let mirror = high_len.checked_sub(k + 1);
        let (a, b) = (*x, mirror.map_or(*x, |m| high[m]));
        let even = Complex::new((a.re + b.re) * half, (a.im - b.im) * half);
        let odd = roots[k] * Complex::new((a.im + b.im) * half, (b.re - a.re) * half);
        *x = even + odd;
        if let Some(m) = mirror {
            high[m] = (even - odd).conj();
        }
    }
}

/// The inverse of [`fourier_of_real`]; the imaginary parts of elements that are their own mirror images do not count.
pub fn real_of_fourier<T: FourierPart>(pieces: &impl Pieces, length: usize, spectra: &[Complex<T>], values: &mut [T]) {
    let half = length / 2 + 1;
    let even = length.is_multiple_of(2);
    if length == 0 {
        return;
    }
    let plan = &*T::plan(if even { length / 2 } else { length }, Direction::Inverse);
    let roots = &*T::roots(length);
    let factor = reciprocal::<T>(length);
    let (count, size) = (lines_piece(length) / length, plan.get_inplace_scratch_len());
    pieces.each(values, count * length, &|i, values| {
        let mut scratch = vec![zero(); size];
        let mut z = vec![zero(); if even { half } else { length }];
        let spectra = spectra[i * count * half..].chunks_exact(half);
        for (spectrum, line) in spectra.zip(values.chunks_exact_mut(length)) {
            z[..half].copy_from_slice(spectrum);
            z[0].im = T::zero();
            if even {
                z[half - 1].im = T::zero();
                put_together(&mut z, roots);
                plan.process_with_scratch(&mut z[..length / 2], &mut scratch);
                for (pair, z) in line.chunks_exact_mut(2).zip(&z) {
                    (pair[0], pair[1]) = (z.re * factor, z.im * factor);
                }
            } else {
                (half..length).for_each(|k| z[k] = spectrum[length - k].conj());
                plan.process_with_scratch(&mut z, &mut scratch);
                line.iter_mut().zip(&z).for_each(|(x, z)| *x = z.re * factor);
            }
        }
    });
}

/// The inverse of [`take_apart`], twice as large: `Z[k] = 2 E[k] + 2 i O[k]` and `Z[m] = conj(2 E[k] - 2 i O[k])`.
fn put_together<T: FourierPart>(x: &mut [Complex<T>], roots: &[Complex<T>]) {
    let last = x.len() - 1;
    let (first, middle) = (x[0].re, x[last].re);
    x[0] = Complex::new(first + middle, first - middle);
    let (low, high) = x.split_at_mut(last / 2 + 1);
    let high_len = high.len();
    for (k, z) in low.iter_mut().enumerate().skip(1) {
        let mirror = high_len.checked_sub(k + 1);
        let (a, b) = (*z, mirror.map_or(*z, |m| high[m]));
        let even = Complex::new(a.re + b.re, a.im - b.im);
        let odd = roots[k].conj() * Complex::new(a.re - b.re, a.im + b.im);
        // Times i.
        let odd = Complex::new(-odd.im, odd.re);
        *z = even + odd;
        if let Some(m) = mirror {
            high[m] = (even - odd).conj();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in double precision.
    fn plain(direction: Direction, line: &[Complex<f64>]) -> Vec<Complex<f64>> {
        let n = line.len();
        let sign = if direction == Direction::Forward { -1.0 } else { 1.0 };
        let factor = if direction == Direction::Forward { 1.0 } else { 1.0 / n as f64 };
        let root = |k: usize| Complex::from_polar(factor, sign * std::f64::consts::TAU * (k % n) as f64 / n as f64);
        (0..n).map(|k| line.iter().enumerate().map(|(j, x)| x * root(j * k)).sum()).collect()
    }

    fn numbers(count: usize) -> Vec<f64> {
        (0..count).map(|i| ((i * i * 7919 + i * 31) % 1009) as f64 / 504.5 - 1.0).collect()
    }

    /// The greatest error beside the greatest magnitude.
    fn error<'a>(found: impl Iterator<Item = Complex<f64>>, expected: impl Iterator<Item = &'a Complex<f64>>) -> f64 {
        let (mut error, mut size) = (0.0f64, 0.0f64);
        for (x, y) in found.zip(expected) {
            (error, size) = (error.max((x - y).norm()), size.max(y.norm()));
        }
        if size == 0.0 { error } else { error / size }
    }

    const LENGTHS: [usize; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 30, 37, 64, 100, 243, 1024];

    #[test]
    fn lines_of_real_numbers_and_back() {
        for n in LENGTHS {
            let lines = if n < 100 { 700 } else { 33 };
            let x = numbers(n * lines);
            let single: Vec<f32> = x.iter().map(|&x| x as f32).collect();
            let zero = Complex::new(0.0, 0.0);
            let (mut found, mut found_single) =
                (vec![zero; (n / 2 + 1) * lines], vec![Complex::new(0.0f32, 0.0); (n / 2 + 1) * lines]);
            fourier_of_real(&InOrder, n, &x, &mut found);
            fourier_of_real(&InOrder, n, &single, &mut found_single);
            let expected: Vec<Complex<f64>> = x
                .chunks_exact(n)
                .flat_map(|line| {
                    let line: Vec<Complex<f64>> = line.iter().map(|&x| Complex::new(x, 0.0)).collect();
                    plain(Direction::Forward, &line).into_iter().take(n / 2 + 1)
                })
                .collect();
            assert!(error(found.iter().copied(), expected.iter()) < 1e-14 * n as f64, "{n}");
            let wide = found_single.iter().map(|z| Complex::new(z.re as f64, z.im as f64));
            assert!(error(wide, expected.iter()) < 5e-7, "{n}");
            // What mirrors itself has no imaginary part; one that is given does not count.
            for spectrum in found.chunks_exact_mut(n / 2 + 1) {
                assert_eq!(spectrum[0].im, 0.0);
                spectrum[0].im = 3.0;
                if n.is_multiple_of(2) {
                    assert_eq!(spectrum[n / 2].im, 0.0);
                    spectrum[n / 2].im = -5.0;
                }
            }
            let mut back = vec![0.0; n * lines];
            real_of_fourier(&InOrder, n, &found, &mut back);
            assert!(back.iter().zip(&x).all(|(x, y)| (x - y).abs() < 1e-13), "{n}");
        }
    }

    #[test]
    fn several_axes() {
        let extents = [3, 20, 18];
        let repeats = 2;
        let size: usize = extents.iter().product();
        let parts = numbers(2 * size * repeats);
        let x: Vec<Complex<f64>> = parts.chunks_exact(2).map(|z| Complex::new(z[0], z[1])).collect();
        for direction in [Direction::Forward, Direction::Inverse] {
            let mut found = x.clone();
            fourier(&InOrder, direction, &extents, &x, &mut found);
            let mut expected = x.clone();
            let mut inner = 1;
            for extent in extents.into_iter().rev() {
                for block in expected.chunks_exact_mut(extent * inner) {
                    for j in 0..inner {
                        let line: Vec<Complex<f64>> = (0..extent).map(|i| block[i * inner + j]).collect();
                        plain(direction, &line).into_iter().enumerate().for_each(|(i, z)| block[i * inner + j] = z);
                    }
                }
                inner *= extent;
            }
            assert!(error(found.iter().copied(), expected.iter()) < 1e-14, "{direction:?}");
        }
    }
}
