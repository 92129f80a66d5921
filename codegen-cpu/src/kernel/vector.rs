//! Contiguous inner loops, several elements at a time.
//!
//! The loop is emitted twice: over whole vectors, and for the rest one element at a time. Sums and other reductions
//! are kept in several vectors, so that one addition need not wait for the last, and combined after the loop.

use std::collections::{HashMap, HashSet};

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{BlockArg, ConstantData, InstBuilder, MemFlagsData, Value};
use rjax_ir::{Binary, DType, Result, Scalar, Unary};
use rjax_kernel::kir::{Expr, Index, Inst, Loop, Reg};

use super::Emitter;
use crate::ops::{Lanes, Ops};

/// Partial results of a reduction, to hide the latency of an addition.
const PARTIALS: usize = 4;
/// Bodies of at most this many instructions are unrolled once.
const SHORT_BODY: usize = 12;

/// One of the vectors of iterations that the body is emitted for.
struct Iteration<'l> {
    l: &'l Loop,
    /// How many vectors of iterations of the same pass come before.
    copy: usize,
    /// The registers that the body defines.
    vectors: HashMap<Reg, Value>,
}

impl Emitter<'_, '_, '_> {
    /// The lanes in which a loop that may be vectorised can be.
    pub(super) fn lanes_of(&self, l: &Loop) -> Option<Lanes> {
        [Lanes::Four, Lanes::Two].into_iter().find(|&lanes| self.fits(l, lanes))
    }

    fn fits(&self, l: &Loop, lanes: Lanes) -> bool {
        let mut varying: HashSet<Reg> = l.carried.iter().map(|c| c.register).collect();
        varying.insert(l.variable);
        l.carried.iter().all(|c| reduction(l, c.next).is_some())
            && l.body.iter().all(|inst| {
                let fits = self.inst_fits(l, lanes, &varying, inst);
                match inst {
                    Inst::Let { result, .. } | Inst::Load { result, .. } => {
                        varying.insert(*result);
                    }
                    Inst::Threefry { results, .. } => varying.extend(results),
                    Inst::Store { .. } | Inst::Complex { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => {}
                }
                fits
            })
    }

    fn inst_fits(&self, l: &Loop, lanes: Lanes, varying: &HashSet<Reg>, inst: &Inst) -> bool {
        let holds = |register: Reg| lanes.holds(self.dtype(register));
        let moves_by = |index: &Index, step: i64| {
            index.coefficient(l.variable) == step
                && index.terms.iter().all(|&(r, _)| r == l.variable || !varying.contains(&r))
        };
        match inst {
            Inst::Load { result, param, index, mask } => {
                holds(*result)
                    && lanes.holds(self.kernel.params[param.index()].dtype)
                    && mask.is_none()
                    && (moves_by(index, 0) || moves_by(index, 1))
            }
            Inst::Store { param, index, value } => {
                holds(*value) && lanes.holds(self.kernel.params[param.index()].dtype) && moves_by(index, 1)
            }
            Inst::Threefry { .. } => lanes == Lanes::Four,
            // The only values of 64 bits in lanes of 32: positions that become values of 32 bits.
            Inst::Let { value: Expr::Index(_), .. } if lanes == Lanes::Four => true,
            Inst::Let { result, value: Expr::Convert(x) } if lanes == Lanes::Four && position(l, *x).is_some() => {
                matches!(self.dtype(*result), DType::I32 | DType::U32)
                    && position(l, *x).is_some_and(|index| moves_by(&index, index.coefficient(l.variable)))
            }
            Inst::Let { result, value } => holds(*result) && self.expr_fits(lanes, varying, *result, value),
            Inst::Complex { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => false,
        }
    }

    fn expr_fits(&self, lanes: Lanes, varying: &HashSet<Reg>, result: Reg, value: &Expr) -> bool {
        let holds = |register: Reg| lanes.holds(self.dtype(register));
        match value {
            Expr::Const(_) | Expr::Index(_) => true,
            Expr::IndexDiv(x, _) | Expr::IndexRem(x, _) => !varying.contains(x),
            Expr::Unary(op, x) => {
                holds(*x)
                    && match op {
                        Unary::PopulationCount | Unary::Clz | Unary::Real | Unary::Imag | Unary::Conj => false,
                        Unary::Neg
                        | Unary::Sign
                        | Unary::Abs
                        | Unary::Floor
                        | Unary::Ceil
                        | Unary::Round
                        | Unary::RoundEven
                        | Unary::IsFinite
                        | Unary::Not
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
                        | Unary::BesselI1e => true,
                    }
            }
            Expr::Binary(op, x, y) => {
                let float = self.dtype(*x).is_float();
                holds(*x)
                    && match op {
                        Binary::Div | Binary::Rem => float,
                        Binary::ShiftLeft | Binary::ShiftRightArithmetic | Binary::ShiftRightLogical => {
                            self.constants[y.index()].is_some()
                        }
                        Binary::Complex => false,
                        Binary::Add
                        | Binary::Sub
                        | Binary::Mul
                        | Binary::Pow
                        | Binary::Atan2
                        | Binary::Max
                        | Binary::Min
                        | Binary::And
                        | Binary::Or
                        | Binary::Xor
                        | Binary::NextAfter
                        | Binary::Igamma
                        | Binary::Igammac
                        | Binary::IgammaGradA
                        | Binary::Polygamma
                        | Binary::Zeta => true,
                    }
            }
            Expr::Compare(_, x, _) => holds(*x),
            Expr::Fma(_) | Expr::Scale(..) | Expr::Rarely { .. } => true,
            Expr::Select { on_true, .. } => holds(*on_true),
            Expr::Convert(x) | Expr::Truncate(x) => {
                holds(*x) && Ops::converts_lanes(lanes, self.dtype(*x), self.dtype(result))
            }
            Expr::Bitcast(x) => holds(*x),
            Expr::ReducePrecision { .. } | Expr::RegularizedIncompleteBeta(_) => false,
        }
    }

    /// The loop over whole vectors, then the rest one element at a time.
    pub(super) fn vector_loop(
        &mut self,
        l: &Loop,
        lanes: Lanes,
        begin: Value,
        end: Value,
        trip: Option<i64>,
        inits: &[Value],
    ) -> Result<()> {
        let wanted = if !l.carried.is_empty() {
            PARTIALS
        } else if l.body.len() <= SHORT_BODY {
            2
        } else {
            1
        };
        let fitting = trip.map_or(wanted, |trip| (trip as usize / lanes.count()).min(wanted));
        let copies = if fitting >= wanted { wanted } else { 1 };
        let step = (lanes.count() * copies) as i64;
        let vectors_end = match trip {
            Some(trip) => self.ops.builder.ins().iadd_imm_s(begin, trip - trip % step),
            None => {
                let trip = self.ops.builder.ins().isub(end, begin);
                let zero = self.ops.word(0);
                let trip = self.ops.builder.ins().smax(trip, zero);
                let whole = self.ops.builder.ins().band_imm_s(trip, -step);
                self.ops.builder.ins().iadd(begin, whole)
            }
        };

        let (body, after) = (self.ops.builder.create_block(), self.ops.builder.create_block());
        let variable = self.ops.builder.append_block_param(body, I64);
        self.ops.lanes = lanes;
        let mut partials: Vec<BlockArg> = Vec::new();
        for carry in &l.carried {
            let dtype = self.dtype(carry.register);
            let op = reduction(l, carry.next).expect("fits: every carried value is a reduction");
            let register = self.ops.register(dtype);
            let identity = self.ops.constant(identity(op, dtype));
            for _ in 0..copies {
                self.ops.builder.append_block_param(body, register);
                self.ops.builder.append_block_param(after, register);
                partials.push(identity.into());
            }
        }
        let mut entering: Vec<BlockArg> = vec![begin.into()];
        entering.extend(&partials);
        if trip.is_some() {
            self.ops.builder.ins().jump(body, &entering);
        } else {
            let runs = self.ops.builder.ins().icmp(IntCC::SignedLessThan, begin, vectors_end);
            self.ops.builder.ins().brif(runs, body, &entering, after, &partials);
        }

        self.ops.builder.switch_to_block(body);
        self.depth += 1;
        self.define(l.variable, variable);
        let mut nexts = vec![BlockArg::from(variable); partials.len()];
        for copy in 0..copies {
            let mut iteration = Iteration { l, copy, vectors: HashMap::new() };
            for (i, carry) in l.carried.iter().enumerate() {
                let partial = self.ops.builder.block_params(body)[1 + i * copies + copy];
                iteration.vectors.insert(carry.register, partial);
            }
            for inst in &l.body {
                self.vector_inst(inst, &mut iteration);
            }
            for (i, carry) in l.carried.iter().enumerate() {
                nexts[i * copies + copy] = iteration.vectors[&carry.next].into();
            }
        }
        let following = self.ops.builder.ins().iadd_imm_s(variable, step);
        let runs = self.ops.builder.ins().icmp(IntCC::SignedLessThan, following, vectors_end);
        let mut repeating: Vec<BlockArg> = vec![following.into()];
        repeating.extend(&nexts);
        self.ops.builder.ins().brif(runs, body, &repeating, after, &nexts);
        self.depth -= 1;

        self.ops.builder.switch_to_block(after);
        let mut results = Vec::with_capacity(inits.len());
        for (i, (carry, &init)) in l.carried.iter().zip(inits).enumerate() {
            let op = reduction(l, carry.next).expect("fits: every carried value is a reduction");
            let partials = self.ops.builder.block_params(after)[i * copies..][..copies].to_vec();
            results.push(self.combine(op, self.dtype(carry.register), lanes, partials, init));
        }
        self.ops.lanes = Lanes::One;
        if trip.is_some_and(|trip| trip % step == 0) {
            for (carry, result) in l.carried.iter().zip(results) {
                self.define(carry.register, result);
            }
            return Ok(());
        }
        self.scalar_loop(l, vectors_end, end, trip.is_some(), &results)
    }

    /// All lanes of all partial results and the value before the loop, combined.
    fn combine(&mut self, op: Binary, dtype: DType, lanes: Lanes, mut partials: Vec<Value>, init: Value) -> Value {
        self.ops.lanes = lanes;
        while partials.len() > 1 {
            partials = partials
                .chunks(2)
                .map(|pair| match pair {
                    [x, y] => self.ops.binary(op, dtype, *x, *y),
                    _ => pair[0],
                })
                .collect();
        }
        let mut elements: Vec<Value> = (0..lanes.count()).map(|lane| self.ops.lane(dtype, partials[0], lane)).collect();
        self.ops.lanes = Lanes::One;
        while elements.len() > 1 {
            let half = elements.len() / 2;
            elements = (0..half).map(|i| self.ops.binary(op, dtype, elements[i], elements[i + half])).collect();
        }
        let total = self.ops.binary(op, dtype, init, elements[0]);
        self.ops.lanes = lanes;
        total
    }

    /// A register as a vector: one of this iteration, the loop variable, or a value from outside repeated.
    fn vector(&mut self, iteration: &Iteration<'_>, register: Reg) -> Value {
        if let Some(&vector) = iteration.vectors.get(&register) {
            return vector;
        }
        if register == iteration.l.variable {
            return self.consecutive(iteration, &Index::reg(register));
        }
        let value = self.value(register);
        self.ops.splat(self.dtype(register), value)
    }

    /// An index as a vector: consecutive lanes are consecutive iterations.
    fn consecutive(&mut self, iteration: &Iteration<'_>, index: &Index) -> Value {
        let lanes = self.ops.lanes.count() as i64;
        let coefficient = index.coefficient(iteration.l.variable);
        let first = self.index(&index.offset(coefficient * lanes * iteration.copy as i64));
        let first = self.ops.splat(DType::I64, first);
        let mut steps = Vec::with_capacity(16);
        (0..lanes).for_each(|lane| steps.extend((coefficient * lane).to_le_bytes()));
        let steps = self.ops.builder.func.dfg.constants.insert(ConstantData::from(steps));
        let register = self.ops.register(DType::I64);
        let steps = self.ops.builder.ins().vconst(register, steps);
        self.ops.builder.ins().iadd(first, steps)
    }

    /// As [`Self::consecutive`], the low 32 bits in four lanes.
    fn consecutive_narrow(&mut self, iteration: &Iteration<'_>, index: &Index) -> Value {
        let coefficient = index.coefficient(iteration.l.variable);
        let first = self.index(&index.offset(coefficient * 4 * iteration.copy as i64));
        let first = self.ops.builder.ins().ireduce(I32, first);
        let first = self.ops.splat(DType::I32, first);
        let steps: Vec<u8> = (0..4).flat_map(|lane| ((coefficient * lane) as i32).to_le_bytes()).collect();
        let steps = self.ops.builder.func.dfg.constants.insert(ConstantData::from(steps));
        let register = self.ops.register(DType::I32);
        let steps = self.ops.builder.ins().vconst(register, steps);
        self.ops.builder.ins().iadd(first, steps)
    }

    fn vector_inst(&mut self, inst: &Inst, iteration: &mut Iteration<'_>) {
        let lanes = self.ops.lanes;
        match inst {
            Inst::Let { value: Expr::Index(_), .. } if lanes == Lanes::Four => {}
            Inst::Let { result, value: Expr::Convert(x) }
                if lanes == Lanes::Four && position(iteration.l, *x).is_some() =>
            {
                let index = position(iteration.l, *x).expect("checked above");
                let value = self.consecutive_narrow(iteration, &index);
                iteration.vectors.insert(*result, value);
            }
            Inst::Let { result, value } => {
                let value = self.vector_expr(*result, value, iteration);
                iteration.vectors.insert(*result, value);
            }
            Inst::Load { result, param, index, .. } => {
                let dtype = self.dtype(*result);
                let (address, offset) = self.address(*param, index);
                let value = if index.coefficient(iteration.l.variable) == 0 {
                    self.ops.lanes = Lanes::One;
                    let value = self.ops.load(self.flags(*param), dtype, address, offset);
                    self.ops.lanes = lanes;
                    self.ops.splat(dtype, value)
                } else {
                    let (address, offset) = self.displaced(address, offset, dtype, iteration.copy);
                    self.ops.load(unaligned(self.flags(*param)), dtype, address, offset)
                };
                iteration.vectors.insert(*result, value);
            }
            Inst::Store { param, index, value } => {
                let dtype = self.kernel.params[param.index()].dtype;
                let value = self.vector(iteration, *value);
                let (address, offset) = self.address(*param, index);
                let (address, offset) = self.displaced(address, offset, dtype, iteration.copy);
                self.ops.store(unaligned(MemFlagsData::trusted()), dtype, value, address, offset);
            }
            Inst::Threefry { results, operands } => {
                let operands = operands.map(|r| self.vector(iteration, r));
                let words = self.ops.threefry(operands);
                iteration.vectors.insert(results[0], words[0]);
                iteration.vectors.insert(results[1], words[1]);
            }
            Inst::Complex { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => {
                unreachable!("fits: the body is straight-line")
            }
        }
    }

    /// An address moved on by as many vectors as there are copies before.
    fn displaced(&mut self, address: Value, offset: i32, dtype: DType, copy: usize) -> (Value, i32) {
        let bytes = (copy * self.ops.lanes.count() * dtype.size()) as i32;
        match offset.checked_add(bytes + 16) {
            Some(_) => (address, offset + bytes),
            None => (self.ops.builder.ins().iadd_imm_s(address, offset as i64), bytes),
        }
    }

    fn vector_expr(&mut self, result: Reg, expr: &Expr, iteration: &Iteration<'_>) -> Value {
        let to = self.dtype(result);
        match expr {
            Expr::Const(value) => self.ops.constant(*value),
            Expr::Index(index) => self.consecutive(iteration, index),
            Expr::IndexDiv(..) | Expr::IndexRem(..) => {
                let lanes = std::mem::replace(&mut self.ops.lanes, Lanes::One);
                let value = self.expr(result, expr);
                self.ops.lanes = lanes;
                self.ops.splat(to, value)
            }
            Expr::Unary(op, x) => {
                let (dtype, x) = (self.dtype(*x), self.vector(iteration, *x));
                self.ops.unary(*op, dtype, x)
            }
            Expr::Binary(op, x, y) => {
                let dtype = self.dtype(*x);
                let x = self.vector(iteration, *x);
                match (op, self.constants[y.index()]) {
                    (Binary::ShiftLeft | Binary::ShiftRightLogical | Binary::ShiftRightArithmetic, Some(amount)) => {
                        self.ops.shift_by(*op, dtype, x, amount.bits()[0])
                    }
                    _ => {
                        let y = self.vector(iteration, *y);
                        self.ops.binary(*op, dtype, x, y)
                    }
                }
            }
            Expr::Fma(operands) => {
                let [x, y, z] = operands.map(|r| self.vector(iteration, r));
                self.ops.builder.ins().fma(x, y, z)
            }
            Expr::Scale([x, _, bits]) => {
                let (x, bits) = (self.vector(iteration, *x), self.vector(iteration, *bits));
                self.ops.scale(to, x, bits)
            }
            Expr::Rarely { condition, op, operand, otherwise } => {
                let [condition, x, otherwise] = [condition, operand, otherwise].map(|&r| self.vector(iteration, r));
                self.ops.rarely(condition, *op, to, x, otherwise)
            }
            Expr::Compare(op, x, y) => {
                let dtype = self.dtype(*x);
                let (x, y) = (self.vector(iteration, *x), self.vector(iteration, *y));
                self.ops.compare(*op, dtype, x, y)
            }
            Expr::Select { condition, on_true, on_false } => {
                let condition = self.vector(iteration, *condition);
                let (x, y) = (self.vector(iteration, *on_true), self.vector(iteration, *on_false));
                self.ops.select(condition, x, y)
            }
            Expr::Convert(x) | Expr::Truncate(x) => {
                let (from, x) = (self.dtype(*x), self.vector(iteration, *x));
                self.ops.convert(from, to, x)
            }
            Expr::Bitcast(x) => {
                let (from, x) = (self.dtype(*x), self.vector(iteration, *x));
                self.ops.bitcast(from, to, x)
            }
            Expr::ReducePrecision { .. } | Expr::RegularizedIncompleteBeta(_) => {
                unreachable!("fits: these have no vector form")
            }
        }
    }
}

/// Vectors are aligned to their elements only.
fn unaligned(flags: MemFlagsData) -> MemFlagsData {
    let plain = MemFlagsData::new().with_notrap();
    if flags.readonly() { plain.with_readonly().with_can_move() } else { plain }
}

/// The position that a register of the body, or the loop variable, holds.
fn position(l: &Loop, register: Reg) -> Option<Index> {
    if register == l.variable {
        return Some(Index::reg(register));
    }
    l.body.iter().find_map(|inst| match inst {
        Inst::Let { result, value: Expr::Index(index) } if *result == register => Some(index.clone()),
        Inst::Let { .. }
        | Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => None,
    })
}

/// Whether a carried value is a reduction that nothing else reads.
pub(super) fn is_reduction(l: &Loop, register: Reg, next: Reg) -> bool {
    let mut readers = 0;
    l.body.iter().for_each(|inst| inst.reads(|r| readers += (r == register) as usize));
    let combined = l.body.iter().any(|inst| match inst {
        Inst::Let { result, value: Expr::Binary(_, x, y) } => *result == next && (*x == register) != (*y == register),
        Inst::Let { .. }
        | Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => false,
    });
    readers == 1 && combined && reduction(l, next).is_some()
}

/// The op of the reduction whose next value this is.
pub(super) fn reduction(l: &Loop, next: Reg) -> Option<Binary> {
    l.body.iter().find_map(|inst| match inst {
        Inst::Let { result, value: Expr::Binary(op, ..) } if *result == next => match op {
            Binary::Add | Binary::Mul | Binary::Max | Binary::Min | Binary::And | Binary::Or | Binary::Xor => Some(*op),
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
            | Binary::Zeta => None,
        },
        Inst::Let { .. }
        | Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Complex { .. }
        | Inst::Threefry { .. }
        | Inst::Loop(_)
        | Inst::If(_)
        | Inst::While(_) => None,
    })
}

/// The value that leaves every other unchanged, -0 included: -0 + -0 is -0, where 0 + -0 is 0.
pub(super) fn identity(op: Binary, dtype: DType) -> Scalar {
    match op {
        Binary::Add if dtype.is_float() => Scalar::from_f64(dtype, -0.0),
        Binary::Mul => Scalar::one(dtype),
        Binary::Max => Scalar::least(dtype),
        Binary::Min => Scalar::greatest(dtype),
        Binary::And if dtype == DType::Bool => Scalar::one(dtype),
        Binary::And => Scalar::from_i64(dtype, -1),
        Binary::Add
        | Binary::Or
        | Binary::Xor
        | Binary::Sub
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
        | Binary::Zeta => Scalar::zero(dtype),
    }
}
