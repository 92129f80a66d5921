//! Applying all rules to an e-graph until nothing changes or a count is reached.

use std::cell::RefCell;
use std::hash::BuildHasher;

use egg::{Id, Language};
use rjax_ir::{Aval, Scalar};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::dag::{Head, Node};
use crate::egraph::{self, Data, EGraph};
use crate::known::Known;
use crate::rules::{Class, Rule, RuleSet};
use crate::term::{Definition, Term, View, matches};

/// How many definitions one rule may combine for one node.
const MAX_CHOICES: usize = 64;
/// A rule that finds more in one round has run away: sums and products in all orders, mostly. It is left out from then on.
const MOST_FINDS: usize = 64;

/// Which rule made what.
#[derive(Default)]
pub(crate) struct Provenance {
    /// The rule that first built a node, by the number of the node in the e-graph, and which of its applications.
    created: FxHashMap<usize, Application>,
    /// Unions of a class with a node or class that a rule built: the two ids and the rule.
    unions: Vec<(Id, Id, &'static Rule, Class)>,
}

/// One application of a rule: all that it built has the same number.
#[derive(Clone, Copy)]
pub(crate) struct Application {
    pub rule: &'static Rule,
    pub class: Class,
    pub number: usize,
}

impl Provenance {
    /// The rules behind each node in its canonical form; nodes of the input have none.
    pub fn by_node(&self, egraph: &EGraph) -> FxHashMap<Node, Option<Application>> {
        let mut rules = FxHashMap::default();
        for (number, node) in egraph.nodes().iter().enumerate() {
            let node = node.clone().map_children(|x| egraph.find(x));
            rules.entry(node).or_insert_with(|| self.created.get(&number).copied());
        }
        rules
    }

    /// The rules that said that a class equals something that was there already.
    pub fn merges(&self, egraph: &EGraph, class: Id) -> Vec<(&'static Rule, Class)> {
        let inside = self.unions.iter().filter(|(a, b, ..)| egraph.find(*a) == class || egraph.find(*b) == class);
        inside.map(|&(.., rule, class)| (rule, class)).collect()
    }
}

/// Limits of a run, all of them counts.
pub(crate) struct Limits {
    pub iterations: usize,
    pub nodes: usize,
}

/// Applies the rules.
pub(crate) fn saturate(egraph: &mut EGraph, rules: &RuleSet, limits: &Limits) -> Provenance {
    let mut provenance = Provenance::default();
    let mut applications = 0;
    let mut seen: FxHashSet<(Id, Term)> = FxHashSet::default();
    let mut search = Search::default();
    for _ in 0..limits.iterations {
        let found = search.new_finds(egraph, rules);
        let mut changed = false;
        for (class, term, rule, kind) in found {
            if egraph.total_number_of_nodes() > limits.nodes {
                break;
            }
            if !seen.insert((class, term.clone())) {
                continue;
            }
            applications += 1;
            rules.count(rule);
            let before = egraph.nodes().len();
            let id = egraph::insert(egraph, &term);
            for number in before..egraph.nodes().len() {
                provenance.created.insert(number, Application { rule, class: kind, number: applications });
            }
            if egraph.union(class, id) {
                changed = true;
                if egraph.nodes().len() == before {
                    provenance.unions.push((class, id, rule, kind));
                }
            }
        }
        egraph.rebuild();
        if !changed || egraph.total_number_of_nodes() > limits.nodes {
            break;
        }
    }
    provenance
}

/// What a search keeps for the next one, so that it tries only the nodes about which there may be something new to say.
#[derive(Default)]
struct Search {
    /// How each class was when it was last searched.
    states: FxHashMap<Id, State>,
    /// The classes that the rules looked at for each node.
    looked: FxHashMap<Node, SmallVec<[Id; 8]>>,
    /// The rules that ran away.
    left_out: FxHashSet<&'static str>,
}

/// All of a class that rules can see: its nodes, by a hash, and its facts.
#[derive(PartialEq)]
struct State {
    nodes: u64,
    splat: Option<Scalar>,
    known: Known,
}

impl State {
    fn of(egraph: &EGraph, class: Id) -> State {
        let Data { splat, known, .. } = egraph[class].data;
        State { nodes: FxBuildHasher.hash_one(&egraph[class].nodes), splat, known }
    }
}

impl Search {
    /// Everything that some rule has to say, in the order of classes, nodes and rules, but for what it said before.
    fn new_finds(&mut self, egraph: &EGraph, rules: &RuleSet) -> Vec<(Id, Term, &'static Rule, Class)> {
        let mut found = Vec::new();
        let mut classes: Vec<Id> = egraph.classes().map(|class| class.id).collect();
        classes.sort();
        let states: FxHashMap<Id, State> = classes.iter().map(|&class| (class, State::of(egraph, class))).collect();
        // A class that was merged into another is not there any more.
        let changed = |class: &Id| states.get(class).is_none_or(|state| self.states.get(class) != Some(state));
        for class in classes {
            let [aval] = &egraph[class].data.avals[..] else { continue };
            for node in &egraph[class].nodes {
                let Head::Op(op) = node.head else { continue };
                if self.looked.get(node).is_some_and(|looked| !looked.iter().any(changed)) {
                    continue;
                }
                let watched = Watched { egraph, looked: RefCell::default() };
                for rule in rules.shrinking(op.code).iter().chain(rules.growing(op.code)) {
                    if self.left_out.contains(rule.name) {
                        continue;
                    }
                    let Some(kind) = rule.class_on(egraph, &node.inputs, aval, rules.tier) else { continue };
                    let root = Definition { op: egraph.analysis.ops.get(op), inputs: &node.inputs };
                    matches(&watched, &egraph.analysis.ops, root, aval, rule.apply, MAX_CHOICES, |term| {
                        found.push((class, term, *rule, kind));
                    });
                }
                self.looked.insert(node.clone(), watched.looked.into_inner());
            }
        }
        self.states = states;
        let mut counts: FxHashMap<&'static str, usize> = FxHashMap::default();
        found.iter().for_each(|(_, _, rule, _)| *counts.entry(rule.name).or_default() += 1);
        self.left_out.extend(counts.into_iter().filter(|(_, count)| *count > MOST_FINDS).map(|(name, _)| name));
        found
    }
}

/// An e-graph that notes which classes are looked at.
struct Watched<'e> {
    egraph: &'e EGraph,
    looked: RefCell<SmallVec<[Id; 8]>>,
}

impl Watched<'_> {
    fn note(&self, x: Id) {
        let mut looked = self.looked.borrow_mut();
        if !looked.contains(&x) {
            looked.push(x);
        }
    }
}

impl View for Watched<'_> {
    /// These never change.
    fn avals(&self, x: Id) -> &[Aval] {
        self.egraph.avals(x)
    }
    fn splat(&self, x: Id) -> Option<Scalar> {
        self.note(x);
        self.egraph.splat(x)
    }
    fn known(&self, x: Id) -> Known {
        self.note(x);
        self.egraph.known(x)
    }
    fn nodes(&self, x: Id) -> &[Node] {
        self.note(x);
        View::nodes(self.egraph, x)
    }
}
