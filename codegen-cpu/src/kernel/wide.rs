//! Inner loops in vectors of 512 bits, for processors with AVX-512, or of 256 bits, for those with AVX2 and FMA.
//!
//! Cranelift has vectors of 128 bits only. So a loop whose iterations may run together is taken out of the kernel and becomes a function
//! of its own, in machine code written here: `select` turns the body into vector instructions, `allocate` gives them registers, `encode`
//! writes the bytes. The kernel calls it with the addresses of the loop's first elements and with the values that do not change in it.
//!
//! ```text
//! argument: iterations, an address for each stream, 8 bytes for each invariant; after them room for a vector a reduction
//! ```
//!
//! The loop touches exactly the elements that one iteration after another would touch: what is left after the last whole vector is
//! masked, or, with AVX2, goes through the stack, element by element. Reductions end as one vector for each, whose lanes the kernel combines.

mod allocate;
mod code;
mod encode;
mod memory;
mod opcode;
mod rows;
mod select;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Value};
use rjax_ir::{Binary, DType, Result};
use rjax_kernel::kir::{Loop, Reg};

use self::allocate::{BASES, FREE_BASES, Frame, Pass, TAIL, mask_number, partial_registers, saved_bytes};
use self::code::Code;
use self::encode::{Assembler, EQUAL, GREATER, LESS_OR_EQUAL, Label, NOT_EQUAL, Operand, R11, RAX, RCX, RDI, RSP};
use self::opcode::{MOVE, MOVE_TO, avx2, avx512};
pub(super) use self::rows::Rows;
use self::select::{Invariant, Part, Range, Selection, TAIL_MASKS, select};
use super::Emitter;
use super::vector::reduction;
use crate::ops::Lanes;
use crate::routines::Routine;
use crate::target::{Wide, wide_vectors};

/// Loops of fewer iterations, or of fewer instructions in all, are not worth a call. Where there are masks, a part of a vector is as good as a
/// whole one, and a few iterations that are long enough are worth it.
const LEAST_TRIP: i64 = 16;
const LEAST_MASKED_TRIP: i64 = 4;
const LONG_BODY: usize = 20;
const LEAST_WORK: i64 = 128;

/// The machine code of a loop.
pub(crate) struct WideLoop {
    pub(crate) code: Vec<u8>,
    /// As text, one instruction a line.
    pub(crate) text: String,
    /// Where the addresses of routines go.
    pub(crate) calls: Vec<(usize, Routine)>,
}

impl Emitter<'_, '_, '_> {
    /// Emits the loop as a call of a wide one, if it can be; says whether it did.
    pub(super) fn wide_loop(
        &mut self,
        l: &Loop,
        begin: Value,
        end: Value,
        trip: Option<i64>,
        inits: &[Value],
    ) -> Result<bool> {
        let Some(wide) = wide_vectors() else { return Ok(false) };
        let masked = wide == Wide::Avx512 && l.body.len() >= LONG_BODY;
        let least = if masked { LEAST_MASKED_TRIP } else { LEAST_TRIP };
        if trip.is_some_and(|trip| trip < least || trip * (l.body.len() as i64) < LEAST_WORK) {
            return Ok(false);
        }
        let selected = [false, true]
            .into_iter()
            .find_map(|double| select((self.kernel, self.memory), l, &self.constants, wide, double));
        let Some(mut selection) = selected else { return Ok(false) };
        let ahead = self.next_rows(l, trip, &selection.streams);
        selection.fetch_ahead(&ahead);
        let after = self.ops.builder.create_block();
        for carry in &l.carried {
            let register = self.ops.register(self.dtype(carry.register));
            self.ops.builder.append_block_param(after, register);
        }
        if trip.is_none() {
            let run = self.ops.builder.create_block();
            let runs = self.ops.builder.ins().icmp(IntCC::SignedLessThan, begin, end);
            let unchanged: Vec<BlockArg> = inits.iter().map(|&v| v.into()).collect();
            self.ops.builder.ins().brif(runs, run, &[], after, &unchanged);
            self.ops.builder.switch_to_block(run);
        }
        self.define(l.variable, begin);
        for inst in &selection.hoisted {
            self.inst(inst)?;
        }
        let fixed = 1 + selection.streams.len() + selection.invariants.len();
        let vector = wide.bytes();
        let slot = self.ops.stack_slot(8 * fixed + vector * l.carried.len());
        let count = self.ops.builder.ins().isub(end, begin);
        let mut words = vec![count];
        for stream in &selection.streams {
            let (address, offset) = self.address(stream.param, &stream.index);
            words.push(self.ops.builder.ins().iadd_imm_s(address, offset as i64));
        }
        for (invariant, _) in &selection.invariants {
            words.push(match invariant {
                Invariant::Index(index) => self.index(index),
                Invariant::Register(register) => self.invariant(*register),
                Invariant::Divisor(register, part) => self.divisor(*register, *part),
            });
        }
        for (i, word) in words.into_iter().enumerate() {
            self.ops.builder.ins().stack_store(I64, word, slot, 8 * i as i32);
        }
        let argument = self.ops.builder.ins().stack_addr(I64, slot, 0);
        let function = self.ops.callees.wide(self.ops.builder, self.wide.len() as u32);
        self.wide.push(assemble(&selection, trip));
        self.ops.builder.ins().call(function, &[argument]);
        let mut results = Vec::with_capacity(inits.len());
        for (i, (carry, &init)) in l.carried.iter().zip(inits).enumerate() {
            let op = reduction(l, carry.next).expect("selected: every carried value is a reduction");
            let dtype = self.dtype(carry.register);
            let at = (8 * fixed + vector * i) as i32;
            let size = if selection.carried[i].1 { 8 } else { 4 };
            let total = self.combined(op, dtype, argument, at, size, selection.lanes());
            results.push(self.ops.binary(op, dtype, init, total));
        }
        let results: Vec<BlockArg> = results.into_iter().map(BlockArg::from).collect();
        self.ops.builder.ins().jump(after, &results);
        self.ops.builder.switch_to_block(after);
        self.define_carried(after, 0, &l.carried);
        Ok(true)
    }

    /// A value that does not change in the loop, as the loop is given it: `bool` as all bits.
    fn invariant(&mut self, register: Reg) -> Value {
        let value = self.value(register);
        match self.dtype(register) {
            DType::Bool => {
                let wide = self.ops.builder.ins().uextend(I64, value);
                self.ops.builder.ins().ineg(wide)
            }
            DType::I8 | DType::I16 => self.ops.builder.ins().sextend(I32, value),
            DType::U8 | DType::U16 => self.ops.builder.ins().uextend(I32, value),
            DType::I32
            | DType::I64
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::F32
            | DType::F64
            | DType::C64
            | DType::C128
            | DType::Narrow(_) => value,
        }
    }

    /// What a loop needs of a number that it divides by.
    fn divisor(&mut self, register: Reg, part: Part) -> Value {
        let (y, double) = (self.value(register), self.dtype(register) == DType::F64);
        let range = Range::new(double);
        let mut number = |x: f64| {
            let ins = self.ops.builder.ins();
            if double { ins.f64const(x) } else { ins.f32const(x as f32) }
        };
        let (one, scale, nan) = (number(1.0), number(range.scale), number(f64::NAN));
        let (least, greatest, down) = (number(range.least), number(range.greatest), number(-1.0 / range.scale));
        match part {
            Part::Scaled => self.ops.builder.ins().fmul(y, scale),
            Part::Correction => {
                let reciprocal = self.ops.builder.ins().fdiv(one, y);
                self.ops.builder.ins().fmul(reciprocal, down)
            }
            Part::Reciprocal => {
                let reciprocal = self.ops.builder.ins().fdiv(one, y);
                let above = self.ops.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, y, least);
                let below = self.ops.builder.ins().fcmp(FloatCC::LessThanOrEqual, y, greatest);
                let fits = self.ops.builder.ins().band(above, below);
                self.ops.builder.ins().select(fits, reciprocal, nan)
            }
        }
    }

    /// The lanes of a reduction, of `size` bytes each, which the wide loop left in memory, in one.
    fn combined(&mut self, op: Binary, dtype: DType, address: Value, offset: i32, size: usize, lanes: usize) -> Value {
        debug_assert_eq!(self.ops.lanes, Lanes::One);
        // The stack slot is aligned to less than a vector.
        let flags = MemFlagsData::new().with_notrap();
        let pieces = if size == 4 { Lanes::Four } else { Lanes::Two };
        let elements: Vec<Value> = if pieces.holds(dtype) {
            // First as vectors of 128 bits.
            self.ops.lanes = pieces;
            let register = self.ops.register(dtype);
            let vectors = (0..lanes / pieces.count())
                .map(|i| self.ops.builder.ins().load(register, flags, address, offset + 16 * i as i32))
                .collect();
            let vector = self.halved(op, dtype, vectors);
            let elements = (0..pieces.count()).map(|lane| self.ops.lane(dtype, vector, lane)).collect();
            self.ops.lanes = Lanes::One;
            elements
        } else {
            // Integers of 8 or 16 bits are the low bits of their lanes.
            let register = self.ops.register(dtype);
            (0..lanes)
                .map(|lane| self.ops.builder.ins().load(register, flags, address, offset + (size * lane) as i32))
                .collect()
        };
        self.halved(op, dtype, elements)
    }

    /// All values in one, each of the first half with one of the second.
    fn halved(&mut self, op: Binary, dtype: DType, mut values: Vec<Value>) -> Value {
        while values.len() > 1 {
            let half = values.len() / 2;
            values = (0..half).map(|i| self.ops.binary(op, dtype, values[i], values[i + half])).collect();
        }
        values[0]
    }
}

/// The function of a loop, of `trip` iterations if that is known.
fn assemble(selection: &Selection<'_>, trip: Option<i64>) -> WideLoop {
    let (wide, lanes, copies) = (selection.wide, selection.lanes(), selection.copies);
    let bytes = wide.bytes() as i32;
    let masks = selection.carried.iter().flat_map(|&(mask, _)| std::iter::repeat_n(mask, copies));
    let partials = partial_registers(wide, masks);
    let mask = bytes * selection.invariants.len() as i32;
    let saved = mask + 3 * bytes;
    let end = saved + if selection.routines.is_empty() { 0 } else { saved_bytes(wide) };
    let mut frame = Frame { mask, bounce: mask + bytes, rest: mask + 2 * bytes, saved, end };
    let limit = Operand::Base(RSP, frame.rest + 8);
    let mut assembler = Assembler::new(wide, lanes);
    let a = &mut assembler;
    a.bytes("push rbp; mov rbp, rsp", &[0x55, 0x48, 0x89, 0xe5]);
    // The first bases are the caller's to save.
    let saves = selection.streams.len() > FREE_BASES;
    if saves {
        a.bytes("push rbx, r12, r13, r14, r15", &[0x53, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57]);
    }
    a.bytes("sub rsp, frame", &[0x48, 0x81, 0xec]);
    let frame_size = a.code.len();
    a.code.extend([0; 4]);
    match wide {
        Wide::Avx2 => a.bytes("and rsp, -32", &[0x48, 0x83, 0xe4, 0xe0]),
        Wide::Avx512 => a.bytes("and rsp, -64", &[0x48, 0x83, 0xe4, 0xc0]),
    }
    let first_invariant = 8 * (1 + selection.streams.len() as i32);
    for (i, &(_, double)) in (0..).zip(&selection.invariants) {
        let broadcast = match wide {
            Wide::Avx2 => avx2::broadcast(double),
            Wide::Avx512 => opcode::spread(double).whole(),
        };
        a.vector(broadcast, 0, 0, Operand::Base(RDI, first_invariant + 8 * i), None);
        a.vector(MOVE_TO, 0, 0, Operand::Base(RSP, bytes * i), None);
    }
    for (i, &base) in BASES.iter().enumerate().take(selection.streams.len()) {
        a.general("mov", &[0x8b], base, Operand::Base(RDI, 8 * (1 + i as i32)), &[]);
    }
    for (partial, &register) in partials.iter().enumerate() {
        let carry = partial / copies;
        let identity = Operand::Constant(selection.identities[carry]);
        if selection.carried[carry].0 {
            a.vector(avx512::mask_load(selection.double), mask_number(register), 0, identity, None);
        } else {
            a.vector(MOVE, register, 0, identity, None);
        }
    }
    a.bytes("xor ecx, ecx", &[0x31, 0xc9]);

    let mut rares = Vec::new();
    let mut pass = |assembler: &mut Assembler, frame: &mut Frame, codes: &[Code], tail: bool| {
        let (rares, partials, by_element) = (&mut rares, &partials, tail && wide == Wide::Avx2);
        Pass { assembler, frame, rares, partials, wide, lanes, by_element }.emit(codes);
    };
    if let Some((codes, streams)) = &selection.streaming {
        let skip = assembler.label();
        for &stream in streams {
            assembler.general("mov", &[0x8b], RAX, Operand::Base(RDI, 8 * (1 + stream as i32)), &[]);
            assembler.bytes("test al, vector - 1", &[0xa8, bytes as u8 - 1]);
            assembler.jump_if(NOT_EQUAL, skip);
        }
        let after = begin_loop(&mut assembler, limit, lanes * copies);
        pass(&mut assembler, &mut frame, codes, false);
        end_loop(&mut assembler, limit, lanes * copies, after);
        assembler.bytes("sfence", &[0x0f, 0xae, 0xf8]);
        assembler.place(skip);
    }
    let mut rest = trip;
    for (codes, step) in [(&selection.main, lanes * copies), (&selection.single, lanes)] {
        if codes.is_empty() || rest.is_some_and(|rest| rest < step as i64) {
            continue;
        }
        rest = rest.map(|rest| rest % step as i64);
        let after = begin_loop(&mut assembler, limit, step);
        pass(&mut assembler, &mut frame, codes, false);
        end_loop(&mut assembler, limit, step, after);
    }
    if rest != Some(0) {
        let done = assembler.label();
        assembler.general("mov", &[0x8b], RAX, Operand::Base(RDI, 0), &[]);
        assembler.general("sub", &[0x2b], RAX, Operand::Register(RCX), &[]);
        assembler.jump_if(EQUAL, done);
        let masks = Operand::Constant(TAIL_MASKS);
        match wide {
            Wide::Avx2 => {
                assembler.general("mov", &[0x89], RAX, Operand::Base(RSP, frame.rest), &[]);
                if !partials.is_empty() {
                    // The mask of r lanes begins r lanes before the end of the ones.
                    let size = (bytes / lanes as i32).to_le_bytes();
                    assembler.general("imul", &[0x69], RAX, Operand::Register(RAX), &size);
                    assembler.general("lea", &[0x8d], R11, masks, &[]);
                    assembler.general("sub", &[0x2b], R11, Operand::Register(RAX), &[]);
                    assembler.vector(MOVE, 0, 0, Operand::Base(R11, bytes), None);
                    assembler.vector(MOVE_TO, 0, 0, Operand::Base(RSP, frame.mask), None);
                }
            }
            Wide::Avx512 => {
                // The mask of r lanes is word r of the table.
                assembler.general("lea", &[0x8d], R11, masks, &[]);
                assembler.general("add", &[0x03], R11, Operand::Register(RAX), &[]);
                assembler.general("add", &[0x03], R11, Operand::Register(RAX), &[]);
                assembler.vector(avx512::mask_load(false), TAIL, 0, Operand::Base(R11, 0), None);
            }
        }
        pass(&mut assembler, &mut frame, &selection.tail, true);
        assembler.place(done);
    }
    pass(&mut assembler, &mut frame, &selection.combine, false);
    let results = first_invariant + 8 * selection.invariants.len() as i32;
    for (i, &(is_mask, double)) in selection.carried.iter().enumerate() {
        let mut register = partials[i * copies];
        if is_mask {
            let mask = Operand::Register(mask_number(register));
            register = 0;
            assembler.vector(avx512::spread_mask(double), register, 0, mask, None);
        }
        assembler.vector(MOVE_TO, register, 0, Operand::Base(RDI, results + bytes * i as i32), None);
    }
    assembler.bytes("vzeroupper", &[0xc5, 0xf8, 0x77]);
    if saves {
        assembler.bytes("lea rsp, [rbp - 40]", &[0x48, 0x8d, 0x65, 0xd8]);
        assembler.bytes("pop r15, r14, r13, r12, rbx", &[0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5b]);
    } else {
        assembler.bytes("mov rsp, rbp", &[0x48, 0x89, 0xec]);
    }
    assembler.bytes("pop rbp; ret", &[0x5d, 0xc3]);
    let calls: Vec<(usize, Routine)> = rares
        .iter()
        .flat_map(|rare| rare.emit(&mut assembler, &frame, wide, lanes))
        .map(|(at, routine)| (at, selection.routines[routine]))
        .collect();
    let size = frame.end + bytes;
    assembler.code[frame_size..frame_size + 4].copy_from_slice(&size.to_le_bytes());
    let (code, text) = assembler.finish(&selection.constants);
    WideLoop { code, text, calls }
}

/// Begins a loop that runs while `step` iterations are left. Gives where it begins and ends.
fn begin_loop(assembler: &mut Assembler, limit: Operand, step: usize) -> (Label, Label) {
    let (top, after) = (assembler.label(), assembler.label());
    assembler.general("mov", &[0x8b], R11, Operand::Base(RDI, 0), &[]);
    assembler.general("sub", &[0x81], 5, Operand::Register(R11), &(step as i32).to_le_bytes());
    assembler.general("mov", &[0x89], R11, limit, &[]);
    assembler.general("cmp", &[0x3b], RCX, Operand::Register(R11), &[]);
    assembler.jump_if(GREATER, after);
    assembler.place(top);
    (top, after)
}

fn end_loop(assembler: &mut Assembler, limit: Operand, step: usize, (top, after): (Label, Label)) {
    assembler.general("add", &[0x81], 0, Operand::Register(RCX), &(step as i32).to_le_bytes());
    assembler.general("cmp", &[0x3b], RCX, limit, &[]);
    assembler.jump_if(LESS_OR_EQUAL, top);
    assembler.place(after);
}
