//! Elements between memory and registers.
//!
//! AVX-512 has masks, gathers and scatters. Without them, elements with a stride move lane by lane, and what is left after the last
//! whole vector goes through the frame, one element after the other.

use super::allocate::{BASES, Held, State, mask_number};
use super::code::{Place, Source, Value};
use super::encode::{Gpr, LESS_OR_EQUAL, Masking, Operand, R11, RCX, RDI, RSP};
use super::opcode::{Opcode, avx2, avx512, xor};
use crate::target::Wide;

impl State<'_, '_> {
    pub(super) fn load(&mut self, op: Opcode, result: Value, place: Place, mask: Source) {
        if self.pass.wide == Wide::Avx2 && place.stride != 1 && !place.packed && !self.pass.by_element {
            let register = self.collect(place);
            return self.put(result, register);
        }
        let operand = if self.pass.by_element {
            self.copy(place, true);
            Operand::Base(RSP, self.pass.frame.bounce)
        } else {
            self.element(place)
        };
        let mut held = Held::default();
        let masking = self.masking(mask, Masking::Zero, &mut held);
        self.finish(held, &[mask]);
        let register = self.take(false, &Held::default());
        self.asm().masked(op, register, 0, operand, None, masking);
        self.put(result, register);
    }

    pub(super) fn prefetch(&mut self, place: Place) {
        let operand = self.element(place);
        self.asm().prefetch(operand);
    }

    pub(super) fn store(&mut self, op: Opcode, value: Source, place: Place, immediate: Option<u8>, mask: Source) {
        let mut held = Held::default();
        let register = self.register(value, &mut held);
        let masking = self.masking(mask, Masking::Merge, &mut held);
        if self.pass.by_element {
            let bounce = Operand::Base(RSP, self.pass.frame.bounce);
            self.asm().vector(op, register, 0, bounce, immediate);
            self.copy(place, false);
        } else if place.stride != 1 && !place.packed {
            self.distribute(register, &held, place);
        } else {
            let operand = self.element(place);
            self.asm().masked(op, register, 0, operand, immediate, masking);
        }
        self.finish(held, &[value, mask]);
    }

    /// Elements at positions in lanes.
    pub(super) fn gather(&mut self, op: Opcode, result: Value, place: Place, index: (Source, u8), mask: Source) {
        let mut held = Held::default();
        let lanes = self.register(index.0, &mut held);
        let taken = self.copied_mask(mask, &mut held);
        let operand = self.lanes_operand(place, lanes, index.1);
        let register = self.take(false, &held);
        // Lanes that are not loaded keep what is in the register.
        let zero = Operand::Register(register);
        self.asm().vector(xor(false).whole(), register, register, zero, None);
        self.asm().masked(op, register, 0, operand, None, Masking::Merge(taken));
        self.finish(held, &[index.0, mask]);
        self.put(result, register);
    }

    /// Lanes to positions in lanes.
    pub(super) fn scatter(&mut self, op: Opcode, value: Source, place: Place, index: (Source, u8), mask: Source) {
        let mut held = Held::default();
        let from = self.register(value, &mut held);
        let lanes = self.register(index.0, &mut held);
        let taken = self.copied_mask(mask, &mut held);
        let operand = self.lanes_operand(place, lanes, index.1);
        self.asm().masked(op, from, 0, operand, None, Masking::Merge(taken));
        self.finish(held, &[value, index.0, mask]);
    }

    /// A mask in a register that the instruction may clear; all lanes where there is none.
    fn copied_mask(&mut self, mask: Source, held: &mut Held) -> u8 {
        let from = self.masking(mask, Masking::Merge, held);
        let taken = self.scratch(true, held);
        let taken = mask_number(taken);
        match from {
            Masking::None => self.asm().vector(avx512::MASK_ONES, taken, taken, Operand::Register(taken), None),
            Masking::Merge(from) | Masking::Zero(from) => {
                self.asm().vector(avx512::mask_load(false), taken, 0, Operand::Register(from), None);
            }
        }
        taken
    }

    fn lanes_operand(&mut self, place: Place, index: u8, scale: u8) -> Operand {
        let base = self.stepped(place);
        Operand::Lanes { base, index, scale, displacement: place.displacement }
    }

    /// The address of consecutive elements.
    fn element(&mut self, place: Place) -> Operand {
        let displacement = place.displacement;
        match place.stride * place.size as i32 {
            step @ (1 | 2 | 4 | 8) => {
                let base = self.base(place.stream);
                Operand::Element { base, size: step as u8, displacement }
            }
            _ => Operand::Base(self.stepped(place), displacement),
        }
    }

    fn base(&mut self, stream: usize) -> Gpr {
        match BASES.get(stream) {
            Some(&base) => base,
            None => {
                self.stepped = None;
                self.asm().general("mov", &[0x8b], R11, Operand::Base(RDI, 8 * (1 + stream as i32)), &[]);
                R11
            }
        }
    }

    /// A register, until the next use of r11, with the address of a place at this iteration, not displaced.
    fn stepped(&mut self, place: Place) -> Gpr {
        if place.stride == 0 {
            return self.base(place.stream);
        }
        let step = place.stride * place.size as i32;
        if self.stepped.replace((place.stream, step)) == Some((place.stream, step)) {
            return R11;
        }
        let stream = match BASES.get(place.stream) {
            Some(&base) => Operand::Register(base),
            None => Operand::Base(RDI, 8 * (1 + place.stream as i32)),
        };
        self.asm().general("imul", &[0x69], R11, Operand::Register(RCX), &step.to_le_bytes());
        self.asm().general("add", &[0x03], R11, stream, &[]);
        R11
    }

    /// The elements of a place with a stride, lane by lane.
    fn collect(&mut self, place: Place) -> u8 {
        let double = place.size == 8;
        let at = self.lane_address(place);
        let mut held = Held::default();
        let high = self.scratch(false, &mut held);
        let low = self.take(false, &held);
        let lanes = self.pass.lanes as i32 / 2;
        for (half, register) in (0..).zip([low, high]) {
            self.asm().vector(avx2::load_one(double), register, 0, at(lanes * half), None);
            for lane in 1..lanes {
                let operand = at(lanes * half + lane);
                self.asm().vector(avx2::insert(double), register, register, operand, Some(lane as u8));
            }
        }
        self.asm().vector(avx2::JOIN, low, low, Operand::Register(high), Some(1));
        self.finish(held, &[]);
        low
    }

    /// The lanes of a register to a place with a stride.
    fn distribute(&mut self, register: u8, held: &Held, place: Place) {
        let double = place.size == 8;
        let at = self.lane_address(place);
        let high = self.take(false, held);
        self.asm().vector(avx2::HIGH_HALF, register, 0, Operand::Register(high), Some(1));
        let lanes = self.pass.lanes as i32 / 2;
        for (half, from) in (0..).zip([register, high]) {
            for lane in 0..lanes {
                self.asm().vector(avx2::extract(double), from, 0, at(lanes * half + lane), Some(lane as u8));
            }
        }
        self.give_back(high);
    }

    /// Where the element of each lane is, until the next use of r11.
    fn lane_address(&mut self, place: Place) -> impl Fn(i32) -> Operand + use<> {
        let step = place.stride * place.size as i32;
        let base = if place.stride == 1 { self.base(place.stream) } else { self.stepped(place) };
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
