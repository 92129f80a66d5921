//! Elementary functions in terms of arithmetic, before any code is emitted.
//!
//! Every generator of this crate (Cranelift on one element, Cranelift on 128 bits, the wide emitter) gets kernels in
//! which `exp`, `sin`, `erf` and their like are range reductions and polynomials made of additions, products, fused
//! products, comparisons, selections and integer operations on bits. So all of them compute the same bits, and loops with such functions have
//! no calls. `f16` and `bf16` compute in `f32` and round once.
//!
//! Errors against the interpreter, in units of the last place, are stated by [`ulps`] and hold over the whole range: zeros keep
//! their signs, subnormal numbers are kept, NaN and infinities go where they should. What only ever happens far out (arguments of
//! `sin` in the millions) is [`Expr::Rarely`] a call.

#![allow(clippy::approx_constant, reason = "coefficients near famous numbers are not those numbers")]

mod arithmetic;
mod complex;
mod division;
mod error_function;
mod exponential;
mod gamma;
mod hyperbolic;
mod logarithm;
mod power;
mod trigonometric;
mod unroll;

use std::collections::HashMap;

use rjax_ir::{Binary, DType, Scalar, Unary};
use rjax_kernel::kir::{ComplexOp, Expr, Inst, Kernel, Order, Reg};

use crate::target::{Wide, wide_vectors};
use arithmetic::Math;

/// The kernel with the functions that [`ulps`] lists taken apart.
pub(crate) fn expand(kernel: &Kernel) -> Kernel {
    let mut kernel = kernel.clone();
    let body = std::mem::take(&mut kernel.body);
    let registers = &mut kernel.registers;
    let mut expander =
        Expander { registers, replaced: HashMap::new(), constants: HashMap::new(), mixed_vectors: false };
    let body = expander.block(body);
    kernel.body = body;
    kernel
}

/// The error of an expanded function in units of the last place of `dtype`; none where the function is called.
pub(crate) fn ulps(op: Unary, dtype: DType) -> Option<u32> {
    let double = match dtype {
        DType::F64 => true,
        DType::F16 | DType::BF16 | DType::F32 => false,
        DType::Bool
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
        | DType::Narrow(_) => return None,
    };
    let f32 = |ulps| (!double).then_some(ulps);
    let ulps = match op {
        Unary::Exp | Unary::Exp2 | Unary::Expm1 | Unary::Log | Unary::Log1p | Unary::Sin | Unary::Cos => Some(2),
        Unary::Logistic | Unary::Tanh | Unary::Tan | Unary::Sinh | Unary::Cosh | Unary::Atan => Some(4),
        Unary::Asin | Unary::Acos | Unary::Asinh | Unary::Acosh | Unary::Atanh => Some(4),
        Unary::Rsqrt => f32(1),
        Unary::Erfc | Unary::ErfInv => f32(4),
        Unary::Erf => f32(6),
        Unary::Lgamma | Unary::Digamma => f32(4),
        Unary::Neg
        | Unary::Sign
        | Unary::Abs
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::RoundEven
        | Unary::IsFinite
        | Unary::Not
        | Unary::PopulationCount
        | Unary::Clz
        | Unary::Sqrt
        | Unary::Cbrt
        | Unary::BesselI0e
        | Unary::BesselI1e
        | Unary::Real
        | Unary::Imag
        | Unary::Conj => None,
    };
    // Half a unit is lost in the rounding of f16 and bf16, whatever the error of the f32 result.
    if matches!(dtype, DType::F16 | DType::BF16) { ulps.map(|_| 1) } else { ulps }
}

/// Functions that are computed in `f64` where the result is narrower.
fn is_in_f64(op: Unary) -> bool {
    matches!(op, Unary::Lgamma | Unary::Digamma)
}

struct Expander<'a> {
    registers: &'a mut Vec<DType>,
    /// What stands for the results of the functions that were taken apart.
    replaced: HashMap<Reg, Reg>,
    constants: HashMap<Reg, Scalar>,
    /// Whether the block is the body of a loop whose vectors may mix integers of 32 bits and `f64`.
    mixed_vectors: bool,
}

impl Expander<'_> {
    fn block(&mut self, insts: Vec<Inst>) -> Vec<Inst> {
        let mut out = Vec::with_capacity(insts.len());
        // What the block has computed already: sine and cosine share their reduction.
        let mut known = HashMap::new();
        for mut inst in insts {
            let outer = self.mixed_vectors;
            if let Inst::Loop(l) = &inst {
                let vector = matches!(l.order, Order::Vector | Order::VectorReduce);
                self.mixed_vectors = vector && wide_vectors() == Some(Wide::Avx512);
            }
            let nested: Vec<Vec<Inst>> =
                inst.blocks_mut().into_iter().map(|block| self.block(std::mem::take(block))).collect();
            self.mixed_vectors = outer;
            inst.blocks_mut().into_iter().zip(nested).for_each(|(block, expanded)| *block = expanded);
            inst.map_reads(&mut |r| self.replaced.get(&r).copied().unwrap_or(r));
            if let Inst::Let { result, value: Expr::Const(scalar) } = &inst {
                self.constants.insert(*result, *scalar);
            }
            if let Inst::Loop(l) = &inst
                && let Some(trip) = unroll::short_trip(l)
            {
                self.unroll(l, trip, &mut out);
            } else if let Inst::Loop(l) = &inst
                && unroll::is_long_and_short(l)
            {
                let unrolled = self.unroll_partly(l);
                out.push(Inst::Loop(unrolled));
            } else if let Inst::Let { result, value } = &inst
                && let Some(expanded) = self.value(*result, value, &mut out, &mut known)
            {
                self.replaced.insert(*result, expanded);
            } else if let Inst::Complex { real, imag, op, dtype: DType::C64, operands } = &inst
                && let Some(parts) = self.complex(*op, operands, &mut out, &mut known)
            {
                self.replaced.extend([Some(*real), *imag].into_iter().flatten().zip(parts));
            } else {
                out.push(inst);
            }
        }
        out
    }

    /// The parts of an op on `c64`.
    fn complex(
        &mut self,
        op: ComplexOp,
        operands: &[[Reg; 2]],
        out: &mut Vec<Inst>,
        known: &mut HashMap<(DType, Expr), Reg>,
    ) -> Option<[Reg; 2]> {
        let mut math = Math { registers: self.registers, insts: out, known, float: DType::F64 };
        let wide = |math: &mut Math<'_>, parts: [Reg; 2]| parts.map(|part| math.convert(DType::F64, part));
        let parts = match (op, operands) {
            (ComplexOp::Unary(Unary::Abs), &[z]) => {
                let z = wide(&mut math, z);
                [math.modulus(z), math.c(0.0)]
            }
            (ComplexOp::Binary(Binary::Div), &[x, y]) => {
                let (x, y) = (wide(&mut math, x), wide(&mut math, y));
                math.complex_quotient(x, y)
            }
            (ComplexOp::Unary(_) | ComplexOp::Binary(_), _) => return None,
        };
        Some(parts.map(|part| math.convert(DType::F32, part)))
    }

    fn value(
        &mut self,
        result: Reg,
        value: &Expr,
        out: &mut Vec<Inst>,
        known: &mut HashMap<(DType, Expr), Reg>,
    ) -> Option<Reg> {
        let dtype = self.registers[result.index()];
        let exponent = match value {
            Expr::Binary(Binary::Pow, _, y) if dtype.is_float() => {
                self.constants.get(y).and_then(|y| power::simple_exponent(y.to_f64()))
            }
            Expr::Unary(..)
            | Expr::Binary(..)
            | Expr::Const(_)
            | Expr::Index(_)
            | Expr::IndexDiv(..)
            | Expr::IndexRem(..)
            | Expr::Fma(_)
            | Expr::Scale(..)
            | Expr::Rarely { .. }
            | Expr::Compare(..)
            | Expr::Select { .. }
            | Expr::Convert(_)
            | Expr::Truncate(_)
            | Expr::Bitcast(_)
            | Expr::ReducePrecision { .. }
            | Expr::RegularizedIncompleteBeta(_) => None,
        };
        let takes_apart = match value {
            Expr::Unary(op, _) => ulps(*op, dtype).is_some() && (self.mixed_vectors || !is_in_f64(*op)),
            Expr::Binary(Binary::Atan2, ..) => dtype.is_float(),
            Expr::Binary(Binary::Pow, ..) => dtype.is_float() && (exponent.is_some() || dtype != DType::F64),
            Expr::Binary(Binary::Div | Binary::Rem, ..) => self.mixed_vectors && division::is_short(dtype),
            Expr::Binary(..) => false,
            Expr::Const(_)
            | Expr::Index(_)
            | Expr::IndexDiv(..)
            | Expr::IndexRem(..)
            | Expr::Fma(_)
            | Expr::Scale(..)
            | Expr::Rarely { .. }
            | Expr::Compare(..)
            | Expr::Select { .. }
            | Expr::Convert(_)
            | Expr::Truncate(_)
            | Expr::Bitcast(_)
            | Expr::ReducePrecision { .. }
            | Expr::RegularizedIncompleteBeta(_) => false,
        };
        if !takes_apart {
            return None;
        }
        let double = matches!(value, Expr::Unary(op, _) if is_in_f64(*op)) || dtype.is_integer();
        let float = if dtype == DType::F64 || double { DType::F64 } else { DType::F32 };
        let mut math = Math { registers: self.registers, insts: out, known, float };
        if let Expr::Binary(op @ (Binary::Div | Binary::Rem), x, y) = value {
            let divisor = self.constants.get(y).map(|y| y.to_f64());
            return Some(math.integer_division(*op, dtype, (*x, *y), divisor));
        }
        let wide = |math: &mut Math<'_>, x: Reg| if dtype == float { x } else { math.convert(float, x) };
        let wide_result = match value {
            Expr::Unary(op, x) => {
                let x = wide(&mut math, *x);
                math.unary(*op, x)
            }
            Expr::Binary(Binary::Pow, x, y) => {
                let x = wide(&mut math, *x);
                match exponent {
                    Some(twice) => math.simple_power(x, twice),
                    None => {
                        let y = wide(&mut math, *y);
                        math.general_power(x, y)
                    }
                }
            }
            Expr::Binary(_, y, x) => {
                let (y, x) = (wide(&mut math, *y), wide(&mut math, *x));
                math.atan2(y, x)
            }
            Expr::Const(_)
            | Expr::Index(_)
            | Expr::IndexDiv(..)
            | Expr::IndexRem(..)
            | Expr::Fma(_)
            | Expr::Scale(..)
            | Expr::Rarely { .. }
            | Expr::Compare(..)
            | Expr::Select { .. }
            | Expr::Convert(_)
            | Expr::Truncate(_)
            | Expr::Bitcast(_)
            | Expr::ReducePrecision { .. }
            | Expr::RegularizedIncompleteBeta(_) => unreachable!("not taken apart"),
        };
        // From f64 through f32: f16 and bf16 have error to spare.
        let result =
            if float == DType::F64 && dtype.size() < 4 { math.convert(DType::F32, wide_result) } else { wide_result };
        Some(if dtype == float { result } else { math.convert(dtype, result) })
    }
}

impl Math<'_> {
    fn unary(&mut self, op: Unary, x: Reg) -> Reg {
        match op {
            Unary::Exp => self.exp(x),
            Unary::Exp2 => self.exp2(x),
            Unary::Expm1 => self.expm1(x),
            Unary::Log => self.log(x),
            Unary::Log1p => self.log1p(x),
            Unary::Logistic => self.logistic(x),
            Unary::Rsqrt => {
                let (one, root) = (self.c(1.0), self.sqrt(x));
                self.div(one, root)
            }
            Unary::Sin => self.sin(x),
            Unary::Cos => self.cos(x),
            Unary::Tan => self.tan(x),
            Unary::Sinh => self.sinh(x),
            Unary::Cosh => self.cosh(x),
            Unary::Tanh => self.tanh(x),
            Unary::Asin => self.asin(x),
            Unary::Acos => self.acos(x),
            Unary::Atan => self.atan(x),
            Unary::Asinh => self.asinh(x),
            Unary::Acosh => self.acosh(x),
            Unary::Atanh => self.atanh(x),
            Unary::Erf => self.erf(x),
            Unary::Erfc => self.erfc(x),
            Unary::ErfInv => self.erf_inv(x),
            Unary::Lgamma => self.lgamma(x),
            Unary::Digamma => self.digamma(x),
            Unary::Neg
            | Unary::Sign
            | Unary::Abs
            | Unary::Floor
            | Unary::Ceil
            | Unary::Round
            | Unary::RoundEven
            | Unary::IsFinite
            | Unary::Not
            | Unary::PopulationCount
            | Unary::Clz
            | Unary::Sqrt
            | Unary::Cbrt
            | Unary::BesselI0e
            | Unary::BesselI1e
            | Unary::Real
            | Unary::Imag
            | Unary::Conj => unreachable!("{} is not taken apart", op.name()),
        }
    }
}
