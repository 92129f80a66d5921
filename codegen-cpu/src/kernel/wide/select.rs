//! From the body of a loop to vector instructions.
//!
//! A loop works either on as many lanes as a vector has of 32 bits, or of 64 bits. With AVX2 all its values are of that width, and
//! `bool` is a mask as wide as the lanes. With AVX-512 a loop on lanes of 64 bits may have values of 32 bits as well, in shorter vectors,
//! and `bool` is a mask register. `f16` and `bf16` are held as `f32`, and integers of 8 and 16 bits as integers of 32 bits in their range.
//! What the loop does not change is left to the code before it.

mod block;
mod convert;
mod division;
mod expression;
mod float;
mod index;
mod integer;
mod logic;
mod memory;
mod spread;

use std::collections::{HashMap, HashSet};

use rjax_ir::{Compare, DType, Scalar};
use rjax_kernel::kir::{Access, Expr, Index, Inst, Kernel, Loop, ParamId, Reg};

pub(super) use self::division::{Part, Range};
use super::code::{Code, Place, Source, Value, interleaved, pressure};
use super::opcode::{self, Form, Opcode};
use crate::kernel::Memory;
use crate::kernel::vector::{identity, reduction};
use crate::routines::Routine;
use crate::target::Wide;

/// Elements of a parameter that move with the loop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stream {
    pub(super) param: ParamId,
    pub(super) index: Index,
}

/// A scalar that the loop is called with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Invariant {
    Register(Reg),
    /// An index, where the variable is at its first value.
    Index(Index),
    /// Made of a register that the loop divides by.
    Divisor(Reg, Part),
}

/// A loop as vector instructions.
pub(super) struct Selection<'l> {
    pub(super) wide: Wide,
    pub(super) double: bool,
    /// Instructions of the body that the code before the loop runs instead.
    pub(super) hoisted: Vec<&'l Inst>,
    pub(super) streams: Vec<Stream>,
    /// Scalars, and whether their lanes have 64 bits.
    pub(super) invariants: Vec<(Invariant, bool)>,
    pub(super) constants: Vec<[u64; 8]>,
    pub(super) routines: Vec<Routine>,
    /// How many vectors of iterations a pass of the main loop has.
    pub(super) copies: usize,
    /// That pass.
    pub(super) main: Vec<Code>,
    /// The pass with stores past the caches, and the streams that must be aligned for it.
    pub(super) streaming: Option<(Vec<Code>, Vec<usize>)>,
    /// A pass over one vector.
    pub(super) single: Vec<Code>,
    /// The pass over less than one vector.
    pub(super) tail: Vec<Code>,
    /// Combines the partial results of each carried value into its first.
    pub(super) combine: Vec<Code>,
    /// For each carried value the constant that its partial results begin with.
    pub(super) identities: Vec<usize>,
    /// For each carried value whether it is in mask registers, and whether its lanes have 64 bits.
    pub(super) carried: Vec<(bool, bool)>,
}

/// The first constants, for the mask of the tail: all ones and then all zeros with AVX2, masks of 16 bits by the number of their lanes
/// with AVX-512.
pub(super) const TAIL_MASKS: usize = 0;

impl Selection<'_> {
    /// Lets each load from a stream ask for what is `ahead[stream]` bytes further on as well.
    pub(super) fn fetch_ahead(&mut self, ahead: &[Option<i32>]) {
        for codes in [&mut self.main, &mut self.single] {
            let fetched = |code: &Code| match code {
                Code::Load { place, .. } => ahead[place.stream]
                    .and_then(|bytes| place.displacement.checked_add(bytes))
                    .map(|displacement| Code::Prefetch { place: Place { displacement, ..*place } }),
                Code::Vector { .. }
                | Code::Accumulate { .. }
                | Code::Prefetch { .. }
                | Code::Store { .. }
                | Code::Gather { .. }
                | Code::Scatter { .. }
                | Code::Ramp { .. }
                | Code::Rarely { .. } => None,
            };
            *codes = codes.iter().flat_map(|code| [Some(*code), fetched(code)]).flatten().collect();
        }
    }

    pub(super) fn lanes(&self) -> usize {
        lanes(self.wide, self.double)
    }
}

/// Bodies of more instructions are chains.
const SHORT_BODY: usize = 16;
/// Values alive at a time in one of two chains.
const CHAIN_VALUES: usize = 14;
/// Arrays from this size on are written past the caches: they would not be there any more when they are read.
const STREAMING_BYTES: usize = 32 << 20;

fn lanes(wide: Wide, double: bool) -> usize {
    wide.bytes() / if double { 8 } else { 4 }
}

/// How many partial results of reductions are kept in registers, and how many of them may be masks.
fn most_partials(wide: Wide) -> (usize, usize) {
    match wide {
        Wide::Avx2 => (6, 6),
        Wide::Avx512 => (12, 2),
    }
}

/// The loop as vector instructions, if it can be. `constants[r]` is the value of a register that is one.
pub(super) fn select<'l>(
    (kernel, memory): (&Kernel, &[Memory]),
    l: &'l Loop,
    constants: &[Option<Scalar>],
    wide: Wide,
    double: bool,
) -> Option<Selection<'l>> {
    let mut selector = Selector {
        kernel,
        memory,
        l,
        outer: constants,
        wide,
        double,
        varying: HashSet::new(),
        local: HashMap::new(),
        hoisted: Vec::new(),
        streams: Vec::new(),
        invariants: Vec::new(),
        constants: tail_masks(wide),
        routines: Vec::new(),
        codes: Vec::new(),
        values: 0,
        sources: HashMap::new(),
        comparisons: HashMap::new(),
        indices: HashMap::new(),
        copy: 0,
        copies: 1,
        spread: HashMap::new(),
        accesses: Vec::new(),
        pending: Vec::new(),
        tail: false,
        waits: false,
    };
    let work = selector.divide()?;
    selector.waits = selector.waits_for_divisions(&work);
    let mut carried = Vec::new();
    let mut identities = Vec::new();
    let mut ops = Vec::new();
    for carry in &l.carried {
        let op = reduction(l, carry.next)?;
        let dtype = kernel.registers[carry.register.index()];
        identities.push(selector.scalar(identity(op, dtype))?);
        carried.push((dtype == DType::Bool && wide == Wide::Avx512, selector.is_double(dtype)));
        ops.push((op, dtype));
    }
    let masks = carried.iter().filter(|(mask, _)| *mask).count();
    let (most, most_masks) = most_partials(wide);
    let wanted: usize = match (carried.len(), work.len()) {
        (0, 0..=6) => 4,
        (0, 7..=16) => 2,
        (0, _) => 1,
        (_, 0..=10) => 4,
        (_, 11..=60) => 2,
        (_, _) => 1,
    };
    let wanted = wanted.max(selector.chains(&work)?);
    let fits = |copies: usize| copies * carried.len() <= most && copies * masks <= most_masks;
    let copies = (1..=wanted).rev().find(|&copies| copies.is_power_of_two() && fits(copies))?;
    let single = selector.pass(&work, 1, copies, false)?;
    let main = if copies > 1 { selector.pass(&work, copies, copies, false)? } else { Vec::new() };
    let streaming = selector.streaming(if copies > 1 { &main } else { &single });
    let tail = selector.pass(&work, 1, copies, true)?;
    selector.tail = false;
    for (i, (op, dtype)) in ops.into_iter().enumerate() {
        for copy in 1..copies {
            let first = i * copies;
            let sum = selector.binary(op, dtype, Source::Partial(first), Source::Partial(first + copy))?;
            selector.accumulate(first, sum, dtype);
        }
    }
    let combine = std::mem::take(&mut selector.codes);
    Some(Selection {
        wide,
        double,
        hoisted: selector.hoisted,
        streams: selector.streams,
        invariants: selector.invariants,
        constants: selector.constants,
        routines: selector.routines,
        copies,
        main,
        streaming,
        single,
        tail,
        combine,
        identities,
        carried,
    })
}

fn tail_masks(wide: Wide) -> Vec<[u64; 8]> {
    match wide {
        Wide::Avx2 => vec![[u64::MAX; 8], [0; 8]],
        Wide::Avx512 => {
            let mut words = [0u64; 8];
            for lanes in 0..16 {
                words[lanes / 4] |= ((1u64 << lanes) - 1) << (16 * (lanes % 4));
            }
            vec![words, [0; 8]]
        }
    }
}

struct Selector<'a, 'l> {
    kernel: &'a Kernel,
    memory: &'a [Memory],
    l: &'l Loop,
    outer: &'a [Option<Scalar>],
    wide: Wide,
    double: bool,
    /// Registers that differ from iteration to iteration.
    varying: HashSet<Reg>,
    /// Constants of the body.
    local: HashMap<Reg, Scalar>,
    hoisted: Vec<&'l Inst>,
    streams: Vec<Stream>,
    invariants: Vec<(Invariant, bool)>,
    constants: Vec<[u64; 8]>,
    routines: Vec<Routine>,
    codes: Vec<Code>,
    values: u32,
    /// What the registers of the body are in this copy of it.
    sources: HashMap<Reg, Source>,
    /// Comparisons of floats, for selections between their operands.
    comparisons: HashMap<Reg, (Compare, Source, Source)>,
    /// Registers of 64 bits in a loop on 32 that are indices.
    indices: HashMap<Reg, Index>,
    copy: usize,
    copies: usize,
    /// Vectors of which elements with a stride are taken, by stream, displacement and stride; and columns of short rows, by their first element.
    spread: HashMap<(usize, i32, i32), Source>,
    /// What the body loads and stores.
    accesses: Vec<block::Access>,
    /// Columns of short rows that wait for the others.
    pending: Vec<block::Pending>,
    /// Whether the pass is over less than a vector.
    tail: bool,
    /// Whether the loop waits for divisions.
    waits: bool,
}

impl<'l> Selector<'_, 'l> {
    fn dtype(&self, register: Reg) -> DType {
        self.kernel.registers[register.index()]
    }

    /// Whether the lanes of a dtype have 64 bits. Those of masks are as the loop's.
    fn is_double(&self, dtype: DType) -> bool {
        match dtype {
            DType::F64 | DType::I64 | DType::U64 => true,
            DType::Bool => self.double,
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
            | DType::Narrow(_) => false,
        }
    }

    fn holds(&self, dtype: DType) -> bool {
        let masks = self.wide == Wide::Avx512;
        match dtype {
            DType::Bool => true,
            DType::F16 | DType::BF16 | DType::F32 | DType::I32 | DType::U32 => masks || !self.double,
            DType::I8 | DType::I16 | DType::U8 | DType::U16 => masks,
            DType::F64 | DType::I64 | DType::U64 => self.double,
            DType::C64 | DType::C128 | DType::Narrow(_) => false,
        }
    }

    /// What every iteration must do itself. The rest of the body is hoisted, or constants.
    fn divide(&mut self) -> Option<Vec<&'l Inst>> {
        let mut work = Vec::new();
        self.varying.extend(self.l.carried.iter().map(|c| c.register));
        self.varying.insert(self.l.variable);
        for inst in &self.l.body {
            let mut varies = false;
            inst.reads(|r| varies |= self.varying.contains(&r));
            match inst {
                Inst::Let { result, value: Expr::Const(scalar) } => {
                    self.local.insert(*result, *scalar);
                }
                Inst::Let { .. } | Inst::Threefry { .. } if !varies => self.hoisted.push(inst),
                Inst::Load { param, mask: None, .. }
                    if !varies && self.kernel.params[param.index()].access == Access::Read =>
                {
                    self.hoisted.push(inst);
                }
                Inst::Let { .. } | Inst::Threefry { .. } | Inst::Load { .. } | Inst::Store { .. } => {
                    self.varying.extend(inst.defines());
                    self.accesses.extend(block::Access::of(inst));
                    work.push(inst);
                }
                Inst::Complex { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => return None,
            }
        }
        // A hoisted constant expression is still a register of the body: it needs its operands outside.
        let locals: Vec<&Inst> =
            self.l.body.iter().filter(|inst| matches!(inst, Inst::Let { value: Expr::Const(_), .. })).collect();
        if !self.hoisted.is_empty() {
            self.hoisted = locals.into_iter().chain(std::mem::take(&mut self.hoisted)).collect();
        }
        Some(work)
    }

    fn pass(&mut self, work: &[&Inst], passes: usize, copies: usize, tail: bool) -> Option<Vec<Code>> {
        self.copies = copies;
        self.tail = tail;
        let mut passed = Vec::new();
        for copy in 0..passes {
            self.copy = copy;
            self.sources.clear();
            self.comparisons.clear();
            self.indices.clear();
            self.spread.clear();
            self.indices.insert(self.l.variable, Index::reg(self.l.variable));
            for (i, carry) in self.l.carried.iter().enumerate() {
                self.sources.insert(carry.register, Source::Partial(i * copies + copy));
            }
            for inst in work {
                self.inst(inst)?;
                let carried = self.l.carried.iter().position(|c| inst.defines().contains(&c.next));
                let Some(i) = carried else { continue };
                let carry = self.l.carried[i];
                let next = self.sources[&carry.next];
                self.accumulate(i * copies + copy, next, self.dtype(carry.register));
            }
            debug_assert!(self.pending.is_empty(), "blocks are stored where all their columns are");
            passed.push(std::mem::take(&mut self.codes));
        }
        Some(match self.wide {
            Wide::Avx2 => passed.concat(),
            Wide::Avx512 => interleaved(passed),
        })
    }

    /// How many copies of a long body, of which each instruction waits for the last, the registers have room for. The processor looks
    /// ahead not much further than one of them.
    fn chains(&mut self, work: &[&Inst]) -> Option<usize> {
        if self.wide == Wide::Avx2 || work.len() <= SHORT_BODY {
            return Some(1);
        }
        let pass = self.pass(work, 1, 1, false)?;
        Some(if pressure(&pass) <= CHAIN_VALUES { 2 } else { 1 })
    }

    /// A pass that stores past the caches what is too long for them, if all such elements are whole vectors.
    fn streaming(&self, codes: &[Code]) -> Option<(Vec<Code>, Vec<usize>)> {
        let bytes = self.wide.bytes() as i32;
        let mut codes = codes.to_vec();
        let mut streams = Vec::new();
        for code in &mut codes {
            let Code::Store { op, place, mask: Source::None, .. } = code else { continue };
            let number = self.streams[place.stream].param.index();
            let param = &self.kernel.params[number];
            let plain = [false, true].into_iter().find(|&double| *op == opcode::store(double));
            let (Some(double), true) = (plain, place.stride == 1 && place.displacement % bytes == 0) else { continue };
            let whole = place.size * self.lanes() == bytes as usize;
            let long = param.len * place.size >= STREAMING_BYTES && !self.memory[number].cached;
            if whole && param.access == Access::Write && long {
                *op = opcode::stream(double);
                streams.push(place.stream);
            }
        }
        streams.sort_unstable();
        streams.dedup();
        (!streams.is_empty()).then_some((codes, streams))
    }

    /// Makes the last instruction's result, which nothing else reads, a partial result: in the tail, of the lanes that it has.
    fn accumulate(&mut self, partial: usize, next: Source, dtype: DType) {
        let masked = self.tail && self.wide == Wide::Avx512 && dtype != DType::Bool;
        let maskable = matches!(self.codes.last(), Some(Code::Vector { op, .. }) if match op.form {
            Form::Three | Form::Two | Form::Into | Form::Shift(_) => true,
            Form::Blend | Form::Choose | Form::Keep | Form::Fused | Form::Order | Form::Test => false,
            Form::TestOne | Form::TestUnder | Form::Masks | Form::MaskNot | Form::FromMask => false,
        });
        if self.tail && !(masked && maskable) {
            self.select(dtype, Source::Tail, next, Source::Partial(partial));
        }
        let mask = if masked && maskable { Source::Tail } else { Source::None };
        if let Some(&Code::Vector { op, sources, immediate, .. }) = self.codes.last() {
            self.codes.pop();
            self.codes.push(Code::Accumulate { op, partial, sources, immediate, mask });
        }
    }

    /// The lanes that loads and stores take: all but in the tail.
    fn lanes_mask(&self) -> Source {
        if self.tail && self.wide == Wide::Avx512 { Source::Tail } else { Source::None }
    }

    fn lanes(&self) -> usize {
        lanes(self.wide, self.double)
    }

    fn value(&mut self) -> Value {
        self.values += 1;
        Value(self.values - 1)
    }

    fn put(&mut self, op: Opcode, sources: [Source; 3], immediate: Option<u8>) -> Source {
        let result = self.value();
        self.codes.push(Code::Vector { op, result, sources, immediate });
        Source::Value(result)
    }

    fn one(&mut self, op: Opcode, x: Source) -> Source {
        self.put(op, [x, Source::None, Source::None], None)
    }

    fn two(&mut self, op: Opcode, x: Source, y: Source) -> Source {
        self.put(op, [x, y, Source::None], None)
    }

    fn shifted(&mut self, op: Opcode, x: Source, amount: u64) -> Source {
        self.put(op, [x, Source::None, Source::None], Some(amount as u8))
    }

    fn constant(&mut self, vector: [u64; 8]) -> Source {
        // The first two are the tail's.
        Source::Constant(match self.constants.iter().skip(2).position(|&c| c == vector) {
            Some(position) => position + 2,
            None => {
                self.constants.push(vector);
                self.constants.len() - 1
            }
        })
    }

    /// The same bits in every lane.
    fn bits(&mut self, double: bool, bits: u64) -> Source {
        let word = if double { bits } else { (bits & 0xffff_ffff) | bits << 32 };
        self.constant([word; 8])
    }

    fn float(&mut self, double: bool, value: f64) -> Source {
        let bits = if double { value.to_bits() } else { (value as f32).to_bits() as u64 };
        self.bits(double, bits)
    }

    fn sign_bit(&mut self, double: bool) -> Source {
        self.float(double, -0.0)
    }

    fn scalar(&mut self, value: Scalar) -> Option<usize> {
        let dtype = value.dtype();
        if !self.holds(dtype) {
            return None;
        }
        let bits = match dtype {
            DType::F16 | DType::BF16 => (value.to_f64() as f32).to_bits() as u64,
            DType::Bool => (value.bits()[0] as i64).wrapping_neg() as u64,
            DType::I8 | DType::I16 => {
                let unused = 64 - dtype.bits();
                ((value.bits()[0] << unused) as i64 >> unused) as u64
            }
            DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F32
            | DType::F64
            | DType::C64
            | DType::C128
            | DType::Narrow(_) => value.bits()[0],
        };
        self.bits(self.is_double(dtype), bits).constant()
    }

    fn known(&self, register: Reg) -> Option<Scalar> {
        self.local.get(&register).copied().or(self.outer[register.index()])
    }

    fn source(&mut self, register: Reg) -> Option<Source> {
        if let Some(&source) = self.sources.get(&register) {
            return Some(source);
        }
        if let Some(scalar) = self.known(register) {
            return self.scalar(scalar).map(Source::Constant);
        }
        if self.double
            && let Some(index) = self.indices.get(&register).cloned()
        {
            return self.ramp(&index, true);
        }
        if self.varying.contains(&register) || !self.holds(self.dtype(register)) {
            return None;
        }
        let double = self.is_double(self.dtype(register));
        Some(self.invariant(Invariant::Register(register), double))
    }

    fn invariant(&mut self, invariant: Invariant, double: bool) -> Source {
        let invariant = (invariant, double);
        Source::Invariant(self.invariants.iter().position(|i| *i == invariant).unwrap_or_else(|| {
            self.invariants.push(invariant);
            self.invariants.len() - 1
        }))
    }
}
