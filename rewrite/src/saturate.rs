//! Applying all rules to an e-graph until nothing changes or a count is reached.

use std::collections::{HashMap, HashSet};

use egg::{Id, Language};

use crate::dag::{Head, Node};
use crate::egraph::{self, EGraph};
use crate::rules::{Class, Rule, RuleSet};
use crate::term::{Definition, Term, matches};

/// How many definitions one rule may combine for one node.
const MAX_CHOICES: usize = 64;

/// Which rule made what.
#[derive(Default)]
pub(crate) struct Provenance {
    /// The rule that first built a node, by the number of the node in the e-graph, and which of its applications.
    created: HashMap<usize, Application>,
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
    pub fn by_node(&self, egraph: &EGraph) -> HashMap<Node, Option<Application>> {
        let mut rules = HashMap::new();
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
    let mut seen: HashSet<(Id, Term)> = HashSet::new();
    for _ in 0..limits.iterations {
        let found = search(egraph, rules);
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

/// Everything that some rule has to say, in the order of classes, nodes and rules.
fn search(egraph: &EGraph, rules: &RuleSet) -> Vec<(Id, Term, &'static Rule, Class)> {
    let mut found = Vec::new();
    let mut classes: Vec<Id> = egraph.classes().map(|class| class.id).collect();
    classes.sort();
    for class in classes {
        for node in &egraph[class].nodes {
            let Head::Op(op) = node.head else { continue };
            if egraph[class].data.avals.len() != 1 {
                continue;
            }
            let aval = &egraph[class].data.avals[0];
            for rule in rules.shrinking(op.code).iter().chain(rules.growing(op.code)) {
                let Some(kind) = rule.class_on(egraph, &node.inputs, aval, rules.tier) else { continue };
                let root = Definition { op: egraph.analysis.ops.get(op), inputs: &node.inputs };
                matches(egraph, &egraph.analysis.ops, root, aval, rule.apply, MAX_CHOICES, |term| {
                    found.push((class, term, *rule, kind));
                });
            }
        }
    }
    found
}
