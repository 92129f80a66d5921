//! Elements that stand a few apart, as whole vectors and permutations of them: a gather takes as long as ten of these.

use rjax_kernel::kir::{Index, ParamId};

use super::super::code::{Code, Place, Source};
use super::super::opcode::{self, avx512};
use super::Selector;

/// The greatest distance.
const APART: i32 = 8;

/// The elements `first`, `first + stride`, … of the vectors from a place on; with a stride of -1 those of the one vector from the last to the first.
pub(super) struct Spread {
    place: Place,
    first: usize,
    /// Whether all elements of the vectors are in the array. If not, there are none beyond the last that is meant.
    whole: bool,
}

impl Selector<'_, '_> {
    /// Where the elements at an index are, if they are spread so.
    pub(super) fn spread(&mut self, param: ParamId, index: &Index, stride: i32) -> Option<Spread> {
        let (dtype, len) = (self.kernel.params[param.index()].dtype, self.kernel.params[param.index()].len);
        let full = dtype.size() == 4 || dtype.size() == 8 && self.double;
        if !full || !(stride == -1 || (2..=APART).contains(&stride)) {
            return None;
        }
        if stride == -1 {
            let last = index.offset(1 - self.lanes() as i64);
            let place = Place { packed: true, ..self.place(param, &last, stride)? };
            return Some(Spread { place, first: 0, whole: true });
        }
        // Several such elements of one group are taken from the same vectors.
        let apart = stride as i64;
        let whole = len.is_multiple_of(stride as usize) && index.terms.iter().all(|&(_, by)| by % apart == 0);
        let first = if whole { index.constant.rem_euclid(apart) } else { 0 };
        let place = self.place(param, &index.offset(-first), stride)?;
        Some(Spread { place: Place { packed: true, ..place }, first: first as usize, whole })
    }

    pub(super) fn load_spread(&mut self, spread: Spread) -> Source {
        let (lanes, double) = (self.lanes(), spread.place.size == 8);
        if spread.place.stride < 0 {
            let vector = self.vector_of(&spread, 0);
            let order = self.lane_numbers(double, |lane| (lanes - 1 - lane) as i64);
            return self.two(avx512::order(double), order, vector);
        }
        let apart = spread.place.stride as usize;
        let mut taken = self.vector_of(&spread, 0);
        for number in 1..apart {
            let vector = self.vector_of(&spread, number);
            let order = self.lane_numbers(double, |lane| {
                let element = spread.first + apart * lane;
                // From this vector, or from what was taken before, which at first is a vector too.
                (if element / lanes == number {
                    lanes + element % lanes
                } else if number == 1 {
                    element % lanes
                } else {
                    lane
                }) as i64
            });
            taken = self.put(avx512::order_two(double), [order, taken, vector], None);
        }
        taken
    }

    pub(super) fn store_spread(&mut self, value: Source, spread: Spread) {
        let (lanes, double) = (self.lanes(), spread.place.size == 8);
        let op = opcode::store(double);
        if spread.place.stride < 0 {
            let order = self.lane_numbers(double, |lane| (lanes - 1 - lane) as i64);
            let value = self.two(avx512::order(double), order, value);
            return self.codes.push(Code::Store {
                op,
                value,
                place: spread.place,
                immediate: None,
                mask: Source::None,
            });
        }
        let apart = spread.place.stride as usize;
        for number in 0..apart {
            let element = |lane: usize| (number * lanes + lane).checked_sub(spread.first);
            let order = self.lane_numbers(double, |lane| element(lane).map_or(0, |element| (element / apart) as i64));
            let moved = self.two(avx512::order(double), order, value);
            let wanted = |lane: &usize| element(*lane).is_some_and(|element| element.is_multiple_of(apart));
            let mask = self.mask_of((0..lanes).filter(wanted));
            let place = self.place_of(&spread, number);
            self.codes.push(Code::Store { op, value: moved, place, immediate: None, mask });
        }
    }

    /// One of the vectors, loaded once.
    fn vector_of(&mut self, spread: &Spread, number: usize) -> Source {
        let place = self.place_of(spread, number);
        let key = (place.stream, place.displacement, place.stride);
        if spread.whole
            && let Some(&loaded) = self.spread.get(&key)
        {
            return loaded;
        }
        let (lanes, apart) = (self.lanes(), spread.place.stride.unsigned_abs() as usize);
        let last = !spread.whole && number + 1 == apart;
        let mask = if last { self.mask_of(0..lanes - apart + 1) } else { Source::None };
        let result = self.value();
        self.codes.push(Code::Load { op: opcode::load(place.size == 8), result, place, mask });
        if spread.whole {
            self.spread.insert(key, Source::Value(result));
        }
        Source::Value(result)
    }

    fn place_of(&self, spread: &Spread, number: usize) -> Place {
        let bytes = number * self.lanes() * spread.place.size;
        Place { displacement: spread.place.displacement + bytes as i32, ..spread.place }
    }

    /// A mask with these lanes.
    pub(super) fn mask_of(&mut self, lanes: impl Iterator<Item = usize>) -> Source {
        let bits = lanes.fold(0u64, |bits, lane| bits | 1 << lane);
        self.constant([bits; 8])
    }
}
