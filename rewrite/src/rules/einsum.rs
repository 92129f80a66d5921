//! Dots with named axes: the algebra in which chains of dots are re-ordered.
//!
//! Every axis of every operand gets a label; axes that are contracted or batched together share one. A contraction of
//! two operands is then determined by the labels that are still needed afterwards, whatever the order of axes was.

use egg::Id;
use rjax_ir::{Binary, DType, DotGeneral, Op, Precision, Reducer};
use smallvec::{SmallVec, smallvec};

use super::{Definition, Match, Term};
use crate::code::Code;
use crate::term::when;

pub(crate) type Label = usize;

/// A label for each axis, or an extent for each label.
pub(crate) type Labels = SmallVec<[usize; 6]>;

/// An array whose axes have labels.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub term: Term,
    pub labels: Labels,
}

/// Two operands, what comes out of their contraction, and the extents of all labels.
#[derive(Clone, Debug)]
pub(super) struct Contraction {
    pub lhs: Operand,
    pub rhs: Operand,
    pub out: Labels,
    pub extents: Labels,
    pub kind: Kind,
}

/// What the dots of one chain are made with: one dtype, and the best of their precisions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    precision: Precision,
    dtype: DType,
}

fn dot_of(op: &Op) -> &DotGeneral {
    let Op::DotGeneral(dot) = op else { unreachable!("a dot") };
    dot
}

impl Contraction {
    /// A dot with fresh labels; `None` where operands and result have different dtypes.
    pub fn of(m: &Match<'_>, definition: Definition<'_>) -> Option<Contraction> {
        let dot = dot_of(definition.op);
        let [lhs, rhs] = [definition.inputs[0], definition.inputs[1]];
        let dtype = dot.preferred;
        when(m.dtype_of(lhs) == dtype && m.dtype_of(rhs) == dtype)?;
        let (lhs_shape, rhs_shape) = (m.shape_of(lhs), m.shape_of(rhs));
        let lhs_labels: Labels = (0..lhs_shape.rank()).collect();
        let mut extents = Labels::from_slice(lhs_shape);
        let mut rhs_labels: Labels = smallvec![Label::MAX; rhs_shape.rank()];
        let pairs =
            dot.lhs_batch.iter().zip(&dot.rhs_batch).chain(dot.lhs_contracting.iter().zip(&dot.rhs_contracting));
        for (&l, &r) in pairs {
            rhs_labels[r] = l;
        }
        for (axis, label) in rhs_labels.iter_mut().enumerate() {
            if *label == Label::MAX {
                *label = extents.len();
                extents.push(rhs_shape[axis]);
            }
        }
        let batch = dot.lhs_batch.iter().copied();
        let free = dot.lhs_free(lhs_shape.rank()).into_iter();
        let rhs_free = dot.rhs_free(rhs_shape.rank()).into_iter().map(|axis| rhs_labels[axis]);
        let out = batch.chain(free).chain(rhs_free).collect();
        Some(Contraction {
            lhs: Operand { term: lhs.into(), labels: lhs_labels },
            rhs: Operand { term: rhs.into(), labels: rhs_labels },
            out,
            extents,
            kind: Kind { precision: dot.precision, dtype },
        })
    }

    /// A sum over some axes of an elementwise product as a contraction of its factors, where one of them is a broadcast.
    /// The factors' labels are the axes of the product; each axis is one of a factor.
    pub fn of_summed_product(m: &Match<'_>, product: Definition<'_>, summed: &[usize]) -> Option<Contraction> {
        let [x, y] = [product.inputs[0], product.inputs[1]];
        let extents = Labels::from_slice(m.shape_of(x));
        let labels: Labels = (0..extents.len()).collect();
        let (lhs, rhs) = factors(m, [x, y], &labels)?;
        let out = labels.iter().copied().filter(|label| !summed.contains(label)).collect();
        // The factors were multiplied as they are.
        let kind = Kind { precision: Precision::Highest, dtype: m.dtype_of(x) };
        Some(Contraction { lhs, rhs, out, extents, kind })
    }

    /// A contraction of the factors of elementwise products, whose labels are the axes of the first.
    pub fn of_product(m: &Match<'_>, lhs: Operand, rhs: Operand, out: Labels) -> Contraction {
        let Term::Value(x) = lhs.term else { unreachable!("an array of the graph") };
        let kind = Kind { precision: Precision::Highest, dtype: m.dtype_of(x) };
        Contraction { lhs, rhs, out, extents: Labels::from_slice(m.shape_of(x)), kind }
    }

    /// 2 for each combination of indices that meet.
    pub fn flops(&self, x: &Operand, y: &Operand) -> u128 {
        let mut labels: Labels = x.labels.iter().chain(&y.labels).copied().collect();
        labels.sort_unstable();
        labels.dedup();
        labels.iter().fold(2, |flops: u128, &label| flops.saturating_mul(self.extents[label] as u128))
    }

    /// The contraction of two operands over the labels that they share and that are not needed afterwards. `None` if
    /// one of them has a label of its own that is not needed: that would be a sum, not a dot.
    pub fn contract(&self, x: &Operand, y: &Operand, needed: &dyn Fn(Label) -> bool) -> Option<Operand> {
        let shared = |label: &Label| x.labels.contains(label) && y.labels.contains(label);
        when(x.labels.iter().chain(&y.labels).all(|label| shared(label) || needed(*label)))?;
        if x.labels.is_empty() && y.labels.is_empty() {
            return Some(Operand {
                term: Term::binary(Binary::Mul, x.term.clone(), y.term.clone()),
                labels: Labels::new(),
            });
        }
        let (batch, contracted): (Labels, Labels) =
            x.labels.iter().copied().filter(shared).partition(|&label| needed(label));
        let axes = |of: &Operand, labels: &[Label]| -> Vec<usize> {
            labels.iter().map(|label| of.labels.iter().position(|l| l == label).expect("shared")).collect()
        };
        let dot = DotGeneral {
            lhs_contracting: axes(x, &contracted),
            rhs_contracting: axes(y, &contracted),
            lhs_batch: axes(x, &batch),
            rhs_batch: axes(y, &batch),
            precision: self.kind.precision,
            preferred: self.kind.dtype,
        };
        let free = x.labels.iter().chain(&y.labels).copied().filter(|label| !shared(label));
        let labels = batch.iter().copied().chain(free).collect();
        Some(Operand { term: Term::apply(Op::DotGeneral(dot), [x.term.clone(), y.term.clone()]), labels })
    }

    /// An operand summed along the axes that neither the other operand nor the result has.
    pub fn summed(&self, x: &Operand, other: &Operand) -> Operand {
        let gone = |label: &Label| !self.out.contains(label) && !other.labels.contains(label);
        let axes: Vec<usize> = (0..x.labels.len()).filter(|&axis| gone(&x.labels[axis])).collect();
        if axes.is_empty() {
            return x.clone();
        }
        let labels = x.labels.iter().copied().filter(|label| !gone(label)).collect();
        Operand { term: Term::apply(Op::Reduce { reducer: Reducer::Sum, axes }, [x.term.clone()]), labels }
    }

    /// The whole contraction, with its axes as the original has them.
    pub fn finish(&self, x: &Operand, y: &Operand) -> Option<Term> {
        let result = self.contract(x, y, &|label| self.out.contains(&label))?;
        Some(arrange(result, &self.out))
    }

    /// Puts an operand that is a transpose of another in its place.
    pub fn through_transpose(&self, m: &Match<'_>, operand: &Operand) -> Option<Operand> {
        let Term::Value(x) = operand.term else { return None };
        let inner = m.definition(x, Code::Transpose)?;
        let Op::Transpose { permutation } = inner.op else { unreachable!("a transpose") };
        let mut labels: Labels = smallvec![0; permutation.len()];
        for (axis, &source) in permutation.iter().enumerate() {
            labels[source] = operand.labels[axis];
        }
        Some(Operand { term: inner.inputs[0].into(), labels })
    }

    /// The two operands of a dot that one of this contraction's operands is, with the labels that are new; or the two
    /// factors of a product, in which axes stand for themselves. Looks through one transpose.
    pub fn expand(&mut self, m: &Match<'_>, operand: &Operand) -> Option<(Operand, Operand)> {
        let seen = if m.any(2) == Some(0) { operand.clone() } else { self.through_transpose(m, operand)? };
        let Term::Value(x) = seen.term else { return None };
        let inner = m.definition_among(x, &[Code::Dot, Code::Binary(Binary::Mul)])?;
        if !matches!(inner.op, Op::DotGeneral(_)) {
            return factors(m, [inner.inputs[0], inner.inputs[1]], &seen.labels);
        }
        let inner = Contraction::of(m, inner)?;
        when(inner.kind.dtype == self.kind.dtype)?;
        self.kind.precision = self.kind.precision.max(inner.kind.precision);
        let mut names: SmallVec<[Option<Label>; 8]> = smallvec![None; inner.extents.len()];
        for (&label, &name) in inner.out.iter().zip(&seen.labels) {
            names[label] = Some(name);
        }
        let extents = &mut self.extents;
        let names: Labels = names
            .into_iter()
            .enumerate()
            .map(|(label, name)| {
                name.unwrap_or_else(|| {
                    extents.push(inner.extents[label]);
                    extents.len() - 1
                })
            })
            .collect();
        let rename = |o: &Operand| Operand {
            term: o.term.clone(),
            labels: o.labels.iter().map(|&label| names[label]).collect(),
        };
        Some((rename(&inner.lhs), rename(&inner.rhs)))
    }
}

/// The factors of an elementwise product, whose axes have these labels, without the axes along which they are repeated.
/// `None` if neither is a broadcast: there is nothing to gain then.
pub(super) fn factors(m: &Match<'_>, factors: [Id; 2], labels: &[Label]) -> Option<(Operand, Operand)> {
    let [x, y] = factors.map(|factor| unrepeated(m, factor, labels));
    when(x.is_some() || y.is_some())?;
    let whole = |factor: Id| Operand { term: factor.into(), labels: labels.into() };
    let (x, y) = (x.unwrap_or_else(|| whole(factors[0])), y.unwrap_or_else(|| whole(factors[1])));
    // An axis along which both are repeated would be lost.
    when(labels.iter().all(|label| x.labels.contains(label) || y.labels.contains(label)))?;
    Some((x, y))
}

/// The source of a broadcast, whose result has these labels, without the axes along which it is repeated; `None` for
/// what is no broadcast.
pub(super) fn unrepeated(m: &Match<'_>, x: Id, labels: &[Label]) -> Option<Operand> {
    let broadcast = m.definition(x, Code::Broadcast)?;
    let Op::BroadcastInDim { shape, dims } = broadcast.op else { unreachable!("a broadcast") };
    let source = broadcast.inputs[0];
    let extents = m.shape_of(source);
    let kept: Vec<usize> = (0..dims.len()).filter(|&axis| extents[axis] == shape[dims[axis]]).collect();
    let labels = kept.iter().map(|&axis| labels[dims[axis]]).collect();
    let term = if kept.len() == dims.len() {
        source.into()
    } else {
        Term::reshape(source, kept.iter().map(|&axis| extents[axis]).collect())
    };
    Some(Operand { term, labels })
}

/// A reshape that only puts in axes of extent 1, as an operand without them.
pub(super) fn without_units(m: &Match<'_>, x: Id, labels: &[Label]) -> Option<Operand> {
    let source = m.definition(x, Code::Reshape)?.inputs[0];
    let shape = m.shape_of(x);
    let kept: Vec<usize> = (0..shape.rank()).filter(|&axis| shape[axis] != 1).collect();
    when(kept.len() < shape.rank() && m.shape_of(source).iter().eq(kept.iter().map(|&axis| &shape[axis])))?;
    Some(Operand { term: source.into(), labels: kept.into_iter().map(|axis| labels[axis]).collect() })
}

/// A transpose of an operand whose axes have these labels in another order.
pub(super) fn arrange(operand: Operand, labels: &[Label]) -> Term {
    let place = |label: &Label| operand.labels.iter().position(|l| l == label).expect("the same labels");
    let permutation = labels.iter().map(place).collect();
    Term::transpose(operand.term, permutation)
}

/// An operand as an array with these axes in this order: transposed, and repeated along the axes that it lacks.
pub(crate) fn spread(operand: Operand, labels: &[Label], extents: &[usize]) -> Term {
    let own: Vec<Label> = labels.iter().copied().filter(|label| operand.labels.contains(label)).collect();
    let term = arrange(operand, &own);
    if own == labels {
        return term;
    }
    let dims = own.iter().map(|label| labels.iter().position(|l| l == label).expect("filtered above")).collect();
    let shape = labels.iter().map(|&label| extents[label]).collect();
    Term::apply(Op::BroadcastInDim { shape, dims }, [term])
}
