//! The e-graph of a window: the language is that of the graph of the first stage, the analysis knows types and
//! constants.

use std::sync::Arc;

use egg::{Analysis, DidMerge, Id, Language};
use rjax_ir::infer::infer;
use rjax_ir::{Aval, Op, Scalar};
use smallvec::SmallVec;

use crate::code::Code;
use crate::dag::{Head, Node, Ops};
use crate::known::Known;
use crate::term::{Term, View};

impl Language for Node {
    type Discriminant = Code;

    fn discriminant(&self) -> Code {
        self.head.code()
    }

    fn matches(&self, other: &Node) -> bool {
        self.head == other.head && self.inputs.len() == other.inputs.len()
    }

    fn children(&self) -> &[Id] {
        &self.inputs
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.inputs
    }
}

pub(crate) type EGraph = egg::EGraph<Node, Facts>;

/// What is known of all members of a class.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Data {
    pub avals: Arc<[Aval]>,
    /// The value that all elements have.
    pub splat: Option<Scalar>,
    /// What all members know.
    pub known: Known,
}

/// The analysis, and what its functions need.
pub(crate) struct Facts {
    pub ops: Ops,
    /// The values from outside the window.
    pub leaves: Vec<Data>,
}

impl Analysis<Node> for Facts {
    type Data = Data;

    fn make(egraph: &mut EGraph, node: &Node, _: Id) -> Data {
        let only = |aval: Aval, splat: Option<Scalar>| {
            let known = splat.map_or(Known::of_type(aval.dtype), Known::of_scalar);
            Data { avals: Arc::new([aval]), splat, known }
        };
        match node.head {
            Head::Leaf(number) => egraph.analysis.leaves[number as usize].clone(),
            Head::Const(_) => unreachable!("constants come into a window as leaves"),
            Head::Literal(value) => only(Aval::scalar(value.dtype()), Some(value)),
            Head::Projection(index) => only(egraph[node.inputs[0]].data.avals[index as usize].clone(), None),
            Head::Op(op) | Head::Unique(op, _) | Head::Effect(op, _) => {
                let inputs: Vec<Aval> = node.operands().iter().map(|&x| egraph[x].data.avals[0].clone()).collect();
                let op = egraph.analysis.ops.get(op);
                let avals = infer(op, &inputs).unwrap_or_else(|e| panic!("a rule built an ill-typed term: {e}"));
                let broadcast = matches!(op, Op::BroadcastInDim { .. });
                let splat = if broadcast { egraph[node.inputs[0]].data.splat } else { None };
                let operands = node.operands().iter().map(|&x| egraph[x].data.known);
                let known = known_of(op, node.operands(), operands, &inputs, &avals);
                Data { avals: avals.into(), splat, known }
            }
        }
    }

    fn merge(&mut self, a: &mut Data, b: Data) -> DidMerge {
        assert_eq!(a.avals, b.avals, "a rule equated values of different types");
        let known = a.known.common(b.known);
        let facts = DidMerge(known != a.known, known != b.known);
        a.known = known;
        facts | merge_splats(a, &b)
    }
}

/// The value of one, where the other's is not known.
fn merge_splats(a: &mut Data, b: &Data) -> DidMerge {
    let differ = |x: Scalar, y: Scalar| x != y && !(x.to_c128().norm().is_nan() && y.to_c128().norm().is_nan());
    match (a.splat, b.splat) {
        (None, Some(_)) => {
            a.splat = b.splat;
            DidMerge(true, false)
        }
        (Some(_), None) => DidMerge(false, true),
        (Some(x), Some(y)) => {
            let zeros = x.to_c128().norm() == 0.0 && y.to_c128().norm() == 0.0;
            debug_assert!(zeros || !differ(x, y), "rules equated the constants {x:?} and {y:?}");
            DidMerge(false, x != y)
        }
        (None, None) => DidMerge(false, false),
    }
}

/// What is known of a node's result.
pub(crate) fn known_of(
    op: &Op,
    ids: &[Id],
    known: impl Iterator<Item = Known>,
    inputs: &[Aval],
    outputs: &[Aval],
) -> Known {
    let [aval] = outputs else { return Known::NOTHING };
    let operands: SmallVec<[(Known, &Aval); 4]> = known.zip(inputs).collect();
    Known::of_op(op, &operands, aval, ids.len() == 2 && ids[0] == ids[1])
}

/// Adds what a rule built.
pub(crate) fn insert(egraph: &mut EGraph, term: &Term) -> Id {
    match term {
        Term::Value(id) => egraph.find(*id),
        Term::Literal(value) => egraph.add(Node { head: Head::Literal(*value), inputs: Default::default() }),
        Term::Apply(op, inputs) => {
            let inputs = inputs.iter().map(|x| insert(egraph, x)).collect();
            let head = Head::Op(egraph.analysis.ops.intern(op));
            let node = canonical(egraph, Node { head, inputs });
            egraph.add(node)
        }
    }
}

/// The node with the operands of a commutative op in a fixed order, so that both orders are one node.
pub(crate) fn canonical(egraph: &EGraph, mut node: Node) -> Node {
    if let (Head::Op(op), 2) = (node.head, node.inputs.len()) {
        let dtype = egraph[node.inputs[0]].data.avals[0].dtype;
        if crate::code::commutes(egraph.analysis.ops.get(op), dtype) {
            node.inputs.sort();
        }
    }
    node
}

impl View for EGraph {
    fn avals(&self, x: Id) -> &[Aval] {
        &self[x].data.avals
    }
    fn splat(&self, x: Id) -> Option<Scalar> {
        self[x].data.splat
    }
    fn known(&self, x: Id) -> Known {
        self[x].data.known
    }
    fn nodes(&self, x: Id) -> &[Node] {
        &self[x].nodes
    }
}
