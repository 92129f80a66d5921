//! Exponentials of large numbers: softmax, log-sum-exp, cross-entropy, attention, and what their derivatives leave over.
//!
//! exp(x) overflows where x is large; exp(x - m), with m the maximum of x along the axes that are summed, does not. What is
//! homogeneous of degree 0 in exp(x), such as exp(x) / sum(exp(x)), is the same for both, and the logarithm of what is of
//! degree k differs by k m. So there is no rule for each formula and spelling: every value that depends on an exponential
//! gets a degree, and where all that others see has degree 0, the exponential is shifted.
//!
//! ```text
//! e = exp x            degree 1          e = exp (x - m)
//! s = sum e            degree 1          s = sum e
//! p = e / s            degree 0          p = e / s
//! l = log s            degree 0          l = log s + m
//! ```

use std::collections::BTreeSet;

use egg::Id;
use rjax_ir::{Binary, DTypeSet, DotGeneral, Op, Reducer, Scalar, Unary};
use rustc_hash::FxHashMap;

use crate::dag::{Dag, Fired, Head};
use crate::rules::einsum::{Labels, Operand, spread};
use crate::rules::{Class, Rule};
use crate::term::Term;
use crate::window::{copy, start};

/// A maximum that is not finite is no shift: what is infinite or NaN stays so.
pub(crate) static SHIFT_EXPONENTIALS: Rule = Rule {
    class: Class::Stable,
    dtypes: DTypeSet::FLOAT,
    ..Rule::built_in(
        "shift-exponentials",
        "f(exp(x)) == f(exp(x - max(x))) for f homogeneous of degree 0, and log(sum(exp(x))) == log(sum(exp(x - max(x)))) + max(x)",
    )
};

/// How many definitions deep to look for a maximum that was subtracted already.
const DEPTH: usize = 6;

/// A value that becomes exp(-degree m) times what it was, if the exponential is shifted by m.
struct Scaled {
    degree: i32,
    /// For each axis the axis of the exponent that it is, if any.
    axes: Vec<Option<usize>>,
}

/// One exponential to shift.
struct Shift {
    exponential: usize,
    /// The axes of the exponent along which the maximum is taken.
    reduced: Vec<usize>,
    /// The logarithms that differ.
    logs: Vec<(usize, Scaled)>,
}

/// The graph with its exponentials shifted where that cannot be seen; nothing if there are none to shift.
pub(crate) fn shift<'r>(dag: &Dag<'r>, outputs: &[Id]) -> Option<(Dag<'r>, Vec<Id>)> {
    let live = dag.live(outputs);
    let mut users: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    let exponentials: Vec<usize> = (0..live.len())
        .filter(|&i| live[i] && is_exponential(dag, i) && !is_shifted(dag, dag.entries[i].node.inputs[0], DEPTH))
        .collect();
    if exponentials.is_empty() {
        return None;
    }
    for (i, entry) in dag.entries.iter().enumerate().filter(|(i, _)| live[*i]) {
        for &x in &entry.node.inputs {
            users.entry(usize::from(x)).or_default().push(i);
        }
    }
    let shifts: Vec<Shift> =
        exponentials.into_iter().filter_map(|i| Analysis::new(dag, i).run(&users, outputs)).collect();
    (!shifts.is_empty()).then(|| rebuild(dag, outputs, &live, &shifts))
}

fn is_exponential(dag: &Dag, i: usize) -> bool {
    let entry = &dag.entries[i];
    matches!(op_of(dag, i), Some(Op::Unary(Unary::Exp))) && entry.avals[0].dtype.is_float() && entry.splat.is_none()
}

fn op_of<'a>(dag: &'a Dag, i: usize) -> Option<&'a Op> {
    match dag.entries[i].node.head {
        Head::Op(op) => Some(dag.ops.get(op)),
        Head::Leaf(_)
        | Head::Const(_)
        | Head::Literal(_)
        | Head::Projection(_)
        | Head::Unique(..)
        | Head::Effect(..) => None,
    }
}

/// Whether an exponent has had some maximum subtracted, before it was scaled, masked or moved.
fn is_shifted(dag: &Dag, x: Id, depth: usize) -> bool {
    let (Some(depth), Some(op)) = (depth.checked_sub(1), op_of(dag, usize::from(x))) else { return false };
    let inputs = &dag.entry(x).node.inputs;
    if let Op::Binary(Binary::Sub) = op {
        return is_shifted(dag, inputs[0], depth) || has_maximum(dag, inputs[1], depth);
    }
    let elementwise = matches!(op, Op::Binary(Binary::Add | Binary::Mul | Binary::Div) | Op::Select);
    (elementwise || is_movement(op)) && inputs.iter().any(|&x| is_shifted(dag, x, depth))
}

/// Whether a value is made from the maximum of something.
fn has_maximum(dag: &Dag, x: Id, depth: usize) -> bool {
    let (Some(depth), Some(op)) = (depth.checked_sub(1), op_of(dag, usize::from(x))) else { return false };
    let inputs = &dag.entry(x).node.inputs;
    let elementwise = matches!(op, Op::Binary(_) | Op::Select);
    matches!(op, Op::Reduce { reducer: Reducer::Max, .. })
        || (elementwise || is_movement(op)) && inputs.iter().any(|&x| has_maximum(dag, x, depth))
}

fn is_movement(op: &Op) -> bool {
    matches!(
        op,
        Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Convert { .. }
            | Op::StopGradient
            | Op::Name { .. }
    )
}

/// The degrees of what depends on one exponential.
struct Analysis<'a, 'r> {
    dag: &'a Dag<'r>,
    exponential: usize,
    scaled: FxHashMap<usize, Scaled>,
    /// Known from the first sum on.
    reduced: Option<Vec<usize>>,
    logs: Vec<(usize, Scaled)>,
}

impl Analysis<'_, '_> {
    fn new<'a, 'r>(dag: &'a Dag<'r>, exponential: usize) -> Analysis<'a, 'r> {
        Analysis { dag, exponential, scaled: FxHashMap::default(), reduced: None, logs: vec![] }
    }

    /// Follows the exponential to everything that depends on it. Nothing if somebody would see that it was shifted.
    fn run(mut self, users: &FxHashMap<usize, Vec<usize>>, outputs: &[Id]) -> Option<Shift> {
        let extents = &self.dag.entries[self.exponential].avals[0].shape;
        // Along an axis of extent 1 nothing varies.
        let axes = extents.iter().enumerate().map(|(axis, &extent)| (extent != 1).then_some(axis)).collect();
        self.scaled.insert(self.exponential, Scaled { degree: 1, axes });
        let mut pending: BTreeSet<usize> = users.get(&self.exponential)?.iter().copied().collect();
        let is_output = |i: usize| outputs.contains(&Id::from(i));
        if is_output(self.exponential) {
            return None;
        }
        while let Some(i) = pending.pop_first() {
            let result = self.follow(i)?;
            if result.degree != 0 {
                if is_output(i) {
                    return None;
                }
                self.scaled.insert(i, result);
                pending.extend(users.get(&i).into_iter().flatten());
            }
        }
        let reduced = self.reduced.filter(|axes| !axes.is_empty())?;
        Some(Shift { exponential: self.exponential, reduced, logs: self.logs })
    }

    fn of(&self, x: Id) -> Option<&Scaled> {
        self.scaled.get(&usize::from(x))
    }

    /// Whether the shift varies along this axis of the exponent.
    fn varies(&self, axis: usize) -> bool {
        self.reduced.as_ref().is_none_or(|reduced| !reduced.contains(&axis))
    }

    /// Sums along axes of the exponent: the first sum says along which the shift is the same, the others must agree.
    fn sum(&mut self, axes: impl Iterator<Item = Option<usize>>) -> Option<()> {
        let axes: Vec<usize> = axes.flatten().collect();
        if axes.is_empty() {
            return Some(());
        }
        let reduced = self.reduced.get_or_insert_with(|| {
            let mut axes = axes.clone();
            axes.sort();
            axes
        });
        axes.iter().all(|axis| reduced.contains(axis)).then_some(())
    }

    /// Two arrays of one shape that are scaled alike.
    fn agree(&self, x: &Scaled, y: &Scaled) -> bool {
        let place = |axis: Option<usize>| axis.filter(|&axis| self.varies(axis));
        x.axes.iter().zip(&y.axes).all(|(&x, &y)| place(x) == place(y))
    }

    /// Operands of an op that leaves a common scale as it is: all scaled alike, or zero.
    fn common(&self, operands: &[Id]) -> Option<Scaled> {
        let is_zero = |x: Id| self.dag.entry(x).splat.is_some_and(|value| value.to_c128().norm() == 0.0);
        let mut common: Option<&Scaled> = None;
        for &x in operands {
            match (self.of(x), common) {
                (None, _) if is_zero(x) => {}
                (None, _) => return None,
                (Some(scaled), None) => common = Some(scaled),
                (Some(scaled), Some(other)) => {
                    if scaled.degree != other.degree || !self.agree(scaled, other) {
                        return None;
                    }
                }
            }
        }
        common.map(|scaled| Scaled { degree: scaled.degree, axes: scaled.axes.clone() })
    }

    /// The scale of a value with a scaled operand; nothing if the shift cannot be followed through it.
    fn follow(&mut self, i: usize) -> Option<Scaled> {
        let dag = self.dag;
        let inputs = &dag.entries[i].node.inputs;
        let shape = &dag.entries[i].avals[0].shape;
        let plain = || Scaled { degree: 0, axes: vec![] };
        let times = |scaled: Scaled, factor: i32| Scaled { degree: scaled.degree * factor, ..scaled };
        match op_of(dag, i)? {
            Op::Unary(Unary::Neg | Unary::Abs) | Op::ReducePrecision { .. } | Op::StopGradient | Op::Name { .. } => {
                self.common(inputs)
            }
            Op::Convert { dtype } => dtype.is_float().then(|| self.common(inputs))?,
            Op::Unary(Unary::Sign) => Some(plain()),
            Op::Unary(Unary::Log) => {
                let scaled = self.common(inputs)?;
                self.logs.push((i, scaled));
                Some(plain())
            }
            Op::IntegerPow { exponent } => Some(times(self.common(inputs)?, *exponent)),
            Op::Binary(op @ (Binary::Mul | Binary::Div)) => {
                let sign = if *op == Binary::Mul { 1 } else { -1 };
                match (self.of(inputs[0]), self.of(inputs[1])) {
                    (Some(x), Some(y)) => {
                        let axes = x.axes.iter().zip(&y.axes).map(|(x, y)| x.or(*y)).collect();
                        let degree = x.degree + sign * y.degree;
                        self.agree(x, y).then_some(Scaled { degree, axes })
                    }
                    (Some(_), None) => self.common(&inputs[..1]),
                    (None, Some(_)) => Some(times(self.common(&inputs[1..])?, sign)),
                    (None, None) => None,
                }
            }
            Op::Binary(Binary::Add | Binary::Sub | Binary::Max | Binary::Min) => self.common(inputs),
            // Which of two is greater does not depend on a common factor.
            Op::Compare(_) => self.common(inputs).map(|_| plain()),
            Op::Select => self.of(inputs[0]).is_none().then(|| self.common(&inputs[1..]))?,
            Op::BroadcastInDim { dims, .. } => {
                let Scaled { degree, axes: own } = self.common(inputs)?;
                let source = &dag.aval(inputs[0]).shape;
                let mut axes = vec![None; shape.rank()];
                for (axis, &place) in dims.iter().enumerate().filter(|(axis, d)| source[*axis] == shape[**d]) {
                    axes[place] = own[axis];
                }
                Some(Scaled { degree, axes })
            }
            Op::Reshape { .. } => {
                // Only axes of extent 1 may come and go.
                let Scaled { degree, axes: own } = self.common(inputs)?;
                let source = &dag.aval(inputs[0]).shape;
                let large = |shape: &[usize]| (0..shape.len()).filter(|&axis| shape[axis] != 1).collect::<Vec<_>>();
                let (from, to) = (large(source), large(shape));
                let same = from.len() == to.len() && from.iter().zip(&to).all(|(&a, &b)| source[a] == shape[b]);
                let mut axes = vec![None; shape.rank()];
                from.iter().zip(&to).for_each(|(&from, &to)| axes[to] = own[from]);
                same.then_some(Scaled { degree, axes })
            }
            Op::Transpose { permutation } => {
                let Scaled { degree, axes } = self.common(inputs)?;
                Some(Scaled { degree, axes: permutation.iter().map(|&axis| axes[axis]).collect() })
            }
            Op::Reduce { reducer, axes: gone } => {
                if !matches!(reducer, Reducer::Sum | Reducer::Max | Reducer::Min) {
                    return None;
                }
                let Scaled { degree, mut axes } = self.common(inputs)?;
                self.sum(gone.iter().map(|&axis| axes[axis]))?;
                let mut axis = 0;
                axes.retain(|_| {
                    axis += 1;
                    !gone.contains(&(axis - 1))
                });
                Some(Scaled { degree, axes })
            }
            Op::DotGeneral(dot) => self.dot(dot, [inputs[0], inputs[1]]),
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Clamp
            | Op::RegularizedIncompleteBeta
            | Op::Bitcast { .. }
            | Op::OptimizationBarrier
            | Op::Slice(_)
            | Op::Pad { .. }
            | Op::Concatenate { .. }
            | Op::Reverse { .. }
            | Op::Iota { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::GeneralReduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
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
            | Op::Collective(_) => None,
        }
    }

    fn dot(&mut self, dot: &DotGeneral, inputs: [Id; 2]) -> Option<Scaled> {
        let [lhs, rhs] = inputs.map(|x| self.of(x).map(|scaled| scaled.axes.clone()));
        let degree = inputs.iter().filter_map(|&x| self.of(x)).map(|scaled| scaled.degree).sum();
        let at = |axes: &Option<Vec<Option<usize>>>, axis: usize| axes.as_ref().and_then(|axes| axes[axis]);
        let contracted = |axes: &Option<Vec<Option<usize>>>, places: &[usize]| -> Vec<Option<usize>> {
            places.iter().map(|&axis| at(axes, axis)).collect()
        };
        let pair = |(&l, &r): (&usize, &usize)| {
            let [l, r] = [at(&lhs, l), at(&rhs, r)].map(|axis| axis.filter(|axis| self.varies(*axis)));
            l == r
        };
        let free = |of: usize, side: &Option<Vec<Option<usize>>>| -> Vec<Option<usize>> {
            let rank = self.dag.aval(inputs[of]).rank();
            let places = if of == 0 { dot.lhs_free(rank) } else { dot.rhs_free(rank) };
            places.into_iter().map(|axis| at(side, axis)).collect()
        };
        let (lhs_free, rhs_free) = (free(0, &lhs), free(1, &rhs));
        let varies = |axis: &Option<usize>| axis.is_some_and(|axis| self.varies(axis));
        // Both are scaled by one factor only where its axes are axes of both, and not free.
        let batched = dot.lhs_batch.iter().zip(&dot.rhs_batch).all(pair);
        let one_factor = batched && !lhs_free.iter().chain(&rhs_free).any(varies);
        let shared = lhs.is_some() && rhs.is_some();
        if shared && degree == 0 {
            // Each product of two elements is as it was.
            let contracted = dot.lhs_contracting.iter().zip(&dot.rhs_contracting).all(pair);
            return (one_factor && contracted).then_some(Scaled { degree: 0, axes: vec![] });
        }
        if shared && !one_factor {
            return None;
        }
        let summed = [contracted(&lhs, &dot.lhs_contracting), contracted(&rhs, &dot.rhs_contracting)].concat();
        self.sum(summed.into_iter())?;
        let batch = dot.lhs_batch.iter().zip(&dot.rhs_batch).map(|(&l, &r)| at(&lhs, l).or(at(&rhs, r)));
        Some(Scaled { degree, axes: batch.chain(lhs_free).chain(rhs_free).collect() })
    }
}

/// Copies the graph, with shifted exponentials.
fn rebuild<'r>(dag: &Dag<'r>, outputs: &[Id], live: &[bool], shifts: &[Shift]) -> (Dag<'r>, Vec<Id>) {
    let (mut next, mut map) = start(dag, dag.ops.clone());
    let fired = Fired::from_slice(&[(&SHIFT_EXPONENTIALS, Class::Stable)]);
    let mut maxima: Vec<Option<Id>> = vec![None; shifts.len()];
    for (i, entry) in dag.entries.iter().enumerate().filter(|(i, _)| live[*i]) {
        if map.contains_key(&Id::from(i)) {
            continue;
        }
        let inputs: Vec<Id> = entry.node.operands().iter().map(|x| map[x]).collect();
        let mut id = None;
        for (number, shift) in shifts.iter().enumerate() {
            let location = &entry.location;
            if shift.exponential == i {
                let maximum = maximum(dag, shift, inputs[0]);
                let maximum = next.insert_term(&maximum, location, 0);
                maxima[number] = Some(maximum);
                let shape = &entry.avals[0].shape;
                let axes = (0..shape.rank()).map(|axis| (shape[axis] != 1).then_some(axis)).collect();
                let own = Scaled { degree: 1, axes };
                let difference = Term::binary(Binary::Sub, inputs[0], repeated(dag, shift, maximum, &own, i));
                id = Some(next.insert_term(&Term::unary(Unary::Exp, difference), location, 0));
            }
            for (_, scaled) in shift.logs.iter().filter(|(log, _)| *log == i) {
                let log = id.unwrap_or_else(|| copy(dag, &mut next, i, &inputs));
                let maximum = maxima[number].expect("an exponential stands before its logarithm");
                let sum = Term::binary(Binary::Add, log, repeated(dag, shift, maximum, scaled, i));
                id = Some(next.insert_term(&sum, location, 0));
            }
        }
        let id = match id {
            Some(id) => {
                next.note(id, &entry.fired);
                next.note(id, &fired);
                next.weaken(id, entry.weakest);
                id
            }
            None => copy(dag, &mut next, i, &inputs),
        };
        map.insert(Id::from(i), id);
    }
    let outputs = outputs.iter().map(|x| map[x]).collect();
    (next, outputs)
}

/// The maximum of the exponent `x`, or zero where that is not finite.
fn maximum(dag: &Dag, shift: &Shift, x: Id) -> Term {
    let aval = &dag.entries[shift.exponential].avals[0];
    let kept = aval.shape.without(&shift.reduced);
    let maximum = || Term::apply(Op::Reduce { reducer: Reducer::Max, axes: shift.reduced.clone() }, [x.into()]);
    let zero = Term::full(Scalar::zero(aval.dtype), &kept);
    Term::apply(Op::Select, [Term::unary(Unary::IsFinite, maximum()), zero, maximum()])
}

/// As many times the maximum as the degree says, as an array of the shape of value `of`.
fn repeated(dag: &Dag, shift: &Shift, maximum: Id, scaled: &Scaled, of: usize) -> Term {
    let exponent = &dag.entries[shift.exponential].avals[0];
    let aval = &dag.entries[of].avals[0];
    let (rank, shape) = (exponent.rank(), &aval.shape);
    let varying = |axis: usize| !shift.reduced.contains(&axis) && exponent.shape[axis] != 1;
    let kept: Labels = (0..rank).filter(|&axis| varying(axis)).collect();
    let mut term = Term::reshape(maximum, kept.iter().map(|&axis| exponent.shape[axis]).collect());
    if exponent.dtype != aval.dtype {
        term = Term::apply(Op::Convert { dtype: aval.dtype }, [term]);
    }
    // The axes of the maximum are called as in the exponent, all others by numbers behind those.
    let label = |axis: usize| scaled.axes[axis].filter(|&axis| varying(axis)).unwrap_or(rank + axis);
    let labels: Vec<usize> = (0..shape.rank()).map(label).collect();
    let extents: Vec<usize> = exponent.shape.iter().chain(shape.iter()).copied().collect();
    let term = spread(Operand { term, labels: kept }, &labels, &extents);
    match scaled.degree {
        1 => term,
        degree => Term::binary(Binary::Mul, term, Term::full(Scalar::from_i64(aval.dtype, i64::from(degree)), shape)),
    }
}
