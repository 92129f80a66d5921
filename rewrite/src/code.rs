//! The kind of an op without its parameters: what rules are indexed by and e-nodes discriminated by.

use rjax_ir::{Binary, Compare, CumulativeKind, Op, Reducer, Unary};

/// An op without its parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Code {
    /// A row of the table of ops with one operand.
    Unary(Unary),
    /// A row of the table of ops with two operands.
    Binary(Binary),
    /// A comparison.
    Compare(Compare),
    /// `reduce_…` by a built-in combiner.
    Reduce(Reducer),
    /// `cumsum` and so on.
    Cumulative(CumulativeKind),
    /// `select_n`.
    Select,
    /// `clamp`.
    Clamp,
    /// `convert_element_type`.
    Convert,
    /// `bitcast_convert_type`.
    Bitcast,
    /// `reduce_precision`.
    ReducePrecision,
    /// `integer_pow`.
    IntegerPow,
    /// `broadcast_in_dim`.
    Broadcast,
    /// `reshape`.
    Reshape,
    /// `transpose`.
    Transpose,
    /// `slice`.
    Slice,
    /// `pad`.
    Pad,
    /// `concatenate`.
    Concatenate,
    /// `rev`.
    Reverse,
    /// `iota`.
    Iota,
    /// `dynamic_slice`.
    DynamicSlice,
    /// `dynamic_update_slice`.
    DynamicUpdateSlice,
    /// `gather`.
    Gather,
    /// `scatter`, `scatter-add` and so on.
    Scatter,
    /// `dot_general`.
    Dot,
    /// An op that no rule looks at.
    Other,
    /// Not an op: an input, a literal, one of several results.
    Leaf,
}

impl Code {
    /// The kind of an op.
    pub fn of(op: &Op) -> Code {
        match op {
            Op::Unary(op) => Code::Unary(*op),
            Op::Binary(op) => Code::Binary(*op),
            Op::Compare(op) => Code::Compare(*op),
            Op::Reduce { reducer, .. } => Code::Reduce(*reducer),
            Op::Cumulative(cumulative) => Code::Cumulative(cumulative.kind),
            Op::Select => Code::Select,
            Op::Clamp => Code::Clamp,
            Op::Convert { .. } => Code::Convert,
            Op::Bitcast { .. } => Code::Bitcast,
            Op::ReducePrecision { .. } => Code::ReducePrecision,
            Op::IntegerPow { .. } => Code::IntegerPow,
            Op::BroadcastInDim { .. } => Code::Broadcast,
            Op::Reshape { .. } => Code::Reshape,
            Op::Transpose { .. } => Code::Transpose,
            Op::Slice(_) => Code::Slice,
            Op::Pad { .. } => Code::Pad,
            Op::Concatenate { .. } => Code::Concatenate,
            Op::Reverse { .. } => Code::Reverse,
            Op::Iota { .. } => Code::Iota,
            Op::DynamicSlice { .. } => Code::DynamicSlice,
            Op::DynamicUpdateSlice => Code::DynamicUpdateSlice,
            Op::Gather(_) => Code::Gather,
            Op::Scatter(_) => Code::Scatter,
            Op::DotGeneral(_) => Code::Dot,
            Op::RegularizedIncompleteBeta
            | Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::GeneralReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Threefry2x32
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
            | Op::Collective(_) => Code::Other,
        }
    }
}

/// Whether the two operands may change places: bit for bit, up to the payload of a NaN. Maxima and minima of complex
/// numbers may not, since they take the second operand where a NaN is compared.
pub(crate) fn commutes(op: &Op, dtype: rjax_ir::DType) -> bool {
    match Code::of(op) {
        Code::Binary(Binary::Add | Binary::Mul | Binary::And | Binary::Or | Binary::Xor)
        | Code::Compare(Compare::Eq | Compare::Ne | Compare::EqTo) => true,
        Code::Binary(Binary::Max | Binary::Min) => !dtype.is_complex(),
        Code::Unary(_)
        | Code::Binary(
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
            | Binary::Zeta,
        )
        | Code::Compare(Compare::Lt | Compare::Le | Compare::Gt | Compare::Ge | Compare::LtTo | Compare::LeTo)
        | Code::Reduce(_)
        | Code::Cumulative(_)
        | Code::Select
        | Code::Clamp
        | Code::Convert
        | Code::Bitcast
        | Code::ReducePrecision
        | Code::IntegerPow
        | Code::Broadcast
        | Code::Reshape
        | Code::Transpose
        | Code::Slice
        | Code::Pad
        | Code::Concatenate
        | Code::Reverse
        | Code::Iota
        | Code::DynamicSlice
        | Code::DynamicUpdateSlice
        | Code::Gather
        | Code::Scatter
        | Code::Dot
        | Code::Other
        | Code::Leaf => false,
    }
}
