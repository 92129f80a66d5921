//! Elements in memory: narrower or wider than the registers that hold them.

use cranelift_codegen::ir::types::{I8, I8X16, I16, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};
use rjax_ir::DType;

use super::{Lanes, Ops};

impl Ops<'_, '_> {
    /// Loads an element, or as many consecutive ones as there are lanes.
    pub(crate) fn load(&mut self, flags: MemFlagsData, dtype: DType, address: Value, offset: i32) -> Value {
        let register = self.register(dtype);
        match (dtype, self.lanes) {
            (DType::F16 | DType::BF16, Lanes::One) => {
                let half = self.builder.ins().uload16(I32, flags, address, offset);
                self.from_half_bits(dtype, half)
            }
            (DType::F16 | DType::BF16, _) => {
                let halves = self.builder.ins().uload16x4(flags, address, offset);
                self.from_half_bits(dtype, halves)
            }
            (DType::Bool, Lanes::Four | Lanes::Two) => {
                let bytes = if self.lanes == Lanes::Four {
                    self.builder.ins().load(I32, flags, address, offset)
                } else {
                    self.builder.ins().uload16(I32, flags, address, offset)
                };
                let vector = self.builder.ins().scalar_to_vector(I32X4, bytes);
                let mut wide = self.cast(I8X16, vector);
                while self.builder.func.dfg.value_type(wide) != register {
                    wide = self.builder.ins().uwiden_low(wide);
                }
                self.builder.ins().ineg(wide)
            }
            _ => self.builder.ins().load(register, flags, address, offset),
        }
    }

    /// Stores an element, or as many consecutive ones as there are lanes.
    pub(crate) fn store(&mut self, flags: MemFlagsData, dtype: DType, value: Value, address: Value, offset: i32) {
        match (dtype, self.lanes) {
            (DType::F16 | DType::BF16, Lanes::One) => {
                let half = self.half_bits(dtype, value);
                self.builder.ins().istore16(flags, half, address, offset);
            }
            (DType::F16 | DType::BF16, _) => {
                let halves = self.half_bits(dtype, value);
                // All four are below 2^16, so that the saturation of the narrowing does nothing.
                let narrow = self.builder.ins().unarrow(halves, halves);
                let narrow = self.cast(I64X2, narrow);
                let four = self.builder.ins().extractlane(narrow, 0);
                self.builder.ins().store(flags, four, address, offset);
            }
            (DType::Bool, Lanes::Four) => {
                // Masks are 0 or -1, which survive signed narrowing.
                let words = self.builder.ins().snarrow(value, value);
                let bytes = self.builder.ins().snarrow(words, words);
                let packed = self.cast(I32X4, bytes);
                let packed = self.builder.ins().extractlane(packed, 0);
                let bools = self.builder.ins().band_imm_s(packed, 0x0101_0101);
                self.builder.ins().store(flags, bools, address, offset);
            }
            (DType::Bool, Lanes::Two) => {
                for lane in 0..2u8 {
                    let mask = self.builder.ins().extractlane(value, lane);
                    let byte = self.builder.ins().ireduce(I8, mask);
                    let bool = self.builder.ins().band_imm_s(byte, 1);
                    self.builder.ins().store(flags, bool, address, offset + lane as i32);
                }
            }
            _ => {
                self.builder.ins().store(flags, value, address, offset);
            }
        }
    }

    /// The element of one lane, as a value with [`Lanes::One`].
    pub(crate) fn lane(&mut self, dtype: DType, vector: Value, lane: usize) -> Value {
        let element = self.builder.ins().extractlane(vector, lane as u8);
        if dtype != DType::Bool {
            return element;
        }
        let byte = self.builder.ins().ireduce(I8, element);
        self.builder.ins().band_imm_s(byte, 1)
    }

    /// Copies a few bytes that do not overlap, in the widest pieces.
    pub(crate) fn copy_bytes(&mut self, from: Value, to: Value, bytes: usize) {
        let mut done = 0;
        while done < bytes {
            let piece = [I64, I32, I16, I8].into_iter().find(|piece| piece.bytes() as usize <= bytes - done);
            let piece = piece.expect("at least one byte is left");
            let value = self.builder.ins().load(piece, MemFlagsData::trusted(), from, done as i32);
            self.builder.ins().store(MemFlagsData::trusted(), value, to, done as i32);
            done += piece.bytes() as usize;
        }
    }
}
