//! Runs one kernel.

use rjax_ir::DType;
use rjax_ir::math::threefry2x32;

use super::memory::Memory;
use super::{Span, scalar};
use crate::kir::{Access, Carry, Expr, If, Index, Inst, Kernel, Loop, ParamId, Reg, WhileLoop};

/// Runs a kernel over a part of its range, the second half first.
pub(super) fn run(kernel: &Kernel, spans: &[Span], range: std::ops::Range<usize>, memory: &mut Memory) {
    assert_eq!(spans.len(), kernel.shared_params().len(), "a view for each parameter");
    for (param, span) in kernel.params.iter().zip(spans) {
        assert!(param.len * param.dtype.size() <= span.bytes, "a parameter reaches beyond its buffer");
    }
    let middle = range.start + range.len() / 2;
    for (begin, end) in [(middle, range.end), (range.start, middle)] {
        if begin < end {
            let locals = kernel.params[spans.len()..].iter().map(|param| vec![None; param.len]).collect();
            let mut frame = Frame { kernel, spans, locals, memory, registers: vec![None; kernel.registers.len()] };
            frame.set(kernel.range.begin, begin as u64);
            frame.set(kernel.range.end, end as u64);
            frame.block(&kernel.body);
        }
    }
}

struct Frame<'a> {
    kernel: &'a Kernel,
    spans: &'a [Span],
    /// The elements of local parameters, where something was stored.
    locals: Vec<Vec<Option<u64>>>,
    memory: &'a mut Memory,
    registers: Vec<Option<u64>>,
}

impl Frame<'_> {
    fn get(&self, register: Reg) -> u64 {
        self.registers[register.index()].unwrap_or_else(|| panic!("{register} is read before it is defined"))
    }

    fn set(&mut self, register: Reg, bits: u64) {
        let width = self.dtype(register).bits();
        assert!(width == 64 || bits >> width == 0, "{register} holds more than {width} bits");
        self.registers[register.index()] = Some(bits);
    }

    fn dtype(&self, register: Reg) -> DType {
        self.kernel.registers[register.index()]
    }

    fn index(&self, index: &Index) -> i64 {
        let term = |&(register, coefficient): &(Reg, i64)| (self.get(register) as i64).wrapping_mul(coefficient);
        index.terms.iter().map(term).fold(index.constant, i64::wrapping_add)
    }

    fn position(&self, param: ParamId, index: &Index) -> usize {
        let (at, len) = (self.index(index), self.kernel.params[param.index()].len);
        assert!(0 <= at && (at as usize) < len, "{param}[{index}] is element {at} of {len}\n{}", self.kernel);
        at as usize
    }

    fn block(&mut self, insts: &[Inst]) {
        for inst in insts {
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Let { result, value } => {
                let bits = self.expr(*result, value);
                self.set(*result, bits);
            }
            Inst::Load { result, param, index, mask } => {
                assert_ne!(self.kernel.params[param.index()].access, Access::Write, "{param} is only written");
                let bits = match mask {
                    Some(mask) if self.get(mask.condition) == 0 => self.get(mask.otherwise),
                    Some(_) | None => {
                        let at = self.position(*param, index);
                        match param.index().checked_sub(self.spans.len()) {
                            None => self.memory.read(self.spans[param.index()], at, self.dtype(*result)),
                            Some(local) => self.locals[local][at].expect("local memory is written before it is read"),
                        }
                    }
                };
                self.set(*result, bits);
            }
            Inst::Store { param, index, value } => {
                assert_ne!(self.kernel.params[param.index()].access, Access::Read, "{param} is only read");
                let at = self.position(*param, index);
                let dtype = self.kernel.params[param.index()].dtype;
                assert_eq!(dtype, self.dtype(*value), "a store of another dtype");
                let bits = self.get(*value);
                match param.index().checked_sub(self.spans.len()) {
                    None => self.memory.write(self.spans[param.index()], at, dtype, bits),
                    Some(local) => self.locals[local][at] = Some(bits),
                }
            }
            Inst::Complex { real, imag, op, dtype, operands } => {
                let operands: Vec<[u64; 2]> = operands.iter().map(|parts| parts.map(|r| self.get(r))).collect();
                let [re, im] = scalar::complex(*op, *dtype, &operands);
                self.set(*real, re);
                if let Some(imag) = imag {
                    self.set(*imag, im);
                }
            }
            Inst::Threefry { results, operands } => {
                let [k0, k1, c0, c1] = operands.map(|r| self.get(r) as u32);
                let bits = threefry2x32([k0, k1], [c0, c1]);
                self.set(results[0], bits[0] as u64);
                self.set(results[1], bits[1] as u64);
            }
            Inst::Loop(Loop { variable, begin, end, carried, body, .. }) => {
                let (begin, end) = (self.index(begin), self.index(end));
                self.begin_carried(carried);
                for i in begin..end {
                    self.set(*variable, i as u64);
                    self.block(body);
                    self.next_carried(carried);
                }
            }
            Inst::If(If { condition, then, otherwise, results }) => {
                let taken = self.get(*condition) != 0;
                self.block(if taken { then } else { otherwise });
                for phi in results {
                    let bits = self.get(if taken { phi.then } else { phi.otherwise });
                    self.set(phi.register, bits);
                }
            }
            Inst::While(WhileLoop { carried, condition, predicate, body }) => {
                self.begin_carried(carried);
                loop {
                    self.block(condition);
                    if self.get(*predicate) == 0 {
                        break;
                    }
                    self.block(body);
                    self.next_carried(carried);
                }
            }
        }
    }

    fn begin_carried(&mut self, carried: &[Carry]) {
        for carry in carried {
            let bits = self.get(carry.init);
            self.set(carry.register, bits);
        }
    }

    fn next_carried(&mut self, carried: &[Carry]) {
        let next: Vec<u64> = carried.iter().map(|carry| self.get(carry.next)).collect();
        for (carry, bits) in carried.iter().zip(next) {
            self.set(carry.register, bits);
        }
    }

    fn expr(&self, result: Reg, expr: &Expr) -> u64 {
        let dtype = self.dtype(result);
        match expr {
            Expr::Const(value) => {
                assert_eq!(value.dtype(), dtype, "a constant of another dtype");
                value.bits()[0]
            }
            Expr::Index(index) => self.index(index) as u64,
            Expr::IndexDiv(x, divisor) => (self.get(*x) as i64).div_euclid(*divisor) as u64,
            Expr::IndexRem(x, divisor) => (self.get(*x) as i64).rem_euclid(*divisor) as u64,
            Expr::Unary(op, x) => scalar::unary(*op, self.dtype(*x), self.get(*x)),
            Expr::Binary(op, x, y) => {
                assert_eq!(self.dtype(*x), self.dtype(*y), "{} of two dtypes", op.name());
                scalar::binary(*op, self.dtype(*x), self.get(*x), self.get(*y))
            }
            Expr::Fma(operands) => scalar::fma(dtype, operands.map(|r| self.get(r))),
            Expr::Scale([x, n, _]) => scalar::scale(dtype, self.get(*x), self.get(*n)),
            Expr::Rarely { condition, op, operand, otherwise } => {
                if self.get(*condition) != 0 {
                    scalar::unary(*op, dtype, self.get(*operand))
                } else {
                    self.get(*otherwise)
                }
            }
            Expr::Compare(op, x, y) => {
                assert_eq!(self.dtype(*x), self.dtype(*y), "{} of two dtypes", op.name());
                scalar::compare(*op, self.dtype(*x), self.get(*x), self.get(*y))
            }
            Expr::Select { condition, on_true, on_false } => {
                self.get(if self.get(*condition) != 0 { *on_true } else { *on_false })
            }
            Expr::Convert(x) => scalar::convert(self.dtype(*x), dtype, self.get(*x)),
            Expr::Truncate(x) => scalar::convert(self.dtype(*x), dtype, self.get(*x)),
            Expr::Bitcast(x) => {
                assert_eq!(self.dtype(*x).bits(), dtype.bits(), "a bitcast to another width");
                self.get(*x)
            }
            Expr::ReducePrecision { operand, exponent_bits, mantissa_bits } => {
                scalar::reduce_precision(dtype, self.get(*operand), *exponent_bits, *mantissa_bits)
            }
            Expr::RegularizedIncompleteBeta(operands) => {
                scalar::regularized_incomplete_beta(dtype, operands.map(|r| self.get(r)))
            }
        }
    }
}
