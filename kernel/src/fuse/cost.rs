//! What it takes to compute one element of a node's result, in the coarse classes that fusion needs.

use rjax_ir::{Binary, Op, Unary};

use crate::graph::{Graph, Node};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Cost {
    /// Address arithmetic at most.
    Free,
    /// A few simple instructions.
    Cheap,
    /// A division, a call of a math function, or more.
    Costly,
    /// A loop.
    Loop,
    /// It is not computed element by element at all.
    OwnStep,
}

pub(super) fn of(graph: &Graph<'_>, node: &Node<'_>) -> Cost {
    match node.op {
        Op::Unary(op) => unary(*op, graph.aval(node.inputs[0]).dtype.is_complex()),
        Op::Binary(op) => binary(*op, graph.aval(node.inputs[0]).dtype.is_complex()),
        Op::Compare(_) | Op::Select | Op::Clamp | Op::Convert { .. } | Op::Bitcast { .. } => Cost::Cheap,
        Op::IntegerPow { exponent } => {
            if matches!(exponent, 0..=4) {
                Cost::Cheap
            } else {
                Cost::Costly
            }
        }
        Op::RegularizedIncompleteBeta | Op::ReducePrecision { .. } | Op::Threefry2x32 => Cost::Costly,
        Op::BroadcastInDim { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Reverse { .. }
        | Op::Iota { .. } => Cost::Free,
        Op::Pad { .. } | Op::DynamicSlice { .. } | Op::Gather(_) => Cost::Cheap,
        Op::Reduce { .. }
        | Op::GeneralReduce { .. }
        | Op::ArgReduce(_)
        | Op::DotGeneral(_)
        | Op::Conv(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndGatherAdd(_) => Cost::Loop,
        Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::Concatenate { .. }
        | Op::DynamicUpdateSlice
        | Op::Scatter(_)
        | Op::Cumulative(_)
        | Op::SelectAndScatterAdd(_)
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
        | Op::Collective(_) => Cost::OwnStep,
    }
}

fn unary(op: Unary, complex: bool) -> Cost {
    match op {
        Unary::Real | Unary::Imag | Unary::Conj => Cost::Free,
        Unary::Neg
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::RoundEven
        | Unary::IsFinite
        | Unary::Not
        | Unary::PopulationCount
        | Unary::Clz => Cost::Cheap,
        Unary::Abs | Unary::Sign => {
            if complex {
                Cost::Costly
            } else {
                Cost::Cheap
            }
        }
        Unary::Exp
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
        | Unary::BesselI1e => Cost::Costly,
    }
}

fn binary(op: Binary, complex: bool) -> Cost {
    match op {
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::And
        | Binary::Or
        | Binary::Xor
        | Binary::ShiftLeft
        | Binary::ShiftRightArithmetic
        | Binary::ShiftRightLogical
        | Binary::Complex => Cost::Cheap,
        Binary::Max | Binary::Min => {
            if complex {
                Cost::Costly
            } else {
                Cost::Cheap
            }
        }
        Binary::Div
        | Binary::Rem
        | Binary::Pow
        | Binary::Atan2
        | Binary::NextAfter
        | Binary::Igamma
        | Binary::Igammac
        | Binary::IgammaGradA
        | Binary::Polygamma
        | Binary::Zeta => Cost::Costly,
    }
}
