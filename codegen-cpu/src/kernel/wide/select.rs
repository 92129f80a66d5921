//! From the body of a loop to vector instructions.
//!
//! A loop either works on eight lanes of 32 bits (`f32`, `i32`, `u32`, and `f16` and `bf16` held as `f32`) or on four of 64 bits.
//! `bool` is a mask as wide as the lanes. What the loop does not change is left to the code before it.

use std::collections::{HashMap, HashSet};

use rjax_ir::{Binary, Compare, DType, Scalar, Unary};
use rjax_kernel::kir::{Access, Expr, Index, Inst, Kernel, Loop, ParamId, Reg};

use super::code::{self, Code, Place, Source, Value};
use super::encode::{Form, Opcode};
use crate::kernel::vector::{identity, reduction};
use crate::routines::Routine;

/// Partial results of reductions that are kept in registers.
const PARTIALS: usize = 6;

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
}

/// A loop as vector instructions.
pub(super) struct Selection<'l> {
    pub(super) double: bool,
    /// Instructions of the body that the code before the loop runs instead.
    pub(super) hoisted: Vec<&'l Inst>,
    pub(super) streams: Vec<Stream>,
    pub(super) invariants: Vec<Invariant>,
    pub(super) constants: Vec<[u64; 4]>,
    pub(super) routines: Vec<Routine>,
    /// How many vectors of iterations a pass of the main loop has.
    pub(super) copies: usize,
    /// That pass.
    pub(super) main: Vec<Code>,
    /// A pass over one vector.
    pub(super) single: Vec<Code>,
    /// The pass over less than one vector.
    pub(super) tail: Vec<Code>,
    /// Combines the partial results of each carried value into its first.
    pub(super) combine: Vec<Code>,
    /// For each carried value the constant that its partial results begin with.
    pub(super) identities: Vec<usize>,
    /// The constant of all ones that a constant of all zeros follows.
    pub(super) ones: usize,
}

impl Selection<'_> {
    pub(super) fn lanes(&self) -> usize {
        if self.double { 4 } else { 8 }
    }
}

/// Where the tail's mask is.
pub(super) const MASK: usize = usize::MAX;

/// The loop as vector instructions, if it can be. `constants[r]` is the value of a register that is one.
pub(super) fn select<'l>(
    kernel: &Kernel,
    l: &'l Loop,
    constants: &[Option<Scalar>],
    double: bool,
) -> Option<Selection<'l>> {
    let mut selector = Selector {
        kernel,
        l,
        outer: constants,
        double,
        varying: HashSet::new(),
        local: HashMap::new(),
        hoisted: Vec::new(),
        streams: Vec::new(),
        invariants: Vec::new(),
        constants: Vec::new(),
        routines: Vec::new(),
        codes: Vec::new(),
        values: 0,
        sources: HashMap::new(),
        comparisons: HashMap::new(),
        indices: HashMap::new(),
        copy: 0,
        copies: 1,
    };
    let work = selector.divide()?;
    // Pairs of constants: all ones, then all zeros.
    selector.constants.extend([[u64::MAX; 4], [0; 4]]);
    let carried = l.carried.len();
    if carried > PARTIALS {
        return None;
    }
    let wanted = match (carried, work.len()) {
        (0, 0..=6) => 4,
        (0, 7..=16) => 2,
        (0, _) => 1,
        (_, 0..=10) => 4,
        (_, 11..=60) => 2,
        (_, _) => 1,
    };
    let copies = (1..=wanted).rev().find(|c| c * carried <= PARTIALS && c.is_power_of_two()).expect("one copy fits");
    let single = selector.pass(&work, 1, copies, false)?;
    let main = if copies > 1 { selector.pass(&work, copies, copies, false)? } else { Vec::new() };
    let tail = selector.pass(&work, 1, copies, true)?;
    let mut identities = Vec::new();
    let mut ops = Vec::new();
    for carry in &l.carried {
        let op = reduction(l, carry.next)?;
        let dtype = kernel.registers[carry.register.index()];
        identities.push(selector.scalar(identity(op, dtype))?);
        ops.push((op, dtype));
    }
    for (i, (op, dtype)) in ops.into_iter().enumerate() {
        for copy in 1..copies {
            let first = i * copies;
            selector.binary(op, dtype, Source::Partial(first), Source::Partial(first + copy))?;
            selector.accumulate(first)?;
        }
    }
    let combine = std::mem::take(&mut selector.codes);
    Some(Selection {
        double,
        hoisted: selector.hoisted,
        streams: selector.streams,
        invariants: selector.invariants,
        constants: selector.constants,
        routines: selector.routines,
        copies,
        main,
        single,
        tail,
        combine,
        identities,
        ones: 0,
    })
}

struct Selector<'a, 'l> {
    kernel: &'a Kernel,
    l: &'l Loop,
    outer: &'a [Option<Scalar>],
    double: bool,
    /// Registers that differ from iteration to iteration.
    varying: HashSet<Reg>,
    /// Constants of the body.
    local: HashMap<Reg, Scalar>,
    hoisted: Vec<&'l Inst>,
    streams: Vec<Stream>,
    invariants: Vec<Invariant>,
    constants: Vec<[u64; 4]>,
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
}

impl<'l> Selector<'_, 'l> {
    fn dtype(&self, register: Reg) -> DType {
        self.kernel.registers[register.index()]
    }

    fn holds(&self, dtype: DType) -> bool {
        match dtype {
            DType::Bool => true,
            DType::F16 | DType::BF16 | DType::F32 | DType::I32 | DType::U32 => !self.double,
            DType::F64 | DType::I64 | DType::U64 => self.double,
            DType::I8 | DType::I16 | DType::U8 | DType::U16 | DType::C64 | DType::C128 | DType::Narrow(_) => false,
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
                Inst::Let { .. } | Inst::Threefry { .. } | Inst::Load { mask: None, .. } | Inst::Store { .. } => {
                    self.varying.extend(inst.defines());
                    work.push(inst);
                }
                Inst::Load { mask: Some(_), .. }
                | Inst::Complex { .. }
                | Inst::Loop(_)
                | Inst::If(_)
                | Inst::While(_) => return None,
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
        for copy in 0..passes {
            self.copy = copy;
            self.sources.clear();
            self.comparisons.clear();
            self.indices.clear();
            self.indices.insert(self.l.variable, Index::reg(self.l.variable));
            for (i, carry) in self.l.carried.iter().enumerate() {
                self.sources.insert(carry.register, Source::Partial(i * copies + copy));
            }
            for inst in work {
                self.inst(inst)?;
                let carried = self.l.carried.iter().position(|c| inst.defines().contains(&c.next));
                let Some(i) = carried else { continue };
                let partial = i * copies + copy;
                if tail {
                    let next = self.sources[&self.l.carried[i].next];
                    let mask = Source::Invariant(MASK);
                    self.put(code::blend(self.double), [Source::Partial(partial), next, mask], None);
                }
                self.accumulate(partial)?;
            }
        }
        Some(std::mem::take(&mut self.codes))
    }

    /// Makes the last instruction's result a partial result.
    fn accumulate(&mut self, partial: usize) -> Option<()> {
        let Some(Code::Vector { op, sources, immediate, .. }) = self.codes.pop() else { return None };
        self.codes.push(Code::Accumulate { op, partial, sources, immediate });
        Some(())
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

    fn constant(&mut self, vector: [u64; 4]) -> usize {
        // The pair of ones and zeros is looked up whole.
        match self.constants.iter().skip(2).position(|&c| c == vector) {
            Some(position) => position + 2,
            None => {
                self.constants.push(vector);
                self.constants.len() - 1
            }
        }
    }

    /// The same bits in every lane.
    fn bits(&mut self, bits: u64) -> Source {
        let word = if self.double { bits } else { (bits & 0xffff_ffff) | bits << 32 };
        Source::Constant(self.constant([word; 4]))
    }

    fn scalar(&mut self, value: Scalar) -> Option<usize> {
        if !self.holds(value.dtype()) {
            return None;
        }
        let bits = match value.dtype() {
            DType::F16 | DType::BF16 => (value.to_f64() as f32).to_bits() as u64,
            DType::Bool => (value.bits()[0] as i64).wrapping_neg() as u64,
            DType::I8
            | DType::I16
            | DType::I32
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
        match self.bits(bits) {
            Source::Constant(constant) => Some(constant),
            Source::None | Source::Value(_) | Source::Invariant(_) | Source::Partial(_) => None,
        }
    }

    fn float(&mut self, value: f64) -> Source {
        let bits = if self.double { value.to_bits() } else { (value as f32).to_bits() as u64 };
        self.bits(bits)
    }

    fn sign_bit(&mut self) -> Source {
        self.float(-0.0)
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
            return self.ramp(&index);
        }
        if self.varying.contains(&register) || !self.holds(self.dtype(register)) {
            return None;
        }
        Some(self.invariant(Invariant::Register(register)))
    }

    fn invariant(&mut self, invariant: Invariant) -> Source {
        Source::Invariant(self.invariants.iter().position(|i| *i == invariant).unwrap_or_else(|| {
            self.invariants.push(invariant);
            self.invariants.len() - 1
        }))
    }

    /// An index as consecutive lanes: its value in the first iteration, plus the steps to this vector and to the lane.
    fn ramp(&mut self, index: &Index) -> Option<Source> {
        if index.terms.iter().any(|&(r, _)| r != self.l.variable && self.varying.contains(&r)) {
            return None;
        }
        let coefficient = i32::try_from(index.coefficient(self.l.variable)).ok()?;
        let first = self.invariant(Invariant::Index(index.clone()));
        let lanes = if self.double { 4 } else { 8 };
        let mut steps = [0u64; 4];
        for lane in 0..lanes {
            let step = coefficient as i64 * (lane + self.copy * lanes) as i64;
            if self.double {
                steps[lane] = step as u64;
            } else {
                steps[lane / 2] |= (step as u32 as u64) << (32 * (lane % 2));
            }
        }
        let steps = Source::Constant(self.constant(steps));
        let result = self.value();
        self.codes.push(Code::Ramp { result, coefficient, double: self.double });
        let sum = self.two(code::integer_add(self.double), Source::Value(result), steps);
        Some(self.two(code::integer_add(self.double), sum, first))
    }

    /// The place of an element that moves with the variable.
    fn place(&mut self, param: ParamId, index: &Index) -> Option<Place> {
        let outside = |&(r, _): &(Reg, i64)| r == self.l.variable || !self.varying.contains(&r);
        let size = self.kernel.params[param.index()].dtype.size();
        let stride = i32::try_from(index.coefficient(self.l.variable)).ok()?;
        // Elements of fewer than 4 bytes have no instructions for one lane here.
        let unit = stride == 1;
        if stride == 0 || !unit && size < 4 || !index.terms.iter().all(outside) {
            return None;
        }
        let found = self.streams.iter().position(|s| s.param == param && s.index.terms == index.terms);
        let stream = found.unwrap_or_else(|| {
            self.streams.push(Stream { param, index: index.clone() });
            self.streams.len() - 1
        });
        let lanes = if self.double { 4 } else { 8 };
        let steps = (self.copy * lanes) as i64 * stride as i64;
        let elements = index.constant - self.streams[stream].index.constant + steps;
        let displacement = i32::try_from(elements.checked_mul(size as i64)?).ok()?;
        let reach = stride.checked_mul((lanes * size) as i32)?;
        displacement.checked_add(reach)?;
        Some(Place { stream, displacement, size, stride })
    }

    fn inst(&mut self, inst: &Inst) -> Option<()> {
        match inst {
            Inst::Let { result, value } => {
                if let Some(source) = self.expr(*result, value)? {
                    self.sources.insert(*result, source);
                }
            }
            Inst::Load { result, param, index, mask: None } => {
                let dtype = self.dtype(*result);
                if !self.holds(dtype) {
                    return None;
                }
                let place = self.place(*param, index)?;
                let op = match dtype {
                    DType::F16 => code::FROM_F16,
                    DType::BF16 => code::WIDEN_16,
                    DType::Bool => code::widen_8(self.double),
                    DType::F32 | DType::F64 | DType::I32 | DType::U32 | DType::I64 | DType::U64 => code::MOVE,
                    DType::I8 | DType::I16 | DType::U8 | DType::U16 | DType::C64 | DType::C128 | DType::Narrow(_) => {
                        return None;
                    }
                };
                let loaded = self.value();
                self.codes.push(Code::Load { op, result: loaded, place });
                let loaded = Source::Value(loaded);
                let source = match dtype {
                    DType::BF16 => self.shifted(code::shift_left(false), loaded, 16),
                    DType::Bool => {
                        let zero = self.bits(0);
                        self.two(code::integer_sub(self.double), zero, loaded)
                    }
                    DType::F16
                    | DType::F32
                    | DType::F64
                    | DType::I8
                    | DType::I16
                    | DType::I32
                    | DType::I64
                    | DType::U8
                    | DType::U16
                    | DType::U32
                    | DType::U64
                    | DType::C64
                    | DType::C128
                    | DType::Narrow(_) => loaded,
                };
                self.sources.insert(*result, source);
            }
            Inst::Store { param, index, value } => {
                let dtype = self.kernel.params[param.index()].dtype;
                let place = self.place(*param, index)?;
                let value = self.source(*value)?;
                self.store(dtype, value, place)?;
            }
            Inst::Threefry { results, operands } => {
                if self.double {
                    return None;
                }
                let mut words = [Source::None; 4];
                for (word, &operand) in words.iter_mut().zip(operands) {
                    *word = self.source(operand)?;
                }
                let [x, y] = self.threefry(words);
                self.sources.insert(results[0], x);
                self.sources.insert(results[1], y);
            }
            Inst::Load { mask: Some(_), .. } | Inst::Complex { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => {
                return None;
            }
        }
        Some(())
    }

    fn store(&mut self, dtype: DType, value: Source, place: Place) -> Option<()> {
        let (op, value, immediate) = match dtype {
            DType::F16 => (code::TO_F16, value, Some(0)),
            DType::BF16 => {
                let halves = self.shifted(code::shift_right(false), value, 16);
                let high = self.put(code::HIGH_HALF, [halves, Source::None, Source::None], Some(1));
                (code::LOW_16_BYTES, self.two(code::PACK_WORDS, halves, high), None)
            }
            DType::Bool => {
                let high = self.put(code::HIGH_HALF, [value, Source::None, Source::None], Some(1));
                let words = if self.double {
                    // The low halves of the four masks, then twice.
                    let masks = self.put(code::SHUFFLE, [value, high, Source::None], Some(0x88));
                    self.two(code::PACK_MASKS_32, masks, masks)
                } else {
                    self.two(code::PACK_MASKS_32, value, high)
                };
                let bytes = self.two(code::PACK_MASKS_16, words, words);
                let ones = Source::Constant(self.constant([0x0101_0101_0101_0101; 4]));
                let bools = self.two(code::AND, bytes, ones);
                (if self.double { code::LOW_4_BYTES } else { code::LOW_8_BYTES }, bools, None)
            }
            DType::F32 | DType::F64 | DType::I32 | DType::U32 | DType::I64 | DType::U64 => {
                if !self.holds(dtype) {
                    return None;
                }
                (code::MOVE_TO, value, None)
            }
            DType::I8 | DType::I16 | DType::U8 | DType::U16 | DType::C64 | DType::C128 | DType::Narrow(_) => {
                return None;
            }
        };
        self.codes.push(Code::Store { op, value, place, immediate });
        Some(())
    }

    /// The value of an expression; none inside where it is an index that waits for its use.
    fn expr(&mut self, result: Reg, value: &Expr) -> Option<Option<Source>> {
        let to = self.dtype(result);
        let source = match value {
            Expr::Const(_) | Expr::IndexDiv(..) | Expr::IndexRem(..) => return None,
            Expr::Index(index) => {
                self.indices.insert(result, index.clone());
                return Some(None);
            }
            Expr::Convert(x) => {
                if let Some(index) = self.indices.get(x).cloned() {
                    match to {
                        DType::I64 | DType::U64 => {
                            self.indices.insert(result, index);
                            return Some(None);
                        }
                        DType::I32 | DType::U32 if !self.double => return Some(Some(self.ramp(&index)?)),
                        DType::Bool
                        | DType::I8
                        | DType::I16
                        | DType::I32
                        | DType::U8
                        | DType::U16
                        | DType::U32
                        | DType::F16
                        | DType::BF16
                        | DType::F32
                        | DType::F64
                        | DType::C64
                        | DType::C128
                        | DType::Narrow(_) => return None,
                    }
                }
                let from = self.dtype(*x);
                let x = self.source(*x)?;
                self.convert(from, to, x)?
            }
            Expr::Bitcast(x) => {
                let from = self.dtype(*x);
                if !self.holds(from) || !self.holds(to) || from.size() != to.size() || from.size() < 4 {
                    return None;
                }
                self.source(*x)?
            }
            Expr::Unary(op, x) => {
                let dtype = self.dtype(*x);
                let x = self.source(*x)?;
                self.unary(*op, dtype, x)?
            }
            Expr::Binary(op, x, y) => {
                let dtype = self.dtype(*x);
                if !self.double
                    && let (Some(index), Binary::ShiftRightLogical, Some(amount)) =
                        (self.indices.get(x), op, self.known(*y))
                    && amount.bits()[0] >= 32
                    && self.below_two_to_32(index)
                {
                    self.indices.insert(result, Index::constant(0));
                    return Some(None);
                }
                let amount = self.known(*y);
                let x = self.source(*x)?;
                match (op, amount) {
                    (Binary::ShiftLeft | Binary::ShiftRightLogical | Binary::ShiftRightArithmetic, Some(amount)) => {
                        self.shift_by(*op, dtype, x, amount.bits()[0])?
                    }
                    _ => {
                        let y = self.source(*y)?;
                        self.binary(*op, dtype, x, y)?
                    }
                }
            }
            Expr::Fma([x, y, z]) => {
                let (x, y, z) = (self.source(*x)?, self.source(*y)?, self.source(*z)?);
                self.put(code::fused(self.double), [x, y, z], None)
            }
            Expr::Compare(op, x, y) => {
                let dtype = self.dtype(*x);
                let (x, y) = (self.source(*x)?, self.source(*y)?);
                if dtype.is_float() {
                    self.comparisons.insert(result, (*op, x, y));
                }
                self.compare(*op, dtype, x, y)?
            }
            Expr::Select { condition, on_true, on_false } => {
                let dtype = self.dtype(*on_true);
                let (x, y) = (self.source(*on_true)?, self.source(*on_false)?);
                let comparison = self.comparisons.get(condition).copied();
                let zero = self.bits(0);
                match comparison {
                    // The comparison that made the condition is dropped by the allocator if nothing else reads it.
                    Some((Compare::Lt, p, q)) | Some((Compare::Gt, q, p)) if dtype.is_float() && (p, q) == (x, y) => {
                        self.two(code::min(self.double), x, y)
                    }
                    Some((Compare::Lt, p, q)) | Some((Compare::Gt, q, p)) if dtype.is_float() && (q, p) == (x, y) => {
                        self.two(code::max(self.double), x, y)
                    }
                    Some(_) | None => {
                        let condition = self.source(*condition)?;
                        if y == zero {
                            self.two(code::AND, condition, x)
                        } else if x == zero {
                            self.two(code::AND_NOT, condition, y)
                        } else {
                            self.put(code::blend(self.double), [y, x, condition], None)
                        }
                    }
                }
            }
            Expr::Rarely { condition, op, operand, otherwise } => {
                let (condition, operand) = (self.source(*condition)?, self.source(*operand)?);
                let otherwise = self.source(*otherwise)?;
                let routine = Routine::UnaryLanes(*op, to);
                let routine = self.routines.iter().position(|r| *r == routine).unwrap_or_else(|| {
                    self.routines.push(routine);
                    self.routines.len() - 1
                });
                let result = self.value();
                self.codes.push(Code::Rarely { result, condition, operand, otherwise, routine });
                Source::Value(result)
            }
            Expr::ReducePrecision { .. } | Expr::RegularizedIncompleteBeta(_) => return None,
        };
        Some(Some(source))
    }

    /// Whether an index is surely between 0 and 2^32: it is a position in the kernel's range, or a part of a loop over constants.
    fn below_two_to_32(&self, index: &Index) -> bool {
        let range = &self.kernel.range;
        let limit = if self.l.begin == Index::reg(range.begin) && self.l.end == Index::reg(range.end) {
            Some(range.extent as i64)
        } else {
            self.l.begin.as_constant().filter(|&begin| begin >= 0).and(self.l.end.as_constant())
        };
        let [(register, coefficient)] = index.terms[..] else { return false };
        let last = |limit: i64| limit.checked_mul(coefficient)?.checked_add(index.constant);
        register == self.l.variable
            && coefficient > 0
            && index.constant >= 0
            && limit.and_then(last).is_some_and(|last| last < 1 << 32)
    }

    /// An f32 as the nearest number of `dtype`.
    fn rounded(&mut self, dtype: DType, x: Source) -> Source {
        match dtype {
            DType::F16 => {
                let half = self.put(code::TO_F16, [x, Source::None, Source::None], Some(0));
                self.one(code::FROM_F16, half)
            }
            DType::BF16 => {
                let last = self.shifted(code::shift_right(false), x, 16);
                let one = self.bits(1);
                let odd = self.two(code::AND, last, one);
                let almost_half = self.bits(0x7fff);
                let sum = self.two(code::integer_add(false), x, almost_half);
                let sum = self.two(code::integer_add(false), sum, odd);
                let quiet = self.bits(0x0040_0000);
                let quiet = self.two(code::OR, x, quiet);
                let is_nan = self.put(code::compare(false), [x, x, Source::None], Some(3));
                let result = self.put(code::blend(false), [sum, quiet, is_nan], None);
                let kept = self.bits(0xffff_0000);
                self.two(code::AND, result, kept)
            }
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
            | DType::C64
            | DType::C128
            | DType::Narrow(_) => x,
        }
    }

    fn convert(&mut self, from: DType, to: DType, x: Source) -> Option<Source> {
        if !self.holds(from) || !self.holds(to) {
            return None;
        }
        Some(match (from, to) {
            _ if from == to => x,
            (_, DType::Bool) => {
                let zero = self.bits(0);
                if from.is_float() {
                    self.put(code::compare(self.double), [x, zero, Source::None], Some(4))
                } else {
                    let equal = self.two(code::equal(self.double), x, zero);
                    self.not(equal)
                }
            }
            (DType::Bool, _) => {
                let one = if to.is_float() { self.float(1.0) } else { self.bits(1) };
                self.two(code::AND, x, one)
            }
            (DType::I32, DType::F32) => self.one(code::FROM_INTEGER, x),
            (DType::U32, DType::F32) => {
                // Both halves are exact, so that only their sum rounds.
                let high = self.shifted(code::shift_right(false), x, 16);
                let low_bits = self.bits(0xffff);
                let low = self.two(code::AND, x, low_bits);
                let high = self.one(code::FROM_INTEGER, high);
                let low = self.one(code::FROM_INTEGER, low);
                let unit = self.float(65536.0);
                self.put(code::fused(false), [high, unit, low], None)
            }
            (DType::F16 | DType::BF16 | DType::F32, DType::I32) => {
                // Beyond the range the machine gives the least integer: right below, all bits wrong above, and NaN is 0.
                let integer = self.one(code::TO_INTEGER, x);
                let end = self.float(2147483648.0);
                let above = self.put(code::compare(false), [x, end, Source::None], Some(0x1d));
                let integer = self.two(code::XOR, integer, above);
                let number = self.put(code::compare(false), [x, x, Source::None], Some(7));
                self.two(code::AND, integer, number)
            }
            (DType::I32, DType::U32) | (DType::U32, DType::I32) => x,
            (DType::I64, DType::U64) | (DType::U64, DType::I64) => x,
            (DType::F16 | DType::BF16 | DType::F32, DType::F16 | DType::BF16 | DType::F32) => self.rounded(to, x),
            _ => return None,
        })
    }

    fn not(&mut self, x: Source) -> Source {
        let ones = Source::Constant(self.constant([u64::MAX; 4]));
        self.two(code::XOR, x, ones)
    }

    fn abs(&mut self, x: Source) -> Source {
        let sign = self.sign_bit();
        self.two(code::AND_NOT, sign, x)
    }

    fn unary(&mut self, op: Unary, dtype: DType, x: Source) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        let double = self.double;
        if !dtype.is_float() {
            return match op {
                Unary::Not => Some(self.not(x)),
                Unary::Neg if dtype != DType::Bool => {
                    let zero = self.bits(0);
                    Some(self.two(code::integer_sub(double), zero, x))
                }
                Unary::Abs if dtype == DType::I32 => Some(self.one(code::ABS_32, x)),
                Unary::Abs if dtype == DType::U32 => Some(x),
                Unary::Neg
                | Unary::Sign
                | Unary::Abs
                | Unary::Floor
                | Unary::Ceil
                | Unary::Round
                | Unary::RoundEven
                | Unary::IsFinite
                | Unary::PopulationCount
                | Unary::Clz
                | Unary::Exp
                | Unary::Exp2
                | Unary::Expm1
                | Unary::Log
                | Unary::Log1p
                | Unary::Logistic
                | Unary::Sqrt
                | Unary::Rsqrt
                | Unary::Cbrt
                | Unary::Sin
                | Unary::Cos
                | Unary::Tan
                | Unary::Sinh
                | Unary::Cosh
                | Unary::Tanh
                | Unary::Asin
                | Unary::Acos
                | Unary::Atan
                | Unary::Asinh
                | Unary::Acosh
                | Unary::Atanh
                | Unary::Erf
                | Unary::Erfc
                | Unary::ErfInv
                | Unary::Lgamma
                | Unary::Digamma
                | Unary::BesselI0e
                | Unary::BesselI1e
                | Unary::Real
                | Unary::Imag
                | Unary::Conj => None,
            };
        }
        Some(match op {
            Unary::Neg => {
                let sign = self.sign_bit();
                self.two(code::XOR, x, sign)
            }
            Unary::Abs => self.abs(x),
            Unary::Sqrt => {
                let root = self.one(code::sqrt(double), x);
                self.rounded(dtype, root)
            }
            Unary::RoundEven => self.put(code::round(double), [x, Source::None, Source::None], Some(8)),
            Unary::Floor => self.put(code::round(double), [x, Source::None, Source::None], Some(9)),
            Unary::Ceil => self.put(code::round(double), [x, Source::None, Source::None], Some(10)),
            Unary::IsFinite => {
                let magnitude = self.abs(x);
                let infinity = self.float(f64::INFINITY);
                self.put(code::compare(double), [magnitude, infinity, Source::None], Some(0x11))
            }
            Unary::Sign => {
                let (sign, one, zero) = (self.sign_bit(), self.float(1.0), self.bits(0));
                let sign = self.two(code::AND, x, sign);
                let unit = self.two(code::OR, sign, one);
                let magnitude = self.abs(x);
                let has_sign = self.put(code::compare(double), [magnitude, zero, Source::None], Some(0x1e));
                self.put(code::blend(double), [x, unit, has_sign], None)
            }
            Unary::Round => {
                // What is cut off is exact, so that the comparison decides ties correctly; the sign of x keeps -0.
                let cut = self.put(code::round(double), [x, Source::None, Source::None], Some(11));
                let rest = self.two(code::sub(double), x, cut);
                let rest = self.abs(rest);
                let (half, one, sign) = (self.float(0.5), self.float(1.0), self.sign_bit());
                let away = self.put(code::compare(double), [rest, half, Source::None], Some(0x1d));
                let step = self.two(code::AND, away, one);
                let sign = self.two(code::AND, x, sign);
                let step = self.two(code::OR, step, sign);
                self.two(code::add(double), cut, step)
            }
            Unary::Not
            | Unary::PopulationCount
            | Unary::Clz
            | Unary::Exp
            | Unary::Exp2
            | Unary::Expm1
            | Unary::Log
            | Unary::Log1p
            | Unary::Logistic
            | Unary::Rsqrt
            | Unary::Cbrt
            | Unary::Sin
            | Unary::Cos
            | Unary::Tan
            | Unary::Sinh
            | Unary::Cosh
            | Unary::Tanh
            | Unary::Asin
            | Unary::Acos
            | Unary::Atan
            | Unary::Asinh
            | Unary::Acosh
            | Unary::Atanh
            | Unary::Erf
            | Unary::Erfc
            | Unary::ErfInv
            | Unary::Lgamma
            | Unary::Digamma
            | Unary::BesselI0e
            | Unary::BesselI1e
            | Unary::Real
            | Unary::Imag
            | Unary::Conj => return None,
        })
    }

    pub(super) fn binary(&mut self, op: Binary, dtype: DType, x: Source, y: Source) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        let double = self.double;
        if dtype == DType::Bool {
            return Some(match op {
                Binary::Add | Binary::Or | Binary::Max => self.two(code::OR, x, y),
                Binary::Mul | Binary::And | Binary::Min => self.two(code::AND, x, y),
                Binary::Xor => self.two(code::XOR, x, y),
                Binary::Sub
                | Binary::Div
                | Binary::Rem
                | Binary::Pow
                | Binary::Atan2
                | Binary::ShiftLeft
                | Binary::ShiftRightArithmetic
                | Binary::ShiftRightLogical
                | Binary::NextAfter
                | Binary::Complex
                | Binary::Igamma
                | Binary::Igammac
                | Binary::IgammaGradA
                | Binary::Polygamma
                | Binary::Zeta => return None,
            });
        }
        if dtype.is_float() {
            let result = match op {
                Binary::Add => self.two(code::add(double), x, y),
                Binary::Sub => self.two(code::sub(double), x, y),
                Binary::Mul => self.two(code::mul(double), x, y),
                Binary::Div => self.two(code::div(double), x, y),
                Binary::Max | Binary::Min => return Some(self.float_extreme(op == Binary::Max, x, y)),
                Binary::Rem
                | Binary::Pow
                | Binary::Atan2
                | Binary::And
                | Binary::Or
                | Binary::Xor
                | Binary::ShiftLeft
                | Binary::ShiftRightArithmetic
                | Binary::ShiftRightLogical
                | Binary::NextAfter
                | Binary::Complex
                | Binary::Igamma
                | Binary::Igammac
                | Binary::IgammaGradA
                | Binary::Polygamma
                | Binary::Zeta => return None,
            };
            return Some(self.rounded(dtype, result));
        }
        Some(match op {
            Binary::Add => self.two(code::integer_add(double), x, y),
            Binary::Sub => self.two(code::integer_sub(double), x, y),
            Binary::Mul if !double => self.two(code::MUL_32, x, y),
            Binary::And => self.two(code::AND, x, y),
            Binary::Or => self.two(code::OR, x, y),
            Binary::Xor => self.two(code::XOR, x, y),
            Binary::Max | Binary::Min if !double => {
                self.two(code::extreme(op == Binary::Max, dtype.is_signed_integer()), x, y)
            }
            Binary::Max | Binary::Min => {
                let relation = if op == Binary::Max { Compare::Gt } else { Compare::Lt };
                let first = self.compare(relation, dtype, x, y)?;
                self.put(code::blend(double), [y, x, first], None)
            }
            Binary::ShiftLeft => self.two(code::shift_left_by(double), x, y),
            Binary::ShiftRightLogical => self.two(code::shift_right_by(double), x, y),
            Binary::ShiftRightArithmetic if !double => self.two(code::SHIFT_SIGN_BY_32, x, y),
            Binary::Mul
            | Binary::Div
            | Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::ShiftRightArithmetic
            | Binary::NextAfter
            | Binary::Complex
            | Binary::Igamma
            | Binary::Igammac
            | Binary::IgammaGradA
            | Binary::Polygamma
            | Binary::Zeta => return None,
        })
    }

    /// Maximum or minimum where NaN wins and -0 is below 0. The machine's instruction returns its second operand where one is NaN
    /// or both are zeros.
    fn float_extreme(&mut self, greatest: bool, x: Source, y: Source) -> Source {
        let op = if greatest { code::max(self.double) } else { code::min(self.double) };
        let constant = |source: Source| match source {
            Source::Constant(constant) => Some(constant),
            Source::None | Source::Value(_) | Source::Invariant(_) | Source::Partial(_) => None,
        };
        for (x, y) in [(x, y), (y, x)] {
            let Some(bound) = constant(y) else { continue };
            let word = self.constants[bound][0];
            let bound = if self.double { f64::from_bits(word) } else { f32::from_bits(word as u32) as f64 };
            // x is returned where it is NaN, and where both are zeros: right unless it is the zero that loses.
            let loses = bound == 0.0 && bound.is_sign_positive() == greatest;
            if !bound.is_nan() && !loses {
                return self.two(op, y, x);
            }
            if !bound.is_nan() && greatest {
                // -0 + 0 is 0; nothing else changes.
                let result = self.two(op, y, x);
                return self.two(code::add(self.double), result, y);
            }
        }
        let (one, other) = (self.two(op, x, y), self.two(op, y, x));
        let both = self.two(if greatest { code::AND } else { code::OR }, one, other);
        let unordered = self.put(code::compare(self.double), [x, y, Source::None], Some(3));
        self.two(code::OR, both, unordered)
    }

    fn shift_by(&mut self, op: Binary, dtype: DType, x: Source, amount: u64) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        let width = dtype.bits() as u64;
        Some(if op == Binary::ShiftRightArithmetic {
            if self.double {
                return None;
            }
            self.shifted(code::SHIFT_SIGN_32, x, amount.min(width - 1))
        } else if amount >= width {
            self.bits(0)
        } else if op == Binary::ShiftLeft {
            self.shifted(code::shift_left(self.double), x, amount)
        } else {
            self.shifted(code::shift_right(self.double), x, amount)
        })
    }

    fn compare(&mut self, op: Compare, dtype: DType, x: Source, y: Source) -> Option<Source> {
        if !self.holds(dtype) {
            return None;
        }
        if dtype.is_float() {
            let predicate = match op {
                Compare::Eq => 0,
                Compare::Lt => 0x11,
                Compare::Le => 0x12,
                Compare::Ne => 4,
                Compare::Ge => 0x1d,
                Compare::Gt => 0x1e,
                Compare::EqTo | Compare::LtTo | Compare::LeTo => return None,
            };
            return Some(self.put(code::compare(self.double), [x, y, Source::None], Some(predicate)));
        }
        let (mut x, mut y) = (x, y);
        if dtype == DType::Bool {
            // True is -1 in a mask: less than false.
            std::mem::swap(&mut x, &mut y);
        } else if !dtype.is_signed_integer() && !matches!(op, Compare::Eq | Compare::Ne | Compare::EqTo) {
            // Vectors compare as signed numbers: flipping the highest bit maps one order to the other.
            let highest = self.bits(1 << (dtype.bits() - 1));
            x = self.two(code::XOR, x, highest);
            y = self.two(code::XOR, y, highest);
        }
        let (equal, greater) = (code::equal(self.double), code::greater(self.double));
        Some(match op {
            Compare::Eq | Compare::EqTo => self.two(equal, x, y),
            Compare::Ne => {
                let equal = self.two(equal, x, y);
                self.not(equal)
            }
            Compare::Gt => self.two(greater, x, y),
            Compare::Lt | Compare::LtTo => self.two(greater, y, x),
            Compare::Le | Compare::LeTo => {
                let above = self.two(greater, x, y);
                self.not(above)
            }
            Compare::Ge => {
                let below = self.two(greater, y, x);
                self.not(below)
            }
        })
    }

    /// Threefry-2x32 with 20 rounds.
    fn threefry(&mut self, [key0, key1, count0, count1]: [Source; 4]) -> [Source; 2] {
        const ROTATIONS: [[u64; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
        let add = code::integer_add(false);
        let parity = self.bits(0x1BD1_1BDA);
        let key2 = self.two(code::XOR, key0, key1);
        let schedule = [key0, key1, self.two(code::XOR, key2, parity)];
        let mut x = [self.two(add, count0, key0), self.two(add, count1, key1)];
        for group in 0..5 {
            for rotation in ROTATIONS[group % 2] {
                x[0] = self.two(add, x[0], x[1]);
                let high = self.shifted(code::shift_left(false), x[1], rotation);
                let low = self.shifted(code::shift_right(false), x[1], 32 - rotation);
                let rotated = self.two(code::OR, high, low);
                x[1] = self.two(code::XOR, rotated, x[0]);
            }
            x[0] = self.two(add, x[0], schedule[(group + 1) % 3]);
            let round = self.bits(group as u64 + 1);
            let key = self.two(add, schedule[(group + 2) % 3], round);
            x[1] = self.two(add, x[1], key);
        }
        x
    }
}

/// Whether the operand that may be memory is the result.
pub(super) fn is_reversed(op: Opcode) -> bool {
    debug_assert!(op.form == Form::Two || op != code::HIGH_HALF);
    op == code::HIGH_HALF || op == code::TO_F16
}
