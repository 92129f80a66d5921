//! The hash-consed graph: every value once, simplified as it is inserted.
//!
//! Nodes stand after their operands, so that the order of creation is an order of execution. An op with several
//! results is one node and a projection for each result. Effects are chained: each has its predecessor as a last
//! operand.

use rustc_hash::FxHashMap;
use std::sync::Arc;

use egg::Id;
use rjax_ir::infer::infer;
use rjax_ir::{Aval, Location, Op, Remat, Scalar, Tensor};
use smallvec::SmallVec;

use crate::code::{Code, commutes};
use crate::egraph::known_of;
use crate::fold;
use crate::known::Known;
use crate::rules::{Class, Rule, RuleSet};
use crate::term::{Definition, Term, View, matches};

/// An interned op.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct OpId {
    pub code: Code,
    index: u32,
}

impl OpId {
    /// The number of the op in the order of first use.
    pub fn index(self) -> u32 {
        self.index
    }
}

/// The ops of a run, each once, numbered in the order of their first use.
#[derive(Clone, Default)]
pub(crate) struct Ops {
    list: Vec<Arc<Op>>,
    numbers: FxHashMap<Arc<Op>, u32>,
}

impl Ops {
    pub fn intern(&mut self, op: &Op) -> OpId {
        let code = Code::of(op);
        if let Some(&index) = self.numbers.get(op) {
            return OpId { code, index };
        }
        let op = Arc::new(op.clone());
        let index = self.list.len() as u32;
        self.list.push(op.clone());
        self.numbers.insert(op, index);
        OpId { code, index }
    }

    pub fn get(&self, id: OpId) -> &Op {
        &self.list[id.index as usize]
    }

    pub fn shared(&self, id: OpId) -> Arc<Op> {
        self.list[id.index as usize].clone()
    }
}

/// What a node is, apart from its operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Head {
    /// An input, or in a window a value from outside.
    Leaf(u32),
    /// A constant array of the program.
    Const(u32),
    /// A scalar.
    Literal(Scalar),
    /// A pure op.
    Op(OpId),
    /// One of the results of an op that does not have exactly one.
    Projection(u32),
    /// An op that must not be merged with an equal one; the number tells them apart.
    Unique(OpId, u32),
    /// An op that can be seen from outside. Its number is its place in the order of effects; from the second on its
    /// last operand is the effect before.
    Effect(OpId, u32),
}

impl Head {
    /// The kind of op; `Other` for those that are not to be looked into.
    pub fn code(self) -> Code {
        match self {
            Head::Op(op) => op.code,
            Head::Unique(..) | Head::Effect(..) => Code::Other,
            Head::Leaf(_) | Head::Const(_) | Head::Literal(_) | Head::Projection(_) => Code::Leaf,
        }
    }
}

/// A node of either graph, and an e-node's language.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Node {
    pub head: Head,
    pub inputs: SmallVec<[Id; 4]>,
}

impl Node {
    /// The operands of the op, without the effect before it.
    pub fn operands(&self) -> &[Id] {
        match self.head {
            Head::Effect(_, number) if number > 0 => &self.inputs[..self.inputs.len() - 1],
            Head::Leaf(_)
            | Head::Const(_)
            | Head::Literal(_)
            | Head::Op(_)
            | Head::Projection(_)
            | Head::Unique(..)
            | Head::Effect(..) => &self.inputs,
        }
    }
}

/// The rewrites that led to a node.
pub(crate) type Fired = SmallVec<[(&'static Rule, Class); 1]>;

pub(crate) struct Entry {
    pub node: Node,
    pub avals: Arc<[Aval]>,
    pub splat: Option<Scalar>,
    pub known: Known,
    pub location: Location,
    pub fired: Fired,
    /// The least exact class of the rewrites behind the value.
    pub weakest: Class,
}

pub(crate) struct Dag<'r> {
    pub entries: Vec<Entry>,
    pub ops: Ops,
    pub consts: Vec<Tensor>,
    pub rules: &'r RuleSet,
    /// Whether constant arrays may be added: not in programs inside ops.
    pub top_level: bool,
    pub fold_elements: usize,
    memo: FxHashMap<Node, Id>,
    last_effect: Option<Id>,
    effects: u32,
    uniques: u32,
}

/// How often a result may be simplified again before it is taken as it is.
const MAX_DEPTH: usize = 16;

impl<'r> Dag<'r> {
    pub fn new(rules: &'r RuleSet, ops: Ops, top_level: bool, fold_elements: usize) -> Dag<'r> {
        Dag {
            entries: Vec::new(),
            ops,
            consts: Vec::new(),
            rules,
            top_level,
            fold_elements,
            memo: FxHashMap::default(),
            last_effect: None,
            effects: 0,
            uniques: 0,
        }
    }

    pub fn entry(&self, x: Id) -> &Entry {
        &self.entries[usize::from(x)]
    }

    pub fn aval(&self, x: Id) -> &Aval {
        &self.entry(x).avals[0]
    }

    fn push(&mut self, node: Node, avals: Arc<[Aval]>, splat: Option<Scalar>, location: Location) -> Id {
        let id = Id::from(self.entries.len());
        let known = self.known_of(&node, &avals, splat);
        let weakest = node.inputs.iter().map(|&x| self.entry(x).weakest).max().unwrap_or_default();
        self.entries.push(Entry { node, avals, splat, known, location, fired: Fired::new(), weakest });
        id
    }

    fn known_of(&self, node: &Node, avals: &[Aval], splat: Option<Scalar>) -> Known {
        if let Some(value) = splat {
            return Known::of_scalar(value);
        }
        match (node.head, avals) {
            (Head::Op(op), [_]) => {
                let inputs: SmallVec<[Aval; 4]> = node.inputs.iter().map(|&x| self.aval(x).clone()).collect();
                let operands = node.inputs.iter().map(|&x| self.entry(x).known);
                known_of(self.ops.get(op), &node.inputs, operands, &inputs, avals)
            }
            (_, [aval]) => Known::of_type(aval.dtype),
            (_, _) => Known::NOTHING,
        }
    }

    pub fn leaf(&mut self, number: usize, aval: Aval) -> Id {
        let node = Node { head: Head::Leaf(number as u32), inputs: SmallVec::new() };
        self.push(node, Arc::new([aval]), None, Location::Unknown)
    }

    pub fn literal(&mut self, value: Scalar) -> Id {
        let node = Node { head: Head::Literal(value), inputs: SmallVec::new() };
        if let Some(&id) = self.memo.get(&node) {
            return id;
        }
        let aval = Aval::scalar(value.dtype());
        let id = self.push(node.clone(), Arc::new([aval]), Some(value), Location::Unknown);
        self.memo.insert(node, id);
        id
    }

    /// A constant array; only at top level.
    pub fn constant(&mut self, value: Tensor) -> Id {
        let number = self.consts.len() as u32;
        let splat = fold::uniform(&value, self.fold_elements);
        let aval = value.aval();
        self.consts.push(value);
        let node = Node { head: Head::Const(number), inputs: SmallVec::new() };
        self.push(node, Arc::new([aval]), splat, Location::Unknown)
    }

    /// The tensor that a value is known to be, if it is small.
    pub fn tensor(&self, x: Id) -> Option<Tensor> {
        let entry = self.entry(x);
        if entry.avals.len() != 1 || entry.avals[0].size() > self.fold_elements {
            return None;
        }
        match (entry.splat, entry.node.head) {
            (Some(value), _) => Some(Tensor::full(entry.avals[0].shape.clone(), value)),
            (None, Head::Const(number)) => Some(self.consts[number as usize].clone()),
            (
                None,
                Head::Leaf(_)
                | Head::Literal(_)
                | Head::Op(_)
                | Head::Projection(_)
                | Head::Unique(..)
                | Head::Effect(..),
            ) => None,
        }
    }

    /// Adds an equation; returns its results.
    pub fn apply(&mut self, op: &Op, inputs: &[Id], avals: Arc<[Aval]>, location: &Location) -> SmallVec<[Id; 1]> {
        let results = avals.len();
        let node = self.node(op, inputs, avals, location);
        if results == 1 {
            SmallVec::from_slice(&[node])
        } else {
            (0..results).map(|i| self.projection(node, i)).collect()
        }
    }

    /// Adds an equation; returns its node.
    pub fn node(&mut self, op: &Op, inputs: &[Id], avals: Arc<[Aval]>, location: &Location) -> Id {
        if op.has_effect() {
            let mut inputs: SmallVec<[Id; 4]> = inputs.into();
            inputs.extend(self.last_effect);
            let node = Node { head: Head::Effect(self.ops.intern(op), self.effects), inputs };
            self.effects += 1;
            let id = self.push(node, avals, None, location.clone());
            self.last_effect = Some(id);
            id
        } else if let Op::OptimizationBarrier | Op::Remat(Remat { differentiated: true, .. }) = op {
            let node = Node { head: Head::Unique(self.ops.intern(op), self.uniques), inputs: inputs.into() };
            self.uniques += 1;
            self.push(node, avals, None, location.clone())
        } else {
            self.simplified(op, inputs, avals, location, 0)
        }
    }

    /// Records rules that led to a node.
    pub fn note(&mut self, x: Id, fired: &Fired) {
        let entry = &mut self.entries[usize::from(x)];
        for rewrite in fired {
            entry.weakest = entry.weakest.max(rewrite.1);
            if !entry.fired.contains(rewrite) {
                entry.fired.push(*rewrite);
            }
        }
    }

    /// Records that a value stands for one with this class of rewrites behind it.
    pub fn weaken(&mut self, x: Id, class: Class) {
        let entry = &mut self.entries[usize::from(x)];
        entry.weakest = entry.weakest.max(class);
    }

    /// Result number `index` of a node that does not have exactly one.
    pub fn projection(&mut self, of: Id, index: usize) -> Id {
        let node = Node { head: Head::Projection(index as u32), inputs: SmallVec::from_slice(&[of]) };
        if let Some(&id) = self.memo.get(&node) {
            return id;
        }
        let aval = self.entry(of).avals[index].clone();
        let location = self.entry(of).location.clone();
        let id = self.push(node.clone(), Arc::new([aval]), None, location);
        self.memo.insert(node, id);
        id
    }

    /// A pure op: what folding or a shrinking rule makes of it, or its node.
    fn simplified(&mut self, op: &Op, inputs: &[Id], avals: Arc<[Aval]>, location: &Location, depth: usize) -> Id {
        if avals.len() == 1 && depth < MAX_DEPTH {
            // What is behind the operands is behind what takes their place.
            let behind = inputs.iter().map(|&x| self.entry(x).weakest).max().unwrap_or_default();
            if let Some((term, rule)) = fold::fold(self, op, inputs, &avals[0]) {
                let id = match term {
                    fold::Folded::Term(term) => self.insert_term(&term, location, depth + 1),
                    fold::Folded::Array(value) => self.constant(value),
                };
                self.rules.count(rule);
                self.note(id, &Fired::from_slice(&[(rule, Class::Exact)]));
                self.weaken(id, behind);
                return id;
            }
            if let Some((term, rule, class)) = self.shrunk(op, inputs, &avals[0]) {
                let id = self.insert_term(&term, location, depth + 1);
                debug_assert_eq!(*self.aval(id), avals[0], "the rule {} changed the type", rule.name);
                self.rules.count(rule);
                self.note(id, &Fired::from_slice(&[(rule, class)]));
                self.weaken(id, behind);
                return id;
            }
        }
        let head = Head::Op(self.ops.intern(op));
        let node = Node { head, inputs: inputs.into() };
        let mut key = node.clone();
        if key.inputs.len() == 2 && commutes(op, self.aval(inputs[0]).dtype) {
            key.inputs.sort();
        }
        if let Some(&id) = self.memo.get(&key) {
            return id;
        }
        let splat = if let Op::BroadcastInDim { .. } = op { self.entry(inputs[0]).splat } else { None };
        let id = self.push(node, avals, splat, location.clone());
        self.memo.insert(key, id);
        id
    }

    fn shrunk(&self, op: &Op, inputs: &[Id], aval: &Aval) -> Option<(Term, &'static Rule, Class)> {
        for rule in self.rules.shrinking(Code::of(op)) {
            let Some(class) = rule.class_on(self, inputs, aval, self.rules.tier) else { continue };
            let mut first = None;
            matches(self, &self.ops, Definition { op, inputs }, aval, rule.apply, 16, |term| {
                first.get_or_insert(term);
            });
            if let Some(term) = first {
                return Some((term, rule, class));
            }
        }
        None
    }

    /// Adds what a rule built.
    pub fn insert_term(&mut self, term: &Term, location: &Location, depth: usize) -> Id {
        match term {
            Term::Value(id) => *id,
            Term::Literal(value) => self.literal(*value),
            Term::Apply(op, inputs) => {
                let inputs: SmallVec<[Id; 4]> = inputs.iter().map(|x| self.insert_term(x, location, depth)).collect();
                let avals: Vec<Aval> = inputs.iter().map(|&x| self.aval(x).clone()).collect();
                let outputs = infer(op, &avals).unwrap_or_else(|e| panic!("a rule built an ill-typed equation: {e}"));
                self.simplified(op, &inputs, outputs.into(), location, depth)
            }
        }
    }

    /// Whether each node is needed by one of the outputs or an effect.
    pub fn live(&self, outputs: &[Id]) -> Vec<bool> {
        let mut live = vec![false; self.entries.len()];
        for &x in outputs {
            live[usize::from(x)] = true;
        }
        for (i, entry) in self.entries.iter().enumerate().rev() {
            live[i] |= matches!(entry.node.head, Head::Effect(..));
            if live[i] {
                for &x in &entry.node.inputs {
                    live[usize::from(x)] = true;
                }
            }
        }
        live
    }
}

impl View for Dag<'_> {
    fn avals(&self, x: Id) -> &[Aval] {
        &self.entry(x).avals
    }
    fn splat(&self, x: Id) -> Option<Scalar> {
        self.entry(x).splat
    }
    fn known(&self, x: Id) -> Known {
        self.entry(x).known
    }
    fn nodes(&self, x: Id) -> &[Node] {
        std::slice::from_ref(&self.entry(x).node)
    }
}
