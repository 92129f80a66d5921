//! How long a kernel takes, roughly: enough to decide what is worth a second thread.
//!
//! The unit is a nanosecond of a core at 3 GHz with vectors of 32 bytes. Only the order of magnitude counts.

use std::collections::HashMap;

use rjax_ir::{Binary, Unary};

use super::{Expr, Index, Inst, Kernel, Loop, Order, Reg};

/// Iterations of a loop whose bounds are not known.
const UNKNOWN: f64 = 64.0;
/// Simple instructions, one at a time and in vectors.
const SIMPLE: [f64; 2] = [0.3, 0.04];
/// Divisions, roots, roundings and conversions.
const SLOW: [f64; 2] = [1.5, 0.3];
/// Functions that are evaluated by polynomials.
const FUNCTION: [f64; 2] = [6.0, 0.8];
/// Functions that take a loop.
const SERIES: [f64; 2] = [100.0, 100.0];
/// Loads and stores: what memory gives, where it is read in order.
const ACCESS: [f64; 2] = [0.4, 0.12];
const THREEFRY: [f64; 2] = [20.0, 2.5];

impl Kernel {
    /// Nanoseconds that the whole range takes on one thread.
    pub fn nanoseconds(&self) -> f64 {
        let mut estimate = Estimate { kernel: self, constants: HashMap::new() };
        estimate.block(&self.body, false)
    }

    /// Arithmetic operations of the whole range: one for each element of an elementwise op, two for a fused multiply-add. An estimate where
    /// loops and branches depend on values.
    pub fn flops(&self) -> f64 {
        let mut estimate = Estimate { kernel: self, constants: HashMap::new() };
        estimate.operations(&self.body)
    }

    /// Whether parts of the range must begin at multiples of a vector for every element to be computed by the same instructions
    /// however the range is split: the loop over the range is itself in vectors.
    pub fn is_flat(&self) -> bool {
        self.body.iter().any(|inst| {
            let Inst::Loop(l) = inst else { return false };
            l.begin.as_reg() == Some(self.range.begin) && l.order == Order::Vector
        })
    }
}

struct Estimate<'k> {
    kernel: &'k Kernel,
    /// Registers whose value is known.
    constants: HashMap<Reg, i64>,
}

impl Estimate<'_> {
    fn block(&mut self, insts: &[Inst], vector: bool) -> f64 {
        insts.iter().map(|inst| self.inst(inst, vector)).sum()
    }

    fn inst(&mut self, inst: &Inst, vector: bool) -> f64 {
        let pick = |costs: [f64; 2]| costs[vector as usize];
        match inst {
            Inst::Let { result, value } => {
                self.note(*result, value);
                pick(self.expr(value))
            }
            Inst::Load { .. } | Inst::Store { .. } => pick(ACCESS),
            Inst::Complex { .. } => 4.0 * pick(FUNCTION),
            Inst::Threefry { .. } => pick(THREEFRY),
            Inst::Loop(l) => {
                let vector = matches!(l.order, Order::Vector | Order::VectorReduce);
                1.0 + self.trip(l) * (0.3 * (1.0 - vector as u8 as f64) + self.block(&l.body, vector))
            }
            Inst::If(branch) => 1.0 + self.block(&branch.then, false).max(self.block(&branch.otherwise, false)),
            Inst::While(w) => UNKNOWN * (self.block(&w.condition, false) + self.block(&w.body, false)),
        }
    }

    fn note(&mut self, result: Reg, value: &Expr) {
        if let Expr::Const(scalar) = value {
            self.constants.insert(result, scalar.to_f64() as i64);
        }
    }

    fn operations(&mut self, insts: &[Inst]) -> f64 {
        let mut total = 0.0;
        for inst in insts {
            total += match inst {
                Inst::Let { result, value } => {
                    self.note(*result, value);
                    operations(value)
                }
                Inst::Load { .. } | Inst::Store { .. } => 0.0,
                Inst::Complex { .. } => 1.0,
                Inst::Threefry { .. } => 2.0,
                Inst::Loop(l) => self.trip(l) * self.operations(&l.body),
                Inst::If(branch) => self.operations(&branch.then).max(self.operations(&branch.otherwise)),
                Inst::While(w) => UNKNOWN * (self.operations(&w.condition) + self.operations(&w.body)),
            };
        }
        total
    }

    fn trip(&self, l: &Loop) -> f64 {
        if l.begin.as_reg() == Some(self.kernel.range.begin) {
            return self.kernel.range.extent as f64;
        }
        let known = |index: &Index| match index.as_reg() {
            Some(register) => self.constants.get(&register).copied(),
            None => index.as_constant(),
        };
        match (known(&l.begin), known(&l.end)) {
            (Some(begin), Some(end)) => (end - begin).max(0) as f64,
            (Some(_) | None, Some(_) | None) if l.begin.terms == l.end.terms => {
                (l.end.constant - l.begin.constant).max(0) as f64
            }
            // Blocks of a sum, the last of which may be shorter.
            (Some(_) | None, Some(_) | None) => match &l.begin.terms[..] {
                [(_, block)] => (*block).max(1) as f64,
                _ => UNKNOWN,
            },
        }
    }

    fn expr(&self, expr: &Expr) -> [f64; 2] {
        match expr {
            Expr::Const(_) => [0.0; 2],
            Expr::Index(_)
            | Expr::Compare(..)
            | Expr::Select { .. }
            | Expr::Bitcast(_)
            | Expr::Fma(_)
            | Expr::Scale(..)
            | Expr::Truncate(_)
            | Expr::Rarely { .. } => SIMPLE,
            Expr::Convert(_) | Expr::IndexDiv(..) | Expr::IndexRem(..) => SLOW,
            Expr::ReducePrecision { .. } => FUNCTION,
            Expr::RegularizedIncompleteBeta(_) => SERIES,
            Expr::Unary(op, _) => unary(*op),
            Expr::Binary(op, ..) => binary(*op),
        }
    }
}

fn operations(expr: &Expr) -> f64 {
    match expr {
        Expr::Const(_) | Expr::Index(_) | Expr::IndexDiv(..) | Expr::IndexRem(..) | Expr::Bitcast(_) => 0.0,
        Expr::Compare(..)
        | Expr::Select { .. }
        | Expr::Convert(_)
        | Expr::Scale(..)
        | Expr::Truncate(_)
        | Expr::ReducePrecision { .. }
        | Expr::RegularizedIncompleteBeta(_)
        | Expr::Rarely { .. }
        | Expr::Unary(..)
        | Expr::Binary(..) => 1.0,
        Expr::Fma(_) => 2.0,
    }
}

fn unary(op: Unary) -> [f64; 2] {
    match op {
        Unary::Neg | Unary::Abs | Unary::Not | Unary::IsFinite | Unary::Real | Unary::Imag | Unary::Conj => SIMPLE,
        Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::RoundEven
        | Unary::Sign
        | Unary::PopulationCount
        | Unary::Clz
        | Unary::Sqrt
        | Unary::Rsqrt => SLOW,
        Unary::Exp
        | Unary::Exp2
        | Unary::Expm1
        | Unary::Log
        | Unary::Log1p
        | Unary::Logistic
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
        | Unary::ErfInv => FUNCTION,
        Unary::Lgamma | Unary::Digamma | Unary::BesselI0e | Unary::BesselI1e => SERIES,
    }
}

fn binary(op: Binary) -> [f64; 2] {
    match op {
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::Max
        | Binary::Min
        | Binary::And
        | Binary::Or
        | Binary::Xor
        | Binary::ShiftLeft
        | Binary::ShiftRightArithmetic
        | Binary::ShiftRightLogical
        | Binary::Complex => SIMPLE,
        Binary::Div | Binary::Rem => SLOW,
        Binary::Pow | Binary::Atan2 | Binary::NextAfter => FUNCTION,
        Binary::Igamma | Binary::Igammac | Binary::IgammaGradA | Binary::Polygamma | Binary::Zeta => SERIES,
    }
}
