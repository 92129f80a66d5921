//! The instructions of a wide loop before registers are allocated.

use super::opcode::Opcode;

/// A value of the loop body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Value(pub(super) u32);

/// What an instruction reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Source {
    /// Nothing.
    None,
    /// A value of the body.
    Value(Value),
    /// A constant vector, in the table.
    Constant(usize),
    /// A value from outside of the loop, the same in all lanes, in the frame.
    Invariant(usize),
    /// Partial results of a reduction, in their register.
    Partial(usize),
    /// The lanes that the tail has: a vector in the frame with AVX2, a mask register with AVX-512.
    Tail,
}

impl Source {
    pub(super) fn value(self) -> Option<Value> {
        match self {
            Source::Value(value) => Some(value),
            Source::None | Source::Constant(_) | Source::Invariant(_) | Source::Partial(_) | Source::Tail => None,
        }
    }

    pub(super) fn constant(self) -> Option<usize> {
        match self {
            Source::Constant(constant) => Some(constant),
            Source::None | Source::Value(_) | Source::Invariant(_) | Source::Partial(_) | Source::Tail => None,
        }
    }
}

/// Elements that move with the loop: `streams[stream]`, displaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) stream: usize,
    /// In bytes, from the element of the first lane.
    pub(super) displacement: i32,
    /// Bytes of an element.
    pub(super) size: usize,
    /// Elements from one lane's to the next.
    pub(super) stride: i32,
    /// Whether what is meant are neighbours in memory all the same, as many as there are lanes.
    pub(super) packed: bool,
}

/// An instruction. A mask says which lanes take part; only AVX-512 has any.
#[derive(Clone, Copy, Debug)]
pub(super) enum Code {
    /// An opcode on up to three operands.
    Vector { op: Opcode, result: Value, sources: [Source; 3], immediate: Option<u8> },
    /// As `Vector` with the result in the register of a partial result, whose other lanes stay.
    Accumulate { op: Opcode, partial: usize, sources: [Source; 3], immediate: Option<u8>, mask: Source },
    /// The elements of a place, widened by the opcode if they are narrow; 0 in other lanes.
    Load { op: Opcode, result: Value, place: Place, mask: Source },
    /// The value's low bytes to a place.
    Store { op: Opcode, value: Source, place: Place, immediate: Option<u8>, mask: Source },
    /// Asks for the memory of a place, which need not be the program's.
    Prefetch { place: Place },
    /// The elements at a place plus `scale` bytes times the index in each lane; 0 in other lanes.
    Gather { op: Opcode, result: Value, place: Place, index: Source, scale: u8, mask: Source },
    /// The lanes to a place plus `scale` bytes times the index in each lane.
    Scatter { op: Opcode, value: Source, place: Place, index: Source, scale: u8, mask: Source },
    /// `coefficient` times the number of the iteration, in every lane that of its first.
    Ramp { result: Value, coefficient: i32, double: bool },
    /// `condition ? rarity(operands) : otherwise`, around which the code branches. The second operand may be none.
    Rarely { result: Value, condition: Source, operands: [Source; 2], otherwise: Source, rarity: Rarity, double: bool },
}

/// What is done rarely.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rarity {
    /// A routine is called, the one in this place in the list.
    Routine(usize),
    /// An instruction on the operands, for which there are masks.
    Instruction(Opcode),
    /// Products `x 2^n` with subnormal results, where the condition says which are not: those are scaled in any case. `raised` and `least` are constants:
    /// what makes of n a power of the least subnormal number, and an exponent of which no such number is left.
    Subnormal { raised: usize, least: usize },
}

impl Code {
    /// What it reads.
    pub(super) fn reads(&self) -> [Source; 4] {
        match *self {
            Code::Vector { sources: [x, y, z], .. } => [x, y, z, Source::None],
            Code::Accumulate { sources: [x, y, z], mask, .. } => [x, y, z, mask],
            Code::Load { mask, .. } => [mask, Source::None, Source::None, Source::None],
            Code::Store { value, mask, .. } => [value, mask, Source::None, Source::None],
            Code::Gather { index, mask, .. } => [index, mask, Source::None, Source::None],
            Code::Scatter { value, index, mask, .. } => [value, index, mask, Source::None],
            Code::Prefetch { .. } | Code::Ramp { .. } => [Source::None; 4],
            Code::Rarely { condition, operands: [x, y], otherwise, .. } => [condition, x, y, otherwise],
        }
    }

    pub(super) fn result(&self) -> Option<Value> {
        match self {
            Code::Vector { result, .. }
            | Code::Load { result, .. }
            | Code::Gather { result, .. }
            | Code::Ramp { result, .. }
            | Code::Rarely { result, .. } => Some(*result),
            Code::Accumulate { .. } | Code::Prefetch { .. } | Code::Store { .. } | Code::Scatter { .. } => None,
        }
    }
}

/// The instructions whose results are used.
pub(super) fn live(codes: &[Code]) -> Vec<Code> {
    let mut needed = std::collections::HashSet::new();
    let mut kept = Vec::with_capacity(codes.len());
    for code in codes.iter().rev() {
        if code.result().is_none_or(|v| needed.contains(&v)) {
            needed.extend(code.reads().into_iter().filter_map(Source::value));
            kept.push(*code);
        }
    }
    kept.reverse();
    kept
}

/// The most values that are alive at a time.
pub(super) fn pressure(codes: &[Code]) -> usize {
    let mut alive = std::collections::HashSet::new();
    let mut most = 0;
    for code in live(codes).iter().rev() {
        if let Some(result) = code.result() {
            alive.remove(&result);
        }
        alive.extend(code.reads().into_iter().filter_map(Source::value));
        most = most.max(alive.len());
    }
    most
}

/// The instructions of independent copies in turn, so that one need not wait for the results of another.
pub(super) fn interleaved(copies: Vec<Vec<Code>>) -> Vec<Code> {
    let longest = copies.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|i| copies.iter().filter_map(move |copy| copy.get(i).copied())).collect()
}
