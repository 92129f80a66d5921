//! Pseudo-random numbers and values for tests: the same seed gives the same values on every machine.

use rjax_ir::{Aval, Complex128, DType, Element, Scalar, Tensor, with_element};

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose numbers are determined by the seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// A number in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.bits() >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Puts the items in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// How the values of an input are chosen. Complex numbers have both parts chosen alike; integers are rounded down.
#[derive(Clone, Debug)]
pub enum Values {
    /// In `[low, high)`.
    Uniform(f64, f64),
    /// Of either sign, with magnitude in `[low, high)`.
    Signed(f64, f64),
    /// Not near a multiple of a half: where rounding has no jump.
    OffGrid,
    /// All different and far from each other, in random order.
    Spread,
    /// NaN, infinities, zeros of either sign, subnormal and extreme numbers; extreme integers; then numbers in `[-3, 3)`.
    Special,
    /// These, in order.
    Exactly(Vec<f64>),
}

impl Values {
    /// A tensor of this type.
    pub fn tensor(&self, aval: &Aval, random: &mut Random) -> Tensor {
        let scalars = self.scalars(aval.dtype, aval.size(), random);
        tensor(aval, &scalars)
    }

    fn scalars(&self, dtype: DType, count: usize, random: &mut Random) -> Vec<Scalar> {
        if let Values::Special = self {
            let mut scalars = special(dtype);
            random.shuffle(&mut scalars);
            let more = Values::Uniform(-3.0, 3.0);
            scalars.truncate(count);
            let missing = count - scalars.len();
            scalars.extend(more.scalars(dtype, missing, random));
            return scalars;
        }
        let real = self.reals(count, random);
        let imaginary = if dtype.is_complex() { self.reals(count, random) } else { vec![0.0; count] };
        real.into_iter().zip(imaginary).map(|(re, im)| scalar(dtype, re, im)).collect()
    }

    fn reals(&self, count: usize, random: &mut Random) -> Vec<f64> {
        let mut draw = |one: &mut dyn FnMut(&mut Random) -> f64| (0..count).map(|_| one(random)).collect::<Vec<_>>();
        match self {
            Values::Uniform(low, high) => draw(&mut |r| r.uniform(*low, *high)),
            Values::Signed(low, high) => {
                draw(&mut |r| if r.below(2) == 0 { r.uniform(*low, *high) } else { -r.uniform(*low, *high) })
            }
            Values::OffGrid => draw(&mut |r| r.below(7) as f64 - 3.0 + 0.5 * r.below(2) as f64 + r.uniform(0.15, 0.35)),
            Values::Spread => {
                let mut values: Vec<f64> = (0..count).map(|i| 0.75 * (i as f64 - count as f64 / 2.0) + 0.2).collect();
                random.shuffle(&mut values);
                values
            }
            Values::Special => unreachable!("special values depend on the dtype"),
            Values::Exactly(values) => values.iter().copied().cycle().take(count).collect(),
        }
    }
}

fn scalar(dtype: DType, re: f64, im: f64) -> Scalar {
    if dtype.is_integer() {
        return Scalar::from_i64(dtype, re.floor() as i64);
    }
    if dtype == DType::Bool {
        return Scalar::new(re.floor() as i64 % 2 != 0);
    }
    if dtype.narrow().is_some() {
        return Scalar::from_f64(dtype, re);
    }
    with_element!(dtype, T => Scalar::new(T::from_c128(Complex128::new(re, im))))
}

/// A tensor from its elements.
pub fn tensor(aval: &Aval, scalars: &[Scalar]) -> Tensor {
    Tensor::from_scalars(aval, scalars)
}

/// The values of a dtype at which implementations go wrong.
pub fn special(dtype: DType) -> Vec<Scalar> {
    if dtype == DType::Bool {
        return vec![Scalar::zero(dtype), Scalar::one(dtype)];
    }
    if dtype.is_integer() {
        let ends = [Scalar::least(dtype), Scalar::greatest(dtype)];
        return ends.into_iter().chain([0, 1, -1, 2, 7].map(|value| Scalar::from_i64(dtype, value))).collect();
    }
    if dtype.narrow().is_some() {
        let infinity = f64::INFINITY;
        let ends = [Scalar::least(dtype), Scalar::greatest(dtype)];
        let reals = [f64::NAN, infinity, -infinity, 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 1e-5, -1e-9, 0.0141, 130.0];
        return ends.into_iter().chain(reals.map(|value| scalar(dtype, value, 0.0))).collect();
    }
    let smallest = match dtype.real() {
        DType::F16 => 2f64.powi(-24),
        DType::BF16 => 2f64.powi(-133),
        DType::F32 => 2f64.powi(-149),
        DType::F64 => 2f64.powi(-1074),
        DType::Bool | DType::I8 | DType::I16 | DType::I32 | DType::I64 => unreachable!("inexact"),
        DType::U8 | DType::U16 | DType::U32 | DType::U64 | DType::C64 | DType::C128 | DType::Narrow(_) => {
            unreachable!("real, inexact, computed with")
        }
    };
    let greatest = match dtype.real() {
        DType::F16 => 65504.0,
        DType::BF16 => 3.3895313892515355e38,
        DType::F32 => f32::MAX as f64,
        DType::F64 => f64::MAX,
        DType::Bool | DType::I8 | DType::I16 | DType::I32 | DType::I64 => unreachable!("inexact"),
        DType::U8 | DType::U16 | DType::U32 | DType::U64 | DType::C64 | DType::C128 | DType::Narrow(_) => {
            unreachable!("real, inexact, computed with")
        }
    };
    let infinity = f64::INFINITY;
    let reals =
        [f64::NAN, infinity, -infinity, 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, smallest, -smallest, greatest, -greatest];
    if !dtype.is_complex() {
        return reals.map(|value| scalar(dtype, value, 0.0)).to_vec();
    }
    let parts = [f64::NAN, infinity, -infinity, 0.0, -0.0, 1.5, -2.5];
    parts.iter().flat_map(|&re| parts.iter().map(move |&im| scalar(dtype, re, im))).collect()
}
