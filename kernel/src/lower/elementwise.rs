//! Elementwise ops on registers. Complex ops that are exact in terms of real ones are taken apart; the others stay whole.

use rjax_ir::{Binary, Compare, DType, Op, Scalar, Unary};

use super::Writer;
use super::element::Element;
use crate::graph::NodeId;
use crate::kir::{ComplexOp, Expr, Reg};

impl Writer<'_, '_> {
    /// The results of an elementwise node for one element of each operand.
    pub(super) fn elementwise(&mut self, id: NodeId, operands: &[Element]) -> Vec<Element> {
        let node = self.graph.node(id);
        let dtype = self.graph.aval(node.outputs[0]).dtype;
        let from = self.graph.aval(node.inputs[0]).dtype;
        let result = match node.op {
            Op::Unary(op) => self.unary(*op, from, operands[0]),
            Op::Binary(op) => self.binary(*op, from, operands[0], operands[1]),
            Op::Compare(op) => Element::real(self.compare(*op, operands[0], operands[1])),
            Op::Select => self.select_n(operands),
            Op::Clamp => {
                let raised = self.binary(Binary::Max, dtype, operands[1], operands[0]);
                self.binary(Binary::Min, dtype, raised, operands[2])
            }
            Op::RegularizedIncompleteBeta => {
                let operands = [operands[0].real, operands[1].real, operands[2].real];
                Element::real(self.b.define(dtype, Expr::RegularizedIncompleteBeta(operands)))
            }
            Op::Convert { .. } => self.convert(operands[0], dtype),
            Op::Bitcast { .. } => Element::real(self.b.define(dtype, Expr::Bitcast(operands[0].real))),
            Op::ReducePrecision { exponent_bits, mantissa_bits } => {
                let (exponent_bits, mantissa_bits) = (*exponent_bits, *mantissa_bits);
                let round = |operand| Expr::ReducePrecision { operand, exponent_bits, mantissa_bits };
                let real = self.b.define(dtype.real(), round(operands[0].real));
                Element { real, imag: operands[0].imag.map(|imag| self.b.define(dtype.real(), round(imag))) }
            }
            Op::IntegerPow { exponent } => self.integer_pow(operands[0], *exponent, dtype),
            Op::Threefry2x32 => {
                let operands = [0, 1, 2, 3].map(|i: usize| operands[i].real);
                return self.b.threefry(operands).map(Element::real).to_vec();
            }
            op @ (Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Pad { .. }
            | Op::Concatenate { .. }
            | Op::Reverse { .. }
            | Op::Iota { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::Reduce { .. }
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Cond { .. }
            | Op::While(_)
            | Op::Scan(_)
            | Op::Call { .. }
            | Op::CustomJvp(_)
            | Op::CustomVjp(_)
            | Op::CustomLinear(_)
            | Op::LinearSolve(_)
            | Op::Root(_)
            | Op::Remat(_)
            | Op::DebugPrint(_)
            | Op::Collective(_)) => unreachable!("{} is not elementwise", op.name()),
        };
        vec![result]
    }

    /// A row of the unary table, on operands of a dtype.
    pub(super) fn unary(&mut self, op: Unary, dtype: DType, x: Element) -> Element {
        let Some(imag) = x.imag else { return Element::real(self.b.unary(op, x.real)) };
        match op {
            Unary::Real => Element::real(x.real),
            Unary::Imag => Element::real(imag),
            Unary::Conj => Element::complex(x.real, self.b.unary(Unary::Neg, imag)),
            Unary::Neg => {
                let real = self.b.unary(Unary::Neg, x.real);
                Element::complex(real, self.b.unary(Unary::Neg, imag))
            }
            Unary::Sign
            | Unary::Abs
            | Unary::Floor
            | Unary::Ceil
            | Unary::Round
            | Unary::RoundEven
            | Unary::IsFinite
            | Unary::Not
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
            | Unary::BesselI1e => self.b.complex(ComplexOp::Unary(op), dtype, vec![x.parts()], op == Unary::Abs),
        }
    }

    /// A row of the binary table, on operands of a dtype.
    pub(super) fn binary(&mut self, op: Binary, dtype: DType, x: Element, y: Element) -> Element {
        if op == Binary::Complex {
            return Element::complex(x.real, y.real);
        }
        let (Some(_), Some(_)) = (x.imag, y.imag) else { return Element::real(self.b.binary(op, x.real, y.real)) };
        let ([a, b], [c, d]) = (x.parts(), y.parts());
        match op {
            Binary::Add | Binary::Sub => {
                let real = self.b.binary(op, a, c);
                Element::complex(real, self.b.binary(op, b, d))
            }
            Binary::Mul => {
                let [ac, bd, ad, bc] = [(a, c), (b, d), (a, d), (b, c)].map(|(l, r)| self.b.binary(Binary::Mul, l, r));
                let real = self.b.binary(Binary::Sub, ac, bd);
                Element::complex(real, self.b.binary(Binary::Add, ad, bc))
            }
            Binary::Div
            | Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::Max
            | Binary::Min
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
            | Binary::Zeta => self.b.complex(ComplexOp::Binary(op), dtype, vec![[a, b], [c, d]], false),
        }
    }

    /// A comparison; complex numbers are compared part by part.
    pub(super) fn compare(&mut self, op: Compare, x: Element, y: Element) -> Reg {
        let real = self.b.compare(op, x.real, y.real);
        let (Some(a), Some(b)) = (x.imag, y.imag) else { return real };
        let imag = self.b.compare(op, a, b);
        let joined = if op == Compare::Ne { Binary::Or } else { Binary::And };
        self.b.binary(joined, real, imag)
    }

    pub(super) fn select_element(&mut self, condition: Reg, on_true: Element, on_false: Element) -> Element {
        let real = self.b.select(condition, on_true.real, on_false.real);
        let imag = on_true.imag.zip(on_false.imag).map(|(t, f)| self.b.select(condition, t, f));
        Element { real, imag }
    }

    /// `which` out of the cases that follow it; beyond the last, the last.
    fn select_n(&mut self, operands: &[Element]) -> Element {
        let (which, cases) = (operands[0].real, &operands[1..]);
        if self.b.dtype(which) == DType::Bool {
            return self.select_element(which, cases[1], cases[0]);
        }
        let mut result = cases[0];
        for (i, &case) in cases.iter().enumerate().skip(1) {
            let i = self.b.constant(Scalar::new(i as i32));
            let at_least = self.b.compare(Compare::Ge, which, i);
            result = self.select_element(at_least, case, result);
        }
        result
    }

    /// `convert_element_type`.
    pub(super) fn convert(&mut self, x: Element, dtype: DType) -> Element {
        if dtype.is_complex() {
            let real = self.b.convert(x.real, dtype.real());
            let imag = match x.imag {
                Some(imag) => self.b.convert(imag, dtype.real()),
                None => self.b.constant(Scalar::zero(dtype.real())),
            };
            return Element::complex(real, imag);
        }
        match (x.imag, dtype) {
            (Some(imag), DType::Bool) => {
                let real = self.b.convert(x.real, DType::Bool);
                let imag = self.b.convert(imag, DType::Bool);
                Element::real(self.b.binary(Binary::Or, real, imag))
            }
            (Some(_) | None, _) => Element::real(self.b.convert(x.real, dtype)),
        }
    }

    /// Repeated squaring in the order of the interpreter, low bits of the exponent first.
    fn integer_pow(&mut self, x: Element, exponent: i32, dtype: DType) -> Element {
        let (mut bits, mut square, mut product) = (exponent.unsigned_abs(), x, None);
        while bits > 0 {
            if bits & 1 == 1 {
                product = Some(product.map_or(square, |p| self.binary(Binary::Mul, dtype, p, square)));
            }
            bits >>= 1;
            if bits > 0 {
                square = self.binary(Binary::Mul, dtype, square, square);
            }
        }
        let one = Element::constant(&mut self.b, Scalar::one(dtype));
        let product = product.unwrap_or(one);
        if exponent < 0 { self.binary(Binary::Div, dtype, one, product) } else { product }
    }
}
