//! Bytes of the few x86-64 instructions that wide loops are made of.

#[cfg(test)]
mod tests;

use super::opcode::{Form, Length, Opcode};
use crate::target::Wide;

/// A general register by its number.
pub(super) type Gpr = u8;
pub(super) const RAX: Gpr = 0;
pub(super) const RCX: Gpr = 1;
pub(super) const RSP: Gpr = 4;
pub(super) const RSI: Gpr = 6;
pub(super) const RDI: Gpr = 7;
pub(super) const R11: Gpr = 11;

/// Conditions of jumps.
pub(super) const EQUAL: u8 = 4;
pub(super) const NOT_EQUAL: u8 = 5;
/// After a test of a mask: some bit is clear.
pub(super) const NOT_ALL: u8 = 3;
pub(super) const LESS_OR_EQUAL: u8 = 14;
pub(super) const GREATER: u8 = 15;

/// The last operand of an instruction: a register or memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    /// A vector, mask or general register, as the instruction has it.
    Register(u8),
    /// `[base + displacement]`.
    Base(Gpr, i32),
    /// `[base + rcx * size + displacement]`.
    Element { base: Gpr, size: u8, displacement: i32 },
    /// `[base + lane * scale]` for the lanes of a vector register.
    Lanes { base: Gpr, index: u8, scale: u8, displacement: i32 },
    /// An entry of the table of constants.
    Constant(usize),
}

/// The lanes that an instruction writes: those of a mask register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Masking {
    /// All.
    None,
    /// The others stay.
    Merge(u8),
    /// The others become 0.
    Zero(u8),
}

/// A place that the distance to a constant goes to, and where its instruction ends.
struct ConstantUse {
    at: usize,
    end: usize,
    constant: usize,
}

/// A place in the code, possibly later, that jumps go to.
#[derive(Clone, Copy)]
pub(super) struct Label(usize);

/// Machine code in the making.
pub(super) struct Assembler {
    wide: Wide,
    /// How many iterations a vector has.
    lanes: usize,
    pub(super) code: Vec<u8>,
    /// What was emitted, one instruction a line.
    pub(super) text: String,
    uses: Vec<ConstantUse>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    pub(super) fn new(wide: Wide, lanes: usize) -> Assembler {
        let (code, text) = (Vec::new(), String::new());
        Assembler { wide, lanes, code, text, uses: Vec::new(), labels: Vec::new(), jumps: Vec::new() }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        use std::fmt::Write;
        writeln!(self.text, "  {text}").expect("strings grow");
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub(super) fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
        use std::fmt::Write;
        writeln!(self.text, "wide{}:", label.0).expect("strings grow");
    }

    /// A jump where a condition holds.
    pub(super) fn jump_if(&mut self, condition: u8, label: Label) {
        let name = match condition {
            EQUAL => "e",
            NOT_EQUAL => "ne",
            NOT_ALL => "nc",
            LESS_OR_EQUAL => "le",
            GREATER => "g",
            _ => unreachable!("no other condition is used"),
        };
        self.line(format_args!("j{name} wide{}", label.0));
        self.code.extend([0x0f, 0x80 | condition]);
        self.distance(label);
    }

    pub(super) fn jump(&mut self, label: Label) {
        self.line(format_args!("jmp wide{}", label.0));
        self.code.push(0xe9);
        self.distance(label);
    }

    fn distance(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.code.extend([0; 4]);
    }

    /// The bytes that name the operands. `immediate` bytes follow.
    fn operands(&mut self, register: u8, operand: Operand, immediate: usize) {
        let reg = (register & 7) << 3;
        match operand {
            Operand::Register(r) => self.code.push(0xc0 | reg | (r & 7)),
            Operand::Base(base, displacement) => {
                self.code.push(0x80 | reg | (base & 7));
                if base & 7 == RSP {
                    self.code.push(0x24);
                }
                self.code.extend(displacement.to_le_bytes());
            }
            Operand::Element { base, size, displacement } => {
                self.code.push(0x80 | reg | 4);
                self.code.push((size.trailing_zeros() as u8) << 6 | RCX << 3 | (base & 7));
                self.code.extend(displacement.to_le_bytes());
            }
            Operand::Lanes { base, index, scale, displacement } => {
                self.code.push(0x80 | reg | 4);
                self.code.push((scale.trailing_zeros() as u8) << 6 | (index & 7) << 3 | (base & 7));
                self.code.extend(displacement.to_le_bytes());
            }
            Operand::Constant(constant) => {
                self.code.push(reg | 5);
                let at = self.code.len();
                self.uses.push(ConstantUse { at, end: at + 4 + immediate, constant });
                self.code.extend([0; 4]);
            }
        }
    }

    /// The number of the register that names an operand's high bit.
    fn base_of(operand: Operand) -> u8 {
        match operand {
            Operand::Register(r) => r,
            Operand::Base(base, _) | Operand::Element { base, .. } | Operand::Lanes { base, .. } => base,
            Operand::Constant(_) => 0,
        }
    }

    /// How many bytes the vectors of an instruction have.
    fn bytes_of(&self, op: Opcode) -> usize {
        match op.length {
            Length::Four => (4 * self.lanes).max(16),
            Length::Eight => 8 * self.lanes,
            Length::Low => 16,
            Length::Whole => self.wide.bytes(),
        }
    }

    /// A vector instruction: `reg`, `second` and `operand` as the encoding has them.
    pub(super) fn vector(&mut self, op: Opcode, reg: u8, second: u8, operand: Operand, immediate: Option<u8>) {
        self.masked(op, reg, second, operand, immediate, Masking::None);
    }

    /// As [`Assembler::vector`], on some lanes.
    pub(super) fn masked(
        &mut self,
        op: Opcode,
        reg: u8,
        second: u8,
        operand: Operand,
        immediate: Option<u8>,
        masking: Masking,
    ) {
        match op.form {
            Form::Masks => self.vex(op, true, reg, second, operand),
            Form::MaskNot => self.vex(op, false, reg, second, operand),
            Form::Three
            | Form::Two
            | Form::Into
            | Form::Shift(_)
            | Form::Blend
            | Form::Choose
            | Form::Keep
            | Form::Fused
            | Form::Order
            | Form::Test
            | Form::TestOne
            | Form::TestUnder
            | Form::FromMask => match self.wide {
                Wide::Avx2 => self.vex(op, self.bytes_of(op) == 32, reg, second, operand),
                Wide::Avx512 => self.evex(op, reg, second, operand, masking),
            },
        }
        self.code.push(op.code);
        self.operands(reg, operand, immediate.is_some() as usize);
        self.code.extend(immediate);
        self.show(op, reg, second, operand, immediate, masking);
    }

    /// The prefix of instructions on at most 256 bits and on mask registers.
    fn vex(&mut self, op: Opcode, long: bool, reg: u8, second: u8, operand: Operand) {
        let high = |r: u8| (!r >> 3) & 1;
        self.code.push(0xc4);
        self.code.push(high(reg) << 7 | 1 << 6 | high(Assembler::base_of(operand)) << 5 | op.map);
        self.code.push((op.wide_bit as u8) << 7 | (!second & 15) << 3 | (long as u8) << 2 | op.prefix);
    }

    /// The prefix of AVX-512: five bits for each register, the length, and the mask.
    fn evex(&mut self, op: Opcode, reg: u8, second: u8, operand: Operand, masking: Masking) {
        let bit = |register: u8, bit: u8| (!register >> bit) & 1;
        let base = Assembler::base_of(operand);
        // The highest bit of a register operand is where memory operands have that of their index.
        let (above, fifth) = match operand {
            Operand::Register(r) => (bit(r, 4), bit(second, 4)),
            Operand::Lanes { index, .. } => (bit(index, 3), bit(index, 4)),
            Operand::Base(..) | Operand::Element { .. } | Operand::Constant(_) => (1, bit(second, 4)),
        };
        let (mask, zeroing) = match masking {
            Masking::None => (0, 0),
            Masking::Merge(mask) => (mask, 0),
            Masking::Zero(mask) => (mask, 1),
        };
        let length = self.bytes_of(op).trailing_zeros() as u8 - 4;
        self.code.push(0x62);
        self.code.push(bit(reg, 3) << 7 | above << 6 | bit(base, 3) << 5 | bit(reg, 4) << 4 | op.map);
        self.code.push((op.wide_bit as u8) << 7 | (!second & 15) << 3 | 1 << 2 | op.prefix);
        self.code.push(zeroing << 7 | length << 5 | fifth << 3 | mask);
    }

    fn show(&mut self, op: Opcode, reg: u8, second: u8, operand: Operand, immediate: Option<u8>, masking: Masking) {
        let bytes = self.bytes_of(op);
        let kind = match bytes {
            16 => "xmm",
            32 => "ymm",
            _ => "zmm",
        };
        let immediate = immediate.map_or(String::new(), |i| format!(", {i}"));
        let mask = match masking {
            Masking::None => String::new(),
            Masking::Merge(mask) => format!("{{k{mask}}}"),
            Masking::Zero(mask) => format!("{{k{mask}}}{{z}}"),
        };
        let (name, shown) = (op.name, Shown(operand, kind));
        match op.form {
            Form::Two | Form::Keep => self.line(format_args!("{name} {kind}{reg}{mask}, {shown}{immediate}")),
            Form::Into => self.line(format_args!("{name} {shown}{mask}, {kind}{reg}{immediate}")),
            Form::Shift(_) => self.line(format_args!("{name} {kind}{second}{mask}, {shown}{immediate}")),
            Form::Three | Form::Blend | Form::Choose | Form::Order => {
                self.line(format_args!("{name} {kind}{reg}{mask}, {kind}{second}, {shown}{immediate}"));
            }
            Form::Fused => {
                let order = ["132", "213", "231"][(op.code >> 4) as usize - 9];
                let name = name.replace("132", order);
                self.line(format_args!("{name} {kind}{reg}{mask}, {kind}{second}, {shown}"));
            }
            Form::Test | Form::TestUnder => {
                self.line(format_args!("{name} k{reg}{mask}, {kind}{second}, {shown}{immediate}"))
            }
            Form::TestOne => self.line(format_args!("{name} k{reg}{mask}, {shown}{immediate}")),
            Form::Masks => self.line(format_args!("{name} k{reg}, k{second}, {}", Shown(operand, "k"))),
            Form::MaskNot => self.line(format_args!("{name} k{reg}, {}", Shown(operand, "k"))),
            Form::FromMask => self.line(format_args!("{name} {kind}{reg}, {}", Shown(operand, "k"))),
        }
    }

    /// An instruction on 64-bit general registers, `opcode reg, operand`.
    pub(super) fn general(&mut self, name: &str, opcode: &[u8], register: Gpr, operand: Operand, immediate: &[u8]) {
        self.code.push(0x48 | (register >> 3) << 2 | (Assembler::base_of(operand) >> 3));
        self.code.extend(opcode);
        self.operands(register, operand, immediate.len());
        self.code.extend(immediate);
        let mut bytes = [0; 4];
        bytes[..immediate.len()].copy_from_slice(immediate);
        let (register, operand) = (GENERAL[register as usize], Shown(operand, ""));
        match immediate {
            [] => self.line(format_args!("{name} {register}, {operand}")),
            // One of the opcodes that an extension in the place of the register tells apart, or three operands.
            [..] if name == "imul" => {
                self.line(format_args!("imul {register}, {operand}, {}", i32::from_le_bytes(bytes)))
            }
            [..] => self.line(format_args!("{name} {operand}, {}", i32::from_le_bytes(bytes))),
        }
    }

    /// Moves an element of 1, 2, 4 or 8 bytes between memory and rax.
    pub(super) fn element(&mut self, size: usize, load: bool, operand: Operand) {
        if size == 2 {
            self.code.push(0x66);
        }
        let wide = if size == 8 { 8 } else { 0 };
        self.code.push(0x40 | wide | (Assembler::base_of(operand) >> 3));
        self.code.push(if load { 0x8a } else { 0x88 } | (size != 1) as u8);
        self.operands(RAX, operand, 0);
        let operand = Shown(operand, "");
        if load {
            self.line(format_args!("mov rax:{size}, {operand}"));
        } else {
            self.line(format_args!("mov {operand}, rax:{size}"));
        }
    }

    /// Brings the memory of an operand, wherever it is, into the first level of cache.
    pub(super) fn prefetch(&mut self, operand: Operand) {
        self.code.extend([0x40 | (Assembler::base_of(operand) >> 3), 0x0f, 0x18]);
        self.operands(1, operand, 0);
        self.line(format_args!("prefetcht0 {}", Shown(operand, "")));
    }

    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.code.extend(bytes);
        self.line(format_args!("{name}"));
    }

    /// Puts in the distances and appends the constants, a whole vector each.
    pub(super) fn finish(mut self, constants: &[[u64; 8]]) -> (Vec<u8>, String) {
        for (at, label) in std::mem::take(&mut self.jumps) {
            let target = self.labels[label.0].expect("placed before the end");
            self.code[at..at + 4].copy_from_slice(&(target as i32 - (at as i32 + 4)).to_le_bytes());
        }
        let size = self.wide.bytes();
        self.code.resize(self.code.len().next_multiple_of(size), 0xcc);
        let table = self.code.len();
        for used in &self.uses {
            let distance = (table + size * used.constant) as i32 - used.end as i32;
            self.code[used.at..used.at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        for (i, constant) in constants.iter().enumerate() {
            let words = &constant[..size / 8];
            words.iter().for_each(|word| self.code.extend(word.to_le_bytes()));
            let text: String = words.iter().rev().map(|word| format!("{word:016x}")).collect();
            self.line(format_args!("constant{i}: {text}"));
        }
        (self.code, self.text)
    }
}

/// The general registers by number.
const GENERAL: [&str; 16] =
    ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/// An operand, and what vector registers are called; nothing for general ones.
struct Shown(Operand, &'static str);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Operand::Register(r) if self.1.is_empty() => f.write_str(GENERAL[r as usize]),
            Operand::Register(r) => write!(f, "{}{r}", self.1),
            Operand::Base(base, displacement) => write!(f, "[{} + {displacement}]", GENERAL[base as usize]),
            Operand::Element { base, size, displacement } => {
                write!(f, "[{} + {size}*rcx + {displacement}]", GENERAL[base as usize])
            }
            Operand::Lanes { base, index, scale, displacement } => {
                write!(f, "[{} + {scale}*v{index} + {displacement}]", GENERAL[base as usize])
            }
            Operand::Constant(constant) => write!(f, "[constant{constant}]"),
        }
    }
}
