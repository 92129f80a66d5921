//! Elementwise ops that StableHLO has.

use rjax_ir::{Aval, Binary, Compare, DType, Scalar, Unary};
use rjax_stablehlo::mlir::Value;

use super::{Block, Exporter, name};

/// The operation of a unary op; `None` for those that are expanded or written otherwise.
pub(super) fn unary(op: Unary) -> Option<&'static str> {
    Some(match op {
        Unary::Neg => "negate",
        Unary::Sign => "sign",
        Unary::Abs => "abs",
        Unary::Floor => "floor",
        Unary::Ceil => "ceil",
        Unary::Round => "round_nearest_afz",
        Unary::RoundEven => "round_nearest_even",
        Unary::IsFinite => "is_finite",
        Unary::Not => "not",
        Unary::PopulationCount => "popcnt",
        Unary::Clz => "count_leading_zeros",
        Unary::Exp => "exponential",
        Unary::Expm1 => "exponential_minus_one",
        Unary::Log => "log",
        Unary::Log1p => "log_plus_one",
        Unary::Logistic => "logistic",
        Unary::Sqrt => "sqrt",
        Unary::Rsqrt => "rsqrt",
        Unary::Cbrt => "cbrt",
        Unary::Sin => "sine",
        Unary::Cos => "cosine",
        Unary::Tan => "tan",
        Unary::Tanh => "tanh",
        Unary::Real => "real",
        Unary::Imag => "imag",
        Unary::Exp2
        | Unary::Sinh
        | Unary::Cosh
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
        | Unary::Conj => return None,
    })
}

/// The operation of a binary op. The ones without an operation are expanded before.
pub(super) fn binary(op: Binary) -> &'static str {
    match op {
        Binary::Add => "add",
        Binary::Sub => "subtract",
        Binary::Mul => "multiply",
        Binary::Div => "divide",
        Binary::Rem => "remainder",
        Binary::Pow => "power",
        Binary::Atan2 => "atan2",
        Binary::Max => "maximum",
        Binary::Min => "minimum",
        Binary::And => "and",
        Binary::Or => "or",
        Binary::Xor => "xor",
        Binary::ShiftLeft => "shift_left",
        Binary::ShiftRightArithmetic => "shift_right_arithmetic",
        Binary::ShiftRightLogical => "shift_right_logical",
        Binary::Complex => "complex",
        Binary::NextAfter
        | Binary::Igamma
        | Binary::Igammac
        | Binary::IgammaGradA
        | Binary::Polygamma
        | Binary::Zeta => unreachable!("{} is always expanded", op.name()),
    }
}

impl Exporter<'_> {
    pub(super) fn unary(&mut self, block: &mut Block, op: Unary, x: Value, result: &Aval) -> Value {
        if op == Unary::Abs && result.dtype.is_unsigned_integer() {
            return x;
        }
        let operation = unary(op).expect("the others are expanded");
        self.simple(block, operation, &[x], result)
    }

    /// Complex numbers are ordered by their real parts, then by the imaginary ones. A selection by that order stands for their
    /// maximum and minimum, which not every consumer has.
    pub(super) fn binary(&mut self, block: &mut Block, op: Binary, operands: &[Value], result: &Aval) -> Value {
        if !(result.dtype.is_complex() && matches!(op, Binary::Max | Binary::Min)) {
            return self.simple(block, binary(op), operands, result);
        }
        let order = if op == Binary::Max { Compare::Gt } else { Compare::Lt };
        let part = result.with_dtype(result.dtype.real());
        let [re, im] = [Unary::Real, Unary::Imag].map(|op| [0, 1].map(|i| self.unary(block, op, operands[i], &part)));
        let equal = self.compare(block, Compare::Eq, re[0], re[1]);
        let (by_re, by_im) = (self.compare(block, order, re[0], re[1]), self.compare(block, order, im[0], im[1]));
        let first = self.simple(block, "select", &[equal, by_im, by_re], &result.with_dtype(DType::Bool));
        self.simple(block, "select", &[first, operands[0], operands[1]], result)
    }

    pub(super) fn compare(&mut self, block: &mut Block, op: Compare, x: Value, y: Value) -> Value {
        let aval = self.aval(x);
        let (direction, total) = match op {
            Compare::Eq => ("EQ", false),
            Compare::Ne => ("NE", false),
            Compare::Lt => ("LT", false),
            Compare::Le => ("LE", false),
            Compare::Gt => ("GT", false),
            Compare::Ge => ("GE", false),
            Compare::EqTo => ("EQ", true),
            Compare::LtTo => ("LT", true),
            Compare::LeTo => ("LE", true),
        };
        let kind = if aval.dtype.is_inexact() {
            if total { "TOTALORDER" } else { "FLOAT" }
        } else if aval.dtype.is_signed_integer() {
            "SIGNED"
        } else {
            "UNSIGNED"
        };
        let attributes = vec![("comparison_direction", name(direction)), ("compare_type", name(kind))];
        self.operation(block, "compare", &[x, y], attributes, vec![], &[aval.with_dtype(DType::Bool)])[0]
    }

    /// Of several cases the last one whose number the selector reaches.
    pub(super) fn select(&mut self, block: &mut Block, operands: &[Value]) -> Value {
        let (which, cases) = (operands[0], &operands[1..]);
        let aval = self.aval(cases[0]);
        let selector = self.aval(which);
        if selector.dtype == DType::Bool {
            return self.simple(block, "select", &[which, cases[1], cases[0]], &aval);
        }
        let mut chosen = cases[0];
        for (number, &case) in cases.iter().enumerate().skip(1) {
            let limit = self.full(block, Scalar::from_i64(selector.dtype, number as i64), &selector.shape);
            let reached = self.compare(block, Compare::Ge, which, limit);
            chosen = self.simple(block, "select", &[reached, case, chosen], &aval);
        }
        chosen
    }
}
