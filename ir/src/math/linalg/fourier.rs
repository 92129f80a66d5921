//! Discrete Fourier transforms over any number of trailing axes.

use std::collections::HashMap;
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

/// The parts of complex numbers that are transformed, with the transforms planned so far.
pub trait FourierPart: FftNum {
    /// The transform of a length; plans are kept.
    fn plan(length: usize, direction: Direction) -> Arc<dyn Fft<Self>>;
}

type Plans<T> = HashMap<(usize, Direction), Arc<dyn Fft<T>>>;

/// Plans kept at most; beyond that they are made anew.
const PLANS: usize = 64;

macro_rules! fourier_part {
    ($($T:ty)*) => {$(
        impl FourierPart for $T {
            fn plan(length: usize, direction: Direction) -> Arc<dyn Fft<$T>> {
                static KNOWN: LazyLock<Mutex<Plans<$T>>> = LazyLock::new(Mutex::default);
                let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if let Some(plan) = known.get(&(length, direction)) {
                    return plan.clone();
                }
                let mut planner = FftPlanner::new();
                let plan = match direction {
                    Direction::Forward => planner.plan_fft_forward(length),
                    Direction::Inverse => planner.plan_fft_inverse(length),
                };
                if known.len() >= PLANS {
                    known.clear();
                }
                known.insert((length, direction), plan.clone());
                plan
            }
        }
    )*};
}

fourier_part!(f32 f64);

/// Transforms a row-major array of these trailing extents, repeated any number of times, along all of them.
pub fn fourier<T: FourierPart>(direction: Direction, extents: &[usize], values: &mut [Complex<T>]) {
    let mut inner = 1;
    for &extent in extents.iter().rev() {
        along_axis(direction, extent, inner, values);
        inner *= extent;
    }
    if direction == Direction::Inverse && inner > 1 {
        let factor = T::one() / T::from_usize(inner).expect("every count has a nearest float");
        values.iter_mut().for_each(|x| *x = Complex::new(x.re * factor, x.im * factor));
    }
}

/// Transforms lines whose elements are `inner` apart.
fn along_axis<T: FourierPart>(direction: Direction, extent: usize, inner: usize, values: &mut [Complex<T>]) {
    if extent <= 1 || values.is_empty() {
        return;
    }
    let plan = T::plan(extent, direction);
    let mut scratch = vec![Complex::new(T::zero(), T::zero()); plan.get_inplace_scratch_len()];
    if inner == 1 {
        plan.process_with_scratch(values, &mut scratch);
        return;
    }
    let mut lines = vec![Complex::new(T::zero(), T::zero()); extent * inner];
    for block in values.chunks_exact_mut(extent * inner) {
        for (i, row) in block.chunks_exact(inner).enumerate() {
            row.iter().enumerate().for_each(|(j, &x)| lines[j * extent + i] = x);
        }
        plan.process_with_scratch(&mut lines, &mut scratch);
        for (i, row) in block.chunks_exact_mut(inner).enumerate() {
            row.iter_mut().enumerate().for_each(|(j, x)| *x = lines[j * extent + i]);
        }
    }
}
