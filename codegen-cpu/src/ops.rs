//! Scalar operations as Cranelift instructions, on one element or on the lanes of a 128-bit vector.
//!
//! Registers hold `f16` and `bf16` as `f32`, rounded after every operation, and `bool` as 0 or 1 in a byte, or, in
//! vectors, as lanes of zeros or ones. Whatever has no short exact sequence is a call of the interpreter's
//! function.

mod convert;
mod float;
mod integer;
mod memory;
mod narrow;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, F64, F64X2, I8, I16, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{
    ConstantData, Endianness, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Type, Value,
};
use cranelift_frontend::FunctionBuilder;
use rjax_ir::{Binary, Compare, DType, Scalar, Unary};

use crate::callees::Callees;
use crate::routines::Routine;

/// How many elements a value has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lanes {
    /// One: any dtype.
    One,
    /// Four of 32 bits: `f32`, `i32`, `u32`, `bool`, and `f16` and `bf16` held as `f32`.
    Four,
    /// Two of 64 bits: `f64`, `i64`, `u64`, `bool`.
    Two,
}

impl Lanes {
    pub(crate) const fn count(self) -> usize {
        match self {
            Lanes::One => 1,
            Lanes::Four => 4,
            Lanes::Two => 2,
        }
    }

    /// Whether values of this dtype can have these lanes.
    pub(crate) const fn holds(self, dtype: DType) -> bool {
        match (self, dtype) {
            (Lanes::One, _) | (Lanes::Four | Lanes::Two, DType::Bool) => true,
            (Lanes::Four, DType::F32 | DType::F16 | DType::BF16 | DType::I32 | DType::U32) => true,
            (Lanes::Two, DType::F64 | DType::I64 | DType::U64) => true,
            (
                Lanes::Four,
                DType::I8
                | DType::I16
                | DType::I64
                | DType::U8
                | DType::U16
                | DType::U64
                | DType::F64
                | DType::C64
                | DType::C128
                | DType::Narrow(_),
            ) => false,
            (
                Lanes::Two,
                DType::I8
                | DType::I16
                | DType::I32
                | DType::U8
                | DType::U16
                | DType::U32
                | DType::F16
                | DType::BF16
                | DType::F32
                | DType::C64
                | DType::C128
                | DType::Narrow(_),
            ) => false,
        }
    }

    /// The Cranelift type of a register.
    pub(crate) fn register(self, dtype: DType) -> Type {
        debug_assert!(self.holds(dtype), "no {self:?} lanes of {dtype}");
        match (self, dtype) {
            (Lanes::Four, DType::F32 | DType::F16 | DType::BF16) => F32X4,
            (Lanes::Four, _) => I32X4,
            (Lanes::Two, DType::F64) => F64X2,
            (Lanes::Two, _) => I64X2,
            (Lanes::One, DType::Bool | DType::I8 | DType::U8) => I8,
            (Lanes::One, DType::I16 | DType::U16) => I16,
            (Lanes::One, DType::I32 | DType::U32) => I32,
            (Lanes::One, DType::I64 | DType::U64) => I64,
            (Lanes::One, DType::F16 | DType::BF16 | DType::F32) => F32,
            (Lanes::One, DType::F64) => F64,
            (Lanes::One, DType::C64 | DType::C128 | DType::Narrow(_)) => unreachable!("KIR has no {dtype} registers"),
        }
    }
}

/// Whether registers of this dtype are floating point.
pub(crate) const fn is_float(dtype: DType) -> bool {
    dtype.is_float()
}

/// A bitcast between vectors needs an order of lanes.
const LITTLE: MemFlagsData = MemFlagsData::new().with_endianness(Endianness::Little);

/// Emits operations into a function.
pub(crate) struct Ops<'a, 'f> {
    pub(crate) builder: &'a mut FunctionBuilder<'f>,
    pub(crate) callees: &'a mut Callees,
    /// The lanes of the values that operations take and give.
    pub(crate) lanes: Lanes,
}

impl Ops<'_, '_> {
    pub(crate) fn register(&self, dtype: DType) -> Type {
        self.lanes.register(dtype)
    }

    /// A constant of 64 bits.
    pub(crate) fn word(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(I64, value)
    }

    /// A constant with these bits in each lane, of an integer or floating register type.
    fn bits(&mut self, register: Type, bits: u64) -> Value {
        let lane = register.lane_type();
        if register.is_vector() {
            let bytes = bits.to_le_bytes();
            let mut all = [0u8; 16];
            for chunk in all.chunks_exact_mut(lane.bytes() as usize) {
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
            let constant = self.builder.func.dfg.constants.insert(ConstantData::from(&all[..]));
            return self.builder.ins().vconst(register, constant);
        }
        match lane {
            F32 => self.builder.ins().f32const(f32::from_bits(bits as u32)),
            F64 => self.builder.ins().f64const(f64::from_bits(bits)),
            _ => {
                let mask = u64::MAX >> (64 - lane.bits());
                self.builder.ins().iconst(lane, (bits & mask) as i64)
            }
        }
    }

    /// An integer constant of the width of the dtype's registers.
    fn integer(&mut self, dtype: DType, value: i64) -> Value {
        let register = self.register(dtype).as_int();
        self.bits(register, value as u64)
    }

    /// A floating constant.
    fn float(&mut self, dtype: DType, value: f64) -> Value {
        let register = self.register(dtype);
        let bits = if register.lane_type() == F64 { value.to_bits() } else { (value as f32).to_bits() as u64 };
        self.bits(register, bits)
    }

    /// A constant of a dtype.
    pub(crate) fn constant(&mut self, value: Scalar) -> Value {
        let dtype = value.dtype();
        let register = self.register(dtype);
        let bits = match dtype {
            DType::F16 => value.get::<half::f16>().to_f32().to_bits() as u64,
            DType::BF16 => value.get::<half::bf16>().to_f32().to_bits() as u64,
            DType::Bool if self.lanes != Lanes::One => (value.bits()[0] as i64).wrapping_neg() as u64,
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F32
            | DType::F64
            | DType::Narrow(_) => value.bits()[0],
            DType::C64 | DType::C128 => unreachable!("KIR has no complex registers"),
        };
        self.bits(register, bits)
    }

    /// A value of one lane repeated in every lane; a `bool` becomes a mask.
    pub(crate) fn splat(&mut self, dtype: DType, x: Value) -> Value {
        let register = self.register(dtype);
        if dtype != DType::Bool {
            return self.builder.ins().splat(register, x);
        }
        let wide = self.builder.ins().uextend(register.lane_type(), x);
        let mask = self.builder.ins().ineg(wide);
        self.builder.ins().splat(register, mask)
    }

    /// The same bits as another register type of the same width.
    fn cast(&mut self, register: Type, x: Value) -> Value {
        let from = self.builder.func.dfg.value_type(x);
        if from == register {
            return x;
        }
        if from.is_vector() {
            self.builder.ins().bitcast(register, LITTLE, x)
        } else {
            self.builder.ins().bitcast(register, MemFlagsData::new(), x)
        }
    }

    fn fcmp(&mut self, condition: FloatCC, x: Value, y: Value) -> Value {
        self.builder.ins().fcmp(condition, x, y)
    }

    fn icmp(&mut self, condition: IntCC, x: Value, y: Value) -> Value {
        self.builder.ins().icmp(condition, x, y)
    }

    /// `condition ? x : y`, lane by lane.
    pub(crate) fn select(&mut self, condition: Value, x: Value, y: Value) -> Value {
        if self.lanes == Lanes::One {
            return self.builder.ins().select(condition, x, y);
        }
        let register = self.builder.func.dfg.value_type(x);
        let mask = self.cast(register, condition);
        self.builder.ins().bitselect(mask, x, y)
    }

    /// A call that returns one value.
    fn call(&mut self, routine: Routine, arguments: &[Value]) -> Value {
        let function = self.callees.routine(self.builder, routine);
        let call = self.builder.ins().call(function, arguments);
        self.builder.inst_results(call)[0]
    }

    /// A call that returns nothing.
    pub(crate) fn call_for_effect(&mut self, routine: Routine, arguments: &[Value]) {
        let function = self.callees.routine(self.builder, routine);
        self.builder.ins().call(function, arguments);
    }

    pub(crate) fn stack_slot(&mut self, bytes: usize) -> StackSlot {
        self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes as u32, 4))
    }

    /// A function of floating operands by a call: for vectors through memory, all lanes in one call.
    fn call_float(&mut self, one: Routine, lanes: Routine, operands: &[Value]) -> Value {
        if self.lanes == Lanes::One {
            return self.call(one, operands);
        }
        let register = self.builder.func.dfg.value_type(operands[0]);
        let slot = self.callees.lane_slot(self.builder);
        let mut addresses = Vec::with_capacity(operands.len());
        for (i, &operand) in operands.iter().enumerate() {
            let address = self.builder.ins().stack_addr(I64, slot, 16 * i as i32);
            self.builder.ins().store(MemFlagsData::trusted(), operand, address, 0);
            addresses.push(address);
        }
        self.call_for_effect(lanes, &addresses);
        self.builder.ins().load(register, MemFlagsData::trusted(), addresses[0], 0)
    }

    /// A row of the unary table.
    pub(crate) fn unary(&mut self, op: Unary, dtype: DType, x: Value) -> Value {
        if is_float(dtype) { self.unary_float(op, dtype, x) } else { self.unary_integer(op, dtype, x) }
    }

    /// A row of the binary table.
    pub(crate) fn binary(&mut self, op: Binary, dtype: DType, x: Value, y: Value) -> Value {
        if is_float(dtype) { self.binary_float(op, dtype, x, y) } else { self.binary_integer(op, dtype, x, y) }
    }

    /// `condition ? op(x) : otherwise`, with a branch around the op: for lanes, it runs where the condition holds in any.
    pub(crate) fn rarely(&mut self, condition: Value, op: Unary, dtype: DType, x: Value, otherwise: Value) -> Value {
        let [rare, after] = [(); 2].map(|()| self.builder.create_block());
        let register = self.register(dtype);
        self.builder.append_block_param(after, register);
        self.builder.set_cold_block(rare);
        let any = if self.lanes == Lanes::One { condition } else { self.builder.ins().vany_true(condition) };
        self.builder.ins().brif(any, rare, &[], after, &[otherwise.into()]);
        self.builder.switch_to_block(rare);
        let called = self.call_float(Routine::Unary(op, dtype), Routine::UnaryLanes(op, dtype), &[x]);
        let result = self.select(condition, called, otherwise);
        self.builder.ins().jump(after, &[result.into()]);
        self.builder.switch_to_block(after);
        self.builder.block_params(after)[0]
    }

    /// A comparison; the result is a `bool`.
    pub(crate) fn compare(&mut self, op: Compare, dtype: DType, x: Value, y: Value) -> Value {
        if !is_float(dtype) {
            return self.compare_integers(op, dtype, x, y);
        }
        let condition = match op {
            Compare::Eq => FloatCC::Equal,
            Compare::Ne => FloatCC::NotEqual,
            Compare::Lt => FloatCC::LessThan,
            Compare::Le => FloatCC::LessThanOrEqual,
            Compare::Gt => FloatCC::GreaterThan,
            Compare::Ge => FloatCC::GreaterThanOrEqual,
            Compare::EqTo | Compare::LtTo | Compare::LeTo => {
                let (x, y) = (self.total_order_key(x), self.total_order_key(y));
                let signed = if self.register(dtype).lane_type() == F64 { DType::I64 } else { DType::I32 };
                return self.compare_integers(op, signed, x, y);
            }
        };
        self.fcmp(condition, x, y)
    }

    /// The bits of a float as a signed integer in the total order of IEEE 754.
    fn total_order_key(&mut self, x: Value) -> Value {
        let register = self.builder.func.dfg.value_type(x).as_int();
        let width = register.lane_bits() as i64;
        let bits = self.cast(register, x);
        // Negative numbers order the other way round: all bits but the sign are flipped.
        let sign = self.builder.ins().sshr_imm_s(bits, width - 1);
        let magnitude = self.bits(register, (1 << (width - 1)) - 1);
        let flip = self.builder.ins().band(sign, magnitude);
        self.builder.ins().bxor(bits, flip)
    }

    /// `reduce_precision`.
    pub(crate) fn reduce_precision(&mut self, dtype: DType, x: Value, exponent_bits: u32, mantissa_bits: u32) -> Value {
        let exponent = self.builder.ins().iconst(I32, exponent_bits as i64);
        let mantissa = self.builder.ins().iconst(I32, mantissa_bits as i64);
        self.call(Routine::ReducePrecision(dtype), &[x, exponent, mantissa])
    }

    /// `regularized_incomplete_beta`.
    pub(crate) fn beta(&mut self, dtype: DType, operands: [Value; 3]) -> Value {
        self.call(Routine::Beta(dtype), &operands)
    }

    /// Threefry-2x32 with 20 rounds.
    pub(crate) fn threefry(&mut self, [key0, key1, count0, count1]: [Value; 4]) -> [Value; 2] {
        const ROTATIONS: [[i64; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
        let parity = self.integer(DType::U32, 0x1BD1_1BDA);
        let key2 = self.builder.ins().bxor(key0, key1);
        let schedule = [key0, key1, self.builder.ins().bxor(key2, parity)];
        let mut x = [self.builder.ins().iadd(count0, key0), self.builder.ins().iadd(count1, key1)];
        for group in 0..5 {
            for rotation in ROTATIONS[group % 2] {
                x[0] = self.builder.ins().iadd(x[0], x[1]);
                let high = self.builder.ins().ishl_imm_s(x[1], rotation);
                let low = self.builder.ins().ushr_imm_s(x[1], 32 - rotation);
                let rotated = self.builder.ins().bor(high, low);
                x[1] = self.builder.ins().bxor(rotated, x[0]);
            }
            x[0] = self.builder.ins().iadd(x[0], schedule[(group + 1) % 3]);
            let round = self.integer(DType::U32, group as i64 + 1);
            let key = self.builder.ins().iadd(schedule[(group + 2) % 3], round);
            x[1] = self.builder.ins().iadd(x[1], key);
        }
        x
    }
}
