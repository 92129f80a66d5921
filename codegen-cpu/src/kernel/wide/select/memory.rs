//! Loads and stores: consecutive, with a stride, and at computed positions.

use rjax_ir::DType;
use rjax_kernel::kir::{Index, Mask, ParamId};

use super::super::code::{Code, Place, Source};
use super::super::opcode::{self, Opcode, avx2, avx512};
use super::block::Column;
use super::spread::Spread;
use super::{Selector, Stream};
use crate::target::Wide;

/// Where the element of each lane is.
enum Position {
    /// As a place says.
    Place(Place),
    /// At a place plus `scale` bytes times the index in the lane.
    Lanes { place: Place, index: Source, scale: u8 },
    /// Spread over a few vectors in a row.
    Spread(Spread),
    /// In a column of short rows.
    Column(Column),
}

impl Selector<'_, '_> {
    pub(super) fn load(&mut self, dtype: DType, param: ParamId, index: &Index, mask: Option<Mask>) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        let masking = match mask {
            None => self.lanes_mask(),
            Some(_) if self.wide == Wide::Avx2 => return None,
            Some(mask) => {
                let condition = self.source(mask.condition)?;
                if self.lanes_mask() == Source::Tail {
                    self.two(avx512::MASK_AND, condition, Source::Tail)
                } else {
                    condition
                }
            }
        };
        let result = self.value();
        match self.position(param, index, mask.is_none(), false)? {
            Position::Place(place) => {
                let op = match dtype {
                    DType::F16 => opcode::FROM_F16,
                    DType::BF16 => opcode::WIDEN_16,
                    DType::Bool => opcode::widen_8(self.double),
                    DType::I8 | DType::U8 => avx512::widen(1, dtype == DType::I8),
                    DType::I16 | DType::U16 => avx512::widen(2, dtype == DType::I16),
                    DType::F32 | DType::F64 | DType::I32 | DType::U32 | DType::I64 | DType::U64 => {
                        opcode::load(self.is_double(dtype))
                    }
                    DType::C64 | DType::C128 | DType::Narrow(_) => return None,
                };
                self.codes.push(Code::Load { op, result, place, mask: masking });
            }
            Position::Lanes { place, index, scale } => {
                let op = avx512::gather(self.is_double(dtype), self.double);
                self.codes.push(Code::Gather { op, result, place, index, scale, mask: masking });
            }
            Position::Spread(spread) => return Some(self.load_spread(spread)),
            Position::Column(column) => return Some(self.load_column(column)),
        }
        let mut loaded = Source::Value(result);
        if dtype == DType::BF16 {
            loaded = self.shifted(opcode::shift_left(false), loaded, 16);
        } else if dtype == DType::Bool {
            loaded = match self.wide {
                Wide::Avx2 => {
                    let zero = self.bits(self.double, 0);
                    self.two(opcode::integer_sub(self.double), zero, loaded)
                }
                Wide::Avx512 => self.two(avx512::test_bits(self.double), loaded, loaded),
            };
        }
        match mask {
            None => Some(loaded),
            Some(mask) => {
                let (condition, otherwise) = (self.source(mask.condition)?, self.source(mask.otherwise)?);
                Some(self.select(dtype, condition, loaded, otherwise))
            }
        }
    }

    pub(super) fn store(&mut self, dtype: DType, param: ParamId, index: &Index, value: Source) -> Option<()> {
        let position = self.position(param, index, true, true)?;
        let streams = &self.streams;
        self.spread.retain(|&(stream, _, _), _| streams[stream].param != param);
        let mask = self.lanes_mask();
        let (op, value, immediate) = self.narrowed(dtype, value)?;
        match position {
            Position::Place(place) => self.codes.push(Code::Store { op, value, place, immediate, mask }),
            Position::Lanes { place, index, scale } => {
                let op = avx512::scatter(self.is_double(dtype), self.double);
                self.codes.push(Code::Scatter { op, value, place, index, scale, mask });
            }
            Position::Spread(spread) => self.store_spread(value, spread),
            Position::Column(column) => self.store_column(value, column),
        }
        Some(())
    }

    /// The instruction that stores consecutive elements, and what it stores.
    fn narrowed(&mut self, dtype: DType, value: Source) -> Option<(Opcode, Source, Option<u8>)> {
        if !self.holds(dtype) {
            return None;
        }
        Some(match dtype {
            DType::F16 => (opcode::TO_F16, value, Some(0)),
            DType::BF16 => {
                let halves = self.shifted(opcode::shift_right(false), value, 16);
                match self.wide {
                    Wide::Avx2 => {
                        let high = self.shifted(avx2::HIGH_HALF, halves, 1);
                        (avx2::LOW_16_BYTES, self.two(avx2::PACK_WORDS, halves, high), None)
                    }
                    Wide::Avx512 => (avx512::NARROW_TO_16, halves, None),
                }
            }
            DType::Bool => match self.wide {
                Wide::Avx2 => {
                    let high = self.shifted(avx2::HIGH_HALF, value, 1);
                    let words = if self.double {
                        // The low halves of the four masks, then twice.
                        let masks = self.put(avx2::SHUFFLE, [value, high, Source::None], Some(0x88));
                        self.two(avx2::PACK_MASKS_32, masks, masks)
                    } else {
                        self.two(avx2::PACK_MASKS_32, value, high)
                    };
                    let bytes = self.two(avx2::PACK_MASKS_16, words, words);
                    let ones = self.constant([0x0101_0101_0101_0101; 8]);
                    let bools = self.two(opcode::and(false).whole(), bytes, ones);
                    (if self.double { avx2::LOW_4_BYTES } else { avx2::LOW_8_BYTES }, bools, None)
                }
                Wide::Avx512 => {
                    let ones = self.constant([0x0101_0101_0101_0101; 8]);
                    let bools = self.put(avx512::LOAD_BYTES, [ones, Source::None, value], None);
                    let all = !self.double || self.tail;
                    (if all { avx512::STORE_BYTES } else { avx512::STORE_8_BYTES }, bools, None)
                }
            },
            DType::I8 | DType::U8 => (avx512::NARROW_TO_8, value, None),
            DType::I16 | DType::U16 => (avx512::NARROW_TO_16, value, None),
            DType::F32 | DType::F64 | DType::I32 | DType::U32 | DType::I64 | DType::U64 => {
                (opcode::store(self.is_double(dtype)), value, None)
            }
            DType::C64 | DType::C128 | DType::Narrow(_) => return None,
        })
    }

    /// Where the elements at an index are; `all` says whether those of all lanes are wanted, `store` what for.
    fn position(&mut self, param: ParamId, index: &Index, all: bool, store: bool) -> Option<Position> {
        let size = self.kernel.params[param.index()].dtype.size();
        let stride = i32::try_from(index.coefficient(self.l.variable)).ok()?;
        let far = !self.is_fixed(index);
        // Elements of fewer than 4 bytes have no instructions for one lane here.
        if (far || stride != 1) && size < 4 {
            return None;
        }
        if far {
            if self.wide == Wide::Avx2 || !self.double {
                return None;
            }
            let (varying, fixed): (Vec<_>, Vec<_>) =
                index.terms.iter().partition(|&&(r, _)| r == self.l.variable || self.varying.contains(&r));
            // What does not vary is the stream's, the rest is in the lanes.
            let lanes = self.ramp(&Index { constant: 0, terms: varying }, true)?;
            let place = self.place(param, &Index { constant: index.constant, terms: fixed }, 0)?;
            return Some(Position::Lanes { place, index: lanes, scale: size as u8 });
        }
        if stride == 0 {
            return None;
        }
        if self.wide == Wide::Avx512 && all && !self.tail {
            let spread = self.spread(param, index, stride);
            if let Some(spread) = spread {
                return Some(Position::Spread(spread));
            }
            let column = self.column(param, index, stride, store);
            if let Some(column) = column {
                return Some(Position::Column(column));
            }
        }
        let place = self.place(param, index, stride)?;
        if stride == 1 || self.wide == Wide::Avx2 {
            return Some(Position::Place(place));
        }
        let step = stride as i64 * size as i64;
        let copy = std::mem::replace(&mut self.copy, 0);
        let index = self.lane_steps(step, self.double);
        self.copy = copy;
        Some(Position::Lanes { place, index, scale: 1 })
    }

    /// Elements that move by a stride with the variable.
    pub(super) fn place(&mut self, param: ParamId, index: &Index, stride: i32) -> Option<Place> {
        let size = self.kernel.params[param.index()].dtype.size();
        let found = self.streams.iter().position(|s| s.param == param && s.index.terms == index.terms);
        let stream = found.unwrap_or_else(|| {
            self.streams.push(Stream { param, index: index.clone() });
            self.streams.len() - 1
        });
        let lanes = self.lanes();
        let steps = (self.copy * lanes) as i64 * stride as i64;
        let elements = index.constant - self.streams[stream].index.constant + steps;
        let displacement = i32::try_from(elements.checked_mul(size as i64)?).ok()?;
        let reach = stride.checked_mul((lanes * size) as i32)?;
        displacement.checked_add(reach)?;
        Some(Place { stream, displacement, size, stride, packed: stride == 1 })
    }
}
