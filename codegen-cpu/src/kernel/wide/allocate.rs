//! Registers for straight-line vector code, and the code itself.
//!
//! One pass from first to last instruction: a value is in a register from its definition to its last use, and when registers run out, the
//! one that is needed last goes to the frame. Constants and values from outside of the loop are memory operands wherever an
//! instruction takes one.

use std::collections::HashMap;

use super::code::{Code, Rarity, Source, Value, live};
use super::encode::{Assembler, Gpr, Label, Masking, NOT_ALL, NOT_EQUAL, Operand, R11, RAX, RCX, RDI, RSI, RSP};
use super::opcode::{self, Form, MOVE, MOVE_TO, Opcode, avx2, avx512};
use crate::target::Wide;

/// The registers that hold the addresses of the first streams; others are fetched into r11.
pub(super) const BASES: [Gpr; 10] = [RSI, 2, 8, 9, 10, 3, 12, 13, 14, 15];
/// How many of them a function may change.
pub(super) const FREE_BASES: usize = 5;

/// Mask registers have numbers from here on, vector registers those below.
const MASKS: u8 = 32;
/// Mask registers for values. The last one has the lanes of the tail.
const VALUE_MASKS: std::ops::Range<u8> = MASKS + 1..MASKS + 7;
pub(super) const TAIL: u8 = 7;

/// The register of each partial result, from the last ones down.
pub(super) fn partial_registers(wide: Wide, masks: impl IntoIterator<Item = bool>) -> Vec<u8> {
    let (mut vector, mut mask) = (vectors(wide), VALUE_MASKS.end);
    masks
        .into_iter()
        .map(|is_mask| {
            let next = if is_mask { &mut mask } else { &mut vector };
            *next -= 1;
            *next
        })
        .collect()
}

/// The mask register that a register number stands for.
pub(super) fn mask_number(register: u8) -> u8 {
    register - MASKS
}

/// How many vector registers there are.
fn vectors(wide: Wide) -> u8 {
    match wide {
        Wide::Avx2 => 16,
        Wide::Avx512 => 32,
    }
}

/// Where things are in the frame, in bytes from its start. Below are values from outside, above spilled ones.
pub(super) struct Frame {
    pub(super) mask: i32,
    /// Part of a vector on its way from or to memory.
    pub(super) bounce: i32,
    /// How many elements the tail has.
    pub(super) rest: i32,
    /// All vector registers while a routine runs, then the masks and the general ones, then its operands.
    pub(super) saved: i32,
    pub(super) end: i32,
}

/// Bytes of [`Frame::saved`].
pub(super) fn saved_bytes(wide: Wide) -> i32 {
    saved_operand(wide, 2)
}

fn saved_masks(wide: Wide) -> i32 {
    vectors(wide) as i32 * wide.bytes() as i32
}

fn saved_operand(wide: Wide, operand: i32) -> i32 {
    saved_masks(wide) + 8 * 8 + 8 * 8 + operand * wide.bytes() as i32
}

/// A branch to what is done rarely, emitted after everything else.
pub(super) struct Rare {
    entry: Label,
    back: Label,
    result: u8,
    condition: u8,
    operands: [Option<Operand>; 2],
    /// A register that the branch may change.
    spare: Option<u8>,
    rarity: Rarity,
    double: bool,
}

/// What emitting a pass needs to know and changes.
pub(super) struct Pass<'a> {
    pub(super) assembler: &'a mut Assembler,
    pub(super) frame: &'a mut Frame,
    pub(super) rares: &'a mut Vec<Rare>,
    /// The registers of the partial results.
    pub(super) partials: &'a [u8],
    pub(super) wide: Wide,
    pub(super) lanes: usize,
    /// Whether memory is accessed element by element, because the pass is over less than a vector and there are no masks.
    pub(super) by_element: bool,
}

#[derive(Clone, Copy, Default)]
struct Home {
    register: Option<u8>,
    slot: Option<i32>,
}

/// Registers that the instruction at hand reads, and those of them that are free after it.
#[derive(Default)]
pub(super) struct Held {
    busy: Vec<u8>,
    temporary: Vec<u8>,
}

pub(super) struct State<'p, 'a> {
    pub(super) pass: &'p mut Pass<'a>,
    homes: HashMap<Value, Home>,
    /// The positions at which each value is read, last first.
    uses: HashMap<Value, Vec<usize>>,
    free: Vec<u8>,
    /// What is in each register.
    inside: [Option<Value>; 40],
    slots: Vec<i32>,
    /// Slots that the instruction at hand may still read.
    ending: Vec<i32>,
    position: usize,
    /// The stream and the step, in bytes, of which r11 has the address.
    pub(super) stepped: Option<(usize, i32)>,
}

impl Pass<'_> {
    pub(super) fn emit(&mut self, codes: &[Code]) {
        let codes = live(codes);
        let mut uses: HashMap<Value, Vec<usize>> = HashMap::new();
        for (position, code) in codes.iter().enumerate().rev() {
            for value in code.reads().into_iter().filter_map(Source::value) {
                uses.entry(value).or_default().push(position);
            }
        }
        let masks = if self.wide == Wide::Avx512 { VALUE_MASKS } else { 0..0 };
        let free = masks.chain(0..vectors(self.wide)).rev().filter(|r| !self.partials.contains(r)).collect();
        let mut state = State {
            pass: self,
            homes: HashMap::new(),
            uses,
            free,
            inside: [None; 40],
            slots: Vec::new(),
            ending: Vec::new(),
            position: 0,
            stepped: None,
        };
        for (position, code) in codes.iter().enumerate() {
            state.position = position;
            let ended = std::mem::take(&mut state.ending);
            state.slots.extend(ended);
            state.code(code);
        }
    }
}

impl State<'_, '_> {
    pub(super) fn asm(&mut self) -> &mut Assembler {
        self.pass.assembler
    }

    fn bytes(&self) -> i32 {
        self.pass.wide.bytes() as i32
    }

    /// The next position, from this one on, at which a value is read.
    fn next_use(&self, value: Value) -> Option<usize> {
        self.uses.get(&value)?.iter().rev().copied().find(|&p| p >= self.position)
    }

    /// Whether nothing after this instruction reads the value.
    fn ends(&self, value: Value) -> bool {
        self.uses.get(&value).is_none_or(|uses| uses.iter().all(|&p| p <= self.position))
    }

    /// A register that may be written, of masks or of vectors, not one of those held.
    pub(super) fn take(&mut self, mask: bool, held: &Held) -> u8 {
        let fits = |r: u8| (r >= MASKS) == mask && !held.busy.contains(&r);
        if let Some(position) = self.free.iter().rposition(|&r| fits(r)) {
            return self.free.remove(position);
        }
        let (register, value) = (0..self.inside.len() as u8)
            .filter(|&r| fits(r))
            .filter_map(|r| self.inside[r as usize].map(|value| (r, value)))
            .max_by_key(|&(_, value)| self.next_use(value).unwrap_or(usize::MAX))
            .expect("an instruction has at most four operands");
        let home = self.homes[&value];
        let slot = home.slot.unwrap_or_else(|| {
            let slot = self.slots.pop().unwrap_or_else(|| {
                self.pass.frame.end += self.bytes();
                self.pass.frame.end - self.bytes()
            });
            self.move_to(register, Operand::Base(RSP, slot));
            slot
        });
        self.homes.insert(value, Home { register: None, slot: Some(slot) });
        self.inside[register as usize] = None;
        register
    }

    /// All of a register to memory.
    fn move_to(&mut self, register: u8, memory: Operand) {
        if register >= MASKS {
            self.asm().vector(avx512::MASK_STORE, register - MASKS, 0, memory, None);
        } else {
            self.asm().vector(MOVE_TO, register, 0, memory, None);
        }
    }

    pub(super) fn put(&mut self, value: Value, register: u8) {
        self.inside[register as usize] = Some(value);
        self.homes.entry(value).or_default().register = Some(register);
        if self.uses.get(&value).is_none_or(|uses| uses.is_empty()) {
            self.release(value);
        }
    }

    fn release(&mut self, value: Value) {
        if let Some(home) = self.homes.remove(&value) {
            if let Some(register) = home.register {
                self.inside[register as usize] = None;
                self.free.push(register);
            }
            self.ending.extend(home.slot);
        }
    }

    /// Gives back what was held, and the registers of the values that this instruction was the last to read.
    pub(super) fn finish(&mut self, mut held: Held, sources: &[Source]) {
        self.free.append(&mut held.temporary);
        for value in sources.iter().filter_map(|s| s.value()) {
            if self.ends(value) {
                self.release(value);
            }
        }
    }

    pub(super) fn give_back(&mut self, register: u8) {
        self.free.push(register);
    }

    /// A register that only this instruction uses.
    pub(super) fn scratch(&mut self, mask: bool, held: &mut Held) -> u8 {
        let register = self.take(mask, held);
        held.busy.push(register);
        held.temporary.push(register);
        register
    }

    /// Where a source can be read without moving it.
    pub(super) fn operand(&self, source: Source) -> Operand {
        match source {
            Source::Value(value) => {
                let home = self.homes[&value];
                match (home.register, home.slot) {
                    (Some(register), _) => Operand::Register(register),
                    (None, Some(slot)) => Operand::Base(RSP, slot),
                    (None, None) => unreachable!("values are somewhere until their last use"),
                }
            }
            Source::Constant(constant) => Operand::Constant(constant),
            Source::Invariant(invariant) => Operand::Base(RSP, self.bytes() * invariant as i32),
            Source::Partial(partial) => Operand::Register(self.pass.partials[partial]),
            Source::Tail => match self.pass.wide {
                Wide::Avx2 => Operand::Base(RSP, self.pass.frame.mask),
                Wide::Avx512 => Operand::Register(MASKS + TAIL),
            },
            Source::None => unreachable!("the form has this operand"),
        }
    }

    fn is_register(&self, source: Source) -> bool {
        matches!(self.operand(source), Operand::Register(_))
    }

    /// A source in a vector register.
    pub(super) fn register(&mut self, source: Source, held: &mut Held) -> u8 {
        self.loaded(source, false, held)
    }

    /// A source in a mask register, by the number of that.
    pub(super) fn mask(&mut self, source: Source, held: &mut Held) -> u8 {
        self.loaded(source, true, held) - MASKS
    }

    fn loaded(&mut self, source: Source, mask: bool, held: &mut Held) -> u8 {
        let operand = self.operand(source);
        if let Operand::Register(register) = operand {
            held.busy.push(register);
            return register;
        }
        let register = self.take(mask, held);
        if mask {
            let eight = self.pass.lanes == 8;
            self.asm().vector(avx512::mask_load(eight), register - MASKS, 0, operand, None);
        } else {
            self.asm().vector(MOVE, register, 0, operand, None);
        }
        held.busy.push(register);
        match source.value() {
            Some(value) => {
                self.inside[register as usize] = Some(value);
                self.homes.get_mut(&value).expect("it is in the frame").register = Some(register);
            }
            None => held.temporary.push(register),
        }
        register
    }

    /// The lanes that a mask says, the others by `otherwise`.
    pub(super) fn masking(&mut self, mask: Source, otherwise: fn(u8) -> Masking, held: &mut Held) -> Masking {
        match mask {
            Source::None => Masking::None,
            Source::Value(_) | Source::Constant(_) | Source::Invariant(_) | Source::Partial(_) | Source::Tail => {
                otherwise(self.mask(mask, held))
            }
        }
    }

    fn code(&mut self, code: &Code) {
        match *code {
            Code::Vector { op, result, sources, immediate } => {
                let register = self.vector(op, sources, immediate, None);
                self.put(result, register);
            }
            Code::Accumulate { op, partial, sources, immediate, mask } => {
                self.vector(op, sources, immediate, Some((self.pass.partials[partial], mask)));
            }
            Code::Load { op, result, place, mask } => self.load(op, result, place, mask),
            Code::Prefetch { place } => self.prefetch(place),
            Code::Store { op, value, place, immediate, mask } => self.store(op, value, place, immediate, mask),
            Code::Gather { op, result, place, index, scale, mask } => {
                self.gather(op, result, place, (index, scale), mask);
            }
            Code::Scatter { op, value, place, index, scale, mask } => {
                self.scatter(op, value, place, (index, scale), mask);
            }
            Code::Ramp { result, coefficient, double } => {
                let register = self.take(false, &Held::default());
                let bytes = coefficient.to_le_bytes();
                self.asm().general("imul", &[0x69], RAX, Operand::Register(RCX), &bytes);
                match self.pass.wide {
                    Wide::Avx2 => {
                        self.asm().vector(avx2::FROM_GENERAL, register, 0, Operand::Register(RAX), None);
                        self.asm().vector(avx2::spread(double), register, 0, Operand::Register(register), None);
                    }
                    Wide::Avx512 => {
                        self.asm().vector(avx512::from_general(double), register, 0, Operand::Register(RAX), None);
                    }
                }
                self.put(result, register);
            }
            Code::Rarely { result, condition, operands, otherwise, rarity, double } => {
                let rare = self.rarely(condition, operands, otherwise, rarity, double);
                let register = rare.result;
                self.pass.rares.push(rare);
                self.put(result, register);
            }
        }
    }

    /// Emits a test of a condition and, where it holds in any lane, a branch.
    fn rarely(
        &mut self,
        condition: Source,
        operands: [Source; 2],
        otherwise: Source,
        rarity: Rarity,
        double: bool,
    ) -> Rare {
        let mut held = Held::default();
        let masks = self.pass.wide == Wide::Avx512;
        let test = if masks { self.mask(condition, &mut held) } else { self.register(condition, &mut held) };
        let [x, y] = operands;
        let x = Operand::Register(self.register(x, &mut held));
        let y = match (y, rarity) {
            (Source::None, _) => None,
            (_, Rarity::Routine(_) | Rarity::Subnormal { .. }) => Some(Operand::Register(self.register(y, &mut held))),
            (_, Rarity::Instruction(_)) => Some(self.operand(y)),
        };
        let (entry, back) = (self.asm().label(), self.asm().label());
        let spare = matches!(rarity, Rarity::Subnormal { .. }).then(|| self.scratch(false, &mut held));
        let moved = self.operand(otherwise);
        let result = self.take(false, &held);
        if let (Rarity::Subnormal { .. }, Operand::Register(x), Some(y)) = (rarity, x, y) {
            let eight = self.pass.lanes == 8;
            self.asm().masked(avx512::scale(double), result, x, y, None, Masking::Zero(test));
            self.asm().vector(avx512::mask_test(eight), test, 0, Operand::Register(test), None);
            self.asm().jump_if(NOT_ALL, entry);
        } else if masks {
            self.asm().vector(MOVE, result, 0, moved, None);
            self.asm().vector(avx512::mask_test(false), test, 0, Operand::Register(test), None);
            self.asm().jump_if(NOT_EQUAL, entry);
        } else {
            self.asm().vector(MOVE, result, 0, moved, None);
            self.asm().vector(avx2::SIGNS, RAX, 0, Operand::Register(test), None);
            self.asm().bytes("test eax, eax", &[0x85, 0xc0]);
            self.asm().jump_if(NOT_EQUAL, entry);
        }
        self.asm().place(back);
        self.finish(held, &[condition, operands[0], operands[1], otherwise]);
        Rare { entry, back, result, condition: test, operands: [Some(x), y], spare, rarity, double }
    }

    /// Emits an instruction and gives the register of its result: the fixed one, of which a mask says what is written, or a new one.
    fn vector(&mut self, op: Opcode, sources: [Source; 3], immediate: Option<u8>, fixed: Option<(u8, Source)>) -> u8 {
        let mut held = Held::default();
        let [mut x, mut y, z] = sources;
        let masking = match fixed {
            Some((_, mask)) => self.masking(mask, Masking::Merge, &mut held),
            None => Masking::None,
        };
        let fixed = fixed.map(|(register, _)| register);
        let is_mask = op.makes_mask();
        // A result may have the register of an operand: operands are read first.
        let target = |state: &mut Self, held: Held| {
            state.finish(held, &sources);
            fixed.unwrap_or_else(|| state.take(is_mask, &Held::default()))
        };
        match op.form {
            Form::Two => {
                let operand = self.operand(x);
                let to = target(self, held);
                self.asm().masked(op, to, 0, operand, immediate, masking);
                to
            }
            Form::Into => {
                let from = self.register(x, &mut held);
                let to = target(self, held);
                self.asm().masked(op, from, 0, Operand::Register(to), immediate, masking);
                to
            }
            Form::FromMask => {
                let from = self.mask(x, &mut held);
                let to = target(self, held);
                self.asm().vector(op, to, 0, Operand::Register(from), None);
                to
            }
            Form::MaskNot => {
                let from = self.mask(x, &mut held);
                let to = target(self, held);
                self.asm().vector(op, to - MASKS, 0, Operand::Register(from), None);
                to
            }
            Form::Masks => {
                let (first, second) = (self.mask(x, &mut held), self.mask(y, &mut held));
                let to = target(self, held);
                self.asm().vector(op, to - MASKS, first, Operand::Register(second), None);
                to
            }
            Form::Shift(extension) => {
                let from = self.register(x, &mut held);
                let to = target(self, held);
                self.asm().masked(op, extension, to, Operand::Register(from), immediate, masking);
                to
            }
            Form::TestOne => {
                let operand = self.operand(x);
                let to = target(self, held);
                self.asm().vector(op, to - MASKS, 0, operand, immediate);
                to
            }
            Form::TestUnder => {
                let (first, mask) = (self.register(x, &mut held), self.mask(z, &mut held));
                let second = self.operand(y);
                let to = target(self, held);
                self.asm().masked(op, to - MASKS, first, second, immediate, Masking::Merge(mask));
                to
            }
            Form::Three | Form::Test => {
                if op.commutes && !self.is_register(x) && self.is_register(y) {
                    std::mem::swap(&mut x, &mut y);
                }
                let first = self.register(x, &mut held);
                // Where x and y are one value, it is in a register now.
                let second = self.operand(y);
                let to = target(self, held);
                let number = if is_mask { to - MASKS } else { to };
                self.asm().masked(op, number, first, second, immediate, masking);
                to
            }
            Form::Blend => {
                let first = self.register(x, &mut held);
                let mask = self.register(z, &mut held);
                let second = self.operand(y);
                let to = target(self, held);
                self.asm().vector(op, to, first, second, Some(mask << 4));
                to
            }
            Form::Choose => {
                let first = self.register(x, &mut held);
                let mask = self.mask(z, &mut held);
                let second = self.operand(y);
                let to = target(self, held);
                self.asm().masked(op, to, first, second, None, Masking::Merge(mask));
                to
            }
            Form::Keep => {
                let mask = self.mask(z, &mut held);
                let operand = self.operand(x);
                let to = target(self, held);
                self.asm().masked(op, to, 0, operand, None, Masking::Zero(mask));
                to
            }
            Form::Order => {
                debug_assert!(fixed.is_none() && masking == Masking::None, "no sum is made by moving elements");
                let first = self.register(y, &mut held);
                let second = self.operand(z);
                if let Operand::Register(second) = second {
                    held.busy.push(second);
                }
                let order = self.operand(x);
                let to = self.take(false, &held);
                self.asm().vector(MOVE, to, 0, order, None);
                self.asm().vector(op, to, first, second, None);
                self.finish(held, &sources);
                to
            }
            Form::Fused => {
                debug_assert!(masking == Masking::None, "selection keeps masks away from fused products");
                self.fused(op, sources, fixed)
            }
        }
    }

    /// `x * y + z` in the register of one of the three.
    fn fused(&mut self, op: Opcode, [x, y, z]: [Source; 3], fixed: Option<u8>) -> u8 {
        let mut held = Held::default();
        let form = |code: u8| Opcode { code, ..op };
        let dies = |state: &Self, source: Source| {
            source.value().is_some_and(|value| {
                let once = [x, y, z].iter().filter(|&&s| s == source).count() == 1;
                once && state.ends(value) && state.homes[&value].register.is_some() && fixed.is_none()
            })
        };
        let (x, y) = if self.is_register(x) { (x, y) } else { (y, x) };
        let to;
        if dies(self, z) {
            to = self.register(z, &mut held);
            let first = self.register(x, &mut held);
            let second = self.operand(y);
            self.asm().vector(form(op.code + 0x20), to, first, second, None);
        } else if dies(self, x) || dies(self, y) {
            let (product, other) = if dies(self, x) { (x, y) } else { (y, x) };
            to = self.register(product, &mut held);
            if self.is_register(other) || !self.is_register(z) {
                let first = self.register(other, &mut held);
                let second = self.operand(z);
                self.asm().vector(form(op.code + 0x10), to, first, second, None);
            } else {
                let first = self.register(z, &mut held);
                let second = self.operand(other);
                self.asm().vector(op, to, first, second, None);
            }
        } else {
            let first = self.register(x, &mut held);
            if let Operand::Register(register) = self.operand(y) {
                held.busy.push(register);
            }
            to = match fixed {
                Some(fixed) => fixed,
                None => self.take(false, &held),
            };
            let (second, start) = (self.operand(y), self.operand(z));
            self.asm().vector(MOVE, to, 0, start, None);
            self.asm().vector(form(op.code + 0x20), to, first, second, None);
        }
        // The result has the register of a value that ends here: it must not be given back.
        if let Some(value) = self.inside[to as usize].take()
            && let Some(home) = self.homes.get_mut(&value)
        {
            home.register = None;
        }
        self.finish(held, &[x, y, z]);
        to
    }
}

impl Rare {
    /// The branch. Gives where addresses of routines go, and which ones.
    pub(super) fn emit(
        &self,
        assembler: &mut Assembler,
        frame: &Frame,
        wide: Wide,
        lanes: usize,
    ) -> Vec<(usize, usize)> {
        assembler.place(self.entry);
        let calls = match self.rarity {
            Rarity::Routine(routine) => self.call(assembler, frame, wide, lanes, routine),
            Rarity::Instruction(op) => {
                let [Some(Operand::Register(x)), Some(y)] = self.operands else {
                    unreachable!("emitted so by the allocator")
                };
                assembler.masked(op, self.result, x, y, None, Masking::Merge(self.condition));
                Vec::new()
            }
            Rarity::Subnormal { raised, least } => {
                let ([Some(Operand::Register(x)), Some(Operand::Register(n))], Some(spare)) =
                    (self.operands, self.spare)
                else {
                    unreachable!("emitted so by the allocator")
                };
                // The nearest multiple of the least subnormal number is, as an integer, the bits of the result.
                let (it, choose) = (Operand::Register(spare), avx512::choose(self.double));
                assembler.vector(opcode::add(self.double), spare, n, Operand::Constant(raised), None);
                assembler.vector(opcode::max(self.double), spare, spare, Operand::Constant(least), None);
                assembler.vector(avx512::scale(self.double), spare, x, it, None);
                assembler.vector(avx512::nearest(self.double), spare, 0, it, None);
                let result = Operand::Register(self.result);
                assembler.masked(choose, self.result, spare, result, None, Masking::Merge(self.condition));
                Vec::new()
            }
        };
        assembler.jump(self.back);
        calls
    }

    /// Saves every register, calls the routine for each 16 bytes of the operand, and blends.
    fn call(
        &self,
        assembler: &mut Assembler,
        frame: &Frame,
        wide: Wide,
        lanes: usize,
        routine: usize,
    ) -> Vec<(usize, usize)> {
        const GENERAL: [Gpr; 8] = [RSI, 2, 8, 9, 10, RDI, RCX, R11];
        let bytes = wide.bytes() as i32;
        let at = |offset: i32| Operand::Base(RSP, frame.saved + offset);
        let masks = if wide == Wide::Avx512 { 1..8 } else { 0..0 };
        let masks_at = |mask: u8| at(saved_masks(wide) + 8 * mask as i32);
        let operand_at = saved_operand(wide, 0);
        let general_at = |i: usize| at(saved_masks(wide) + 8 * 8 + 8 * i as i32);
        for register in 0..vectors(wide) {
            assembler.vector(MOVE_TO, register, 0, at(bytes * register as i32), None);
        }
        for mask in masks.clone() {
            assembler.vector(avx512::MASK_STORE, mask, 0, masks_at(mask), None);
        }
        for (i, operand) in (0..).zip(self.operands) {
            if let Some(Operand::Register(register)) = operand {
                assembler.vector(MOVE_TO, register, 0, at(saved_operand(wide, i)), None);
            }
        }
        for (i, &register) in GENERAL.iter().enumerate() {
            assembler.general("mov", &[0x89], register, general_at(i), &[]);
        }
        assembler.bytes("vzeroupper", &[0xc5, 0xf8, 0x77]);
        let parts = lanes as i32 * if self.double { 8 } else { 4 } / 16;
        let mut calls = Vec::new();
        for part in 0..parts {
            assembler.general("lea", &[0x8d], RDI, at(operand_at + 16 * part), &[]);
            assembler.general("lea", &[0x8d], RSI, at(saved_operand(wide, 1) + 16 * part), &[]);
            assembler.bytes("mov rax, routine", &[0x48, 0xb8]);
            calls.push((assembler.code.len(), routine));
            assembler.code.extend([0; 8]);
            assembler.bytes("call rax", &[0xff, 0xd0]);
        }
        for (i, &register) in GENERAL.iter().enumerate() {
            assembler.general("mov", &[0x8b], register, general_at(i), &[]);
        }
        for register in 0..vectors(wide) {
            assembler.vector(MOVE, register, 0, at(bytes * register as i32), None);
        }
        for mask in masks {
            assembler.vector(avx512::mask_load(false), mask, 0, masks_at(mask), None);
        }
        match wide {
            Wide::Avx2 => {
                let mask = Some(self.condition << 4);
                assembler.vector(avx2::blend(self.double), self.result, self.result, at(operand_at), mask);
            }
            Wide::Avx512 => {
                let mask = Masking::Merge(self.condition);
                let choose = opcode::avx512::choose(self.double);
                assembler.masked(choose, self.result, self.result, at(operand_at), None, mask);
            }
        }
        calls
    }
}
