//! Registers for straight-line vector code, and the code itself.
//!
//! One pass from first to last instruction: a value is in a register from its definition to its last use, and when registers run out, the
//! one that is needed last goes to the frame. Constants and values from outside of the loop are memory operands wherever an
//! instruction takes one.

use std::collections::HashMap;

use super::code::{self, Code, Place, Source, Value};
use super::encode::{Assembler, Form, Gpr, LESS_OR_EQUAL, Label, NOT_EQUAL, Opcode, Operand, R11, RAX, RCX, RDI, RSP};
use super::select::{MASK, is_reversed};

/// The registers that hold the addresses of the first streams; others are fetched into rax.
pub(super) const BASES: [Gpr; 10] = [6, 2, 8, 9, 10, 3, 12, 13, 14, 15];

/// Where things are in the frame, in bytes from its start. Below are values from outside, above spilled ones.
pub(super) struct Frame {
    pub(super) mask: i32,
    /// Part of a vector on its way from or to memory.
    pub(super) bounce: i32,
    /// How many elements the tail has.
    pub(super) rest: i32,
    /// All vector registers while a routine runs, then the general ones, then its operand.
    pub(super) saved: i32,
    pub(super) end: i32,
}

const SAVED_GENERAL: i32 = 16 * 32;
const OPERAND: i32 = SAVED_GENERAL + 64;
pub(super) const SAVED: i32 = OPERAND + 32;

/// A branch to a routine, emitted after everything else.
pub(super) struct Rare {
    entry: Label,
    back: Label,
    result: u8,
    condition: u8,
    operand: u8,
    routine: usize,
}

/// What emitting a pass needs to know and changes.
pub(super) struct Pass<'a> {
    pub(super) assembler: &'a mut Assembler,
    pub(super) frame: &'a mut Frame,
    pub(super) rares: &'a mut Vec<Rare>,
    /// How many registers, the last ones, are partial results.
    pub(super) partials: usize,
    pub(super) lanes: usize,
    /// Whether the pass is over less than a vector, so that memory is accessed element by element.
    pub(super) tail: bool,
}

#[derive(Clone, Copy, Default)]
struct Home {
    register: Option<u8>,
    slot: Option<i32>,
}

struct State<'p, 'a> {
    pass: &'p mut Pass<'a>,
    homes: HashMap<Value, Home>,
    /// The positions at which each value is read, last first.
    uses: HashMap<Value, Vec<usize>>,
    free: Vec<u8>,
    /// What is in each register.
    inside: [Option<Value>; 16],
    slots: Vec<i32>,
    /// Slots that the instruction at hand may still read.
    ending: Vec<i32>,
    position: usize,
}

fn reads(code: &Code) -> [Source; 3] {
    match code {
        Code::Vector { sources, .. } | Code::Accumulate { sources, .. } => *sources,
        Code::Load { .. } | Code::Ramp { .. } => [Source::None; 3],
        Code::Store { value, .. } => [*value, Source::None, Source::None],
        Code::Rarely { condition, operand, otherwise, .. } => [*condition, *operand, *otherwise],
    }
}

fn result(code: &Code) -> Option<Value> {
    match code {
        Code::Vector { result, .. }
        | Code::Load { result, .. }
        | Code::Ramp { result, .. }
        | Code::Rarely { result, .. } => Some(*result),
        Code::Accumulate { .. } | Code::Store { .. } => None,
    }
}

/// The instructions whose results are used.
fn live(codes: &[Code]) -> Vec<Code> {
    let mut needed = std::collections::HashSet::new();
    let mut kept = Vec::with_capacity(codes.len());
    for code in codes.iter().rev() {
        if result(code).is_none_or(|v| needed.contains(&v)) {
            needed.extend(reads(code).into_iter().filter_map(|s| match s {
                Source::Value(v) => Some(v),
                Source::None | Source::Constant(_) | Source::Invariant(_) | Source::Partial(_) => None,
            }));
            kept.push(*code);
        }
    }
    kept.reverse();
    kept
}

impl Pass<'_> {
    pub(super) fn emit(&mut self, codes: &[Code]) {
        let codes = live(codes);
        let mut uses: HashMap<Value, Vec<usize>> = HashMap::new();
        for (position, code) in codes.iter().enumerate().rev() {
            for source in reads(code) {
                if let Source::Value(value) = source {
                    uses.entry(value).or_default().push(position);
                }
            }
        }
        let free = (0..16 - self.partials as u8).rev().collect();
        let mut state = State {
            pass: self,
            homes: HashMap::new(),
            uses,
            free,
            inside: [None; 16],
            slots: Vec::new(),
            ending: Vec::new(),
            position: 0,
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
    fn asm(&mut self) -> &mut Assembler {
        self.pass.assembler
    }

    fn partial(partial: usize) -> u8 {
        15 - partial as u8
    }

    /// The next position, from this one on, at which a value is read.
    fn next_use(&self, value: Value) -> Option<usize> {
        self.uses.get(&value)?.iter().rev().copied().find(|&p| p >= self.position)
    }

    /// Whether nothing after this instruction reads the value.
    fn ends(&self, value: Value) -> bool {
        self.uses.get(&value).is_none_or(|uses| uses.iter().all(|&p| p <= self.position))
    }

    /// A register that may be written, not one of `busy`.
    fn take(&mut self, busy: &[u8]) -> u8 {
        if let Some(position) = self.free.iter().rposition(|r| !busy.contains(r)) {
            return self.free.remove(position);
        }
        let last = self.pass.partials;
        let (register, value) = (0..16 - last as u8)
            .filter(|r| !busy.contains(r))
            .filter_map(|r| self.inside[r as usize].map(|value| (r, value)))
            .max_by_key(|&(_, value)| self.next_use(value).unwrap_or(usize::MAX))
            .expect("an instruction has at most four operands");
        let home = self.homes[&value];
        if home.slot.is_none() {
            let slot = self.slots.pop().unwrap_or_else(|| {
                self.pass.frame.end += 32;
                self.pass.frame.end - 32
            });
            self.asm().vector(code::MOVE_TO, register, 0, Operand::Base(RSP, slot), None);
            self.homes.insert(value, Home { register: None, slot: Some(slot) });
        } else {
            self.homes.insert(value, Home { register: None, ..home });
        }
        self.inside[register as usize] = None;
        register
    }

    fn put(&mut self, value: Value, register: u8) {
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

    /// Frees the registers of the values that this instruction was the last to read.
    fn finish(&mut self, sources: &[Source]) {
        for source in sources {
            if let Source::Value(value) = source
                && self.ends(*value)
            {
                self.release(*value);
            }
        }
    }

    /// Where a source can be read without moving it.
    fn operand(&self, source: Source) -> Operand {
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
            Source::Invariant(MASK) => Operand::Base(RSP, self.pass.frame.mask),
            Source::Invariant(invariant) => Operand::Base(RSP, 32 * invariant as i32),
            Source::Partial(partial) => Operand::Register(Self::partial(partial)),
            Source::None => unreachable!("the form has this operand"),
        }
    }

    fn is_register(&self, source: Source) -> bool {
        matches!(self.operand(source), Operand::Register(_))
    }

    /// A source in a register; `temporary` collects those that must be given back.
    fn register(&mut self, source: Source, busy: &mut Vec<u8>, temporary: &mut Vec<u8>) -> u8 {
        let operand = self.operand(source);
        if let Operand::Register(register) = operand {
            busy.push(register);
            return register;
        }
        let register = self.take(busy);
        self.asm().vector(code::MOVE, register, 0, operand, None);
        busy.push(register);
        match source {
            Source::Value(value) => {
                self.inside[register as usize] = Some(value);
                self.homes.get_mut(&value).expect("it is in the frame").register = Some(register);
            }
            Source::None | Source::Constant(_) | Source::Invariant(_) | Source::Partial(_) => temporary.push(register),
        }
        register
    }

    fn code(&mut self, code: &Code) {
        match *code {
            Code::Vector { op, result, sources, immediate } => {
                let register = self.vector(op, sources, immediate, None);
                self.put(result, register);
            }
            Code::Accumulate { op, partial, sources, immediate } => {
                self.vector(op, sources, immediate, Some(Self::partial(partial)));
            }
            Code::Load { result, place, .. } if place.stride != 1 && !self.pass.tail => {
                let register = self.gather(place);
                self.put(result, register);
            }
            Code::Load { op, result, place } => {
                let operand = self.place(place, true);
                let register = self.take(&[]);
                self.asm().vector(op, register, 0, operand, None);
                self.put(result, register);
            }
            Code::Store { op, value, place, immediate } => {
                let (mut busy, mut temporary) = (Vec::new(), Vec::new());
                let register = self.register(value, &mut busy, &mut temporary);
                if self.pass.tail {
                    let bounce = Operand::Base(RSP, self.pass.frame.bounce);
                    self.asm().vector(op, register, 0, bounce, immediate);
                    self.copy(place, false);
                } else if place.stride != 1 {
                    self.scatter(register, &busy, place);
                } else {
                    let operand = self.place(place, false);
                    self.asm().vector(op, register, 0, operand, immediate);
                }
                self.free.append(&mut temporary);
                self.finish(&[value]);
            }
            Code::Ramp { result, coefficient, double } => {
                let register = self.take(&[]);
                let bytes = coefficient.to_le_bytes();
                self.asm().general("imul", &[0x69], RAX, Operand::Register(RCX), &bytes);
                self.asm().vector(code::FROM_GENERAL, register, 0, Operand::Register(RAX), None);
                self.asm().vector(code::spread(double), register, 0, Operand::Register(register), None);
                self.put(result, register);
            }
            Code::Rarely { result, condition, operand, otherwise, routine } => {
                let (mut busy, mut temporary) = (Vec::new(), Vec::new());
                let condition_register = self.register(condition, &mut busy, &mut temporary);
                let operand_register = self.register(operand, &mut busy, &mut temporary);
                let moved = self.operand(otherwise);
                let register = self.take(&busy);
                self.asm().vector(code::MOVE, register, 0, moved, None);
                let (entry, back) = (self.asm().label(), self.asm().label());
                self.asm().vector(code::SIGNS, RAX, 0, Operand::Register(condition_register), None);
                self.asm().bytes("test eax, eax", &[0x85, 0xc0]);
                self.asm().jump_if(NOT_EQUAL, entry);
                self.asm().place(back);
                self.pass.rares.push(Rare {
                    entry,
                    back,
                    result: register,
                    condition: condition_register,
                    operand: operand_register,
                    routine,
                });
                self.free.append(&mut temporary);
                self.finish(&[condition, operand, otherwise]);
                self.put(result, register);
            }
        }
    }

    /// Emits an instruction and gives the register of its result.
    fn vector(&mut self, op: Opcode, sources: [Source; 3], immediate: Option<u8>, fixed: Option<u8>) -> u8 {
        let (mut busy, mut temporary) = (Vec::new(), Vec::new());
        let [mut x, mut y, z] = sources;
        match op.form {
            Form::Two => {
                if is_reversed(op) {
                    let from = self.register(x, &mut busy, &mut temporary);
                    self.free.append(&mut temporary);
                    self.finish(&sources);
                    let to = fixed.unwrap_or_else(|| self.take(&[]));
                    self.asm().vector(op, from, 0, Operand::Register(to), immediate);
                    return to;
                }
                let operand = self.operand(x);
                self.finish(&sources);
                let to = fixed.unwrap_or_else(|| self.take(&[]));
                self.asm().vector(op, to, 0, operand, immediate);
                to
            }
            Form::Shift(extension) => {
                let from = self.register(x, &mut busy, &mut temporary);
                self.free.append(&mut temporary);
                self.finish(&sources);
                let to = fixed.unwrap_or_else(|| self.take(&[]));
                self.asm().vector(op, extension, to, Operand::Register(from), immediate);
                to
            }
            Form::Three => {
                if op.commutes && !self.is_register(x) && self.is_register(y) {
                    std::mem::swap(&mut x, &mut y);
                }
                let first = self.register(x, &mut busy, &mut temporary);
                // Where x and y are one value, it is in a register now.
                let second = self.operand(y);
                self.free.append(&mut temporary);
                self.finish(&sources);
                let to = fixed.unwrap_or_else(|| self.take(&[]));
                self.asm().vector(op, to, first, second, immediate);
                to
            }
            Form::Blend => {
                let first = self.register(x, &mut busy, &mut temporary);
                let mask = self.register(z, &mut busy, &mut temporary);
                let second = self.operand(y);
                self.free.append(&mut temporary);
                self.finish(&sources);
                let to = fixed.unwrap_or_else(|| self.take(&[]));
                self.asm().vector(op, to, first, second, Some(mask << 4));
                to
            }
            Form::Fused => self.fused(op, sources, fixed),
        }
    }

    /// `x * y + z` in the register of one of the three.
    fn fused(&mut self, op: Opcode, [x, y, z]: [Source; 3], fixed: Option<u8>) -> u8 {
        let (mut busy, mut temporary) = (Vec::new(), Vec::new());
        let form = |code: u8| Opcode { code, ..op };
        let dies = |state: &Self, source: Source| match source {
            Source::Value(value) => {
                let once = [x, y, z].iter().filter(|&&s| s == source).count() == 1;
                once && state.ends(value) && state.homes[&value].register.is_some() && fixed.is_none()
            }
            Source::None | Source::Constant(_) | Source::Invariant(_) | Source::Partial(_) => false,
        };
        let (x, y) = if self.is_register(x) { (x, y) } else { (y, x) };
        let to;
        if dies(self, z) {
            to = self.register(z, &mut busy, &mut temporary);
            let first = self.register(x, &mut busy, &mut temporary);
            let second = self.operand(y);
            self.asm().vector(form(op.code + 0x20), to, first, second, None);
        } else if dies(self, x) || dies(self, y) {
            let (product, other) = if dies(self, x) { (x, y) } else { (y, x) };
            to = self.register(product, &mut busy, &mut temporary);
            if self.is_register(other) || !self.is_register(z) {
                let first = self.register(other, &mut busy, &mut temporary);
                let second = self.operand(z);
                self.asm().vector(form(op.code + 0x10), to, first, second, None);
            } else {
                let first = self.register(z, &mut busy, &mut temporary);
                let second = self.operand(other);
                self.asm().vector(op, to, first, second, None);
            }
        } else {
            let first = self.register(x, &mut busy, &mut temporary);
            if let Operand::Register(register) = self.operand(y) {
                busy.push(register);
            }
            to = match fixed {
                Some(fixed) => fixed,
                None => self.take(&busy),
            };
            let (second, start) = (self.operand(y), self.operand(z));
            self.asm().vector(code::MOVE, to, 0, start, None);
            self.asm().vector(form(op.code + 0x20), to, first, second, None);
        }
        self.free.append(&mut temporary);
        // The result has the register of a value that ends here: it must not be given back.
        if let Some(value) = self.inside[to as usize].take()
            && let Some(home) = self.homes.get_mut(&value)
        {
            home.register = None;
        }
        self.finish(&[x, y, z]);
        to
    }

    /// The address of a place, or of a copy of what is left of it.
    fn place(&mut self, place: Place, load: bool) -> Operand {
        if self.pass.tail && load {
            self.copy(place, true);
            return Operand::Base(RSP, self.pass.frame.bounce);
        }
        let base = self.base(place.stream);
        Operand::Element { base, size: place.size as u8, displacement: place.displacement }
    }

    fn base(&mut self, stream: usize) -> Gpr {
        match BASES.get(stream) {
            Some(&base) => base,
            None => {
                self.asm().general("mov", &[0x8b], R11, Operand::Base(RDI, 8 * (1 + stream as i32)), &[]);
                R11
            }
        }
    }

    /// The elements of a place with a stride, lane by lane.
    fn gather(&mut self, place: Place) -> u8 {
        let double = place.size == 8;
        let at = self.lane_address(place);
        let halves = [self.take(&[]), self.take(&[])];
        let lanes = self.pass.lanes as i32 / 2;
        for (half, register) in (0..).zip(halves) {
            self.asm().vector(code::load_one(double), register, 0, at(lanes * half), None);
            for lane in 1..lanes {
                let operand = at(lanes * half + lane);
                self.asm().vector(code::insert(double), register, register, operand, Some(lane as u8));
            }
        }
        self.asm().vector(code::JOIN, halves[0], halves[0], Operand::Register(halves[1]), Some(1));
        self.free.push(halves[1]);
        halves[0]
    }

    /// The lanes of a register to a place with a stride.
    fn scatter(&mut self, register: u8, busy: &[u8], place: Place) {
        let double = place.size == 8;
        let at = self.lane_address(place);
        let high = self.take(busy);
        self.asm().vector(code::HIGH_HALF, register, 0, Operand::Register(high), Some(1));
        let lanes = self.pass.lanes as i32 / 2;
        for (half, from) in (0..).zip([register, high]) {
            for lane in 0..lanes {
                self.asm().vector(code::extract(double), from, 0, at(lanes * half + lane), Some(lane as u8));
            }
        }
        self.free.push(high);
    }

    /// Where the element of each lane is, until the next use of r11.
    fn lane_address(&mut self, place: Place) -> impl Fn(i32) -> Operand + use<> {
        let step = place.stride * place.size as i32;
        let base = if place.stride == 1 {
            self.base(place.stream)
        } else {
            let stream = match BASES.get(place.stream) {
                Some(&base) => Operand::Register(base),
                None => Operand::Base(RDI, 8 * (1 + place.stream as i32)),
            };
            self.asm().general("imul", &[0x69], R11, Operand::Register(RCX), &step.to_le_bytes());
            self.asm().general("add", &[0x03], R11, stream, &[]);
            R11
        };
        move |lane| {
            let displacement = place.displacement + lane * step;
            if place.stride == 1 {
                Operand::Element { base, size: place.size as u8, displacement }
            } else {
                Operand::Base(base, displacement)
            }
        }
    }

    /// Copies the elements of the tail between a place and the frame, none beyond the last.
    fn copy(&mut self, place: Place, load: bool) {
        let at = self.lane_address(place);
        let done = self.asm().label();
        let (rest, bounce) = (self.pass.frame.rest, self.pass.frame.bounce);
        for lane in 0..self.pass.lanes as i32 - 1 {
            if lane > 0 {
                self.asm().general("cmp", &[0x83], 7, Operand::Base(RSP, rest), &[lane as u8]);
                self.asm().jump_if(LESS_OR_EQUAL, done);
            }
            let (outside, inside) = (at(lane), Operand::Base(RSP, bounce + lane * place.size as i32));
            let (from, to) = if load { (outside, inside) } else { (inside, outside) };
            self.asm().element(place.size, true, from);
            self.asm().element(place.size, false, to);
        }
        self.asm().place(done);
    }
}

impl Rare {
    /// The branch: saves every register, calls the routine for both halves of the operand, and blends. Gives where the address of the
    /// routine goes, and which one.
    pub(super) fn emit(&self, assembler: &mut Assembler, frame: &Frame, double: bool) -> [(usize, usize); 2] {
        const GENERAL: [Gpr; 8] = [6, 2, 8, 9, 10, RDI, RCX, R11];
        let at = |offset: i32| Operand::Base(RSP, frame.saved + offset);
        assembler.place(self.entry);
        for register in 0..16 {
            assembler.vector(code::MOVE_TO, register, 0, at(32 * register as i32), None);
        }
        assembler.vector(code::MOVE_TO, self.operand, 0, at(OPERAND), None);
        for (i, &register) in GENERAL.iter().enumerate() {
            assembler.general("mov", &[0x89], register, at(SAVED_GENERAL + 8 * i as i32), &[]);
        }
        assembler.bytes("vzeroupper", &[0xc5, 0xf8, 0x77]);
        let calls = [0, 16].map(|half| {
            assembler.general("lea", &[0x8d], RDI, at(OPERAND + half), &[]);
            assembler.bytes("mov rax, routine", &[0x48, 0xb8]);
            let place = assembler.code.len();
            assembler.code.extend([0; 8]);
            assembler.bytes("call rax", &[0xff, 0xd0]);
            (place, self.routine)
        });
        for (i, &register) in GENERAL.iter().enumerate() {
            assembler.general("mov", &[0x8b], register, at(SAVED_GENERAL + 8 * i as i32), &[]);
        }
        for register in 0..16 {
            assembler.vector(code::MOVE, register, 0, at(32 * register as i32), None);
        }
        let mask = Some(self.condition << 4);
        assembler.vector(code::blend(double), self.result, self.result, at(OPERAND), mask);
        assembler.jump(self.back);
        calls
    }
}
