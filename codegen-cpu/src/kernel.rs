//! Kernels as Cranelift functions `(arguments, begin, end)`: `arguments` points to one address for each parameter.

mod vector;
mod wide;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, StackSlot, Value};
use cranelift_frontend::FunctionBuilder;
use rjax_ir::{Binary, DType, Result, Scalar, Unary, ensure};
use rjax_kernel::kir::{Carry, Class, ComplexOp, Expr, Index, Inst, Kernel, Loop, Order, ParamId, Reg, WhileLoop};

pub(crate) use self::wide::WideLoop;
use crate::callees::Callees;
use crate::ops::{Lanes, Ops};
use crate::routines::Routine;

/// Local memory begins at a multiple of this many bytes.
const LOCAL_ALIGNMENT: i64 = 64;

/// What holds of the memory of a parameter in all launches of its kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// It is only read, and no other parameter writes it: its loads may move.
    pub(crate) unaliased: bool,
    /// Some launch gives it the scratch memory of a block of rows, which is in the caches however long the array would be.
    pub(crate) cached: bool,
}

/// Emits a kernel and gives the wide loops that it calls. There is a `memory` for each parameter.
pub(crate) fn emit(
    kernel: &Kernel,
    memory: &[Memory],
    builder: &mut FunctionBuilder<'_>,
    callees: &mut Callees,
) -> Result<Vec<WideLoop>> {
    check(kernel)?;
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let parameters = builder.block_params(entry).to_vec();
    let flags = MemFlagsData::trusted().with_readonly().with_can_move();
    let mut bases: Vec<Value> = (0..kernel.shared_params().len())
        .map(|i| builder.ins().load(I64, flags, parameters[0], 8 * i as i32))
        .collect();
    let mut ops = Ops { builder, callees, lanes: Lanes::One };
    for local in &kernel.params[bases.len()..] {
        // The stack is aligned to 16 bytes; local memory is too short for wide vectors across cache lines not to matter.
        let slot = ops.stack_slot(local.len * local.dtype.size() + LOCAL_ALIGNMENT as usize);
        let end = ops.builder.ins().stack_addr(I64, slot, LOCAL_ALIGNMENT as i32);
        bases.push(ops.builder.ins().band_imm_s(end, -LOCAL_ALIGNMENT));
    }
    let mut emitter = Emitter {
        ops,
        kernel,
        memory,
        bases,
        values: vec![None; kernel.registers.len()],
        constants: vec![None; kernel.registers.len()],
        depths: vec![0; kernel.registers.len()],
        depth: 0,
        nowhere: None,
        wide: Vec::new(),
    };
    emitter.define(kernel.range.begin, parameters[1]);
    emitter.define(kernel.range.end, parameters[2]);
    emitter.insts(&kernel.body)?;
    emitter.ops.builder.ins().return_(&[]);
    emitter.ops.builder.seal_all_blocks();
    Ok(emitter.wide)
}

/// Rejects what the generator cannot emit before anything is emitted.
fn check(kernel: &Kernel) -> Result<()> {
    for (i, &dtype) in kernel.registers.iter().enumerate() {
        ensure!(
            !dtype.is_complex(),
            Unsupported,
            "cpu: register %{i} of a kernel is {dtype}; KIR has real registers only"
        );
    }
    check_insts(kernel, &kernel.body)
}

fn check_insts(kernel: &Kernel, insts: &[Inst]) -> Result<()> {
    let dtype = |register: Reg| kernel.registers[register.index()];
    for inst in insts {
        if let Inst::Let { value, .. } = inst {
            match value {
                Expr::Unary(op, x) => ensure!(
                    op.accepts().contains(dtype(*x)),
                    Unsupported,
                    "cpu: {} does not accept {}",
                    op.name(),
                    dtype(*x)
                ),
                Expr::Binary(op, x, _) => ensure!(
                    op.accepts().contains(dtype(*x)) && *op != Binary::Complex,
                    Unsupported,
                    "cpu: {} does not accept {}",
                    op.name(),
                    dtype(*x)
                ),
                Expr::Const(_)
                | Expr::Index(_)
                | Expr::Fma(_)
                | Expr::Rarely { .. }
                | Expr::IndexDiv(..)
                | Expr::IndexRem(..)
                | Expr::Compare(..)
                | Expr::Select { .. }
                | Expr::Convert(_)
                | Expr::Bitcast(_)
                | Expr::ReducePrecision { .. }
                | Expr::RegularizedIncompleteBeta(_) => {}
            }
        }
        for block in inst.blocks() {
            check_insts(kernel, block)?;
        }
    }
    Ok(())
}

struct Emitter<'a, 'b, 'f> {
    ops: Ops<'b, 'f>,
    kernel: &'a Kernel,
    memory: &'a [Memory],
    /// The address of each parameter.
    bases: Vec<Value>,
    /// The value of each register, with one lane.
    values: Vec<Option<Value>>,
    /// The registers that are constants.
    constants: Vec<Option<Scalar>>,
    /// How many loops are around the definition of each register.
    depths: Vec<u32>,
    depth: u32,
    /// Memory that loads read where their mask is false.
    nowhere: Option<StackSlot>,
    /// Loops that became functions, which the kernel calls by their positions.
    wide: Vec<WideLoop>,
}

impl Emitter<'_, '_, '_> {
    fn dtype(&self, register: Reg) -> DType {
        self.kernel.registers[register.index()]
    }

    fn value(&self, register: Reg) -> Value {
        self.values[register.index()].unwrap_or_else(|| panic!("KIR defines {register} before its uses"))
    }

    fn define(&mut self, register: Reg, value: Value) {
        self.values[register.index()] = Some(value);
        self.depths[register.index()] = self.depth;
    }

    fn insts(&mut self, insts: &[Inst]) -> Result<()> {
        insts.iter().try_for_each(|inst| self.inst(inst))
    }

    fn inst(&mut self, inst: &Inst) -> Result<()> {
        match inst {
            Inst::Let { result, value } => {
                if let Expr::Const(scalar) = value {
                    self.constants[result.index()] = Some(*scalar);
                }
                let value = self.expr(*result, value);
                self.define(*result, value);
            }
            Inst::Load { result, param, index, mask } => {
                let dtype = self.dtype(*result);
                let (mut address, offset) = self.address(*param, index);
                let flags = self.flags(*param);
                let value = match mask {
                    None => self.ops.load(flags, dtype, address, offset),
                    Some(mask) => {
                        let (condition, otherwise) = (self.value(mask.condition), self.value(mask.otherwise));
                        if offset != 0 {
                            let offset = self.ops.word(offset as i64);
                            address = self.ops.builder.ins().iadd(address, offset);
                        }
                        let nowhere = self.nowhere();
                        let address = self.ops.builder.ins().select(condition, address, nowhere);
                        let loaded = self.ops.load(flags, dtype, address, 0);
                        self.ops.select(condition, loaded, otherwise)
                    }
                };
                self.define(*result, value);
            }
            Inst::Store { param, index, value } => {
                let (address, offset) = self.address(*param, index);
                let value = self.value(*value);
                let dtype = self.kernel.params[param.index()].dtype;
                self.ops.store(MemFlagsData::trusted(), dtype, value, address, offset);
            }
            Inst::Complex { real, imag, op, dtype, operands } => self.complex(*real, *imag, *op, *dtype, operands),
            Inst::Threefry { results, operands } => {
                let operands = operands.map(|r| self.value(r));
                let words = self.ops.threefry(operands);
                self.define(results[0], words[0]);
                self.define(results[1], words[1]);
            }
            Inst::Loop(l) => self.counted_loop(l)?,
            Inst::If(branch) => {
                let [then, otherwise, after] = [(); 3].map(|()| self.ops.builder.create_block());
                for phi in &branch.results {
                    let register = self.ops.register(self.dtype(phi.register));
                    self.ops.builder.append_block_param(after, register);
                }
                let condition = self.value(branch.condition);
                self.ops.builder.ins().brif(condition, then, &[], otherwise, &[]);
                self.ops.builder.switch_to_block(then);
                self.insts(&branch.then)?;
                let results: Vec<BlockArg> = branch.results.iter().map(|phi| self.value(phi.then).into()).collect();
                self.ops.builder.ins().jump(after, &results);
                self.ops.builder.switch_to_block(otherwise);
                self.insts(&branch.otherwise)?;
                let results: Vec<BlockArg> =
                    branch.results.iter().map(|phi| self.value(phi.otherwise).into()).collect();
                self.ops.builder.ins().jump(after, &results);
                self.ops.builder.switch_to_block(after);
                for (i, phi) in branch.results.iter().enumerate() {
                    let value = self.ops.builder.block_params(after)[i];
                    self.define(phi.register, value);
                }
            }
            Inst::While(w) => self.while_loop(w)?,
        }
        Ok(())
    }

    fn expr(&mut self, result: Reg, expr: &Expr) -> Value {
        let to = self.dtype(result);
        match expr {
            Expr::Const(value) => self.ops.constant(*value),
            Expr::Index(index) => self.index(index),
            // The dividend is not negative, so that unsigned division, which is cheaper, gives the same.
            Expr::IndexDiv(x, divisor) => {
                let x = self.value(*x);
                self.ops.builder.ins().udiv_imm_u(x, *divisor)
            }
            Expr::IndexRem(x, divisor) => {
                let x = self.value(*x);
                self.ops.builder.ins().urem_imm_u(x, *divisor)
            }
            Expr::Unary(op, x) => {
                let (dtype, x) = (self.dtype(*x), self.value(*x));
                self.ops.unary(*op, dtype, x)
            }
            Expr::Binary(op, x, y) => {
                let (dtype, x, amount, y) = (self.dtype(*x), self.value(*x), self.constants[y.index()], self.value(*y));
                match (op, amount) {
                    (Binary::ShiftLeft | Binary::ShiftRightLogical | Binary::ShiftRightArithmetic, Some(amount)) => {
                        self.ops.shift_by(*op, dtype, x, amount.bits()[0])
                    }
                    _ => self.ops.binary(*op, dtype, x, y),
                }
            }
            Expr::Fma(operands) => {
                let [x, y, z] = operands.map(|r| self.value(r));
                self.ops.builder.ins().fma(x, y, z)
            }
            Expr::Rarely { condition, op, operand, otherwise } => {
                let [condition, x, otherwise] = [condition, operand, otherwise].map(|&r| self.value(r));
                self.ops.rarely(condition, *op, to, x, otherwise)
            }
            Expr::Compare(op, x, y) => {
                let (dtype, x, y) = (self.dtype(*x), self.value(*x), self.value(*y));
                self.ops.compare(*op, dtype, x, y)
            }
            Expr::Select { condition, on_true, on_false } => {
                let (condition, x, y) = (self.value(*condition), self.value(*on_true), self.value(*on_false));
                self.ops.select(condition, x, y)
            }
            Expr::Convert(x) => {
                let (from, x) = (self.dtype(*x), self.value(*x));
                self.ops.convert(from, to, x)
            }
            Expr::Bitcast(x) => {
                let (from, x) = (self.dtype(*x), self.value(*x));
                self.ops.bitcast(from, to, x)
            }
            Expr::ReducePrecision { operand, exponent_bits, mantissa_bits } => {
                let x = self.value(*operand);
                self.ops.reduce_precision(to, x, *exponent_bits, *mantissa_bits)
            }
            Expr::RegularizedIncompleteBeta(operands) => {
                let operands = operands.map(|r| self.value(r));
                self.ops.beta(to, operands)
            }
        }
    }

    fn complex(&mut self, real: Reg, imag: Option<Reg>, op: ComplexOp, dtype: DType, operands: &[[Reg; 2]]) {
        if let (ComplexOp::Unary(Unary::Abs), DType::C64, None, [parts]) = (op, dtype, imag, operands) {
            let parts = parts.map(|part| self.value(part));
            let modulus = self.ops.modulus_c64(parts);
            return self.define(real, modulus);
        }
        let part = dtype.real().size() as i32;
        let slot = self.ops.stack_slot(6 * part as usize);
        let out = self.ops.builder.ins().stack_addr(I64, slot, 0);
        let mut arguments = vec![out];
        for (i, parts) in operands.iter().enumerate() {
            let address = self.ops.builder.ins().stack_addr(I64, slot, 2 * part * (i as i32 + 1));
            for (j, &register) in parts.iter().enumerate() {
                let value = self.value(register);
                self.ops.builder.ins().store(MemFlagsData::trusted(), value, address, part * j as i32);
            }
            arguments.push(address);
        }
        let routine = match op {
            ComplexOp::Unary(op) => Routine::ComplexUnary(op, dtype),
            ComplexOp::Binary(op) => Routine::ComplexBinary(op, dtype),
        };
        self.ops.call_for_effect(routine, &arguments);
        let register = self.ops.register(dtype.real());
        for (i, result) in [Some(real), imag].into_iter().flatten().enumerate() {
            let value = self.ops.builder.ins().load(register, MemFlagsData::trusted(), out, part * i as i32);
            self.define(result, value);
        }
    }

    /// The memory flags of accesses to a parameter.
    fn flags(&self, param: ParamId) -> MemFlagsData {
        if self.memory[param.index()].unaliased {
            MemFlagsData::trusted().with_readonly().with_can_move()
        } else {
            MemFlagsData::trusted()
        }
    }

    /// The address of memory that may always be read, at least as much as one load reads.
    fn nowhere(&mut self) -> Value {
        let slot = match self.nowhere {
            Some(slot) => slot,
            None => *self.nowhere.insert(self.ops.stack_slot(16)),
        };
        self.ops.builder.ins().stack_addr(I64, slot, 0)
    }

    /// An affine combination of registers, outer ones first, so that what does not change in a loop is hoisted as one value.
    fn sum(&mut self, start: Option<Value>, index: &Index, scale: i64) -> Option<Value> {
        let mut terms = index.terms.clone();
        terms.sort_by_key(|&(register, _)| self.depths[register.index()]);
        let mut sum = start;
        for (register, coefficient) in terms {
            let factor = coefficient * scale;
            let value = self.value(register);
            let term = if factor == 1 {
                value
            } else if factor > 0 && (factor as u64).is_power_of_two() {
                self.ops.builder.ins().ishl_imm_s(value, factor.trailing_zeros() as i64)
            } else {
                self.ops.builder.ins().imul_imm_s(value, factor)
            };
            sum = Some(match sum {
                Some(sum) => self.ops.builder.ins().iadd(sum, term),
                None => term,
            });
        }
        sum
    }

    fn index(&mut self, index: &Index) -> Value {
        match self.sum(None, index, 1) {
            None => self.ops.word(index.constant),
            Some(sum) if index.constant == 0 => sum,
            Some(sum) => self.ops.builder.ins().iadd_imm_s(sum, index.constant),
        }
    }

    /// The address of an element, as a value and a constant to be added.
    fn address(&mut self, param: ParamId, index: &Index) -> (Value, i32) {
        let size = self.kernel.params[param.index()].dtype.size() as i64;
        let base = self.bases[param.index()];
        let sum = self.sum(Some(base), index, size).expect("begins with the base");
        match i32::try_from(index.constant * size) {
            Ok(offset) => (sum, offset),
            Err(_) => (self.ops.builder.ins().iadd_imm_s(sum, index.constant * size), 0),
        }
    }

    fn counted_loop(&mut self, l: &Loop) -> Result<()> {
        let (begin, end) = (self.index(&l.begin), self.index(&l.end));
        let inits: Vec<Value> = l.carried.iter().map(|c| self.value(c.init)).collect();
        let trip = l.begin.as_constant().zip(l.end.as_constant()).map(|(begin, end)| (end - begin).max(0));
        match l.order {
            Order::Vector | Order::VectorReduce | Order::Independent | Order::Sequential
                if self.is_reorderable(l) && self.wide_loop(l, begin, end, trip, &inits)? =>
            {
                Ok(())
            }
            Order::Vector | Order::VectorReduce => match self.lanes_of(l) {
                Some(lanes) if trip.is_none_or(|trip| trip >= lanes.count() as i64) => {
                    self.vector_loop(l, lanes, begin, end, trip, &inits)
                }
                Some(_) | None => self.scalar_loop(l, begin, end, trip.is_some_and(|trip| trip > 0), &inits),
            },
            Order::Sequential | Order::Independent => {
                self.scalar_loop(l, begin, end, trip.is_some_and(|trip| trip > 0), &inits)
            }
        }
    }

    /// Whether iterations may run together: as the order says, or because a sum over several axes only loads and adds up.
    fn is_reorderable(&self, l: &Loop) -> bool {
        match l.order {
            Order::Vector | Order::VectorReduce | Order::Independent => true,
            Order::Sequential => {
                let stores = |inst: &Inst| !matches!(inst, Inst::Let { .. } | Inst::Load { .. });
                matches!(self.kernel.class, Class::Reduce | Class::Contract)
                    && !l.body.iter().any(stores)
                    && l.carried.iter().all(|c| vector::is_reduction(l, c.register, c.next))
            }
        }
    }

    /// A loop of one iteration at a time. The test is at its end, after one before it unless it surely runs.
    fn scalar_loop(&mut self, l: &Loop, begin: Value, end: Value, surely_runs: bool, inits: &[Value]) -> Result<()> {
        let (body, after) = (self.ops.builder.create_block(), self.ops.builder.create_block());
        let variable = self.ops.builder.append_block_param(body, I64);
        self.carry(body, after, &l.carried);
        let carried = |values: &[Value]| values.iter().map(|&v| BlockArg::from(v)).collect::<Vec<_>>();
        let mut entering: Vec<BlockArg> = vec![begin.into()];
        entering.extend(carried(inits));
        if surely_runs {
            self.ops.builder.ins().jump(body, &entering);
        } else {
            let runs = self.ops.builder.ins().icmp(IntCC::SignedLessThan, begin, end);
            self.ops.builder.ins().brif(runs, body, &entering, after, &carried(inits));
        }
        self.ops.builder.switch_to_block(body);
        self.depth += 1;
        self.define(l.variable, variable);
        self.define_carried(body, 1, &l.carried);
        self.insts(&l.body)?;
        let nexts: Vec<Value> = l.carried.iter().map(|c| self.value(c.next)).collect();
        let following = self.ops.builder.ins().iadd_imm_s(variable, 1);
        let runs = self.ops.builder.ins().icmp(IntCC::SignedLessThan, following, end);
        let mut repeating: Vec<BlockArg> = vec![following.into()];
        repeating.extend(carried(&nexts));
        self.ops.builder.ins().brif(runs, body, &repeating, after, &carried(&nexts));
        self.depth -= 1;
        self.ops.builder.switch_to_block(after);
        self.define_carried(after, 0, &l.carried);
        Ok(())
    }

    /// Gives both blocks a parameter for each carried value.
    fn carry(&mut self, body: Block, after: Block, carried: &[Carry]) {
        for carry in carried {
            let register = self.ops.register(self.dtype(carry.register));
            self.ops.builder.append_block_param(body, register);
            self.ops.builder.append_block_param(after, register);
        }
    }

    /// Defines carried registers by the parameters of a block from position `first` on.
    fn define_carried(&mut self, block: Block, first: usize, carried: &[Carry]) {
        for (i, carry) in carried.iter().enumerate() {
            let value = self.ops.builder.block_params(block)[first + i];
            self.define(carry.register, value);
        }
    }

    fn while_loop(&mut self, w: &WhileLoop) -> Result<()> {
        let [head, body, after] = [(); 3].map(|()| self.ops.builder.create_block());
        for carry in &w.carried {
            let register = self.ops.register(self.dtype(carry.register));
            self.ops.builder.append_block_param(head, register);
        }
        let inits: Vec<BlockArg> = w.carried.iter().map(|c| self.value(c.init).into()).collect();
        self.ops.builder.ins().jump(head, &inits);
        self.ops.builder.switch_to_block(head);
        self.depth += 1;
        self.define_carried(head, 0, &w.carried);
        self.insts(&w.condition)?;
        let predicate = self.value(w.predicate);
        self.ops.builder.ins().brif(predicate, body, &[], after, &[]);
        self.ops.builder.switch_to_block(body);
        self.insts(&w.body)?;
        let nexts: Vec<BlockArg> = w.carried.iter().map(|c| self.value(c.next).into()).collect();
        self.ops.builder.ins().jump(head, &nexts);
        self.depth -= 1;
        // The head's parameters are the carried registers here as well.
        self.ops.builder.switch_to_block(after);
        for carry in &w.carried {
            self.depths[carry.register.index()] = self.depth;
        }
        Ok(())
    }
}
