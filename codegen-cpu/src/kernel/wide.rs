//! Inner loops in vectors of 256 bits, for processors with AVX2 and FMA.
//!
//! Cranelift has vectors of 128 bits only. So a loop whose iterations may run together is taken out of the kernel and becomes a function
//! of its own, in machine code written here: `select` turns the body into vector instructions, `allocate` gives them registers, `encode`
//! writes the bytes. The kernel calls it with the addresses of the loop's first elements and with the values that do not change in it.
//!
//! ```text
//! argument: iterations, an address for each stream, 8 bytes for each invariant; after them room for 32 bytes a reduction
//! ```
//!
//! The loop touches exactly the elements that one iteration after another would touch: what is left after the last whole vector goes
//! through the stack, element by element. Reductions end as one vector for each, whose lanes the kernel combines.

mod allocate;
mod code;
mod encode;
mod select;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Value};
use rjax_ir::{DType, Result};
use rjax_kernel::kir::Loop;

use self::allocate::{BASES, Frame, Pass, SAVED};
use self::code::Code;
use self::encode::{Assembler, EQUAL, GREATER, LESS_OR_EQUAL, Operand, R11, RAX, RCX, RDI, RSP};
use self::select::{Invariant, Selection, select};
use super::Emitter;
use super::vector::reduction;
use crate::ops::Lanes;
use crate::routines::Routine;
use crate::target::has_wide_vectors;

/// Loops of fewer iterations are not worth a call.
const LEAST_TRIP: i64 = 16;

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
        if !has_wide_vectors() || trip.is_some_and(|trip| trip < LEAST_TRIP) {
            return Ok(false);
        }
        let selected = [false, true].into_iter().find_map(|double| select(self.kernel, l, &self.constants, double));
        let Some(selection) = selected else { return Ok(false) };
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
        let slot = self.ops.stack_slot(8 * fixed + 32 * l.carried.len());
        let count = self.ops.builder.ins().isub(end, begin);
        let mut words = vec![count];
        for stream in &selection.streams {
            let (address, offset) = self.address(stream.param, &stream.index);
            words.push(self.ops.builder.ins().iadd_imm_s(address, offset as i64));
        }
        for invariant in &selection.invariants {
            words.push(match invariant {
                Invariant::Index(index) => self.index(index),
                Invariant::Register(register) if self.dtype(*register) == DType::Bool => {
                    let value = self.value(*register);
                    let wide = self.ops.builder.ins().uextend(I64, value);
                    self.ops.builder.ins().ineg(wide)
                }
                Invariant::Register(register) => self.value(*register),
            });
        }
        for (i, word) in words.into_iter().enumerate() {
            self.ops.builder.ins().stack_store(I64, word, slot, 8 * i as i32);
        }
        let argument = self.ops.builder.ins().stack_addr(I64, slot, 0);
        let constant = |multiple: i64| trip.is_some_and(|trip| trip % multiple == 0);
        let whole = constant(selection.lanes() as i64);
        let function = self.ops.callees.wide(self.ops.builder, self.wide.len() as u32);
        self.wide.push(assemble(&selection, whole));
        self.ops.builder.ins().call(function, &[argument]);
        let mut results = Vec::with_capacity(inits.len());
        for (i, (carry, &init)) in l.carried.iter().zip(inits).enumerate() {
            let at = (8 * fixed + 32 * i) as i32;
            results.push(self.combined_lanes(
                l,
                &selection,
                argument,
                at,
                self.dtype(carry.register),
                carry.next,
                init,
            ));
        }
        let results: Vec<BlockArg> = results.into_iter().map(BlockArg::from).collect();
        self.ops.builder.ins().jump(after, &results);
        self.ops.builder.switch_to_block(after);
        self.define_carried(after, 0, &l.carried);
        Ok(true)
    }

    /// The lanes of a reduction, which the wide loop left in memory, combined with the value from before the loop.
    fn combined_lanes(
        &mut self,
        l: &Loop,
        selection: &Selection<'_>,
        address: Value,
        offset: i32,
        dtype: DType,
        next: rjax_kernel::kir::Reg,
        init: Value,
    ) -> Value {
        debug_assert_eq!(self.ops.lanes, Lanes::One);
        let op = reduction(l, next).expect("selected: every carried value is a reduction");
        let (lanes, flags) = (selection.lanes(), MemFlagsData::trusted());
        let size = 32 / lanes as i32;
        let mut elements: Vec<Value> = (0..lanes as i32)
            .map(|lane| {
                let at = offset + size * lane;
                if dtype != DType::Bool {
                    let register = self.ops.register(dtype);
                    return self.ops.builder.ins().load(register, flags, address, at);
                }
                let mask = self.ops.builder.ins().load(if size == 4 { I32 } else { I64 }, flags, address, at);
                let byte = self.ops.builder.ins().ireduce(I8, mask);
                self.ops.builder.ins().band_imm_s(byte, 1)
            })
            .collect();
        while elements.len() > 1 {
            let half = elements.len() / 2;
            elements = (0..half).map(|i| self.ops.binary(op, dtype, elements[i], elements[i + half])).collect();
        }
        self.ops.binary(op, dtype, init, elements[0])
    }
}

/// The function of a loop; `whole` says that nothing is left after whole vectors.
fn assemble(selection: &Selection<'_>, whole: bool) -> WideLoop {
    let lanes = selection.lanes();
    let carried = selection.identities.len();
    let partials = carried * selection.copies;
    let mask = 32 * selection.invariants.len() as i32;
    let saved = mask + 96;
    let end = saved + if selection.routines.is_empty() { 0 } else { SAVED };
    let mut frame = Frame { mask, bounce: mask + 32, rest: mask + 64, saved, end };
    let limit = Operand::Base(RSP, frame.rest + 8);
    let mut assembler = Assembler::default();
    let a = &mut assembler;
    a.bytes("push rbp; mov rbp, rsp", &[0x55, 0x48, 0x89, 0xe5]);
    a.bytes("push rbx, r12, r13, r14, r15", &[0x53, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57]);
    a.bytes("sub rsp, frame", &[0x48, 0x81, 0xec]);
    let frame_size = a.code.len();
    a.code.extend([0; 4]);
    a.bytes("and rsp, -32", &[0x48, 0x83, 0xe4, 0xe0]);
    let first_invariant = 8 * (1 + selection.streams.len() as i32);
    for i in 0..selection.invariants.len() as i32 {
        let broadcast = code::broadcast(selection.double);
        a.vector(broadcast, 0, 0, Operand::Base(RDI, first_invariant + 8 * i), None);
        a.vector(code::MOVE_TO, 0, 0, Operand::Base(RSP, 32 * i), None);
    }
    for (i, &base) in BASES.iter().enumerate().take(selection.streams.len()) {
        a.general("mov", &[0x8b], base, Operand::Base(RDI, 8 * (1 + i as i32)), &[]);
    }
    for partial in 0..partials {
        let identity = selection.identities[partial / selection.copies];
        a.vector(code::MOVE, 15 - partial as u8, 0, Operand::Constant(identity), None);
    }
    a.bytes("xor ecx, ecx", &[0x31, 0xc9]);

    let mut rares = Vec::new();
    let mut pass = |assembler: &mut Assembler, frame: &mut Frame, codes: &[Code], tail: bool| {
        Pass { assembler, frame, rares: &mut rares, partials, lanes, tail }.emit(codes);
    };
    for (codes, step) in [(&selection.main, lanes * selection.copies), (&selection.single, lanes)] {
        if codes.is_empty() {
            continue;
        }
        let (top, after) = (assembler.label(), assembler.label());
        let bytes = (step as i32).to_le_bytes();
        assembler.general("mov", &[0x8b], R11, Operand::Base(RDI, 0), &[]);
        assembler.general("sub", &[0x81], 5, Operand::Register(R11), &bytes);
        assembler.general("mov", &[0x89], R11, limit, &[]);
        assembler.general("cmp", &[0x3b], RCX, Operand::Register(R11), &[]);
        assembler.jump_if(GREATER, after);
        assembler.place(top);
        pass(&mut assembler, &mut frame, codes, false);
        assembler.general("add", &[0x81], 0, Operand::Register(RCX), &bytes);
        assembler.general("cmp", &[0x3b], RCX, limit, &[]);
        assembler.jump_if(LESS_OR_EQUAL, top);
        assembler.place(after);
    }
    if !whole {
        let done = assembler.label();
        assembler.general("mov", &[0x8b], RAX, Operand::Base(RDI, 0), &[]);
        assembler.general("sub", &[0x2b], RAX, Operand::Register(RCX), &[]);
        assembler.jump_if(EQUAL, done);
        assembler.general("mov", &[0x89], RAX, Operand::Base(RSP, frame.rest), &[]);
        if partials > 0 {
            // The mask of r lanes begins r lanes before the end of the ones.
            let size = (32 / lanes as i32).to_le_bytes();
            assembler.general("imul", &[0x69], RAX, Operand::Register(RAX), &size);
            assembler.general("lea", &[0x8d], R11, Operand::Constant(selection.ones), &[]);
            assembler.general("sub", &[0x2b], R11, Operand::Register(RAX), &[]);
            assembler.vector(code::MOVE, 0, 0, Operand::Base(R11, 32), None);
            assembler.vector(code::MOVE_TO, 0, 0, Operand::Base(RSP, frame.mask), None);
        }
        pass(&mut assembler, &mut frame, &selection.tail, true);
        assembler.place(done);
    }
    pass(&mut assembler, &mut frame, &selection.combine, false);
    let results = first_invariant + 8 * selection.invariants.len() as i32;
    for i in 0..carried {
        let register = 15 - (i * selection.copies) as u8;
        assembler.vector(code::MOVE_TO, register, 0, Operand::Base(RDI, results + 32 * i as i32), None);
    }
    assembler.bytes("vzeroupper", &[0xc5, 0xf8, 0x77]);
    assembler.bytes("lea rsp, [rbp - 40]", &[0x48, 0x8d, 0x65, 0xd8]);
    assembler.bytes("pop r15, r14, r13, r12, rbx", &[0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5b]);
    assembler.bytes("pop rbp; ret", &[0x5d, 0xc3]);
    let calls: Vec<(usize, Routine)> = rares
        .iter()
        .flat_map(|rare| rare.emit(&mut assembler, &frame, selection.double))
        .map(|(at, routine)| (at, selection.routines[routine]))
        .collect();
    assembler.code[frame_size..frame_size + 4].copy_from_slice(&(frame.end + 32).to_le_bytes());
    let (code, text) = assembler.finish(&selection.constants);
    WideLoop { code, text, calls }
}
