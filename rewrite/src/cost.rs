//! What programs cost: a formula for people, and a price for choosing between alternatives.
//!
//! [`cost`] counts, for each equation, flops and bytes:
//! - a dot of m×k by k×n is 2mkn flops, times the batch; a convolution likewise, for each element of its result twice
//!   the window's elements times the input channels it reads;
//! - an elementwise op is one flop for each element of its result, whatever it computes; a reduction or cumulative op
//!   one for each element of its operand, a windowed one for each element of each window, a scatter that combines one
//!   for each update, a sort of n elements n log2 n;
//! - moving data (broadcast, reshape, transpose, slice, pad, concatenate, gather, …) is no flop;
//! - bytes are those of the operands and results, a broadcast counting as what it repeats; none for a reshape, a broadcast, a
//!   literal, and what has no result.
//!
//! Programs inside ops count as often as they run: a scan's body once for each step, a while loop's condition and
//! body once, the most expensive branch of a conditional, a call once.

use rjax_ir::{Atom, Aval, Op, Program, Scan, While};

/// Work and traffic of a program. Counts saturate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Cost {
    /// Arithmetic operations.
    pub flops: u64,
    /// Bytes read and written if no two equations were fused.
    pub bytes: u64,
}

impl Cost {
    pub(crate) fn add(self, other: Cost) -> Cost {
        Cost { flops: self.flops.saturating_add(other.flops), bytes: self.bytes.saturating_add(other.bytes) }
    }

    pub(crate) fn times(self, n: u64) -> Cost {
        Cost { flops: self.flops.saturating_mul(n), bytes: self.bytes.saturating_mul(n) }
    }
}

/// What a program costs, by the formula of the module `cost`: 2mkn flops for a dot, one flop an element for an
/// elementwise op, none for moving data; bytes of operands and results.
pub fn cost(program: &Program) -> Cost {
    // What reading a variable takes: of a broadcast what it repeats.
    let mut read: Vec<u64> = program.avals.iter().map(|aval| aval.bytes() as u64).collect();
    program.eqns.iter().fold(Cost::default(), |total, eqn| {
        let inputs: Vec<Aval> = eqn.inputs.iter().map(|&x| program.aval(x)).collect();
        let outputs: Vec<Aval> = eqn.outputs.iter().map(|&v| program.aval(v)).collect();
        let mut own = op_cost(&eqn.op, &inputs, &outputs);
        let of = |x: &Atom| x.var().map_or(0, |v| read[v.index()]);
        if let Op::BroadcastInDim { .. } | Op::Reshape { .. } = eqn.op {
            read[eqn.outputs[0].index()] = of(&eqn.inputs[0]);
        } else if own.bytes > 0 && eqn.op.subprograms().is_empty() {
            let whole = inputs.iter().fold(0u64, |sum, aval| sum.saturating_add(aval.bytes() as u64));
            let less = eqn.inputs.iter().map(of).fold(0, u64::saturating_add);
            own.bytes = own.bytes.saturating_sub(whole.saturating_sub(less));
        }
        total.add(own)
    })
}

/// What one equation costs.
pub(crate) fn op_cost(op: &Op, inputs: &[Aval], outputs: &[Aval]) -> Cost {
    let size = |aval: &Aval| aval.size() as u64;
    let result = outputs.first().map_or(0, size);
    let operand = inputs.first().map_or(0, size);
    let bytes = inputs.iter().chain(outputs).fold(0u64, |sum, aval| sum.saturating_add(aval.bytes() as u64));
    let moved = |flops: u64| Cost { flops, bytes };
    match op {
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::Convert { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. } => moved(result),
        Op::Threefry2x32 => moved(result.saturating_mul(2)),
        Op::Reduce { .. }
        | Op::GeneralReduce { .. }
        | Op::ArgReduce(_)
        | Op::Cumulative(_)
        | Op::SelectAndScatterAdd(_)
        | Op::Collective(_) => moved(operand),
        Op::DotGeneral(dot) => {
            let contracted: u64 = dot.lhs_contracting.iter().map(|&a| inputs[0].shape[a] as u64).product();
            moved(result.saturating_mul(contracted).saturating_mul(2))
        }
        Op::Conv(conv) => {
            // An element of the result meets the kernel of one output feature.
            let features = inputs[1].shape[conv.rhs_spec[0]] as u64;
            moved(result.saturating_mul(2).saturating_mul(size(&inputs[1]) / features.max(1)))
        }
        Op::ReduceWindow { window, .. } | Op::GeneralReduceWindow { window, .. } => {
            moved(result.saturating_mul(window.dimensions.iter().map(|&d| d as u64).product()))
        }
        Op::SelectAndGatherAdd(gather) => {
            moved(result.saturating_mul(gather.window.dimensions.iter().map(|&d| d as u64).product()))
        }
        Op::Scatter(_) => moved(inputs.get(2).map_or(0, size)),
        Op::Sort(_) | Op::TopK { .. } => moved(operand.saturating_mul(u64::from(operand.max(1).ilog2()).max(1))),
        // A factorisation of n × n is a multiple of n³, a transform one of n log n.
        Op::Linalg(_) => {
            let n = inputs[0].shape.last().map_or(1, |&n| n as u64);
            moved(operand.saturating_mul(n).saturating_mul(2))
        }
        Op::Fft(_) => moved(operand.saturating_mul(5 * u64::from(operand.max(2).ilog2()))),
        Op::Reshape { .. } | Op::BroadcastInDim { .. } | Op::DebugPrint(_) => Cost::default(),
        Op::Bitcast { .. } | Op::StopGradient | Op::Name { .. } | Op::OptimizationBarrier => Cost::default(),
        Op::Transpose { .. }
        | Op::Slice(_)
        | Op::Pad { .. }
        | Op::Concatenate { .. }
        | Op::Reverse { .. }
        | Op::Iota { .. }
        | Op::DynamicSlice { .. }
        | Op::DynamicUpdateSlice
        | Op::Gather(_)
        | Op::CustomLinear(_) => moved(0),
        Op::Cond { branches } => branches.iter().map(|p| cost(p)).max().unwrap_or_default(),
        Op::While(While { cond: condition, body, .. }) => cost(condition).add(cost(body)),
        Op::Scan(Scan { body, length, .. }) => cost(body).times(*length as u64),
        Op::Call { program, .. } => cost(program),
        Op::CustomJvp(custom) => cost(&custom.call),
        Op::CustomVjp(custom) => cost(&custom.call),
        Op::LinearSolve(solve) => cost(&solve.solve),
        Op::Root(root) => cost(&root.solve),
        Op::Remat(remat) => cost(&remat.program),
    }
}

/// Estimates that differ by less than one part in so many do not differ.
pub(crate) const FINENESS: u64 = 64;

/// The price of a whole program; see [`price`].
pub(crate) fn total(program: &Program, fused_bytes: u64) -> u64 {
    let eqns = program.eqns.iter().map(|eqn| {
        let inside = eqn.op.subprograms();
        if inside.is_empty() {
            let inputs: Vec<Aval> = eqn.inputs.iter().map(|&x| program.aval(x)).collect();
            let outputs: Vec<Aval> = eqn.outputs.iter().map(|&v| program.aval(v)).collect();
            return price(&eqn.op, &inputs, &outputs, fused_bytes);
        }
        let times = if let Op::Scan(scan) = &eqn.op { scan.length as u64 } else { 1 };
        inside.iter().map(|program| total(program, fused_bytes)).fold(0, u64::saturating_add).saturating_mul(times)
    });
    eqns.fold(0, u64::saturating_add)
}

/// What it takes to begin a product of matrices, in the units of prices.
const START: u64 = 100_000;

/// The price of an equation in arbitrary integer units (about picoseconds of one CPU core): what extraction minimises.
///
/// Work of dots is cheaper than elementwise work, and a byte of an elementwise result costs `fused_bytes`, since most are fused
/// with their users. Every op costs at least a little, so that among equals the fewer win.
pub(crate) fn price(op: &Op, inputs: &[Aval], outputs: &[Aval], fused_bytes: u64) -> u64 {
    let Cost { flops, mut bytes } = op_cost(op, inputs, outputs);
    if let Op::Slice(_) | Op::DynamicSlice { .. } | Op::Gather(_) = op {
        // What is not taken is not read.
        bytes = outputs.iter().map(|aval| 2 * aval.bytes() as u64).fold(0, u64::saturating_add);
    }
    let start = if let Op::DotGeneral(_) | Op::Conv(_) = op { START } else { 100 };
    let (per_flop, per_byte) = match op {
        // A product that sums nothing multiplies only.
        Op::DotGeneral(dot) if dot.lhs_contracting.is_empty() => (5, 50),
        Op::DotGeneral(_) | Op::Conv(_) => (10, 50),
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::Convert { .. }
        | Op::ReducePrecision { .. }
        | Op::IntegerPow { .. }
        | Op::RegularizedIncompleteBeta
        | Op::Threefry2x32 => (100, fused_bytes),
        Op::Slice(_) | Op::Reverse { .. } | Op::Iota { .. } => (0, 10),
        Op::Reduce { .. } => (20, 50),
        Op::GeneralReduce { .. }
        | Op::ArgReduce(_)
        | Op::Cumulative(_)
        | Op::ReduceWindow { .. }
        | Op::GeneralReduceWindow { .. }
        | Op::SelectAndGatherAdd(_)
        | Op::SelectAndScatterAdd(_)
        | Op::Scatter(_)
        | Op::Sort(_)
        | Op::TopK { .. }
        | Op::Linalg(_)
        | Op::Fft(_)
        | Op::Collective(_)
        | Op::Reshape { .. }
        | Op::BroadcastInDim { .. }
        | Op::DebugPrint(_)
        | Op::Bitcast { .. }
        | Op::StopGradient
        | Op::Name { .. }
        | Op::OptimizationBarrier
        | Op::Transpose { .. }
        | Op::Pad { .. }
        | Op::Concatenate { .. }
        | Op::DynamicSlice { .. }
        | Op::DynamicUpdateSlice
        | Op::Gather(_)
        | Op::CustomLinear(_)
        | Op::LinearSolve(_)
        | Op::Root(_)
        | Op::Cond { .. }
        | Op::While(_)
        | Op::Scan(_)
        | Op::Call { .. }
        | Op::CustomJvp(_)
        | Op::CustomVjp(_)
        | Op::Remat(_) => (100, 50),
    };
    // Not more than a quarter of the range, so that sums over a window saturate rarely.
    let work = flops.saturating_mul(per_flop).saturating_add(bytes.saturating_mul(per_byte));
    work.saturating_add(start).min(u64::MAX >> 20)
}
