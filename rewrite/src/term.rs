//! What a rule sees of a program and how it says what to put in its place.
//!
//! A rule is straight-line code: it asks for the definition of an operand with `?` and builds a [`Term`]. In the
//! graph of the first stage every value has one definition. In an e-graph it has several; each question with several
//! answers then becomes a choice, and [`matches`] runs the rule again until all combinations were tried.

use std::cell::RefCell;

use egg::Id;
use rjax_ir::{Aval, Binary, DType, Op, Scalar, Shape, Unary};
use smallvec::SmallVec;

use crate::code::Code;
use crate::dag::{Head, Node, Ops};
use crate::known::Known;

/// A graph that rules can look at.
pub(crate) trait View {
    /// The types of a node's results.
    fn avals(&self, x: Id) -> &[Aval];
    /// The value that all elements have, if that is known.
    fn splat(&self, x: Id) -> Option<Scalar>;
    /// What is known of its elements.
    fn known(&self, x: Id) -> Known;
    /// The known definitions of a value.
    fn nodes(&self, x: Id) -> &[Node];
}

/// What a rule builds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Term {
    /// A value that is there already.
    Value(Id),
    /// A scalar.
    Literal(Scalar),
    /// An op with one result.
    Apply(Box<Op>, Vec<Term>),
}

impl From<Id> for Term {
    fn from(x: Id) -> Term {
        Term::Value(x)
    }
}

impl Term {
    /// An op applied to terms.
    pub(crate) fn apply(op: Op, inputs: impl IntoIterator<Item = Term>) -> Term {
        Term::Apply(Box::new(op), inputs.into_iter().collect())
    }

    pub(crate) fn unary(op: Unary, x: impl Into<Term>) -> Term {
        Term::apply(Op::Unary(op), [x.into()])
    }

    pub(crate) fn binary(op: Binary, x: impl Into<Term>, y: impl Into<Term>) -> Term {
        Term::apply(Op::Binary(op), [x.into(), y.into()])
    }

    /// A scalar everywhere.
    pub(crate) fn full(value: Scalar, shape: &Shape) -> Term {
        if shape.rank() == 0 {
            Term::Literal(value)
        } else {
            Term::apply(Op::BroadcastInDim { shape: shape.clone(), dims: vec![] }, [Term::Literal(value)])
        }
    }

    pub(crate) fn reshape(x: impl Into<Term>, shape: Shape) -> Term {
        Term::apply(Op::Reshape { shape }, [x.into()])
    }

    /// A transpose, or the term itself for the identity.
    pub(crate) fn transpose(x: impl Into<Term>, permutation: Vec<usize>) -> Term {
        if permutation.iter().enumerate().all(|(i, &p)| i == p) {
            x.into()
        } else {
            Term::apply(Op::Transpose { permutation }, [x.into()])
        }
    }
}

/// One definition of a value: an op and its operands.
#[derive(Clone, Copy)]
pub struct Definition<'a> {
    /// The op.
    pub op: &'a Op,
    /// Its operands.
    pub inputs: &'a [Id],
}

/// An equation that rules are tried on, and the graph around it.
pub struct Match<'a> {
    graph: &'a dyn View,
    ops: &'a Ops,
    /// The op of the equation.
    pub op: &'a Op,
    /// Its operands.
    pub inputs: &'a [Id],
    /// The type of its result.
    pub aval: &'a Aval,
    choices: RefCell<Choices>,
}

/// The path through the questions with several answers: for each the answer taken and how many there are.
#[derive(Default)]
struct Choices {
    path: SmallVec<[(usize, usize); 4]>,
    next: usize,
}

/// Runs a rule with every combination of choices and passes on what it builds; at most `limit` runs.
pub(crate) fn matches(
    graph: &dyn View,
    ops: &Ops,
    root: Definition<'_>,
    aval: &Aval,
    rule: fn(&Match<'_>) -> Option<Term>,
    limit: usize,
    mut found: impl FnMut(Term),
) {
    let m = Match { graph, ops, op: root.op, inputs: root.inputs, aval, choices: RefCell::default() };
    for _ in 0..limit {
        if let Some(term) = rule(&m) {
            found(term);
        }
        let mut choices = m.choices.borrow_mut();
        choices.next = 0;
        while choices.path.last().is_some_and(|&(taken, count)| taken + 1 == count) {
            choices.path.pop();
        }
        match choices.path.last_mut() {
            Some(last) => last.0 += 1,
            None => return,
        }
    }
}

impl<'a> Match<'a> {
    /// One of `count` answers, all of them in turn over the runs of the rule.
    fn choose(&self, count: usize) -> Option<usize> {
        if count <= 1 {
            return (count == 1).then_some(0);
        }
        let mut choices = self.choices.borrow_mut();
        if choices.next == choices.path.len() {
            choices.path.push((0, count));
        }
        let taken = choices.path[choices.next].0;
        choices.next += 1;
        Some(taken)
    }

    /// A definition of `x` by an op of this kind.
    pub(crate) fn definition(&self, x: Id, code: Code) -> Option<Definition<'a>> {
        self.definition_among(x, &[code])
    }

    /// A definition of `x` by an op of one of these kinds.
    pub(crate) fn definition_among(&self, x: Id, codes: &[Code]) -> Option<Definition<'a>> {
        let matching = |node: &&'a Node| matches!(node.head, Head::Op(op) if codes.contains(&op.code));
        let nodes = self.graph.nodes(x);
        let taken = self.choose(nodes.iter().filter(matching).count())?;
        let node = nodes.iter().filter(matching).nth(taken).expect("counted above");
        let Head::Op(op) = node.head else { unreachable!("filtered above") };
        Some(Definition { op: self.ops.get(op), inputs: &node.inputs })
    }

    /// The two operands in either order.
    pub(crate) fn either_order(&self) -> [Id; 2] {
        let [x, y] = self.two();
        if self.choose(2) == Some(0) { [x, y] } else { [y, x] }
    }

    /// The two operands of a definition in either order.
    pub(crate) fn either_order_of(&self, definition: Definition<'a>) -> [Id; 2] {
        let [x, y] = *definition.inputs else { panic!("{} has two operands", definition.op.name()) };
        if self.choose(2) == Some(0) { [x, y] } else { [y, x] }
    }

    /// One of several positions.
    pub(crate) fn any(&self, count: usize) -> Option<usize> {
        self.choose(count)
    }

    /// The operand of an op that has one.
    pub(crate) fn one(&self) -> Id {
        self.inputs[0]
    }

    /// The operands of an op that has two.
    pub(crate) fn two(&self) -> [Id; 2] {
        [self.inputs[0], self.inputs[1]]
    }

    /// The type of a value.
    pub(crate) fn aval_of(&self, x: Id) -> &'a Aval {
        &self.graph.avals(x)[0]
    }

    pub(crate) fn shape_of(&self, x: Id) -> &'a Shape {
        &self.aval_of(x).shape
    }

    pub(crate) fn dtype_of(&self, x: Id) -> DType {
        self.aval_of(x).dtype
    }

    /// The value that all elements have.
    pub(crate) fn splat(&self, x: Id) -> Option<Scalar> {
        self.graph.splat(x)
    }

    /// What is known of the elements.
    pub(crate) fn known(&self, x: Id) -> Known {
        self.graph.known(x)
    }

    /// Holds if all elements are this number, in the bits of their type; a complex number has a zero imaginary part.
    pub(crate) fn is_number(&self, x: Id, value: f64) -> Option<()> {
        let splat = self.splat(x)?;
        (splat == Scalar::from_f64(splat.dtype(), value)).then_some(())
    }

    /// Holds if all elements are -0 (in both parts of a complex number), or the zero of a type that has but one.
    pub(crate) fn is_negative_zero(&self, x: Id) -> Option<()> {
        let splat = self.splat(x)?;
        let zero = Scalar::from_f64(splat.dtype().real(), -0.0).bits()[0];
        let imaginary = if splat.dtype().is_complex() { zero } else { 0 };
        (splat.bits() == [zero, imaginary]).then_some(())
    }
}

/// `Some` if the condition holds: a side condition among the questions of a rule.
pub(crate) fn when(condition: bool) -> Option<()> {
    condition.then_some(())
}
