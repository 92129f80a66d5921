//! Instructions and expressions of the body.

use rjax_ir::{Binary, Compare, DType};
use rjax_kernel::kir::{Expr, Index, Inst, Reg};

use super::super::code::{Code, Rarity, Source};
use super::super::opcode;
use super::Selector;
use crate::routines::Routine;
use crate::target::Wide;

impl Selector<'_, '_> {
    pub(super) fn inst(&mut self, inst: &Inst) -> Option<()> {
        match inst {
            Inst::Let { result, value } => {
                if let Some(source) = self.expr(*result, value)? {
                    self.sources.insert(*result, source);
                }
            }
            Inst::Load { result, param, index, mask } => {
                let source = self.load(self.dtype(*result), *param, index, *mask)?;
                self.sources.insert(*result, source);
            }
            Inst::Store { param, index, value } => {
                let dtype = self.kernel.params[param.index()].dtype;
                let value = self.source(*value)?;
                self.store(dtype, *param, index, value)?;
            }
            Inst::Threefry { results, operands } => {
                if self.double && self.wide == Wide::Avx2 {
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
            Inst::Complex { .. } | Inst::Loop(_) | Inst::If(_) | Inst::While(_) => return None,
        }
        Some(())
    }

    /// The value of an expression; none inside where it is an index that waits for its use.
    fn expr(&mut self, result: Reg, value: &Expr) -> Option<Option<Source>> {
        let to = self.dtype(result);
        let source = match value {
            Expr::Const(_) => return None,
            Expr::IndexDiv(x, divisor) | Expr::IndexRem(x, divisor) => {
                let x = self.source(*x)?;
                self.index_quotient(x, *divisor, matches!(value, Expr::IndexRem(..)))?
            }
            Expr::Index(index) if self.is_fixed(index) => {
                self.indices.insert(result, index.clone());
                return Some(None);
            }
            Expr::Index(index) => self.ramp(index, true)?,
            Expr::Convert(x) => {
                if let Some(index) = self.indices.get(x).cloned()
                    && self.is_fixed(&index)
                {
                    match to {
                        DType::I64 | DType::U64 => {
                            self.indices.insert(result, index);
                            return Some(None);
                        }
                        DType::I32 | DType::U32 if !self.double || self.wide == Wide::Avx512 => {
                            return Some(Some(self.ramp(&index, false)?));
                        }
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
                        | DType::Narrow(_) => {}
                    }
                }
                let from = self.dtype(*x);
                let x = self.source(*x)?;
                self.convert(from, to, x)?
            }
            Expr::Truncate(x) => {
                let from = self.dtype(*x);
                let x = self.source(*x)?;
                self.truncate(from, to, x)?
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
                self.put(opcode::fused(self.is_double(to)), [x, y, z], None)
            }
            Expr::Scale([x, n, bits]) => {
                let (x, n, bits) = (self.source(*x)?, self.source(*n)?, self.source(*bits)?);
                self.scale(self.is_double(to), x, n, bits)
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
                let double = self.is_double(dtype);
                match comparison {
                    // The comparison that made the condition is dropped by the allocator if nothing else reads it.
                    Some((Compare::Lt, p, q)) | Some((Compare::Gt, q, p)) if dtype.is_float() && (p, q) == (x, y) => {
                        self.two(opcode::min(double), x, y)
                    }
                    Some((Compare::Lt, p, q)) | Some((Compare::Gt, q, p)) if dtype.is_float() && (q, p) == (x, y) => {
                        self.two(opcode::max(double), x, y)
                    }
                    Some(_) | None => {
                        let condition = self.source(*condition)?;
                        self.select(dtype, condition, x, y)
                    }
                }
            }
            Expr::Rarely { condition, op, operand, otherwise } => {
                let (condition, operand) = (self.source(*condition)?, self.source(*operand)?);
                let otherwise = self.source(*otherwise)?;
                self.call(
                    Routine::UnaryLanes(*op, to),
                    condition,
                    [operand, Source::None],
                    otherwise,
                    self.is_double(to),
                )
            }
            Expr::ReducePrecision { .. } | Expr::RegularizedIncompleteBeta(_) => return None,
        };
        Some(Some(source))
    }

    /// `condition ? routine(operands) : otherwise`.
    fn call(
        &mut self,
        routine: Routine,
        condition: Source,
        operands: [Source; 2],
        otherwise: Source,
        double: bool,
    ) -> Source {
        let routine = self.routines.iter().position(|r| *r == routine).unwrap_or_else(|| {
            self.routines.push(routine);
            self.routines.len() - 1
        });
        self.rarely(Rarity::Routine(routine), condition, operands, otherwise, double)
    }

    pub(super) fn rarely(
        &mut self,
        rarity: Rarity,
        condition: Source,
        operands: [Source; 2],
        otherwise: Source,
        double: bool,
    ) -> Source {
        let result = self.value();
        self.codes.push(Code::Rarely { result, condition, operands, otherwise, rarity, double });
        Source::Value(result)
    }

    /// A function that the machine has no instruction for, of all lanes.
    pub(super) fn called(&mut self, routine: Routine, operands: [Source; 2], double: bool) -> Source {
        let always = self.constant([u64::MAX; 8]);
        self.call(routine, always, operands, operands[0], double)
    }
}
